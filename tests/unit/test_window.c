/* SPDX-License-Identifier: Apache-2.0
 *
 * What windows do beyond the bound of exactness: tiles, their widths and what
 * they may be off by; memory that stays bounded; chains of chunks; growth.
 */
#include <math.h>

#include "../../libagent/signal/tile.h"
#include "stream_case.h"

enum { ITEMS = 60 };

static const int64_t start_ms = 1772000000000;

struct run {
    struct zone zone;
    struct model_table table;
    struct plan_step step;
    struct plan_item items[ITEMS];
    struct window window;
    struct stream stream;
    struct intent_answer answer;
    uint64_t key[2];
    uint64_t rng;
    long failed;
};

static void *
aligned(size_t size)
{
    void *p = aligned_alloc(64, (size + 63) / 64 * 64);

    if (p == NULL) {
        exit(2);
    }

    return p;
}

/* One column (a number), all windows of `windows`. */
static void
simple_table(struct model_table *table, int max_events, bool exact,
             int n_windows, const int64_t *windows)
{
    int i;

    memset(table, 0, sizeof(*table));
    table->max_events = max_events;
    table->exact = exact;
    table->lateness_ms = 3600000;
    table->n_columns = 1;
    table->n_windows = n_windows;
    for (i = 0; i < n_windows; i++) {
        table->windows[i] = windows[i];
    }
    table->retention_ms = windows[n_windows - 1];
}

/* Every operator over every window. */
static void
full_step(struct run *r)
{
    static const enum model_op numbers[] = {
        MODEL_SUM, MODEL_AVG, MODEL_MIN, MODEL_MAX, MODEL_LAST, MODEL_LAST_K
    };
    struct plan_step *step = &r->step;
    size_t i;
    int w;

    memset(step, 0, sizeof(*step));
    step->items = r->items;
    step->n_windows = r->table.n_windows;
    memcpy(step->windows, r->table.windows, sizeof(step->windows));
    step->columns = r->table.n_columns > 0;

    for (w = 0; w < step->n_windows; w++) {
        r->items[step->n_items] = (struct plan_item) {
            .feature = step->n_items, .op = MODEL_COUNT, .window = w,
            .column = -1
        };
        step->n_items++;
        for (i = 0; i < 6 && r->table.n_columns > 0; i++) {
            r->items[step->n_items] = (struct plan_item) {
                .feature = step->n_items, .op = numbers[i], .window = w,
                .k = 5
            };
            step->n_items++;
        }
    }
}

static struct run *
run_new(const char *path, uint64_t size)
{
    struct zone_params params = case_params(size, path == NULL ? 0 : 2);
    struct run *r = aligned(sizeof(*r));

    memset(r, 0, sizeof(*r));
    params.horizon_ms = 70 * 86400000ll;
    if (!case_zone(&r->zone, path, &params)) {
        exit(2);
    }
    r->window = (struct window) { &r->zone, &r->table, 3,
                                  aligned(WINDOW_SCRATCH) };
    r->stream.table = &r->table;
    r->stream.watermark_ms = start_ms;
    r->key[0] = 0x0123456789abcdefull;
    r->key[1] = 0xfedcba9876543210ull;
    r->rng = 42;

    return r;
}

static void
run_free(struct run *r)
{
    zone_close(&r->zone);
    free(r->window.scratch);
    free(r->stream.events);
    free(r);
}

static void
run_restart(struct run *r)
{
    r->key[0] += 0x9e3779b97f4a7c15ull;
    r->key[1] = case_random(&r->rng);
    r->stream.n = 0;
    r->stream.watermark_ms = start_ms;
}

static int
run_apply(struct run *r, const struct stream_event *event)
{
    struct history_event h = stream_history(&r->table, event);
    int rc;

    if (event->time_ms > r->stream.watermark_ms) {
        r->stream.watermark_ms = event->time_ms;
    }
    if (event->time_ms < r->stream.watermark_ms - r->table.lateness_ms) {
        return 0;
    }
    stream_keep(&r->stream, event);
    rc = window_apply(&r->window, r->key, &h, r->stream.watermark_ms, 1000);
    r->failed += rc != 0;

    return rc;
}

