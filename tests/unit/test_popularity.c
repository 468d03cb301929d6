/* SPDX-License-Identifier: Apache-2.0
 *
 * The popularity section: geometry, categories, many processes, and their
 * death at any moment.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../libagent/base/crash.h"
#include "../../libagent/decide/popularity.h"
#include "../../libagent/state/lock.h"
#include "tap.h"

#define HOUR 3600000ll
#define START 1700000000000ll

enum { WAIT_US = 2000000 };

static struct model_popularity model = {
    .enabled = true, .by = 1, .half_life_ms = HOUR, .keep = 10,
    .categories = 8
};

static void *
map(uint64_t size)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static int
add(struct popularity *p, const char *category, const char *item,
    int64_t time_ms)
{
    return popularity_add(p, owner_self(), category, strlen(category), item,
                          strlen(item), time_ms, 1.0, WAIT_US);
}

static int
top(struct popularity *p, const char *category, int64_t now_ms, int k,
    struct intent_item *out)
{
    return popularity_top(p, owner_self(), category, strlen(category), now_ms,
                          WAIT_US, k, out);
}

static bool
is_item(const struct intent_item *item, const char *id)
{
    return item->len == strlen(id) && memcmp(item->id, id, item->len) == 0;
}

static void
test_geometry(void)
{
    struct model_popularity wider = model;
    struct popularity p, old, tool;
    struct intent_item out[10];
    uint64_t size = popularity_size(8, 10);
    void *section = map(size);

    is_int(popularity_attach(&tool, section, size, &model, false,
                             owner_self()), 0, "a look at a new section");
    is_int(top(&tool, "", START, 3, out), -EIO, "finds nothing in it");
    is_int(add(&tool, "", "a", START), -EIO, "and cannot count");

    is_int(popularity_attach(&p, section, size, &model, true, owner_self()),
           0, "attach");
    is_int(add(&p, "food", "a", START), 0, "count");
    is_int(top(&tool, "food", START, 3, out), 1,
           "the earlier look sees it from now on");

    is_int(popularity_attach(&old, section, size, &model, true, owner_self()),
           0, "attach again");
    is_int(top(&old, "food", START, 3, out), 1, "keeps what is there");

    wider.half_life_ms = 2 * HOUR;
    is_int(popularity_attach(&tool, section, size, &wider, false,
                             owner_self()), 0, "a look with another config");
    is_int(top(&tool, "food", START + HOUR, 3, out), 1, "keeps it too");
    is_double(out[0].score, 0.5, 0, "and its half-life");

    wider.categories = 1000;
    is_int(popularity_attach(&p, section, size, &wider, true, owner_self()),
           0, "a service with more categories than there is room for");
    is_int(p.categories, 8, "gets as many as fit");
    is_int(top(&p, "food", START, 3, out), 0, "and starts empty");
    is_int(add(&old, "food", "b", START), 0,
           "a process of the old geometry goes on with the new one");
    is_int(old.half_life_ms, 2 * HOUR, "having noticed it");
    is_int(top(&p, "food", START, 3, out), 1, "and is seen");

    wider.keep = 1000;
    is_int(popularity_attach(&p, section, size, &wider, true, owner_self()),
           0, "more items than there is room for");
    ok(p.categories == 0 && p.keep > 10, "gets a shorter overall list");
    is_int(add(&p, "food", "b", START), POPULARITY_NO_CATEGORY,
           "and no categories");
    is_int(top(&p, "", START, 3, out), 1, "but counts");

    is_int(popularity_attach(&p, section, 4096, &wider, true, owner_self()),
           -ENOSPC, "no room at all is said");
    is_int(top(&p, "", START, 3, out), -EIO, "and harmless");
    munmap(section, size);
}

static void
test_categories(void)
{
    struct popularity p;
    struct intent_item out[10];
    uint64_t size = popularity_size(8, 10);
    void *section = map(size);
    char name[INTENT_MAX_ITEM + 2];
    int i, full = 0, found = 0;

    popularity_attach(&p, section, size, &model, true, owner_self());

    for (i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        full += add(&p, name, name, START) != 0;
        add(&p, name, "x", START - 1000);
    }
    for (i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        found += top(&p, name, START, 3, out) == 2 && is_item(&out[0], name);
    }
    is_int(full, 0, "as many categories as configured have room");
    is_int(found, 8, "each has its own items, the heavier first");

    is_int(add(&p, "late comer", "y", START), POPULARITY_NO_CATEGORY,
           "one more has none while all are lively");
    is_int(top(&p, "late comer", START, 3, out), 0, "it has no list");
    is_int(top(&p, "", START, 10, out), 10, "but counts over all");
    ok(is_item(&out[0], "x"), "where the sum of all categories leads");

    for (i = 1; i < 8; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        add(&p, name, name, START + 4 * HOUR);
    }
    is_int(add(&p, "late comer", "y", START + 4 * HOUR), 0,
           "a category quiet for four half-lives gives way");
    is_int(top(&p, "c0", START + 4 * HOUR, 3, out), 0, "it is gone");
    is_int(top(&p, "late comer", START + 4 * HOUR, 3, out), 1,
           "the new one has begun");
    is_int(top(&p, "c1", START + 4 * HOUR, 3, out), 2, "the others stay");

    memset(name, 'n', sizeof(name));
    is_int(popularity_add(&p, owner_self(), name, INTENT_MAX_ITEM + 1, "y", 1,
                          START, 1, WAIT_US), POPULARITY_NO_CATEGORY,
           "a too long category counts over all only");
    is_int(popularity_add(&p, owner_self(), "c1", 2, name,
                          INTENT_MAX_ITEM + 1, START, 1, WAIT_US), -EINVAL,
           "a too long item does not count");
    is_int(popularity_add(&p, owner_self(), "c1", 2, "", 0, START, 1, WAIT_US),
           -EINVAL, "nor does none");
    is_int(popularity_add(&p, owner_self(), "c1", 2, "y", 1, START, NAN,
                          WAIT_US), -EINVAL, "nor a weight that is none");
    is_int(popularity_add(&p, owner_self(), "c1", 2, "y", 1, INT64_MAX, 1,
                          WAIT_US), -EINVAL, "nor a time that is none");
    munmap(section, size);
}

static void
test_pick(void)
{
    struct popularity p;
    struct intent_item out[INTENT_MAX_ITEMS];
    uint64_t size = popularity_size(8, 10);
    void *section = map(size);
    int i, n;

    popularity_attach(&p, section, size, &model, true, owner_self());
    for (i = 0; i < 5; i++) {
        add(&p, "common", "c1", START);
        add(&p, "common", i < 3 ? "c2" : "c3", START);
    }
    add(&p, "rare", "r1", START);
    add(&p, "rare", "c2", START - 1);

    n = popularity_pick(&p, owner_self(), "rare", 4, START, WAIT_US, 3, out);
    is_int(n, 3, "a rare category is filled up");
    ok(is_item(&out[0], "r1") && is_item(&out[1], "c2"), "its own come first");
    ok(is_item(&out[2], "c1"), "then the overall ones, none twice");
    is_int(popularity_pick(&p, owner_self(), "none", 4, START, WAIT_US, 50,
                           out), 4, "an unknown one gets the overall list");
    munmap(section, size);
}

/* --- many processes ----------------------------------------------------- */

