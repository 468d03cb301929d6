/* SPDX-License-Identifier: Apache-2.0
 *
 * A shard's heap against a plain map of its bytes: slots never overlap, what
 * is freed comes back whole, marking anew finds the same, and no reference,
 * whatever its bits, leads outside.
 */
#include "zone_case.h"

enum { SLOTS = 4096 };

struct slot {
    uint32_t ref, size;
    unsigned char fill;
};

static struct zone zone;
static struct shard *shard;
static struct slot slots[SLOTS];
static int n_slots;
static uint64_t rng = 5;

static unsigned char *
bytes_of(uint32_t ref)
{
    return heap_at(shard, ref);
}

static bool
holds(const struct slot *s)
{
    const unsigned char *p = bytes_of(s->ref);
    uint32_t i;

    for (i = 0; i < s->size; i++) {
        if (p[i] != s->fill) {
            return false;
        }
    }

    return true;
}

static bool
inside(const struct slot *s)
{
    const unsigned char *heap = (const unsigned char *) shard
                                + (uint64_t) shard->first_page * ZONE_PAGE;
    const unsigned char *end = (const unsigned char *) shard
                               + (uint64_t) shard->n_pages * ZONE_PAGE;
    const unsigned char *p = bytes_of(s->ref);

    return p >= heap && p + s->size <= end && (p - heap) % HEAP_UNIT == 0;
}

static bool
alloc(uint32_t size)
{
    struct slot s = { .ref = heap_alloc(shard, size) };

    if (s.ref == 0) {
        return false;
    }
    s.size = heap_slot_size(shard, s.ref);
    s.fill = (unsigned char) case_random(&rng);
    memset(bytes_of(s.ref), s.fill, s.size);
    slots[n_slots++] = s;

    return true;
}

static void
release(int i)
{
    heap_free(shard, slots[i].ref);
    slots[i] = slots[--n_slots];
}

static void
remark(void)
{
    int i;

    heap_mark_begin(shard);
    for (i = 0; i < n_slots; i++) {
        if (!heap_mark(shard, slots[i].ref)) {
            printf("# slot %d of %d not marked\n", i, n_slots);
        }
    }
    heap_mark_end(shard);
}

/* Free slots and pages as the shard says and as its pages say. */
static bool
counts_right(void)
{
    struct shard before;
    bool same;

    memcpy(&before, shard, sizeof(before));
    remark();
    same = before.free_pages == shard->free_pages
           && memcmp(before.free_slots, shard->free_slots,
                     sizeof(before.free_slots)) == 0
           && memcmp(before.pages, shard->pages, sizeof(before.pages)) == 0;
    memcpy(shard->hint, before.hint, sizeof(before.hint));

    return same;
}

static void
test_classes(void)
{
    uint32_t size, class, last = 0, wrong = 0, waste = 0;

    for (size = 1; size <= HEAP_MAX_SLOT; size++) {
        class = heap_class_size(size);
        wrong += class < size || class < last || class % HEAP_UNIT != 0;
        waste += size > 64 && size <= 2048 && class > size * 2;
        last = class;
    }
    is_int(wrong, 0, "a slot is as large as asked, or more");
    is_int(waste, 0, "but not twice as large");
    is_int(heap_class_size(HEAP_MAX_SLOT + 1), 0, "or there is none");
    is_int(heap_alloc(shard, HEAP_MAX_SLOT + 1), 0, "so none is given");
    is_int(heap_alloc(shard, UINT32_MAX), 0, "however large");
}

static uint32_t
random_size(void)
{
    return (uint32_t) (case_below(&rng, 12) == 0
                       ? case_below(&rng, HEAP_MAX_SLOT)
                       : case_below(&rng, 1u << (5 + case_below(&rng, 7))))
           + 1;
}

static void
test_random(void)
{
    long wrong = 0, full = 0;
    int i, j;

    for (i = 0; i < 300000; i++) {
        /* Now it fills, now it empties. */
        if (case_below(&rng, 10) < (i / 20000 % 2 == 0 ? 6 : 4)) {
            if (n_slots < SLOTS && !alloc(random_size())) {
                full++;
            } else if (n_slots > 0) {
                wrong += !inside(&slots[n_slots - 1]);
            }
        } else if (n_slots > 0) {
            j = (int) case_below(&rng, (uint64_t) n_slots);
            wrong += !holds(&slots[j]);
            wrong += !heap_allocated(shard, slots[j].ref);
            release(j);
        }
        if (i % 997 == 0) {
            wrong += !counts_right();
        }
    }
    is_int(wrong, 0, "300,000 steps: no slot overlaps another");
    ok(full > 0, "the heap was full %ld times", full);

    for (i = 0; i < n_slots; i++) {
        wrong += !holds(&slots[i]);
    }
    while (n_slots > 0) {
        release(n_slots - 1);
    }
    is_int(wrong, 0, "what was left is whole");
    is_int(shard->free_pages, shard->n_pages - shard->first_page,
           "empty again, all pages are free");
    ok(counts_right(), "and counted");
}

