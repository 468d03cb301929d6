/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the forwarder share: forwarder.c (life, turns, mode),
 * forwarder_send.c (flights and answers), forwarder_spool.c (lanes into the
 * spool, and out of it). Not for others.
 */
#ifndef INTENT_DELIVER_FORWARDER_STATE_H
#define INTENT_DELIVER_FORWARDER_STATE_H

#include "flight.h"
#include "forwarder.h"
#include "intake.h"
#include "settle.h"

enum {
    FAILURES_AWAY = 3,             /* in a row: Kinesis is away */
    FLIGHT_OLD_MS = 5000,          /* a batch this old goes to the spool: the
                                      zone does not survive a power loss */
    CALL_SLOW_MS = 2000,           /* given up when its lane is half full */
    LANE_FULL_PERCENT = 50,        /* then its events go to the spool */
    STOPPED_MIN_MS = 5000,         /* between tries while someone has to mend */
    STOPPED_MAX_MS = 10000,        /* something: Kinesis bills failures too */
    SPOOL_RETRY_MS = 1000,
    UPKEEP_MS = 1000,
    TURN_MS = 20                   /* how often lanes are looked at: they must
                                      hold what comes meanwhile */
};

struct forwarder {
    struct forwarder_options options;
    struct forwarder_link link;
    struct zone *zone;
    struct forwarder_time now;

    struct intake intake;
    struct flight flights[FORWARDER_FLIGHTS];
    struct settle settle;          /* facts for the next commit */
    struct settle moving;          /* become facts when the spool is flushed */
    int64_t waiting_since_ms;      /* events wait in lanes; -1: none */

    unsigned failures;             /* calls in a row */
    bool blocked;                  /* someone has to mend something */
    bool proven;                   /* the stream has taken something */
    bool refreshed;                /* link.refresh() helped, no success yet */
    struct backoff backoff;
    int64_t retry_ms;              /* no call before */

    struct spool *spool;           /* NULL: none, or unusable for now */
    bool spooling;
    bool spool_failed;             /* people have been told */
    int64_t spool_retry_ms;        /* no write before */
    int64_t spool_read_retry_ms;   /* no read before */
    int64_t moved_ms;
    uint64_t drained;              /* events delivered from it this time */

    int64_t upkeep_ms;
    bool stopping, ended;
    int64_t deadline_ms;
    uint64_t target[ZONE_MAX_LANES];       /* stop when tails are here */
};

/* Tells people. */
__attribute__((format(printf, 3, 4)))
void forwarder_say(struct forwarder *f, enum forwarder_note note,
                   const char *format, ...);

struct flight *forwarder_free_flight(struct forwarder *f);

/* Whether a flight of the spool, or of lanes, exists. */
bool forwarder_flying(const struct forwarder *f, bool from_spool);

/* Loses the rest of a damaged lane, and counts it. */
void forwarder_skip_lane(struct forwarder *f, uint32_t lane);

/* A flight of lanes is over: its lanes may be read again. */
void forwarder_release(struct forwarder *f, struct flight *flight);

/* --- forwarder_send.c --- */

/* Takes all results. */
void forwarder_collect(struct forwarder *f);

/* Makes flights of what waits in the lanes. */
void forwarder_board(struct forwarder *f);

/* Sends the flights that are due. */
void forwarder_launch(struct forwarder *f);

/* Gives up a call; its flight waits to be sent again. */
void forwarder_recall(struct forwarder *f, struct flight *flight);

/* --- forwarder_spool.c --- */

/* Opens the spool where it is not open, and looks after it. */
void forwarder_spool_upkeep(struct forwarder *f);

/* Whether the spool can be written to now. */
bool forwarder_spool_ready(const struct forwarder *f);

/* Moves waiting flights and lanes into the spool; makes a flight from it. */
void forwarder_spool_turn(struct forwarder *f);

/* All events handed out by the spool are done with. */
void forwarder_spool_settle(struct forwarder *f, uint64_t events);

#endif