struct shared {
    uint64_t begun;
    uint64_t done;
};

/* Counts events over 12 categories, of which 8 have a list. */
static void
work(struct popularity *p, struct shared *shared, unsigned seed, int n)
{
    uint64_t self = owner_self();
    char item[16], category[16];
    int len, i;

    for (i = 0; i < n; i++) {
        seed = seed * 1103515245u + 12345u;
        len = snprintf(item, sizeof(item), "i%u", seed >> 16 & 63);
        snprintf(category, sizeof(category), "c%u", (seed >> 16) % 12);
        __atomic_fetch_add(&shared->begun, 1, __ATOMIC_RELAXED);
        if (popularity_add(p, self, category, strlen(category), item,
                           (size_t) len, START, 1.0, WAIT_US) < 0)
        {
            _exit(1);
        }
        __atomic_fetch_add(&shared->done, 1, __ATOMIC_RELAXED);
    }
}

static double
sum(struct popularity *p, const char *category)
{
    struct intent_item out[64];
    double total = 0;
    int i, n = top(p, category, START, 64, out);

    for (i = 0; i < n; i++) {
        total += out[i].score;
    }

    return total;
}

static void
test_processes(void)
{
    struct popularity p;
    struct shared *shared;
    uint64_t size = popularity_size(8, 16);
    void *section = map(size);
    int i, status, failed = 0;
    pid_t pid[4];

    model.keep = 16;
    shared = map(sizeof(*shared));
    popularity_attach(&p, section, size, &model, true, owner_self());

    for (i = 0; i < 4; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            work(&p, shared, (unsigned) i, 50000);
            _exit(0);
        }
    }
    for (i = 0; i < 4; i++) {
        waitpid(pid[i], &status, 0);
        failed += status != 0;
    }

    is_int(failed, 0, "four processes count at once");
    is_double(sum(&p, ""), 200000, 1e-6, "no event is lost");
    munmap(section, size);
}

struct thread {
    pthread_t id;
    struct popularity p;           /* its own view, as a process has */
    struct shared *shared;
    unsigned seed;
};

static void *
thread_main(void *arg)
{
    struct thread *t = arg;

    work(&t->p, t->shared, t->seed, 20000);

    return NULL;
}

/* The same as test_processes(), where ThreadSanitizer can see it. */
static void
test_threads(void)
{
    struct thread threads[3];
    struct popularity p;
    struct shared *shared = map(sizeof(*shared));
    uint64_t size = popularity_size(8, 16);
    void *section = map(size);
    int i;

    popularity_attach(&p, section, size, &model, true, owner_self());

    for (i = 0; i < 3; i++) {
        threads[i].p = p;
        threads[i].shared = shared;
        threads[i].seed = (unsigned) i;
        pthread_create(&threads[i].id, NULL, thread_main, &threads[i]);
    }
    for (i = 0; i < 3; i++) {
        pthread_join(threads[i].id, NULL);
    }

    is_double(sum(&p, ""), 60000, 1e-6, "three threads lose no event");
    munmap(section, size);
}

