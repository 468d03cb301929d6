/* SPDX-License-Identifier: Apache-2.0
 *
 * How long to wait before another try: exponential with full jitter, so that
 * many hosts that failed together do not come back together. Pure: the
 * randomness is the caller's state.
 */
#ifndef INTENT_DELIVER_BACKOFF_H
#define INTENT_DELIVER_BACKOFF_H

#include <stdint.h>

enum {
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 30000
};

struct backoff {
    unsigned attempt;              /* failures in a row; 0 at first */
};

/* The delay before the next try, 1 to min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS *
 * 2^attempt), evenly spread; counts the attempt. *random is any state. */
int64_t backoff_next(struct backoff *backoff, uint64_t *random);

/* Evenly spread over [low, high], for waits that do not grow. */
int64_t backoff_between(int64_t low, int64_t high, uint64_t *random);

static inline void
backoff_reset(struct backoff *backoff)
{
    backoff->attempt = 0;
}

#endif
