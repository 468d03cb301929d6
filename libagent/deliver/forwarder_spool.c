/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "../base/crash.h"
#include "forwarder_state.h"

/* --- opening and upkeep ------------------------------------------------- */

static void
spool_trouble(struct forwarder *f, int error)
{
    const char *what = error == -EBUSY ? "another process has it"
                                       : strerror(-error);

    f->spool_failed = true;
    f->spool_retry_ms = f->now.mono_ms + SPOOL_RETRY_MS;
    forwarder_say(f, NOTE_SPOOL_FAILED,
                  "the spool %s cannot be used (%s): events stay in the zone "
                  "while there is room; it is tried again every second",
                  f->options.spool.path, what);
}

static void
spool_works(struct forwarder *f)
{
    if (f->spool_failed) {
        f->spool_failed = false;
        forwarder_say(f, NOTE_SPOOL_WORKS, "the spool %s works again",
                      f->options.spool.path);
    }
}

/* Makes the account agree with the spool that was just opened. */
static void
reconcile(struct forwarder *f)
{
    struct account_copy *account = account_edit(f->zone);
    struct spool_mark mark = {
        .id = account->spool_id,
        .read = account->spool_read,
        .end = account->spool_end,
        .boot = f->zone->header->boot
    };
    uint64_t lost = 0, unknown;

    unknown = spool_reconcile(f->spool, &mark);

    if (account->spool_id != spool_id(f->spool)) {
        lost = account->spooled;
        account->dropped[DROP_DAMAGED] += lost;
        account->spooled = 0;
        account->spool_id = spool_id(f->spool);
    }
    account->inherited += unknown;
    account->spooled += unknown;
    account->spool_read = spool_read_index(f->spool);
    account->spool_end = spool_end_index(f->spool);
    account_commit(f->zone);

    if (unknown > 0) {
        forwarder_say(f, NOTE_INHERITED,
                      "%llu events of an earlier zone are in the spool %s "
                      "and will be delivered", (unsigned long long) unknown,
                      f->options.spool.path);
    }
    if (lost > 0) {
        forwarder_say(f, NOTE_SPOOL_LOST,
                      "%llu events were in a spool that is no longer at %s; "
                      "they are counted as dropped (damaged)",
                      (unsigned long long) lost, f->options.spool.path);
    }
}

static void
open_spool(struct forwarder *f)
{
    int rc;

    if (f->options.spool.path == NULL || f->now.mono_ms < f->spool_retry_ms) {
        return;
    }

    rc = spool_open(&f->options.spool, f->now.mono_ms, &f->spool);
    if (rc != 0) {
        spool_trouble(f, rc);
        return;
    }

    spool_works(f);
    reconcile(f);
}

/* The folder was removed under our feet. What it held is lost; a new spool
 * is made in its place. */
static void
spool_vanished(struct forwarder *f)
{
    size_t i;

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        if (!f->flights[i].from_spool) {
            continue;
        }
        if (f->flights[i].state == FLIGHT_SENT) {
            forwarder_recall(f, &f->flights[i]);
        }
        if (f->flights[i].state != FLIGHT_FREE) {
            flight_clear(&f->flights[i]);
        }
    }

    settle_commit(&f->settle, f->zone);
    spool_close(f->spool, f->now.mono_ms);
    f->spool = NULL;

    /* Another id, or the account would take the new one for the old. */
    f->options.spool.new_id = f->options.spool.new_id * 6364136223846793005u
                              + 1442695040888963407u;
    open_spool(f);
}

void
forwarder_spool_upkeep(struct forwarder *f)
{
    int rc;

    if (f->spool == NULL) {
        open_spool(f);
        return;
    }

    rc = spool_tick(f->spool, f->now.mono_ms);
    if (rc == -ENOENT) {
        spool_vanished(f);
        return;
    }
    if (rc == 0) {
        rc = spool_clean(f->spool, f->now.mono_ms);
    }
    if (rc != 0) {
        spool_trouble(f, rc);
    }
}

bool
forwarder_spool_ready(const struct forwarder *f)
{
    return f->spool != NULL && f->now.mono_ms >= f->spool_retry_ms;
}

/* --- into the spool ----------------------------------------------------- */