/* An event with one number, or with random columns. */
static int
run_number(struct run *r, int64_t time_ms, double number)
{
    struct stream_event event = { .time_ms = time_ms };

    event.columns[0].present = true;
    event.columns[0].number = number;

    return run_apply(r, &event);
}

static void
run_read(struct run *r, int64_t t)
{
    void *memory = aligned(reading_size(&r->table, &r->step));

    r->answer.approx = false;
    r->answer.scratch_used = 0;
    r->failed += reading_run(&r->zone, &r->table, 3, &r->step, r->key, t,
                             1000, memory, &r->answer) != 0;
    free(memory);
}

static int
run_disagreements(struct run *r, int64_t t)
{
    int i, n = 0;

    run_read(r, t);
    for (i = 0; i < r->step.n_items; i++) {
        n += !stream_agrees(&r->stream, &r->step, &r->step.items[i], t,
                            &r->answer.values[i]);
    }

    return n;
}

static struct record *
run_record(struct run *r, shard_entry **entry)
{
    return shard_find(&r->zone, shard_of(&r->zone, r->key), r->key, entry);
}

/* --- white box: the tiles of a history ----------------------------------- */

struct shape {
    uint64_t tiles, cells, bytes;
    uint64_t too_wide, overlaps, disorder, events;
    uint64_t most;                 /* events of one tile */
};

static int64_t
allowed_width(const struct model_table *table, int64_t age)
{
    int i;

    for (i = 0; i < table->n_windows - 1; i++) {
        if (age <= table->windows[i] + table->lateness_ms) {
            break;
        }
    }

    return table->windows[i] / 64;
}

static struct shape
run_shape(struct run *r)
{
    struct shard *shard = shard_of(&r->zone, r->key);
    struct shape out = { 0 };
    const struct tile *tile;
    struct history *history;
    struct history_shape shape;
    int64_t last = INT64_MIN;
    struct segment seg;
    shard_entry *entry;
    uint64_t n;
    uint32_t i;
    bool more;

    history = (struct history *) (void *) run_record(r, &entry);
    if (history == NULL) {
        return out;
    }
    shape = history_shape(&r->table, history->record.flags & HISTORY_WIDE);

    for (more = segment_head(shard, &shape, shard_offset(*entry), &seg); more;
         more = seg.next != 0 && segment_chunk(shard, &shape, seg.next, &seg))
    {
        out.bytes += seg.size;
        out.cells += seg.n_cells;
        out.events += seg.n_cells;
        for (i = 0; i < seg.n_tiles; i++) {
            tile = (const struct tile *) (const void *)
                   (seg.tiles + (size_t) i * shape.tile_size);
            n = ((const struct tile_count *) (const void *)
                 ((const char *) tile + tile_selection(&r->table, 0)))->n;
            out.tiles++;
            out.events += n;
            out.most = n > out.most ? n : out.most;
            out.disorder += tile->first_ms > tile->last_ms;
            out.overlaps += tile->first_ms <= last;
            out.too_wide += tile->last_ms - tile->first_ms
                            > allowed_width(&r->table,
                                            r->stream.watermark_ms
                                            - tile->last_ms);
            last = tile->last_ms;
        }
    }

    return out;
}

/* --- the error of coalesced windows -------------------------------------- */

/* Events with from <= time < to. */
static int64_t
events_in(const struct run *r, int64_t from, int64_t to)
{
    int64_t n = 0;
    size_t i;

    for (i = 0; i < r->stream.n; i++) {
        n += r->stream.events[i].time_ms >= from
             && r->stream.events[i].time_ms < to;
    }

    return n;
}

/* Counts and sums of events with the value 1.0 are off by at most what lies
 * within one tile's width of the window's edges, and by no more than the
 * events of the fullest tile. */
