/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#include <errno.h>
#include <string.h>

#include "../base/atomic.h"
#include "../base/crash.h"
#include "tile.h"

enum {
    SMALL = 256,                   /* below: grow by one size class, so that
                                      a casual visitor costs little */
    FIRST_CELLS = 2,               /* room in a new history */
    MAX_WIDEN = 1 << 16            /* tiles then are a thousand windows wide:
                                      only damage does not fit */
};

/* A history on its way into new slots. */
struct writer {
    const struct window *w;
    struct shard *shard;
    const shard_entry *keep;
    struct history_shape shape;
    int64_t base_ms;
    uint32_t head;                 /* offset; 0: nothing allocated */
    uint32_t tail;                 /* newest chunk; 0: none */
    struct segment seg;
};

/* What a rewrite is to keep, found in one pass over the old version. */
struct survey {
    int64_t horizon_ms;            /* older events can be read by nobody */
    int64_t first_ms;
    uint64_t n_cells;
    uint64_t strings;
    int64_t coalesce_ms;           /* cells before it go into tiles */
};

static int64_t
horizon_of(const struct window *w, int64_t watermark_ms)
{
    return watermark_ms - w->table->lateness_ms - w->table->retention_ms;
}

/* Calls visit for each cell of the history in order of arrival. */
static void
each_cell(const struct shard *shard, const struct history_shape *shape,
          uint32_t head, int64_t base_ms,
          void (*visit)(void *arg, const struct history_event *event),
          void *arg)
{
    struct history_event event;
    struct segment seg;
    uint32_t i;
    bool more;

    for (more = segment_head(shard, shape, head, &seg); more;
         more = segment_next(shard, shape, &seg))
    {
        for (i = 0; i < seg.n_cells; i++) {
            cell_read(shape, &seg, i, base_ms, &event);
            visit(arg, &event);
        }
    }
}

struct survey_arg {
    const struct model_table *table;
    struct survey *survey;
    int64_t *times;                /* of the survivors, for selection */
    size_t n_times, max_times;
};

static void
survey_cell(void *arg, const struct history_event *event)
{
    struct survey_arg *a = arg;
    struct survey *s = a->survey;

    if (event->time_ms < s->horizon_ms) {
        return;
    }

    s->n_cells++;
    s->strings += history_string_bytes(a->table, event);
    if (event->time_ms < s->first_ms) {
        s->first_ms = event->time_ms;
    }
    if (a->n_times < a->max_times) {
        a->times[a->n_times++] = event->time_ms;
    }
}

/* The k-th smallest (k from 0) by Hoare's selection; reorders a[]. */
static int64_t
select_time(int64_t *a, size_t n, size_t k)
{
    size_t low = 0, high = n - 1, i, j;
    int64_t pivot, swap;

    while (low < high) {
        pivot = a[low + (high - low) / 2];
        i = low;
        j = high;
        for ( ;; ) {
            while (a[i] < pivot) {
                i++;
            }
            while (a[j] > pivot) {
                j--;
            }
            if (i >= j) {
                break;
            }
            swap = a[i];
            a[i++] = a[j];
            a[j--] = swap;
        }
        if (k <= j) {
            high = j;
        } else {
            low = j + 1;
        }
    }

    return a[k];
}

/* Where to cut so that about max_events newest stay single. Events of equal
 * time stay together; when the newest are too many of one time, they go. */
static int64_t
choose_cut(const struct window *w, int64_t *times, size_t n)
{
    size_t excess = n - (size_t) w->table->max_events, i, before = 0;
    int64_t cut = select_time(times, n, excess);

    for (i = 0; i < n; i++) {
        before += times[i] < cut;
    }

    return before > excess / 2 ? cut : cut + 1;
}

/* More than this many single events are too many: a quarter above the bound,
 * so that coalescing, which rewrites, happens once in a while. */
static uint64_t
most_cells(const struct window *w)
{
    return (uint64_t) w->table->max_events
           + (uint64_t) w->table->max_events / 4;
}

static void
survey_history(const struct window *w, const struct shard *shard,
               const struct history_shape *shape, uint32_t head,
               int64_t base_ms, int64_t watermark_ms, struct survey *s)
{
    struct survey_arg arg = { w->table, s, w->scratch, 0,
                              WINDOW_SCRATCH / sizeof(int64_t) };

    memset(s, 0, sizeof(*s));
    s->horizon_ms = horizon_of(w, watermark_ms);
    s->first_ms = watermark_ms - w->table->lateness_ms;
    s->coalesce_ms = INT64_MIN;

    each_cell(shard, shape, head, base_ms, survey_cell, &arg);

    if (!w->table->exact && s->n_cells + 1 > most_cells(w)) {
        s->coalesce_ms = choose_cut(w, arg.times, arg.n_times);
    }
}

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

