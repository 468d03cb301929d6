/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool: events on disk, first in first out, for when Kinesis is away.
 *
 * A folder of segments (spool_segment.h), a position (spool_position.h) and a
 * lock. Records are numbered; `read` is the next one to deliver, `end` the
 * next one to be written, both by the caller's word: what was read counts
 * only after spool_advance(), what was put only after spool_flush(). Memory
 * does not grow with what is on disk, but for 32 bytes per segment.
 *
 * Rules that make every crash harmless:
 * - A file is only appended to by the process that made it.
 * - The account in the zone is committed after the data is written and before
 *   a file is removed; the position is saved before a file is removed.
 * - A file where a write or a sync failed is closed for good and a new one
 *   begun: after a failed fsync(2) the kernel may have thrown the data away
 *   and call the next one a success.
 *
 * Every now_ms is of a clock that only goes forward, but for spool_flush(),
 * which dates a segment. Used by one thread. Only one process at a time may
 * have a folder open.
 */
#ifndef INTENT_DELIVER_SPOOL_H
#define INTENT_DELIVER_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spool_segment.h"

enum spool_sync { SPOOL_ALWAYS, SPOOL_EVERYSEC, SPOOL_OFF };

enum {
    SPOOL_SEGMENT_MIN = 64 << 10,
    SPOOL_SEGMENT_MAX = 16 << 20,
    SPOOL_SEGMENTS = 8,            /* at least, in a spool of any size: one
                                      of them is what giving way costs */
    SPOOL_BUFFER = 256 << 10       /* bytes put between two flushes */
};

struct spool_options {
    const char *path;              /* made where it is missing */
    uint64_t size;                 /* bytes on disk at most */
    enum spool_sync sync;
    uint64_t new_id;               /* random: the id of a new spool */
};

struct spool;

/* Opens or makes a spool. Whatever is in the folder, it opens: what cannot be
 * read is passed over when its turn comes. -EBUSY when another process has
 * it, -ENOMEM, or -errno when the folder cannot be used. */
int spool_open(const struct spool_options *options, int64_t now_ms,
               struct spool **out);

/* Saves the position and closes. Does not flush. */
void spool_close(struct spool *spool, int64_t now_ms);

/* What the zone's account knows of a spool. */
struct spool_mark {
    uint64_t id;                   /* 0: it knows none */
    uint64_t read, end;
    uint64_t boot;                 /* of the zone: written into new segments */
};

/* Brings the spool in line with the account, before anything else is done
 * with it: records that were written but never committed are cut off, since
 * their lane still has them. Returns how many records the spool holds that
 * the account does not know of: all of them when the zone is new. */
uint64_t spool_reconcile(struct spool *spool, const struct spool_mark *mark);

uint64_t spool_id(const struct spool *spool);
uint64_t spool_read_index(const struct spool *spool);
uint64_t spool_end_index(const struct spool *spool);

/* Records from `read` to `end`, of them not yet handed out by spool_next(). */
uint64_t spool_count(const struct spool *spool);
uint64_t spool_unread(const struct spool *spool);

/* Bytes of all segments, as far as is known without asking the disk. */
uint64_t spool_bytes(const struct spool *spool);

/* --- writing ------------------------------------------------------------ */

/* Adds a record to what the next flush writes. -ENOBUFS: flush first. */
int spool_put(struct spool *spool, const struct spool_item *item);

/* Whether writing what was put would exceed the size. Then, until it does
 * not: spool_give_way(), commit the account, spool_clean(). */
bool spool_over(const struct spool *spool);

/* Gives up the oldest segment: returns how many undelivered records go with
 * it, not counting what was handed out and is on its way. `read` grows by as
 * much. Its file goes in spool_clean(). */
uint64_t spool_give_way(struct spool *spool);

/* Forgets what was put. */
void spool_discard(struct spool *spool);

/* Writes what was put, synced if so configured, and moves `end`: 0. On -errno
 * nothing of it counts, and it is to be put again. */
int spool_flush(struct spool *spool, int64_t now_ms);

/* --- reading ------------------------------------------------------------ */

/* The next record: 1 and *item, its bytes borrowed until the next call; 0:
 * nothing more; -errno: not now. Unreadable records are passed over. */
int spool_next(struct spool *spool, struct spool_item *item);

/* How many unreadable ones were passed over since spool_advance(). */
uint64_t spool_skipped(const struct spool *spool);

/* Index after the last record handed out or passed over: what `read` will be
 * after spool_advance(). */
uint64_t spool_cursor(const struct spool *spool);

/* All that was handed out is done with. */
void spool_advance(struct spool *spool);

/* None of it is: it will be handed out again. */
void spool_rewind(struct spool *spool);

/* --- upkeep ------------------------------------------------------------- */

/* Removes what is done with; damaged segments are kept as NAME.corrupt until
 * their room is needed. 0 or -errno; it tries again at the next call. */
int spool_clean(struct spool *spool, int64_t now_ms);

/* To be called about once a second: syncs, saves the position. -ENOENT when
 * the folder is no longer there (close, and open anew), or -errno. */
int spool_tick(struct spool *spool, int64_t now_ms);

/* Makes all that was flushed survive a power loss. */
int spool_sync_now(struct spool *spool, int64_t now_ms);

/* Segments found damaged since it was opened. */
uint64_t spool_damaged(const struct spool *spool);

#endif
