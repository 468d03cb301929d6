/* SPDX-License-Identifier: Apache-2.0
 *
 * A shard: a lock, an index and a heap of records.
 *
 * The index has buckets of eight entries, a cache line each. A key has two
 * possible buckets, the first preferred; so a lookup touches one line in the
 * common case, two at most, and needs no tombstones. When both are full, or
 * the heap is, the least recently active of a few candidates goes: first of
 * those seen only once, so that a flood of new ids cannot push established
 * visitors out. shard_place(), shard_alloc() and shard_sweep(), who decide
 * that, are in reclaim.c.
 *
 * All calls below shard_lock() need the lock, except shard_prefetch(). A
 * record is replaced by storing its entry (shard_publish()): whoever dies
 * before that store leaves the old version in force.
 */
#ifndef INTENT_STATE_SHARD_H
#define INTENT_STATE_SHARD_H

#include "heap.h"
#include "zone.h"

/* Lays out a shard whose memory is all zero; and whether one is laid out so:
 * where everything is follows from the size alone. */
void shard_init(struct shard *shard, uint64_t shard_size);
bool shard_sound(const struct shard *shard, uint64_t shard_size);

/* The shard of a hashed key, and a hint to the cache for its bucket. */
struct shard *shard_of(const struct zone *zone, const uint64_t key[static 2]);
void shard_prefetch(const struct zone *zone, const uint64_t key[static 2]);

/* A hint for the record too, once the bucket is there. Without the lock: what
 * it sees decides about nothing. */
void shard_prefetch_record(const struct zone *zone,
                           const uint64_t key[static 2]);

/* False when the lock was not free within wait_us (counted). After a dead
 * owner the heap is marked anew from the index (counted), and likewise after
 * damage to the shard's own layout. */
bool shard_lock(struct zone *zone, struct shard *shard, unsigned wait_us);
void shard_unlock(struct shard *shard);

/* The key's record and its entry, or NULL. */
struct record *shard_find(struct zone *zone, struct shard *shard,
                          const uint64_t key[static 2], shard_entry **entry);

/* An entry for a key that shard_find() did not find, or NULL: the key's
 * buckets are full. */
shard_entry *shard_vacant(const struct zone *zone,
                          const struct shard *shard,
                          const uint64_t key[static 2]);

/* The same, evicting where needed. NULL: full, on a zone that grows
 * instead. */
shard_entry *shard_place(struct zone *zone, struct shard *shard,
                         const uint64_t key[static 2]);

/* A slot for `size` bytes; evicts others than `keep` (may be NULL) where
 * needed. 0: too large, or full on a zone that grows. */
uint32_t shard_alloc(struct zone *zone, struct shard *shard, uint32_t size,
                     const shard_entry *keep);

/* Commits: the entry now means the record at `offset`, last active at time_ms
 * (the newer of that and what it said). */
void shard_publish(struct zone *zone, struct shard *shard, shard_entry *entry,
                   const uint64_t key[static 2], uint32_t offset,
                   int64_t time_ms);

/* Notes activity of an unchanged record. */
void shard_touch(struct zone *zone, shard_entry *entry, int64_t time_ms);

/* Offset that an entry stands for. */
uint32_t shard_offset(shard_entry entry);

/* Drops the record and its chunks. */
void shard_erase(struct zone *zone, struct shard *shard, shard_entry *entry);

/* Frees a slot and the chunks behind it without touching the index: the old
 * version after shard_publish(). */
void shard_release(struct zone *zone, struct shard *shard, uint32_t offset,
                   bool chunks);

/* The chunk at `next` if it is sound and at least `size` bytes long. */
struct chunk *shard_chunk(const struct shard *shard, uint32_t next,
                          uint32_t *size);

/* Drops what is quiet in the next `buckets` buckets; returns records dropped.
 * now_ms: zone_now(). */
unsigned shard_sweep(struct zone *zone, struct shard *shard, unsigned buckets,
                     int64_t now_ms);

/* Calls visit for each record. Stops at the first non-zero result. */
int shard_each(struct zone *zone, struct shard *shard,
               int (*visit)(void *arg, struct shard *shard,
                            shard_entry *entry, struct record *record),
               void *arg);

/* Marks the heap anew from the index and drops entries that make no sense. */
void shard_repair(struct zone *zone, struct shard *shard);

#endif
