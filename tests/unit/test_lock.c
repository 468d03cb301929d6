/* SPDX-License-Identifier: Apache-2.0
 *
 * Owners that live, die, linger as zombies and share a pid; and the lock that
 * one of them dies with.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../libagent/base/atomic.h"
#include "../../libagent/state/lock.h"
#include "tap.h"

struct shared {
    struct owner_word lock;
    uint64_t inside, clashes, recovered, done, go;
};

static struct shared *shared;

static uint64_t
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* A process that ends at once; its word. Not yet waited for. */
static uint64_t
dead_word(pid_t *pid)
{
    uint64_t word;
    int pipes[2];
    char c;

    if (pipe(pipes) != 0) {
        exit(2);
    }
    *pid = fork();
    if (*pid == 0) {
        close(pipes[1]);
        _exit(read(pipes[0], &c, 1) != 0);
    }
    word = owner_of(*pid);
    close(pipes[0]);
    close(pipes[1]);
    waitid(P_PID, (id_t) *pid, NULL, WEXITED | WNOWAIT);

    return word;
}

static void
test_owner(void)
{
    uint64_t self = owner_self(), word;
    pid_t pid;

    ok(self != 0 && owner_pid(self) == getpid(), "we are somebody");
    ok((self & 0xffffffffu) != 0, "with a start time");
    ok(owner_alive(self), "and live");
    ok(owner_alive(owner_of(getppid())), "so does our parent");
    ok(!owner_alive(0), "0 is nobody");
    ok(owner_of(0) == 0 && owner_of(-1) == 0, "nor are groups");
    ok(!owner_alive(self + 1) && !owner_alive(self - 1),
       "another start time is another process");
    ok(owner_alive(self & ~0xffffffffull),
       "one who could not read its start time is not taken for dead");

    word = dead_word(&pid);
    ok(word != 0, "a child");
    ok(!owner_alive(word), "is dead while a zombie");
    waitpid(pid, NULL, 0);
    ok(!owner_alive(word), "and once waited for");
    is_int(owner_of(pid), 0, "then it has no word");

    prctl(PR_SET_NAME, "a) R 1 (b 2");
    ok(owner_self() == self && owner_alive(self),
       "whatever the command is called");
    prctl(PR_SET_NAME, "test_lock");
}

static void *
linger(void *arg)
{
    (void) arg;
    for ( ;; ) {
        pause();
    }

    return NULL;
}

/* The first thread of a process may end before the others. */
static void
test_first_thread(void)
{
    char path[64], buf[256] = "", *state = NULL;
    pthread_t thread;
    pid_t pid = fork();
    int tries;
    FILE *f;

    if (pid == 0) {
        pthread_create(&thread, NULL, linger, NULL);
        pthread_exit(NULL);
    }

    snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
    for (tries = 0; tries < 2000; tries++) {
        f = fopen(path, "r");
        if (f != NULL) {
            if (fgets(buf, sizeof(buf), f) == NULL) {
                buf[0] = '\0';
            }
            fclose(f);
        }
        state = strrchr(buf, ')');
        if (state != NULL && state[2] == 'Z') {
            break;
        }
        usleep(1000);
    }
    ok(state != NULL && state[2] == 'Z', "a process without its first thread");
    ok(owner_alive(owner_of(pid)), "lives");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void
test_take(void)
{
    uint64_t self = owner_self(), other = owner_of(getppid()), start, took;
    struct owner_word lock = { 0 };

    is_int(lock_take(&lock, self, 0), LOCK_TAKEN, "a free lock");
    ok(lock.word == self, "names its owner");
    is_int(lock_take(&lock, other, 0), LOCK_BUSY, "is not had twice");
    lock_drop(&lock);
    is_int(lock.word, 0, "is free again");

    lock.word = other;
    start = now_us();
    is_int(lock_take(&lock, self, 3000), LOCK_BUSY, "a living owner's lock");
    took = now_us() - start;
    ok(took >= 3000, "is waited for as long as allowed");
    ok(took < 200000, "and not much longer: %llu us",
       (unsigned long long) took);
    ok(lock.word == other, "and stays its own");

    lock.word = self;
    is_int(lock_take(&lock, self, 300), LOCK_BUSY,
           "our own word is another thread's");
}

static void
test_recovery(void)
{
    uint64_t self = owner_self(), word, start, took, most = 0, sum = 0;
    struct owner_word lock;
    int i, wrong = 0;
    pid_t pid;

    for (i = 0; i < 200; i++) {
        word = dead_word(&pid);
        if (i % 2 == 0) {
            waitpid(pid, NULL, 0);
        }
        lock.word = word;
        start = now_us();
        wrong += lock_take(&lock, self, i % 3 == 0 ? 0 : 100000)
                 != LOCK_RECOVERED || lock.word != self;
        took = now_us() - start;
        most = took > most ? took : most;
        sum += took;
        if (i % 2 != 0) {
            waitpid(pid, NULL, 0);
        }
    }
    is_int(wrong, 0, "a dead owner's lock is taken over, by a zombie left "
           "too");
    ok(sum / 200 < 1000, "within a millisecond: %llu us on average, %llu at "
       "most", (unsigned long long) sum / 200, (unsigned long long) most);
}

/* Several wait for the lock of one that is dead: one recovers it, and never
 * are two inside. */
static void
rush(void)
{
    uint64_t self = owner_self();
    int i;

    while (atomic_acquire(&shared->go) == 0) {
        sched_yield();
    }
    for (i = 0; i < 50; i++) {
        switch (lock_take(&shared->lock, self, 5000000)) {

        case LOCK_RECOVERED:
            atomic_add(&shared->recovered, 1);
            break;

        case LOCK_BUSY:
            _exit(1);

        case LOCK_TAKEN:
            break;
        }
        if (shared->inside++ != 0) {
            shared->clashes++;
        }
        shared->done++;
        sched_yield();
        shared->inside--;
        lock_drop(&shared->lock);
    }
    _exit(0);
}

static void
test_rush(void)
{
    int round, i, status, bad = 0, twice = 0;
    pid_t dead, pid[4];

    for (round = 0; round < 60; round++) {
        memset(shared, 0, sizeof(*shared));
        shared->lock.word = dead_word(&dead);
        if (round % 2) {
            waitpid(dead, NULL, 0);
        }
        for (i = 0; i < 4; i++) {
            pid[i] = fork();
            if (pid[i] == 0) {
                rush();
            }
        }
        atomic_release(&shared->go, 1);
        for (i = 0; i < 4; i++) {
            waitpid(pid[i], &status, 0);
            bad += status != 0;
        }
        if (round % 2 == 0) {
            waitpid(dead, NULL, 0);
        }
        twice += shared->recovered != 1;
        bad += shared->done != 200 || shared->clashes != 0;
    }
    is_int(twice, 0, "of four who wait one recovers");
    is_int(bad, 0, "and never are two inside");
}

int
main(void)
{
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return 2;
    }

    test_owner();
    test_first_thread();
    test_take();
    test_recovery();
    test_rush();

    return done_testing();
}
