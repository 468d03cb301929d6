/* SPDX-License-Identifier: Apache-2.0
 *
 * The forwarder: takes events out of the zone's lanes and brings them to
 * Kinesis, over the spool when Kinesis is away, and keeps the account.
 *
 *     direct      lanes -> flights -> Kinesis
 *     spooling    lanes -> spool -> one flight -> Kinesis
 *
 * It goes over to spooling when Kinesis fails, when a batch does not get
 * through for seconds, or when a lane is half full; and back when the spool
 * is empty, so that order is kept per lane. An event leaves the account's
 * `queued` only when it was stored by Kinesis, refused by it, or safely
 * spooled; `spooled` likewise. So a death at any point loses nothing, and what
 * is sent twice is at most what was in flight.
 *
 * No clock, no network and no thread of its own: a turn is given the time,
 * and calls go through a struct forwarder_link. One process at a time works
 * on a zone; the zone's `forwarder` word sees to it.
 */
#ifndef INTENT_DELIVER_FORWARDER_H
#define INTENT_DELIVER_FORWARDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../state/zone.h"
#include "kinesis.h"
#include "spool.h"

enum {
    FORWARDER_FLIGHTS = 4,         /* calls under way at once */
    FORWARDER_LINGER_MS = 100      /* how long an event may wait for company */
};

struct forwarder_time {
    int64_t mono_ms;               /* never jumps: for every wait */
    int64_t wall_ms;               /* for signatures and the account */
};

/* How a call ended. */
struct forwarder_result {
    unsigned slot;
    int status;                    /* HTTP; 0: there was no answer */
    bool unknown;                  /* no answer, and it may have arrived */
    const char *body;              /* borrowed until the next poll */
    size_t len;
    const char *error;             /* where there was no answer: why */
};

/* The way to Kinesis. */
struct forwarder_link {
    /* Begins a PutRecords call in a free slot (0 to FORWARDER_FLIGHTS - 1);
     * the body is the caller's until the result. 0, or -errno and *why: it
     * cannot be sent now, for want of credentials for instance. */
    int (*start)(void *arg, unsigned slot, const char *body, size_t len,
                 int64_t wall_ms, const char **why);
    /* The next result, if there is one: 1 or 0. Does not block. */
    int (*poll)(void *arg, struct forwarder_result *result);
    /* Gives up a call; no result will come. */
    void (*cancel)(void *arg, unsigned slot);
    /* An answer said KINESIS_EXPIRED or KINESIS_SKEWED: do what helps. 0 when
     * something was done, so that another try is worth it at once. */
    int (*refresh)(void *arg, enum kinesis_class class, int64_t wall_ms);
    void *arg;
};

/* What it has to tell. X(enum suffix, urgency as of syslog) */
#define FORWARDER_NOTES(X)                                                    \
    X(BUSY, 4)                     /* another intentd has the zone */         \
    X(FAILED, 4)                   /* a call failed, will be tried again */   \
    X(STOPPED, 3)                  /* someone has to mend something */        \
    X(THROTTLED, 4)                                                           \
    X(REFUSED, 3)                  /* a record was refused and dropped */     \
    X(AWAY, 4)                     /* spooling from now on */                 \
    X(BACK, 5)                     /* sending directly again */               \
    X(SPOOL_FAILED, 3)                                                        \
    X(SPOOL_WORKS, 5)                                                         \
    X(SPOOL_FULL, 3)               /* the oldest events gave way */           \
    X(SPOOL_LOST, 3)               /* spooled events could not be read */     \
    X(INHERITED, 5)                /* events of an earlier zone */            \
    X(LANE_DAMAGED, 3)                                                        \
    X(LANES_FULL, 4)               /* nothing moves and events may drop */

enum forwarder_note {
#define FORWARDER_NOTE_ENUM(id, level) NOTE_##id,
    FORWARDER_NOTES(FORWARDER_NOTE_ENUM)
#undef FORWARDER_NOTE_ENUM
    NOTE_COUNT
};

struct forwarder_options {
    const char *stream;
    struct spool_options spool;    /* path NULL: none */
    uint64_t self;                 /* lock.h's word of this process */
    uint64_t random;               /* seed of all jitter */

    /* Tells people; text is one line without its end. May be NULL. */
    void (*note)(void *arg, enum forwarder_note note, const char *text);
    /* Called about once a second: whatever else wants to be done beside the
     * request path. May be NULL. */
    void (*maintain)(void *arg, struct zone *zone, int64_t wall_ms);
    void *arg;
};

struct forwarder;

/* Takes over the zone and brings spool and account in line. Strings and zone
 * must outlive it. -EBUSY while another living process has the zone, -ENOMEM.
 * A spool that cannot be used is no error: it is tried again. */
int forwarder_new(const struct forwarder_options *options,
                  const struct forwarder_link *link, struct zone *zone,
                  struct forwarder_time now, struct forwarder **out);

/* One turn: takes results, starts calls, moves events. Returns in how many ms
 * the next turn is due (sooner when the link has a result), or -EIO when the
 * zone's file was cut short and the forwarder can only be freed. */
int64_t forwarder_turn(struct forwarder *forwarder, struct forwarder_time now);

/* A clean end: from now on only what is in the lanes at this moment is
 * brought away, until deadline_mono_ms; then the rest is spooled. Go on with
 * turns until forwarder_stopped(). */
void forwarder_stop(struct forwarder *forwarder, int64_t deadline_mono_ms);
bool forwarder_stopped(const struct forwarder *forwarder);

/* Gives the zone back and frees. Calls under way are given up. */
void forwarder_free(struct forwarder *forwarder, struct forwarder_time now);

/* Whether the spool is in use. For status and tests. */
bool forwarder_spooling(const struct forwarder *forwarder);

/* What a zone says, with or without a forwarder: the process that forwards
 * from it; whether a living process writes events into it; how many of its
 * events are in a spool. */
int forwarder_owner(const struct zone *zone);
bool forwarder_zone_used(const struct zone *zone);
uint64_t forwarder_spooled(const struct zone *zone);

#endif
