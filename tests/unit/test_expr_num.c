/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>

#include "../../libagent/signal/expr_num.h"
#include "tap.h"

static void
test_int(void)
{
    static const struct {
        const char *text;
        int rc;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"+12", 0, 12},
        {"-0012", 0, -12},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", -ERANGE, 0},
        {"-9223372036854775809", -ERANGE, 0},
        {"99999999999999999999", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"-0x10", -EINVAL, 0},
        {"1a", -EINVAL, 0},
        {"--1", -EINVAL, 0},
    };
    char buf[EXPR_NUM_TEXT];
    size_t i, len;
    int64_t value;
    int rc;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        value = 0;
        rc = expr_parse_int(cases[i].text, strlen(cases[i].text), &value);
        ok(rc == cases[i].rc && value == cases[i].value,
           "int \"%s\": %d, %" PRId64, cases[i].text, rc, value);
    }

    len = expr_print_int(buf, INT64_MIN);
    ok(len == 20 && memcmp(buf, "-9223372036854775808", 20) == 0,
       "the least int prints");
}

static void
test_read(void)
{
    static const struct {
        const char *text;
        int rc;
        double value;
    } cases[] = {
        {"1", 0, 1},
        {"-1.5", 0, -1.5},
        {"+.5", 0, 0.5},
        {"5.", 0, 5},
        {"123.456e2", 0, 12345.6},
        {"1e-3", 0, 0.001},
        {"1E+3", 0, 1000},
        {"0.1", 0, 0.1},
        {"1.7976931348623157e308", 0, DBL_MAX},
        {"5e-324", 0, 4.9406564584124654e-324},
        {"1e-400", 0, 0},
        {"0e999999999999", 0, 0},
        {"1e999999999999", -ERANGE, 0},
        {"-1e309", -ERANGE, 0},
        {"Infinity", 0, HUGE_VAL},
        {"-inf", 0, -HUGE_VAL},
        {"", -EINVAL, 0},
        {".", -EINVAL, 0},
        {"e5", -EINVAL, 0},
        {"1e", -EINVAL, 0},
        {"1e+", -EINVAL, 0},
        {"1.2.3", -EINVAL, 0},
        {"1,5", -EINVAL, 0},
        {"0x1p3", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"infinit", -EINVAL, 0},
        {"nano", -EINVAL, 0},
    };
    char zeros[1000];
    double value;
    size_t i;
    int rc;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        value = 0;
        rc = expr_parse_double(cases[i].text, strlen(cases[i].text), &value);
        ok(rc == cases[i].rc && (rc != 0 || value == cases[i].value),
           "double \"%s\": %d, %.17g", cases[i].text, rc, value);
    }
    ok(expr_parse_double("-NaN", 4, &value) == 0 && isnan(value), "NaN");
    ok(expr_parse_double("12", 1, &value) == 0 && value == 1,
       "no more than the length is read");

    memset(zeros, '0', sizeof(zeros));
    is_int(expr_parse_double(zeros, sizeof(zeros), &value), -EINVAL,
           "a number of 1000 digits is none");
}

static void
test_print(void)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"}, {-0.0, "-0"}, {1, "1"}, {-16, "-16"}, {0.1, "0.1"},
        {1.5, "1.5"}, {100, "100"}, {123456789, "123456789"},
        {0.0001, "0.0001"}, {0.00001, "1e-05"}, {123.456, "123.456"},
        {-0.0045, "-0.0045"}, {1e16, "10000000000000000"}, {1e17, "1e+17"},
        {1.25e300, "1.25e+300"}, {1.0 / 3.0, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {12345678901234567.0, "12345678901234568"},
        {DBL_MAX, "1.7976931348623157e+308"}, {HUGE_VAL, "Infinity"},
        {-HUGE_VAL, "-Infinity"}, {(double) NAN, "NaN"},
    };
    char buf[EXPR_NUM_TEXT + 1];
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf[expr_print_double(buf, cases[i].value)] = '\0';
        is_str(buf, cases[i].text, "%.17g prints", cases[i].value);
    }
}

/* Any double reads back as itself. */
static void
test_round_trip(const char *where)
{
    uint64_t bits = 88172645463325252ull;
    char buf[EXPR_NUM_TEXT];
    double value, back;
    size_t len, longest = 0;
    int i, bad = 0;

    for (i = 0; i < 100000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value)) {
            continue;
        }
        len = expr_print_double(buf, value);
        longest = len > longest ? len : longest;
        bad += expr_parse_double(buf, len, &back) != 0
               || memcmp(&back, &value, sizeof(back)) != 0;
    }
    ok(bad == 0 && longest < EXPR_NUM_TEXT,
       "100000 doubles print and read back%s, %d do not", where, bad);
}

/* A locale whose decimal point is a comma, where there is one. */
static void
test_locale(void)
{
    static const char *const names[] = {
        "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR", "ru_RU.UTF-8",
    };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (setlocale(LC_ALL, names[i]) != NULL
            && strcmp(localeconv()->decimal_point, ",") == 0)
        {
            test_read();
            test_print();
            test_round_trip(" under a comma");
            return;
        }
    }
    ok(true, "decimal comma # SKIP no locale with one is installed");
}

int
main(void)
{
    test_int();
    test_read();
    test_print();
    test_round_trip("");
    test_locale();
    return done_testing();
}
