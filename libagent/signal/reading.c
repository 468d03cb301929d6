/* SPDX-License-Identifier: Apache-2.0 */
#include "reading.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "history.h"
#include "tile.h"

/* One event of a last_k list. */
struct kept {
    int64_t time_ms;
    double number;
    const char *string;
    uint32_t len;
};

struct kept_list {
    int n;
    struct kept items[MODEL_MAX_K];          /* oldest first */
};

/* The pass over one history: an accumulator has the form of a tile, one per
 * window, so that tiles and events are added by the same code. */
struct reading {
    const struct model_table *table;
    const struct plan_step *step;
    int64_t time_ms;
    char *windows;                 /* n_windows accumulators */
    uint32_t size;                 /* of one */
    struct kept_list *lists;       /* one per last_k item */
    bool any_list;
    bool approx;
};

size_t
reading_size(const struct model_table *table, const struct plan_step *step)
{
    size_t lists = 0;
    int i;

    for (i = 0; i < step->n_items; i++) {
        lists += step->items[i].op == MODEL_LAST_K;
    }

    return ((size_t) step->n_windows * tile_size(table) + 15) / 16 * 16
           + lists * sizeof(struct kept_list);
}

/* The narrowest window that holds something of this age; n_windows: none. */
static int
window_of(const struct plan_step *step, int64_t age)
{
    int w;

    for (w = 0; w < step->n_windows && age > step->windows[w]; w++) {
        /* void */
    }

    return w;
}

static void
string_add(struct tile_string *to, const char *string, uint64_t len,
           int64_t time_ms)
{
    if (to->n++ == 0 || time_ms >= to->last_ms) {
        to->last_ms = time_ms;
        to->at = (uint64_t) (uintptr_t) string;
        to->len = len;
    }
}

static void
add_columns(struct reading *r, char *accumulator, int selection,
            const struct history_event *event)
{
    const struct history_value *v;
    char *at;
    int c;

    for (c = 0; c < r->table->n_columns; c++) {
        v = &event->columns[c];
        if (!v->present || (r->step->columns >> c & 1) == 0) {
            continue;
        }
        at = accumulator + tile_column(r->table, selection, c);
        if (r->table->columns[c].string) {
            string_add((struct tile_string *) (void *) at, v->string, v->len,
                       event->time_ms);
        } else {
            tile_number_add((struct tile_number *) (void *) at, v->number,
                            event->time_ms);
        }
    }
}

static struct tile_count *
count_at(const struct reading *r, char *accumulator, int selection)
{
    return (struct tile_count *) (void *)
           (accumulator + tile_selection(r->table, selection));
}

/* Keeps the k newest; of equal times the later arrival is the newer. */
static void
keep(struct kept_list *list, int k, const struct kept *item)
{
    int at;

    if (list->n == k) {
        if (item->time_ms < list->items[0].time_ms) {
            return;
        }
        memmove(&list->items[0], &list->items[1],
                (size_t) --list->n * sizeof(*item));
    }

    for (at = list->n; at > 0 && list->items[at - 1].time_ms > item->time_ms;
         at--)
    {
        list->items[at] = list->items[at - 1];
    }
    list->items[at] = *item;
    list->n++;
}

static void
keep_event(struct reading *r, const struct history_event *event, int64_t age)
{
    const struct plan_item *item;
    const struct history_value *v;
    struct kept kept;
    int i, list = 0;

    for (i = 0; i < r->step->n_items; i++) {
        item = &r->step->items[i];
        if (item->op != MODEL_LAST_K) {
            continue;
        }
        v = &event->columns[item->column];
        if (v->present && age <= r->step->windows[item->window]
            && (item->where == 0
                || (event->wheres >> (item->where - 1) & 1) != 0))
        {
            kept = (struct kept) { event->time_ms, v->number, v->string,
                                   v->len };
            keep(&r->lists[list], item->k, &kept);
        }
        list++;
    }
}

static void
add_event(struct reading *r, const struct history_event *event)
{
    int64_t age = r->time_ms - event->time_ms;
    char *accumulator;
    int w, s;

    if (age < 0 || (w = window_of(r->step, age)) == r->step->n_windows) {
        return;
    }

    accumulator = r->windows + (size_t) w * r->size;
    count_at(r, accumulator, 0)->n++;
    add_columns(r, accumulator, 0, event);

    for (s = 1; s <= r->table->n_wheres; s++) {
        if ((event->wheres & r->step->wheres) >> (s - 1) & 1) {
            count_at(r, accumulator, s)->n++;
            add_columns(r, accumulator, s, event);
        }
    }

    if (r->any_list) {
        keep_event(r, event, age);
    }
}

