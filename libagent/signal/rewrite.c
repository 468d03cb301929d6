/* SPDX-License-Identifier: Apache-2.0 */
#include "rewrite.h"

#include <errno.h>
#include <string.h>

#include "tile.h"
#include "writer.h"

enum {
    MAX_WIDEN = 1 << 16            /* tiles then are a thousand windows wide:
                                      only damage does not fit */
};

/* What a rewrite is to keep, found in one pass over the old version. */
struct survey {
    int64_t horizon_ms;            /* older events can be read by nobody */
    int64_t first_ms;
    uint64_t n_cells;
    uint64_t strings;
    int64_t coalesce_ms;           /* cells before it go into tiles */
};

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

/* Where to cut so that about `keep` newest stay single. Events of equal time
 * stay together; when the newest are too many of one time, they go. */
static int64_t
choose_cut(int64_t *times, size_t n, int keep)
{
    size_t excess = n - (size_t) keep, i, before = 0;
    int64_t cut = select_time(times, n, excess);

    for (i = 0; i < n; i++) {
        before += times[i] < cut;
    }

    return before > excess / 2 ? cut : cut + 1;
}

static void
survey_history(const struct window *w, const struct shard *shard,
               const struct history_shape *shape, uint32_t head,
               int64_t base_ms, int64_t watermark_ms, int keep,
               struct survey *s)
{
    struct survey_arg arg = { w->table, s, w->scratch, 0,
                              WINDOW_SCRATCH / sizeof(int64_t) };

    memset(s, 0, sizeof(*s));
    s->horizon_ms = rewrite_horizon(w, watermark_ms);
    s->first_ms = watermark_ms - w->table->lateness_ms;
    s->coalesce_ms = INT64_MIN;

    each_cell(shard, shape, head, base_ms, survey_cell, &arg);

    if (!w->table->exact && s->n_cells + 1 > rewrite_most_cells(keep)) {
        s->coalesce_ms = choose_cut(arg.times, arg.n_times, keep);
    }
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

static uint64_t
heap_bytes(const struct shard *shard)
{
    return (uint64_t) (shard->n_pages - shard->first_page) * ZONE_PAGE;
}

static uint64_t
bytes_of(const struct history_shape *shape, const struct tile_builder *b)
{
    uint64_t bytes = 0;
    uint32_t i;

    for (i = 0; i < b->n; i++) {
        bytes += tile_bytes(shape, tile_builder_at(b, i));
    }

    return bytes;
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
            if (!arg->full && bytes_of(shape, b) <= heap_bytes(shard) / 4) {
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

int
rewrite_room(const struct window *w, const struct shard *shard, uint64_t bytes)
{
    /* Not quite a half: what a chunk has left at its end counts twice. */
    if (bytes <= heap_bytes(shard) * 2 / 5) {
        return 0;
    }

    return w->zone->grow && w->zone->layout.shard_size < SHARD_MAX_SIZE
           ? -ENOSPC : -EFBIG;
}

/* What a new version is made of, and the bytes that it takes. */
struct draft {
    struct history_shape shape;
    struct survey survey;
    struct tile_builder tiles;
    uint64_t merged, need;
};

static void
make_draft(const struct window *w, const struct shard *shard,
           const struct history_shape *shape, uint32_t head,
           const struct history_event *event, int64_t watermark_ms, int keep,
           struct draft *d)
{
    const struct history *old = heap_at(shard, head);
    struct coalesce_arg merged;

    survey_history(w, shard, shape, head, old->base_ms, watermark_ms, keep,
                   &d->survey);
    build_tiles(w, shard, shape, head, old, &d->survey, watermark_ms,
                &d->tiles, &merged);

    d->merged = merged.merged;
    d->shape = history_shape(w->table,
                             history_flags(w->table, shape->wide
                                  || !history_is_narrow(w->table, event)));
    d->need = (d->survey.n_cells - merged.merged + 1) * d->shape.cell_size
              + d->survey.strings - merged.strings
              + history_string_bytes(w->table, event)
              + bytes_of(&d->shape, &d->tiles);
}

static bool
write_draft(struct writer *wr, const struct draft *d,
            const struct history_shape *shape, uint32_t head,
            const uint64_t key[static 2], const struct history_event *event)
{
    const struct history *old = heap_at(wr->shard, head);
    struct copy_arg arg = { wr, &d->survey, false };

    wr->shape = d->shape;
    wr->base_ms = event->time_ms < d->survey.first_ms ? event->time_ms
                                                      : d->survey.first_ms;

    if (!writer_head(wr, key, d->need) || !writer_tiles(wr, &d->tiles)) {
        return false;
    }
    each_cell(wr->shard, shape, head, old->base_ms, copy_cell, &arg);

    return !arg.failed && writer_event(wr, event);
}

int
rewrite_history(const struct window *w, struct shard *shard,
                shard_entry *entry, const struct history_shape *shape,
                const uint64_t key[static 2],
                const struct history_event *event, int64_t watermark_ms)
{
    struct writer wr = { .w = w, .shard = shard, .keep = entry };
    int keep = w->table->max_events, rc;
    uint32_t head = shard_offset(*entry);
    struct draft draft;

    /* Fewer single events than asked for where these do not fit: thousands
     * with long strings. */
    do {
        make_draft(w, shard, shape, head, event, watermark_ms, keep, &draft);
        rc = rewrite_room(w, shard, draft.need);
        keep /= 2;
    } while (rc == -EFBIG && !w->table->exact && keep > 0);

    if (rc != 0) {
        return rc;
    }
    if (!write_draft(&wr, &draft, shape, head, key, event)) {
        writer_undo(&wr);
        return -ENOSPC;
    }

    shard_publish(w->zone, shard, entry, key, wr.head, event->time_ms);
    shard_release(w->zone, shard, head, true);
    w->zone->counters[INTENT_C_COALESCED] += draft.merged;

    return 0;
}
