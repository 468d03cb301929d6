/* SPDX-License-Identifier: Apache-2.0
 *
 * What record and read cost a request, and how many bytes a user takes.
 *
 *     core speed DIR USERS       one user count, in a zone under DIR
 *     core decide DIR USERS      the same with popularity and a policy
 *     core memory DIR            bytes per user at 1, 10 and 100 events
 *     core stream EVENTS USERS   JSON lines for the replay benchmark
 *
 * One thread, users in random order, each operation timed alone: what counts
 * is how long a request waits, so one operation must not overlap the next.
 * The cost of the timer itself is measured and taken off. In the same run and
 * the same mapping, two dependent reads at random places are timed the same
 * way: the floor for anything that finds a record through an index.
 *
 * JSON lines on stdout, words on stderr. Only intent.h is used.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../libagent/intent.h"

enum {
    SAMPLES = 1 << 19,
    FILL_EVENTS = 9,               /* and the measured one makes ten */
    KEY_LEN = 16,
    N_ITEMS = 10000,
    N_CATEGORIES = 64
};

/* Some moment; nothing depends on which. */
#define BEGIN_MS 1770000000000
#define STEP_MS 300000

static const char pipelines[] =
    "\"datasets\":{\"ClickEvent\":{\"key\":\"user_id\","
    "\"timestamp\":\"timestamp\",\"fields\":{"
    "\"user_id\":\"string\",\"event_type\":\"string\","
    "\"experience_id\":\"string\",\"category\":\"string\","
    "\"dwell_time_sec\":\"double\"}}},"
    "\"pipelines\":{\"Stats\":{\"from\":\"ClickEvent\","
    "\"group_by\":\"user_id\",\"aggregate\":{"
    "\"c1\":{\"op\":\"count\",\"window\":\"1h\"},"
    "\"c24\":{\"op\":\"count\",\"window\":\"24h\"},"
    "\"c7\":{\"op\":\"count\",\"window\":\"7d\"},"
    "\"a1\":{\"op\":\"avg\",\"of\":\"dwell_time_sec\",\"window\":\"1h\"},"
    "\"a24\":{\"op\":\"avg\",\"of\":\"dwell_time_sec\",\"window\":\"24h\"},"
    "\"a7\":{\"op\":\"avg\",\"of\":\"dwell_time_sec\",\"window\":\"7d\"},"
    "\"s1\":{\"op\":\"sum\",\"of\":\"dwell_time_sec\",\"window\":\"1h\"},"
    "\"s24\":{\"op\":\"sum\",\"of\":\"dwell_time_sec\",\"window\":\"24h\"}"
    "}}},"
    "\"featuresets\":{\"Signals\":{\"entity\":\"user_id\",\"features\":{"
    "\"c1\":{\"ref\":\"Stats.c1\"},\"c24\":{\"ref\":\"Stats.c24\"},"
    "\"c7\":{\"ref\":\"Stats.c7\"},\"a1\":{\"ref\":\"Stats.a1\"},"
    "\"a24\":{\"ref\":\"Stats.a24\"},\"a7\":{\"ref\":\"Stats.a7\"},"
    "\"s1\":{\"ref\":\"Stats.s1\"},\"s24\":{\"ref\":\"Stats.s24\"},"
    "\"velocity\":{\"expr\":\"c1 / math.greatest(c24 / 24.0, 1.0)\"},"
    "\"depth\":{\"expr\":\"default(a24, 0.0) / "
    "math.greatest(default(a7, 1.0), 1.0)\"},"
    "\"intensity\":{\"expr\":\"s1 / math.greatest(c1, 1.0)\"},"
    "\"trend\":{\"expr\":\"c24 / math.greatest(c7 / 7.0, 1.0)\"},"
    "\"high\":{\"expr\":\"velocity > 2.0 && default(a1, 0.0) >= 30.0 && "
    "trend > 1.0\"},"
    "\"momentum\":{\"expr\":\"c1 / math.greatest(c7 / 168.0, 0.01)\"}}}}";

