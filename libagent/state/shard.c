/* SPDX-License-Identifier: Apache-2.0 */
#include "shard.h"

#include "../base/atomic.h"
#include "../base/crash.h"
#include "index.h"
#include "lock.h"

enum { MAX_CHAIN = SHARD_MAX_PAGES };        /* chunks of a record */

static uint32_t
first_page_in(uint64_t shard_size)
{
    uint64_t index_size = (uint64_t) index_buckets(shard_size) * SHARD_WAYS
                          * sizeof(shard_entry);

    return (uint32_t) ((sizeof(struct shard) + index_size + ZONE_PAGE - 1)
                       / ZONE_PAGE);
}

void
shard_init(struct shard *shard, uint64_t shard_size)
{
    shard->n_buckets = index_buckets(shard_size);
    heap_init(shard, shard_size, first_page_in(shard_size));
}

bool
shard_sound(const struct shard *shard, uint64_t shard_size)
{
    return shard->n_pages == shard_size / ZONE_PAGE
           && shard->n_pages <= SHARD_MAX_PAGES
           && shard->n_buckets == index_buckets(shard_size)
           && shard->first_page == first_page_in(shard_size);
}

struct shard *
shard_of(const struct zone *zone, const uint64_t key[static 2])
{
    return zone_shard(zone, index_scale((uint32_t) (key[1] >> 32),
                                        zone->layout.n_shards));
}

void
shard_prefetch(const struct zone *zone, const uint64_t key[static 2])
{
    const struct shard *shard = shard_of(zone, key);

    __builtin_prefetch(&shard->lock, 1);
    __builtin_prefetch(index_bucket(zone, shard, key, 0), 1);
}

static uint16_t
fingerprint(const uint64_t key[static 2])
{
    return (uint16_t) key[1];
}

static uint16_t
entry_fingerprint(shard_entry entry)
{
    return (uint16_t) (entry >> 48);
}

uint32_t
shard_offset(shard_entry entry)
{
    return (uint32_t) entry;
}

bool
shard_lock(struct zone *zone, struct shard *shard, unsigned wait_us)
{
    enum lock_result taken = lock_take(&shard->lock, zone->self, wait_us);
    uint64_t size = zone->layout.shard_size;

    if (taken == LOCK_BUSY) {
        zone->counters[INTENT_C_LOCKS_BUSY]++;
        return false;
    }

    if (taken == LOCK_RECOVERED) {
        zone->counters[INTENT_C_LOCKS_RECOVERED]++;
    }
    if (!shard_sound(shard, size)) {
        shard_init(shard, size);
        zone->counters[INTENT_C_RECORDS_DAMAGED]++;
        taken = LOCK_RECOVERED;
    }
    if (taken == LOCK_RECOVERED) {
        shard_repair(zone, shard);
    }

    return true;
}

void
shard_unlock(struct shard *shard)
{
    lock_drop(&shard->lock);
}

/* Empties an entry that refers to nothing. */
static void
drop_damaged(struct zone *zone, struct shard *shard, shard_entry *entry)
{
    atomic_store(entry, 0);
    if (shard->records != 0) {
        shard->records--;
    }
    zone->counters[INTENT_C_RECORDS_DAMAGED]++;
}

struct record *
shard_find(struct zone *zone, struct shard *shard,
           const uint64_t key[static 2], shard_entry **entry)
{
    uint16_t print = fingerprint(key);
    struct record *record;
    shard_entry *e;
    int which, way;

    for (which = 0; which < 2; which++) {
        e = index_bucket(zone, shard, key, which);

        for (way = 0; way < SHARD_WAYS; way++, e++) {
            if (*e == 0 || entry_fingerprint(*e) != print) {
                continue;
            }

            if (heap_slot_size(shard, shard_offset(*e)) < sizeof(*record)) {
                drop_damaged(zone, shard, e);
                continue;
            }

            record = heap_at(shard, shard_offset(*e));
            if (record->key[0] == key[0] && record->key[1] == key[1]) {
                *entry = e;
                return record;
            }
        }
    }

    return NULL;
}

void
shard_prefetch_record(const struct zone *zone, const uint64_t key[static 2])
{
    const struct shard *shard = shard_of(zone, key);
    const shard_entry *e = index_bucket(zone, shard, key, 0);
    shard_entry entry;
    int way;

    for (way = 0; way < SHARD_WAYS; way++) {
        entry = atomic_load(&e[way]);
        if (entry != 0 && entry_fingerprint(entry) == fingerprint(key)
            && heap_slot_size(shard, shard_offset(entry)) != 0)
        {
            __builtin_prefetch(heap_at(shard, shard_offset(entry)), 1);
            __builtin_prefetch((char *) heap_at(shard, shard_offset(entry))
                               + 64, 1);
        }
    }
}

struct chunk *
shard_chunk(const struct shard *shard, uint32_t next, uint32_t *size)
{
    *size = heap_allocated(shard, next) ? heap_slot_size(shard, next) : 0;

    return *size < sizeof(struct chunk) ? NULL : heap_at(shard, next);
}

