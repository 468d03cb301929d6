/* SPDX-License-Identifier: Apache-2.0
 *
 * Random streams, and the answers that the definitions give for them: from a
 * plain array of all events, with nothing of the product in it.
 */
#ifndef INTENT_STREAM_CASE_H
#define INTENT_STREAM_CASE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../libagent/signal/history.h"
#include "../../libagent/signal/reading.h"
#include "../../libagent/signal/window.h"
#include "zone_case.h"

enum { STREAM_STRING = 40 };

struct stream_value {
    bool present;
    double number;
    uint32_t len;
    char string[STREAM_STRING];
};

struct stream_event {
    int64_t time_ms;
    uint32_t wheres;
    struct stream_value columns[PLAN_MAX_COLUMNS];
};

/* All events of one key, in the order of their arrival. */
struct stream {
    const struct model_table *table;
    size_t n, size;
    struct stream_event *events;
    int64_t watermark_ms;
};

__attribute__((unused))
static void
stream_keep(struct stream *s, const struct stream_event *event)
{
    if (s->n == s->size) {
        s->size = s->size == 0 ? 64 : s->size * 2;
        s->events = realloc(s->events, s->size * sizeof(*s->events));
        if (s->events == NULL) {
            exit(2);
        }
    }
    s->events[s->n++] = *event;
}

/* The event as the product takes it. */
__attribute__((unused))
static struct history_event
stream_history(const struct model_table *table,
               const struct stream_event *event)
{
    struct history_event out = { .time_ms = event->time_ms,
                                 .wheres = event->wheres };
    int c;

    for (c = 0; c < table->n_columns; c++) {
        out.columns[c] = (struct history_value) {
            .present = event->columns[c].present,
            .len = event->columns[c].len,
            .number = event->columns[c].number,
            .string = event->columns[c].string
        };
    }

    return out;
}

/* --- what the definitions say ------------------------------------------- */

struct oracle {
    int64_t count;                 /* of events */
    int64_t values;                /* of them with the column */
    long double sum, magnitude;
    double min, max;
    const struct stream_value *last;
    int n_list;
    const struct stream_value *list[MODEL_MAX_K];       /* oldest first */
};

/* Of the events of the window that have the column, in the order of time and
 * at equal times of arrival, the r-th from the end. */
static const struct stream_value *
oracle_rank(const struct stream *s, int64_t from_ms, int64_t to_ms, int where,
            int column, int rank)
{
    const struct stream_event *best = NULL, *e;
    int64_t below_ms = INT64_MAX;
    size_t below = SIZE_MAX, i, at = 0;

    for (/* void */; rank >= 0; rank--) {
        best = NULL;
        for (i = 0; i < s->n; i++) {
            e = &s->events[i];
            if (e->time_ms < from_ms || e->time_ms > to_ms
                || (where > 0 && !(e->wheres & 1u << (where - 1)))
                || !e->columns[column].present
                || e->time_ms > below_ms
                || (e->time_ms == below_ms && i >= below))
            {
                continue;
            }
            if (best == NULL || e->time_ms >= best->time_ms) {
                best = e;
                at = i;
            }
        }
        if (best == NULL) {
            return NULL;
        }
        below_ms = best->time_ms;
        below = at;
    }

    return &best->columns[column];
}

__attribute__((unused))
static struct oracle
oracle(const struct stream *s, int64_t t, int64_t window, int where,
       int column, int k)
{
    const struct stream_value *v, *list[MODEL_MAX_K];
    struct oracle o = { 0 };
    const struct stream_event *e;
    size_t i;
    int r;

    for (i = 0; i < s->n; i++) {
        e = &s->events[i];
        if (e->time_ms < t - window || e->time_ms > t
            || (where > 0 && !(e->wheres & 1u << (where - 1))))
        {
            continue;
        }
        o.count++;
        if (column < 0 || !e->columns[column].present) {
            continue;
        }
        v = &e->columns[column];
        if (o.values++ == 0) {
            o.min = o.max = v->number;
        }
        o.sum += v->number;
        o.magnitude += v->number < 0 ? -v->number : v->number;
        o.min = v->number < o.min ? v->number : o.min;
        o.max = v->number > o.max ? v->number : o.max;
    }

    if (column >= 0) {
        o.last = oracle_rank(s, t - window, t, where, column, 0);
        for (r = 0; r < k; r++) {
            v = oracle_rank(s, t - window, t, where, column, r);
            if (v == NULL) {
                break;
            }
            list[o.n_list++] = v;
        }
        for (r = 0; r < o.n_list; r++) {
            o.list[r] = list[o.n_list - 1 - r];
        }
    }

    return o;
}

