/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include "../base/atomic.h"
#include "../base/crash.h"

/* Slot sizes: steps of at most a quarter, multiples of the unit, chosen to
 * leave little of a page over. From a page up a slot is a run of pages. */
static const uint16_t class_sizes[] = {
    0, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 400, 512, 672, 816,
    1008, 1360, 2048, 4096, 8192, 16384, 32768
};

enum {
    CLASSES = sizeof(class_sizes) / sizeof(class_sizes[0]),
    CONTINUED = 255,               /* a page inside a large slot */
    UNITS_PER_PAGE = ZONE_PAGE / HEAP_UNIT
};

_Static_assert((int) CLASSES <= (int) SHARD_CLASSES, "hints for every class");
_Static_assert((int) CLASSES <= 1 << (32 - HEAP_CLASS_SHIFT)
               && SHARD_MAX_SIZE / HEAP_UNIT <= 1 << HEAP_CLASS_SHIFT,
               "a reference holds every class and offset");

static uint32_t
reference(uint8_t class, uint32_t offset)
{
    return (uint32_t) class << HEAP_CLASS_SHIFT | offset;
}

static uint8_t
class_of(uint32_t size)
{
    uint8_t class;

    for (class = 1; class < CLASSES; class++) {
        if (size <= class_sizes[class]) {
            return class;
        }
    }

    return 0;
}

uint32_t
heap_class_size(uint32_t size)
{
    return class_sizes[class_of(size)];
}

static uint32_t
slots_in_page(uint8_t class)
{
    return class_sizes[class] >= ZONE_PAGE
           ? 1 : (uint32_t) ZONE_PAGE / class_sizes[class];
}

static uint64_t
full_mask(uint8_t class)
{
    uint32_t slots = slots_in_page(class);

    return slots == 64 ? ~0ull : (1ull << slots) - 1;
}

void
heap_init(struct shard *shard, uint64_t shard_size, uint32_t first_page)
{
    shard->n_pages = (uint32_t) (shard_size / ZONE_PAGE);
    shard->first_page = first_page;
    shard->free_hint = first_page;
    shard->free_pages = shard->n_pages - first_page;
}

/* First of `run` free pages in a row, or 0. */
static uint32_t
find_free_run(struct shard *shard, uint32_t run)
{
    uint32_t total = shard->n_pages - shard->first_page, i, page, got = 0;

    if (run > total) {
        return 0;
    }

    for (i = 0; i < total + run - 1; i++) {
        page = shard->first_page
               + (shard->free_hint - shard->first_page + i) % total;
        if (page == shard->first_page) {
            got = 0;
        }
        if (shard->pages[page].class != 0) {
            got = 0;
            continue;
        }
        if (++got == run) {
            return page + 1 - run;
        }
    }

    return 0;
}

static uint32_t
take_run(struct shard *shard, uint8_t class)
{
    uint32_t run = class_sizes[class] / ZONE_PAGE, page, i;

    if (shard->free_pages < run) {
        return 0;
    }

    page = find_free_run(shard, run);
    if (page == 0) {
        return 0;
    }

    shard->free_pages -= run;
    shard->free_hint = page;
    for (i = 1; i < run; i++) {
        shard->pages[page + i].class = CONTINUED;
    }
    shard->pages[page].run = (uint8_t) run;
    shard->pages[page].used = 1;
    atomic_order();
    shard->pages[page].class = class;

    return reference(class, page * UNITS_PER_PAGE);
}

/* A bit per free slot of a page, whatever stands above them. */
static uint64_t
room_in(const struct shard *shard, uint32_t page, uint8_t class)
{
    return shard->pages[page].class == class
           ? ~shard->pages[page].used & full_mask(class) : 0;
}

/* A page of the class with room, or 0. */
static uint32_t
find_page(struct shard *shard, uint8_t class)
{
    uint32_t page = shard->hint[class];

    if (page >= shard->first_page && page < shard->n_pages
        && room_in(shard, page, class) != 0)
    {
        return page;
    }

    if (shard->free_slots[class] == 0) {
        return 0;
    }

    for (page = shard->first_page; page < shard->n_pages; page++) {
        if (room_in(shard, page, class) != 0) {
            return page;
        }
    }

    shard->free_slots[class] = 0;

    return 0;
}

uint32_t
heap_alloc(struct shard *shard, uint32_t size)
{
    uint8_t class = class_of(size);
    struct shard_page *p;
    uint32_t page, slot;

    if (class == 0) {
        return 0;
    }
    if (class_sizes[class] >= ZONE_PAGE) {
        return take_run(shard, class);
    }

    page = find_page(shard, class);
    if (page == 0) {
        if (shard->free_pages == 0) {
            return 0;
        }
        page = find_free_run(shard, 1);
        if (page == 0) {
            return 0;
        }
        shard->free_pages--;
        shard->free_hint = page;
        shard->pages[page].used = 0;
        shard->pages[page].run = 1;
        atomic_order();
        shard->pages[page].class = class;
        shard->free_slots[class] += slots_in_page(class);
    }

    p = &shard->pages[page];
    slot = (uint32_t) __builtin_ctzll(room_in(shard, page, class));
    p->used |= 1ull << slot;
    shard->hint[class] = page;
    if (shard->free_slots[class] != 0) {
        shard->free_slots[class]--;
    }
    CRASH_POINT("heap-taken");

    return reference(class, page * UNITS_PER_PAGE
                            + slot * class_sizes[class] / HEAP_UNIT);
}

