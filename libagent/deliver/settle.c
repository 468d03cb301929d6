/* SPDX-License-Identifier: Apache-2.0 */
#include "settle.h"

#include <string.h>

void
settle_take(struct settle *settle, uint32_t lane, uint64_t after,
            uint64_t count)
{
    settle->any = true;
    settle->lane[lane].moved = true;
    settle->lane[lane].after = after;
    settle->lane[lane].count += count;
}

void
settle_clear(struct settle *settle)
{
    memset(settle, 0, sizeof(*settle));
}

void
settle_commit(struct settle *settle, struct zone *zone)
{
    struct account_copy *account;
    uint32_t i;

    if (!settle->any) {
        return;
    }

    account = account_edit(zone);

    account->delivered += settle->delivered;
    account->dropped[DROP_REFUSED] += settle->refused;
    account->dropped[DROP_DAMAGED] += settle->damaged;
    account->dropped[DROP_SPOOL_FULL] += settle->gave_way;
    account->spooled += settle->spooled - settle->unspooled;
    account->spool_end += settle->spooled;
    account->spool_read += settle->unspooled;
    account->duplicates += settle->duplicates;
    account->requests += settle->requests;
    account->failures += settle->failures;
    account->throttled += settle->throttled;
    if (settle->last_success_ms != 0) {
        account->last_success_ms = settle->last_success_ms;
    }

    for (i = 0; i < zone->header->n_lanes && i < ZONE_MAX_LANES; i++) {
        if (settle->lane[i].moved) {
            account->lane[i].tail = settle->lane[i].after;
            account->lane[i].taken += settle->lane[i].count;
        }
    }

    account_commit(zone);
    settle_clear(settle);
}
