/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Tokens refill at one per LOG_EVERY_MS. */
static struct {
    int64_t refilled_ms;
    int tokens;
    uint64_t left_out;
} kinds[LOG_KINDS];

static int64_t
mono_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Whether a line of this kind may be written; *left_out: how many were not
 * since the last one that was. */
static int
allowed(int kind, uint64_t *left_out)
{
    int64_t now = mono_ms(), more;

    *left_out = 0;
    if (kind < 0 || kind >= LOG_KINDS) {
        return 1;
    }

    if (kinds[kind].refilled_ms == 0) {
        kinds[kind].refilled_ms = now;
        kinds[kind].tokens = LOG_BURST;
    }

    more = (now - kinds[kind].refilled_ms) / LOG_EVERY_MS;
    kinds[kind].refilled_ms += more * LOG_EVERY_MS;
    more += kinds[kind].tokens;
    kinds[kind].tokens = more > LOG_BURST ? LOG_BURST : (int) more;

    if (kinds[kind].tokens == 0) {
        kinds[kind].left_out++;
        return 0;
    }
    kinds[kind].tokens--;
    *left_out = kinds[kind].left_out;
    kinds[kind].left_out = 0;

    return 1;
}

void
log_line(int kind, enum log_level level, const char *format, ...)
{
    static const char *const names[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARNING] = "warning",
        [LOG_LEVEL_NOTICE] = "notice"
    };
    char line[1024], when[32], more[48] = "";
    uint64_t left_out;
    time_t now;
    struct tm tm;
    va_list args;
    int n;

    if (!allowed(kind, &left_out)) {
        return;
    }

    now = time(NULL);
    gmtime_r(&now, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);

    n = snprintf(line, sizeof(line), "%s intentd: %s: ", when, names[level]);
    va_start(args, format);
    vsnprintf(line + n, sizeof(line) - (size_t) n, format, args);
    va_end(args);

    if (left_out > 0) {
        snprintf(more, sizeof(more), " (%llu such lines left out)",
                 (unsigned long long) left_out);
    }

    /* One write, so that lines of several processes do not mix. What becomes
     * of it is beyond us. */
    dprintf(STDERR_FILENO, "%s%s\n", line, more);
}