static bool
writer_event(struct writer *wr, const struct history_event *event)
{
    uint32_t need = wr->shape.cell_size
                    + history_string_bytes(wr->w->table, event);

    return segment_append(&wr->shape, &wr->seg, wr->base_ms, event)
           || (heap_slot_size(wr->shard, wr->head) == HEAP_MAX_SLOT
               && writer_chunk(wr, need)
               && segment_append(&wr->shape, &wr->seg, wr->base_ms, event));
}

/* Room for `need` bytes of a new history. */
static bool
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

static void
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

/* Bytes that the tile takes in a segment. */
static uint32_t
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

static bool
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

struct coalesce_arg {
    struct tile_builder *builder;
    const struct survey *survey;
    const struct model_table *table;
    uint64_t merged, strings;      /* cells that went into tiles, and theirs */
    bool full;
};

static void
coalesce_cell(void *arg, const struct history_event *event)
{
    struct coalesce_arg *a = arg;

    if (!a->full && event->time_ms >= a->survey->horizon_ms
        && event->time_ms < a->survey->coalesce_ms)
    {
        a->full = !tile_builder_event(a->builder, event);
        a->merged++;
        a->strings += history_string_bytes(a->table, event);
    }
}

/* Tile i of a segment as the builder wants it: strings by pointer. */
static const struct tile *
tile_load(const struct history_shape *shape, const struct segment *seg,
          uint32_t index, void *temp)
{
    const struct model_table *table = shape->table;
    struct history_value value;
    struct tile_string *string;
    int s, c;

    memcpy(temp, seg->tiles + (size_t) index * shape->tile_size,
           shape->tile_size);

    for (s = 0; s <= table->n_wheres; s++) {
        for (c = 0; c < table->n_columns; c++) {
            if (!table->columns[c].string) {
                continue;
            }
            string = (struct tile_string *) (void *)
                     ((char *) temp + tile_column(table, s, c));
            segment_string(seg, (uint32_t) string->at, &value);
            string->n = value.present ? string->n : 0;
            string->at = (uint64_t) (uintptr_t) value.string;
            string->len = value.present ? value.len : 0;
        }
    }

    return temp;
}

static bool
coalesce_tiles(const struct shard *shard, const struct history_shape *shape,
               uint32_t head, const struct survey *survey,
               struct tile_builder *b, void *temp)
{
    int64_t before_ms = INT64_MIN;
    const struct tile *tile;
    struct segment seg;
    uint32_t i;
    bool more;

    for (more = segment_head(shard, shape, head, &seg); more;
         more = segment_next(shard, shape, &seg))
    {
        for (i = 0; i < seg.n_tiles; i++) {
            tile = tile_load(shape, &seg, i, temp);

            /* In order they were written; what is not is damage, and would
             * cost the builder a search and a move each. */
            if (!tile_sound(tile) || tile->first_ms < before_ms
                || tile->last_ms < survey->horizon_ms)
            {
                continue;
            }
            before_ms = tile->first_ms;
            if (!tile_builder_tile(b, tile)) {
                return false;
            }
        }
    }

    return true;
}

/* Old tiles, and the cells before the cut, as new tiles in scratch memory. */
static void
build_tiles(const struct window *w, const struct shard *shard,
            const struct history_shape *shape, uint32_t head,
            const struct history *old, const struct survey *survey,
            int64_t watermark_ms, struct tile_builder *b,
            struct coalesce_arg *arg)
{
    char *temp = w->scratch;

    tile_builder_init(b, w->table, temp + shape->tile_size,
                      WINDOW_SCRATCH - shape->tile_size, watermark_ms);
    *arg = (struct coalesce_arg) { b, survey, w->table, 0, 0, false };
    if (old->record.n_tiles == 0 && survey->coalesce_ms == INT64_MIN) {
        return;
    }

    for (/* void */; b->widen <= MAX_WIDEN; b->widen *= 2) {
        b->n = 0;
        *arg = (struct coalesce_arg) { b, survey, w->table, 0, 0, false };
        if (coalesce_tiles(shard, shape, head, survey, b, temp)) {
            each_cell(shard, shape, head, old->base_ms, coalesce_cell, arg);
            if (!arg->full) {
                break;
            }
        }
    }
}

struct copy_arg {
    struct writer *writer;
    const struct survey *survey;
    bool failed;
};

