/* SPDX-License-Identifier: Apache-2.0 */
#include "toplist.h"

#include <math.h>
#include <string.h>

#include "../base/atomic.h"
#include "../base/crash.h"
#include "../base/hash.h"

_Static_assert(INTENT_MAX_ITEM <= UINT8_MAX, "a length is one byte");
_Static_assert(TOPLIST_MAX_KEEP <= UINT16_MAX, "a position is two bytes");

/* Entries of a rank compared at once, in the compilers' own notation: every
 * processor that we build for has vectors of 16 bytes. */
enum { LANES = 4, BLOCK = 16 };
typedef uint32_t vector __attribute__((vector_size(LANES * 4)));

/* Where no time can be, so that differences of times never overflow. */
#define TIME_BOUND (1ll << 52)

static uint64_t
double_bits(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof(bits));

    return bits;
}

static double
bits_double(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof(x));

    return x;
}

uint64_t
toplist_size(uint32_t keep)
{
    uint64_t size = sizeof(struct toplist_head)
                    + (uint64_t) keep * (2 * sizeof(double) + sizeof(uint32_t)
                                         + sizeof(struct toplist_id));

    return (size + 63) & ~63ull;
}

void
toplist_view(struct toplist *list, void *memory, uint32_t keep,
             int64_t half_life_ms)
{
    void *scores = (struct toplist_head *) memory + 1, *ranks, *ids;

    list->head = memory;
    list->score[0] = scores;
    list->score[1] = list->score[0] + keep;
    ranks = list->score[1] + keep;
    list->rank = ranks;
    ids = list->rank + keep;
    list->id = ids;
    list->keep = keep;
    list->half_life_ms = (double) half_life_ms;
}

void
toplist_clear(struct toplist *list)
{
    list->head->n = 0;
    atomic_order();
    memset(list->head, 0, sizeof(*list->head));
}

/* The scale and scores in force, whatever the memory holds. */
static struct toplist_scale *
scale_of(const struct toplist *list)
{
    return &list->head->scale[list->head->current & 1];
}

static double *
scores_of(const struct toplist *list)
{
    return list->score[list->head->current & 1];
}

/* What one look at the head can tell: another repair is then due. */
static bool
damaged(const struct toplist *list)
{
    int64_t landmark_ms = scale_of(list)->landmark_ms;

    return list->head->n > list->keep || list->head->current > 1
           || landmark_ms > TIME_BOUND || landmark_ms < -TIME_BOUND;
}

/* The position at a rank, whatever the memory holds. */
static uint32_t
position(const struct toplist *list, uint32_t rank)
{
    uint32_t p = list->rank[rank] & 0xffff;

    return p < list->keep ? p : list->keep - 1;
}

static uint32_t
tag_of(const char *item, size_t len)
{
    return (uint32_t) (hash_check(0, item, len) >> 32) & 0xffff0000u;
}

/* Moves the item at this rank up to where its score belongs, behind equals:
 * ranks [0, rank) are in order. */