/* The oldest segment is about to go. A flight of it that waits for Kinesis goes
 * with it, and is counted with it, unless some of it was stored: a flight
 * whose events are nowhere else would not survive a restart. */
static void
unboard(struct forwarder *f)
{
    struct flight *flight;
    size_t i;

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        flight = &f->flights[i];
        if (flight->state == FLIGHT_WAITING && flight->from_spool
            && flight_pending(flight) == flight->n_entries)
        {
            spool_rewind(f->spool);
            flight_clear(flight);
        }
    }
}

/* Makes room by giving up the oldest segments. The account knows before a
 * file goes. */
static int
make_room(struct forwarder *f)
{
    uint64_t lost;
    int rc;

    while (spool_over(f->spool)) {
        unboard(f);
        lost = spool_give_way(f->spool);
        if (lost > 0) {
            f->settle.any = true;
            f->settle.unspooled += lost;
            f->settle.gave_way += lost;
            CRASH_POINT("forwarder-gave-way");
            settle_commit(&f->settle, f->zone);
            forwarder_say(f, NOTE_SPOOL_FULL,
                          "the spool %s is full: its %llu oldest events gave "
                          "way and are counted as dropped (spool_full)",
                          f->options.spool.path, (unsigned long long) lost);
        }

        rc = spool_clean(f->spool, f->now.mono_ms);
        if (rc != 0) {
            return rc;
        }
    }

    return 0;
}

/* Writes what was put; then it is a fact that it left the lanes. */
static int
flush(struct forwarder *f)
{
    int rc;

    settle_commit(&f->settle, f->zone);

    rc = make_room(f);
    if (rc == 0) {
        rc = spool_flush(f->spool, f->now.wall_ms);
    }
    if (rc != 0) {
        spool_discard(f->spool);
        settle_clear(&f->moving);
        spool_trouble(f, rc);
        return rc;
    }

    CRASH_POINT("forwarder-spooled");
    settle_commit(&f->moving, f->zone);
    CRASH_POINT("forwarder-moved");
    spool_works(f);

    return 0;
}

static int
put(struct forwarder *f, const struct event *event)
{
    struct spool_item item = {
        .boot = f->zone->header->boot,
        .seq = event->seq,
        .key = event->key,
        .lane = event->lane,
        .len = event->len,
        .bytes = event->bytes
    };
    int rc;

    rc = spool_put(f->spool, &item);
    if (rc == 0) {
        f->moving.spooled++;
        settle_take(&f->moving, event->lane, event->after, 1);
    }

    return rc;
}

/* Moves a waiting flight of lanes into the spool, but for what was stored. On
 * failure what was moved is behind flight->settled and the rest still waits.*/
static int
dissolve(struct forwarder *f, struct flight *flight)
{
    const struct event *event;
    enum flight_fate fate;
    size_t i;
    int rc;

    for (i = flight->settled; i < flight->n_events; i++) {
        event = &flight->events[i];
        fate = flight_fate(flight, i);

        if (fate == FATE_STORED || fate == FATE_REFUSED) {
            f->moving.delivered += fate == FATE_STORED;
            f->moving.refused += fate == FATE_REFUSED;
            settle_take(&f->moving, event->lane, event->after, 1);
            continue;
        }

        rc = put(f, event);
        if (rc == -ENOBUFS) {
            rc = flush(f);
            if (rc != 0) {
                return rc;
            }
            flight->settled = i;
            rc = put(f, event);
        }
        if (rc != 0) {
            return rc;
        }
    }

    rc = flush(f);
    if (rc == 0) {
        forwarder_release(f, flight);
    }

    return rc;
}

static int
dissolve_all(struct forwarder *f)
{
    struct flight *flight;
    size_t i;
    int rc;

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        flight = &f->flights[i];
        if (flight->state == FLIGHT_WAITING && !flight->from_spool) {
            rc = dissolve(f, flight);
            if (rc != 0) {
                return rc;
            }
        }
    }

    return 0;
}

/* Up to where the lane was when this began: a busy producer does not keep us
 * here. */
