/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

/* SplitMix64 (Steele, Lea, Flood 2014): good spread from any state, even 0.
 * Nothing secret hangs on it. */
static uint64_t
random_next(uint64_t *random)
{
    uint64_t z = (*random += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;

    return z ^ (z >> 31);
}

int64_t
backoff_between(int64_t low, int64_t high, uint64_t *random)
{
    uint64_t span = (uint64_t) (high - low) + 1;

    return low + (int64_t) (random_next(random) % span);
}

int64_t
backoff_next(struct backoff *backoff, uint64_t *random)
{
    int64_t most = BACKOFF_FIRST_MS;
    unsigned i;

    for (i = 0; i < backoff->attempt && most < BACKOFF_MAX_MS; i++) {
        most *= 2;
    }
    if (most > BACKOFF_MAX_MS) {
        most = BACKOFF_MAX_MS;
    }
    backoff->attempt++;

    return backoff_between(1, most, random);
}
