/* SPDX-License-Identifier: Apache-2.0
 *
 * A wall clock for tests, by LD_PRELOAD: as long as the first eight bytes of
 * the file that INTENT_TEST_CLOCK names are not zero they are the time in ms
 * since 1970. The monotonic clock, and with it every timer, goes on as usual.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *clock_ms;

__attribute__((constructor))
static void
attach(void)
{
    const char *path = getenv("INTENT_TEST_CLOCK");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    void *memory;

    if (fd < 0) {
        return;
    }

    memory = mmap(NULL, sizeof(*clock_ms), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (memory != MAP_FAILED) {
        clock_ms = memory;
    }
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int64_t ms = clock_ms == NULL ? 0 : *clock_ms;

    if (ms == 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) {
        return (int) syscall(SYS_clock_gettime, id, ts);
    }

    ts->tv_sec = ms / 1000;
    ts->tv_nsec = ms % 1000 * 1000000;

    return 0;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec ts;
    int rc;

    (void) tz;
    rc = clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return rc;
}
