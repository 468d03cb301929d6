/* SPDX-License-Identifier: Apache-2.0
 *
 * A shard's heap: pages of slots of one size class each, a bit per slot.
 *
 * All calls under the shard's lock. Taking and freeing a slot are one store
 * each, so a death leaves at worst slots marked that nothing refers to; the
 * next owner of the lock clears those by marking anew from the index
 * (heap_mark_begin(), heap_mark() for each, heap_mark_end()).
 *
 * Offsets are in units of HEAP_UNIT bytes from the shard's start; 0 is none.
 */
#ifndef INTENT_STATE_HEAP_H
#define INTENT_STATE_HEAP_H

#include <stdbool.h>

#include "layout.h"

enum { HEAP_UNIT = 16, HEAP_MAX_SLOT = 32768 };

void heap_init(struct shard *shard, uint64_t shard_size, uint32_t first_page);

/* Size of the slot that a request of `size` bytes gets; 0: too large. */
uint32_t heap_class_size(uint32_t size);

/* 0 when nothing is free. */
uint32_t heap_alloc(struct shard *shard, uint32_t size);
void heap_free(struct shard *shard, uint32_t offset);

/* Size of the allocated slot that begins exactly there; 0 where none does.
 * Safe for any offset. */
uint32_t heap_slot_size(const struct shard *shard, uint32_t offset);

static inline void *
heap_at(const struct shard *shard, uint32_t offset)
{
    return (char *) (uintptr_t) shard + (uint64_t) offset * HEAP_UNIT;
}

/* mark: false when no slot of a known class begins there. */
void heap_mark_begin(struct shard *shard);
bool heap_mark(struct shard *shard, uint32_t offset);
void heap_mark_end(struct shard *shard);

#endif