static const char decision[] =
    ",\"popularity\":{\"item\":\"experience_id\",\"by\":\"category\","
    "\"half_life\":\"6h\"},"
    "\"policy\":{\"featureset\":\"Signals\",\"bands\":["
    "{\"id\":\"high\",\"when\":\"high\"},"
    "{\"id\":\"medium\",\"when\":\"velocity > 1.0\"}],\"ctas\":["
    "{\"id\":\"book-now\",\"when\":\"band == 'high'\"},"
    "{\"id\":\"popular\",\"when\":\"true\",\"items\":3}]}";

enum field { TYPE, ITEM, CATEGORY, DWELL, FIELDS };
static const char *const field_names[FIELDS] = {
    "event_type", "experience_id", "category", "dwell_time_sec"
};

struct bench {
    int field[FIELDS];             /* their indexes in the dataset */
    struct intent_config *config;
    struct intent *intent;
    char config_path[512];
    char zone_path[512];
    uint64_t zone_size;
    uint64_t users;
    int64_t now_ms;
    uint32_t *samples;             /* ns of each operation */
    uint32_t timer_ns;             /* what timing itself costs */
};

__attribute__((noreturn, format(printf, 1, 2)))
static void
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t
mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;

    return x ^ (x >> 31);
}

/* The i-th of a random order of 0..n-1 that needs no table: four rounds of a
 * Feistel network on the next even number of bits, walked until in range. */
