/* SPDX-License-Identifier: Apache-2.0
 *
 * Death by SIGKILL at every crash point inside a critical section, thousands
 * of times: whoever comes next goes on at once, at most the one update is
 * lost, no other record is changed, and nothing leaks. Likewise for lanes.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "../../libagent/base/crash.h"
#include "../../libagent/base/hash.h"
#include "../../libagent/state/account.h"
#include "../../libagent/state/index.h"
#include "../../libagent/state/lane.h"
#include "stream_case.h"

#ifdef INTENT_CRASH_POINTS

void (*intent_crash_hook)(const char *point);

enum { ITEMS = 16, TABLE = 3, MAX_ROUNDS = 20000, SEEN = 1 << 16 };

static const int64_t start_ms = 1772000000000;

static const char *victim_point;
static int countdown;

static void
die(const char *point)
{
    if (strcmp(point, victim_point) == 0 && countdown-- == 0) {
        kill(getpid(), SIGKILL);
    }
}

static uint64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}

/* --- one kind of life to be killed in ------------------------------------- */

struct scene {
    const char *name;
    uint64_t zone_size;
    int users, fill;               /* fill: newcomers put in before */
    int rounds;                    /* per point */
    bool exact, strings, crowd;    /* crowd: the shard is full */
    int max_events;
    int64_t step_ms;
};

static struct zone zone, shadow;
static struct model_table table;
static struct plan_step step;
static struct plan_item items[ITEMS];
static struct window window, shadow_window;
static struct shard *shard;
static uint64_t rng = 77;
static int64_t mark_ms;
static uint64_t *counters;         /* shared with the children */
static void *reading_memory;
static uint64_t waits[MAX_ROUNDS];
static int n_waits;

static void *
aligned(size_t size)
{
    void *p = aligned_alloc(64, (size + 63) / 64 * 64);

    if (p == NULL) {
        exit(2);
    }

    return p;
}

static void
key_of(uint64_t user, uint64_t key[static 2])
{
    key[0] = user * 0x9e3779b97f4a7c15ull + 1;
    key[0] ^= key[0] >> 29;
    key[1] = (user * 0xbf58476d1ce4e5b9ull) & 0xffffffff;   /* shard 0 */
}

static void
make_table(const struct scene *scene)
{
    int i;

    memset(&table, 0, sizeof(table));
    memset(&step, 0, sizeof(step));
    table.exact = scene->exact;
    table.max_events = scene->max_events;
    table.lateness_ms = 60000;
    table.n_windows = 2;
    table.windows[0] = 600000;
    table.windows[1] = 6 * 3600000;
    table.retention_ms = table.windows[1];
    table.n_columns = scene->strings ? 2 : 1;
    table.columns[1].string = true;
    table.n_wheres = scene->strings ? 1 : 0;

    step.n_windows = 2;
    memcpy(step.windows, table.windows, sizeof(step.windows));
    step.items = items;
    for (i = 0; i < ITEMS; i++) {
        items[i] = (struct plan_item) {
            .feature = i, .window = i % 2, .column = i < 2 ? -1 : 0,
            .op = (enum model_op) (MODEL_COUNT + i / 2 % 7), .k = 4,
            .where = scene->strings ? i / 8 : 0
        };
        if (items[i].op == MODEL_COUNT) {
            items[i].column = -1;
        } else if (scene->strings && items[i].op >= MODEL_LAST) {
            items[i].column = 1;
        }
    }
    step.n_items = ITEMS;
    step.columns = 3;
    step.wheres = 1;
}

static struct stream_event
next_event(const struct scene *scene)
{
    struct stream_event event;

    mark_ms += (int64_t) case_below(&rng, (uint64_t) scene->step_ms * 2);
    random_event(&rng, &table, case_below(&rng, 200) == 0 ? STREAM_WIDE
                                                          : STREAM_NARROW,
                 mark_ms - (int64_t) case_below(&rng, 4) * 1000, &event);

    return event;
}

/* --- what is compared ----------------------------------------------------- */

static void
read_all(struct zone *z, const uint64_t key[static 2], int64_t t,
         struct intent_answer *answer)
{
    memset(answer, 0, sizeof(*answer));
    if (reading_run(z, &table, TABLE, &step, key, t, 1000000, reading_memory,
                    answer) != 0)
    {
        printf("# not to be read\n");
        exit(2);
    }
}

