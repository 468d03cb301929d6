/* SPDX-License-Identifier: Apache-2.0
 *
 * Room in a full shard: who has to go. What is quiet goes first; then, of a
 * few candidates, those seen only once before the established, and of these
 * the one that was active longest ago.
 *
 * A victim's slot is of use to its own size class only. Where no candidate has
 * the class that is wanted, or the only one is established while newcomers
 * hold slots of others, a whole page is cleared: it becomes slots of the class
 * in demand, so that the next requests for it need no victim.
 */
#include "../base/atomic.h"
#include "index.h"

enum {
    CANDIDATE_BUCKETS = 4,         /* looked at to find a victim */
    SEARCH_BUCKETS = 16,           /* where those have none of the class */
    ALLOC_TRIES = 8
};

static bool
is_quiet(const struct zone *zone, shard_entry entry, uint32_t now)
{
    uint64_t horizon = (uint64_t) (zone->horizon_ms / zone->layout.stamp_ms)
                       + 2;

    return horizon < INDEX_STAMP_MASK / 2 && index_age(entry, now) > horizon;
}

/* The better victim of two. */
static bool
rather(shard_entry a, shard_entry b, uint32_t now)
{
    bool a_old = (a >> 32 & INDEX_ESTABLISHED) != 0;
    bool b_old = (b >> 32 & INDEX_ESTABLISHED) != 0;

    return a_old != b_old ? !a_old : index_age(a, now) > index_age(b, now);
}

static void
evict(struct zone *zone, struct shard *shard, shard_entry *entry, uint32_t now)
{
    zone->counters[is_quiet(zone, *entry, now) ? INTENT_C_EVICTED_QUIET
                                               : INTENT_C_EVICTED_FULL]++;
    shard_erase(zone, shard, entry);
}

shard_entry *
shard_place(struct zone *zone, struct shard *shard,
            const uint64_t key[static 2])
{
    shard_entry *e = shard_vacant(zone, shard, key), *victim = NULL;
    uint32_t now;
    int which, way;

    if (e != NULL || zone->grow) {
        return e;
    }

    now = index_stamp(zone, zone_now(zone));

    for (which = 0; which < 2; which++) {
        e = index_bucket(zone, shard, key, which);

        for (way = 0; way < SHARD_WAYS; way++, e++) {
            if (is_quiet(zone, *e, now)) {
                evict(zone, shard, e, now);
                return e;
            }
            if (victim == NULL || rather(*e, *victim, now)) {
                victim = e;
            }
        }
    }
    evict(zone, shard, victim, now);

    return victim;
}

static shard_entry *
next_bucket(struct shard *shard)
{
    return index_of(shard) + shard->sweep++ % shard->n_buckets * SHARD_WAYS;
}

/* --- slots ---------------------------------------------------------------- */

struct candidates {
    shard_entry *any;              /* the best victim; NULL: none */
    shard_entry *fitting;          /* the best whose slot is of use */
};

/* Looks at the buckets at the sweep's place, which moves on, and evicts what
 * is quiet there. */
static struct candidates
look_around(struct zone *zone, struct shard *shard, uint32_t size,
            const shard_entry *keep, uint32_t now)
{
    struct candidates c = { NULL, NULL };
    shard_entry *e;
    uint32_t i, way;

    for (i = 0; i < shard->n_buckets; i++) {
        if (i >= CANDIDATE_BUCKETS
            && (c.fitting != NULL || (i >= SEARCH_BUCKETS && c.any != NULL)))
        {
            break;
        }

        for (e = next_bucket(shard), way = 0; way < SHARD_WAYS; way++, e++) {
            if (*e == 0 || e == keep) {
                continue;
            }
            if (is_quiet(zone, *e, now)) {
                evict(zone, shard, e, now);
                continue;
            }
            if (c.any == NULL || rather(*e, *c.any, now)) {
                c.any = e;
            }
            if (heap_serves(shard_offset(*e), size)
                && (c.fitting == NULL || rather(*e, *c.fitting, now)))
            {
                c.fitting = e;
            }
        }
    }

    return c;
}

