/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "../base/crash.h"
#include "forwarder_state.h"

/* --- how Kinesis is doing ----------------------------------------------- */

static void
went_well(struct forwarder *f)
{
    f->failures = 0;
    f->blocked = false;
    f->proven = true;
    f->refreshed = false;
    f->retry_ms = f->now.mono_ms;
    backoff_reset(&f->backoff);

    f->settle.any = true;
    f->settle.last_success_ms = f->now.wall_ms;
}

/* A call failed as a whole, and the next may do better. */
static void
went_wrong(struct forwarder *f, const char *code, const char *message)
{
    f->settle.any = true;
    f->settle.failures++;
    f->failures++;

    /* Calls that were under way together count as one try. */
    if (f->now.mono_ms >= f->retry_ms) {
        f->retry_ms = f->now.mono_ms
                      + backoff_next(&f->backoff, &f->options.random);
    }

    forwarder_say(f, NOTE_FAILED,
                  "PutRecords failed: %s%s%.200s; it is tried again",
                  code, *code != '\0' && *message != '\0' ? ": " : "",
                  message);
}

/* Nothing gets through until someone mends something. */
static void
is_blocked(struct forwarder *f, const char *code, const char *message,
           const char *advice)
{
    f->settle.any = true;
    f->settle.failures++;
    f->blocked = true;
    f->refreshed = false;
    if (f->failures < FAILURES_AWAY) {
        f->failures = FAILURES_AWAY;
    }
    f->retry_ms = f->now.mono_ms
                  + backoff_between(STOPPED_MIN_MS, STOPPED_MAX_MS,
                                    &f->options.random);

    forwarder_say(f, NOTE_STOPPED,
                  "Kinesis takes nothing for stream \"%s\": %s%s%.200s%s%s",
                  f->options.stream, code,
                  *code != '\0' && *message != '\0' ? ": " : "", message,
                  *advice != '\0' ? " - " : "", advice);
}

/* --- answers ------------------------------------------------------------ */

/* Every record of the flight was stored or refused. */
static void
finish(struct forwarder *f, struct flight *flight)
{
    const struct event *event;
    uint64_t refused = 0;
    size_t i;

    for (i = flight->settled; i < flight->n_events; i++) {
        event = &flight->events[i];
        refused += flight_fate(flight, i) == FATE_REFUSED;
        if (!flight->from_spool) {
            settle_take(&f->settle, event->lane, event->after, 1);
        }
    }

    f->settle.any = true;
    f->settle.refused += refused;
    f->settle.delivered += flight->n_events - flight->settled - refused;

    if (refused > 0) {
        forwarder_say(f, NOTE_REFUSED,
                      "Kinesis refuses %llu events; they are counted as "
                      "dropped (refused)", (unsigned long long) refused);
    }

    CRASH_POINT("forwarder-stored");
    if (flight->from_spool) {
        f->drained += flight->n_events - refused;
        forwarder_spool_settle(f, flight->n_events);
        flight_clear(flight);
    } else {
        forwarder_release(f, flight);
    }
}

/* An answer about the records. */
static void
answered(struct forwarder *f, struct flight *flight,
         const struct kinesis_answer *answer,
         const enum kinesis_class *classes)
{
    struct flight_verdict verdict;

    flight_answer(flight, answer, classes, f->proven, &verdict);

    if (verdict.accepted > 0) {
        went_well(f);
    }
    flight->retry_ms = f->now.mono_ms;

    if (verdict.throttled + verdict.retried > 0) {
        f->settle.any = true;
        f->settle.throttled += verdict.throttled + verdict.retried;
        flight->retry_ms += backoff_next(&flight->backoff,
                                         &f->options.random);
        forwarder_say(f, NOTE_THROTTLED,
                      "%zu records came back to be sent again: %s: %s%s%s",
                      verdict.throttled + verdict.retried, answer->code,
                      answer->message,
                      *kinesis_advice(answer->code) != '\0' ? " - " : "",
                      kinesis_advice(answer->code));
    } else {
        backoff_reset(&flight->backoff);
    }

    if (verdict.stopped || verdict.lonely) {
        is_blocked(f, answer->code, answer->message,
                   kinesis_advice(answer->code));
    }

    if (flight_pending(flight) == 0) {
        finish(f, flight);
    }
}

/* The whole call was throttled: slower, but Kinesis is there. */
static void
throttled(struct forwarder *f, struct flight *flight,
          const struct kinesis_answer *answer)
{
    f->settle.any = true;
    f->settle.throttled += flight->n_sent;
    flight->retry_ms = f->now.mono_ms
                       + backoff_next(&flight->backoff, &f->options.random);

    forwarder_say(f, NOTE_THROTTLED, "PutRecords is throttled: %s: %s",
                  answer->code, answer->message);
}

