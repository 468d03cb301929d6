/* SPDX-License-Identifier: Apache-2.0
 *
 * strtod() and snprintf() do the exact work, but never see or make a decimal
 * point: the point is moved into the exponent on the way in and put by hand
 * on the way out.
 */
#include "expr_num.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/compiler.h"

enum {
    MAX_DIGITS = 512,              /* of a number's text: more are no number */
    MAX_EXPONENT = 99999           /* past it every double is 0 or infinite */
};

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int
hex_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

int
expr_parse_magnitude(const char *text, size_t len, uint64_t *out)
{
    uint64_t value = 0;
    unsigned base = 10;
    size_t i = 0;

    if (len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        i = 2;
    }
    if (i == len) {
        return -EINVAL;
    }

    for (; i < len; i++) {
        int digit = hex_value(text[i]);

        if (digit < 0 || digit >= (int) base) {
            return -EINVAL;
        }
        if (__builtin_mul_overflow(value, base, &value)
            || __builtin_add_overflow(value, (unsigned) digit, &value))
        {
            return -ERANGE;
        }
    }

    *out = value;
    return 0;
}

int
expr_parse_int(const char *text, size_t len, int64_t *out)
{
    bool negative = len > 0 && text[0] == '-';
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');
    uint64_t magnitude;
    int rc;

    if (len > sign + 1 && hex_value(text[sign + 1]) < 0) {
        return -EINVAL;            /* 0x is for literals */
    }
    rc = expr_parse_magnitude(text + sign, len - sign, &magnitude);
    if (rc != 0) {
        return rc;
    }
    if (magnitude > (uint64_t) INT64_MAX + negative) {
        return -ERANGE;
    }

    *out = (int64_t) (negative ? 0 - magnitude : magnitude);
    return 0;
}

/* Reads what follows e or E. */
static int
parse_exponent(const char *text, size_t len, int *out)
{
    bool negative = len > 0 && text[0] == '-';
    size_t i = len > 0 && (text[0] == '-' || text[0] == '+');
    int value = 0;

    if (i == len) {
        return -EINVAL;
    }
    for (; i < len; i++) {
        if (!is_digit(text[i])) {
            return -EINVAL;
        }
        if (value < MAX_EXPONENT) {
            value = value * 10 + (text[i] - '0');
        }
    }

    *out = negative ? -value : value;
    return 0;
}

static int
parse_special(const char *text, size_t len, double *out)
{
    if (len == 3 && strncasecmp(text, "nan", 3) == 0) {
        *out = NAN;
        return 0;
    }
    if ((len == 3 && strncasecmp(text, "inf", 3) == 0)
        || (len == 8 && strncasecmp(text, "infinity", 8) == 0))
    {
        *out = INFINITY;
        return 0;
    }
    return -EINVAL;
}

/* Nearly every number that there is: up to 15 digits and no exponent. Digits
 * and power are exact as doubles, so their quotient is rounded correctly. */
static bool
parse_short(const char *text, size_t len, double *out)
{
    static const double powers[] = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
        1e13, 1e14, 1e15
    };
    size_t i, n = 0, behind = 0;
    bool point = false;
    uint64_t digits = 0;

    if (len > 16) {
        return false;
    }

    for (i = 0; i < len; i++) {
        if (is_digit(text[i])) {
            digits = digits * 10 + (uint64_t) (text[i] - '0');
            n++;
            behind += point;
        } else if (text[i] == '.' && !point) {
            point = true;
        } else {
            return false;
        }
    }

    if (n == 0 || n > 15) {
        return false;
    }
    *out = (double) digits / powers[behind];

    return true;
}

static int
parse_unsigned(const char *text, size_t len, double *out)
{
    UNINITIALIZED char buf[MAX_DIGITS + EXPR_NUM_TEXT];
    size_t i, n = 0;
    int exponent = 0, behind = 0;
    bool point = false;

    if (parse_short(text, len, out)) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (is_digit(text[i]) && n < MAX_DIGITS) {
            buf[n++] = text[i];
            behind += point;
        } else if (text[i] == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    if (n == 0) {
        return parse_special(text, len, out);
    }
    if (i < len
        && ((text[i] != 'e' && text[i] != 'E')
            || parse_exponent(text + i + 1, len - i - 1, &exponent) != 0))
    {
        return -EINVAL;
    }

    snprintf(buf + n, sizeof(buf) - n, "e%d", exponent - behind);
    *out = strtod(buf, NULL);
    return isinf(*out) ? -ERANGE : 0;
}

int
expr_parse_double(const char *text, size_t len, double *out)
{
    bool negative = len > 0 && text[0] == '-';
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');
    double value;
    int rc;

    rc = parse_unsigned(text + sign, len - sign, &value);
    if (rc == 0) {
        *out = negative ? -value : value;
    }
    return rc;
}

/* Splits a finite, positive double: the fewest digits that give it back,
 * without zeros at the end, and the power of ten of the first. */
static int
shortest_digits(double value, char digits[static EXPR_NUM_TEXT], int *exponent)
{
    char buf[EXPR_NUM_TEXT], whole[EXPR_NUM_TEXT + 8];
    const char *p;
    int precision, n;

    for (precision = 15; precision <= 17; precision++) {
        snprintf(buf, sizeof(buf), "%.*e", precision - 1, value);
        n = 0;
        for (p = buf; *p != 'e'; p++) {
            if (is_digit(*p)) {    /* not so the locale's point */
                digits[n++] = *p;
            }
        }
        digits[n] = '\0';
        *exponent = 0;
        parse_exponent(p + 1, strlen(p + 1), exponent);
        snprintf(whole, sizeof(whole), "%se%d", digits, *exponent - (n - 1));
        if (strtod(whole, NULL) == value) {
            break;
        }
    }

    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    return n;
}

static char *
put(char *p, const char *text, int n)
{
    memcpy(p, text, (size_t) n);
    return p + n;
}

static char *
print_positive(char *p, double value)
{
    static const char zeros[] = "00000000000000000";
    char digits[EXPR_NUM_TEXT];
    int exponent, n;

    n = shortest_digits(value, digits, &exponent);

    if (exponent < -4 || exponent >= 17) {
        p = put(p, digits, 1);
        if (n > 1) {
            *p++ = '.';
            p = put(p, digits + 1, n - 1);
        }
        return p + snprintf(p, 8, "e%c%02d", exponent < 0 ? '-' : '+',
                            abs(exponent));
    }
    if (exponent < 0) {
        p = put(p, "0.", 2);
        p = put(p, zeros, -exponent - 1);
        return put(p, digits, n);
    }
    if (exponent + 1 >= n) {
        p = put(p, digits, n);
        return put(p, zeros, exponent + 1 - n);
    }
    p = put(p, digits, exponent + 1);
    *p++ = '.';
    return put(p, digits + exponent + 1, n - exponent - 1);
}

size_t
expr_print_double(char buf[static EXPR_NUM_TEXT], double value)
{
    char *p = buf;

    if (isnan(value)) {
        return (size_t) (put(p, "NaN", 3) - buf);
    }
    if (signbit(value)) {
        *p++ = '-';
        value = -value;
    }
    if (isinf(value)) {
        p = put(p, "Infinity", 8);
    } else if (value == 0) {
        *p++ = '0';
    } else {
        p = print_positive(p, value);
    }
    return (size_t) (p - buf);
}

size_t
expr_print_int(char buf[static EXPR_NUM_TEXT], int64_t value)
{
    return (size_t) snprintf(buf, EXPR_NUM_TEXT, "%lld", (long long) value);
}
