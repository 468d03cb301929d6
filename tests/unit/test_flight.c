/* SPDX-License-Identifier: Apache-2.0
 *
 * A flight over partial failures and poisoned calls, and how its bounds are
 * kept.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "../../libagent/deliver/flight.h"
#include "oom.h"
#include "tap.h"

static struct flight flight;
static enum kinesis_class classes[KINESIS_MAX_RECORDS];
static struct kinesis_answer answer;
static struct flight_verdict verdict;

static void
fill(size_t n)
{
    struct event event = { .bytes = "{\"event\":1}", .len = 11 };
    size_t i;

    flight_clear(&flight);
    for (i = 0; i < n; i++) {
        event.seq = i;
        event.key = i * 0x1111;
        if (!flight_add(&flight, &event)) {
            ok(false, "event %zu fits", i);
        }
    }
    flight_begin(&flight, false, 5);
}

/* One call: entry `bad` spoils it (-1: none). */
static void
call(long bad, bool proven)
{
    size_t i;

    flight_body(&flight, "s");
    flight.state = FLIGHT_SENT;
    memset(&answer, 0, sizeof(answer));
    answer.class = KINESIS_ACCEPTED;
    for (i = 0; i < flight.n_sent; i++) {
        classes[i] = KINESIS_ACCEPTED;
        if (flight.sent[i] == bad) {
            answer.class = KINESIS_POISON;
        }
    }
    flight_answer(&flight, &answer, classes, proven, &verdict);
}

static void
bounds(void)
{
    static char large[65536];
    struct event event = { .bytes = large, .len = sizeof(large) };
    size_t n = 0;

    flight_clear(&flight);
    while (flight_add(&flight, &event)) {
        n++;
    }
    is_int(n, KINESIS_MAX_CALL / (65536 + 16), "large events: by bytes, with "
           "their keys");
    ok(!flight_room(&flight, 65536), "no room for another");
    ok(flight_room(&flight, 1000), "but for a small one");
    flight_begin(&flight, true, 0);
    flight_body(&flight, "s");
    ok(flight.body_len > 4500000, "the body is made");

    flight_clear(&flight);
    event.len = 1;
    for (n = 0; flight_add(&flight, &event); n++) {
        continue;
    }
    is_int(n, KINESIS_MAX_RECORDS, "small events: by number");
}

static void
keys_and_data(void)
{
    fill(3);
    flight_body(&flight, "clicks");
    flight.body[flight.body_len] = '\0';
    is_str(flight.body, "{\"StreamName\":\"clicks\",\"Records\":["
           "{\"Data\":\"eyJldmVudCI6MX0=\","
           "\"PartitionKey\":\"0000000000000000\"},"
           "{\"Data\":\"eyJldmVudCI6MX0=\","
           "\"PartitionKey\":\"0000000000001111\"},"
           "{\"Data\":\"eyJldmVudCI6MX0=\","
           "\"PartitionKey\":\"0000000000002222\"}]}", "a plain body");
}

static void
partial(void)
{
    size_t i;

    fill(10);
    flight_body(&flight, "s");
    memset(&answer, 0, sizeof(answer));
    for (i = 0; i < 10; i++) {
        classes[i] = i % 2 == 0 ? KINESIS_ACCEPTED
                     : i == 1 ? KINESIS_THROTTLED : KINESIS_RETRY;
    }
    flight_answer(&flight, &answer, classes, true, &verdict);
    is_int(verdict.accepted, 5, "five are stored");
    is_int(verdict.throttled, 1, "one is throttled");
    is_int(verdict.retried, 4, "four failed");
    is_int(flight_pending(&flight), 5, "five are sent again");
    flight_body(&flight, "s");
    is_int(flight.n_sent, 5, "and only they");
    ok(flight.sent[0] == 1 && flight.sent[4] == 9, "the right ones");
    ok(flight_fate(&flight, 0) == FATE_STORED
       && flight_fate(&flight, 1) == FATE_PENDING, "fates are by event");

    for (i = 0; i < 5; i++) {
        classes[i] = i == 2 ? KINESIS_POISON
                     : i == 3 ? KINESIS_STOPPED : KINESIS_ACCEPTED;
    }
    flight_answer(&flight, &answer, classes, true, &verdict);
    ok(verdict.stopped, "an entry that stops everything is reported");
    is_int(flight_fate(&flight, 5), FATE_REFUSED, "one is refused");
    is_int(flight_pending(&flight), 1, "one is left");
}

static void
bisection(void)
{
    size_t bad, calls, most = 0, wrong = 0, i;

    for (bad = 0; bad < 500; bad += 7) {
        fill(500);
        for (calls = 0; flight_pending(&flight) > 0 && calls < 100; calls++) {
            call((long) bad, true);
        }
        most = calls > most ? calls : most;
        for (i = 0; i < 500; i++) {
            wrong += flight_fate(&flight, i)
                     != (i == bad ? FATE_REFUSED : FATE_STORED);
        }
    }
    is_int(wrong, 0, "a poisoned record is found wherever it is, alone");
    ok(most <= 24, "in at most %zu calls", most);
}

static void
suspicion(void)
{
    size_t calls;

    fill(1);
    call(0, false);
    ok(verdict.lonely, "refused alone, nothing ever accepted: not believed");
    is_int(flight_pending(&flight), 1, "it stays");
    call(0, true);
    is_int(flight_pending(&flight), 0, "believed once the stream is proven");
    is_int(flight_fate(&flight, 0), FATE_REFUSED, "refused");

    fill(100);
    for (calls = 0; flight_pending(&flight) > 0 && calls < 100; calls++) {
        call(0, false);
    }
    is_int(flight_fate(&flight, 0), FATE_REFUSED,
           "a first one that is poisoned is found by what comes after");
    is_int(flight_fate(&flight, 1), FATE_STORED, "which is stored");

    fill(100);
    verdict.lonely = false;
    for (calls = 0; !verdict.lonely && calls < 100; calls++) {
        flight_body(&flight, "s");
        answer.class = KINESIS_POISON;
        flight_answer(&flight, &answer, classes, false, &verdict);
    }
    ok(verdict.lonely && calls < 30, "when all are refused it is not them");
    is_int(flight_pending(&flight), 100, "all stay");
}

static void
no_memory(void)
{
    struct flight other;
    int n, rc = -ENOMEM, failed = 0;

    if (!oom_works()) {
        ok(true, "# SKIP allocations cannot be made to fail here");
        return;
    }

    for (n = 1; rc != 0 && n < 100; n++) {
        oom_at(n);
        rc = flight_init(&other);
        oom_at(0);
        failed += rc == -ENOMEM;
    }
    ok(rc == 0 && failed == n - 2, "%d allocations failed, as -ENOMEM",
       failed);
    flight_free(&other);
}

int
main(void)
{
    if (flight_init(&flight) != 0) {
        return 1;
    }

    bounds();
    keys_and_data();
    partial();
    bisection();
    suspicion();
    no_memory();

    flight_free(&flight);

    return done_testing();
}
