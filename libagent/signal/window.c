/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#include <errno.h>
#include <string.h>

#include "../base/atomic.h"
#include "../base/crash.h"
#include "rewrite.h"
#include "writer.h"

enum { FIRST_CELLS = 2 };          /* room in a new history */

/* The segment that takes the next cell. */
static bool
last_segment(const struct shard *shard, const struct history_shape *shape,
             uint32_t head, struct segment *seg, uint32_t *tail)
{
    const struct chunk *first;
    uint32_t size;

    *tail = 0;
    if (!segment_head(shard, shape, head, seg)) {
        return false;
    }
    if (seg->next == 0) {
        return true;
    }

    first = shard_chunk(shard, seg->next, &size);
    if (first == NULL) {
        return false;
    }

    for (seg->next = first->tail; seg->next != 0; /* void */) {
        *tail = seg->next;
        if (!segment_next(shard, shape, seg)) {
            return false;
        }
    }

    return *tail != 0;
}

/* A further chunk for a history that may not be coalesced. */
static int
extend(const struct window *w, struct shard *shard, shard_entry *entry,
       const struct history_shape *shape, uint32_t tail,
       const struct history_event *event)
{
    const struct history *history = heap_at(shard, shard_offset(*entry));
    struct writer wr = { .w = w, .shard = shard, .keep = entry,
                         .shape = *shape, .base_ms = history->base_ms,
                         .head = shard_offset(*entry), .tail = tail };

    if (!writer_extend(&wr, event)) {
        return -ENOSPC;
    }
    shard_touch(w->zone, entry, event->time_ms);

    return 0;
}

struct chain {
    uint64_t cells, gone;          /* gone: nobody can read them any more */
    uint64_t bytes;                /* of its slots */
};

static struct chain
survey_chain(const struct window *w, const struct shard *shard,
             const struct history_shape *shape, uint32_t head,
             const struct history *history, int64_t watermark_ms)
{
    struct chain chain = { 0, 0, 0 };
    int64_t horizon_ms = rewrite_horizon(w, watermark_ms);
    struct segment seg;
    uint32_t i;
    bool more;

    for (more = segment_head(shard, shape, head, &seg); more;
         more = segment_next(shard, shape, &seg))
    {
        chain.bytes += seg.size;
        chain.cells += seg.n_cells;
        for (i = 0; i < seg.n_cells; i++) {
            chain.gone += cell_time(shape, seg.cells
                                           + (size_t) i * shape->cell_size,
                                    history->base_ms) < horizon_ms;
        }
    }

    return chain;
}

static int
add(const struct window *w, struct shard *shard, shard_entry *entry,
    const uint64_t key[static 2], const struct history_event *event,
    int64_t watermark_ms)
{
    uint32_t head = shard_offset(*entry), tail;
    const struct history *history = heap_at(shard, head);
    bool wide = (history->record.flags & HISTORY_WIDE) != 0;
    struct history_shape shape = history_shape(w->table,
                                               history->record.flags);
    struct segment seg;
    struct chain chain;
    int rc;

    if (!last_segment(shard, &shape, head, &seg, &tail)
        || (!wide && !history_is_narrow(w->table, event))
        || !history_reaches(&shape, history->base_ms, event->time_ms)
        || (!w->table->exact && tail == 0
            && seg.n_cells >= rewrite_most_cells(w->table->max_events)))
    {
        return rewrite_history(w, shard, entry, &shape, key, event,
                               watermark_ms);
    }

    if (segment_append(&shape, &seg, history->base_ms, event)) {
        shard_touch(w->zone, entry, event->time_ms);
        return 0;
    }

    if (w->table->exact && heap_slot_size(shard, head) == HEAP_MAX_SLOT) {
        chain = survey_chain(w, shard, &shape, head, history, watermark_ms);
        if (chain.gone * 2 < chain.cells) {
            rc = rewrite_room(w, shard, chain.bytes + HEAP_MAX_SLOT);
            return rc != 0 ? rc
                   : extend(w, shard, entry, &shape, tail, event);
        }
    }

    return rewrite_history(w, shard, entry, &shape, key, event, watermark_ms);
}

