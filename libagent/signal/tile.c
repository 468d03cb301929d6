/* SPDX-License-Identifier: Apache-2.0 */
#include "tile.h"

#include <math.h>
#include <string.h>

#include "history.h"

enum { TILES_PER_WINDOW = 64 };    /* semantics: widths are 1/64 of a window */

static uint32_t
column_size(const struct model_table *table, int column)
{
    return table->columns[column].string ? sizeof(struct tile_string)
                                         : sizeof(struct tile_number);
}

static uint32_t
selection_size(const struct model_table *table)
{
    uint32_t size = sizeof(struct tile_count);
    int i;

    for (i = 0; i < table->n_columns; i++) {
        size += column_size(table, i);
    }

    return size;
}

uint32_t
tile_size(const struct model_table *table)
{
    return tile_selection(table, table->n_wheres + 1);
}

uint32_t
tile_selection(const struct model_table *table, int selection)
{
    return (uint32_t) sizeof(struct tile)
           + (uint32_t) selection * selection_size(table);
}

uint32_t
tile_column(const struct model_table *table, int selection, int column)
{
    uint32_t at = tile_selection(table, selection)
                  + (uint32_t) sizeof(struct tile_count);
    int i;

    for (i = 0; i < column; i++) {
        at += column_size(table, i);
    }

    return at;
}

bool
tile_sound(const struct tile *tile)
{
    return tile->first_ms >= -HISTORY_MAX_TIME
           && tile->first_ms <= tile->last_ms
           && tile->last_ms <= HISTORY_MAX_TIME;
}

/* Neumaier (1974): like Kahan's sum, right also when the addend is larger. */
static void
sum_add(double *sum, double *comp, double value)
{
    double total = *sum + value;

    if (fabs(*sum) >= fabs(value)) {
        *comp += (*sum - total) + value;
    } else {
        *comp += (value - total) + *sum;
    }
    *sum = total;
}

void
tile_number_add(struct tile_number *to, double value, int64_t time_ms)
{
    if (to->n == 0) {
        to->min = to->max = value;
        to->last_ms = INT64_MIN;
    }

    to->n++;
    sum_add(&to->sum, &to->comp, value);
    to->min = value < to->min ? value : to->min;
    to->max = value > to->max ? value : to->max;
    if (time_ms >= to->last_ms) {
        to->last_ms = time_ms;
        to->last = value;
    }
}

void
tile_number_merge(struct tile_number *to, const struct tile_number *from)
{
    if (from->n == 0) {
        return;
    }
    if (to->n == 0) {
        *to = *from;
        return;
    }

    to->n += from->n;
    sum_add(&to->sum, &to->comp, from->sum);
    to->comp += from->comp;
    to->min = from->min < to->min ? from->min : to->min;
    to->max = from->max > to->max ? from->max : to->max;
    if (from->last_ms >= to->last_ms) {
        to->last_ms = from->last_ms;
        to->last = from->last;
    }
}

static void
string_merge(struct tile_string *to, const struct tile_string *from)
{
    uint64_t n = to->n + from->n;

    if (from->n != 0 && (to->n == 0 || from->last_ms >= to->last_ms)) {
        *to = *from;
    }
    to->n = n;
}

static void
tile_add_event(const struct model_table *table, struct tile *tile,
               const struct history_event *event)
{
    const struct history_value *v;
    struct tile_string string;
    struct tile_count *count;
    int s, c;
    char *at;

    for (s = 0; s <= table->n_wheres; s++) {
        if (s > 0 && (event->wheres >> (s - 1) & 1) == 0) {
            continue;
        }
        at = (char *) tile + tile_selection(table, s);
        count = (struct tile_count *) (void *) at;
        count->n++;

        for (c = 0; c < table->n_columns; c++) {
            v = &event->columns[c];
            if (!v->present) {
                continue;
            }
            at = (char *) tile + tile_column(table, s, c);
            if (table->columns[c].string) {
                string = (struct tile_string) {
                    1, event->time_ms, (uint64_t) (uintptr_t) v->string,
                    v->len
                };
                string_merge((struct tile_string *) (void *) at, &string);
            } else {
                tile_number_add((struct tile_number *) (void *) at, v->number,
                                event->time_ms);
            }
        }
    }
}

static void
tile_merge(const struct model_table *table, struct tile *to,
           const struct tile *from)
{
    const char *source;
    char *target;
    uint32_t at;
    int s, c;

    for (s = 0; s <= table->n_wheres; s++) {
        at = tile_selection(table, s);
        ((struct tile_count *) (void *) ((char *) to + at))->n +=
            ((const struct tile_count *) (const void *)
             ((const char *) from + at))->n;

        for (c = 0; c < table->n_columns; c++) {
            at = tile_column(table, s, c);
            target = (char *) to + at;
            source = (const char *) from + at;
            if (table->columns[c].string) {
                string_merge((struct tile_string *) (void *) target,
                             (const struct tile_string *)
                             (const void *) source);
            } else {
                tile_number_merge((struct tile_number *) (void *) target,
                                  (const struct tile_number *)
                                  (const void *) source);
            }
        }
    }

    to->first_ms = from->first_ms < to->first_ms ? from->first_ms
                                                 : to->first_ms;
    to->last_ms = from->last_ms > to->last_ms ? from->last_ms : to->last_ms;
}