void
shard_release(struct zone *zone, struct shard *shard, uint32_t offset,
              bool chunks)
{
    uint32_t next = 0, size;
    const struct record *record;
    const struct chunk *chunk;
    int i;

    (void) zone;

    if (chunks && heap_slot_size(shard, offset) == HEAP_MAX_SLOT) {
        record = heap_at(shard, offset);
        next = record->next;
    }
    heap_free(shard, offset);

    for (i = 0; i < MAX_CHAIN; i++) {
        chunk = shard_chunk(shard, next, &size);
        if (chunk == NULL) {
            break;
        }
        offset = next;
        next = chunk->next;
        heap_free(shard, offset);
    }
}

void
shard_erase(struct zone *zone, struct shard *shard, shard_entry *entry)
{
    uint32_t offset = shard_offset(*entry);

    /* Unreachable first: a death in between only leaks until the repair. */
    atomic_store(entry, 0);
    atomic_order();
    CRASH_POINT("shard-unlinked");
    shard_release(zone, shard, offset, true);
    if (shard->records != 0) {
        shard->records--;
    }
}

shard_entry *
shard_vacant(const struct zone *zone, const struct shard *shard,
             const uint64_t key[static 2])
{
    shard_entry *e;
    int which, way;

    for (which = 0; which < 2; which++) {
        e = index_bucket(zone, shard, key, which);

        for (way = 0; way < SHARD_WAYS; way++, e++) {
            if (*e == 0) {
                return e;
            }
        }
    }

    return NULL;
}

static uint64_t
stamped(const struct zone *zone, shard_entry old, int64_t time_ms)
{
    uint32_t new = index_stamp(zone, time_ms);

    if (old == 0) {
        return new;
    }
    if (index_age(old, new) == 0) {
        new = (uint32_t) (old >> 32) & INDEX_STAMP_MASK;
    }

    return new | INDEX_ESTABLISHED;
}

void
shard_publish(struct zone *zone, struct shard *shard, shard_entry *entry,
              const uint64_t key[static 2], uint32_t offset, int64_t time_ms)
{
    if (*entry == 0) {
        shard->records++;
    }

    CRASH_POINT("shard-before-publish");
    atomic_order();
    atomic_store(entry, (uint64_t) fingerprint(key) << 48
                        | stamped(zone, *entry, time_ms) << 32 | offset);
    atomic_order();
    CRASH_POINT("shard-after-publish");
}

void
shard_touch(struct zone *zone, shard_entry *entry, int64_t time_ms)
{
    uint64_t stamp = stamped(zone, *entry, time_ms);
    shard_entry new = (*entry & 0xffff0000ffffffffull) | stamp << 32;

    /* Written only where it changes: the line stays shared otherwise. */
    if (new != *entry) {
        atomic_store(entry, new);
    }
}

int
shard_each(struct zone *zone, struct shard *shard,
           int (*visit)(void *arg, struct shard *shard, shard_entry *entry,
                        struct record *record),
           void *arg)
{
    uint64_t i, n = (uint64_t) shard->n_buckets * SHARD_WAYS;
    shard_entry *e = index_of(shard);
    int rc = 0;

    for (i = 0; i < n && rc == 0; i++, e++) {
        if (*e == 0) {
            continue;
        }
        if (heap_slot_size(shard, shard_offset(*e)) < sizeof(struct record)) {
            drop_damaged(zone, shard, e);
            continue;
        }
        rc = visit(arg, shard, e, heap_at(shard, shard_offset(*e)));
    }

    return rc;
}

/* Marks a record and its chunks; false when the record itself is nothing.
 * Only the largest slots have chunks, so most records need not be touched. A
 * chain that goes wrong is cut where it does. */
static bool
mark_record(struct shard *shard, shard_entry entry)
{
    uint32_t offset = shard_offset(entry), *next, size;
    struct record *record;
    struct chunk *chunk;

    if (!heap_mark(shard, offset)) {
        return false;
    }
    if (heap_slot_size(shard, offset) < HEAP_MAX_SLOT) {
        return true;
    }

    record = heap_at(shard, offset);
    for (next = &record->next; *next != 0; next = &chunk->next) {
        if (!heap_mark(shard, *next)) {
            *next = 0;
            break;
        }
        chunk = shard_chunk(shard, *next, &size);
    }

    return true;
}

void
shard_repair(struct zone *zone, struct shard *shard)
{
    uint64_t i, n = (uint64_t) shard->n_buckets * SHARD_WAYS;
    shard_entry *e = index_of(shard);

    heap_mark_begin(shard);
    CRASH_POINT("repair-begun");
    shard->records = 0;

    for (i = 0; i < n; i++, e++) {
        if (*e == 0) {
            continue;
        }
        shard->records++;
        if (!mark_record(shard, *e)) {
            drop_damaged(zone, shard, e);
        }
    }

    CRASH_POINT("repair-marked");
    heap_mark_end(shard);
    CRASH_POINT("repair-done");
}
