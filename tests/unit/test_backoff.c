/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/deliver/backoff.h"
#include "tap.h"

enum { TRIES = 4000 };

/* The most that an attempt may wait, as documented. */
static int64_t
most(unsigned attempt)
{
    int64_t cap = BACKOFF_FIRST_MS;

    while (attempt-- > 0 && cap < BACKOFF_MAX_MS) {
        cap *= 2;
    }

    return cap < BACKOFF_MAX_MS ? cap : BACKOFF_MAX_MS;
}

static void
spread(unsigned attempt)
{
    struct backoff backoff;
    uint64_t random = 42;
    int64_t delay, low = BACKOFF_MAX_MS + 1, high = 0, sum = 0;
    int64_t cap = most(attempt);
    int i;

    for (i = 0; i < TRIES; i++) {
        backoff.attempt = attempt;
        delay = backoff_next(&backoff, &random);
        low = delay < low ? delay : low;
        high = delay > high ? delay : high;
        sum += delay;
    }

    ok(low >= 1 && high <= cap, "attempt %u: within 1 and %d ms", attempt,
       (int) cap);
    ok(low <= cap / 50 + 1 && high >= cap - cap / 50,
       "attempt %u: full jitter, %d to %d", attempt, (int) low, (int) high);
    is_double((double) sum / TRIES, (double) cap / 2, (double) cap / 20,
              "attempt %u: even on average", attempt);
}

int
main(void)
{
    struct backoff backoff = { .attempt = 0 };
    uint64_t one = 7, same = 7, other = 8;
    int64_t a, b;
    unsigned i;
    int differ = 0;

    for (i = 0; i < 12; i++) {
        spread(i);
    }

    backoff_next(&backoff, &one);
    backoff_next(&backoff, &one);
    is_int(backoff.attempt, 2, "attempts are counted");
    backoff_reset(&backoff);
    is_int(backoff.attempt, 0, "and forgotten");

    backoff.attempt = 4000000000u;
    ok(backoff_next(&backoff, &one) <= BACKOFF_MAX_MS,
       "however many attempts");

    one = 7;
    for (i = 0; i < 50; i++) {
        a = backoff_between(5, 1000000, &one);
        b = backoff_between(5, 1000000, &same);
        if (a != b || a < 5 || a > 1000000) {
            break;
        }
        differ += a != backoff_between(5, 1000000, &other);
    }
    is_int(i, 50, "the same seed gives the same waits, within bounds");
    ok(differ > 45, "another seed others");
    is_int(backoff_between(9, 9, &one), 9, "an empty range");

    return done_testing();
}
