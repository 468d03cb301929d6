/* SPDX-License-Identifier: Apache-2.0
 *
 * What is popular, by category and over all, in the zone's popularity
 * section: the answer that is always there.
 *
 *     0              struct popularity_head, with the locks
 *                    directory: one hash of a name per category; 0 is free
 *                    slots: [0] over all, [1..categories] of categories; each
 *                    a name and a toplist
 *
 * A category is found by probing the directory from its hash on; a slot once
 * used is used for good, by another category if need be, so the probe may
 * stop at a free one. The directory is read without a lock and confirmed under
 * the slot's.
 *
 * Locks: slots share POPULARITY_STRIPES locks at a fixed place. A process
 * holds one of them at a time, except the one that gives the section another
 * geometry: it holds all, so that whoever holds one can trust the geometry
 * after comparing the generation. After a dead owner the slot that it worked
 * on, named beside the lock, is repaired.
 */
#ifndef INTENT_DECIDE_POPULARITY_H
#define INTENT_DECIDE_POPULARITY_H

#include "../signal/model.h"
#include "../state/layout.h"
#include "toplist.h"

enum {
    POPULARITY_STRIPES = 64,
    POPULARITY_MAX_CATEGORIES = 65536,
    POPULARITY_PROBES = 1024       /* bounds the search in a full table */
};

struct popularity_stripe {
    struct owner_word lock;
    uint64_t slot;                 /* that the owner works on */
    uint64_t reserved[6];          /* a cache line of its own */
};

struct popularity_head {
    uint64_t ready;                /* POPULARITY_MAGIC once all is written */
    uint64_t generation;           /* counts the geometries */
    uint32_t categories;
    uint32_t keep;
    int64_t half_life_ms;
    int64_t next_sweep_ms;         /* no use to look for quiet categories
                                      before */
    uint64_t reserved[3];
    struct popularity_stripe stripes[POPULARITY_STRIPES];
};

/* One process's view of the section; one thread at a time. */
struct popularity {
    struct popularity_head *head;
    uint64_t *directory;
    unsigned char *slots;
    uint64_t size;                 /* of the section */
    uint64_t generation;           /* 0: none yet */
    uint32_t categories;
    uint32_t keep;
    int64_t half_life_ms;
    uint64_t recovered;            /* locks taken from dead owners so far */
};

/* Bytes of a section for this geometry; both at least 1. */
uint64_t popularity_size(int categories, int keep);

/* Looks at the section (aligned to 64). With `format` the section is given
 * the model's geometry where it has another: it then starts empty, with as
 * many categories, then items, as fit. Without, what is there is used as it
 * is. -ENOSPC when not even one list fits, -EBUSY when a lock was not free
 * for long (format only), -EINVAL for a model out of bounds: the functions
 * below then return -EIO. The section must outlive p; nothing is to be
 * freed. */
int popularity_attach(struct popularity *p, void *section, uint64_t size,
                      const struct model_popularity *model, bool format,
                      uint64_t self);

/* What popularity_add() could not do. */
enum { POPULARITY_NO_CATEGORY = 1 };

/* Counts one event for its category (len 0: none) and over all. Returns 0, or
 * POPULARITY_NO_CATEGORY when it counted over all only because the category's
 * name is too long or the table is full of livelier ones. -EBUSY when a lock
 * was not free within wait_us (each of two): the event may then be counted in
 * one place, in none, never twice. -EINVAL for an item without an id or with
 * one longer than INTENT_MAX_ITEM, a weight that is not in (0, 1e9], a time
 * beyond +-2^52 ms. -EIO when the section has no geometry: attach again with
 * `format`. Late and future events are the caller's to keep away. */
int popularity_add(struct popularity *p, uint64_t self, const char *category,
                   size_t category_len, const char *item, size_t item_len,
                   int64_t time_ms, double weight, unsigned wait_us);

/* The k most popular items of a category (len 0: over all), best first,
 * scores decayed to now_ms. Returns how many (0: no such category), -EBUSY or
 * -EIO. out: room for k. */
int popularity_top(struct popularity *p, uint64_t self, const char *category,
                   size_t category_len, int64_t now_ms, unsigned wait_us,
                   int k, struct intent_item *out);

/* popularity_top() of the category, filled up to k from the overall list
 * without repeating an item: a rare category still gets a full answer. k is
 * at most INTENT_MAX_ITEMS. Fails only when both lists do. */
int popularity_pick(struct popularity *p, uint64_t self, const char *category,
                    size_t category_len, int64_t now_ms, unsigned wait_us,
                    int k, struct intent_item *out);

#endif
