/* SPDX-License-Identifier: Apache-2.0
 *
 * A flight: a batch of events that goes to Kinesis together, over as many
 * calls as it takes until each of its records was stored or refused. Only
 * what failed is sent again. No I/O, no clock.
 */
#ifndef INTENT_DELIVER_FLIGHT_H
#define INTENT_DELIVER_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backoff.h"
#include "event.h"
#include "format.h"
#include "kinesis.h"

enum flight_state {
    FLIGHT_FREE,
    FLIGHT_WAITING,                /* to be sent at retry_ms */
    FLIGHT_SENT                    /* a call is under way */
};

enum flight_fate {
    FATE_PENDING,
    FATE_STORED,
    FATE_SUSPECT,                  /* refused alone, while nothing else has
                                      been accepted yet: perhaps it is not
                                      the record that is wrong */
    FATE_REFUSED
};

struct flight {
    enum flight_state state;
    bool from_spool;
    int64_t born_ms, sent_ms, retry_ms;
    struct backoff backoff;        /* over partial failures */
    size_t window;                 /* records in the next call at most: halved
                                      to find the one that spoils it */
    size_t settled;                /* leading events that the account already
                                      knows to be spooled */

    size_t n_events, n_entries;
    struct event *events;
    struct format_entry *entries;
    struct kinesis_entry *records;
    unsigned char *fates;          /* enum flight_fate, per entry */
    uint16_t *entry_of;            /* per event */

    size_t n_sent;
    uint16_t *sent;                /* entries of the call under way */

    size_t used;                   /* bytes of data, keys included */
    char *data, *body;
    size_t body_len;
};

int flight_init(struct flight *flight);
void flight_free(struct flight *flight);

/* Empties it. */
void flight_clear(struct flight *flight);

/* Whether an event of up to `len` bytes would still fit. */
bool flight_room(const struct flight *flight, size_t len);

/* Copies an event in. False: it does not fit any more. */
bool flight_add(struct flight *flight, const struct event *event);

/* All events are in: makes entries of them; the flight waits to be sent. */
void flight_begin(struct flight *flight, bool from_spool, int64_t now_ms);

/* Builds the body of the next call from what is pending. */
void flight_body(struct flight *flight, const char *stream);

size_t flight_pending(const struct flight *flight);

/* What an answer did to a flight. */
struct flight_verdict {
    size_t accepted;               /* entries */
    size_t throttled;              /* entries that wait for the shard */
    size_t retried;                /* entries failed for other reasons */
    bool stopped;                  /* nothing gets through: see the answer */
    bool lonely;                   /* every record was refused, alone: not
                                      believed, treated as stopped */
};

/* Takes the answer to the call under way: an accepted one with `classes`, or
 * one refused as a whole for one poisoned record (class KINESIS_POISON).
 * proven: the stream has accepted something before, so a record that is
 * refused alone is to blame itself. */
void flight_answer(struct flight *flight, const struct kinesis_answer *answer,
                   const enum kinesis_class *classes, bool proven,
                   struct flight_verdict *verdict);

/* The fate of event i: that of its entry. */
enum flight_fate flight_fate(const struct flight *flight, size_t i);

#endif
