/* SPDX-License-Identifier: Apache-2.0
 *
 * A shard's index: where its buckets are and what an entry says. For shard.c
 * and reclaim.c alone; layout.h has the format.
 */
#ifndef INTENT_STATE_INDEX_H
#define INTENT_STATE_INDEX_H

#include "shard.h"

enum {
    /* One entry for this many bytes of shard: records of users with a few
     * events take 64 to 128 bytes, so the index is about three quarters full
     * when the heap is. */
    INDEX_BYTES_PER_ENTRY = 84,
    INDEX_STAMP_BITS = 15,
    INDEX_STAMP_MASK = (1 << INDEX_STAMP_BITS) - 1,
    INDEX_ESTABLISHED = 1 << INDEX_STAMP_BITS
};

static inline shard_entry *
index_of(const struct shard *shard)
{
    return (shard_entry *) (void *)
           ((char *) (uintptr_t) shard + sizeof(struct shard));
}

static inline uint32_t
index_buckets(uint64_t shard_size)
{
    return (uint32_t) (shard_size / INDEX_BYTES_PER_ENTRY / SHARD_WAYS);
}

/* Maps 32 random bits to 0..n-1 without a division. */
static inline uint32_t
index_scale(uint32_t random, uint32_t n)
{
    return (uint32_t) ((uint64_t) random * n >> 32);
}

/* Of the key's two buckets number 0 or 1. Computed, not read from the shard:
 * so that the bucket can be fetched while the lock's line is on its way. */
static inline shard_entry *
index_bucket(const struct zone *zone, const struct shard *shard,
             const uint64_t key[static 2], int which)
{
    uint32_t random = (uint32_t) (which == 0 ? key[0] : key[0] >> 32);
    uint32_t n = index_buckets(zone->layout.shard_size);

    return index_of(shard) + (uint64_t) index_scale(random, n) * SHARD_WAYS;
}

/* Activity in stamps. Rounds down, also before 1970. */
static inline uint32_t
index_stamp(const struct zone *zone, int64_t time_ms)
{
    int64_t unit = zone->layout.stamp_ms;

    return (uint32_t) (time_ms / unit - (time_ms % unit < 0))
           & INDEX_STAMP_MASK;
}

/* Age in stamps; what lies ahead of now counts as new. */
static inline uint32_t
index_age(shard_entry entry, uint32_t now)
{
    uint32_t age = (now - (uint32_t) (entry >> 32)) & INDEX_STAMP_MASK;

    return age > INDEX_STAMP_MASK / 2 ? 0 : age;
}

#endif
