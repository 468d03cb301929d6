/* SPDX-License-Identifier: Apache-2.0
 *
 * Events from outside: text values as nginx has them, JSON objects of beacons
 * and archives. Checks types and bounds; decides nothing.
 */
#ifndef INTENT_SIGNAL_EVENT_H
#define INTENT_SIGNAL_EVENT_H

#include "model.h"
#include "plan.h"

struct history_event;

/* What a table stores of the event: its columns, and which of the wheres
 * hold. `fields` as in struct intent_event. Strings stay borrowed. Returns
 * the number of where conditions that failed to evaluate (they read false). */
unsigned event_project(const struct model_table *table,
                       const struct intent_value *fields, int64_t time_ms,
                       struct history_event *out);

#endif
