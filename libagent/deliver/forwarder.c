/* SPDX-License-Identifier: Apache-2.0 */
#include "forwarder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/atomic.h"
#include "../base/crash.h"
#include "../state/lane.h"
#include "../state/lock.h"
#include "forwarder_state.h"

void
forwarder_say(struct forwarder *f, enum forwarder_note note,
              const char *format, ...)
{
    char text[512];
    va_list args;

    if (f->options.note != NULL) {
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        f->options.note(f->options.arg, note, text);
    }
}

/* --- life --------------------------------------------------------------- */

static void
free_memory(struct forwarder *f)
{
    size_t i;

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        flight_free(&f->flights[i]);
    }
    free(f);
}

int
forwarder_new(const struct forwarder_options *options,
              const struct forwarder_link *link, struct zone *zone,
              struct forwarder_time now, struct forwarder **out)
{
    struct forwarder *f;
    size_t i;

    *out = NULL;

    f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return -ENOMEM;
    }
    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        if (flight_init(&f->flights[i]) != 0) {
            free_memory(f);
            return -ENOMEM;
        }
    }

    if (lock_take(&zone->header->forwarder, options->self, 0) == LOCK_BUSY) {
        free_memory(f);
        return -EBUSY;
    }

    f->options = *options;
    f->link = *link;
    f->zone = zone;
    f->now = now;
    f->waiting_since_ms = -1;
    f->upkeep_ms = f->moved_ms = f->spool_retry_ms = now.mono_ms;
    intake_begin(&f->intake, zone);
    forwarder_spool_upkeep(f);

    *out = f;

    return 0;
}

void
forwarder_free(struct forwarder *f, struct forwarder_time now)
{
    size_t i;

    if (f == NULL) {
        return;
    }

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        if (f->flights[i].state == FLIGHT_SENT) {
            f->link.cancel(f->link.arg, (unsigned) i);
        }
    }

    if (zone_intact(f->zone)) {
        settle_commit(&f->settle, f->zone);
    }
    spool_close(f->spool, now.mono_ms);
    if (zone_intact(f->zone)) {
        lock_drop(&f->zone->header->forwarder);
    }
    free_memory(f);
}

bool
forwarder_spooling(const struct forwarder *f)
{
    return f->spooling;
}

int
forwarder_owner(const struct zone *zone)
{
    return (int) owner_pid(atomic_load(&zone->header->forwarder.word));
}

bool
forwarder_zone_used(const struct zone *zone)
{
    uint32_t i;

    for (i = 0; i < zone->header->n_lanes; i++) {
        if (owner_alive(atomic_load(&zone_lane(zone, i)->owner.word))) {
            return true;
        }
    }

    return false;
}

uint64_t
forwarder_spooled(const struct zone *zone)
{
    struct account_totals totals;

    account_read(zone, &totals);

    return totals.spooled;
}

/* --- flights and lanes -------------------------------------------------- */

struct flight *
forwarder_free_flight(struct forwarder *f)
{
    size_t i;

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        if (f->flights[i].state == FLIGHT_FREE) {
            return &f->flights[i];
        }
    }

    return NULL;
}

bool
forwarder_flying(const struct forwarder *f, bool from_spool)
{
    size_t i;

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        if (f->flights[i].state != FLIGHT_FREE
            && f->flights[i].from_spool == from_spool)
        {
            return true;
        }
    }

    return false;
}

void
forwarder_release(struct forwarder *f, struct flight *flight)
{
    size_t i;

    for (i = 0; i < flight->n_events; i++) {
        f->intake.lane[flight->events[i].lane].held = false;
    }
    flight_clear(flight);
}

void
forwarder_skip_lane(struct forwarder *f, uint32_t lane)
{
    uint64_t lost;

    if (intake_skip(&f->intake, lane, &lost) != 0) {
        return;
    }

    f->settle.damaged += lost;
    settle_take(&f->settle, lane, f->intake.lane[lane].pos, lost);
    settle_commit(&f->settle, f->zone);

    forwarder_say(f, NOTE_LANE_DAMAGED,
                  "lane %u of the zone is damaged: %llu events are lost and "
                  "counted as dropped", lane, (unsigned long long) lost);
}

/* --- mode --------------------------------------------------------------- */

/* Whether a batch has been on its way for too long. */
static bool
any_old(const struct forwarder *f)
{
    const struct flight *flight;
    size_t i;

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        flight = &f->flights[i];
        if (flight->state == FLIGHT_WAITING && !flight->from_spool
            && f->now.mono_ms - flight->born_ms >= FLIGHT_OLD_MS)
        {
            return true;
        }
    }

    return false;
}

/* Calls that keep a half full lane from being spooled are given up. */
static void
recall_slow(struct forwarder *f)
{
    struct flight *flight;
    size_t i;

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        flight = &f->flights[i];
        if (flight->state == FLIGHT_SENT && !flight->from_spool
            && f->now.mono_ms - flight->sent_ms >= CALL_SLOW_MS)
        {
            forwarder_recall(f, flight);
        }
    }
}

