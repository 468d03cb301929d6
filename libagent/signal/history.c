/* SPDX-License-Identifier: Apache-2.0 */
#include "history.h"

#include <math.h>
#include <string.h>

#include "../base/atomic.h"
#include "../base/crash.h"
#include "tile.h"

/* A string is its length and its bytes; a reference is the distance of that
 * length from the end of the slot, 0 for none. */
typedef uint16_t string_len;

unsigned
history_flags(const struct model_table *table, bool wide)
{
    /* 40 of the 49 days that 32 bits of milliseconds reach: the rest is for
     * events newer than the history's last rewrite. */
    bool reaches = table->retention_ms + table->lateness_ms
                   <= INT64_C(40) * 86400000;

    return (wide ? (unsigned) HISTORY_WIDE : 0)
           | (reaches ? 0 : (unsigned) HISTORY_LONG);
}

struct history_shape
history_shape(const struct model_table *table, unsigned flags)
{
    struct history_shape shape = { .table = table, .flags = (uint8_t) flags };
    int i;

    shape.wide = (flags & HISTORY_WIDE) != 0;
    shape.time_size = flags & HISTORY_LONG ? sizeof(uint64_t)
                                           : sizeof(uint32_t);
    shape.where_size = table->n_wheres == 0 ? 0 : sizeof(uint16_t);
    shape.number_size = shape.wide ? 8 : 4;
    shape.cell_size = shape.time_size + shape.where_size;

    for (i = 0; i < table->n_columns; i++) {
        shape.cell_size += table->columns[i].string
                           ? (uint32_t) sizeof(uint32_t) : shape.number_size;
    }
    shape.tile_size = tile_size(table);

    return shape;
}

/* Fills in what follows from slot, head size and counts, or says that they
 * contradict each other. */
static bool
segment_bound(const struct history_shape *shape, struct segment *seg,
              uint32_t head_size)
{
    uint64_t used = *seg->used, need;

    seg->n_cells = (uint32_t) used;
    seg->strings = (uint32_t) (used >> 32);

    need = head_size + (uint64_t) seg->n_tiles * shape->tile_size
           + (uint64_t) seg->n_cells * shape->cell_size + seg->strings;
    if (need > seg->size) {
        seg->n_tiles = seg->n_cells = seg->strings = 0;
        seg->next = 0;
    }

    seg->tiles = seg->slot + head_size;
    seg->cells = seg->slot + head_size + seg->n_tiles * shape->tile_size;

    return need <= seg->size;
}

bool
segment_head(const struct shard *shard, const struct history_shape *shape,
             uint32_t offset, struct segment *out)
{
    struct history *history;

    out->size = heap_slot_size(shard, offset);
    if (out->size < sizeof(*history)) {
        return false;
    }

    history = heap_at(shard, offset);
    out->slot = (char *) history;
    out->next = out->size == HEAP_MAX_SLOT ? history->record.next : 0;
    out->left = shard->n_pages;
    out->n_tiles = history->record.n_tiles;
    out->used = &history->used;

    return segment_bound(shape, out, sizeof(*history));
}

bool
segment_chunk(const struct shard *shard, const struct history_shape *shape,
              uint32_t next, struct segment *out)
{
    struct history_chunk *chunk;

    chunk = (struct history_chunk *) (void *)
            shard_chunk(shard, next, &out->size);
    if (chunk == NULL || out->size < sizeof(*chunk)) {
        return false;
    }

    out->slot = (char *) chunk;
    out->next = chunk->chunk.next;
    out->n_tiles = chunk->n_tiles;
    out->used = &chunk->used;

    return segment_bound(shape, out, sizeof(*chunk));
}

bool
segment_next(const struct shard *shard, const struct history_shape *shape,
             struct segment *seg)
{
    uint32_t left = seg->left, pages;

    if (seg->next == 0 || !segment_chunk(shard, shape, seg->next, seg)) {
        return false;
    }

    /* Slots of a chain do not overlap, so its pages are at most the shard's. */
    pages = (seg->size + ZONE_PAGE - 1) / ZONE_PAGE;
    seg->left = left - pages;

    return pages <= left;
}

/* Resolves a string reference within the segment's strings. */
void
segment_string(const struct segment *seg, uint32_t ref,
               struct history_value *out)
{
    const char *at;
    string_len len;

    out->present = false;
    if (ref < sizeof(len) || ref > seg->strings) {
        return;
    }

    at = seg->slot + seg->size - ref;
    memcpy(&len, at, sizeof(len));
    if (len > ref - sizeof(len)) {
        return;
    }

    out->present = true;
    out->len = len;
    out->string = at + sizeof(len);
}

