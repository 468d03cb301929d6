/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl_progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

/* Often enough to look alive, and not at all for what is quickly done. */
#define EVERY 0.2
#define NOT_BEFORE 0.5

static double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec * 1e-9;
}

void
progress_begin(struct progress *p)
{
    memset(p, 0, sizeof(*p));
    p->terminal = isatty(STDERR_FILENO) == 1;
    p->began = now();
    p->last = p->began + NOT_BEFORE - EVERY;
}

bool
progress_due(const struct progress *p)
{
    return p->terminal && now() >= p->last + EVERY;
}

void
progress_show(struct progress *p, uint64_t lines, double part)
{
    char n[CTL_COUNT], rate[CTL_COUNT];
    double seconds = progress_seconds(p), left;

    p->last = now();
    p->shown = true;
    fprintf(stderr, "\r%s lines, %s/s", ctl_count(n, lines),
            ctl_count(rate, (uint64_t) ((double) lines / seconds)));

    if (part > 0.0) {
        left = part < 1.0 ? seconds * (1.0 - part) / part : 0.0;
        fprintf(stderr, ", %d%%, %d:%02d left", (int) (part * 100),
                (int) (left / 60), (int) left % 60);
    }

    fputs("\x1b[K", stderr);
    fflush(stderr);
}

void
progress_clear(struct progress *p)
{
    if (p->shown) {
        fputs("\r\x1b[K", stderr);
        fflush(stderr);
        p->shown = false;
    }
}

double
progress_seconds(const struct progress *p)
{
    return now() - p->began;
}
