/* SPDX-License-Identifier: Apache-2.0
 *
 * A history: the events of one key in one table, as bytes.
 *
 * A record of the state room whose slot holds, after its head, tiles, then
 * cells in the order of their arrival; strings grow from the slot's end
 * towards them. What does not fit goes on in chunks of the same form; each
 * slot is a segment.
 *
 *     | head | tiles | cell cell cell ->  free  <- strings |
 *
 * A cell is one event: time relative to base_ms (32 bits where the retention
 * allows, else 64), where-bits, then one number
 * or string reference per column of the table. Numbers are stored in
 * thousandths in 32 bits as long as that is exact for every number of the
 * history ("narrow", the usual case: seconds with up to three decimals),
 * else as doubles. Not sorted: readers look at each event's time.
 *
 * A tile stands for coalesced events: see tile.h.
 *
 * Commits: an appended cell becomes visible by the store of `used`; anything
 * else is a rewrite into new slots that the index entry's store publishes.
 * Readers and writers hold the shard's lock. `used` is bounds-checked against
 * the slot on every access (segment_next()).
 */
#ifndef INTENT_SIGNAL_HISTORY_H
#define INTENT_SIGNAL_HISTORY_H

#include "../state/shard.h"
#include "plan.h"

/* record.flags. Kept with the record, not derived from the table, because the
 * bytes outlive a configuration that only changed its windows. */
enum {
    HISTORY_WIDE = 1,              /* numbers as doubles */
    HISTORY_LONG = 2               /* times in 64 bits */
};

/* Times beyond are refused and, where memory holds them, damage: so sums and
 * differences of times cannot overflow. */
#define HISTORY_MAX_TIME (INT64_C(1) << 52)

#define HISTORY_ABSENT 0xffffffffu /* a narrow column without a value */

struct history {
    struct record record;
    int64_t base_ms;
    uint64_t used;                 /* cells | bytes of strings << 32 */
};

struct history_chunk {
    struct chunk chunk;
    uint64_t used;
    uint32_t n_tiles;
    uint32_t reserved;
};

/* An event as a table sees it. */
struct history_value {
    bool present;
    uint32_t len;                  /* of the string */
    double number;
    const char *string;
};

struct history_event {
    int64_t time_ms;
    uint32_t wheres;               /* bit w: table->wheres[w] holds */
    struct history_value columns[PLAN_MAX_COLUMNS];
};

/* Sizes of a table's parts in a record of these flags. */
struct history_shape {
    const struct model_table *table;
    uint8_t flags;
    bool wide;
    uint32_t time_size;
    uint32_t where_size;
    uint32_t number_size;
    uint32_t cell_size;
    uint32_t tile_size;
};

struct history_shape history_shape(const struct model_table *table,
                                   unsigned flags);

/* Flags of a new record of the table. */
unsigned history_flags(const struct model_table *table, bool wide);

/* One slot of a history, checked against its bounds. */
struct segment {
    char *slot;
    uint32_t size;                 /* of the slot */
    uint32_t next;                 /* chunk after it */
    uint32_t left;                 /* pages that a sound chain still has */
    uint32_t n_tiles;
    const char *tiles;
    char *cells;
    uint32_t n_cells;
    uint32_t strings;              /* bytes of them */
    uint64_t *used;
};

/* Iterates: the head, then segment_next() until false, which also ends a chain
 * that runs in a circle. A segment that contradicts itself reads as empty and
 * ends the chain. */
bool segment_head(const struct shard *shard, const struct history_shape *shape,
                  uint32_t offset, struct segment *out);
bool segment_next(const struct shard *shard, const struct history_shape *shape,
                  struct segment *seg);

/* The chunk at `next` alone. */
bool segment_chunk(const struct shard *shard,
                   const struct history_shape *shape, uint32_t next,
                   struct segment *out);

/* Decodes a cell; strings point into the slot. */
void cell_read(const struct history_shape *shape, const struct segment *seg,
               uint32_t index, int64_t base_ms, struct history_event *out);

/* The cell's time alone, relative to base_ms. */
static inline uint64_t
cell_dt(const struct history_shape *shape, const char *cell)
{
    uint64_t dt = 0;

    if (shape->time_size == sizeof(uint32_t)) {
        uint32_t dt32;

        __builtin_memcpy(&dt32, cell, sizeof(dt32));
        return dt32;
    }
    __builtin_memcpy(&dt, cell, sizeof(dt));

    return dt;
}

/* The cell's time; one that is nonsense is before any that can be asked for. */
static inline int64_t
cell_time(const struct history_shape *shape, const char *cell,
          int64_t base_ms)
{
    uint64_t at = (uint64_t) base_ms + cell_dt(shape, cell);

    return at + HISTORY_MAX_TIME <= 2 * (uint64_t) HISTORY_MAX_TIME
           ? (int64_t) at : -2 * HISTORY_MAX_TIME;
}

/* Whether a cell can hold this time. */
static inline bool
history_reaches(const struct history_shape *shape, int64_t base_ms,
                int64_t time_ms)
{
    uint64_t dt = (uint64_t) time_ms - (uint64_t) base_ms;

    return time_ms >= base_ms
           && dt <= (shape->time_size == sizeof(uint64_t)
                     ? 2 * (uint64_t) HISTORY_MAX_TIME : UINT32_MAX);
}

/* Whether every number of the event has a narrow form. */
bool history_is_narrow(const struct model_table *table,
                       const struct history_event *event);

/* Appends to the segment in place if it fits; commits. */
bool segment_append(const struct history_shape *shape, struct segment *seg,
                    int64_t base_ms, const struct history_event *event);

/* A string in the segment: reference to value and, while it is being built,
 * value to reference. */
void segment_string(const struct segment *seg, uint32_t ref,
                    struct history_value *out);
uint32_t segment_put_string(struct segment *seg,
                            const struct history_value *value);

/* Bytes that a string takes, and those that the event needs besides its
 * cell. */
uint32_t history_string_size(uint32_t len);
uint32_t history_string_bytes(const struct model_table *table,
                              const struct history_event *event);

#endif