static int
begin(const struct window *w, struct shard *shard,
      const uint64_t key[static 2], const struct history_event *event,
      int64_t watermark_ms)
{
    struct writer wr = { .w = w, .shard = shard };
    shard_entry *entry;

    entry = shard_place(w->zone, shard, key);
    if (entry == NULL) {
        return -ENOSPC;
    }

    wr.keep = entry;
    wr.shape = history_shape(w->table,
                             history_flags(w->table,
                                 !history_is_narrow(w->table, event)));
    wr.base_ms = watermark_ms - w->table->lateness_ms;
    if (event->time_ms < wr.base_ms) {
        wr.base_ms = event->time_ms;
    }

    if (!writer_head(&wr, key, FIRST_CELLS * wr.shape.cell_size
                               + history_string_bytes(w->table, event))
        || !writer_event(&wr, event))
    {
        writer_undo(&wr);
        return -ENOSPC;
    }

    shard_publish(w->zone, shard, entry, key, wr.head, event->time_ms);

    return 0;
}

int
window_apply(const struct window *w, const uint64_t key[static 2],
             const struct history_event *event, int64_t watermark_ms,
             unsigned wait_us)
{
    struct shard *shard = shard_of(w->zone, key);
    shard_entry *entry;
    struct record *record;
    int rc;

    if (watermark_ms > HISTORY_MAX_TIME || event->time_ms < -HISTORY_MAX_TIME
        || event->time_ms > watermark_ms)
    {
        return -ERANGE;
    }
    /* Deferred until the watermark had left it behind. */
    if (event->time_ms < rewrite_horizon(w, watermark_ms)) {
        return 0;
    }

    if (!shard_lock(w->zone, shard, wait_us)) {
        return -EBUSY;
    }
    CRASH_POINT("locked");

    record = shard_find(w->zone, shard, key, &entry);
    if (record != NULL && (record->table != w->index
                           || heap_slot_size(shard, shard_offset(*entry))
                              < sizeof(struct history)))
    {
        w->zone->counters[INTENT_C_RECORDS_DAMAGED]++;
        shard_erase(w->zone, shard, entry);
        record = NULL;
    }

    rc = record != NULL
         ? add(w, shard, entry, key, event, watermark_ms)
         : begin(w, shard, key, event, watermark_ms);

    CRASH_POINT("before-unlock");
    shard_unlock(shard);

    return rc;
}

int
window_migrate(struct zone *to, const struct shard *from, shard_entry entry,
               const struct record *record)
{
    struct shard *shard = shard_of(to, record->key);
    uint32_t offset = shard_offset(entry), size, *link, next;
    uint32_t head = 0, first = 0, last = 0;
    const struct chunk *chunk;
    shard_entry *place;

    place = shard_vacant(to, shard, record->key);
    if (place == NULL) {
        return -ENOSPC;
    }

    size = heap_slot_size(from, offset);
    head = heap_alloc(shard, size);
    if (head == 0) {
        return -ENOSPC;
    }
    memcpy(heap_at(shard, head), record, size);
    link = &((struct record *) heap_at(shard, head))->next;
    next = record->next;
    *link = 0;

    while ((chunk = shard_chunk(from, next, &size)) != NULL) {
        last = heap_alloc(shard, size);
        if (last == 0) {
            shard_release(to, shard, head, true);
            return -ENOSPC;
        }
        memcpy(heap_at(shard, last), chunk, size);
        first = first == 0 ? last : first;
        *link = last;
        link = &((struct chunk *) heap_at(shard, last))->next;
        next = chunk->next;
        *link = 0;
    }
    if (first != 0) {
        ((struct chunk *) heap_at(shard, first))->tail = last;
    }

    /* The entry keeps its stamp: zones of one configuration share the unit. */
    *place = (entry & 0xffffffff00000000ull) | head;
    shard->records++;

    return 0;
}
