/* SPDX-License-Identifier: Apache-2.0
 *
 * A shard against a plain table of what was put in: what is found, who is
 * evicted when it is full, what is quiet, and what is mended.
 */
#include <time.h>

#include "../../libagent/state/index.h"
#include "stream_case.h"

enum { KEYS = 200000 };

struct known {
    uint64_t key[2];
    uint32_t size;                 /* 0: not put in */
    unsigned char fill;
};

static struct known known[KEYS];
static struct zone zone;
static struct shard *shard;
static uint64_t rng = 9;
static int dataset;

static const int64_t start_ms = 1772000000000;

static uint64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}

static void
fresh(int64_t horizon_ms)
{
    struct zone_params params = case_params(3 << 20, 1);
    int i;

    if (zone.header != NULL) {
        zone_close(&zone);
        unlink(case_path("zone"));
    }
    params.lane_size = 128 << 10;
    params.horizon_ms = horizon_ms;
    if (!case_zone(&zone, case_path("zone"), &params)) {
        exit(2);
    }
    dataset = zone_dataset(&zone, 1);
    shard = zone_shard(&zone, 0);
    memset(case_counters, 0, sizeof(case_counters));

    for (i = 0; i < KEYS; i++) {
        known[i].key[0] = case_random(&rng);
        known[i].key[1] = case_random(&rng) & 0xffffffff;     /* shard 0 */
        known[i].size = 0;
    }
}

/* A record of the key in `size` bytes. */
static bool
put(int i, uint32_t size, int64_t time_ms)
{
    struct known *k = &known[i];
    struct record *record;
    shard_entry *entry;
    uint32_t ref, old = 0;

    zone_watermark_raise(&zone, dataset, time_ms);
    shard_lock(&zone, shard, 1000);
    record = shard_find(&zone, shard, k->key, &entry);
    if (record != NULL) {
        old = shard_offset(*entry);
    } else {
        entry = shard_place(&zone, shard, k->key);
    }
    ref = entry == NULL ? 0
          : shard_alloc(&zone, shard, sizeof(*record) + size, entry);
    if (ref == 0) {
        shard_unlock(shard);
        return false;
    }

    k->size = size;
    k->fill = (unsigned char) case_random(&rng);
    record = heap_at(shard, ref);
    *record = (struct record) { .key = { k->key[0], k->key[1] } };
    memset(record + 1, k->fill, size);
    shard_publish(&zone, shard, entry, k->key, ref, time_ms);
    if (old != 0) {
        shard_release(&zone, shard, old, true);
    }
    shard_unlock(shard);

    return true;
}

/* 1: there, as it was put in; 0: not there; -1: something else. */
static int
have(int i)
{
    const struct known *k = &known[i];
    const unsigned char *bytes;
    struct record *record;
    shard_entry *entry;
    uint32_t j;

    record = shard_find(&zone, shard, k->key, &entry);
    if (record == NULL) {
        return 0;
    }
    bytes = (const unsigned char *) (record + 1);
    for (j = 0; j < k->size; j++) {
        if (bytes[j] != k->fill) {
            return -1;
        }
    }

    return k->size == 0 ? -1 : 1;
}

static uint32_t
any_size(void)
{
    return case_below(&rng, 30) == 0
           ? (uint32_t) case_below(&rng, HEAP_MAX_SLOT - 64)
           : (uint32_t) case_below(&rng, 200);
}

static void
test_table(void)
{
    long wrong = 0, lost = 0, failed = 0;
    uint64_t evicted;
    shard_entry *entry;
    int i, j;

    fresh(7 * 86400000ll);
    for (i = 0; i < 400000; i++) {
        j = (int) case_below(&rng, i < 200000 ? 5000 : KEYS);
        if (case_below(&rng, 8) == 0) {
            if (shard_find(&zone, shard, known[j].key, &entry) != NULL) {
                shard_erase(&zone, shard, entry);
            }
            known[j].size = 0;
        } else {
            failed += !put(j, any_size() + 1, start_ms + i);
        }
        wrong += have(j) != (known[j].size != 0);
        if (i % 20000 == 0) {
            wrong += !case_sound(shard);
        }
    }
    is_int(failed, 0, "room is found for every record");
    is_int(wrong, 0, "which then is there");

    evicted = case_counters[INTENT_C_EVICTED_FULL];
    for (i = 0; i < KEYS; i++) {
        wrong += have(i) < 0;
        lost += known[i].size != 0 && have(i) == 0;
    }
    is_int(wrong, 0, "no other is changed");
    ok(evicted > 0 && (uint64_t) lost <= evicted,
       "%ld are gone for want of room, %llu evictions were counted", lost,
       (unsigned long long) evicted);
    ok(case_sound(shard), "the shard is sound");
}

