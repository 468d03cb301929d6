/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include <string.h>

#include "../base/atomic.h"

enum { WORDS = sizeof(struct account_copy) / sizeof(uint64_t) };

_Static_assert(WORDS * sizeof(uint64_t) == sizeof(struct account_copy),
               "copied word by word");

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
        for (i = 0; i < WORDS; i++) {
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
    const struct account *account = zone_account(zone);

    zone->account = account->copy[atomic_load(&account->current) & 1];

    return &zone->account;
}

void
account_commit(struct zone *zone)
{
    struct account *account = zone_account(zone);
    uint64_t next = atomic_load(&account->current) + 1;
    const uint64_t *from = (const uint64_t *) (const void *) &zone->account;
    uint64_t *to = (uint64_t *) (void *) &account->copy[next & 1];
    size_t i;

    /* Who reads this copy must see first that it is not in force. */
    atomic_fence_store();
    for (i = 0; i < WORDS; i++) {
        atomic_store(&to[i], from[i]);
    }
    atomic_release(&account->current, next);
}