static int
wrong_bounds(struct run *r, int64_t t)
{
    int64_t over, under, want, got, width, window, young;
    struct shape shape = run_shape(r);
    const struct plan_item *item;
    int i, n = 0;

    run_read(r, t);
    young = r->table.windows[0] / 64;

    for (i = 0; i < r->step.n_items; i++) {
        item = &r->step.items[i];
        if (item->op != MODEL_COUNT) {
            continue;
        }
        window = r->step.windows[item->window];
        width = window / 64;
        want = events_in(r, t - window, t + 1);
        got = r->answer.values[i].as.i;
        over = events_in(r, t - window - width, t - window);
        under = events_in(r, t - young, t + 1);

        if (got > want + over || got < want - under
            || llabs(got - want) > (int64_t) shape.most
            || (got != want && !r->answer.approx)
            || fabs(r->answer.values[i + 1].as.d - (double) got) > 1e-9)
        {
            if (n++ == 0) {
                printf("# window %lld at mark - %lld: %lld events, read %lld,"
                       " may be off by +%lld -%lld, fullest tile %llu\n",
                       (long long) window,
                       (long long) (r->stream.watermark_ms - t),
                       (long long) want, (long long) got, (long long) over,
                       (long long) under, (unsigned long long) shape.most);
            }
        }
    }

    return n;
}

static void
test_coalescing(void)
{
    static const int64_t sets[][3] = {
        { 3600000, 86400000, 7 * 86400000ll },
        { 300000, 3600000, 86400000 },
        { 420000, 3000000, 50 * 86400000ll },
        { 61000, 67 * 60000, 25 * 3600000ll }
    };
    long wide = 0, overlaps = 0, disorder = 0, lost = 0, wrong = 0, tiles = 0;
    struct run *r = run_new(NULL, 64 << 20);
    struct shape s;
    int64_t mean, t, back;
    int i, j, n, set;

    for (i = 0; i < 160; i++) {
        set = i % 4;
        simple_table(&r->table, 16 + (int) case_below(&r->rng, 100), false, 3,
                     sets[set]);
        r->table.lateness_ms = i % 3 == 0 ? 0 : 3600000;
        full_step(r);
        run_restart(r);
        mean = sets[set][case_below(&r->rng, 3)]
               / (int64_t) (10 + case_below(&r->rng, 400));
        n = 300 + (int) case_below(&r->rng, 1200);

        for (j = 0; j < n; j++) {
            back = (int64_t) case_below(&r->rng, 6) == 0
                   ? (int64_t) case_below(&r->rng,
                                   (uint64_t) r->table.lateness_ms + 1)
                   : -(int64_t) case_below(&r->rng, (uint64_t) mean * 2 + 1);
            run_number(r, r->stream.watermark_ms - back, 1.0);

            s = run_shape(r);
            tiles += (long) s.tiles;
            wide += (long) s.too_wide;
            overlaps += (long) s.overlaps;
            disorder += (long) s.disorder;
            if (j % 97 == 0 || j == n - 1) {
                t = r->stream.watermark_ms;
                wrong += wrong_bounds(r, t);
                wrong += wrong_bounds(r, t - (int64_t) case_below(&r->rng,
                                     (uint64_t) r->table.lateness_ms + 1));
                wrong += wrong_bounds(r, t + (int64_t) case_below(&r->rng,
                                         (uint64_t) sets[set][1]));
            }
        }
        t = r->stream.watermark_ms;
        lost += events_in(r, t - sets[set][2] - r->table.lateness_ms, t + 1)
                > (int64_t) run_shape(r).events;
    }

    ok(tiles > 1000, "%ld tiles looked at", tiles);
    is_int(wide, 0, "none is wider than 1/64 of the smallest window that "
           "still has to evict it");
    is_int(overlaps, 0, "none overlaps another");
    is_int(disorder, 0, "none ends before it begins");
    is_int(lost, 0, "no event that can be read is lost");
    is_int(wrong, 0, "answers are off by at most one tile's events");
    is_int(r->failed, 0, "every update is taken");
    run_free(r);
}

/* Far more events than are kept: everything lies inside the windows, so
 * counts and sums are right although tiles stand for most. */
