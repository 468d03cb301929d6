/* SPDX-License-Identifier: Apache-2.0 */
#include "writer.h"

#include <string.h>

#include "../base/atomic.h"
#include "../base/crash.h"

enum {
    SMALL = 256                    /* below: grow by one size class, so that
                                      a casual visitor costs little */
};

/* Allocates a chunk behind the writer's last segment and makes it the one to
 * write to. `least`: bytes that it must hold. */
static bool
writer_chunk(struct writer *wr, uint32_t least)
{
    struct history_chunk *chunk, *first;
    struct history *head = heap_at(wr->shard, wr->head);
    uint32_t offset = 0, size;

    for (size = HEAP_MAX_SLOT; offset == 0 && size >= ZONE_PAGE
         && size >= sizeof(*chunk) + least; size /= 2)
    {
        offset = shard_alloc(wr->w->zone, wr->shard, size, wr->keep);
    }
    if (offset == 0) {
        return false;
    }

    chunk = heap_at(wr->shard, offset);
    memset(chunk, 0, sizeof(*chunk));
    chunk->chunk.tail = offset;
    CRASH_POINT("chunk-made");
    atomic_order();

    if (wr->tail == 0) {
        head->record.next = offset;
    } else {
        ((struct chunk *) heap_at(wr->shard, wr->tail))->next = offset;
        CRASH_POINT("chunk-linked");
        atomic_order();
        first = heap_at(wr->shard, head->record.next);
        first->chunk.tail = offset;
    }
    wr->tail = offset;

    return segment_chunk(wr->shard, &wr->shape, offset, &wr->seg);
}

bool
writer_extend(struct writer *wr, const struct history_event *event)
{
    uint32_t need = wr->shape.cell_size
                    + history_string_bytes(wr->w->table, event);

    return heap_slot_size(wr->shard, wr->head) == HEAP_MAX_SLOT
           && writer_chunk(wr, need)
           && segment_append(&wr->shape, &wr->seg, wr->base_ms, event);
}

bool
writer_event(struct writer *wr, const struct history_event *event)
{
    return segment_append(&wr->shape, &wr->seg, wr->base_ms, event)
           || writer_extend(wr, event);
}

bool
writer_head(struct writer *wr, const uint64_t key[static 2], uint64_t need)
{
    struct history *history;

    need += sizeof(*history);
    if (need > SMALL) {
        need += need / 4;
    }
    if (need > HEAP_MAX_SLOT) {
        need = HEAP_MAX_SLOT;
    }

    wr->head = shard_alloc(wr->w->zone, wr->shard, (uint32_t) need, wr->keep);
    if (wr->head == 0) {
        return false;
    }

    history = heap_at(wr->shard, wr->head);
    memset(history, 0, sizeof(*history));
    history->record.key[0] = key[0];
    history->record.key[1] = key[1];
    history->record.table = wr->w->index;
    history->record.flags = wr->shape.flags;
    history->base_ms = wr->base_ms;

    return segment_head(wr->shard, &wr->shape, wr->head, &wr->seg);
}

void
writer_undo(struct writer *wr)
{
    if (wr->head != 0) {
        shard_release(wr->w->zone, wr->shard, wr->head, true);
    }
}

static struct tile_string *
tile_string_at(const struct model_table *table, const struct tile *tile,
               int selection, int column)
{
    return (struct tile_string *) (void *)
           ((char *) (uintptr_t) tile
            + tile_column(table, selection, column));
}

/* The selection before s that has the very same last string, or -1: most have,
 * and it is stored once. */
static int
same_string(const struct model_table *table, const struct tile *tile, int s,
            int column)
{
    const struct tile_string *string, *other;

    string = tile_string_at(table, tile, s, column);
    while (s-- > 0) {
        other = tile_string_at(table, tile, s, column);
        if (other->n != 0 && other->at == string->at) {
            return s;
        }
    }

    return -1;
}

uint32_t
tile_bytes(const struct history_shape *shape, const struct tile *tile)
{
    const struct model_table *table = shape->table;
    const struct tile_string *string;
    uint32_t bytes = shape->tile_size;
    int s, c;

    for (c = 0; c < table->n_columns; c++) {
        for (s = 0; table->columns[c].string && s <= table->n_wheres; s++) {
            string = tile_string_at(table, tile, s, c);
            if (string->n != 0 && same_string(table, tile, s, c) < 0) {
                bytes += history_string_size((uint32_t) string->len);
            }
        }
    }

    return bytes;
}

/* Leaves out the strings of a tile that no slot could hold with them. */
static void
tile_strip(const struct history_shape *shape, struct tile *tile)
{
    const struct model_table *table = shape->table;
    int s, c;

    for (c = 0; c < table->n_columns; c++) {
        for (s = 0; table->columns[c].string && s <= table->n_wheres; s++) {
            tile_string_at(table, tile, s, c)->n = 0;
        }
    }
}

/* Copies a tile into the segment after those that it has. Tiles come before
 * any cell. */
static bool
segment_put_tile(const struct history_shape *shape, struct segment *seg,
                 const struct tile *tile)
{
    const struct model_table *table = shape->table;
    struct history_value value = { .present = true };
    struct tile *copy = (struct tile *) (void *) seg->cells;
    struct tile_string *string;
    int s, c, same;

    if (tile_bytes(shape, tile)
        > (size_t) (seg->slot + seg->size - seg->cells) - seg->strings)
    {
        return false;
    }

    memcpy(copy, tile, shape->tile_size);
    for (c = 0; c < table->n_columns; c++) {
        for (s = 0; table->columns[c].string && s <= table->n_wheres; s++) {
            string = tile_string_at(table, copy, s, c);
            same = same_string(table, tile, s, c);
            if (string->n == 0) {
                continue;
            }
            if (same >= 0) {
                string->at = tile_string_at(table, copy, same, c)->at;
                continue;
            }
            value.len = (uint32_t) string->len;
            value.string = (const char *) (uintptr_t) string->at;
            string->at = segment_put_string(seg, &value);
        }
    }

    seg->n_tiles++;
    seg->cells += shape->tile_size;
    *seg->used = (uint64_t) seg->strings << 32;

    return true;
}

static void
store_tile_count(struct writer *wr)
{
    struct history_chunk *chunk;
    struct history *history;

    if (wr->tail == 0) {
        history = heap_at(wr->shard, wr->head);
        history->record.n_tiles = (uint16_t) wr->seg.n_tiles;
    } else {
        chunk = heap_at(wr->shard, wr->tail);
        chunk->n_tiles = wr->seg.n_tiles;
    }
}

/* One tile, in a chunk of its own or without its strings where it must. */
static bool
writer_tile(struct writer *wr, struct tile *tile)
{
    if (segment_put_tile(&wr->shape, &wr->seg, tile)) {
        return true;
    }
    if (heap_slot_size(wr->shard, wr->head) != HEAP_MAX_SLOT) {
        return false;
    }
    if (tile_bytes(&wr->shape, tile) > HEAP_MAX_SLOT - sizeof(struct history))
    {
        tile_strip(&wr->shape, tile);
    }

    return writer_chunk(wr, tile_bytes(&wr->shape, tile))
           && segment_put_tile(&wr->shape, &wr->seg, tile);
}

bool
writer_tiles(struct writer *wr, const struct tile_builder *b)
{
    uint32_t i;

    for (i = 0; i < b->n; i++) {
        if (!writer_tile(wr, tile_builder_at(b, i))) {
            return false;
        }
        store_tile_count(wr);
    }

    return true;
}
