/* SPDX-License-Identifier: Apache-2.0 */
#include "popularity.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "../base/atomic.h"
#include "../base/compiler.h"
#include "popularity_section.h"

/* A category that weighs less than a quarter of one fresh event is quiet: one
 * that was seen once keeps its slot for two half-lives. */
#define QUIET 0.25

/* How often a full table is searched for quiet categories: by then the
 * totals have decayed by 4 percent. */
enum { SWEEPS_PER_HALF_LIFE = 16 };

#define MAX_WEIGHT 1e9

/* The slot that weighs least of those where the category may be. */
static uint32_t
quietest(const struct popularity *p, uint32_t home, uint32_t probes,
         int64_t now_ms, double *weight)
{
    struct toplist list;
    uint32_t i, slot, best = 1 + home;
    double total;

    *weight = INFINITY;
    for (i = 0; i < probes; i++) {
        slot = 1 + (home + i) % p->categories;
        section_view(p, slot, &list);
        total = toplist_total(&list, now_ms);
        if (total < *weight) {
            *weight = total;
            best = slot;
        }
    }

    return best;
}

/* The table is full: takes the quietest category's slot if it is negligible.
 * Returns as category_enter(). */
static int
replace(struct popularity *p, uint64_t self, uint64_t hash, uint32_t home,
        uint32_t probes, const char *name, size_t len, int64_t now_ms,
        unsigned wait_us, uint32_t *slot)
{
    uint64_t *due = (uint64_t *) &p->head->next_sweep_ms;
    int64_t due_ms = (int64_t) atomic_load(due);
    int64_t wait_ms = p->half_life_ms / SWEEPS_PER_HALF_LIFE;
    struct toplist list;
    double weight;
    int rc;

    /* A due time further ahead than ever set is from a clock that was
     * wrong. */
    if (now_ms < due_ms && due_ms <= now_ms + wait_ms) {
        return -ENOSPC;
    }

    *slot = quietest(p, home, probes, now_ms, &weight);
    if (!(weight < QUIET)) {
        atomic_store(due, (uint64_t) (now_ms + wait_ms));
        return -ENOSPC;
    }

    rc = section_enter(p, self, *slot, wait_us);
    if (rc != 0) {
        return rc;
    }

    section_view(p, *slot, &list);
    if (!(toplist_total(&list, now_ms) < QUIET)) {
        section_leave(p, *slot);
        return -ENOSPC;
    }

    section_rename(p, *slot, hash, name, len);

    return 0;
}

/* Takes the lock of a free slot for a category. -EAGAIN: another process has
 * just taken it for another one. */
static int
claim(struct popularity *p, uint64_t self, uint32_t slot, uint64_t hash,
      const char *name, size_t len, unsigned wait_us)
{
    int rc;

    rc = section_enter(p, self, slot, wait_us);
    if (rc != 0) {
        return rc;
    }

    if (p->directory[slot] == 0) {
        section_rename(p, slot, hash, name, len);
    } else if (!section_is_named(p, slot, name, len)) {
        section_leave(p, slot);
        return -EAGAIN;
    }

    return 0;
}

/* Finds the category and takes its slot's lock. With `create` it is given a
 * slot where it has none. -ENOENT, -ENOSPC (create: the table is full),
 * -EBUSY, -ESTALE, -EIO. */
static int
category_enter(struct popularity *p, uint64_t self, const char *name,
               size_t len, bool create, int64_t now_ms, unsigned wait_us,
               uint32_t *slot)
{
    uint64_t hash = section_hash(name, len), found;
    uint32_t i, home, probes;
    int rc;

    if (p->categories == 0) {
        return create ? -ENOSPC : -ENOENT;
    }

    home = (uint32_t) ((hash >> 32) * p->categories >> 32);
    probes = p->categories < POPULARITY_PROBES ? p->categories
                                               : POPULARITY_PROBES;

    for (i = 0; i < probes; i++) {
        *slot = 1 + (home + i) % p->categories;
        found = atomic_load(&p->directory[*slot]);

        if (found == 0) {
            if (!create) {
                return -ENOENT;
            }
            rc = claim(p, self, *slot, hash, name, len, wait_us);
            if (rc != -EAGAIN) {
                return rc;
            }
        }

        if (found == hash) {
            rc = section_enter(p, self, *slot, wait_us);
            if (rc != 0 || section_is_named(p, *slot, name, len)) {
                return rc;
            }
            section_leave(p, *slot);
        }
    }

    return create ? replace(p, self, hash, home, probes, name, len, now_ms,
                            wait_us, slot)
                  : -ENOENT;
}

