/* SPDX-License-Identifier: Apache-2.0
 *
 * The forwarder against a Kinesis that works, fails, throttles, refuses,
 * stalls and comes back, in virtual time. The account is checked after every
 * turn.
 */
#define _GNU_SOURCE
#include <sys/wait.h>

#include "forwarder_rig.h"
#include "oom.h"

/* All that was captured is stored once and the account knows. */
static void
all_stored(const char *what, uint64_t n)
{
    struct account_totals t = totals();
    uint64_t twice;

    is_int(stored(&twice), n, "%s: all are stored", what);
    is_int(twice, 0, "%s: none twice", what);
    is_int(t.delivered, n, "%s: counted as delivered", what);
    is_int(t.queued + t.spooled, 0, "%s: nothing is left", what);
    is_int(unbalanced, 0, "%s: the account balanced after every turn", what);
}

/* And in order. */
static void
all_delivered(const char *what, uint64_t n)
{
    all_stored(what, n);
    is_int(ledger->disorder, 0, "%s: in the lanes' order", what);
}

static void
directly(void)
{
    struct account_totals t;

    fresh_world();
    is_int(start(true), 0, "starts");
    run(300);
    is_int(ledger->calls, 0, "without events no call");

    capture(0, 10);
    capture(1, 20);
    run(50);
    is_int(ledger->calls, 0, "a few events wait for company");
    run(200);
    is_int(ledger->calls, 1, "then one call for all lanes");
    all_delivered("directly", 30);

    capture(2, 700);
    run(300);
    all_delivered("many", 730);
    ok(ledger->calls <= 4, "in full calls: %" PRIu64, ledger->calls);

    t = totals();
    is_int(t.rest.requests, ledger->calls, "calls are counted");
    is_int(t.rest.failures, 0, "none failed");
    ok(t.rest.last_success_ms > 1700000000000, "the last success is dated");
    ok(!forwarder_spooling(forwarder), "the spool was not needed");
    ok(zone.header->forwarder_beat_ms > 1700000000000, "its heart beats");
    finish();
    is_int(zone.header->forwarder.word, 0, "the zone is given back");
}

static void
only_the_failed(void)
{
    struct account_totals t;

    fresh_world();
    start(true);
    fake_mode = FAKE_PARTIAL;
    capture(0, 90);
    run(150);
    fake_mode = FAKE_OK;
    run(3000);
    all_stored("partial failure", 90);
    t = totals();
    ok(t.rest.throttled >= 30, "what came back is counted: %" PRIu64,
       t.rest.throttled);
    ok(notes[NOTE_THROTTLED] > 0, "and said");
    finish();
}

static void
away_and_back(void)
{
    struct account_totals t;

    fresh_world();
    start(true);
    fake_mode = FAKE_DOWN;
    capture(0, 300);
    run(5000);
    t = totals();
    ok(forwarder_spooling(forwarder), "Kinesis is away: the spool is used");
    is_int(notes[NOTE_AWAY], 1, "it is said once");
    is_int(t.spooled, 300, "all are in the spool");
    is_int(t.queued, 0, "none is left in the zone");

    capture(1, 1500);
    run(60000);
    is_int(totals().spooled, 1800, "more follow");
    ok(ledger->calls < 60, "few calls meanwhile: %" PRIu64, ledger->calls);

    fake_mode = FAKE_OK;
    run(32000);
    all_delivered("after an outage", 1800);
    ok(!forwarder_spooling(forwarder), "directly again");
    is_int(notes[NOTE_BACK], 1, "which is said once");
    finish();
}

/* Events never stop while the spool is emptied. */
static void
back_under_load(void)
{
    uint64_t n = 0;
    int i;

    fresh_world();
    start(true);
    fake_mode = FAKE_500;
    for (i = 0; i < 300; i++) {
        capture((uint32_t) i % LANES, 40);
        n += 40;
        run(100);
        fake_mode = i < 100 ? FAKE_500 : FAKE_OK;
    }
    ok(!forwarder_spooling(forwarder), "directly again under load");
    run(1000);
    all_delivered("under load", n);
    finish();
}