/* The entry that refers to a slot, if it holds a record. */
static shard_entry *
entry_of(const struct zone *zone, const struct shard *shard, uint32_t ref)
{
    const struct record *record = heap_at(shard, ref);
    shard_entry *e;
    int which, way;

    for (which = 0; which < 2; which++) {
        e = index_bucket(zone, shard, record->key, which);

        for (way = 0; way < SHARD_WAYS; way++, e++) {
            if (*e != 0 && shard_offset(*e) == ref) {
                return e;
            }
        }
    }

    return NULL;
}

/* Whether every slot that reaches into the pages holds a record other than
 * `keep`: a chunk, or a slot that nobody refers to yet, does not tell whose
 * it is. */
static bool
can_clear(const struct zone *zone, const struct shard *shard, uint32_t page,
          uint32_t n, const shard_entry *keep)
{
    const shard_entry *e;
    struct heap_slots slots;
    uint32_t ref;

    for (slots = heap_slots(shard, page, n);
         (ref = heap_slots_next(shard, &slots)) != 0; /* void */)
    {
        e = entry_of(zone, shard, ref);
        if (e == NULL || e == keep) {
            return false;
        }
    }

    return true;
}

/* Makes the run of pages that begins with the victim's one free. */
static bool
clear_pages(struct zone *zone, struct shard *shard, uint32_t size,
            const shard_entry *victim, const shard_entry *keep, uint32_t now)
{
    uint32_t n = (size + ZONE_PAGE - 1) / ZONE_PAGE, ref;
    uint32_t page = heap_page(shard_offset(*victim));
    struct heap_slots slots;

    if (n > shard->n_pages - shard->first_page) {
        return false;
    }
    if (page > shard->n_pages - n) {
        page = shard->n_pages - n;
    }
    if (!can_clear(zone, shard, page, n, keep)) {
        return false;
    }

    for (slots = heap_slots(shard, page, n);
         (ref = heap_slots_next(shard, &slots)) != 0; /* void */)
    {
        evict(zone, shard, entry_of(zone, shard, ref), now);
    }

    return true;
}

static bool
is_newcomer(shard_entry entry)
{
    return (entry >> 32 & INDEX_ESTABLISHED) == 0;
}

uint32_t
shard_alloc(struct zone *zone, struct shard *shard, uint32_t size,
            const shard_entry *keep)
{
    uint32_t offset = heap_alloc(shard, size), now;
    struct candidates c;
    int tries;

    size = heap_class_size(size);
    if (offset != 0 || zone->grow || size == 0) {
        return offset;
    }

    now = index_stamp(zone, zone_now(zone));

    for (tries = 0; offset == 0 && tries < ALLOC_TRIES; tries++) {
        c = look_around(zone, shard, size, keep, now);
        offset = heap_alloc(shard, size);
        if (offset != 0 || c.any == NULL) {
            break;
        }

        if (c.fitting != NULL
            && (is_newcomer(*c.fitting) || !is_newcomer(*c.any)
                || !clear_pages(zone, shard, size, c.any, keep, now)))
        {
            evict(zone, shard, c.fitting, now);
        } else if (c.fitting == NULL) {
            clear_pages(zone, shard, size, c.any, keep, now);
        }
        offset = heap_alloc(shard, size);
    }

    return offset;
}

/* --- the quiet ------------------------------------------------------------ */

unsigned
shard_sweep(struct zone *zone, struct shard *shard, unsigned buckets,
            int64_t now_ms)
{
    uint32_t now = index_stamp(zone, now_ms);
    unsigned dropped = 0, way;
    shard_entry *e;

    for (/* void */; buckets > 0; buckets--) {
        for (e = next_bucket(shard), way = 0; way < SHARD_WAYS; way++, e++) {
            if (*e != 0 && is_quiet(zone, *e, now)) {
                evict(zone, shard, e, now);
                dropped++;
            }
        }
    }

    return dropped;
}
