/* SPDX-License-Identifier: Apache-2.0
 *
 * Thousands of random streams read at random and at awkward times: every
 * answer against the definitions.
 */
#include "stream_case.h"

enum { STREAMS = 3000, ITEMS = 24 };

struct run {
    struct zone zone;
    struct model_table table;
    struct plan_step step;
    struct plan_item items[ITEMS];
    struct window window;
    struct stream stream;
    uint64_t key[2];
    uint64_t rng;
    long reads, answers, wrong, approx;
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

static bool
run_apply(struct run *r, const struct stream_event *event)
{
    struct history_event h = stream_history(&r->table, event);

    if (event->time_ms > r->stream.watermark_ms) {
        r->stream.watermark_ms = event->time_ms;
    }
    if (event->time_ms < r->stream.watermark_ms - r->table.lateness_ms) {
        return true;
    }
    stream_keep(&r->stream, event);

    return window_apply(&r->window, r->key, &h, r->stream.watermark_ms, 1000)
           == 0;
}

static void
run_read(struct run *r, int64_t t)
{
    static struct intent_answer answer;
    void *memory = aligned(reading_size(&r->table, &r->step));
    int i;

    answer.approx = false;
    answer.scratch_used = 0;
    r->reads++;

    if (reading_run(&r->zone, &r->table, 3, &r->step, r->key, t, 1000, memory,
                    &answer) != 0)
    {
        r->wrong++;
    }
    r->approx += answer.approx;

    for (i = 0; i < r->step.n_items; i++) {
        r->answers++;
        if (!stream_agrees(&r->stream, &r->step, &r->step.items[i], t,
                           &answer.values[i])
            && r->wrong++ < 5)
        {
            printf("# op %d window %lld where %d column %d at %lld (mark %lld,"
                   " lateness %lld): kind %d, %lld or %.17g\n",
                   (int) r->step.items[i].op,
                   (long long) r->step.windows[r->step.items[i].window],
                   r->step.items[i].where, r->step.items[i].column,
                   (long long) t, (long long) r->stream.watermark_ms,
                   (long long) r->table.lateness_ms,
                   (int) answer.values[i].kind,
                   (long long) answer.values[i].as.i, answer.values[i].as.d);
        }
    }
    free(memory);
}

/* Reads where answers change: an event enters at its time and is gone one
 * millisecond after its window's end. */
static void
run_reads(struct run *r)
{
    int64_t mark = r->stream.watermark_ms, oldest, t, edge;
    const struct stream_event *e;
    int i;

    oldest = mark - r->table.lateness_ms;
    run_read(r, mark);
    run_read(r, oldest);
    run_read(r, mark + (int64_t) case_below(&r->rng, 100000));

    for (i = 0; i < 4; i++) {
        e = &r->stream.events[case_below(&r->rng, r->stream.n)];
        edge = r->step.windows[case_below(&r->rng,
                                          (uint64_t) r->step.n_windows)];
        t = e->time_ms + (i % 2 == 0 ? edge : 0)
            + (int64_t) case_below(&r->rng, 3) - 1;
        if (t >= oldest) {
            run_read(r, t);
        }
    }
}

static int64_t
next_time(struct run *r, int64_t mean)
{
    int64_t mark = r->stream.watermark_ms;

    switch (case_below(&r->rng, 8)) {

    case 0:                        /* late, in time or not */
        return mark - (int64_t) case_below(&r->rng,
                          (uint64_t) (r->table.lateness_ms * 5 / 4 + 2));

    case 1:
        return mark;

    case 2:                        /* exactly as late as may be */
        return mark - r->table.lateness_ms
               - (int64_t) case_below(&r->rng, 2);

    default:
        return mark + (int64_t) case_below(&r->rng, (uint64_t) mean * 2 + 1);
    }
}

static void
run_stream(struct run *r)
{
    struct stream_event event;
    enum stream_numbers kind;
    int64_t mean;
    size_t i, n;

    random_table(&r->rng, &r->table);
    random_step(&r->rng, &r->table, &r->step, r->items, ITEMS);
    r->window.table = &r->table;
    r->stream.n = 0;
    r->stream.table = &r->table;
    r->stream.watermark_ms = case_below(&r->rng, 8) == 0
                             ? (int64_t) case_below(&r->rng, 2000000) - 1000000
                             : 1772000000000
                               + (int64_t) case_below(&r->rng, 1u << 31);
    r->key[0] = case_random(&r->rng);
    r->key[1] = case_random(&r->rng);

    kind = (enum stream_numbers) case_below(&r->rng, STREAM_KINDS);
    n = 1 + (size_t) case_below(&r->rng, 120);
    mean = stream_windows[case_below(&r->rng, 9)]
           / (1 + (int64_t) case_below(&r->rng, 60));

    for (i = 0; i < n; i++) {
        random_event(&r->rng, &r->table, kind, next_time(r, mean), &event);
        if (!run_apply(r, &event)) {
            r->wrong++;
        }
        if (case_below(&r->rng, 10) == 0 && r->stream.n > 0) {
            run_reads(r);
        }
    }
    if (r->stream.n > 0) {
        run_reads(r);
    }
}

/* Streams share a zone, so that they also move and evict each other's slots
 * when it grows full of them: it is private and large enough not to. */
static void
test_streams(void)
{
    struct run *r = aligned(sizeof(*r));
    struct zone_params params = case_params(64 << 20, 0);
    int i;

    memset(r, 0, sizeof(*r));
    params.horizon_ms = 62 * 86400000ll + 86400000ll;
    if (!ok(case_zone(&r->zone, NULL, &params), "a private zone")) {
        return;
    }
    r->window.zone = &r->zone;
    r->window.index = 3;
    r->window.scratch = aligned(WINDOW_SCRATCH);
    r->rng = 20260301;

    for (i = 0; i < STREAMS && r->wrong < 100; i++) {
        run_stream(r);
    }

    is_int(r->wrong, 0, "%ld answers of %ld reads of %d streams are right",
           r->answers, r->reads, i);
    is_int(r->approx, 0, "none of them is approximate");

    free(r->stream.events);
    free(r->window.scratch);
    zone_close(&r->zone);
    free(r);
}

/* A key without a record reads as no events. */
static void
test_unknown(void)
{
    struct zone_params params = case_params(8 << 20, 0);
    const uint64_t key[2] = { 1, 2 };
    struct intent_answer answer;
    struct plan_item items[ITEMS];
    struct model_table table;
    struct plan_step step;
    uint64_t rng = 7;
    struct zone zone;
    void *memory;
    int i, rc = 0, wrong = 0;

    case_zone(&zone, NULL, &params);
    do {
        random_table(&rng, &table);
    } while (table.n_columns < 3);
    random_step(&rng, &table, &step, items, ITEMS);
    memory = aligned(reading_size(&table, &step));
    answer.approx = false;
    answer.scratch_used = 0;

    rc = reading_run(&zone, &table, 0, &step, key, 1772000000000, 0, memory,
                     &answer);
    is_int(rc, 0, "an unknown key is no error");
    ok(!answer.approx, "nor approximate");

    for (i = 0; i < ITEMS; i++) {
        const struct intent_value *v = &answer.values[i];

        wrong += items[i].op == MODEL_COUNT
                 ? v->kind != INTENT_INT || v->as.i != 0
                 : items[i].op == MODEL_SUM
                 ? v->kind != INTENT_DOUBLE || v->as.d != 0.0
                 : items[i].op == MODEL_LAST_K
                 ? v->kind != INTENT_LIST || v->len != 0
                 : v->kind != INTENT_NULL;
    }
    is_int(wrong, 0, "counts 0, sums 0.0, lists empty, the rest null");

    free(memory);
    zone_close(&zone);
}

int
main(void)
{
    test_streams();
    test_unknown();

    return done_testing();
}
