/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/atomic.h"

/* Critical sections last well under a microsecond: a running owner is through
 * within these many pauses. After that it was descheduled or is dead. */
enum { SPINS = 128 };

/* How often a waiter looks whether the owner lives. */
enum { ALIVE_FIRST_US = 20, ALIVE_EVERY_US = 400 };

/* After this long a waiter sleeps between its looks: a core that is idle is
 * where the kernel puts an owner that it has taken another core from. */
enum { YIELD_US = 50, SLEEP_US = 50 };

struct process {
    char state;                    /* as ps shows it; 0: unknown */
    uint64_t threads;
    uint64_t start;                /* clock ticks since boot; 0: unknown */
};

/* State, threads and start time: fields 3, 20 and 22 of the process's stat
 * file, counted after the command's closing parenthesis, because the command
 * may hold anything. */
static struct process
look_up(pid_t pid)
{
    struct process process = { 0, 0, 0 };
    char path[40], buf[1024], *p;
    ssize_t n;
    int fd, field;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return process;
    }

    n = read(fd, buf, sizeof(buf) - 1);
    close(fd);
    if (n <= 0) {
        return process;
    }
    buf[n] = '\0';

    p = strrchr(buf, ')');
    if (p == NULL || p[1] != ' ') {
        return process;
    }
    process.state = p[2];

    for (field = 3; p != NULL && field <= 22; field++) {
        p = strchr(p + 1, ' ');
        if (p != NULL && field == 20) {
            process.threads = strtoull(p + 1, NULL, 10);
        } else if (p != NULL && field == 22) {
            process.start = strtoull(p + 1, NULL, 10);
        }
    }

    return process;
}

uint64_t
owner_of(pid_t pid)
{
    if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH)) {
        return 0;
    }

    return (uint64_t) pid << 32 | (look_up(pid).start & 0xffffffffu);
}

uint64_t
owner_self(void)
{
    return owner_of(getpid());
}

bool
owner_alive(uint64_t word)
{
    pid_t pid = owner_pid(word);
    uint64_t start = word & 0xffffffffu;
    struct process process;

    if (pid <= 0) {
        return false;
    }

    if (kill(pid, 0) != 0 && errno == ESRCH) {
        return false;
    }

    /* Dead but not yet waited for, which may take its parent for ever. With
     * other threads it is only the first one that has ended. */
    process = look_up(pid);
    if ((process.state == 'Z' && process.threads <= 1)
        || process.state == 'X')
    {
        return false;
    }

    /* A start time that could not be read, now or by the owner (hidden /proc,
     * no descriptor left), proves nothing. */
    process.start &= 0xffffffffu;

    return process.start == 0 || start == 0 || process.start == start;
}

static uint64_t
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* The owner may have died: takes the lock over if so. */
static bool
take_over(struct owner_word *lock, uint64_t owner, uint64_t self)
{
    return owner != 0 && owner != self && !owner_alive(owner)
           && atomic_cas(&lock->word, owner, self);
}

static void
give_way(uint64_t waited)
{
    const struct timespec nap = { .tv_nsec = SLEEP_US * 1000 };

    if (waited < YIELD_US) {
        sched_yield();
    } else {
        nanosleep(&nap, NULL);
    }
}

static enum lock_result
wait_for(struct owner_word *lock, uint64_t self, unsigned wait_us)
{
    uint64_t start = now_us(), check = ALIVE_FIRST_US, owner;
    uint64_t waited = 0;

    for ( ;; ) {
        give_way(waited);

        owner = atomic_load(&lock->word);
        if (owner == 0 && atomic_cas(&lock->word, 0, self)) {
            return LOCK_TAKEN;
        }

        waited = now_us() - start;
        if (waited >= check) {
            if (take_over(lock, owner, self)) {
                return LOCK_RECOVERED;
            }
            check = waited + ALIVE_EVERY_US;
        }

        if (waited >= wait_us) {
            return take_over(lock, owner, self) ? LOCK_RECOVERED : LOCK_BUSY;
        }
    }
}

enum lock_result
lock_take(struct owner_word *lock, uint64_t self, unsigned wait_us)
{
    int i;

    if (atomic_cas(&lock->word, 0, self)) {
        return LOCK_TAKEN;
    }

    for (i = 0; i < SPINS; i++) {
        atomic_pause();
        if (atomic_load(&lock->word) == 0
            && atomic_cas(&lock->word, 0, self))
        {
            return LOCK_TAKEN;
        }
    }

    return wait_for(lock, self, wait_us);
}

void
lock_drop(struct owner_word *lock)
{
    atomic_release(&lock->word, 0);
}
