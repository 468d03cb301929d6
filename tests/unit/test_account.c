/* SPDX-License-Identifier: Apache-2.0
 *
 * The delivery account balances in every picture that anyone takes of it:
 * while lanes are written, while intentd commits, and after the death of
 * either.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "../../libagent/base/atomic.h"
#include "../../libagent/state/account.h"
#include "../../libagent/state/lane.h"
#include "zone_case.h"

static struct zone zone;

static bool
balances(const struct account_totals *t)
{
    uint64_t sum = t->delivered + t->queued + t->spooled;
    int i;

    for (i = 0; i < DROP_COUNT; i++) {
        sum += t->dropped[i];
    }

    return t->captured == sum && t->queued < 1ull << 60;
}

static void
test_counts(void)
{
    struct account_totals t;
    struct account_copy *c;
    uint64_t seq;
    void *room;
    int i;

    account_read(&zone, &t);
    ok(t.captured == 0 && t.queued == 0 && balances(&t), "a new account");

    for (i = 0; i < 5; i++) {
        room = lane_reserve(&zone, 0, 10, &seq);
        lane_commit(&zone, 0, room, 10, 0);
    }
    lane_refuse(&zone, 0);
    zone_account(&zone)->no_lane += 2;
    account_read(&zone, &t);
    is_int(t.captured, 8, "captured");
    is_int(t.queued, 5, "queued");
    is_int(t.dropped[DROP_REFUSED], 1, "refused");
    is_int(t.dropped[DROP_NO_LANE], 2, "without a lane");
    ok(balances(&t), "balanced");

    c = account_edit(&zone);
    c->lane[0].taken = 4;
    c->delivered = 1;
    c->spooled = 1;
    c->dropped[DROP_REFUSED] = 2;
    account_read(&zone, &t);
    is_int(t.delivered, 0, "an edit is nothing yet");
    account_commit(&zone);
    account_read(&zone, &t);
    ok(t.delivered == 1 && t.spooled == 1 && t.queued == 1
       && t.dropped[DROP_REFUSED] == 3 && balances(&t), "a commit is all");

    c = account_edit(&zone);
    c->inherited = 10;
    c->spooled += 10;
    account_commit(&zone);
    c = account_edit(&zone);
    is_int(c->delivered, 1, "the next edit begins with what is in force");
    account_read(&zone, &t);
    is_int(t.captured, 18, "found in the spool: captured once");
    ok(balances(&t), "balanced");
}

/* --- death in the middle of an edit --------------------------------------- */

static void
test_death(void)
{
    struct account_totals before, after;
    struct account_copy *c;
    int i, wrong = 0;
    pid_t pid;

    for (i = 0; i < 100; i++) {
        account_read(&zone, &before);
        pid = fork();
        if (pid == 0) {
            c = account_edit(&zone);
            memset(c, i, sizeof(*c));
            if (i % 2) {
                /* As far as a commit may come without being one. */
                memset(&zone_account(&zone)->copy[(zone_account(&zone)->current
                                                   + 1) & 1], i, sizeof(*c));
            }
            kill(getpid(), SIGKILL);
        }
        waitpid(pid, NULL, 0);
        account_read(&zone, &after);
        wrong += memcmp(&before, &after, sizeof(before)) != 0;
        c = account_edit(&zone);
        c->delivered++;
        c->lane[1].taken++;
        account_commit(&zone);
        account_read(&zone, &after);
        wrong += after.delivered != before.delivered + 1;
    }
    is_int(wrong, 0, "a dead editor's half is never seen");
}

/* --- readers, a producer and intentd at once ------------------------------ */

enum { COMMITS = 20000 };

static uint64_t stop;

static void *
produce(void *arg)
{
    uint64_t seq;
    void *room;

    (void) arg;
    while (atomic_load(&stop) == 0) {
        room = lane_reserve(&zone, 1, 24, &seq);
        if (room == NULL) {
            sched_yield();
            continue;
        }
        memset(room, (int) seq, 24);
        lane_commit(&zone, 1, room, 24, seq);
    }

    return NULL;
}

static void *
watch(void *arg)
{
    struct account_totals t;
    uint64_t *wrong = arg;

    while (atomic_load(&stop) == 0) {
        account_read(&zone, &t);
        *wrong += !balances(&t);
    }

    return NULL;
}

static void
test_threads(void)
{
    struct zone intentd = zone;
    const struct lane_record *record;
    uint64_t pos = 0, next, wrong = 0, bad = 0;
    struct account_copy *c;
    pthread_t threads[2];
    const char *bytes;
    int i, rc, n = 0;

    pthread_create(&threads[0], NULL, produce, NULL);
    pthread_create(&threads[1], NULL, watch, &wrong);

    for (i = 0; i < COMMITS; i++) {
        c = account_edit(&intentd);
        while ((rc = lane_read(&intentd, 1, pos, &record, &bytes, &next))
               == 1 && n < 100)
        {
            pos = next;
            n++;
        }
        c->lane[1].tail = pos;
        c->lane[1].taken += (uint64_t) n;
        c->delivered += (uint64_t) n / 2;
        c->spooled += (uint64_t) (n - n / 2);
        account_commit(&intentd);
        n = 0;
        bad += rc < 0;
    }
    atomic_store(&stop, 1);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    is_int(wrong + bad, 0, "balanced in every picture of %d commits", COMMITS);
}

int
main(void)
{
    struct zone_params params = case_params(8 << 20, 4);
    struct account_copy *c;

    if (!ok(case_zone(&zone, case_path("zone"), &params), "a zone")) {
        return done_testing();
    }
    test_counts();
    test_death();

    /* The lanes' numbers from here on belong to the threads. */
    c = account_edit(&zone);
    c->lane[1].taken = 0;
    account_commit(&zone);
    zone_lane(&zone, 1)->published = 0;
    c = account_edit(&zone);
    c->delivered -= 100;
    account_commit(&zone);
    test_threads();

    zone_close(&zone);
    case_folder_remove();

    return done_testing();
}