static bool
same_values(const struct intent_value *a, const struct intent_value *b,
            uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        if (a[i].kind != b[i].kind || a[i].len != b[i].len
            || (a[i].kind == INTENT_STRING
                ? memcmp(a[i].as.s, b[i].as.s, a[i].len) != 0
                : a[i].kind == INTENT_LIST
                ? !same_values(a[i].as.items, b[i].as.items, a[i].len)
                : a[i].kind != INTENT_NULL && a[i].as.i != b[i].as.i))
        {
            return false;
        }
    }

    return true;
}

static bool
same(const struct intent_answer *a, const struct intent_answer *b)
{
    return same_values(a->values, b->values, ITEMS) && a->approx == b->approx;
}

/* The bytes of every record by its key. */
static struct {
    uint64_t key, hash;
} seen[SEEN];

struct others {
    uint64_t but;                  /* this key */
    bool compare;
    uint64_t n, changed, new;
};

static uint64_t
record_hash(const struct shard *s, uint32_t ref)
{
    const struct record *record = heap_at(s, ref);
    uint32_t size = heap_slot_size(s, ref), next;
    uint64_t hash = hash_check(1, record, size);
    const struct chunk *chunk;

    next = size == HEAP_MAX_SLOT ? record->next : 0;
    while ((chunk = shard_chunk(s, next, &size)) != NULL) {
        hash = hash_check(hash, chunk, size);
        next = chunk->next;
    }

    return hash;
}

static int
see(void *arg, struct shard *s, shard_entry *entry, struct record *record)
{
    struct others *o = arg;
    uint64_t at = record->key[0] % SEEN;

    if (record->key[0] == o->but) {
        return 0;
    }
    o->n++;
    while (seen[at].key != 0 && seen[at].key != record->key[0]) {
        at = (at + 1) % SEEN;
    }
    if (!o->compare) {
        seen[at].key = record->key[0];
        seen[at].hash = record_hash(s, shard_offset(*entry));
    } else if (seen[at].key == 0) {
        o->new++;
    } else {
        o->changed += seen[at].hash != record_hash(s, shard_offset(*entry));
    }

    return 0;
}

static uint64_t
remember(uint64_t but)
{
    struct others o = { .but = but };

    memset(seen, 0, sizeof(seen));
    shard_each(&zone, shard, see, &o);

    return o.n;
}

/* Bytes left where the next cell goes; of the table without strings. */
static uint32_t
room_left(const uint64_t key[static 2])
{
    struct history_shape shape;
    struct record *record;
    struct segment seg;
    shard_entry *entry;
    bool more;

    record = shard_find(&zone, shard, key, &entry);
    if (record == NULL
        || heap_slot_size(shard, shard_offset(*entry)) < HEAP_MAX_SLOT)
    {
        return UINT32_MAX;
    }
    shape = history_shape(&table, record->flags);
    for (more = segment_head(shard, &shape, shard_offset(*entry), &seg);
         more && seg.next != 0; more = segment_next(shard, &shape, &seg))
    {
        /* void */
    }

    return (uint32_t) (seg.slot + seg.size
                       - (seg.cells + seg.n_cells * shape.cell_size));
}

/* Updates until the next one needs a chunk. */
static void
fill_up(const uint64_t key[static 2])
{
    struct history_event event = { .time_ms = mark_ms };
    int i;

    for (i = 0; i < 20000 && room_left(key) >= 16; i++) {
        window_apply(&window, key, &event, mark_ms, 0);
    }
}

/* --- the deaths ----------------------------------------------------------- */

struct tally {
    const char *point;
    int kills, lives, applied, lost;
    int torn, changed, unsound, gone;
};

/* A child's update, dying at the n-th pass of a point. */
static bool
killed(const char *point, int n, const uint64_t key[static 2],
       const struct history_event *event, bool repairing)
{
    siginfo_t info;
    pid_t pid = fork();

    if (pid == 0) {
        zone.self = owner_self();
        victim_point = point;
        countdown = n;
        intent_crash_hook = die;
        if (repairing) {
            shard_lock(&zone, shard, 1000000);
            shard_unlock(shard);
            _exit(0);
        }
        _exit(window_apply(&window, key, event, mark_ms, 1000000) != 0);
    }
    /* Dead, and until somebody asks, a zombie. */
    waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT);
    if (pid % 2 == 0 || info.si_code != CLD_KILLED) {
        waitpid(pid, NULL, 0);
    }

    return info.si_code == CLD_KILLED;
}