/* --- comparing ---------------------------------------------------------- */

static bool
same_number(double got, long double want, long double magnitude)
{
    long double off = got > want ? got - want : want - got;
    long double size = want < 0 ? -want : want;

    /* A rounding or two of the sum; where positive and negative all but
     * cancel, what the oracle's own 64 bits let slip. */
    return off <= 5e-16L * size + 1e-17L * magnitude;
}

static bool
same_value(const struct intent_value *got, const struct stream_value *want,
           bool string)
{
    if (want == NULL) {
        return got->kind == INTENT_NULL;
    }

    return string ? got->kind == INTENT_STRING && got->len == want->len
                    && memcmp(got->as.s, want->string, want->len) == 0
                  : got->kind == INTENT_DOUBLE && got->as.d == want->number;
}

/* Whether the value read for an item is the one that the definitions give. */
__attribute__((unused))
static bool
stream_agrees(const struct stream *s, const struct plan_step *step,
              const struct plan_item *item, int64_t t,
              const struct intent_value *got)
{
    struct oracle o = oracle(s, t, step->windows[item->window], item->where,
                             item->column,
                             item->op == MODEL_LAST_K ? item->k : 0);
    bool string = item->column >= 0
                  && s->table->columns[item->column].string;
    int i;

    switch (item->op) {

    case MODEL_COUNT:
        return got->kind == INTENT_INT && got->as.i == o.count;

    case MODEL_SUM:
        return got->kind == INTENT_DOUBLE
               && same_number(got->as.d, o.sum, o.magnitude);

    case MODEL_AVG:
        return o.values == 0 ? got->kind == INTENT_NULL
               : got->kind == INTENT_DOUBLE
                 && same_number(got->as.d, o.sum / o.values,
                                o.magnitude / o.values);

    case MODEL_MIN:
        return o.values == 0 ? got->kind == INTENT_NULL
               : got->kind == INTENT_DOUBLE && got->as.d == o.min;

    case MODEL_MAX:
        return o.values == 0 ? got->kind == INTENT_NULL
               : got->kind == INTENT_DOUBLE && got->as.d == o.max;

    case MODEL_LAST:
        return same_value(got, o.last, string);

    case MODEL_LAST_K:
        if (got->kind != INTENT_LIST || (int) got->len != o.n_list) {
            return false;
        }
        for (i = 0; i < o.n_list; i++) {
            if (!same_value(&got->as.items[i], o.list[i], string)) {
                return false;
            }
        }
        return true;
    }

    return false;
}

/* --- random tables and what is read of them ------------------------------ */

/* Windows from a second to two months. */
static const int64_t stream_windows[] = {
    1000, 7777, 60000, 300000, 3600000, 86400000, 7 * 86400000ll,
    30 * 86400000ll, 61 * 86400000ll
};

__attribute__((unused))
static void
random_table(uint64_t *rng, struct model_table *table)
{
    const size_t all = sizeof(stream_windows) / sizeof(*stream_windows);
    size_t i;
    int c;

    memset(table, 0, sizeof(*table));
    table->identity = 1;
    table->max_events = 4096;
    table->lateness_ms = (int64_t[]) {
        0, 500, 60000, 3600000, 86400000
    }[case_below(rng, 5)];

    while (table->n_windows == 0) {
        for (i = 0; i < all; i++) {
            if (case_below(rng, 3) == 0) {
                table->windows[table->n_windows++] = stream_windows[i];
            }
        }
    }
    table->retention_ms = table->windows[table->n_windows - 1];

    table->n_columns = (int) case_below(rng, 5);
    for (c = 0; c < table->n_columns; c++) {
        table->columns[c] = (struct table_column) { c,
                                                    case_below(rng, 3) == 0 };
    }
    table->n_wheres = case_below(rng, 2) == 0 ? 0
                      : (int) case_below(rng, 4);
}

