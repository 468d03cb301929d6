/* SPDX-License-Identifier: Apache-2.0
 *
 * The decayed top list against sums over all events, computed afresh.
 */
#include <stdlib.h>

#include "../../libagent/decide/toplist.h"
#include "tap.h"

#define HALF_LIFE 3600000ll
#define START 1700000000000ll

enum { MAX_EVENTS = 20000 };

struct event {
    int item;
    int64_t time_ms;
    double weight;
};

static struct event events[MAX_EVENTS];
static uint64_t state = 88172645463325252ull;

static uint64_t
draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;

    return state;
}

static double
draw_unit(void)
{
    return (double) (draw() >> 11) / 9007199254740992.0;
}

static void
make(struct toplist *list, uint32_t keep, int64_t half_life)
{
    void *memory = aligned_alloc(64, toplist_size(keep));

    memset(memory, 0, toplist_size(keep));
    toplist_view(list, memory, keep, half_life);
}

static void
add(struct toplist *list, const struct event *e)
{
    char name[16];
    int len = snprintf(name, sizeof(name), "item-%d", e->item);

    toplist_add(list, name, (size_t) len, e->time_ms, e->weight);
}

/* What an item weighs as of now, by definition. */
static double
exact(const struct event *e, int n, int item, int64_t now_ms)
{
    long double sum = 0;
    int i;

    for (i = 0; i < n; i++) {
        if (item < 0 || e[i].item == item) {
            sum += e[i].weight
                   * exp2l((long double) (e[i].time_ms - now_ms) / HALF_LIFE);
        }
    }

    return (double) sum;
}

static int
number_of(const struct intent_item *item)
{
    char text[INTENT_MAX_ITEM + 1];

    memcpy(text, item->id, item->len);
    text[item->len] = '\0';

    return atoi(text + 5);
}

/* A stream with popular and rare items, times up to an hour out of order. */
static int64_t
stream(int n, int items, int64_t step_ms)
{
    int64_t now = START;
    int i;

    for (i = 0; i < n; i++) {
        now += (int64_t) (draw_unit() * 2 * (double) step_ms);
        events[i].item = (int) (pow(draw_unit(), 3) * items);
        events[i].time_ms = now - (draw() % 4 == 0
                                   ? (int64_t) (draw() % 3600000) : 0);
        events[i].weight = draw() % 3 == 0 ? 2.5 : 1.0;
    }

    return now;
}

static void
test_exact_within_keep(int64_t step_ms, const char *what)
{
    struct intent_item out[64];
    struct toplist list;
    double e, worst = 0, previous = INFINITY;
    bool sorted = true;
    int64_t now;
    int i, n;

    make(&list, 64, HALF_LIFE);
    now = stream(5000, 64, step_ms);
    for (i = 0; i < 5000; i++) {
        add(&list, &events[i]);
    }

    n = toplist_top(&list, now, 64, out);
    for (i = 0; i < n; i++) {
        e = exact(events, 5000, number_of(&out[i]), now);
        if (e > 1e-290) {
            worst = fmax(worst, fabs(out[i].score - e) / e);
        }
        sorted &= out[i].score <= previous;
        previous = out[i].score;
    }

    is_int(n, 64, "%s: every item is there", what);
    ok(worst < 1e-11, "%s: scores are exact (worst %.1e)", what, worst);
    ok(sorted, "%s: best first", what);
    ok(fabs(toplist_total(&list, now) - exact(events, 5000, -1, now))
       < 1e-9 * exact(events, 5000, -1, now), "%s: so is the total", what);
    free(list.head);
}

static void
test_guarantee(void)
{
    struct intent_item out[40];
    struct toplist list;
    double e, least, total, low = INFINITY, high = -INFINITY;
    bool seen[2000] = { false };
    int i, n, missed = 0;
    int64_t now;

    make(&list, 40, HALF_LIFE);
    now = stream(MAX_EVENTS, 2000, 700);
    for (i = 0; i < MAX_EVENTS; i++) {
        add(&list, &events[i]);
    }

    n = toplist_top(&list, now, 40, out);
    least = out[n - 1].score;
    total = exact(events, MAX_EVENTS, -1, now);

    for (i = 0; i < n; i++) {
        seen[number_of(&out[i])] = true;
        e = exact(events, MAX_EVENTS, number_of(&out[i]), now);
        low = fmin(low, out[i].score - e);
        high = fmax(high, out[i].score - e - least);
    }

    for (i = 0; i < 2000; i++) {
        missed += !seen[i]
                  && exact(events, MAX_EVENTS, i, now) > total / 40;
    }

    is_int(n, 40, "the list stays within its bound");
    ok(low > -1e-9 * total, "no score is too low");
    ok(high < 1e-9 * total, "none is too high by more than the lightest");
    is_int(missed, 0, "no item heavier than total / keep is missing");
    is_double(toplist_total(&list, now), total, 1e-9 * total,
              "evictions keep the total");
    free(list.head);
}

