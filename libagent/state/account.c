/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include <string.h>

#include "../base/atomic.h"

/* The copy in force may be overwritten while it is read once intentd commits
 * twice; `current` unchanged afterwards proves that it was not. */
static void
copy_in_force(const struct account *account, struct account_copy *out)
{
    uint64_t before, after = atomic_acquire(&account->current);
    const uint64_t *from;
    uint64_t *to = (uint64_t *) (void *) out;
    size_t i;

    do {
        before = after;
        from = (const uint64_t *) (const void *) &account->copy[before & 1];
        for (i = 0; i < sizeof(*out) / sizeof(*to); i++) {
            to[i] = atomic_load(&from[i]);
        }
        atomic_fence_load();
        after = atomic_acquire(&account->current);
    } while (after != before);
}

void
account_read(const struct zone *zone, struct account_totals *out)
{
    struct account *account = zone_account(zone);
    uint64_t published, dropped, refused;
    struct lane_slot *slot;
    uint32_t i;

    memset(out, 0, sizeof(*out));
    copy_in_force(account, &out->rest);

    memcpy(out->dropped, out->rest.dropped, sizeof(out->dropped));
    out->delivered = out->rest.delivered;
    out->spooled = out->rest.spooled;
    out->captured = out->rest.inherited;

    for (i = 0; i < zone->layout.n_lanes; i++) {
        slot = zone_lane(zone, i);
        published = atomic_acquire(&slot->published);
        dropped = atomic_load(&slot->dropped);
        refused = atomic_load(&slot->refused);

        out->captured += published + dropped + refused;
        out->queued += published - out->rest.lane[i].taken;
        out->dropped[DROP_LANE_FULL] += dropped;
        out->dropped[DROP_REFUSED] += refused;
    }

    dropped = atomic_load(&account->no_lane);
    out->captured += dropped;
    out->dropped[DROP_NO_LANE] += dropped;
}

struct account_copy *
account_edit(struct zone *zone)
{
    struct account *account = zone_account(zone);
    struct account_copy *idle;

    idle = &account->copy[(account->current + 1) & 1];
    memcpy(idle, &account->copy[account->current & 1], sizeof(*idle));

    return idle;
}

void
account_commit(struct zone *zone)
{
    struct account *account = zone_account(zone);

    atomic_release(&account->current, account->current + 1);
}
