/* SPDX-License-Identifier: Apache-2.0 */
#include "popularity_section.h"

#include <errno.h>
#include <string.h>

#include "../base/atomic.h"
#include "../base/crash.h"
#include "../base/hash.h"
#include "../state/lock.h"

/* "popular" and the version of what follows. */
#define POPULARITY_MAGIC 0x0172616c75706f70ull

/* Formatting waits this long for each lock: it is no request. */
enum { FORMAT_WAIT_US = 100000 };

_Static_assert(sizeof(struct popularity_stripe) == 64, "one cache line");
_Static_assert(sizeof(struct popularity_head) % 64 == 0, "whole cache lines");

/* Items of a slot's list. Over all, a stream's tail is long: with `keep` items
 * the list of a shop of 30,000 forgets what is popular (of its ten best a
 * quarter is right, with four times as many two thirds are, and nine tenths
 * of those of a hotel search). */
static uint32_t
items_of(uint32_t slot, uint32_t keep)
{
    if (slot != 0) {
        return keep;
    }

    return keep < TOPLIST_MAX_KEEP / 4 ? keep * 4 : TOPLIST_MAX_KEEP;
}

static uint64_t
slot_size(uint32_t slot, uint32_t keep)
{
    return (sizeof(struct slot) + toplist_size(items_of(slot, keep)) + 63)
           & ~63ull;
}

static uint64_t
directory_size(uint32_t categories)
{
    return (((uint64_t) categories + 1) * sizeof(uint64_t) + 63) & ~63ull;
}

static uint64_t
section_size(uint32_t categories, uint32_t keep)
{
    return sizeof(struct popularity_head) + directory_size(categories)
           + slot_size(0, keep) + categories * slot_size(1, keep);
}

uint64_t
popularity_size(int categories, int keep)
{
    if (categories < 0 || keep < 1) {
        return 0;
    }

    return section_size((uint32_t) categories, (uint32_t) keep);
}

struct slot *
section_slot(const struct popularity *p, uint32_t slot)
{
    uint64_t at = 0;

    if (slot != 0) {
        at = slot_size(0, p->keep) + (slot - 1) * slot_size(1, p->keep);
    }

    return (struct slot *) (p->slots + at);
}

void
section_view(const struct popularity *p, uint32_t slot, struct toplist *list)
{
    toplist_view(list, section_slot(p, slot)->list, items_of(slot, p->keep),
                 p->half_life_ms);
}

/* Takes over the geometry that the section has. A lock must be held. */
static int
adopt(struct popularity *p)
{
    struct popularity_head *head = p->head;
    uint64_t ready = atomic_acquire(&head->ready);
    uint32_t categories = head->categories, keep = head->keep;

    p->generation = 0;

    if (ready != POPULARITY_MAGIC || keep < 1 || keep > TOPLIST_MAX_KEEP
        || categories > POPULARITY_MAX_CATEGORIES
        || head->half_life_ms < 1 || head->half_life_ms > POPULARITY_MAX_TIME
        || section_size(categories, keep) > p->size)
    {
        return -EIO;
    }

    p->categories = categories;
    p->keep = keep;
    p->half_life_ms = head->half_life_ms;
    p->directory = (uint64_t *) (head + 1);
    p->slots = (unsigned char *) p->directory + directory_size(categories);
    p->generation = atomic_load(&head->generation);

    return 0;
}

static struct popularity_stripe *
stripe_of(const struct popularity *p, uint32_t slot)
{
    /* The overall list, which every event touches, has one for itself. */
    return &p->head->stripes[slot == 0 ? 0
                             : 1 + slot % (POPULARITY_STRIPES - 1)];
}

uint64_t
section_hash(const char *name, size_t len)
{
    return hash_check(1, name, len) | 1;
}

/* Undoes what a dead owner left of its slot. A name that is not what the
 * directory says was being replaced: nobody finds the slot, and without a
 * total the next new category takes it. */
static void
repair(struct popularity *p, uint64_t index)
{
    struct slot *slot;
    struct toplist list;

    if (index > p->categories) {
        return;
    }

    slot = section_slot(p, (uint32_t) index);
    section_view(p, (uint32_t) index, &list);

    if (index != 0
        && (slot->name_len > INTENT_MAX_ITEM
            || section_hash(slot->name, slot->name_len)
               != p->directory[index]))
    {
        slot->name_len = 0;
        toplist_clear(&list);
        return;
    }

    toplist_repair(&list);
}

/* Whether the geometry is still the one that p knows. A lock must be held. */
static bool
is_current(const struct popularity *p)
{
    return p->generation != 0
           && atomic_load(&p->head->ready) == POPULARITY_MAGIC
           && atomic_load(&p->head->generation) == p->generation;
}