/* The record that is being replaced is no victim, however old it is. */
static void
test_keep(void)
{
    uint32_t size = 100;
    long gone = 0, failed = 0;
    int i;

    fresh(7 * 86400000ll);
    put(0, size, start_ms - 100000);
    for (i = 1; i < 60000; i++) {
        failed += !put(i, any_size() + 1, start_ms);
        if (i % 3000 == 0) {
            /* Its time stays what it was: the oldest of all. */
            gone += have(0) != 1;
            size = size * 3 / 2;
            failed += !put(0, size < 30000 ? size : 30000,
                           start_ms - 100000);
        }
    }
    is_int(failed, 0, "a growing record finds room");
    ok(gone < 20, "having been evicted %ld of 19 times", gone);
    ok(case_sound(shard), "the shard is sound");
}

/* --- who goes ------------------------------------------------------------- */

static void
test_flood(void)
{
    long left = 0, records;
    int i, old;

    fresh(7 * 86400000ll);
    old = (int) (shard->n_buckets * SHARD_WAYS * 6 / 10);
    for (i = 0; i < old; i++) {
        put(i, 30, start_ms);
        put(i, 30, start_ms + 1);
    }
    for (i = old; i < KEYS; i++) {
        put(i, 30, start_ms + 60000 + i);
    }
    for (i = 0; i < old; i++) {
        left += have(i) == 1;
    }
    records = (long) shard->records;
    ok(left > old * 95l / 100, "of %d established %ld outlast %d newcomers",
       old, left, KEYS - old);
    ok(records > (long) shard->n_buckets * SHARD_WAYS * 9 / 10,
       "the table is full: %ld", records);
    ok(case_sound(shard), "the shard is sound");

    /* Likewise where it is the heap that is full. */
    fresh(7 * 86400000ll);
    old = 2500;
    for (i = 0; i < old; i++) {
        put(i, 200, start_ms);
        put(i, 200, start_ms + 1);
    }
    for (i = old; i < KEYS; i++) {
        put(i, 100, start_ms + 60000 + i);
    }
    for (i = 0, left = 0; i < old; i++) {
        left += have(i) == 1;
    }
    ok(left > old * 98l / 100, "by their slots too: %ld of %d", left, old);
    ok(case_sound(shard), "the shard is sound");
}

/* Of those alike the ones that were active longest ago go first. */
static void
test_oldest(void)
{
    long early = 0, late = 0;
    int i, n;

    fresh(7 * 86400000ll);
    n = (int) (shard->n_buckets * SHARD_WAYS);
    for (i = 0; i < n * 9 / 10; i++) {
        put(i, 30, start_ms + i * 20000ll);
    }
    for (/* void */; i < n * 14 / 10; i++) {
        put(i, 30, start_ms + i * 20000ll);
    }
    for (i = 0; i < n / 5; i++) {
        early += have(i) == 1;
        late += have(n + i) == 1;
    }
    ok(late == n / 5 && early * 2 < n / 5, "%ld of the first %d are left, %ld "
       "of the last", early, n / 5, late);
}

/* In a full shard nobody's update is refused, whatever its size, and few have
 * to go for it. */
static void
test_grow_in_full(void)
{
    uint64_t evicted;
    uint32_t size;
    long failed = 0;
    int i;

    fresh(7 * 86400000ll);
    for (i = 0; i < 60000; i++) {
        put(i % 20000, (uint32_t) case_below(&rng, 250) + 1, start_ms + i);
    }
    evicted = case_counters[INTENT_C_EVICTED_FULL];
    for (size = 20, i = 0; size < HEAP_MAX_SLOT - 64; size += size / 8, i++) {
        failed += !put(KEYS - 1, size, start_ms + 70000 + i);
    }
    evicted = case_counters[INTENT_C_EVICTED_FULL] - evicted;
    is_int(failed, 0, "one that grows from 20 bytes to 32 KiB finds room");
    ok(evicted < 3000, "%llu others had to go in %d steps",
       (unsigned long long) evicted, i);
    ok(case_sound(shard), "the shard is sound");
}

