/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

static void
hex_key(uint64_t key, char out[static FORMAT_KEY_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    int i;

    for (i = 0; i < FORMAT_KEY_SIZE - 1; i++) {
        out[i] = digits[key >> 60];
        key <<= 4;
    }
    out[i] = '\0';
}

size_t
format_plain(const struct event *events, size_t n,
             struct format_entry *entries, struct kinesis_entry *records)
{
    size_t i;

    for (i = 0; i < n; i++) {
        entries[i].first = (uint16_t) i;
        entries[i].count = 1;
        hex_key(events[i].key, entries[i].key);
        records[i] = (struct kinesis_entry) {
            .data = events[i].bytes,
            .len = events[i].len,
            .key = entries[i].key
        };
    }

    return n;
}
