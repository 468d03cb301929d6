/* SPDX-License-Identifier: Apache-2.0
 *
 * The smallest TAP producer: tests here fork, kill and map memory, which the
 * larger frameworks' own process handling fights with. Run by prove(1).
 */
#ifndef INTENT_TAP_H
#define INTENT_TAP_H

#include <math.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_run;
static int tap_failed;

__attribute__((format(printf, 3, 4), unused))
static bool
tap_ok(bool pass, const char *where, const char *format, ...)
{
    va_list args;

    printf("%s %d - ", pass ? "ok" : "not ok", ++tap_run);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");

    if (!pass) {
        tap_failed++;
        printf("#   failed at %s\n", where);
    }
    fflush(stdout);

    return pass;
}

#define TAP_STR2(x) #x
#define TAP_STR(x) TAP_STR2(x)
#define TAP_WHERE __FILE__ ":" TAP_STR(__LINE__)

#define ok(cond, ...) tap_ok((cond), TAP_WHERE, __VA_ARGS__)

#define is_int(got, expected, ...)                                            \
    do {                                                                      \
        long long g_ = (long long) (got), e_ = (long long) (expected);        \
        if (!ok(g_ == e_, __VA_ARGS__)) {                                     \
            printf("#   got %lld, expected %lld\n", g_, e_);                  \
        }                                                                     \
    } while (0)

#define is_str(got, expected, ...)                                            \
    do {                                                                      \
        const char *g_ = (got), *e_ = (expected);                             \
        if (!ok(g_ != NULL && e_ != NULL && strcmp(g_, e_) == 0,              \
                __VA_ARGS__)) {                                               \
            printf("#   got \"%s\"\n#   expected \"%s\"\n",                   \
                   g_ ? g_ : "(null)", e_ ? e_ : "(null)");                   \
        }                                                                     \
    } while (0)

#define is_double(got, expected, tolerance, ...)                              \
    do {                                                                      \
        double g_ = (got), e_ = (expected);                                   \
        if (!ok(fabs(g_ - e_) <= (tolerance), __VA_ARGS__)) {                 \
            printf("#   got %.17g, expected %.17g\n", g_, e_);                \
        }                                                                     \
    } while (0)

__attribute__((format(printf, 1, 2), unused))
static void
skip_all(const char *format, ...)
{
    va_list args;

    printf("1..0 # SKIP ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static int
done_testing(void)
{
    printf("1..%d\n", tap_run);
    return tap_failed != 0;
}

#endif
