/* SPDX-License-Identifier: Apache-2.0
 *
 * A shard's heap: pages of slots of one size class each, a bit per slot.
 *
 * All calls under the shard's lock. Taking and freeing a slot are one store
 * each, so a death leaves at worst slots marked that nothing refers to; the
 * next owner of the lock clears those by marking anew from the index
 * (heap_mark_begin(), heap_mark() for each, heap_mark_end()).
 *
 * A slot is named by a reference: its class in the upper five bits, then its
 * offset in units of HEAP_UNIT bytes from the shard's start; 0 is none. So the
 * bounds of a slot can be checked without touching its page's entry, which
 * would be one more cache miss on every lookup.
 */
#ifndef INTENT_STATE_HEAP_H
#define INTENT_STATE_HEAP_H

#include <stdbool.h>

#include "layout.h"

enum { HEAP_UNIT = 16, HEAP_MAX_SLOT = 32768, HEAP_CLASS_SHIFT = 27 };

void heap_init(struct shard *shard, uint64_t shard_size, uint32_t first_page);

/* Size of the slot that a request of `size` bytes gets; 0: too large. */
uint32_t heap_class_size(uint32_t size);

/* 0 when nothing is free. */
uint32_t heap_alloc(struct shard *shard, uint32_t size);
void heap_free(struct shard *shard, uint32_t ref);

/* Size of the slot, which lies inside the shard's heap; 0 for a reference
 * that cannot be one. Safe for any value; whether the slot is allocated is
 * what heap_allocated() says. */
uint32_t heap_slot_size(const struct shard *shard, uint32_t ref);
bool heap_allocated(const struct shard *shard, uint32_t ref);

static inline void *
heap_at(const struct shard *shard, uint32_t ref)
{
    uint64_t offset = ref & ((1u << HEAP_CLASS_SHIFT) - 1);

    return (char *) (uintptr_t) shard + offset * HEAP_UNIT;
}

/* Whether a request of this class's size can take the place of that slot. */
bool heap_serves(uint32_t ref, uint32_t class_size);

/* The allocated slots that reach into n pages, by reference. Slots may be
 * freed on the way. */
struct heap_slots {
    uint32_t page, end, slot;
};

uint32_t heap_page(uint32_t ref);
struct heap_slots heap_slots(const struct shard *shard, uint32_t page,
                             uint32_t n);
/* 0: no more. */
uint32_t heap_slots_next(const struct shard *shard, struct heap_slots *slots);

/* mark: false when no slot of a known class begins there. */
void heap_mark_begin(struct shard *shard);
bool heap_mark(struct shard *shard, uint32_t ref);
void heap_mark_end(struct shard *shard);

#endif