static void
reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0) {
        /* void */
    }
}

/* The next locker: how long it took until it could go on. */
static void
go_on(void)
{
    uint64_t start = now_ns();

    shard_lock(&zone, shard, 1000000);
    if (n_waits < MAX_ROUNDS) {
        waits[n_waits++] = now_ns() - start;
    }
    shard_unlock(shard);
}

static void
one_round(const struct scene *scene, struct tally *tally, int n)
{
    static struct intent_answer old, new, now;
    struct others others = { .compare = true };
    struct stream_event event = next_event(scene);
    struct history_event h = stream_history(&table, &event);
    uint64_t user = case_below(&rng, scene->crowd ? 2 : 10) == 0
                    ? 1000000 + case_below(&rng, 1u << 30)
                    : case_below(&rng, (uint64_t) scene->users);
    uint64_t key[2], before, evicted;
    shard_entry *entry;
    struct record *record;

    key_of(user, key);
    zone_watermark_raise(&zone, 0, mark_ms);
    if (scene->exact && (strncmp(tally->point, "chunk", 5) == 0
                         || case_below(&rng, 3) == 0))
    {
        fill_up(key);
    }

    /* What it may be afterwards: as it is, or with the event. */
    read_all(&zone, key, mark_ms, &old);
    record = shard_find(&zone, shard, key, &entry);
    if (record != NULL) {
        window_migrate(&shadow, shard, *entry, record);
    }
    if (window_apply(&shadow_window, key, &h, mark_ms, 0) != 0) {
        printf("# the shadow is full\n");
        exit(2);
    }
    read_all(&shadow, key, mark_ms, &new);
    shard_find(&shadow, shard_of(&shadow, key), key, &entry);
    shard_erase(&shadow, shard_of(&shadow, key), entry);

    before = remember(key[0]);
    evicted = counters[INTENT_C_EVICTED_FULL]
              + counters[INTENT_C_EVICTED_QUIET];

    if (!killed(tally->point, n, key, &h, false)) {
        tally->lives++;
        return;
    }
    tally->kills++;
    if (n % 8 == 7) {
        killed(n % 16 == 7 ? "repair-begun" : "repair-marked", 0, key, &h,
               true);
    }
    go_on();
    reap();

    read_all(&zone, key, mark_ms, &now);
    if (same(&now, &new)) {
        tally->applied++;
    } else if (same(&now, &old)) {
        tally->lost++;
    } else {
        tally->torn++;
    }

    others.but = key[0];
    shard_each(&zone, shard, see, &others);
    evicted = counters[INTENT_C_EVICTED_FULL]
              + counters[INTENT_C_EVICTED_QUIET] - evicted;
    tally->changed += others.changed != 0 || others.new != 0;
    tally->gone += before - others.n > evicted;
    tally->unsound += !case_sound(shard);
}

static void
open_zones(const struct scene *scene)
{
    struct zone_params params = case_params(scene->zone_size, 1);

    params.lane_size = 128 << 10;
    params.horizon_ms = table.retention_ms + table.lateness_ms;
    if (!case_zone(&zone, case_path(scene->name), &params)) {
        exit(2);
    }
    params = case_params(64 << 20, 0);
    params.horizon_ms = table.retention_ms + table.lateness_ms;
    if (!case_zone(&shadow, NULL, &params)) {
        exit(2);
    }
    zone.counters = shadow.counters = counters;
    zone_dataset(&zone, 1);
    zone_dataset(&shadow, 1);
    shard = zone_shard(&zone, 0);
    window = (struct window) { &zone, &table, TABLE, aligned(WINDOW_SCRATCH) };
    shadow_window = (struct window) { &shadow, &table, TABLE,
                                      aligned(WINDOW_SCRATCH) };
    reading_memory = aligned(reading_size(&table, &step));
}