static void
failed(struct forwarder *f, struct flight *flight,
       const struct kinesis_answer *answer)
{
    const char *advice = kinesis_advice(answer->code);

    flight->state = FLIGHT_WAITING;

    if (answer->unknown) {
        f->settle.duplicates += flight->n_sent;
    }

    switch (answer->class) {

    case KINESIS_THROTTLED:
        throttled(f, flight, answer);
        break;

    case KINESIS_EXPIRED:
    case KINESIS_SKEWED:
        if (!f->refreshed
            && f->link.refresh(f->link.arg, answer->class, f->now.wall_ms)
               == 0)
        {
            f->refreshed = true;
            break;
        }
        is_blocked(f, answer->code, answer->message, advice);
        break;

    case KINESIS_STOPPED:
        is_blocked(f, answer->code, answer->message, advice);
        break;

    default:
        went_wrong(f, answer->code, answer->message);
    }

    flight->n_sent = 0;
}

static void
take_result(struct forwarder *f, const struct forwarder_result *result)
{
    enum kinesis_class classes[KINESIS_MAX_RECORDS];
    struct kinesis_answer answer;
    struct flight *flight;

    if (result->slot >= FORWARDER_FLIGHTS
        || f->flights[result->slot].state != FLIGHT_SENT)
    {
        return;
    }
    flight = &f->flights[result->slot];

    if (result->status == 0) {
        memset(&answer, 0, sizeof(answer));
        answer.class = KINESIS_RETRY;
        answer.unknown = result->unknown;
        strncpy(answer.message, result->error, sizeof(answer.message) - 1);
    } else {
        kinesis_read(result->status, result->body, result->len,
                     flight->n_sent, classes, &answer);
    }

    if (answer.class == KINESIS_ACCEPTED || answer.class == KINESIS_POISON) {
        answered(f, flight, &answer, classes);
    } else {
        failed(f, flight, &answer);
    }
}

void
forwarder_collect(struct forwarder *f)
{
    struct forwarder_result result;

    while (f->link.poll(f->link.arg, &result) == 1) {
        take_result(f, &result);
    }
}

void
forwarder_recall(struct forwarder *f, struct flight *flight)
{
    f->link.cancel(f->link.arg, (unsigned) (flight - f->flights));

    f->settle.any = true;
    f->settle.duplicates += flight->n_sent;
    flight->n_sent = 0;
    flight->state = FLIGHT_WAITING;
}

/* --- calls -------------------------------------------------------------- */

/* Puts as much of a lane into the flight as fits: false when it is full. */
static bool
board_lane(struct forwarder *f, struct flight *flight, uint32_t lane)
{
    struct event event;
    int rc;

    while ((rc = intake_peek(&f->intake, lane, &event)) == 1) {
        if (!flight_add(flight, &event)) {
            return false;
        }
        intake_pass(&f->intake, &event);
        f->intake.lane[lane].held = true;
    }

    /* What was read before the damage comes first. */
    if (rc < 0 && !f->intake.lane[lane].held) {
        forwarder_skip_lane(f, lane);
    }

    return true;
}

static bool
board_flight(struct forwarder *f, struct flight *flight)
{
    uint32_t i, lane, first = f->intake.first;

    for (i = 0; i < f->intake.n; i++) {
        lane = (first + i) % f->intake.n;
        if (f->intake.lane[lane].held) {
            continue;
        }
        if (!board_lane(f, flight, lane)) {
            f->intake.first = (lane + 1) % f->intake.n;
            break;
        }
    }

    if (flight->n_events == 0) {
        return false;
    }
    flight_begin(flight, false, f->now.mono_ms);

    return true;
}

void
forwarder_board(struct forwarder *f)
{
    struct flight *flight;
    uint64_t waiting;

    waiting = intake_waiting(&f->intake);
    if (waiting == 0) {
        f->waiting_since_ms = -1;
        return;
    }
    if (f->waiting_since_ms < 0) {
        f->waiting_since_ms = f->now.mono_ms;
    }

    /* While calls fail, more of them would not help. */
    if (f->now.mono_ms < f->retry_ms) {
        return;
    }

    while (waiting >= KINESIS_MAX_RECORDS || (waiting > 0 && f->stopping)
           || (waiting > 0 && f->now.mono_ms - f->waiting_since_ms
                              >= FORWARDER_LINGER_MS))
    {
        flight = forwarder_free_flight(f);
        if (flight == NULL || !board_flight(f, flight)) {
            return;
        }
        f->waiting_since_ms = f->now.mono_ms;
        waiting = intake_waiting(&f->intake);
    }
}

/* Whether the flight's turn has come. While spooling, lanes wait for what the
 * spool holds, which is older. */
static bool
due(const struct forwarder *f, const struct flight *flight)
{
    return flight->state == FLIGHT_WAITING
           && flight->retry_ms <= f->now.mono_ms
           && f->retry_ms <= f->now.mono_ms
           && (flight->from_spool || !f->spooling || f->spool == NULL
               || spool_count(f->spool) == 0);
}

void
forwarder_launch(struct forwarder *f)
{
    struct flight *flight;
    const char *why = "";
    unsigned i;

    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        flight = &f->flights[i];
        if (!due(f, flight)) {
            continue;
        }

        flight_body(flight, f->options.stream);
        if (f->link.start(f->link.arg, i, flight->body, flight->body_len,
                          f->now.wall_ms, &why) != 0)
        {
            flight->n_sent = 0;
            is_blocked(f, "", why, "");
            continue;
        }
        flight->state = FLIGHT_SENT;
        flight->sent_ms = f->now.mono_ms;
        f->settle.any = true;
        f->settle.requests++;
    }
}