/* Page and slot of a reference; false where there can be none. */
static bool
locate(const struct shard *shard, uint32_t ref, uint32_t *page,
       uint32_t *slot)
{
    uint32_t class = ref >> HEAP_CLASS_SHIFT, size, within;
    uint32_t offset = ref & ((1u << HEAP_CLASS_SHIFT) - 1);

    *page = offset / UNITS_PER_PAGE;
    if (class == 0 || class >= CLASSES || *page < shard->first_page
        || *page >= shard->n_pages || shard->n_pages > SHARD_MAX_PAGES)
    {
        return false;
    }

    size = class_sizes[class];
    within = offset % UNITS_PER_PAGE * HEAP_UNIT;
    *slot = within / size;

    return within % size == 0 && *slot < slots_in_page((uint8_t) class)
           && (size < ZONE_PAGE
               || *page + size / ZONE_PAGE <= shard->n_pages);
}

/* The same for a slot of a page that has this class. */
static bool
locate_in_class(const struct shard *shard, uint32_t ref, uint32_t *page,
                uint32_t *slot)
{
    return locate(shard, ref, page, slot)
           && shard->pages[*page].class == ref >> HEAP_CLASS_SHIFT;
}

void
heap_free(struct shard *shard, uint32_t ref)
{
    struct shard_page *p;
    uint32_t page, slot, i, run;
    uint8_t class;

    if (!locate_in_class(shard, ref, &page, &slot)
        || (shard->pages[page].used >> slot & 1) == 0)
    {
        return;
    }

    p = &shard->pages[page];
    class = p->class;
    p->used &= ~(1ull << slot);
    shard->free_slots[class]++;
    CRASH_POINT("heap-freed");

    if (p->used != 0) {
        return;
    }

    run = class_sizes[class] >= ZONE_PAGE ? class_sizes[class] / ZONE_PAGE : 1;
    i = slots_in_page(class);
    shard->free_slots[class] = shard->free_slots[class] > i
                               ? shard->free_slots[class] - i : 0;
    for (i = run; i > 0; i--) {
        shard->pages[page + i - 1].class = 0;
    }
    shard->free_pages += run;
}

uint32_t
heap_slot_size(const struct shard *shard, uint32_t ref)
{
    uint32_t page, slot;

    return locate(shard, ref, &page, &slot)
           ? class_sizes[ref >> HEAP_CLASS_SHIFT] : 0;
}

bool
heap_allocated(const struct shard *shard, uint32_t ref)
{
    uint32_t page, slot;

    return locate_in_class(shard, ref, &page, &slot)
           && (shard->pages[page].used >> slot & 1) != 0;
}

bool
heap_serves(uint32_t ref, uint32_t class_size)
{
    uint32_t class = ref >> HEAP_CLASS_SHIFT;
    uint32_t size = class < CLASSES ? class_sizes[class] : 0;

    /* The pages of a large slot become free with it. */
    return size == class_size || (size > class_size && size >= ZONE_PAGE);
}

uint32_t
heap_page(uint32_t ref)
{
    return (ref & ((1u << HEAP_CLASS_SHIFT) - 1)) / UNITS_PER_PAGE;
}

struct heap_slots
heap_slots(const struct shard *shard, uint32_t page, uint32_t n)
{
    struct heap_slots slots = { page, page + n, 0 };

    /* A large slot that began before reaches in. */
    while (slots.page > shard->first_page
           && shard->pages[slots.page].class == CONTINUED)
    {
        slots.page--;
    }

    return slots;
}

uint32_t
heap_slots_next(const struct shard *shard, struct heap_slots *slots)
{
    const struct shard_page *p;
    uint32_t slot, units;

    for (/* void */; slots->page < slots->end; slots->page++, slots->slot = 0)
    {
        p = &shard->pages[slots->page];
        if (p->class == 0 || p->class >= CLASSES) {
            continue;
        }
        units = class_sizes[p->class] / HEAP_UNIT;
        while (slots->slot < slots_in_page(p->class)) {
            slot = slots->slot++;
            if (p->used >> slot & 1) {
                return reference(p->class, slots->page * UNITS_PER_PAGE
                                           + slot * units);
            }
        }
    }

    return 0;
}

void
heap_mark_begin(struct shard *shard)
{
    uint32_t page;

    for (page = shard->first_page; page < shard->n_pages; page++) {
        shard->pages[page].used = 0;
    }
}

bool
heap_mark(struct shard *shard, uint32_t ref)
{
    uint32_t page, slot;

    if (!locate_in_class(shard, ref, &page, &slot)
        || (shard->pages[page].used >> slot & 1) != 0)
    {
        return false;
    }

    shard->pages[page].used |= 1ull << slot;

    return true;
}

void
heap_mark_end(struct shard *shard)
{
    uint32_t page, i, run = 0;
    struct shard_page *p;

    shard->free_pages = 0;
    for (i = 0; i < SHARD_CLASSES; i++) {
        shard->free_slots[i] = 0;
        shard->hint[i] = 0;
    }

    for (page = shard->first_page; page < shard->n_pages; page++) {
        p = &shard->pages[page];
        if (run > 0) {
            /* Inside a marked large slot, whatever was written here. */
            p->class = CONTINUED;
            run--;
            continue;
        }
        if (p->used == 0 || p->class == 0 || p->class >= CLASSES) {
            p->used = 0;
            p->class = 0;
            shard->free_pages++;
            continue;
        }
        if (class_sizes[p->class] >= ZONE_PAGE) {
            run = class_sizes[p->class] / ZONE_PAGE - 1;
            continue;
        }
        i = slots_in_page(p->class)
            - (uint32_t) __builtin_popcountll(p->used);
        shard->free_slots[p->class] += i;
        if (i > 0) {
            shard->hint[p->class] = page;
        }
    }
}
