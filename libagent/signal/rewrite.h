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
 * where a number asks for it. Under the shard's lock. 0, or -ENOSPC: the old
 * version stays. */
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

/* More than this many single events are too many: a quarter above the bound,
 * so that coalescing, which rewrites, happens once in a while. */
static inline uint64_t
rewrite_most_cells(const struct window *w)
{
    return (uint64_t) w->table->max_events
           + (uint64_t) w->table->max_events / 4;
}

#endif
