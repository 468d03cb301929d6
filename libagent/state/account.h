/* SPDX-License-Identifier: Apache-2.0
 *
 * The delivery account: captured = delivered + queued + spooled + dropped.
 *
 * What lanes took is counted by their producers (lane.h), what became of it
 * by intentd in struct account_copy (layout.h), which also holds the lanes'
 * tails: one store commits both, so the account balances at every instant
 * and over the death of either side.
 */
#ifndef INTENT_STATE_ACCOUNT_H
#define INTENT_STATE_ACCOUNT_H

#include "zone.h"

struct account_totals {
    uint64_t captured, delivered, queued, spooled;
    uint64_t dropped[DROP_COUNT];
    struct account_copy rest;      /* the other counters */
};

/* One balanced picture. Any process, any time. */
void account_read(const struct zone *zone, struct account_totals *out);

/* intentd alone: a copy to change, equal to the one in force and private to
 * this handle, and its commit. */
struct account_copy *account_edit(struct zone *zone);
void account_commit(struct zone *zone);

#endif
