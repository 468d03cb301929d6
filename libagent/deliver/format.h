/* SPDX-License-Identifier: Apache-2.0
 *
 * How events become Kinesis records. This is the one place that knows: an
 * aggregating format makes one entry of several events here, and nothing else
 * changes, since an entry says which events it stands for.
 */
#ifndef INTENT_DELIVER_FORMAT_H
#define INTENT_DELIVER_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "event.h"
#include "kinesis.h"

enum { FORMAT_KEY_SIZE = 17 };     /* 16 hex digits and NUL */

struct format_entry {
    uint16_t first, count;         /* the events in it */
    char key[FORMAT_KEY_SIZE];
};

/* "plain": each event is a record of its own, its JSON the data, the key in
 * lower-case hex the partition key. Fills entries[0..n) and records[0..n),
 * whose data and keys are borrowed from events and entries; returns the
 * number of them. */
size_t format_plain(const struct event *events, size_t n,
                    struct format_entry *entries,
                    struct kinesis_entry *records);

#endif