static void
rise(struct toplist *list, uint32_t rank)
{
    const double *score = scores_of(list);
    uint32_t entry = list->rank[rank], low = 0, high = rank, middle;
    double s = score[position(list, rank)];

    /* Most updates move nothing: the item is where it belongs. */
    if (rank == 0 || score[position(list, rank - 1)] >= s) {
        return;
    }

    while (low < high) {
        middle = low + (high - low) / 2;
        if (score[position(list, middle)] >= s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }

    memmove(&list->rank[low + 1], &list->rank[low],
            (rank - low) * sizeof(list->rank[0]));
    list->rank[low] = entry;
}

/* Moves the landmark forward by whole half-lives to just before time_ms. The
 * scaled copy comes into force by one store. */
static void
move_landmark(struct toplist *list, int64_t time_ms)
{
    struct toplist_head *head = list->head;
    const double *from = scores_of(list);
    struct toplist_scale *old = scale_of(list);
    uint64_t next = (head->current & 1) ^ 1;
    struct toplist_scale *new = &head->scale[next];
    double past, halves, factor;
    uint32_t i;

    past = (double) time_ms - (double) old->landmark_ms;
    halves = floor(past / list->half_life_ms);
    factor = exp2(-halves);

    for (i = 0; i < head->n; i++) {
        list->score[next][i] = from[i] * factor;
    }

    atomic_store(&new->total,
                 double_bits(bits_double(old->total) * factor));
    atomic_store((uint64_t *) &new->landmark_ms,
                 (uint64_t) (time_ms - (int64_t) (past - halves
                                                  * list->half_life_ms)));
    CRASH_POINT("toplist-scaled");
    atomic_order();
    atomic_store(&head->current, next);
}

static double
half_lives(const struct toplist *list, int64_t time_ms)
{
    return ((double) time_ms - (double) scale_of(list)->landmark_ms)
           / list->half_life_ms;
}

/* What an event at time_ms adds. */
static double
gain_of(struct toplist *list, int64_t time_ms, double weight)
{
    struct toplist_scale *scale = scale_of(list);
    double exponent;

    if (list->head->n == 0) {
        atomic_store((uint64_t *) &scale->landmark_ms, (uint64_t) time_ms);
        atomic_store(&scale->total, 0);

        return weight;
    }

    exponent = half_lives(list, time_ms);
    if (exponent > TOPLIST_SPAN) {
        move_landmark(list, time_ms);
        exponent = half_lives(list, time_ms);
    }

    return weight * exp2(exponent);
}

/* Whether one of the next BLOCK entries may be the item. */
static bool
block_has(const uint32_t *rank, uint32_t tag)
{
    const vector zero = { 0 };
    vector entries, hits = zero;
    uint64_t halves[2];
    uint32_t i;

    for (i = 0; i < BLOCK; i += LANES) {
        memcpy(&entries, &rank[i], sizeof(entries));
        hits |= (vector) ((entries & 0xffff0000u) == tag);
    }

    memcpy(halves, &hits, sizeof(halves));

    return (halves[0] | halves[1]) != 0;
}

/* The rank of an item among the first n, or n. Searched from the top: heavy
 * items, which most events are about, are found first. */
static uint32_t
find(const struct toplist *list, uint32_t n, uint32_t tag, const char *item,
     size_t len)
{
    const struct toplist_id *id;
    uint32_t r = 0;

    /* Skip what cannot be it: the miss, which visits all, is the worst case. */
    while (r + BLOCK <= n && !block_has(&list->rank[r], tag)) {
        r += BLOCK;
    }

    for (/* void */; r < n; r++) {
        if ((list->rank[r] & 0xffff0000u) == tag) {
            id = &list->id[position(list, r)];
            if (id->len == len && memcmp(id->text, item, len) == 0) {
                return r;
            }
        }
    }

    return n;
}

/* Writes an id so that a torn one has the length 0. */
static void
put_id(struct toplist_id *id, const char *text, size_t len)
{
    id->len = 0;
    CRASH_POINT("toplist-naming");
    atomic_order();
    memcpy(id->text, text, len);
    atomic_order();
    id->len = (uint8_t) len;
}

/* Makes room for a new item: a fresh position with score 0, or the lightest
 * item's position with its score, which the new one inherits. */
static uint32_t
admit(struct toplist *list, uint32_t tag, const char *item, size_t len)
{
    struct toplist_head *head = list->head;
    uint32_t p, rank;

    if (head->n < list->keep) {
        p = rank = head->n;
        scores_of(list)[p] = 0.0;
    } else {
        rank = head->n - 1;
        p = position(list, rank);
    }

    list->rank[rank] = tag | p;
    CRASH_POINT("toplist-admitting");
    put_id(&list->id[p], item, len);
    atomic_order();
    head->n = rank + 1;

    return rank;
}

void
toplist_add(struct toplist *list, const char *item, size_t len,
            int64_t time_ms, double weight)
{
    struct toplist_head *head = list->head;
    struct toplist_scale *scale;
    uint32_t tag, rank;
    double gain;

    if (damaged(list)) {
        toplist_repair(list);
    }

    gain = gain_of(list, time_ms, weight);
    if (gain <= 0.0) {
        return;
    }

    tag = tag_of(item, len);
    rank = find(list, head->n, tag, item, len);
    if (rank == head->n) {
        rank = admit(list, tag, item, len);
    }

    scores_of(list)[position(list, rank)] += gain;
    CRASH_POINT("toplist-counted");
    scale = scale_of(list);
    atomic_store(&scale->total, double_bits(bits_double(scale->total) + gain));
    rise(list, rank);
}

/* What turns a score into the weight as of now_ms. */
static double
decay(const struct toplist *list, int64_t landmark_ms, int64_t now_ms)
{
    double past = (double) now_ms - (double) landmark_ms;

    return past <= 0.0 ? 1.0 : exp2(-past / list->half_life_ms);
}

int
toplist_top(struct toplist *list, int64_t now_ms, int k,
            struct intent_item *out)
{
    struct toplist_head *head = list->head;
    const struct toplist_id *id;
    const double *score;
    double factor;
    uint32_t p, r;
    int n = 0;

    if (damaged(list)) {
        toplist_repair(list);
    }

    score = scores_of(list);
    factor = decay(list, scale_of(list)->landmark_ms, now_ms);

    for (r = 0; r < head->n && n < k; r++) {
        p = position(list, r);
        id = &list->id[p];
        if (id->len == 0 || id->len > INTENT_MAX_ITEM) {
            continue;
        }

        out[n].score = score[p] * factor;
        out[n].len = id->len;
        memcpy(out[n].id, id->text, id->len);
        n++;
    }

    return n;
}

double
toplist_total(const struct toplist *list, int64_t now_ms)
{
    uint64_t current = atomic_load(&list->head->current) & 1;
    const struct toplist_scale *scale = &list->head->scale[current];
    int64_t landmark_ms;

    landmark_ms = (int64_t) atomic_load((const uint64_t *) &scale->landmark_ms);

    return bits_double(atomic_load(&scale->total))
           * decay(list, landmark_ms, now_ms);
}

/* Whether the item at position p can be believed, given the n so far. */
static bool
believable(const struct toplist *list, uint32_t p, uint32_t tag, uint32_t n)
{
    const struct toplist_id *id = &list->id[p];
    double score = scores_of(list)[p];

    return isfinite(score) && score >= 0.0
           && find(list, n, tag, id->text, id->len) == n;
}

void
toplist_repair(struct toplist *list)
{
    struct toplist_head *head = list->head;
    struct toplist_id *id = list->id;
    uint32_t p, tag, n = 0, old;
    double *score, total = 0.0;

    old = damaged(list) ? 0 : head->n;
    head->current &= 1;
    score = scores_of(list);

    /* Holes are closed by moving what comes after them forward; a death on
     * the way leaves a duplicate, which the next repair drops. */
    for (p = 0; p < old; p++) {
        if (id[p].len == 0 || id[p].len > INTENT_MAX_ITEM) {
            continue;
        }

        tag = tag_of(id[p].text, id[p].len);
        if (!believable(list, p, tag, n)) {
            continue;
        }

        if (p != n) {
            score[n] = score[p];
            put_id(&id[n], id[p].text, id[p].len);
        }

        total += score[n];
        list->rank[n] = tag | n;
        rise(list, n++);
    }

    atomic_store(&scale_of(list)->total,
                 double_bits(isfinite(total) ? total : 0.0));
    atomic_order();
    head->n = n;
}
