/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "../../libagent/base/timeparse.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "../../libagent/intent.h"
#include "tap.h"

/* From an exact-size copy, so that ASan and valgrind see a read past it. */
static int
parse(int (*how)(const char *, size_t, int64_t *), const char *text,
      int64_t *out)
{
    size_t len = strlen(text);
    char *copy = malloc(len + 1);
    int rc;

    memcpy(copy, text, len + 1);
    copy = realloc(copy, len > 0 ? len : 1);
    *out = -77;
    rc = how(copy, len, out);
    free(copy);

    return rc;
}

static int
size_as_int(const char *text, size_t len, int64_t *out)
{
    uint64_t bytes = (uint64_t) *out;
    int rc = time_size(text, len, &bytes);

    *out = (int64_t) bytes;

    return rc;
}

struct row {
    const char *text;
    int rc;
    int64_t value;
};

static void
table(const char *name, int (*how)(const char *, size_t, int64_t *),
      const struct row *rows, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        int64_t got;
        int rc = parse(how, rows[i].text, &got);

        is_int(rc, rows[i].rc, "%s \"%s\": code", name, rows[i].text);
        is_int(got, rc == 0 ? rows[i].value : -77, "%s \"%s\": value%s", name,
               rows[i].text, rc == 0 ? "" : " untouched");
    }
}

#define TABLE(name, how, rows) \
    table(name, how, rows, sizeof(rows) / sizeof((rows)[0]))

static const struct row times[] = {
    { "1970-01-01T00:00:00Z", 0, 0 },
    { "2026-03-01T12:00:00Z", 0, 1772366400000 },
    { "2026-03-01t12:00:00z", 0, 1772366400000 },
    { "2026-03-01T12:00:00.5Z", 0, 1772366400500 },
    { "2026-03-01T12:00:00.123456789Z", 0, 1772366400123 },
    { "2026-03-01T12:00:00.1239999999999999999999999Z", 0, 1772366400123 },
    { "2026-03-01T12:00:00.0009Z", 0, 1772366400000 },
    { "2026-03-01T12:00:00+01:00", 0, 1772362800000 },
    { "2026-03-01T12:00:00.25-09:30", 0, 1772400600250 },
    { "2026-03-01T12:00:00-00:00", 0, 1772366400000 },
    { "1969-12-31T23:59:59.999Z", 0, -1 },
    { "0000-01-01T00:00:00Z", 0, TIME_MIN_MS },
    { "9999-12-31T23:59:59.999Z", 0, TIME_MAX_MS },
    { "2024-02-29T00:00:00Z", 0, 1709164800000 },
    { "2000-02-29T00:00:00Z", 0, 951782400000 },

    /* Leap seconds: only where one can be. */
    { "2016-12-31T23:59:60Z", 0, 1483228800000 },
    { "2016-12-31T23:59:60.750Z", 0, 1483228800750 },
    { "2017-01-01T08:59:60+09:00", 0, 1483228800000 },
    { "2016-12-31T16:29:60-07:30", 0, 1483228800000 },
    { "1972-06-30T23:59:60Z", 0, 78796800000 },
    { "2016-02-29T23:59:60Z", 0, 1456790400000 },
    { "0000-02-29T23:59:60Z", 0, TIME_MIN_MS + 60 * 86400000LL },
    { "2016-02-28T23:59:60Z", -EINVAL, 0 },
    { "2016-12-30T23:59:60Z", -EINVAL, 0 },
    { "2016-12-31T23:58:60Z", -EINVAL, 0 },
    { "2016-12-31T12:00:60Z", -EINVAL, 0 },
    { "2016-12-31T23:59:60+01:00", -EINVAL, 0 },
    { "2016-12-31T23:59:61Z", -EINVAL, 0 },

    { "9999-12-31T23:59:59-00:01", -ERANGE, 0 },
    { "9999-12-31T23:59:60Z", -ERANGE, 0 },
    { "0000-01-01T00:00:00+00:01", -ERANGE, 0 },

    { "", -EINVAL, 0 },
    { "2026", -EINVAL, 0 },
    { "2026-03-01", -EINVAL, 0 },
    { "2026-03-01T12:00Z", -EINVAL, 0 },
    { "2026-03-01T12:00:00", -EINVAL, 0 },
    { "2026-03-01 12:00:00Z", -EINVAL, 0 },
    { "2026-03-01T12:00:00.Z", -EINVAL, 0 },
    { "2026-03-01T12:00:00.5", -EINVAL, 0 },
    { "2026-03-01T12:00:00,5Z", -EINVAL, 0 },
    { "2026-03-01T12:00:00Zx", -EINVAL, 0 },
    { "2026-03-01T12:00:00ZZ", -EINVAL, 0 },
    { " 2026-03-01T12:00:00Z", -EINVAL, 0 },
    { "2026-03-01T12:00:00Z ", -EINVAL, 0 },
    { "2026-03-01T12:00:00+1:00", -EINVAL, 0 },
    { "2026-03-01T12:00:00+0100", -EINVAL, 0 },
    { "2026-03-01T12:00:00+24:00", -EINVAL, 0 },
    { "2026-03-01T12:00:00+00:60", -EINVAL, 0 },
    { "2026-03-01T12:00:00+01:00Z", -EINVAL, 0 },
    { "2026-03-01T24:00:00Z", -EINVAL, 0 },
    { "2026-03-01T12:60:00Z", -EINVAL, 0 },
    { "2026-00-01T12:00:00Z", -EINVAL, 0 },
    { "2026-13-01T12:00:00Z", -EINVAL, 0 },
    { "2026-03-00T12:00:00Z", -EINVAL, 0 },
    { "2026-04-31T12:00:00Z", -EINVAL, 0 },
    { "2026-02-29T12:00:00Z", -EINVAL, 0 },
    { "1900-02-29T12:00:00Z", -EINVAL, 0 },
    { "-026-03-01T12:00:00Z", -EINVAL, 0 },
    { "-2026-03-01T12:00:00Z", -EINVAL, 0 },
    { "12026-03-01T12:00:00Z", -EINVAL, 0 },
    { "2026-3-01T12:00:00Z", -EINVAL, 0 },
    { "2026-W09-7T12:00:00Z", -EINVAL, 0 },
    { "2026-03-01T1\xd9\xa2:00:00Z", -EINVAL, 0 },
};