static uint64_t
shuffled(uint64_t i, uint64_t n, uint64_t seed)
{
    unsigned half = 1;
    uint64_t mask, left, right, next;
    int round;

    while (1ull << (2 * half) < n) {
        half++;
    }
    mask = (1ull << half) - 1;

    do {
        left = i >> half;
        right = i & mask;
        for (round = 0; round < 4; round++) {
            next = left ^ (mix(right + seed + (uint64_t) round * 77) & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);

    return i;
}

static inline uint64_t
clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return x < y ? -1 : x > y;
}

/* Sorts the samples and gives a percentile, less the timer's share. */
static uint32_t
percentile(struct bench *b, size_t n, double p)
{
    uint32_t v;

    qsort(b->samples, n, sizeof(*b->samples), by_value);
    v = b->samples[(size_t) ((double) (n - 1) * p)];

    return v > b->timer_ns ? v - b->timer_ns : 0;
}

static void
measure_timer(struct bench *b)
{
    uint64_t t0, t1;
    size_t i;

    b->timer_ns = 0;
    for (i = 0; i < SAMPLES; i++) {
        t0 = clock_ns();
        t1 = clock_ns();
        b->samples[i] = (uint32_t) (t1 - t0);
    }
    b->timer_ns = percentile(b, SAMPLES, 0.5);
}

/* --- the zone ------------------------------------------------------------- */

static void
bench_open(struct bench *b, const char *dir, uint64_t size, bool decide)
{
    struct intent_error err;
    FILE *f;
    int i;

    b->zone_size = size & ~((1ull << 20) - 1);
    snprintf(b->zone_path, sizeof(b->zone_path), "%s/zone", dir);
    snprintf(b->config_path, sizeof(b->config_path), "%s/intent.json", dir);
    f = fopen(b->config_path, "w");
    if (f == NULL) {
        die("%s: %s", b->config_path, strerror(errno));
    }
    fprintf(f, "{\"zone\":{\"path\":\"%s\",\"size\":\"%" PRIu64 "m\"},"
            "%s%s}\n", b->zone_path, b->zone_size >> 20, pipelines,
            decide ? decision : "");
    fclose(f);

    if (intent_config_load(b->config_path, &b->config, &err) != 0
        || intent_open(b->config, INTENT_OPEN_CREATE, &b->intent, &err) != 0)
    {
        die("%s", err.text);
    }
    for (i = 0; i < FIELDS; i++) {
        b->field[i] = intent_field_find(b->config, 0, field_names[i],
                                        strlen(field_names[i]));
    }
}

static void
bench_close(struct bench *b)
{
    intent_close(b->intent);
    intent_config_free(b->config);
    unlink(b->zone_path);
    unlink(b->config_path);
    b->intent = NULL;
    b->config = NULL;
}

static void
key_of(uint64_t user, char key[static KEY_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t bits = mix(user + 1);
    int i;

    for (i = 0; i < KEY_LEN; i++) {
        key[i] = hex[bits >> (4 * i) & 15];
    }
    key[KEY_LEN] = '\0';
}

/* An event of the user. The texts live in the caller's buffers until it is
 * recorded. */
struct click {
    struct intent_event event;
    struct intent_value fields[INTENT_MAX_FIELDS];
    struct intent_who who;
    char key[KEY_LEN + 1];
    char item[24];
    char category[24];
};

static void
click_set(struct bench *b, struct click *c, enum field field,
          const char *text)
{
    if (intent_event_set(b->config, &c->event, b->field[field], text,
                         strlen(text)) != 0)
    {
        die("cannot set %s", field_names[field]);
    }
}

static void
click_make(struct bench *b, struct click *c, uint64_t user, uint64_t salt,
           int64_t time_ms)
{
    uint64_t r = mix(user * 31 + salt);
    char dwell[8];

    intent_event_init(b->config, &c->event, 0, c->fields, time_ms);
    key_of(user, c->key);
    snprintf(c->item, sizeof(c->item), "item-%" PRIu64, r % N_ITEMS);
    snprintf(c->category, sizeof(c->category), "cat-%" PRIu64,
             (r >> 20) % N_CATEGORIES);
    snprintf(dwell, sizeof(dwell), "%u", (unsigned) (r >> 40) % 60);
    click_set(b, c, TYPE, "view");
    click_set(b, c, ITEM, c->item);
    click_set(b, c, CATEGORY, c->category);
    click_set(b, c, DWELL, dwell);
    c->who = (struct intent_who) { .user = c->key, .user_len = KEY_LEN };
}

static void
record(struct bench *b, const struct click *c)
{
    int rc = intent_record(b->intent, &c->event, &c->who, b->now_ms, 0, 1000);

    if (rc != 0) {
        die("intent_record: %d", rc);
    }
}

/* `rounds` events of every user, the users in another order each round. */
static void
fill(struct bench *b, int rounds, int64_t step_ms)
{
    struct click c;
    uint64_t i;
    int r;

    for (r = 0; r < rounds; r++) {
        b->now_ms += step_ms;
        for (i = 0; i < b->users; i++) {
            click_make(b, &c, shuffled(i, b->users, (uint64_t) r),
                       (uint64_t) b->now_ms, b->now_ms);
            record(b, &c);
        }
        intent_tick(b->intent, b->now_ms);
    }
}

/* --- speed ---------------------------------------------------------------- */

static size_t
sample_count(const struct bench *b)
{
    return b->users < SAMPLES ? (size_t) b->users : SAMPLES;
}

static void
report(struct bench *b, const char *what, size_t n, uint32_t floor_ns)
{
    uint32_t p50 = percentile(b, n, 0.5), p99 = percentile(b, n, 0.99);

    printf("{\"bench\":\"core\",\"what\":\"%s\",\"users\":%" PRIu64
           ",\"p50_ns\":%u,\"p99_ns\":%u", what, b->users, p50, p99);
    if (floor_ns != 0) {
        printf(",\"times_floor\":%.2f", (double) p50 / floor_ns);
    }
    printf(",\"samples\":%zu}\n", n);
    fflush(stdout);
    fprintf(stderr, "  %9" PRIu64 " users  %-22s p50 %5u ns  p99 %6u ns\n",
            b->users, what, p50, p99);
}

/* Two dependent reads at random places of the zone's file, mapped once more
 * so that this needs no knowledge of what is in it. */
static uint32_t
measure_floor(struct bench *b)
{
    const uint64_t *word;
    uint64_t i, n = b->zone_size / 64, x, t0, t1, seed = 99;
    size_t samples = sample_count(b);
    uint32_t p50;
    int fd = open(b->zone_path, O_RDONLY | O_CLOEXEC);

    word = mmap(NULL, b->zone_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd,
                0);
    close(fd);
    if (word == MAP_FAILED) {
        die("%s: %s", b->zone_path, strerror(errno));
    }

    for (i = 0; i < samples; i++) {
        seed = mix(seed + i);
        t0 = clock_ns();
        x = word[seed % n * 8];
        x = word[mix(x + seed) % n * 8];
        /* The second address, and the clock's reading, depend on it. */
        __asm__ __volatile__("" : "+r" (x) : : "memory");
        t1 = clock_ns();
        seed += x;
        b->samples[i] = (uint32_t) (t1 - t0);
    }
    munmap((void *) (uintptr_t) word, b->zone_size);

    p50 = percentile(b, samples, 0.5);
    report(b, "two_dependent_reads", samples, 0);

    return p50;
}

static void
measure_record(struct bench *b, const char *what, uint32_t floor_ns)
{
    struct click c;
    size_t i, n = sample_count(b);
    uint64_t t0, t1;

    b->now_ms += STEP_MS;
    for (i = 0; i < n; i++) {
        click_make(b, &c, shuffled(i, b->users, (uint64_t) b->now_ms), i,
                   b->now_ms);
        t0 = clock_ns();
        record(b, &c);
        t1 = clock_ns();
        b->samples[i] = (uint32_t) (t1 - t0);
    }
    report(b, what, n, floor_ns);
}

static void
measure_read(struct bench *b, bool decide, uint32_t floor_ns)
{
    static struct intent_answer answer;
    struct intent_decision said;
    char key[KEY_LEN + 1];
    size_t i, n = sample_count(b);
    uint64_t t0, t1;
    int rc;

    for (i = 0; i < n; i++) {
        key_of(shuffled(i, b->users, 5), key);
        t0 = clock_ns();
        rc = intent_read(b->intent, 0, key, KEY_LEN, b->now_ms, 1000,
                         &answer);
        if (rc == 0 && decide) {
            rc = intent_decide(b->intent, &answer, INTENT_REASON_NONE, "cat-7",
                               5, b->now_ms, 1000, &said);
        }
        t1 = clock_ns();
        if (rc != 0 || answer.values[1].as.i < FILL_EVENTS) {
            die("intent_read: %d, or too few events", rc);
        }
        b->samples[i] = (uint32_t) (t1 - t0);
    }
    report(b, decide ? "read_15_and_decide" : "read_15_features", n,
           floor_ns);
}

/* The zone is sized to be about three quarters full. Nothing is forwarded: a
 * lane would not hold the events; the HTTP benchmark includes it. `decide`
 * adds the popularity table and the policy. */
static int
speed(const char *dir, uint64_t users, bool decide)
{
    struct bench b = { .users = users, .now_ms = BEGIN_MS };
    uint32_t floor_ns;

    b.samples = malloc(SAMPLES * sizeof(*b.samples));
    if (b.samples == NULL) {
        die("out of memory");
    }
    measure_timer(&b);

    bench_open(&b, dir, users * 400 + (64u << 20), decide);
    fprintf(stderr, "  filling %" PRIu64 " users, %d events each\n", users,
            FILL_EVENTS);
    fill(&b, FILL_EVENTS, STEP_MS);
    floor_ns = measure_floor(&b);
    measure_record(&b, decide ? "record_and_popularity" : "record", floor_ns);
    measure_read(&b, decide, floor_ns);
    bench_close(&b);

    free(b.samples);

    return 0;
}

/* --- memory --------------------------------------------------------------- */

/* A number from the status document: the first member of that name. */
static double
status_number(struct bench *b, const char *name)
{
    char *text, *at, quoted[64];
    double number = -1;
    size_t len;

    if (intent_status_json(b->intent, b->now_ms, &text, &len) != 0) {
        die("no status");
    }
    snprintf(quoted, sizeof(quoted), "\"%s\":", name);
    at = strstr(text, quoted);
    if (at != NULL) {
        number = strtod(at + strlen(quoted), NULL);
    }
    intent_text_free(text);
    if (number < 0) {
        die("the status has no %s", name);
    }

    return number;
}

/* Bytes of heap pages that hold records, and with the index's share: the index
 * has its size for good, so as much of it counts as of the heap is used. */
static int
memory(const char *dir)
{
    static const int rounds[] = { 1, 9, 90 };
    static const int events[] = { 1, 10, 100 };
    struct bench b = { .users = 100000, .now_ms = BEGIN_MS };
    double heap, used, index, n = (double) b.users;
    size_t i;

    bench_open(&b, dir, 512u << 20, false);
    heap = status_number(&b, "heap_bytes");
    for (i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
        /* A click every half minute: all are in all windows to the last. */
        fill(&b, rounds[i], 30000);
        used = heap - status_number(&b, "heap_free_bytes");
        index = status_number(&b, "index_entries") * 8 * used / heap;
        if (status_number(&b, "records") < n) {
            die("the zone was too small: users were evicted");
        }
        printf("{\"bench\":\"core\",\"what\":\"bytes_per_user\","
               "\"events\":%d,\"users\":%" PRIu64 ",\"heap\":%.1f,"
               "\"heap_and_index\":%.1f}\n",
               events[i], b.users, used / n, (used + index) / n);
        fflush(stdout);
        fprintf(stderr, "  %3d events a user: %.1f bytes, %.1f with the "
                "index\n", events[i], used / n, (used + index) / n);
    }
    bench_close(&b);

    return 0;
}

/* --- a stream to replay --------------------------------------------------- */

/* Ten events a second, and one question at the end, so that there is an
 * answer to look at. */
static int
stream(uint64_t events, uint64_t users)
{
    uint64_t i, r;
    char key[KEY_LEN + 1] = "";

    for (i = 0; i < events; i++) {
        r = mix(i);
        key_of(r % users, key);
        printf("{\"user_id\":\"%s\",\"event_type\":\"view\","
               "\"experience_id\":\"item-%u\",\"category\":\"cat-%u\","
               "\"dwell_time_sec\":%u.5,\"timestamp\":%" PRIu64 "}\n",
               key, (unsigned) (r >> 20) % N_ITEMS,
               (unsigned) (r >> 40) % N_CATEGORIES, (unsigned) (r >> 50) % 60,
               BEGIN_MS + i * 100);
    }
    printf("{\"featureset\":\"DiscoverySignals\",\"entity_id\":\"%s\","
           "\"timestamp\":%" PRIu64 "}\n", key, BEGIN_MS + i * 100);

    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "speed") == 0) {
        return speed(argv[2], strtoull(argv[3], NULL, 10), false);
    }
    if (argc == 4 && strcmp(argv[1], "decide") == 0) {
        return speed(argv[2], strtoull(argv[3], NULL, 10), true);
    }
    if (argc == 3 && strcmp(argv[1], "memory") == 0) {
        return memory(argv[2]);
    }
    if (argc == 4 && strcmp(argv[1], "stream") == 0) {
        return stream(strtoull(argv[2], NULL, 10),
                      strtoull(argv[3], NULL, 10));
    }
    die("usage: core speed|decide DIR USERS | memory DIR | "
        "stream EVENTS USERS");
}