static void
fill(const struct scene *scene)
{
    struct stream_event event;
    struct history_event h;
    uint64_t key[2];
    int i;

    for (i = 0; i < scene->fill; i++) {
        event = next_event(scene);
        h = stream_history(&table, &event);
        key_of(i < scene->fill / 2 ? (uint64_t) (i % scene->users)
                                   : 5000000 + (uint64_t) i, key);
        zone_watermark_raise(&zone, 0, mark_ms);
        window_apply(&window, key, &h, mark_ms, 0);
    }
}

static void
play(const struct scene *scene)
{
    static const char *const points[] = {
        "locked", "heap-taken", "cell-written", "cell-published",
        "chunk-made", "chunk-linked", "shard-before-publish",
        "shard-after-publish", "shard-unlinked", "heap-freed",
        "before-unlock"
    };
    struct tally t, all = { "all", 0, 0, 0, 0, 0, 0, 0, 0 };
    size_t p;
    int n, i;

    mark_ms = start_ms;
    make_table(scene);
    open_zones(scene);
    fill(scene);
    all.unsound += !case_sound(shard);

    for (p = 0; p < sizeof(points) / sizeof(*points); p++) {
        t = (struct tally) { points[p], 0, 0, 0, 0, 0, 0, 0, 0 };
        for (i = 0; i < scene->rounds * 4 && t.kills < scene->rounds; i++) {
            n = case_below(&rng, 2) ? 0 : (int) case_below(&rng, 12);
            one_round(scene, &t, n);
        }
        printf("# %s: %s: %d kills, %d of them with the update, %d without\n",
               scene->name, t.point, t.kills, t.applied, t.lost);
        all.kills += t.kills;
        all.lost += t.lost;
        all.applied += t.applied;
        all.torn += t.torn;
        all.changed += t.changed;
        all.gone += t.gone;
        all.unsound += t.unsound;
    }

    ok(all.kills > scene->rounds * 4, "%s: %d kills", scene->name, all.kills);
    is_int(all.torn, 0, "the record is as it was or has the update");
    is_int(all.changed, 0, "no other record is changed");
    is_int(all.gone, 0, "or gone but by an eviction that was counted");
    is_int(all.unsound, 0, "the heap is what the index refers to");
    ok(all.applied > 0 && all.lost > 0, "%d updates lost, %d kept",
       all.lost, all.applied);

    free(window.scratch);
    free(shadow_window.scratch);
    free(reading_memory);
    zone_close(&zone);
    zone_close(&shadow);
}

static int
by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void
test_windows(void)
{
    static const struct scene scenes[] = {
        { "few", 3 << 20, 40, 0, 100, false, false, false, 16, 4000 },
        { "strings", 3 << 20, 12, 0, 100, false, true, false, 40, 20000 },
        { "exact", 6 << 20, 2, 100, 60, true, false, false, 16, 2400000 },
        { "crowd", 3 << 20, 300, 30000, 40, false, true, true, 64, 5 },
        { "large", 80 << 20, 20000, 100000, 20, false, false, true, 64, 1 }
    };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    const uint64_t slow = 20;
#else
    const uint64_t slow = 1;
#endif
    size_t i;

    for (i = 0; i < sizeof(scenes) / sizeof(*scenes); i++) {
        n_waits = 0;
        play(&scenes[i]);
        qsort(waits, (size_t) n_waits, sizeof(*waits), by_size);
        printf("# %s: the next one goes on after %llu us (median), %llu us "
               "(99%%), %llu us (most) of %d\n", scenes[i].name,
               (unsigned long long) waits[n_waits / 2] / 1000,
               (unsigned long long) waits[n_waits * 99 / 100] / 1000,
               (unsigned long long) waits[n_waits - 1] / 1000, n_waits);
        /* Whatever else the machine does only adds: the dead must be given a
         * core to die on. So the quicker tenth tells what recovery takes. */
        ok(waits[n_waits / 10] <= 1000000 * slow,
           "%s: the next locker goes on within a millisecond",
           scenes[i].name);
    }
}

/* --- lanes ---------------------------------------------------------------- */

struct consumer {
    uint64_t pos, taken;
    int64_t last;                  /* seq */
    long wrong, gaps;
};