/* Filled to the end with one size, every byte that can be used is. */
static void
test_full(void)
{
    static const uint32_t sizes[] = { 64, 100, 672, 2048, 4096, 20000, 32768 };
    uint64_t heap = (uint64_t) (shard->n_pages - shard->first_page)
                    * ZONE_PAGE, used;
    size_t i;
    int n, wrong;

    for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        wrong = 0;
        for (n = 0, used = 0; n < 100000; n++) {
            uint32_t ref = heap_alloc(shard, sizes[i]);

            if (ref == 0) {
                break;
            }
            used += heap_slot_size(shard, ref);
        }
        wrong += used < heap - heap / 50
                        - 2ull * heap_class_size(sizes[i]);
        heap_mark_begin(shard);
        heap_mark_end(shard);
        wrong += shard->free_pages != shard->n_pages - shard->first_page;
        is_int(wrong, 0, "%u bytes: %llu of %llu used, and freed by a "
               "marking without any", sizes[i], (unsigned long long) used,
               (unsigned long long) heap);
    }
}

/* --- death and damage ----------------------------------------------------- */

/* Whatever the pages' entries say, marking makes them what is referred to. */
static void
test_marking(void)
{
    long wrong = 0;
    uint32_t page;
    int round, i;

    for (round = 0; round < 200; round++) {
        for (i = 0; i < 300 && n_slots < SLOTS; i++) {
            alloc(random_size());
        }
        for (i = 0; i < 100; i++) {
            release((int) case_below(&rng, (uint64_t) n_slots));
        }
        /* Slots taken and lost, pages half given away. */
        for (i = 0; i < 20; i++) {
            heap_alloc(shard, random_size());
            page = shard->first_page
                   + (uint32_t) case_below(&rng, shard->n_pages
                                                 - shard->first_page);
            if (shard->pages[page].class == 0) {
                shard->pages[page].class = (uint8_t) case_random(&rng);
                shard->pages[page].used = 0;
            }
        }
        remark();
        wrong += !counts_right();
        for (i = 0; i < n_slots; i++) {
            wrong += !heap_allocated(shard, slots[i].ref)
                     || !holds(&slots[i]);
        }
        while (n_slots > 200) {
            release(n_slots - 1);
        }
    }
    is_int(wrong, 0, "marking finds what is referred to and frees the rest");
    while (n_slots > 0) {
        release(n_slots - 1);
    }
    is_int(shard->free_pages, shard->n_pages - shard->first_page,
           "nothing is lost");
}

static void
test_references(void)
{
    const char *begin = (const char *) shard, *end, *at;
    uint64_t tries, hits = 0, outside = 0, freed = 0;
    uint32_t ref, size;
    uint64_t pages;

    end = begin + (uint64_t) shard->n_pages * ZONE_PAGE;
    for (tries = 0; tries < 2000000; tries++) {
        ref = (uint32_t) case_random(&rng);
        if (tries % 4 != 0) {
            ref &= 31u << HEAP_CLASS_SHIFT | 0x1ffff;
        }
        size = heap_slot_size(shard, ref);
        if (size != 0) {
            at = heap_at(shard, ref);
            outside += at < begin + sizeof(*shard) || at + size > end;
            hits++;
        }
        pages = shard->free_pages;
        heap_free(shard, ref);
        freed += pages != shard->free_pages;
    }
    ok(hits > 1000, "%llu of %llu random references could be slots",
       (unsigned long long) hits, (unsigned long long) tries);
    is_int(outside, 0, "none of them lies outside");
    is_int(freed, 0, "nothing is freed that was not taken");
}

/* The page table in any state at all. */
static void
test_garbage(void)
{
    uint32_t page, ref, size;
    long outside = 0;
    const char *end;
    int i, j;

    end = (const char *) shard + (uint64_t) shard->n_pages * ZONE_PAGE;
    for (i = 0; i < 3000; i++) {
        for (j = 0; j < 64; j++) {
            page = (uint32_t) case_below(&rng, SHARD_MAX_PAGES);
            shard->pages[page].used = case_random(&rng);
            shard->pages[page].class = (uint8_t) case_below(&rng, 26);
            shard->hint[case_below(&rng, SHARD_CLASSES)]
                = (uint32_t) case_below(&rng, 1500);
            shard->free_slots[case_below(&rng, SHARD_CLASSES)]
                = (uint32_t) case_random(&rng);
            shard->free_hint = (uint32_t) case_random(&rng);
            shard->free_pages = case_random(&rng) >> case_below(&rng, 64);
        }
        for (j = 0; j < 64; j++) {
            ref = heap_alloc(shard, random_size());
            size = heap_slot_size(shard, ref);
            outside += ref != 0
                       && (size == 0
                           || (const char *) heap_at(shard, ref) + size > end);
            if (size != 0) {
                memset(heap_at(shard, ref), 1, size);
            }
            heap_free(shard, j % 2 ? ref : (uint32_t) case_random(&rng));
        }
        if (i % 100 == 0) {
            heap_mark_begin(shard);
            heap_mark_end(shard);
        }
    }
    is_int(outside, 0, "a damaged page table gives no slot outside");
    heap_mark_begin(shard);
    heap_mark_end(shard);
    is_int(shard->free_pages, shard->n_pages - shard->first_page,
           "and a marking mends it");
}

int
main(void)
{
    struct zone_params params = case_params(3 << 20, 0);

    if (!ok(case_zone(&zone, NULL, &params), "a shard")) {
        return done_testing();
    }
    /* The last one: what lies beyond is not mapped. */
    shard = zone_shard(&zone, zone.layout.n_shards - 1);

    test_classes();
    test_random();
    test_full();
    test_marking();
    test_references();
    test_garbage();
    zone_close(&zone);

    return done_testing();
}