/* Overall list (64 items in 64 positions) is exact: what it holds is what was
 * counted. */
static bool
is_sound(struct popularity *p, double *total)
{
    struct intent_item out[64];
    char category[16];
    int c, i, j, n;

    for (c = -1; c < 12; c++) {
        if (c < 0) {
            category[0] = '\0';
        } else {
            snprintf(category, sizeof(category), "c%d", c);
        }

        n = top(p, category, START, 64, out);
        for (i = 0; i < n; i++) {
            if (!isfinite(out[i].score) || out[i].id[0] != 'i'
                || out[i].len > 3
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
    }

    *total = sum(p, "");

    return true;
}

static void
test_kills(void)
{
    struct popularity p;
    struct shared *shared = map(sizeof(*shared));
    uint64_t size = popularity_size(8, 16), recovered = 0;
    void *section = map(size);
    struct timespec pause = { 0, 0 };
    int kills, unsound = 0, stuck = 0;
    double total = 0;
    pid_t pid;

    popularity_attach(&p, section, size, &model, true, owner_self());

    for (kills = 0; kills < 200; kills++) {
        pid = fork();
        if (pid == 0) {
            work(&p, shared, (unsigned) kills, 1 << 30);
            _exit(1);
        }

        pause.tv_nsec = 500000 + rand() % 2000000;
        nanosleep(&pause, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);

        p.recovered = 0;
        stuck += add(&p, "c0", "i0", START) < 0;
        shared->begun++;
        shared->done++;
        unsound += !is_sound(&p, &total);
        recovered += p.recovered;
    }

    is_int(stuck, 0, "after each of 200 kills the next one goes on");
    is_int(unsound, 0, "and finds every list sound");
    ok(total >= (double) shared->done && total <= (double) shared->begun,
       "at most the killed updates are lost: %.0f of %llu begun, %llu done",
       total, (unsigned long long) shared->begun,
       (unsigned long long) shared->done);
    printf("# %llu locks were taken from the dead\n",
           (unsigned long long) recovered);
    munmap(section, size);
}

#ifdef INTENT_CRASH_POINTS

static int countdown;

static void
die(const char *point)
{
    (void) point;

    if (countdown-- == 0) {
        raise(SIGKILL);
    }
}

void (*intent_crash_hook)(const char *point);

/* One child that dies at its n-th crash point. False when it met fewer. */
static bool
die_at(struct popularity *p, struct shared *shared, int n)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        countdown = n;
        intent_crash_hook = die;
        work(p, shared, 7, 60);
        _exit(0);
    }
    waitpid(pid, &status, 0);

    return WIFSIGNALED(status);
}

static void
test_crash_points(void)
{
    struct popularity p;
    struct shared *shared = map(sizeof(*shared));
    uint64_t size = popularity_size(8, 16);
    void *section = map(size);
    int n, unsound = 0, lost = 0;
    bool died = true;
    double total;

    for (n = 0; died; n++) {
        memset(section, 0, size);
        memset(shared, 0, sizeof(*shared));
        popularity_attach(&p, section, size, &model, true, owner_self());
        died = die_at(&p, shared, n);
        unsound += !is_sound(&p, &total);
        lost += total < (double) shared->done
                || total > (double) shared->begun;
    }

    ok(n > 100, "death at each of %d crash points", n - 1);
    is_int(unsound, 0, "leaves sound lists");
    is_int(lost, 0, "and loses nothing that was done");
    munmap(section, size);
}

static void
test_crash_formatting(void)
{
    struct model_popularity other = model;
    struct popularity p, old;
    uint64_t size = popularity_size(8, 16);
    void *section = map(size);
    struct intent_item out[4];
    int status;
    pid_t pid;

    popularity_attach(&old, section, size, &model, true, owner_self());
    add(&old, "c0", "i0", START);

    other.half_life_ms = 5;
    pid = fork();
    if (pid == 0) {
        intent_crash_hook = die;
        countdown = 0;
        popularity_attach(&p, section, size, &other, true, owner_self());
        _exit(0);
    }
    waitpid(pid, &status, 0);

    ok(WIFSIGNALED(status), "death while formatting");
    is_int(add(&old, "c0", "i0", START), -EIO, "leaves nothing to use");
    is_int(top(&old, "c0", START, 4, out), -EIO, "which is said");
    is_int(popularity_attach(&old, section, size, &model, true, owner_self()),
           0, "until the next attach");
    is_int(add(&old, "c0", "i0", START), 0, "which makes it new");
    munmap(section, size);
}

#endif

int
main(void)
{
    test_geometry();
    test_categories();
    test_pick();
    test_processes();
    test_threads();
    test_kills();
#ifdef INTENT_CRASH_POINTS
    test_crash_points();
    test_crash_formatting();
#else
    printf("# crash points are not compiled in: only random kills\n");
#endif

    return done_testing();
}