int
section_enter(struct popularity *p, uint64_t self, uint32_t slot,
              unsigned wait_us)
{
    struct popularity_stripe *stripe = stripe_of(p, slot);
    enum lock_result taken;
    int rc = 0;

    taken = lock_take(&stripe->lock, self, wait_us);
    if (taken == LOCK_BUSY) {
        return -EBUSY;
    }

    if (!is_current(p)) {
        rc = adopt(p) == 0 ? -ESTALE : -EIO;
    }

    if (taken == LOCK_RECOVERED) {
        p->recovered++;
        if (rc != -EIO) {
            repair(p, stripe->slot);
        }
    }

    if (rc != 0) {
        lock_drop(&stripe->lock);
        return rc;
    }

    stripe->slot = slot;
    atomic_order();

    return 0;
}

void
section_leave(struct popularity *p, uint32_t slot)
{
    lock_drop(&stripe_of(p, slot)->lock);
}

bool
section_is_named(const struct popularity *p, uint32_t slot, const char *name,
                 size_t len)
{
    const struct slot *s = section_slot(p, slot);

    return s->name_len == len && memcmp(s->name, name, len) == 0;
}

void
section_rename(struct popularity *p, uint32_t slot, uint64_t hash,
               const char *name, size_t len)
{
    struct slot *s = section_slot(p, slot);
    struct toplist list;

    s->name_len = 0;
    atomic_order();
    section_view(p, slot, &list);
    toplist_clear(&list);
    memcpy(s->name, name, len);
    CRASH_POINT("popularity-renaming");
    atomic_order();
    s->name_len = (uint32_t) len;
    atomic_release(&p->directory[slot], hash);
}

/* --- geometry ----------------------------------------------------------- */

static int
lock_all(struct popularity *p, uint64_t self)
{
    struct popularity_stripe *stripes = p->head->stripes;
    int i;

    for (i = 0; i < POPULARITY_STRIPES; i++) {
        if (lock_take(&stripes[i].lock, self, FORMAT_WAIT_US) == LOCK_BUSY) {
            while (i-- > 0) {
                lock_drop(&stripes[i].lock);
            }
            return -EBUSY;
        }
    }

    return 0;
}

static int
format_section(struct popularity *p, uint64_t self, uint32_t categories,
               uint32_t keep, int64_t half_life_ms)
{
    struct popularity_head *head = p->head;
    int i, rc;

    rc = lock_all(p, self);
    if (rc != 0) {
        return rc;
    }

    atomic_store(&head->ready, 0);
    atomic_store(&head->generation, atomic_load(&head->generation) + 1);
    CRASH_POINT("popularity-formatting");
    head->categories = categories;
    head->keep = keep;
    head->half_life_ms = half_life_ms;
    head->next_sweep_ms = 0;
    memset(head + 1, 0, section_size(categories, keep) - sizeof(*head));
    atomic_release(&head->ready, POPULARITY_MAGIC);
    rc = adopt(p);

    for (i = 0; i < POPULARITY_STRIPES; i++) {
        lock_drop(&head->stripes[i].lock);
    }

    return rc;
}

/* Cuts the geometry down to what fits: categories first, then items. */
static int
fit(uint64_t size, uint32_t *categories, uint32_t *keep)
{
    while (section_size(*categories, *keep) > size) {
        if (*categories > 0) {
            *categories -= 1;
        } else if (*keep > 1) {
            *keep -= 1;
        } else {
            return -ENOSPC;
        }
    }

    return 0;
}

int
popularity_attach(struct popularity *p, void *section, uint64_t size,
                  const struct model_popularity *model, bool format,
                  uint64_t self)
{
    uint32_t categories, keep;
    int rc;

    memset(p, 0, sizeof(*p));

    if (model->keep < 1 || model->keep > TOPLIST_MAX_KEEP
        || model->categories < 0
        || model->categories > POPULARITY_MAX_CATEGORIES
        || model->half_life_ms < 1 || model->half_life_ms > POPULARITY_MAX_TIME)
    {
        return -EINVAL;
    }

    /* Without `by` there are no categories to keep room for. */
    categories = model->by < 0 ? 0 : (uint32_t) model->categories;
    keep = (uint32_t) model->keep;
    rc = fit(size, &categories, &keep);
    if (rc != 0) {
        return rc;
    }

    p->head = section;
    p->size = size;

    rc = section_enter(p, self, 0, FORMAT_WAIT_US);
    if (!format
        || (rc == -ESTALE && p->categories == categories && p->keep == keep
            && p->half_life_ms == model->half_life_ms))
    {
        return 0;
    }

    return format_section(p, self, categories, keep, model->half_life_ms);
}
