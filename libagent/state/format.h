/* SPDX-License-Identifier: Apache-2.0
 *
 * A zone's header: what goes where in a new one, what to believe of an old
 * one. layout.h has the structs.
 */
#ifndef INTENT_STATE_FORMAT_H
#define INTENT_STATE_FORMAT_H

#include "zone.h"

/* Where everything goes in a zone of params->size bytes, into the fields of
 * h. -EINVAL for impossible lanes, -ENOSPC when the size is too small. */
int format_plan(struct zone_header *h, const struct zone_params *params);

/* Makes a zone of the mapping, all zero bytes. Errors as format_plan(), -EIO
 * without randomness. */
int format_write(struct zone *zone, const struct zone_params *params,
                 int64_t now_ms);

/* What is wrong with the mapping, for a message; or NULL: then zone->layout
 * is set. */
const char *format_fault(struct zone *zone);

#endif
