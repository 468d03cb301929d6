/* SPDX-License-Identifier: Apache-2.0 */
#include "lane.h"

#include <errno.h>
#include <string.h>

#include "../base/atomic.h"
#include "../base/crash.h"
#include "../base/hash.h"
#include "lock.h"

static uint64_t
padded(uint32_t len)
{
    return (sizeof(struct lane_record) + len + 7) & ~7ull;
}

static char *
ring_of(const struct zone *zone, uint32_t lane)
{
    return (char *) zone->header + zone->layout.rings_at
           + lane * zone->layout.lane_size;
}

/* The tail as the producer may rely on it. intentd may be writing the copy
 * that is read here; a tail only grows, so any value seen is safe. */
static uint64_t
tail_of(const struct zone *zone, uint32_t lane)
{
    struct account *account = zone_account(zone);
    uint64_t current = atomic_acquire(&account->current);

    return atomic_load(&account->copy[current & 1].lane[lane].tail);
}

uint32_t
lane_check(uint64_t seq, uint64_t key, const char *bytes, uint32_t len)
{
    return (uint32_t) (hash_check(seq ^ key, bytes, len) >> 32);
}

/* The end of a whole record that was counted and not shown; 0: there is
 * none. */
static uint64_t
cut_off(const struct zone *zone, uint32_t lane)
{
    const struct lane_slot *slot = zone_lane(zone, lane);
    uint64_t size = zone->layout.lane_size, at = slot->head % size;
    const struct lane_record *record;
    uint32_t len;

    if (slot->last != slot->head || at % 8 != 0
        || size - at < sizeof(*record))
    {
        return 0;
    }

    record = (const struct lane_record *) (ring_of(zone, lane) + at);
    len = record->len;

    if (len > size - at - sizeof(*record)
        || record->seq + 1 != slot->published + slot->dropped + slot->refused
        || record->check != lane_check(record->seq, record->key,
                                       (const char *) (record + 1), len))
    {
        return 0;
    }

    return slot->head + padded(len);
}

/* Finishes a publication that its owner's death cut off between counting the
 * record and showing it. One that was cut off before it was counted is
 * forgotten: it must not come back when some later event makes the count
 * match. */
static void
lane_repair(struct zone *zone, uint32_t lane)
{
    struct lane_slot *slot = zone_lane(zone, lane);
    uint64_t head = cut_off(zone, lane);

    if (head != 0) {
        atomic_release(&slot->head, head);
    } else {
        atomic_store(&slot->last, slot->head - 8);
    }
}

int
lane_claim(struct zone *zone, uint64_t self)
{
    struct lane_slot *slot;
    uint64_t owner;
    uint32_t i;

    for (i = 0; i < zone->layout.n_lanes; i++) {
        slot = zone_lane(zone, i);
        if (atomic_load(&slot->owner.word) == 0
            && atomic_cas(&slot->owner.word, 0, self))
        {
            return (int) i;
        }
    }

    for (i = 0; i < zone->layout.n_lanes; i++) {
        slot = zone_lane(zone, i);
        owner = atomic_load(&slot->owner.word);
        if (!owner_alive(owner) && atomic_cas(&slot->owner.word, owner, self))
        {
            lane_repair(zone, i);
            return (int) i;
        }
    }

    return -EAGAIN;
}

void
lane_release(struct zone *zone, uint32_t lane)
{
    atomic_release(&zone_lane(zone, lane)->owner.word, 0);
}

void
lane_reap(struct zone *zone, uint32_t lane, uint64_t self)
{
    struct lane_slot *slot = zone_lane(zone, lane);
    uint64_t owner = atomic_load(&slot->owner.word);

    if (owner == 0 || owner == self || owner_alive(owner)
        || !atomic_cas(&slot->owner.word, owner, self))
    {
        return;
    }

    lane_repair(zone, lane);
    atomic_release(&slot->owner.word, 0);
}

void *
lane_reserve(struct zone *zone, uint32_t lane, uint32_t max, uint64_t *seq)
{
    struct lane_slot *slot = zone_lane(zone, lane);
    uint64_t size = zone->layout.lane_size;
    uint64_t need = padded(max), at, skip, room;
    struct lane_record *record;

    if (slot->head % 8 != 0) {
        /* Damage: the consumer will find it out and go on from here. */
        atomic_release(&slot->head, (slot->head + 7) & ~7ull);
    }
    at = slot->head % size;
    *seq = slot->published + slot->dropped + slot->refused;

    if (max > LANE_MAX_RECORD || need > size / 2) {
        atomic_store(&slot->refused, slot->refused + 1);
        return NULL;
    }

    skip = size - at < need ? size - at : 0;
    room = size - (slot->head - tail_of(zone, lane));

    if (room > size || room < skip + need) {
        atomic_store(&slot->dropped, slot->dropped + 1);
        return NULL;
    }

    if (skip != 0) {
        /* Positions are multiples of 8, so a filler's mark always fits. */
        record = (struct lane_record *) (ring_of(zone, lane) + at);
        record->len = LANE_FILLER;
        atomic_release(&slot->head, slot->head + skip);
        at = 0;
    }

    record = (struct lane_record *) (ring_of(zone, lane) + at);

    return record + 1;
}

void
lane_commit(struct zone *zone, uint32_t lane, void *room, uint32_t len,
            uint64_t key)
{
    struct lane_slot *slot = zone_lane(zone, lane);
    struct lane_record *record = (struct lane_record *) room - 1;

    record->len = len;
    record->seq = slot->published + slot->dropped + slot->refused;
    record->key = key;
    record->check = lane_check(record->seq, key, room, len);
    CRASH_POINT("lane-written");

    atomic_store(&slot->last, slot->head);
    atomic_order();
    CRASH_POINT("lane-last");
    atomic_store(&slot->published, slot->published + 1);
    atomic_order();
    CRASH_POINT("lane-counted");
    atomic_release(&slot->head, slot->head + padded(len));
    CRASH_POINT("lane-published");
}

void
lane_refuse(struct zone *zone, uint32_t lane)
{
    struct lane_slot *slot = zone_lane(zone, lane);

    atomic_store(&slot->refused, slot->refused + 1);
}

int
lane_read(const struct zone *zone, uint32_t lane, uint64_t pos,
          const struct lane_record **record, const char **bytes,
          uint64_t *next)
{
    uint64_t size = zone->layout.lane_size;
    uint64_t head = atomic_acquire(&zone_lane(zone, lane)->head), at;
    const struct lane_record *r;
    uint32_t len;

    *next = head;

    for ( ;; ) {
        if (pos == head) {
            return 0;
        }

        at = pos % size;
        if (head - pos > size || pos % 8 != 0) {
            return -EBADMSG;
        }

        r = (const struct lane_record *) (ring_of(zone, lane) + at);
        len = r->len;
        if (len != LANE_FILLER) {
            break;
        }
        pos += size - at;
        if (pos > head) {
            return -EBADMSG;
        }
    }

    if (size - at < sizeof(*r) || len > size - at - sizeof(*r)
        || padded(len) > head - pos
        || r->check != lane_check(r->seq, r->key, (const char *) (r + 1),
                                  len))
    {
        return -EBADMSG;
    }

    *record = r;
    *bytes = (const char *) (r + 1);
    *next = pos + padded(len);

    return 1;
}
