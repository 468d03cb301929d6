/* SPDX-License-Identifier: Apache-2.0
 *
 * Applying an event to a key's history: exact windows with bounded memory.
 */
#ifndef INTENT_SIGNAL_WINDOW_H
#define INTENT_SIGNAL_WINDOW_H

#include "history.h"

/* Private memory for building tiles; also holds the tile being converted. */
enum { WINDOW_SCRATCH = 512 << 10 };

struct window {
    struct zone *zone;
    const struct model_table *table;
    uint8_t index;                 /* of the table in the zone */
    void *scratch;                 /* WINDOW_SCRATCH bytes, 16-aligned */
};

/* Adds the event to the history of the hashed key, evicting what no permitted
 * read can see any more and coalescing what is too much. The caller has
 * applied the late and future rules; watermark_ms is that of the dataset,
 * this event included. Takes the shard's lock for at most wait_us.
 * 0, -EBUSY (nothing changed), -ENOSPC (no slot to be had: the history is as
 * it was; on a zone that grows: migrate and try again), -EFBIG (exact, and more
 * events than two fifths of a shard hold; likewise), -ERANGE (a time after the
 * watermark, or beyond what times can be). */
int window_apply(const struct window *w, const uint64_t key[static 2],
                 const struct history_event *event, int64_t watermark_ms,
                 unsigned wait_us);

/* Copies a record, as it stands, from another zone's shard: used when a
 * private zone grows. -ENOSPC as above. */
int window_migrate(struct zone *to, const struct shard *from,
                   shard_entry entry, const struct record *record);

#endif