static void
test_old_event(void)
{
    struct event fresh = { 1, START, 1.0 };
    struct event old = { 2, START - 240 * HALF_LIFE, 1.0 };
    struct event less_old = { 3, START - 10 * HALF_LIFE, 1.0 };
    struct intent_item out[3];
    struct toplist list;

    make(&list, 10, HALF_LIFE);
    add(&list, &fresh);
    add(&list, &old);
    add(&list, &less_old);

    is_int(toplist_top(&list, START, 3, out), 3, "old events count");
    is_double(out[0].score, 1.0, 0, "the fresh one whole");
    is_double(out[1].score, exp2(-10), 1e-15, "ten half-lives old: 2^-10");
    ok(fabs(out[2].score / exp2(-240) - 1) < 1e-9,
       "240 half-lives old: 2^-240");
    ok(number_of(&out[1]) == 3 && number_of(&out[2]) == 2,
       "by weight, not by arrival");

    is_int(toplist_top(&list, START + 100 * HALF_LIFE, 3, out), 3,
           "after a hundred quiet half-lives the list is still there");
    is_int(number_of(&out[0]), 1, "in the same order");
    is_int(toplist_top(&list, START - HALF_LIFE, 1, out), 1,
           "a read before the newest event");
    is_double(out[0].score, 1.0, 0, "raises nothing");
    free(list.head);
}

static void
test_ids(void)
{
    char longest[INTENT_MAX_ITEM];
    struct intent_item out[4];
    struct toplist list;

    memset(longest, 'x', sizeof(longest));
    make(&list, 1, HALF_LIFE);
    toplist_add(&list, longest, sizeof(longest), START, 1.0);
    toplist_add(&list, longest, sizeof(longest), START, 1.0);
    is_int(toplist_top(&list, START, 4, out), 1, "a list of one");
    ok(out[0].len == INTENT_MAX_ITEM
       && memcmp(out[0].id, longest, sizeof(longest)) == 0,
       "an id of the greatest length");
    is_double(out[0].score, 2.0, 0, "is one item, however often it comes");

    toplist_add(&list, "\0a", 2, START, 1.0);
    toplist_top(&list, START, 4, out);
    ok(out[0].len == 2 && memcmp(out[0].id, "\0a", 2) == 0,
       "any bytes are an id");
    is_double(out[0].score, 3.0, 0, "the new one inherits the lightest score");

    toplist_clear(&list);
    is_int(toplist_top(&list, START, 4, out), 0, "cleared");
    free(list.head);
}

/* Whether the list is what every function may rely on. */
static bool
is_sound(struct toplist *list)
{
    struct intent_item out[TOPLIST_MAX_KEEP];
    int n = toplist_top(list, START, (int) list->keep, out), i, j;

    if (list->head->n > list->keep || (uint32_t) n != list->head->n) {
        return false;
    }

    for (i = 0; i < n; i++) {
        if (!isfinite(out[i].score) || out[i].score < 0 || out[i].len == 0
            || out[i].len > INTENT_MAX_ITEM
            || (i > 0 && out[i].score > out[i - 1].score))
        {
            return false;
        }
        for (j = 0; j < i; j++) {
            if (out[i].len == out[j].len
                && memcmp(out[i].id, out[j].id, out[i].len) == 0)
            {
                return false;
            }
        }
    }

    return true;
}

static void
test_repair_garbage(void)
{
    struct toplist list;
    unsigned char *bytes;
    size_t i, size = toplist_size(30);
    int round, bad = 0;

    make(&list, 30, HALF_LIFE);
    bytes = (unsigned char *) list.head;

    for (round = 0; round < 2000; round++) {
        if (round % 2 == 0) {
            for (i = 0; i < size; i++) {
                bytes[i] = (unsigned char) draw();
            }
            list.head->n %= 40;
            list.head->current %= 3;
        } else {
            stream(100, 60, 1000);
            for (i = 0; i < 100; i++) {
                add(&list, &events[i]);
            }
            for (i = 0; i < 8; i++) {
                bytes[draw() % size] ^= (unsigned char) (1u << draw() % 8);
            }
        }

        /* Without repair everything stays within the memory ... */
        stream(20, 60, 1000);
        for (i = 0; i < 20; i++) {
            add(&list, &events[i]);
        }

        /* ... and after it everything is right again. */
        toplist_repair(&list);
        bad += !is_sound(&list);
        if (bad == 0) {
            add(&list, &events[0]);
            bad += !is_sound(&list);
        }
    }

    is_int(bad, 0, "2,000 damaged lists are sound after repair");
    free(list.head);
}

static void
test_repair_keeps(void)
{
    struct intent_item before[30], after[30];
    struct toplist list;
    int i, n;

    memset(before, 0, sizeof(before));
    memset(after, 0, sizeof(after));
    make(&list, 30, HALF_LIFE);
    stream(3000, 200, 1000);
    for (i = 0; i < 3000; i++) {
        add(&list, &events[i]);
    }

    n = toplist_top(&list, START, 30, before);
    toplist_repair(&list);
    ok(toplist_top(&list, START, 30, after) == n
       && memcmp(before, after, sizeof(after)) == 0,
       "repair of a sound list changes nothing");

    /* A death while the lightest was being replaced. */
    list.id[list.rank[29] & 0xffff].len = 0;
    toplist_repair(&list);
    is_int(toplist_top(&list, START, 30, after), 29, "a torn item is dropped");
    is_double(after[28].score, before[28].score, 0, "the others stay");
    free(list.head);
}

int
main(void)
{
    test_exact_within_keep(1000, "an hour and a half");
    test_exact_within_keep(HALF_LIFE / 4, "a thousand half-lives");
    test_guarantee();
    test_old_event();
    test_ids();
    test_repair_garbage();
    test_repair_keeps();

    return done_testing();
}