static void
consume(struct consumer *c)
{
    const struct lane_record *record;
    struct account_copy *account;
    uint64_t next, i, fresh = 0;
    const char *bytes;
    int rc;

    while ((rc = lane_read(&zone, 0, c->pos, &record, &bytes, &next)) == 1) {
        for (i = 0; i < record->len; i++) {
            c->wrong += bytes[i] != (char) (record->key + i);
        }
        c->wrong += (int64_t) record->seq <= c->last;
        c->gaps += (int64_t) record->seq - c->last - 1;
        c->last = (int64_t) record->seq;
        c->pos = next;
        fresh++;
    }
    c->wrong += rc != 0;
    c->taken += fresh;
    account = account_edit(&zone);
    account->lane[0].tail = c->pos;
    account->lane[0].taken += fresh;
    account->delivered += fresh;
    account_commit(&zone);
}

/* A producer's life: some records, one that it dies in. */
static void
produce(uint64_t *stated, int records, uint64_t seed)
{
    uint64_t seq, state = seed | 1, i;
    uint32_t len, max;
    char *room;

    if (lane_claim(&zone, owner_self()) != 0) {
        _exit(3);
    }
    for (/* void */; records > 0; records--) {
        max = (uint32_t) case_below(&state, case_below(&state, 30) == 0
                                            ? 70000 : 900);
        len = (uint32_t) case_below(&state, max + 1u);
        room = lane_reserve(&zone, 0, max, &seq);
        if (room == NULL) {
            continue;
        }
        if (case_below(&state, 20) == 0) {
            lane_refuse(&zone, 0);
            continue;
        }
        for (i = 0; i < len; i++) {
            room[i] = (char) (seq * 7 + i);
        }
        stated[0]++;
        lane_commit(&zone, 0, room, len, seq * 7);
        stated[1]++;
    }
    _exit(0);
}

static void
test_lanes(void)
{
    static const char *const points[] = {
        "lane-written", "lane-last", "lane-counted", "lane-published"
    };
    struct consumer c = { .last = -1 };
    struct account_totals totals;
    uint64_t *stated = counters + LANE_COUNTERS, sum;
    struct zone_params params = case_params(8 << 20, 1);
    const struct lane_slot *slot;
    long unbalanced = 0, uncounted = 0;
    int i, j, kills = 0, status;
    pid_t pid;

    params.lane_size = 128 << 10;
    if (!case_zone(&zone, case_path("lanes"), &params)) {
        exit(2);
    }
    slot = zone_lane(&zone, 0);

    for (i = 0; i < 3000; i++) {
        pid = fork();
        if (pid == 0) {
            victim_point = points[i % 4];
            countdown = (int) case_below(&rng, 12);
            intent_crash_hook = die;
            produce(stated, 12, (uint64_t) i * 7919 + 3);
        }
        case_random(&rng);
        waitpid(pid, &status, 0);
        kills += WIFSIGNALED(status);
        c.wrong += WIFEXITED(status) && WEXITSTATUS(status) != 0;

        /* Before, while and after somebody mends it, it balances. */
        for (j = 0; j < 3; j++) {
            if (j == 1 && i % 3 != 0) {
                lane_reap(&zone, 0, owner_self());
            }
            if (j == 2 && i % 5 != 0) {
                consume(&c);
            }
            account_read(&zone, &totals);
            sum = totals.delivered + totals.queued
                  + totals.dropped[DROP_LANE_FULL]
                  + totals.dropped[DROP_REFUSED];
            unbalanced += totals.captured != sum
                          || totals.queued > totals.captured;
        }
        uncounted += slot->published < stated[1]
                     || slot->published > stated[0];
    }
    if (slot->owner.word != 0) {
        lane_reap(&zone, 0, owner_self());
    }
    consume(&c);

    ok(kills > 2000, "lanes: %d kills", kills);
    is_int(c.wrong, 0, "every record is whole and in order");
    is_int(c.taken, slot->published, "each that is counted is shown, once");
    is_int(uncounted, 0, "each that was committed is counted");
    is_int(c.gaps, slot->dropped + slot->refused,
           "seq is dense but for what was dropped");
    is_int(unbalanced, 0, "the account balances at every moment");
    ok((slot->published + slot->dropped + slot->refused)
       <= (uint64_t) c.last + 1 + 12, "and none is missing at the end");

    zone_close(&zone);
}

int
main(void)
{
    counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counters == MAP_FAILED) {
        return 2;
    }

    test_windows();
    test_lanes();
    case_folder_remove();

    return done_testing();
}

#else

int
main(void)
{
    skip_all("crash points are not compiled in");

    return 0;
}

#endif