/* --- the quiet ------------------------------------------------------------ */

static void
sweep_all(int64_t now_ms)
{
    shard_lock(&zone, shard, 1000);
    shard_sweep(&zone, shard, shard->n_buckets, now_ms);
    shard_unlock(shard);
}

static void
test_quiet(void)
{
    static const int64_t horizons[] = {
        3600000, 7 * 86400000ll + 3600000, 61 * 86400000ll, 732 * 86400000ll
    };
    int64_t t, horizon, unit;
    long early = 0, late = 0;
    int h, i, round;

    for (h = 0; h < 4; h++) {
        horizon = horizons[h];
        fresh(horizon);
        unit = zone.layout.stamp_ms;
        for (round = 0; round < 60; round++) {
            t = round == 0 ? -horizon / 2
                : (int64_t) case_below(&rng, 4102444800000) - 1000000000000;
            zone.header->datasets[dataset].watermark_ms = INT64_MIN;
            for (i = 0; i < 50; i++) {
                put(i, 30, t + i);
            }
            sweep_all(t + horizon);
            for (i = 0; i < 50; i++) {
                early += have(i) != 1;
            }
            sweep_all(t + horizon + 4 * unit);
            for (i = 0; i < 50; i++) {
                late += have(i) != 0;
                known[i].size = 0;
            }
        }
    }
    is_int(early, 0, "nobody is dropped who can still be read");
    is_int(late, 0, "everybody else is, before 1970 too");
    ok(case_sound(shard), "the shard is sound");
    is_int(shard->records, 0, "and empty");

    fresh(3600000);
    for (i = 0; i < 3500; i++) {
        put(i, 200, start_ms);
    }
    for (i = 10000; i < 13400; i++) {
        put(i, 200, start_ms + 4 * 3600000);
    }
    ok(case_counters[INTENT_C_EVICTED_QUIET] > 0
       && case_counters[INTENT_C_EVICTED_FULL] == 0,
       "in a full shard the quiet go first: %llu, and nobody else",
       (unsigned long long) case_counters[INTENT_C_EVICTED_QUIET]);
}

/* A dataset that lags behind does not make the others' records look old, and
 * private zones evict nobody. */
static void
test_two_datasets(void)
{
    struct zone_params params = case_params(4 << 20, 0);
    const int64_t month = 30 * 86400000ll;
    uint64_t key[2];
    long gone = 0;
    int i, week;
    struct zone private;

    fresh(7 * 86400000ll);
    zone_watermark_raise(&zone, zone_dataset(&zone, 2), start_ms + month);
    for (i = 0; i < 7000; i++) {
        put(i, 30, start_ms + month);
        put(i, 30, start_ms + month + 1);
    }
    for (week = 0; week < 12; week++) {
        for (i = 0; i < 3000; i++) {
            put(10000 + i + week * 3000, 30, start_ms + week * (month / 12));
        }
    }
    for (i = 0; i < 7000; i++) {
        gone += have(i) != 1;
    }
    ok(gone < 7000 * 5 / 100, "the established of a dataset that is ahead of "
       "another stay: %ld are gone", gone);

    case_zone(&private, NULL, &params);
    for (i = 0; i < 100000; i++) {
        key[0] = case_random(&rng);
        key[1] = case_random(&rng);
        if (shard_place(&private, shard_of(&private, key), key) == NULL
            || shard_alloc(&private, shard_of(&private, key), 3000, NULL)
               == 0)
        {
            break;
        }
    }
    ok(i > 100 && i < 100000, "a private zone is full after %d and says so",
       i);
    zone_close(&private);
}

/* --- mending -------------------------------------------------------------- */