/* Takes the lock of a category's slot, or of the overall list's for len 0. */
static int
list_enter(struct popularity *p, uint64_t self, const char *name, size_t len,
           bool create, int64_t now_ms, unsigned wait_us, uint32_t *slot)
{
    int tries, rc;

    if (p->head == NULL) {
        return -EIO;
    }

    /* A new geometry is noticed once and adopted; twice in a row it is the
     * next event's turn. */
    for (tries = 0; tries < 2; tries++) {
        *slot = 0;
        rc = len == 0 || p->generation == 0
             ? section_enter(p, self, 0, wait_us)
             : category_enter(p, self, name, len, create, now_ms, wait_us,
                              slot);
        if (rc != -ESTALE) {
            return rc;
        }
    }

    return -EBUSY;
}

/* --- events and answers ------------------------------------------------- */

static int
add_to(struct popularity *p, uint64_t self, const char *category,
       size_t category_len, const char *item, size_t item_len,
       int64_t time_ms, double weight, unsigned wait_us)
{
    struct toplist list;
    uint32_t slot;
    int rc;

    rc = list_enter(p, self, category, category_len, true, time_ms, wait_us,
                    &slot);
    if (rc != 0) {
        return rc;
    }

    section_view(p, slot, &list);
    toplist_add(&list, item, item_len, time_ms, weight);
    section_leave(p, slot);

    return 0;
}

int
popularity_add(struct popularity *p, uint64_t self, const char *category,
               size_t category_len, const char *item, size_t item_len,
               int64_t time_ms, double weight, unsigned wait_us)
{
    int rc = 0, all;

    if (item_len == 0 || item_len > INTENT_MAX_ITEM
        || !(weight > 0.0 && weight <= MAX_WEIGHT)
        || time_ms > POPULARITY_MAX_TIME || time_ms < -POPULARITY_MAX_TIME)
    {
        return -EINVAL;
    }

    if (category_len > INTENT_MAX_ITEM) {
        rc = -ENOSPC;
    } else if (category_len != 0) {
        rc = add_to(p, self, category, category_len, item, item_len, time_ms,
                    weight, wait_us);
    }

    all = add_to(p, self, NULL, 0, item, item_len, time_ms, weight, wait_us);
    if (all != 0) {
        return all;
    }

    return rc == -ENOSPC ? POPULARITY_NO_CATEGORY : rc;
}

int
popularity_top(struct popularity *p, uint64_t self, const char *category,
               size_t category_len, int64_t now_ms, unsigned wait_us, int k,
               struct intent_item *out)
{
    struct toplist list;
    uint32_t slot;
    int n, rc;

    if (category_len > INTENT_MAX_ITEM) {
        return 0;
    }

    rc = list_enter(p, self, category, category_len, false, now_ms, wait_us,
                    &slot);
    if (rc != 0) {
        return rc == -ENOENT ? 0 : rc;
    }

    section_view(p, slot, &list);
    n = toplist_top(&list, now_ms, k, out);
    section_leave(p, slot);

    return n;
}

static bool
contains(const struct intent_item *items, int n, const struct intent_item *item)
{
    int i;

    for (i = 0; i < n; i++) {
        if (items[i].len == item->len
            && memcmp(items[i].id, item->id, item->len) == 0)
        {
            return true;
        }
    }

    return false;
}

/* Adds to the n items of the answer those of the k best over all that are
 * not among them, up to k: at most n are, so k of them always suffice.
 * Returns how many there are then. */
static int
fill_up(struct popularity *p, uint64_t self, int64_t now_ms, unsigned wait_us,
        int n, int k, struct intent_item *out)
{
    UNINITIALIZED struct intent_item all[INTENT_MAX_ITEMS];
    int i, n_all;

    n_all = popularity_top(p, self, NULL, 0, now_ms, wait_us, k, all);
    if (n_all < 0) {
        return n > 0 ? n : n_all;
    }

    for (i = 0; i < n_all && n < k; i++) {
        if (!contains(out, n, &all[i])) {
            out[n++] = all[i];
        }
    }

    return n;
}

int
popularity_pick(struct popularity *p, uint64_t self, const char *category,
                size_t category_len, int64_t now_ms, unsigned wait_us, int k,
                struct intent_item *out)
{
    int n;

    if (k > INTENT_MAX_ITEMS) {
        k = INTENT_MAX_ITEMS;
    }

    n = popularity_top(p, self, category, category_len, now_ms, wait_us, k,
                       out);
    if (n >= k || category_len == 0) {
        return n;
    }

    return fill_up(p, self, now_ms, wait_us, n < 0 ? 0 : n, k, out);
}
