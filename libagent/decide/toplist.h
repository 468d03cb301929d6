/* SPDX-License-Identifier: Apache-2.0
 *
 * The heaviest items of a stream whose weights decay, in bounded memory:
 * space-saving (Metwally, Agrawal and El Abbadi, 2005) under forward decay
 * (Cormode, Shkapenyuk, Srivastava and Xu, 2009).
 *
 * An event at time t adds weight * 2^((t - landmark) / half_life) to its
 * item; read at `now`, every score is divided by 2^((now - landmark) /
 * half_life). So nothing is ever touched only because time passes, the order
 * of the items does not depend on when one looks, and events may come in any
 * order of time. When an exponent grows past TOPLIST_SPAN the landmark moves
 * and all scores are scaled by a power of two, which loses no digit.
 *
 * Up to `keep` distinct items the scores are exact. Beyond that a new item
 * takes the place and inherits the score of the lightest: a score is then at
 * most the lightest one too high and never too low, and any item heavier than
 * total / keep is in the list.
 *
 * The memory is position-independent and shared; callers hold a lock around
 * everything but toplist_total(). The truth about position p is id[p] and
 * score[current][p] for p < n; each changes by one store. `rank`, the
 * positions by falling score, and the total follow from them, and so can be
 * made again after a process died between two stores: toplist_repair().
 */
#ifndef INTENT_DECIDE_TOPLIST_H
#define INTENT_DECIDE_TOPLIST_H

#include "../intent.h"

enum {
    TOPLIST_MAX_KEEP = 4096,       /* positions must fit 16 bits of a rank */
    TOPLIST_SPAN = 64              /* half-lives: 2^64 times any real sum of
                                      weights is far from overflow */
};

struct toplist_scale {
    int64_t landmark_ms;
    uint64_t total;                /* sum of the scores: a double's bits */
};

struct toplist_head {
    uint64_t current;              /* scale[] and score[] in force: 0 or 1 */
    struct toplist_scale scale[2];
    uint32_t n;
    uint32_t reserved;
};

struct toplist_id {
    uint8_t len;                   /* 0: being replaced */
    char text[INTENT_MAX_ITEM];
};

/* Where the parts of one list are; made on the stack of each call. */
struct toplist {
    struct toplist_head *head;
    double *score[2];              /* by position */
    uint32_t *rank;                /* hash's high half << 16 | position */
    struct toplist_id *id;         /* by position */
    uint32_t keep;
    double half_life_ms;
};

/* Bytes of a list, a multiple of 64. All zero bytes are an empty list. */
uint64_t toplist_size(uint32_t keep);

/* memory: toplist_size(keep) bytes, aligned to 8. keep: 1 to
 * TOPLIST_MAX_KEEP. */
void toplist_view(struct toplist *list, void *memory, uint32_t keep,
                  int64_t half_life_ms);

void toplist_clear(struct toplist *list);

/* Counts. len: 1 to INTENT_MAX_ITEM. weight: finite and positive. Times are
 * within +-2^52 ms. */
void toplist_add(struct toplist *list, const char *item, size_t len,
                 int64_t time_ms, double weight);

/* The k heaviest, best first, decayed to now_ms (never raised: a `now`
 * before the landmark counts as the landmark). Returns how many. */
int toplist_top(struct toplist *list, int64_t now_ms, int k,
                struct intent_item *out);

/* The decayed sum of all weights. Needs no lock: a concurrent change gives
 * the sum before or after it, or a wrong one, so confirm under the lock. */
double toplist_total(const struct toplist *list, int64_t now_ms);

/* Makes any bytes a valid list, keeping every item that can be believed. */
void toplist_repair(struct toplist *list);

#endif