static const struct row any_times[] = {
    { "0", 0, 0 },
    { "1772366400000", 0, 1772366400000 },
    { "-1", 0, -1 },
    { "-0", 0, 0 },
    { "0001772366400000", 0, 1772366400000 },
    { "253402300799999", 0, TIME_MAX_MS },
    { "-62167219200000", 0, TIME_MIN_MS },
    { "2026-03-01T12:00:00Z", 0, 1772366400000 },
    { "253402300800000", -ERANGE, 0 },
    { "-62167219200001", -ERANGE, 0 },
    { "9223372036854775808", -ERANGE, 0 },
    { "99999999999999999999999999", -ERANGE, 0 },
    { "-99999999999999999999999999", -ERANGE, 0 },
    { "99999999999999999999999999x", -EINVAL, 0 },
    { "", -EINVAL, 0 },
    { "-", -EINVAL, 0 },
    { "--1", -EINVAL, 0 },
    { "+1", -EINVAL, 0 },
    { "1.5", -EINVAL, 0 },
    { "1e3", -EINVAL, 0 },
    { "0x10", -EINVAL, 0 },
    { " 1", -EINVAL, 0 },
    { "1 ", -EINVAL, 0 },
    { "now", -EINVAL, 0 },
};

static const struct row durations[] = {
    { "30s", 0, 30000 },
    { "90m", 0, 5400000 },
    { "24h", 0, 86400000 },
    { "7d", 0, 604800000 },
    { "250ms", 0, 250 },
    { "0s", 0, 0 },
    { "007d", 0, 604800000 },
    { "106751991167d", 0, 106751991167 * 86400000LL },
    { "106751991168d", -ERANGE, 0 },
    { "9223372036854775807ms", 0, INT64_MAX },
    { "9223372036854775808ms", -ERANGE, 0 },
    { "99999999999999999999999h", -ERANGE, 0 },
    { "", -EINVAL, 0 },
    { "1", -EINVAL, 0 },
    { "h", -EINVAL, 0 },
    { "-1h", -EINVAL, 0 },
    { "+1h", -EINVAL, 0 },
    { "1H", -EINVAL, 0 },
    { "1M", -EINVAL, 0 },
    { "1w", -EINVAL, 0 },
    { "1.5h", -EINVAL, 0 },
    { "1h30m", -EINVAL, 0 },
    { "1 h", -EINVAL, 0 },
    { "1h ", -EINVAL, 0 },
    { "1mss", -EINVAL, 0 },
    { "99999999999999999999999x", -EINVAL, 0 },
};

static const struct row sizes[] = {
    { "0", 0, 0 },
    { "4096", 0, 4096 },
    { "512k", 0, 524288 },
    { "64m", 0, 67108864 },
    { "1g", 0, 1073741824 },
    { "1G", 0, 1073741824 },
    { "2K", 0, 2048 },
    { "3M", 0, 3145728 },
    { "8589934591g", 0, 8589934591LL << 30 },
    { "8589934592g", -ERANGE, 0 },
    { "9223372036854775807", 0, INT64_MAX },
    { "9223372036854775808", -ERANGE, 0 },
    { "99999999999999999999999k", -ERANGE, 0 },
    { "", -EINVAL, 0 },
    { "g", -EINVAL, 0 },
    { "-1g", -EINVAL, 0 },
    { "1t", -EINVAL, 0 },
    { "1gb", -EINVAL, 0 },
    { "1.5g", -EINVAL, 0 },
    { "1 g", -EINVAL, 0 },
    { "0x10", -EINVAL, 0 },
    { "+4", -EINVAL, 0 },
};

/* Every day from year 0 on against the C library's calendar. */
static void
test_calendar(void)
{
    int64_t bad = 0, days = 0, ms;
    time_t t;

    for (t = TIME_MIN_MS / 1000; t <= TIME_MAX_MS / 1000; t += 86400) {
        struct tm tm;
        char text[64];

        gmtime_r(&t, &tm);
        strftime(text, sizeof(text), "%FT%TZ", &tm);
        if (tm.tm_year + 1900 < 1000) {
            snprintf(text, sizeof(text), "%04d-%02d-%02dT00:00:00Z",
                     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
        }
        bad += time_rfc3339(text, strlen(text), &ms) != 0
               || ms != (int64_t) t * 1000;

        /* The day before ends a month exactly when this one begins one. */
        if (days++ > 0) {
            time_t before = t - 86400;

            gmtime_r(&before, &tm);
            snprintf(text, sizeof(text), "%04d-%02d-%02dT23:59:60Z",
                     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
            gmtime_r(&t, &tm);
            bad += (time_rfc3339(text, strlen(text), &ms) == 0)
                   != (tm.tm_mday == 1);
        }
    }
    is_int(bad, 0, "all %lld days of the calendar", (long long) days);
}

int
main(void)
{
    TABLE("rfc3339", time_rfc3339, times);
    TABLE("time", intent_time_parse, any_times);
    TABLE("duration", time_duration, durations);
    TABLE("size", size_as_int, sizes);
    test_calendar();

    return done_testing();
}
