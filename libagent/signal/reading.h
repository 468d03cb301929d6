/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading: one pass over a history answers every aggregate that a featureset
 * needs of it, as of any permitted time.
 *
 * An event is added to the narrowest window that holds it; afterwards each
 * window takes in what the next narrower one has. So a pass costs the same
 * for one window as for ten.
 */
#ifndef INTENT_SIGNAL_READING_H
#define INTENT_SIGNAL_READING_H

#include "../state/shard.h"
#include "plan.h"

/* Bytes of private memory that reading this step takes. */
size_t reading_size(const struct model_table *table,
                    const struct plan_step *step);

/* Reads the values of the step's items into values[] by feature: counts as
 * integers, everything else as semantics.md has it; an unknown key reads as
 * no events. `memory` holds reading_size() bytes, 16-aligned. Strings and
 * lists go to the answer's scratch; what finds no room there reads null.
 * Sets answer->approx when coalesced events took part. Holds the shard's lock
 * for the pass. 0 or -EBUSY. */
int reading_run(struct zone *zone, const struct model_table *table,
                uint8_t table_index, const struct plan_step *step,
                const uint64_t key[static 2], int64_t time_ms,
                unsigned wait_us, void *memory, struct intent_answer *answer);

#endif