/* Adds a tile's last values to the lists: all that is left of its events. */
static void
keep_tile(struct reading *r, const struct segment *seg,
          const struct tile *tile, int64_t age)
{
    const struct plan_item *item;
    const struct tile_number *number;
    const struct tile_string *string;
    struct history_value value;
    struct kept kept;
    const char *at;
    int i, list = 0;

    for (i = 0; i < r->step->n_items; i++) {
        item = &r->step->items[i];
        if (item->op != MODEL_LAST_K) {
            continue;
        }
        at = (const char *) tile
             + tile_column(r->table, item->where, item->column);
        value.present = false;

        if (r->table->columns[item->column].string) {
            string = (const struct tile_string *) (const void *) at;
            if (string->n != 0) {
                segment_string(seg, (uint32_t) string->at, &value);
                kept = (struct kept) { string->last_ms, 0.0, value.string,
                                       value.len };
            }
        } else {
            number = (const struct tile_number *) (const void *) at;
            value.present = number->n != 0;
            kept = (struct kept) { number->last_ms, number->last, NULL, 0 };
        }

        if (value.present && age <= r->step->windows[item->window]) {
            keep(&r->lists[list], item->k, &kept);
        }
        list++;
    }
}

/* A tile belongs where its newest event does, once all of it is permitted to
 * be seen: off by at most this tile in each window whose edge it straddles,
 * and as of a time inside it by what it already holds. */
static void
add_tile(struct reading *r, const struct segment *seg, const struct tile *tile)
{
    int64_t age = r->time_ms - tile->last_ms;
    const struct tile_string *string;
    struct history_value value;
    const char *from;
    char *to;
    int w, s, c;

    if (age < 0) {
        r->approx = r->approx || tile->first_ms <= r->time_ms;
        return;
    }
    w = window_of(r->step, age);
    if (w == r->step->n_windows) {
        return;
    }
    r->approx = true;

    to = r->windows + (size_t) w * r->size;

    for (s = 0; s <= r->table->n_wheres; s++) {
        from = (const char *) tile + tile_selection(r->table, s);
        count_at(r, to, s)->n += ((const struct tile_count *)
                                  (const void *) from)->n;

        for (c = 0; c < r->table->n_columns; c++) {
            from = (const char *) tile + tile_column(r->table, s, c);
            if (!r->table->columns[c].string) {
                tile_number_merge((struct tile_number *) (void *)
                                  (to + tile_column(r->table, s, c)),
                                  (const struct tile_number *)
                                  (const void *) from);
                continue;
            }
            string = (const struct tile_string *) (const void *) from;
            segment_string(seg, (uint32_t) string->at, &value);
            if (string->n != 0 && value.present) {
                string_add((struct tile_string *) (void *)
                           (to + tile_column(r->table, s, c)),
                           value.string, value.len, string->last_ms);
            }
        }
    }

    if (r->any_list) {
        keep_tile(r, seg, tile, age);
    }
}

static void
add_history(struct reading *r, const struct shard *shard, uint32_t head)
{
    const struct history *history = heap_at(shard, head);
    struct history_shape shape;
    struct history_event event;
    const struct tile *tile;
    struct segment seg;
    uint32_t i;
    bool more;

    shape = history_shape(r->table, history->record.flags);

    for (more = segment_head(shard, &shape, head, &seg); more;
         more = segment_next(shard, &shape, &seg))
    {
        for (i = 0; i < seg.n_tiles; i++) {
            tile = (const struct tile *) (const void *)
                   (seg.tiles + (size_t) i * shape.tile_size);
            if (tile_sound(tile)) {
                add_tile(r, &seg, tile);
            }
        }
        for (i = 0; i < seg.n_cells; i++) {
            cell_read(&shape, &seg, i, history->base_ms, &event);
            add_event(r, &event);
        }
    }
}

/* Each window takes in the narrower one before it. */
static void
widen(struct reading *r)
{
    const struct tile_string *string;
    struct tile_string *target;
    char *from, *to;
    int w, s, c;

    for (w = 1; w < r->step->n_windows; w++) {
        from = r->windows + (size_t) (w - 1) * r->size;
        to = from + r->size;

        for (s = 0; s <= r->table->n_wheres; s++) {
            count_at(r, to, s)->n += count_at(r, from, s)->n;

            for (c = 0; c < r->table->n_columns; c++) {
                if (!r->table->columns[c].string) {
                    tile_number_merge((struct tile_number *) (void *)
                                      (to + tile_column(r->table, s, c)),
                                      (const struct tile_number *) (void *)
                                      (from + tile_column(r->table, s, c)));
                    continue;
                }
                string = (const struct tile_string *) (void *)
                         (from + tile_column(r->table, s, c));
                target = (struct tile_string *) (void *)
                         (to + tile_column(r->table, s, c));
                if (string->n != 0 && (target->n == 0
                    || string->last_ms >= target->last_ms))
                {
                    *target = *string;
                }
            }
        }
    }
}

