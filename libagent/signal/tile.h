/* SPDX-License-Identifier: Apache-2.0
 *
 * Tiles: coalesced events. A key with more events than its table keeps one by
 * one (max_events) has its oldest merged into tiles no wider than 1/64 of the
 * smallest window that they have yet to leave. A window's answer is then off
 * by at most the events of the one tile that straddles its edge.
 *
 * A tile holds, for every selection (all events, then each `where`), the
 * count and per column count, sum, extremes and last value. Sums carry
 * Neumaier's compensation, so merging does not drift.
 *
 * In a segment a string's `at` is its reference; while tiles are built in
 * scratch memory it is a pointer.
 */
#ifndef INTENT_SIGNAL_TILE_H
#define INTENT_SIGNAL_TILE_H

#include "plan.h"

struct history_event;
struct history_value;

struct tile {
    int64_t first_ms;
    int64_t last_ms;
    /* then, per selection, a tile_count and the columns in order */
};

struct tile_count {
    uint64_t n;
};

struct tile_number {
    uint64_t n;                    /* events with a value */
    int64_t last_ms;
    double sum, comp, min, max, last;
};

struct tile_string {
    uint64_t n;
    int64_t last_ms;
    uint64_t at;
    uint64_t len;
};

uint32_t tile_size(const struct model_table *table);

/* Offset of a selection's tile_count, and of a column after it. */
uint32_t tile_selection(const struct model_table *table, int selection);
uint32_t tile_column(const struct model_table *table, int selection,
                     int column);

/* Whether the tile's times make sense. */
bool tile_sound(const struct tile *tile);

/* Adds one value to a running sum. */
void tile_number_add(struct tile_number *to, double value, int64_t time_ms);
void tile_number_merge(struct tile_number *to, const struct tile_number *from);

/* Builds the tiles of one history in time order. */
struct tile_builder {
    const struct model_table *table;
    char *memory;
    uint32_t size;                 /* of a tile */
    uint32_t n, max;
    int64_t watermark_ms;
    int64_t widths[PLAN_MAX_WINDOWS];        /* by window, each a multiple of
                                                the one before */
    int64_t widen;                 /* factor on all widths: 1, 2, 4, ... */
};

/* Memory of `bytes` bytes is used until the tiles were copied out. */
void tile_builder_init(struct tile_builder *b, const struct model_table *table,
                       void *memory, size_t bytes, int64_t watermark_ms);

/* False when the memory is full: double `widen`, set n = 0, begin again. */
bool tile_builder_event(struct tile_builder *b,
                        const struct history_event *event);
bool tile_builder_tile(struct tile_builder *b, const struct tile *tile);

struct tile *tile_builder_at(const struct tile_builder *b, uint32_t index);

#endif
