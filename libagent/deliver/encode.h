/* SPDX-License-Identifier: Apache-2.0
 *
 * An event as it goes to the stream: one JSON object. Written straight into
 * a lane by whoever captured it, so that intentd, the spool and Kinesis carry
 * opaque bytes and no configuration need be known downstream.
 */
#ifndef INTENT_DELIVER_ENCODE_H
#define INTENT_DELIVER_ENCODE_H

#include "../signal/model.h"

/* What the server adds to the fields of the dataset. */
struct encode_meta {
    const struct intent_who *who;  /* NULL: neither id */
    const char *host;
    uint64_t boot;
    uint32_t lane;
    uint64_t seq;
    int64_t captured_at_ms;
    unsigned char random[10];      /* of the UUIDv7 (RFC 9562) event_id */
    bool late;
    bool future;
    bool bot;
    bool forget;                   /* a tombstone: erase what you have */
};

/* At most this many bytes come out; at least one more than any event that
 * can be sent is refused by -ENOSPC. */
uint32_t encode_bound(const struct intent_config *config,
                      const struct intent_event *event,
                      const struct encode_meta *meta);

/* Returns the bytes written, or -ENOSPC. event may be NULL for a tombstone.
 * No allocation. */
int encode_event(const struct intent_config *config,
                 const struct intent_event *event,
                 const struct encode_meta *meta, char *buf, size_t size);

#endif