static void *
scratch_take(struct intent_answer *answer, size_t size, size_t align)
{
    size_t at = (answer->scratch_used + align - 1) / align * align;

    if (size > sizeof(answer->scratch)
        || at > sizeof(answer->scratch) - size)
    {
        return NULL;
    }
    answer->scratch_used = at + size;

    return answer->scratch + at;
}

static struct intent_value
string_value(struct intent_answer *answer, const char *string, size_t len)
{
    struct intent_value v = { .kind = INTENT_NULL };
    char *copy = scratch_take(answer, len, 1);

    if (copy != NULL) {
        memcpy(copy, string, len);
        v.kind = INTENT_STRING;
        v.len = (uint32_t) len;
        v.as.s = copy;
    }

    return v;
}

static struct intent_value
double_value(double d)
{
    struct intent_value v = { .kind = INTENT_DOUBLE, .as.d = d };

    return v;
}

static struct intent_value
list_value(const struct kept_list *list, bool strings,
           struct intent_answer *answer)
{
    struct intent_value v = { .kind = INTENT_NULL }, *items;
    int i;

    items = scratch_take(answer, (size_t) list->n * sizeof(*items),
                         _Alignof(struct intent_value));
    if (items == NULL) {
        return v;
    }

    for (i = 0; i < list->n; i++) {
        items[i] = strings ? string_value(answer, list->items[i].string,
                                          list->items[i].len)
                           : double_value(list->items[i].number);
    }

    v.kind = INTENT_LIST;
    v.len = (uint32_t) list->n;
    v.as.items = items;

    return v;
}

static struct intent_value
number_value(enum model_op op, const struct tile_number *n)
{
    struct intent_value null = { .kind = INTENT_NULL };
    double sum = n->sum + n->comp;

    if (isinf(n->sum)) {
        /* Past the largest number the compensation means nothing. */
        sum = n->sum;
    }

    switch (op) {

    case MODEL_SUM:
        return double_value(n->n == 0 ? 0.0 : sum);

    case MODEL_AVG:
        return n->n == 0 ? null : double_value(sum / (double) n->n);

    case MODEL_MIN:
        return n->n == 0 ? null : double_value(n->min);

    case MODEL_MAX:
        return n->n == 0 ? null : double_value(n->max);

    default:
        return n->n == 0 ? null : double_value(n->last);
    }
}

static void
answer_items(struct reading *r, struct intent_answer *answer)
{
    const struct plan_item *item;
    const struct tile_string *string;
    struct intent_value v;
    const char *at;
    char *window;
    int i, list = 0;

    for (i = 0; i < r->step->n_items; i++) {
        item = &r->step->items[i];
        window = r->windows + (size_t) item->window * r->size;
        v = (struct intent_value) { .kind = INTENT_NULL };

        if (item->op == MODEL_COUNT) {
            v.kind = INTENT_INT;
            v.as.i = (int64_t) count_at(r, window, item->where)->n;

        } else if (item->op == MODEL_LAST_K) {
            v = list_value(&r->lists[list++],
                           r->table->columns[item->column].string, answer);

        } else {
            at = window + tile_column(r->table, item->where, item->column);
            if (r->table->columns[item->column].string) {
                string = (const struct tile_string *) (const void *) at;
                if (string->n != 0) {
                    v = string_value(answer, (const char *)
                                     (uintptr_t) string->at, string->len);
                }
            } else {
                v = number_value(item->op, (const struct tile_number *)
                                           (const void *) at);
            }
        }

        answer->values[item->feature] = v;
    }
}

int
reading_run(struct zone *zone, const struct model_table *table,
            uint8_t table_index, const struct plan_step *step,
            const uint64_t key[static 2], int64_t time_ms, unsigned wait_us,
            void *memory, struct intent_answer *answer)
{
    size_t size = reading_size(table, step);
    struct reading r = { .table = table, .step = step, .windows = memory,
                         .size = tile_size(table) };
    struct shard *shard = shard_of(zone, key);
    size_t windows = ((size_t) step->n_windows * r.size + 15) / 16 * 16;
    shard_entry *entry;
    struct record *record;

    /* No event lies beyond. */
    r.time_ms = time_ms > HISTORY_MAX_TIME ? HISTORY_MAX_TIME
                : time_ms < -HISTORY_MAX_TIME ? -HISTORY_MAX_TIME : time_ms;

    memset(memory, 0, size);
    r.lists = (struct kept_list *) (void *) (r.windows + windows);
    r.any_list = size > windows;

    if (!shard_lock(zone, shard, wait_us)) {
        return -EBUSY;
    }

    record = shard_find(zone, shard, key, &entry);
    if (record != NULL && record->table == table_index
        && heap_slot_size(shard, shard_offset(*entry))
           >= sizeof(struct history))
    {
        add_history(&r, shard, shard_offset(*entry));
    }

    /* Strings are copied out before the lock is given up. */
    widen(&r);
    answer_items(&r, answer);
    shard_unlock(shard);

    answer->approx = answer->approx || r.approx;

    return 0;
}
