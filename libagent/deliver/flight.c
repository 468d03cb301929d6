/* SPDX-License-Identifier: Apache-2.0 */
#include "flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLIGHT_EVENTS = KINESIS_MAX_RECORDS,
    SUSPECTS = 8                   /* refused alone in a row: then it is not
                                      the records */
};

int
flight_init(struct flight *flight)
{
    memset(flight, 0, sizeof(*flight));

    flight->events = calloc(FLIGHT_EVENTS, sizeof(*flight->events));
    flight->entries = calloc(KINESIS_MAX_RECORDS, sizeof(*flight->entries));
    flight->records = calloc(KINESIS_MAX_RECORDS, sizeof(*flight->records));
    flight->fates = calloc(KINESIS_MAX_RECORDS, 1);
    flight->entry_of = calloc(FLIGHT_EVENTS, sizeof(*flight->entry_of));
    flight->sent = calloc(KINESIS_MAX_RECORDS, sizeof(*flight->sent));

    /* Large: the system backs only what is used. */
    flight->data = malloc(KINESIS_MAX_CALL);
    flight->body = malloc(KINESIS_MAX_BODY);

    if (flight->events == NULL || flight->entries == NULL
        || flight->records == NULL || flight->fates == NULL
        || flight->entry_of == NULL || flight->sent == NULL
        || flight->data == NULL || flight->body == NULL)
    {
        flight_free(flight);
        return -ENOMEM;
    }

    return 0;
}

void
flight_free(struct flight *flight)
{
    free(flight->events);
    free(flight->entries);
    free(flight->records);
    free(flight->fates);
    free(flight->entry_of);
    free(flight->sent);
    free(flight->data);
    free(flight->body);
    memset(flight, 0, sizeof(*flight));
}

void
flight_clear(struct flight *flight)
{
    flight->state = FLIGHT_FREE;
    flight->n_events = flight->n_entries = flight->n_sent = 0;
    flight->used = flight->settled = flight->body_len = 0;
    flight->retry_ms = 0;
    backoff_reset(&flight->backoff);
}

bool
flight_room(const struct flight *flight, size_t len)
{
    return flight->n_events < FLIGHT_EVENTS
           && kinesis_size(len, FORMAT_KEY_SIZE - 1)
              <= KINESIS_MAX_CALL - flight->used;
}

bool
flight_add(struct flight *flight, const struct event *event)
{
    struct event *copy;

    if (!flight_room(flight, event->len)) {
        return false;
    }

    copy = &flight->events[flight->n_events++];
    *copy = *event;
    copy->bytes = memcpy(flight->data + flight->used, event->bytes,
                         event->len);
    flight->used += kinesis_size(event->len, FORMAT_KEY_SIZE - 1);

    return true;
}

void
flight_begin(struct flight *flight, bool from_spool, int64_t now_ms)
{
    size_t entry, i;

    flight->n_entries = format_plain(flight->events, flight->n_events,
                                     flight->entries, flight->records);
    for (entry = 0; entry < flight->n_entries; entry++) {
        flight->fates[entry] = FATE_PENDING;
        for (i = 0; i < flight->entries[entry].count; i++) {
            flight->entry_of[flight->entries[entry].first + i]
                = (uint16_t) entry;
        }
    }
    flight->from_spool = from_spool;
    flight->state = FLIGHT_WAITING;
    flight->born_ms = now_ms;
    flight->window = flight->n_entries;
}

void
flight_body(struct flight *flight, const char *stream)
{
    long len;
    size_t i;

    flight->n_sent = 0;
    for (i = 0; i < flight->n_entries && flight->n_sent < flight->window; i++)
    {
        if (flight->fates[i] == FATE_PENDING) {
            flight->sent[flight->n_sent++] = (uint16_t) i;
        }
    }

    /* The limits kept by flight_add() make it fit. */
    len = kinesis_body(stream, flight->records, flight->sent, flight->n_sent,
                       flight->body, KINESIS_MAX_BODY);
    flight->body_len = len < 0 ? 0 : (size_t) len;
}

static size_t
count(const struct flight *flight, enum flight_fate fate)
{
    size_t i, n = 0;

    for (i = 0; i < flight->n_entries; i++) {
        n += flight->fates[i] == (unsigned char) fate;
    }

    return n;
}

static void
change(struct flight *flight, enum flight_fate from, enum flight_fate to)
{
    size_t i;

    for (i = 0; i < flight->n_entries; i++) {
        if (flight->fates[i] == (unsigned char) from) {
            flight->fates[i] = (unsigned char) to;
        }
    }
}

size_t
flight_pending(const struct flight *flight)
{
    return count(flight, FATE_PENDING);
}

enum flight_fate
flight_fate(const struct flight *flight, size_t i)
{
    return (enum flight_fate) flight->fates[flight->entry_of[i]];
}

static void
take_entry(struct flight *flight, uint16_t entry, enum kinesis_class class,
           bool proven, struct flight_verdict *verdict)
{
    switch (class) {

    case KINESIS_ACCEPTED:
        flight->fates[entry] = FATE_STORED;
        verdict->accepted++;
        break;

    case KINESIS_POISON:
        flight->fates[entry] = proven ? FATE_REFUSED : FATE_SUSPECT;
        break;

    case KINESIS_THROTTLED:
        verdict->throttled++;
        break;

    case KINESIS_STOPPED:
        verdict->stopped = true;
        break;

    default:
        verdict->retried++;
    }
}

/* One of the records spoils the call: the next one takes half of them. The
 * one that is refused alone is it. */
static void
bisect(struct flight *flight, bool proven)
{
    if (flight->n_sent > 1) {
        flight->window = flight->n_sent / 2;
    } else if (flight->n_sent == 1 && proven) {
        flight->fates[flight->sent[0]] = FATE_REFUSED;
        flight->window = flight->n_entries;
    } else if (flight->n_sent == 1) {
        flight->fates[flight->sent[0]] = FATE_SUSPECT;
    }
}

void
flight_answer(struct flight *flight, const struct kinesis_answer *answer,
              const enum kinesis_class *classes, bool proven,
              struct flight_verdict *verdict)
{
    size_t suspects, i;

    memset(verdict, 0, sizeof(*verdict));

    if (answer->class == KINESIS_POISON) {
        bisect(flight, proven);
    } else {
        for (i = 0; i < flight->n_sent; i++) {
            take_entry(flight, flight->sent[i], classes[i], proven, verdict);
        }
    }

    suspects = count(flight, FATE_SUSPECT);
    if (verdict->accepted > 0 && suspects > 0) {
        change(flight, FATE_SUSPECT, FATE_REFUSED);
        flight->window = flight->n_entries;
    } else if (suspects > 0
               && (suspects >= SUSPECTS || flight_pending(flight) == 0))
    {
        change(flight, FATE_SUSPECT, FATE_PENDING);
        flight->window = flight->n_entries;
        verdict->lonely = true;
    }

    flight->n_sent = 0;
    flight->state = FLIGHT_WAITING;
}