static void
copy_cell(void *arg, const struct history_event *event)
{
    struct copy_arg *a = arg;

    if (event->time_ms >= a->survey->horizon_ms
        && event->time_ms >= a->survey->coalesce_ms && !a->failed)
    {
        a->failed = !writer_event(a->writer, event);
    }
}

/* A new version of the history with the event added: without what nobody can
 * read, coalesced where it is too much, wide where a number asks for it. */
static int
rewrite(const struct window *w, struct shard *shard, shard_entry *entry,
        const struct history_shape *shape, const uint64_t key[static 2],
        const struct history_event *event, int64_t watermark_ms)
{
    uint32_t head = shard_offset(*entry);
    const struct history *old = heap_at(shard, head);
    struct writer wr = { .w = w, .shard = shard, .keep = entry };
    struct tile_builder tiles;
    struct survey survey;
    struct copy_arg arg = { &wr, &survey, false };
    struct coalesce_arg merged;
    uint64_t need;
    uint32_t i;

    survey_history(w, shard, shape, head, old->base_ms, watermark_ms, &survey);
    build_tiles(w, shard, shape, head, old, &survey, watermark_ms, &tiles,
                &merged);

    wr.shape = history_shape(w->table,
                             history_flags(w->table, shape->wide
                                  || !history_is_narrow(w->table, event)));
    wr.base_ms = event->time_ms < survey.first_ms ? event->time_ms
                                                  : survey.first_ms;
    need = (survey.n_cells - merged.merged + 1) * wr.shape.cell_size
           + survey.strings - merged.strings
           + history_string_bytes(w->table, event);
    for (i = 0; i < tiles.n; i++) {
        need += tile_bytes(&wr.shape, tile_builder_at(&tiles, i));
    }

    if (!writer_head(&wr, key, need) || !writer_tiles(&wr, &tiles)) {
        goto full;
    }
    each_cell(shard, shape, head, old->base_ms, copy_cell, &arg);
    if (arg.failed || !writer_event(&wr, event)) {
        goto full;
    }

    shard_publish(w->zone, shard, entry, key, wr.head, event->time_ms);
    shard_release(w->zone, shard, head, true);
    w->zone->counters[INTENT_C_COALESCED] += merged.merged;

    return 0;

full:

    writer_undo(&wr);

    return -ENOSPC;
}

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

    return writer_event(&wr, event) ? 0 : -ENOSPC;
}

/* Share of cells that nobody can read any more, in percent. */
static unsigned
expired_share(const struct window *w, const struct shard *shard,
              const struct history_shape *shape, uint32_t head,
              const struct history *history, int64_t watermark_ms)
{
    uint64_t all = 0, gone = 0;
    int64_t horizon_ms = horizon_of(w, watermark_ms);
    struct segment seg;
    uint32_t i;
    bool more;

    for (more = segment_head(shard, shape, head, &seg); more;
         more = segment_next(shard, shape, &seg))
    {
        for (i = 0; i < seg.n_cells; i++, all++) {
            gone += cell_time(shape, seg.cells + (size_t) i * shape->cell_size,
                              history->base_ms) < horizon_ms;
        }
    }

    return all == 0 ? 0 : (unsigned) (gone * 100 / all);
}

static int
add(const struct window *w, struct shard *shard, shard_entry *entry,
    const uint64_t key[static 2], const struct history_event *event,
    int64_t watermark_ms)
{
    uint32_t head = shard_offset(*entry), tail;
    const struct history *history = heap_at(shard, head);
    bool wide = (history->record.flags & HISTORY_WIDE) != 0, large;
    struct history_shape shape = history_shape(w->table,
                                               history->record.flags);
    struct segment seg;
    int rc;

    if (!last_segment(shard, &shape, head, &seg, &tail)
        || (!wide && !history_is_narrow(w->table, event))
        || !history_reaches(&shape, history->base_ms, event->time_ms)
        || (!w->table->exact && tail == 0 && seg.n_cells >= most_cells(w)))
    {
        return rewrite(w, shard, entry, &shape, key, event, watermark_ms);
    }

    if (segment_append(&shape, &seg, history->base_ms, event)) {
        shard_touch(w->zone, entry, event->time_ms);
        return 0;
    }

    large = heap_slot_size(shard, head) == HEAP_MAX_SLOT && w->table->exact;

    if (large && expired_share(w, shard, &shape, head, history, watermark_ms)
                 < 50)
    {
        rc = extend(w, shard, entry, &shape, tail, event);
        if (rc == 0) {
            shard_touch(w->zone, entry, event->time_ms);
        }
        return rc;
    }

    return rewrite(w, shard, entry, &shape, key, event, watermark_ms);
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
    if (event->time_ms < horizon_of(w, watermark_ms)) {
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