static void
test_many(void)
{
    static const int64_t windows[] = { 3600000, 86400000, 7 * 86400000ll };
    struct run *r = run_new(NULL, 64 << 20);
    struct shape s, most = { 0 };
    long double sum = 0;
    double value;
    int i, last = 0;

    simple_table(&r->table, 512, false, 3, windows);
    full_step(r);

    for (i = 0; i < 200000; i++) {
        value = (double) case_below(&r->rng, 100000) / 7.0 - 3000.0;
        run_number(r, start_ms + i * 15, value);
        r->stream.n = 0;
        sum += value;
        last = i;
        if (i % 1000 == 0) {
            s = run_shape(r);
            most.bytes = s.bytes > most.bytes ? s.bytes : most.bytes;
            most.cells = s.cells > most.cells ? s.cells : most.cells;
            most.tiles = s.tiles > most.tiles ? s.tiles : most.tiles;
        }
    }

    run_read(r, start_ms + last * 15);
    is_int(r->answer.values[0].as.i, 200000, "200,000 events: the count");
    is_double(r->answer.values[1].as.d, (double) sum,
              fabs((double) sum) * 1e-12, "the sum has not drifted");
    ok(r->answer.approx, "and the answer says that it is approximate");
    is_int(r->failed, 0, "every update is taken");
    printf("# at most %llu bytes, %llu cells, %llu tiles\n",
           (unsigned long long) most.bytes, (unsigned long long) most.cells,
           (unsigned long long) most.tiles);
    ok(most.bytes <= 65536, "memory of 200,000 events is bounded: %llu bytes",
       (unsigned long long) most.bytes);
    ok(most.cells < 512 * 5 / 4 + 2, "at most a quarter over the bound is "
       "kept one by one");
    ok(case_sound(shard_of(&r->zone, r->key)), "the heap is sound");
    run_free(r);
}

/* A robot: everything at the same millisecond. */
static void
test_one_instant(void)
{
    static const int64_t windows[] = { 1000, 3600000 };
    struct run *r = run_new(NULL, 64 << 20);
    int i;

    simple_table(&r->table, 64, false, 2, windows);
    full_step(r);
    for (i = 0; i < 5000; i++) {
        run_number(r, start_ms, 0.25);
    }
    run_read(r, start_ms);
    is_int(r->answer.values[0].as.i, 5000, "5000 events of one instant");
    is_double(r->answer.values[1].as.d, 1250.0, 0.0, "their sum");
    run_read(r, start_ms + 1000);
    is_int(r->answer.values[0].as.i, 5000, "at the window's end");
    run_read(r, start_ms + 1001);
    is_int(r->answer.values[0].as.i, 0, "gone a millisecond later");
    is_int(r->answer.values[7].as.i, 5000, "not from the longer window");
    run_free(r);
}

/* --- exact: true ---------------------------------------------------------- */

static void
test_exact(void)
{
    static const int64_t windows[] = { 60000, 3600000 };
    struct run *r = run_new(NULL, 64 << 20);
    struct shape s, full;
    int64_t t = start_ms;
    int i, wrong = 0;

    simple_table(&r->table, 16, true, 2, windows);
    full_step(r);

    for (i = 0; i < 30000; i++) {
        t += (int64_t) case_below(&r->rng, 400);
        run_number(r, t - (int64_t) case_below(&r->rng, 2) * 1700,
                   (double) case_below(&r->rng, 1000) / 8.0);
        if (i % 3000 == 2999) {
            wrong += run_disagreements(r, t);
            wrong += run_disagreements(r, t - 3600000);
            wrong += run_disagreements(r, t - 1800123);
        }
    }

    full = run_shape(r);
    is_int(full.tiles, 0, "exact: no tiles");
    ok(full.cells > 20000 && full.bytes > 5 * HEAP_MAX_SLOT,
       "%llu events in %llu bytes", (unsigned long long) full.cells,
       (unsigned long long) full.bytes);
    is_int(wrong, 0, "every answer is exact");
    ok(!r->answer.approx, "and not approximate");
    ok(case_sound(shard_of(&r->zone, r->key)), "the chain is sound");

    for (i = 0; i < 3000; i++) {
        run_number(r, t + 4 * 3600000 + i, 1.0);
    }
    s = run_shape(r);
    ok(s.bytes < full.bytes / 4, "what expired is freed: %llu bytes",
       (unsigned long long) s.bytes);
    is_int(run_disagreements(r, t + 4 * 3600000 + i), 0, "and still exact");
    is_int(r->failed, 0, "every update is taken");
    ok(case_sound(shard_of(&r->zone, r->key)), "the heap is sound");
    run_free(r);
}