static void
answer_lost(void)
{
    struct account_totals t;
    uint64_t twice;

    fresh_world();
    start(true);
    fake_mode = FAKE_LOST;
    capture(0, 100);
    run(110);
    fake_mode = FAKE_OK;
    run(2000);
    t = totals();
    is_int(stored(&twice), 100, "the answer is lost: all are stored");
    is_int(twice, 100, "the batch in flight twice");
    is_int(t.delivered, 100, "counted once");
    is_int(t.rest.duplicates, 100, "and as possible duplicates");

    fake_mode = FAKE_COUNT;
    capture(0, 10);
    run(110);
    fake_mode = FAKE_OK;
    run(2000);
    is_int(totals().delivered, 110, "a wrong number of results is no success");
    is_int(totals().rest.duplicates, 110, "nor a failure that is known");
    is_int(unbalanced, 0, "balanced");
    finish();
}

static void
blocked(void)
{
    uint64_t calls;

    fresh_world();
    start(true);
    fake_mode = FAKE_MISSING;
    capture(0, 50);
    run(1000);
    is_int(notes[NOTE_STOPPED], 1, "a missing stream is said");
    ok(strstr(last_note, "spool") != NULL, "the events go to the spool");
    is_int(totals().spooled, 50, "all of them");
    calls = ledger->calls;
    run(60000);
    ok(ledger->calls - calls <= 13, "it is asked for rarely: %" PRIu64
       " calls a minute", ledger->calls - calls);
    fake_mode = FAKE_OK;
    run(12000);
    all_delivered("once the stream is there", 50);

    fresh_world();
    start(true);
    fake_start_rc = -ENOENT;
    capture(0, 50);
    run(2000);
    is_int(totals().spooled, 50, "without credentials: spooled");
    is_int(notes[NOTE_STOPPED], 1, "and said");
    fake_start_rc = 0;
    run(12000);
    all_delivered("with credentials", 50);
    finish();
}

static void
poison(void)
{
    struct account_totals t;
    uint64_t calls;

    fresh_world();
    start(true);
    capture(0, 10);
    run(300);
    fake_poison = 200;
    calls = ledger->calls;
    capture(0, 500);
    run(3000);
    t = totals();
    is_int(stored(NULL), 509, "a poisoned record: the others are stored");
    is_int(t.dropped[DROP_REFUSED], 1, "it alone is dropped and counted");
    is_int(t.queued + t.spooled, 0, "nothing waits");
    ok(ledger->calls - calls <= 24, "found in %" PRIu64 " calls",
       ledger->calls - calls);
    ok(notes[NOTE_REFUSED] == 1, "and said");
    finish();

    fresh_world();
    start(true);
    fake_poison = 0;
    capture(0, 100);
    run(30000);
    is_int(stored(NULL), 99, "the very first record poisoned: found too");
    is_int(totals().dropped[DROP_REFUSED], 1, "and only it is dropped");
    finish();

    fresh_world();
    start(true);
    fake_mode = FAKE_INVALID;
    capture(0, 100);
    run(60000);
    is_int(totals().dropped[DROP_REFUSED], 0,
           "a stream that refuses everything: nothing is dropped");
    is_int(totals().spooled, 100, "it is spooled");
    fake_mode = FAKE_OK;
    run(12000);
    all_delivered("once it is mended", 100);
    is_int(unbalanced, 0, "balanced");
    finish();
}

static void
throttled_whole(void)
{
    uint64_t calls;

    fresh_world();
    start(true);
    fake_mode = FAKE_THROTTLED;
    capture(0, 100);
    run(20000);
    calls = ledger->calls;
    ok(calls > 4 && calls < 40, "throttled calls slow down: %" PRIu64
       " in 20 s", calls);
    fake_mode = FAKE_OK;
    run(32000);
    all_delivered("after throttling", 100);
    finish();
}

static void
stalls(void)
{
    fresh_world();
    start(true);
    fake_mode = FAKE_STALL;
    capture(0, 1000);
    run(3000);
    is_int(totals().queued, 1000, "a call without answer: its events wait");
    capture(0, 600);
    run(3000);
    is_int(totals().spooled, 1600, "until the lane is half full");
    fake_mode = FAKE_OK;
    run(45000);
    is_int(totals().delivered, 1600, "then they take the way over the spool");
    is_int(unbalanced, 0, "balanced");
    finish();
}