static int
move_lane(struct forwarder *f, uint32_t lane)
{
    uint64_t head = intake_head(&f->intake, lane);
    struct event event;
    int rc, got = 0;

    while (f->intake.lane[lane].pos < head
           && (got = intake_peek(&f->intake, lane, &event)) == 1)
    {
        rc = put(f, &event);
        if (rc == -ENOBUFS) {
            rc = flush(f);
            if (rc == 0) {
                rc = put(f, &event);
            }
        }
        if (rc != 0) {
            return rc;
        }
        intake_pass(&f->intake, &event);
    }

    if (got < 0) {
        rc = flush(f);
        if (rc != 0) {
            return rc;
        }
        forwarder_skip_lane(f, lane);
    }

    return 0;
}

static void
move_lanes(struct forwarder *f)
{
    uint32_t i;
    int rc = 0;

    f->moved_ms = f->now.mono_ms;

    for (i = 0; i < f->intake.n && rc == 0; i++) {
        if (!f->intake.lane[i].held) {
            rc = move_lane(f, i);
        }
    }
    if (rc == 0) {
        rc = flush(f);
    }

    for (i = 0; i < f->intake.n && rc != 0; i++) {
        if (!f->intake.lane[i].held) {
            intake_rewind(&f->intake, i);
        }
    }
}

/* --- out of the spool --------------------------------------------------- */

void
forwarder_spool_settle(struct forwarder *f, uint64_t events)
{
    uint64_t lost = spool_skipped(f->spool);
    int rc;

    f->settle.any = true;
    f->settle.unspooled += events + lost;
    f->settle.damaged += lost;
    spool_advance(f->spool);
    CRASH_POINT("forwarder-drained");
    settle_commit(&f->settle, f->zone);

    if (lost > 0) {
        forwarder_say(f, NOTE_SPOOL_LOST,
                      "%llu events in the spool %s are unreadable and counted "
                      "as dropped (damaged); files with damage are kept there "
                      "as *.corrupt until their room is needed",
                      (unsigned long long) lost, f->options.spool.path);
    }

    rc = spool_clean(f->spool, f->now.mono_ms);
    if (rc != 0) {
        spool_trouble(f, rc);
    }
}

static void
board_spool(struct forwarder *f)
{
    struct flight *flight = forwarder_free_flight(f);
    struct spool_item item;
    struct event event = { .lane = 0 };
    int rc = 0;

    if (flight == NULL) {
        return;
    }

    while (flight_room(flight, SEGMENT_MAX_RECORD)
           && (rc = spool_next(f->spool, &item)) == 1)
    {
        event.bytes = item.bytes;
        event.len = item.len;
        event.lane = item.lane;
        event.seq = item.seq;
        event.key = item.key;
        flight_add(flight, &event);
    }
    if (rc < 0) {
        spool_trouble(f, rc);
        f->spool_read_retry_ms = f->now.mono_ms + SPOOL_RETRY_MS;
    }

    if (flight->n_events > 0) {
        flight_begin(flight, true, f->now.mono_ms);
    } else if (spool_skipped(f->spool) > 0) {
        forwarder_spool_settle(f, 0);
    }
}

/* Kinesis is there and the last of the spool is on its way: what is in the
 * lanes can wait for it and then go directly. Otherwise a steady stream of
 * events would keep the spool in use for ever. */
static bool
nearly_empty(const struct forwarder *f)
{
    return f->failures == 0 && !f->stopping && f->proven
           && forwarder_flying(f, true) && spool_unread(f->spool) == 0
           && intake_fullness(&f->intake) < LANE_FULL_PERCENT;
}

void
forwarder_spool_turn(struct forwarder *f)
{
    bool soon;

    if (f->spool == NULL) {
        return;
    }

    soon = f->stopping
           || f->now.mono_ms - f->moved_ms >= FORWARDER_LINGER_MS
           || intake_waiting(&f->intake) >= KINESIS_MAX_RECORDS;

    if (forwarder_spool_ready(f) && dissolve_all(f) == 0 && soon
        && !nearly_empty(f) && intake_waiting(&f->intake) > 0)
    {
        move_lanes(f);
    }

    if (!f->stopping && spool_unread(f->spool) > 0
        && f->now.mono_ms >= f->retry_ms
        && f->now.mono_ms >= f->spool_read_retry_ms
        && !forwarder_flying(f, true))
    {
        board_spool(f);
    }
}