static void
choose_mode(struct forwarder *f)
{
    bool full, away, ready = forwarder_spool_ready(f);

    full = intake_fullness(&f->intake) >= LANE_FULL_PERCENT;
    away = f->failures >= (f->stopping ? 1 : FAILURES_AWAY);

    if (full && ready) {
        recall_slow(f);
    }

    if (!f->spooling) {
        if (f->spool != NULL && spool_count(f->spool) > 0) {
            f->spooling = true;
        } else if (ready && (away || full || any_old(f))) {
            f->spooling = true;
            forwarder_say(f, NOTE_AWAY,
                          "Kinesis %s: events go to the spool %s",
                          away ? "does not take events"
                               : "takes events too slowly",
                          f->options.spool.path);
        }
        return;
    }

    if ((f->spool == NULL || spool_count(f->spool) == 0)
        && !forwarder_flying(f, true) && !(ready && (away || full)))
    {
        f->spooling = false;
        if (f->spool == NULL) {
            return;
        }
        forwarder_say(f, NOTE_BACK, "the spool is empty, %llu events were "
                      "delivered from it: events go to Kinesis directly",
                      (unsigned long long) f->drained);
        f->drained = 0;
    }
}

/* --- stopping ----------------------------------------------------------- */

void
forwarder_stop(struct forwarder *f, int64_t deadline_mono_ms)
{
    uint32_t i;

    f->stopping = true;
    f->deadline_ms = deadline_mono_ms;
    for (i = 0; i < f->intake.n; i++) {
        f->target[i] = intake_head(&f->intake, i);
    }
}

bool
forwarder_stopped(const struct forwarder *f)
{
    return f->ended;
}

/* A lane may end in a filler, which no event follows. */
static bool
lanes_done(const struct forwarder *f)
{
    struct event event;
    uint32_t i;

    for (i = 0; i < f->intake.n; i++) {
        if (f->intake.lane[i].pos < f->target[i]
            && intake_peek(&f->intake, i, &event) != 0)
        {
            return false;
        }
    }

    return !forwarder_flying(f, false);
}

static bool
any_sent(const struct forwarder *f)
{
    size_t i;

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        if (f->flights[i].state == FLIGHT_SENT) {
            return true;
        }
    }

    return false;
}

static void
stop_turn(struct forwarder *f)
{
    size_t i;

    if (lanes_done(f) && !any_sent(f)) {
        f->ended = true;
        return;
    }

    if (f->now.mono_ms < f->deadline_ms) {
        return;
    }

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        if (f->flights[i].state == FLIGHT_SENT) {
            forwarder_recall(f, &f->flights[i]);
        }
    }
    if (forwarder_spool_ready(f)) {
        f->spooling = true;
        forwarder_spool_turn(f);
    }
    f->ended = true;
}

/* --- turns -------------------------------------------------------------- */

static void
upkeep(struct forwarder *f)
{
    uint32_t i;

    f->upkeep_ms = f->now.mono_ms + UPKEEP_MS;

    for (i = 0; i < f->intake.n; i++) {
        lane_reap(f->zone, i, f->options.self);
    }

    forwarder_spool_upkeep(f);

    if (!forwarder_spool_ready(f) && intake_fullness(&f->intake) >= 90) {
        forwarder_say(f, NOTE_LANES_FULL,
                      "Kinesis does not take events and there is no spool "
                      "that does: new events are dropped once the lanes are "
                      "full, and counted as dropped (lane_full)");
    }

    if (f->options.maintain != NULL) {
        f->options.maintain(f->options.arg, f->zone, f->now.wall_ms);
    }
}

/* When the next flight is due, at most TURN_MS. */
static int64_t
next_turn(const struct forwarder *f)
{
    int64_t due, wait = TURN_MS;
    size_t i;

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        if (f->flights[i].state == FLIGHT_WAITING) {
            due = f->flights[i].retry_ms > f->retry_ms
                  ? f->flights[i].retry_ms : f->retry_ms;
            due -= f->now.mono_ms;
            wait = due < wait ? due : wait;
        }
    }

    return wait < 1 ? 1 : wait;
}

int64_t
forwarder_turn(struct forwarder *f, struct forwarder_time now)
{
    f->now = now;

    if (!zone_intact(f->zone)) {
        return -EIO;
    }
    atomic_store(&f->zone->header->forwarder_beat_ms, (uint64_t) now.wall_ms);

    forwarder_collect(f);
    if (now.mono_ms >= f->upkeep_ms) {
        upkeep(f);
    }

    choose_mode(f);
    if (f->spooling) {
        forwarder_spool_turn(f);
    } else {
        forwarder_board(f);
    }
    if (f->stopping) {
        stop_turn(f);
    }
    if (!f->ended) {
        forwarder_launch(f);
    }

    CRASH_POINT("forwarder-turn");
    settle_commit(&f->settle, f->zone);

    return next_turn(f);
}
