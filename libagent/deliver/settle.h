/* SPDX-License-Identifier: Apache-2.0
 *
 * What has happened to events and is not yet in the zone's account. Gathered
 * here, then committed by one store, so that every event is always in exactly
 * one place of the account: queued, spooled, delivered or dropped.
 */
#ifndef INTENT_DELIVER_SETTLE_H
#define INTENT_DELIVER_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "../state/account.h"

struct settle {
    bool any;
    uint64_t delivered, refused, damaged;      /* from lanes or the spool */
    uint64_t spooled;              /* from lanes into the spool */
    uint64_t unspooled;            /* out of the spool, whatever the reason */
    uint64_t gave_way;             /* of those, for want of room */
    uint64_t duplicates, requests, failures, throttled;
    int64_t last_success_ms;       /* 0: none */
    struct {
        uint64_t after;            /* new tail, where moved */
        uint64_t count;            /* records taken */
        bool moved;
    } lane[ZONE_MAX_LANES];
};

/* The lane's records before `after`, `count` of them, leave it; what becomes
 * of them is counted apart. */
void settle_take(struct settle *settle, uint32_t lane, uint64_t after,
                 uint64_t count);

/* Forgets what was gathered. */
void settle_clear(struct settle *settle);

/* Puts it into the account and clears it. */
void settle_commit(struct settle *settle, struct zone *zone);

#endif
