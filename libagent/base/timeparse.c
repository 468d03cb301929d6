/* SPDX-License-Identifier: Apache-2.0 */
#include "timeparse.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "../intent.h"

#define MS_PER_MINUTE 60000LL
#define MS_PER_HOUR 3600000LL
#define MS_PER_DAY 86400000LL

struct civil {
    int year, month, day, hour, minute, second;
};

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads the digits that text begins with: how many. *out is -1 when they are
 * more than an int64_t holds. */
static size_t
digits(const char *text, size_t len, int64_t *out)
{
    bool over = false;
    int64_t n = 0;
    size_t i;

    for (i = 0; i < len && is_digit(text[i]); i++) {
        over = over || __builtin_mul_overflow(n, 10, &n)
               || __builtin_add_overflow(n, text[i] - '0', &n);
    }
    *out = over ? -1 : n;

    return i;
}

/* Exactly n digits. */
static bool
number(const char *text, int n, int *out)
{
    int i;

    *out = 0;
    for (i = 0; i < n; i++) {
        if (!is_digit(text[i])) {
            return false;
        }
        *out = *out * 10 + (text[i] - '0');
    }

    return true;
}

static int
days_in_month(int year, int month)
{
    static const char days[] = { 31, 28, 31, 30, 31, 30,
                                 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar: years begin in
 * March here, so that the leap day is the last of a year. */
static int64_t
days_from_civil(int year, int month, int day)
{
    int y = year - (month <= 2) + 400;   /* keeps year 0000 positive */
    int era = y / 400, of_era = y % 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return (int64_t) (era - 1) * 146097 + of_era * 365 + of_era / 4
           - of_era / 100 + of_year - 719468;
}

static bool
parse_civil(const char *t, struct civil *c)
{
    return number(t, 4, &c->year) && t[4] == '-'
           && number(t + 5, 2, &c->month) && t[7] == '-'
           && number(t + 8, 2, &c->day) && (t[10] == 'T' || t[10] == 't')
           && number(t + 11, 2, &c->hour) && t[13] == ':'
           && number(t + 14, 2, &c->minute) && t[16] == ':'
           && number(t + 17, 2, &c->second)
           && c->month >= 1 && c->month <= 12 && c->day >= 1
           && c->day <= days_in_month(c->year, c->month)
           && c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

/* "Z" or "+hh:mm", to ms east of UTC. */
static bool
parse_offset(const char *t, size_t len, int64_t *ms)
{
    int hour, minute;

    if (len == 1 && (t[0] == 'Z' || t[0] == 'z')) {
        *ms = 0;
        return true;
    }
    if (len != 6 || (t[0] != '+' && t[0] != '-') || t[3] != ':'
        || !number(t + 1, 2, &hour) || !number(t + 4, 2, &minute)
        || hour > 23 || minute > 59)
    {
        return false;
    }
    *ms = hour * MS_PER_HOUR + minute * MS_PER_MINUTE;
    if (t[0] == '-') {
        *ms = -*ms;
    }

    return true;
}

/* Reads ".123456", of which ms remain: bytes used, 0 where there is none. */
static size_t
parse_fraction(const char *t, size_t len, int *ms)
{
    int scale = 100;
    size_t i;

    *ms = 0;
    if (len < 2 || t[0] != '.' || !is_digit(t[1])) {
        return 0;
    }
    for (i = 1; i < len && is_digit(t[i]); i++) {
        *ms += (t[i] - '0') * scale;
        scale /= 10;
    }

    return i;
}

/* Whether a month begins at ms, which is where a leap second ends. */
static bool
begins_month(int64_t ms)
{
    /* days_from_civil() backwards; one era ahead, so that all is positive. */
    int64_t days = ms / MS_PER_DAY + 719468 + 146097;
    int of_era = (int) (days % 146097);
    int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096)
               / 365;
    int of_year = of_era - (365 * year + year / 4 - year / 100);
    int month = (5 * of_year + 2) / 153;

    return ms % MS_PER_DAY == 0 && of_year == (153 * month + 2) / 5;
}

int
time_rfc3339(const char *text, size_t len, int64_t *ms)
{
    enum { FIXED = sizeof("2026-03-01T12:00:00") - 1 };

    struct civil c;
    int64_t t, east;
    size_t at = FIXED;
    int fraction;

    if (len < FIXED + 1 || !parse_civil(text, &c)) {
        return -EINVAL;
    }
    at += parse_fraction(text + at, len - at, &fraction);
    if (!parse_offset(text + at, len - at, &east)) {
        return -EINVAL;
    }

    t = days_from_civil(c.year, c.month, c.day) * MS_PER_DAY
        + c.hour * MS_PER_HOUR + c.minute * MS_PER_MINUTE
        + c.second * 1000LL - east;
    if (c.second == 60 && !begins_month(t)) {
        return -EINVAL;
    }
    t += fraction;
    if (t < TIME_MIN_MS || t > TIME_MAX_MS) {
        return -ERANGE;
    }
    *ms = t;

    return 0;
}

int
intent_time_parse(const char *text, size_t len, int64_t *ms)
{
    size_t sign = len > 0 && text[0] == '-', n;
    int64_t t;

    n = digits(text + sign, len - sign, &t);
    if (n == 0 || n != len - sign) {
        return time_rfc3339(text, len, ms);
    }
    if (t < 0) {
        return -ERANGE;
    }
    t = sign ? -t : t;
    if (t < TIME_MIN_MS || t > TIME_MAX_MS) {
        return -ERANGE;
    }
    *ms = t;

    return 0;
}

int
time_duration(const char *text, size_t len, int64_t *ms)
{
    static const struct {
        char name[3];
        int64_t ms;
    } units[] = {
        { "ms", 1 }, { "s", 1000 }, { "m", MS_PER_MINUTE },
        { "h", MS_PER_HOUR }, { "d", MS_PER_DAY }
    };
    int64_t value;
    size_t n, i;

    n = digits(text, len, &value);
    if (n == 0) {
        return -EINVAL;
    }

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (len - n == strlen(units[i].name)
            && memcmp(text + n, units[i].name, len - n) == 0)
        {
            if (value < 0
                || __builtin_mul_overflow(value, units[i].ms, &value))
            {
                return -ERANGE;
            }
            *ms = value;
            return 0;
        }
    }

    return -EINVAL;
}

int
time_size(const char *text, size_t len, uint64_t *bytes)
{
    int64_t value;
    int shift = 0;
    size_t n;

    n = digits(text, len, &value);
    if (n == 0 || len - n > 1) {
        return -EINVAL;
    }

    if (len - n == 1) {
        switch (text[n]) {
        case 'k': case 'K': shift = 10; break;
        case 'm': case 'M': shift = 20; break;
        case 'g': case 'G': shift = 30; break;
        default: return -EINVAL;
        }
    }

    if (value < 0 || value > INT64_MAX >> shift) {
        return -ERANGE;
    }
    *bytes = (uint64_t) value << shift;

    return 0;
}