static void
test_repair(void)
{
    uint64_t i, n = (uint64_t) shard->n_buckets * SHARD_WAYS;
    shard_entry *entries, *entry;
    long wrong = 0, missing = 0;
    struct record *record;
    struct chunk *chunk;
    uint32_t ref, ring[3];
    int j;

    fresh(7 * 86400000ll);
    for (j = 0; j < 5000; j++) {
        put(j, any_size() + 1, start_ms);
    }
    for (j = 0; j < 300; j++) {
        heap_alloc(shard, any_size() + 1);
    }
    shard->records += 17;
    ok(!case_sound(shard), "slots that nobody refers to");
    shard_repair(&zone, shard);
    ok(case_sound(shard), "are free again");
    for (j = 0; j < 5000; j++) {
        wrong += have(j) < 0;
        missing += have(j) == 0;
    }
    is_int(wrong, 0, "no record is changed");
    ok(missing <= (long) case_counters[INTENT_C_EVICTED_FULL],
       "or lost");

    /* Two entries for one slot, entries for nothing. */
    entries = index_of(shard);
    for (i = 0; i < n; i += 3) {
        if (entries[i] == 0) {
            entries[i] = case_random(&rng);
        }
    }
    shard_repair(&zone, shard);
    ok(case_sound(shard), "entries for nothing are gone");

    /* A chain that runs in a circle, and one into another record's slot. */
    fresh(7 * 86400000ll);
    put(0, HEAP_MAX_SLOT - 64, start_ms);
    put(1, 100, start_ms);
    for (j = 0; j < 3; j++) {
        ring[j] = heap_alloc(shard, 5000);
    }
    for (j = 0; j < 3; j++) {
        chunk = heap_at(shard, ring[j]);
        chunk->next = ring[(j + 1) % 3];
    }
    record = shard_find(&zone, shard, known[0].key, &entry);
    record->next = ring[0];
    shard_repair(&zone, shard);
    ok(case_sound(shard), "a circle of chunks is opened");
    is_int(case_check(shard)->chunks, 3, "and its chunks are kept");

    chunk = heap_at(shard, ring[2]);
    chunk->next = ring[0];
    shard_erase(&zone, shard, entry);
    ok(case_sound(shard) && have(1) == 1, "one is freed with its record");

    put(0, HEAP_MAX_SLOT - 64, start_ms);
    record = shard_find(&zone, shard, known[0].key, &entry);
    shard_find(&zone, shard, known[1].key, &entry);
    record->next = ref = shard_offset(*entry);
    shard_repair(&zone, shard);
    ok(case_check(shard)->shared == 0, "two do not share a slot for long");

    shard->n_buckets = 0;
    shard->n_pages = UINT32_MAX;
    shard->first_page = 0;
    ok(shard_lock(&zone, shard, 0) && shard_sound(shard,
                                                  zone.layout.shard_size),
       "a layout that was overwritten is put right");
    shard_unlock(shard);
    ok(case_sound(shard), "with its heap");
}

/* What the next owner of a lock pays for a dead one. */
static void
test_repair_time(void)
{
    struct zone_params params = case_params(80 << 20, 1);
    uint64_t took, most = 0, least = UINT64_MAX, i, key[2];
    struct zone large;
    struct shard *s;
    shard_entry *e;
    uint32_t ref;

    if (!case_zone(&large, case_path("large"), &params)) {
        exit(2);
    }
    s = zone_shard(&large, 0);
    for (i = 0; i < 400000; i++) {
        key[0] = case_random(&rng);
        key[1] = case_random(&rng) & 0xffffffff;
        e = shard_place(&large, s, key);
        ref = shard_alloc(&large, s, 64, e);
        memcpy(heap_at(s, ref), key, sizeof(key));
        shard_publish(&large, s, e, key, ref, start_ms);
    }
    for (i = 0; i < 20; i++) {
        took = now_ns();
        shard_repair(&large, s);
        took = now_ns() - took;
        most = took > most ? took : most;
        least = took < least ? took : least;
    }
    printf("# repair of a shard of %llu KiB with %llu records: %llu us, at "
           "most %llu us\n",
           (unsigned long long) large.layout.shard_size >> 10,
           (unsigned long long) s->records,
           (unsigned long long) least / 1000,
           (unsigned long long) most / 1000);
    is_int(large.layout.shard_size, SHARD_MAX_SIZE, "the largest shard");
    ok(least < 20000000, "is repaired");
    zone_close(&large);
}

int
main(void)
{
    test_table();
    test_keep();
    test_flood();
    test_oldest();
    test_grow_in_full();
    test_quiet();
    test_two_datasets();
    test_repair();
    test_repair_time();
    zone_close(&zone);
    case_folder_remove();

    return done_testing();
}