static void
no_spool(void)
{
    uint64_t full;

    fresh_world();
    start(false);
    fake_mode = FAKE_DOWN;
    full = capture(0, 10000);
    ok(full > 0, "without a spool a lane fills: %" PRIu64 " dropped", full);
    run(120000);
    is_int(totals().queued, 10000 - full, "the others wait");
    ok(ledger->calls < 60, "few calls meanwhile");
    ok(notes[NOTE_LANES_FULL] > 0, "it is said");
    fake_mode = FAKE_OK;
    run(35000);
    all_delivered("without a spool", 10000 - full);
    is_int(totals().dropped[DROP_LANE_FULL], full, "drops are counted");
    finish();
}

static void
spool_fills(void)
{
    struct account_totals t;
    int i;

    fresh_world();
    spool_size = 1 << 20;
    start(true);
    fake_mode = FAKE_DOWN;
    for (i = 0; i < 100; i++) {
        capture((uint32_t) i % LANES, 150);
        run(200);
    }
    t = totals();
    ok(t.dropped[DROP_SPOOL_FULL] > 5000, "a small spool overflows: %" PRIu64
       " gave way", t.dropped[DROP_SPOOL_FULL]);
    ok(notes[NOTE_SPOOL_FULL] > 0, "it is said");
    is_int(t.spooled, 15000 - t.dropped[DROP_SPOOL_FULL], "the rest is there");
    fake_mode = FAKE_OK;
    run(60000);
    is_int(stored(NULL), 15000 - t.dropped[DROP_SPOOL_FULL],
           "and is delivered");
    is_int(ledger->last[2], captured[2], "to the newest");
    is_int(ledger->disorder, 0, "in order");
    is_int(unbalanced, 0, "balanced");
    finish();
}

static void
spool_breaks(void)
{
    char aside[160];

    fresh_world();
    if (mkdir(spool_path, 0700) != 0 || rmdir(spool_path) != 0) {
        return;
    }
    fclose(fopen(spool_path, "w"));
    is_int(start(true), 0, "a spool that cannot be opened: it starts");
    ok(notes[NOTE_SPOOL_FAILED] == 1, "and says so");
    capture(0, 100);
    run(1000);
    all_delivered("without its spool", 100);

    fake_mode = FAKE_DOWN;
    capture(0, 100);
    run(10000);
    is_int(totals().queued, 100, "in an outage the lanes hold the events");
    unlink(spool_path);
    run(3000);
    is_int(totals().spooled, 100, "until the spool can be opened");
    is_int(notes[NOTE_SPOOL_WORKS], 1, "which is said");

    snprintf(aside, sizeof(aside), "%s.aside", spool_path);
    rename(spool_path, aside);
    run(3000);
    is_int(totals().spooled, 0, "a spool that vanishes takes its events along");
    is_int(totals().dropped[DROP_DAMAGED], 100, "they are counted as dropped");
    ok(notes[NOTE_SPOOL_LOST] == 1, "and said");
    capture(0, 50);
    run(1000);
    is_int(totals().spooled, 50, "a new one is in use");
    fake_mode = FAKE_OK;
    run(32000);
    is_int(totals().delivered, 150, "and drained");
    is_int(unbalanced, 0, "balanced");
    finish();
}