/* --- strings -------------------------------------------------------------- */

/* Tiles carry the last string of each column for each condition: these take
 * part in what a rewrite asks the heap for. */
static void
test_strings(void)
{
    static const int64_t windows[] = { 3600000, 86400000 };
    static char text[INTENT_MAX_STRING];
    struct run *r = run_new(NULL, 512 << 20);
    struct history_event event = { 0 };
    int i, c, len, rc, failed = 0;

    simple_table(&r->table, 20, false, 2, windows);
    memset(text, 'x', sizeof(text));

    for (len = 1; len <= INTENT_MAX_STRING; len = len * 3 / 2 + 1) {
        for (c = 1; c <= 4; c++) {
            r->table.n_columns = c;
            r->table.n_wheres = 4 * c - 3;
            for (i = 0; i < c; i++) {
                r->table.columns[i].string = true;
            }
            run_restart(r);
            for (i = 0; i < 600; i++) {
                event.time_ms = start_ms + i * 60000;
                event.wheres = (uint32_t) case_random(&r->rng) & 0xffff;
                for (rc = 0; rc < c; rc++) {
                    event.columns[rc] = (struct history_value) {
                        true, (uint32_t) len, 0.0, text
                    };
                }
                rc = window_apply(&r->window, r->key, &event, event.time_ms,
                                  0);
                if (rc != 0 && failed++ < 5) {
                    printf("# %d bytes, %d columns, %d wheres, event %d: "
                           "%d\n", len, c, r->table.n_wheres, i, rc);
                }
            }
        }
    }
    is_int(failed, 0, "every update with strings is taken");
    run_free(r);
}

/* More than a shard can hold: what is exact is refused, where it may be it is
 * coalesced, and the rest of the shard stays. */
static void
test_too_much(void)
{
    static const int64_t windows[] = { 3600000, 86400000 };
    static char text[INTENT_MAX_STRING];
    struct run *r = run_new(case_path("zone"), 3 << 20);
    struct history_event event = { 0 };
    uint64_t other[2] = { 5, r->key[1] };
    int i, rc = 0, failed = 0, grown = 0;
    struct shape s;
    shard_entry *entry;

    simple_table(&r->table, 512, true, 2, windows);
    full_step(r);
    event.time_ms = start_ms;
    window_apply(&r->window, other, &event, start_ms, 0);
    for (i = 0; i < 400000 && rc == 0; i++) {
        rc = run_number(r, start_ms + i, 1.0);
    }
    s = run_shape(r);
    is_int(rc, -EFBIG, "exact: refused after %d events and %llu bytes", i,
           (unsigned long long) s.bytes);
    ok(s.bytes < 600000, "half of a shard");
    for (i = 0; i < 1000; i++) {
        rc = run_number(r, start_ms + 400000, 1.0);
    }
    is_int(rc, -EFBIG, "again and again");
    ok(shard_find(&r->zone, shard_of(&r->zone, other), other, &entry) != NULL,
       "and nobody else had to go");
    r->stream.n = 0;
    rc = run_number(r, start_ms + 90001000 + 400000, 2.0);
    is_int(rc, 0, "until it has expired");
    run_free(r);
    unlink(case_path("zone"));

    r = run_new(NULL, 64 << 20);
    simple_table(&r->table, 4096, false, 2, windows);
    r->table.columns[0].string = r->table.columns[1].string = true;
    r->table.n_columns = 2;
    memset(text, 'x', sizeof(text));
    for (i = 0; i < 6000; i++) {
        event.time_ms = start_ms + i * 1000;
        event.columns[0] = event.columns[1] = (struct history_value) {
            true, sizeof(text), 0.0, text
        };
        rc = window_apply(&r->window, r->key, &event, event.time_ms, 0);
        if (rc == -ENOSPC) {
            /* As a zone that grows does. */
            run_free(r);
            r = run_new(NULL, 128 << 20);
            simple_table(&r->table, 4096, false, 2, windows);
            r->table.columns[0].string = r->table.columns[1].string = true;
            r->table.n_columns = 2;
            i = grown++ == 0 ? -1 : 6000;
            continue;
        }
        failed += rc != 0;
    }
    s = run_shape(r);
    is_int(failed, 0, "not exact: 12 MB of strings are coalesced");
    ok(s.bytes < 3 << 20, "into %llu bytes", (unsigned long long) s.bytes);
    is_int(s.events, 6000, "and none is lost");
    run_free(r);
}