uint32_t
segment_put_string(struct segment *seg, const struct history_value *value)
{
    string_len len = (string_len) value->len;
    char *at;

    if (!value->present) {
        return 0;
    }

    seg->strings += (uint32_t) sizeof(len) + len;
    at = seg->slot + seg->size - seg->strings;
    memcpy(at, &len, sizeof(len));
    /* Where the heap was damaged the old slot may be given out as the new. */
    memmove(at + sizeof(len), value->string, len);

    return seg->strings;
}

static bool
narrow(double number, uint32_t *out)
{
    uint32_t k;

    if (!(number >= 0.0 && number < HISTORY_ABSENT / 1000.0 - 1.0)) {
        return false;
    }

    k = (uint32_t) (number * 1000.0 + 0.5);
    *out = k;

    return (double) k / 1000.0 == number;
}

bool
history_is_narrow(const struct model_table *table,
                  const struct history_event *event)
{
    uint32_t k;
    int i;

    for (i = 0; i < table->n_columns; i++) {
        if (!table->columns[i].string && event->columns[i].present
            && !narrow(event->columns[i].number, &k))
        {
            return false;
        }
    }

    return true;
}

uint32_t
history_string_size(uint32_t len)
{
    return (uint32_t) sizeof(string_len) + len;
}

uint32_t
history_string_bytes(const struct model_table *table,
                     const struct history_event *event)
{
    uint32_t bytes = 0;
    int i;

    for (i = 0; i < table->n_columns; i++) {
        if (table->columns[i].string && event->columns[i].present) {
            bytes += history_string_size(event->columns[i].len);
        }
    }

    return bytes;
}

static void
read_number(bool wide, const char *at, struct history_value *out)
{
    uint32_t k;

    if (wide) {
        memcpy(&out->number, at, sizeof(out->number));
        out->present = !isnan(out->number);
        return;
    }

    memcpy(&k, at, sizeof(k));
    out->present = k != HISTORY_ABSENT;
    out->number = (double) k / 1000.0;
}

void
cell_read(const struct history_shape *shape, const struct segment *seg,
          uint32_t index, int64_t base_ms, struct history_event *out)
{
    const struct model_table *table = shape->table;
    const char *at = seg->cells + (size_t) index * shape->cell_size;
    uint16_t wheres = 0;
    uint32_t ref;
    int i;

    out->time_ms = cell_time(shape, at, base_ms);
    at += shape->time_size;

    memcpy(&wheres, at, shape->where_size);
    out->wheres = wheres;
    at += shape->where_size;

    for (i = 0; i < table->n_columns; i++) {
        if (table->columns[i].string) {
            memcpy(&ref, at, sizeof(ref));
            segment_string(seg, ref, &out->columns[i]);
            at += sizeof(ref);
        } else {
            read_number(shape->wide, at, &out->columns[i]);
            at += shape->number_size;
        }
    }
}

static char *
write_number(bool wide, char *at, const struct history_value *value)
{
    uint32_t k = HISTORY_ABSENT;
    double number = value->present ? value->number : NAN;

    if (wide) {
        memcpy(at, &number, sizeof(number));
        return at + sizeof(number);
    }

    if (value->present) {
        narrow(value->number, &k);
    }
    memcpy(at, &k, sizeof(k));

    return at + sizeof(k);
}

bool
segment_append(const struct history_shape *shape, struct segment *seg,
               int64_t base_ms, const struct history_event *event)
{
    const struct model_table *table = shape->table;
    uint32_t need = shape->cell_size + history_string_bytes(table, event);
    char *at = seg->cells + (size_t) seg->n_cells * shape->cell_size;
    uint64_t dt = (uint64_t) event->time_ms - (uint64_t) base_ms;
    uint32_t dt32 = (uint32_t) dt, ref;
    uint16_t wheres = (uint16_t) event->wheres;
    int i;

    if (need > (size_t) (seg->slot + seg->size - at) - seg->strings) {
        return false;
    }

    if (shape->time_size == sizeof(dt32)) {
        memcpy(at, &dt32, sizeof(dt32));
    } else {
        memcpy(at, &dt, sizeof(dt));
    }
    at += shape->time_size;
    memcpy(at, &wheres, shape->where_size);
    at += shape->where_size;

    for (i = 0; i < table->n_columns; i++) {
        if (table->columns[i].string) {
            ref = segment_put_string(seg, &event->columns[i]);
            memcpy(at, &ref, sizeof(ref));
            at += sizeof(ref);
        } else {
            at = write_number(shape->wide, at, &event->columns[i]);
        }
    }

    seg->n_cells++;
    CRASH_POINT("cell-written");
    atomic_order();
    atomic_store(seg->used, (uint64_t) seg->strings << 32 | seg->n_cells);
    CRASH_POINT("cell-published");

    return true;
}