static void
one_per_zone(void)
{
    struct forwarder *other = NULL;
    int status = 0;
    pid_t pid;

    fresh_world();
    start(true);
    pid = fork();
    if (pid == 0) {
        other = forwarder;
        _exit(start(true) == -EBUSY ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    (void) other;
    is_int(status, 0, "a second process does not get the zone");
    finish();
}

static void
stops(void)
{
    fresh_world();
    start(true);
    capture(0, 20);
    forwarder_stop(forwarder, now.mono_ms + 5000);
    run(100);
    ok(forwarder_stopped(forwarder), "a stop does not wait for company");
    all_delivered("at a stop", 20);
    finish();

    fresh_world();
    start(true);
    fake_mode = FAKE_DOWN;
    capture(0, 20);
    run(150);
    forwarder_stop(forwarder, now.mono_ms + 5000);
    run(1000);
    ok(forwarder_stopped(forwarder), "without Kinesis it stops soon");
    is_int(totals().spooled, 20, "with all in the spool");
    finish();

    now.mono_ms += 1000000;
    fake_mode = FAKE_OK;
    is_int(start(true), 0, "the next one starts");
    run(3000);
    all_delivered("by the next one", 20);
    finish();

    fresh_world();
    start(true);
    fake_mode = FAKE_STALL;
    capture(0, 20);
    run(200);
    forwarder_stop(forwarder, now.mono_ms + 5000);
    run(4000);
    ok(!forwarder_stopped(forwarder), "a call under way is waited for");
    run(1500);
    ok(forwarder_stopped(forwarder), "until the deadline");
    is_int(totals().spooled, 20, "then its events are spooled");
    is_int(unbalanced, 0, "balanced");
    finish();
}

/* A zone that is made anew finds events of the old one in the spool. */
static void
inherits(void)
{
    struct account_totals t;

    fresh_world();
    start(true);
    fake_mode = FAKE_DOWN;
    capture(0, 100);
    run(3000);
    is_int(totals().spooled, 100, "100 are spooled");
    finish();

    zone_close(&zone);
    unlink(zone_path);
    open_zone();
    start(true);
    t = totals();
    is_int(t.spooled, 100, "a new zone knows of them");
    is_int(t.captured, 100, "as captured");
    is_int(t.rest.inherited, 100, "and inherited");
    is_int(notes[NOTE_INHERITED], 1, "which is said");
    fake_mode = FAKE_OK;
    run(3000);
    all_delivered("by the new zone's", 100);
    finish();
}

static void
lane_damaged(void)
{
    struct account_totals t;
    char *ring;

    fresh_world();
    start(true);
    capture(1, 10);
    run(500);
    capture(0, 30);
    ring = (char *) zone.header + zone.header->rings_at;
    ring[sizeof(struct lane_record) + 5] ^= 1;
    run(1000);
    t = totals();
    is_int(t.dropped[DROP_DAMAGED], 30, "a damaged lane: its events are "
           "counted as dropped");
    is_int(t.queued, 0, "and passed over");
    capture(0, 20);
    run(1000);
    is_int(totals().delivered, 30, "what comes after is delivered");
    is_int(unbalanced, 0, "balanced");
    finish();
}

static void
zone_cut(void)
{
    fresh_world();
    start(true);
    if (truncate(zone_path, 4096) != 0) {
        return;
    }
    is_int(forwarder_turn(forwarder, now), -EIO, "a zone that was cut short "
           "is noticed");
    finish();
    ok(true, "and can be freed");
}

static void
dead_workers(void)
{
    pid_t pid;
    int status;

    fresh_world();
    start(true);
    pid = fork();
    if (pid == 0) {
        zone.self = owner_self();
        _exit(lane_claim(&zone, zone.self) == 0 ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    is_int(status, 0, "a worker takes a lane and dies");
    ok(zone_lane(&zone, 0)->owner.word != 0, "the lane is its");
    run(1500);
    is_int(zone_lane(&zone, 0)->owner.word, 0, "its lane is freed");
    finish();
}

/* The spool is no reason not to start: without memory for it, it is tried
 * again. */
static void
no_memory(void)
{
    int n, rc = -ENOMEM, failed = 0;

    if (!oom_works()) {
        ok(true, "# SKIP allocations cannot be made to fail here");
        return;
    }

    fresh_world();
    for (n = 1; rc == -ENOMEM && n < 1000; n++) {
        oom_at(n);
        rc = start(true);
        oom_at(0);
        failed += rc == -ENOMEM;
    }
    ok(rc == 0 && failed > 20, "%d allocations failed, as -ENOMEM", failed);
    is_int(notes[NOTE_SPOOL_FAILED], 1, "then it starts, without its spool");
    run(2000);
    is_int(notes[NOTE_SPOOL_WORKS], 1, "which works a second later");
    capture(0, 10);
    run(1000);
    all_delivered("after all", 10);
    finish();
}

int
main(void)
{
    if (!begin()) {
        return 1;
    }

    directly();
    only_the_failed();
    away_and_back();
    back_under_load();
    answer_lost();
    blocked();
    poison();
    throttled_whole();
    stalls();
    no_spool();
    spool_fills();
    spool_breaks();
    one_per_zone();
    stops();
    inherits();
    lane_damaged();
    zone_cut();
    dead_workers();
    no_memory();

    return end();
}