/* --- a configuration that changes the windows alone ----------------------- */

static void
test_retention(void)
{
    static const int64_t before[] = { 3600000, 30 * 86400000ll };
    static const int64_t after[] = { 3600000, 60 * 86400000ll };
    struct run *r = run_new(NULL, 64 << 20);
    int i;

    for (i = 0; i < 50; i++) {
        simple_table(&r->table, 512, false, 2, before);
        full_step(r);
        run_number(r, start_ms + i * 1000, 2.0);
    }
    simple_table(&r->table, 512, false, 2, after);
    full_step(r);
    is_int(run_disagreements(r, start_ms + 60000), 0,
           "a longer window reads the events that are there");
    run_number(r, start_ms + 50000, 3.0);
    is_int(run_disagreements(r, start_ms + 60000), 0, "and takes more");
    simple_table(&r->table, 512, false, 2, before);
    full_step(r);
    run_number(r, start_ms + 51000, 4.0);
    is_int(run_disagreements(r, start_ms + 60000), 0, "and back");
    is_int(r->failed, 0, "every update is taken");
    run_free(r);
}

/* --- growth of a private zone --------------------------------------------- */

static int
move_record(void *arg, struct shard *shard, shard_entry *entry,
            struct record *record)
{
    return window_migrate(arg, shard, *entry, record);
}

static void
test_migrate(void)
{
    static const int64_t windows[] = { 3600000, 7 * 86400000ll };
    struct zone_params params = case_params(32 << 20, 0);
    struct run *r = run_new(NULL, 8 << 20);
    struct zone grown;
    uint64_t records, i, n, moved;
    long lost = 0, wrong = 0;
    int64_t t;
    int week;

    params.horizon_ms = 70 * 86400000ll;
    simple_table(&r->table, 512, true, 2, windows);
    full_step(r);

    /* Whatever the calendar says: stamps come round in half a year. */
    for (week = 0; week < 60; week++) {
        t = start_ms + week * 7 * 86400000ll;
        for (i = 0, n = 0; i < 4000 && n == 0; i++) {
            r->key[0] = i * 0x9e3779b97f4a7c15ull;
            r->key[1] = i * 0xd1342543de82ef95ull;
            r->stream.n = 0;
            r->stream.watermark_ms = t;
            n += run_number(r, t, (double) i) != 0;
        }
        is_int(n, 0, "week %d: recorded", week);
        for (i = 0; i < 9000; i++) {
            run_number(r, t + 1000 + (int64_t) i, 1.0);
        }

        case_zone(&grown, NULL, &params);
        for (records = 0, moved = 0, i = 0; i < r->zone.header->n_shards;
             i++)
        {
            records += zone_shard(&r->zone, (uint32_t) i)->records;
            moved += shard_each(&r->zone, zone_shard(&r->zone, (uint32_t) i),
                                move_record, &grown) != 0;
        }
        lost += (long) moved;
        for (i = 0; i < grown.header->n_shards; i++) {
            lost += !case_sound(zone_shard(&grown, (uint32_t) i));
            records -= zone_shard(&grown, (uint32_t) i)->records;
        }
        lost += (long) records;

        zone_close(&r->zone);
        r->zone = grown;
        wrong += run_disagreements(r, t + 3600000);
        zone_close(&r->zone);
        params.size = 8 << 20;
        case_zone(&r->zone, NULL, &params);
        params.size = 32 << 20;
    }
    is_int(lost, 0, "growing keeps every record");
    is_int(wrong, 0, "and every event of a long one");
    run_free(r);
}

int
main(void)
{
    test_coalescing();
    test_many();
    test_one_instant();
    test_exact();
    test_strings();
    test_too_much();
    test_retention();
    test_migrate();
    case_folder_remove();

    return done_testing();
}
