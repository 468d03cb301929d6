/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the zone's lanes ahead of the account: what was read stays queued
 * until its fate is settled. A lane whose events are in a flight is held: it
 * is not read further, which keeps its order and makes its tail move in one
 * piece.
 */
#ifndef INTENT_DELIVER_INTAKE_H
#define INTENT_DELIVER_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "../state/zone.h"
#include "event.h"

struct intake {
    struct zone *zone;
    uint32_t n;                    /* lanes */
    uint32_t first;                /* where the next round begins */
    struct {
        uint64_t pos, taken;       /* read so far */
        bool held;
    } lane[ZONE_MAX_LANES];
};

/* Starts at the account's tails. */
void intake_begin(struct intake *intake, struct zone *zone);

/* Forgets what was read of a lane and not settled. */
void intake_rewind(struct intake *intake, uint32_t lane);

/* The next event of a lane: 1, its bytes borrowed until the lane's tail moves
 * past it; 0: none now; -EBADMSG: the ring is damaged here. It stays the next
 * one until intake_pass(). */
int intake_peek(const struct intake *intake, uint32_t lane,
                struct event *event);
void intake_pass(struct intake *intake, const struct event *event);

/* Passes over what is damaged, up to the newest event: 0, *lost: how many.
 * -EAGAIN while the producer is in the middle of a step that makes the number
 * uncertain. */
int intake_skip(struct intake *intake, uint32_t lane, uint64_t *lost);

/* Events that wait in lanes that are not held. Cheap. */
uint64_t intake_waiting(const struct intake *intake);

/* How full the fullest lane is, in percent of its ring. */
unsigned intake_fullness(const struct intake *intake);

/* Bytes that a lane's producer has published so far. */
uint64_t intake_head(const struct intake *intake, uint32_t lane);

#endif
