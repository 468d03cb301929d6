/* SPDX-License-Identifier: Apache-2.0
 *
 * A lane: one ring of records from one producing process to intentd.
 *
 * A record is a struct lane_record and its bytes, padded to 8, contiguous: one
 * that would wrap is preceded by a filler up to the ring's end. Positions are
 * bytes ever written; position % lane_size is the place in the ring.
 *
 * Producer's commit order: the record's bytes, `last` = its position,
 * `published` + 1, `head` = its end (release). A death between the last two
 * leaves a whole record that is counted and not yet visible: lane_repair(),
 * run by the next owner, publishes it. So nothing captured is lost and the
 * account balances at every instant.
 *
 * seq of a record = published + dropped at that moment: dense per lane, gaps
 * are exactly the drops.
 *
 * The consumer's side is in the account (layout.h): `tail` moves when the
 * event is delivered or safely spooled, not when it was read.
 */
#ifndef INTENT_STATE_LANE_H
#define INTENT_STATE_LANE_H

#include "zone.h"

struct lane_record {
    uint32_t len;                  /* bytes that follow; LANE_FILLER: skip */
    uint32_t check;                /* of seq, key and bytes: lane_check() */
    uint64_t seq;
    uint64_t key;                  /* partition key, keyed hash */
};

#define LANE_FILLER 0xffffffffu

/* Bytes of one event's JSON: with its record twice in the smallest ring, so
 * that there is room for it behind any position. */
enum { LANE_MAX_RECORD = 65536 - 64 };

/* Claims a free lane, or one of a dead process, for `self`: index or -EAGAIN.
 * Repairs what a dead owner left. */
int lane_claim(struct zone *zone, uint64_t self);
void lane_release(struct zone *zone, uint32_t lane);

/* Producer. Room for up to `max` bytes of an event: where to write and the
 * seq that it will have; or NULL: no room, counted as dropped (a seq is
 * used up). lane_commit() or lane_refuse() must follow. */
void *lane_reserve(struct zone *zone, uint32_t lane, uint32_t max,
                   uint64_t *seq);
void lane_commit(struct zone *zone, uint32_t lane, void *room, uint32_t len,
                 uint64_t key);

/* Instead of lane_commit(): the event turned out too large. Counted; a seq is
 * used up. */
void lane_refuse(struct zone *zone, uint32_t lane);

/* Consumer. Reads the record at *pos (start from account tail), bounds and
 * checksum verified: 1 and *record, bytes and *next; 0: nothing more; -EBADMSG:
 * the ring is damaged at *pos, *next = where to go on (the head), which loses
 * the rest of what is queued. */
int lane_read(const struct zone *zone, uint32_t lane, uint64_t pos,
              const struct lane_record **record, const char **bytes,
              uint64_t *next);

/* Consumer, for a lane whose owner is dead: repairs and frees it when it is
 * drained. */
void lane_reap(struct zone *zone, uint32_t lane, uint64_t self);

uint32_t lane_check(uint64_t seq, uint64_t key, const char *bytes,
                    uint32_t len);

#endif
