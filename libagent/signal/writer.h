/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing a new version of a history into fresh slots: a head, tiles, cells,
 * and chunks where the head is full. Nobody sees it before its head is
 * published. Under the shard's lock.
 */
#ifndef INTENT_SIGNAL_WRITER_H
#define INTENT_SIGNAL_WRITER_H

#include "history.h"
#include "tile.h"
#include "window.h"

/* Set w, shard, keep (the entry that must not be evicted), shape and base_ms;
 * head and tail continue a history that is there. */
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

/* Room for `need` bytes of a new history. False: no slot to be had. */
bool writer_head(struct writer *wr, const uint64_t key[static 2],
                 uint64_t need);

/* Tiles come before any event. False: no slot to be had. */
bool writer_tiles(struct writer *wr, const struct tile_builder *b);
bool writer_event(struct writer *wr, const struct history_event *event);

/* The event as the first cell of a new chunk. */
bool writer_extend(struct writer *wr, const struct history_event *event);

/* Frees what was allocated. */
void writer_undo(struct writer *wr);

/* Bytes that a tile from the builder takes in a segment. */
uint32_t tile_bytes(const struct history_shape *shape,
                    const struct tile *tile);

#endif