/* Each width a multiple of the one before: what shares a narrow bucket then
 * shares the wider ones too, so tiles that grow with age never overlap. */
static void
set_widths(struct tile_builder *b)
{
    const struct model_table *table = b->table;
    int64_t width, below = 1;
    int i;

    for (i = 0; i < table->n_windows; i++) {
        width = table->windows[i] / TILES_PER_WINDOW;
        below = width < below ? below : width - width % below;
        b->widths[i] = below;
    }
}

void
tile_builder_init(struct tile_builder *b, const struct model_table *table,
                  void *memory, size_t bytes, int64_t watermark_ms)
{
    b->table = table;
    b->memory = memory;
    b->size = tile_size(table);
    b->n = 0;
    b->max = (uint32_t) (bytes / b->size);
    b->watermark_ms = watermark_ms;
    b->widen = 1;
    set_widths(b);
}

struct tile *
tile_builder_at(const struct tile_builder *b, uint32_t index)
{
    return (struct tile *) (void *) (b->memory + (size_t) index * b->size);
}

/* Width of a tile that ends there. A window evicts it while some permitted
 * read still has it inside: reads reach back by the lateness. */
static int64_t
width_at(const struct tile_builder *b, int64_t last_ms)
{
    const struct model_table *table = b->table;
    int64_t age = b->watermark_ms - last_ms;
    int i;

    for (i = 0; i < table->n_windows - 1; i++) {
        if (age <= table->windows[i] + table->lateness_ms) {
            break;
        }
    }

    return b->widths[i] * b->widen;
}

static int64_t
bucket_of(int64_t time_ms, int64_t width)
{
    return time_ms / width - (time_ms % width < 0);
}

/* How many tiles begin at or before time_ms. Items come mostly in order, so
 * the search begins at the end. */
static uint32_t
tiles_until(const struct tile_builder *b, int64_t time_ms)
{
    uint32_t n = b->n;

    while (n > 0 && tile_builder_at(b, n - 1)->first_ms > time_ms) {
        n--;
    }

    return n;
}

/* Whether the tile may take in what lies between: it does already, or stays
 * within one bucket of the width that is due to its newest event. */
static bool
takes(const struct tile_builder *b, const struct tile *tile, int64_t first_ms,
      int64_t last_ms)
{
    int64_t width;

    if (first_ms >= tile->first_ms && last_ms <= tile->last_ms) {
        return true;
    }

    first_ms = first_ms < tile->first_ms ? first_ms : tile->first_ms;
    last_ms = last_ms > tile->last_ms ? last_ms : tile->last_ms;
    width = width_at(b, last_ms);

    return bucket_of(first_ms, width) == bucket_of(last_ms, width);
}

/* The tile to merge first..last into, or an empty new one; NULL: full. */
static struct tile *
place(struct tile_builder *b, int64_t first_ms, int64_t last_ms)
{
    uint32_t at = tiles_until(b, first_ms);
    struct tile *tile;

    if (at > 0 && takes(b, tile_builder_at(b, at - 1), first_ms, last_ms)) {
        return tile_builder_at(b, at - 1);
    }
    if (at < b->n && takes(b, tile_builder_at(b, at), first_ms, last_ms)) {
        return tile_builder_at(b, at);
    }

    if (b->n == b->max) {
        return NULL;
    }

    tile = tile_builder_at(b, at);
    memmove((char *) tile + b->size, tile, (size_t) (b->n - at) * b->size);
    memset(tile, 0, b->size);
    tile->first_ms = first_ms;
    tile->last_ms = last_ms;
    b->n++;

    return tile;
}

bool
tile_builder_event(struct tile_builder *b, const struct history_event *event)
{
    struct tile *tile = place(b, event->time_ms, event->time_ms);

    if (tile == NULL) {
        return false;
    }

    if (event->time_ms < tile->first_ms) {
        tile->first_ms = event->time_ms;
    }
    if (event->time_ms > tile->last_ms) {
        tile->last_ms = event->time_ms;
    }
    tile_add_event(b->table, tile, event);

    return true;
}

bool
tile_builder_tile(struct tile_builder *b, const struct tile *from)
{
    struct tile *tile = place(b, from->first_ms, from->last_ms);

    if (tile == NULL) {
        return false;
    }

    tile_merge(b->table, tile, from);

    return true;
}
