/* SPDX-License-Identifier: Apache-2.0
 *
 * Rewriting a history: the one way in which it changes other than by a cell
 * appended in place.
 */
#ifndef INTENT_SIGNAL_REWRITE_H
#define INTENT_SIGNAL_REWRITE_H

#include "window.h"

/* Replaces the history behind the entry by a new version with the event
 * added: without what nobody can read, coalesced where it is too much, wide
 * where a number asks for it. Under the shard's lock. 0, or -ENOSPC or -EFBIG
 * as window_apply(): the old version stays. */
int rewrite_history(const struct window *w, struct shard *shard,
                    shard_entry *entry, const struct history_shape *shape,
                    const uint64_t key[static 2],
                    const struct history_event *event, int64_t watermark_ms);

/* Events older than this can be read by nobody. */
static inline int64_t
rewrite_horizon(const struct window *w, int64_t watermark_ms)
{
    return watermark_ms - w->table->lateness_ms - w->table->retention_ms;
}

/* More than this many single events are too many where `keep` are to stay: a
 * quarter above, so that coalescing, which rewrites, happens once in a
 * while. */
static inline uint64_t
rewrite_most_cells(int keep)
{
    return (uint64_t) keep + (uint64_t) keep / 4;
}

/* Whether a history may take so many bytes: two fifths of a shard's heap, so
 * that its next version finds room beside it. 0, -EFBIG, or -ENOSPC where a
 * zone that grows gets larger shards. */
int rewrite_room(const struct window *w, const struct shard *shard,
                 uint64_t bytes);

#endif