/* Up to `max` items of every kind over the table; the windows that they use
 * are a part of the table's. */
__attribute__((unused))
static void
random_step(uint64_t *rng, const struct model_table *table,
            struct plan_step *step, struct plan_item *items, int max)
{
    struct plan_item *item;
    int i;

    memset(step, 0, sizeof(*step));
    step->items = items;
    for (i = 0; i < table->n_windows; i++) {
        if (case_below(rng, 3) != 0 || table->n_windows == 1) {
            step->windows[step->n_windows++] = table->windows[i];
        }
    }
    if (step->n_windows == 0) {
        step->windows[step->n_windows++] = table->windows[0];
    }

    for (i = 0; i < max; i++) {
        item = &items[i];
        *item = (struct plan_item) {
            .feature = i, .op = MODEL_COUNT, .column = -1,
            .window = (int) case_below(rng, (uint64_t) step->n_windows),
            .where = (int) case_below(rng, (uint64_t) table->n_wheres + 1)
        };
        if (table->n_columns > 0 && case_below(rng, 7) != 0) {
            item->column = (int) case_below(rng,
                                            (uint64_t) table->n_columns);
            item->op = table->columns[item->column].string
                       ? (case_below(rng, 2) ? MODEL_LAST : MODEL_LAST_K)
                       : (enum model_op) (MODEL_SUM + case_below(rng, 6));
            item->k = item->op == MODEL_LAST_K
                      ? 1 + (int) case_below(rng, 7) : 0;
            step->columns |= 1u << item->column;
        }
        if (item->where > 0) {
            step->wheres |= 1u << (item->where - 1);
        }
    }
    step->n_items = max;
}

/* What the numbers of a stream are like. */
enum stream_numbers {
    STREAM_NARROW,                 /* seconds with three decimals */
    STREAM_WHOLE,
    STREAM_SIGNED,
    STREAM_WIDE,                   /* any magnitude from 1e-9 to 1e15 */
    STREAM_MIXED,                  /* narrow, rarely wide */
    STREAM_KINDS
};

static double
random_number(uint64_t *rng, enum stream_numbers kind)
{
    double x = (double) case_below(rng, 1000000) / 1000.0;

    if (kind == STREAM_MIXED) {
        kind = case_below(rng, 40) == 0 ? STREAM_WIDE : STREAM_NARROW;
    }

    switch (kind) {

    case STREAM_WHOLE:
        return (double) case_below(rng, 1000);

    case STREAM_SIGNED:
        return case_below(rng, 2) ? x : -x;

    case STREAM_WIDE:
        return (double) case_random(rng) / 1.8e19
               * __builtin_pow(10.0, (double) case_below(rng, 25) - 9.0);

    default:
        return x;
    }
}

__attribute__((unused))
static void
random_event(uint64_t *rng, const struct model_table *table,
             enum stream_numbers kind, int64_t time_ms,
             struct stream_event *event)
{
    struct stream_value *v;
    int c;

    memset(event, 0, sizeof(*event));
    event->time_ms = time_ms;
    event->wheres = (uint32_t) case_below(rng, 1u << table->n_wheres);

    for (c = 0; c < table->n_columns; c++) {
        v = &event->columns[c];
        v->present = case_below(rng, 5) != 0;
        if (!v->present) {
            continue;
        }
        if (table->columns[c].string) {
            v->len = (uint32_t) case_below(rng, STREAM_STRING + 1);
            memset(v->string, (int) ('a' + case_below(rng, 26)), v->len);
        } else {
            v->number = random_number(rng, kind);
        }
    }
}

#endif
