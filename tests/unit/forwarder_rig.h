/* SPDX-License-Identifier: Apache-2.0
 *
 * A zone, a forwarder and a Kinesis that does as it is told, in virtual time.
 * What Kinesis stored is kept in memory that outlives a killed process. Include
 * in one file of a test.
 */
#ifndef INTENT_FORWARDER_RIG_H
#define INTENT_FORWARDER_RIG_H

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../libagent/deliver/forwarder.h"
#include "../../libagent/state/account.h"
#include "../../libagent/state/lane.h"
#include "../../libagent/state/lock.h"
#include "tap.h"

enum { LANES = 3, SEQS = 20000, LANE_SIZE = 256 << 10, SPOOL = 64 << 20 };

/* What a call gets. */
enum fake_mode {
    FAKE_OK,
    FAKE_DOWN,                     /* no connection */
    FAKE_LOST,                     /* stored, the answer lost */
    FAKE_500,
    FAKE_PARTIAL,                  /* two thirds stored */
    FAKE_THROTTLED,                /* the whole call */
    FAKE_MISSING,                  /* ResourceNotFoundException */
    FAKE_INVALID,                  /* ValidationException for any call */
    FAKE_COUNT,                    /* one result too few, all stored */
    FAKE_STALL                     /* no answer; given up after a while */
};

enum { FAKE_STALL_MS = 10000 };

/* Survives the death of the process that wrote it. */
struct ledger {
    unsigned char stored[LANES][SEQS];     /* how often */
    uint64_t last[LANES], disorder;
    uint64_t calls, records;
};

struct fake_call {
    bool busy;
    int64_t due_ms;
    enum fake_mode mode;
    int status;
    char body[KINESIS_MAX_ANSWER];
};

static char root[64], spool_path[128], zone_path[128];
static struct zone zone;
static struct forwarder *forwarder;
static struct ledger *ledger;
static struct forwarder_time now;
static enum fake_mode fake_mode;
static int64_t fake_latency_ms = 20;
static int64_t fake_poison = -1;           /* seq that is never taken */
static int fake_start_rc;
static struct fake_call fake_calls[FORWARDER_FLIGHTS];
static uint64_t captured[LANES];
static unsigned notes[NOTE_COUNT];
static char last_note[512];
static uint64_t spool_size = SPOOL;
static int unbalanced;

/* --- Kinesis ------------------------------------------------------------ */

static int
fake_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";

    return (int) (strchr(digits, c) - digits);
}

static void
fake_decode(const char *s, char *out)
{
    unsigned bits = 0, n = 0;

    for (; *s != '\0' && *s != '='; s++) {
        bits = bits << 6 | (unsigned) fake_digit(*s);
        n += 6;
        if (n >= 8) {
            n -= 8;
            *out++ = (char) (bits >> n & 255);
        }
    }
    *out = '\0';
}

static void
fake_store(unsigned lane, uint64_t seq)
{
    if (ledger->stored[lane][seq] < 255) {
        ledger->stored[lane][seq]++;
    }
    if (ledger->stored[lane][seq] == 1 && seq + 1 < ledger->last[lane]) {
        ledger->disorder++;
    }
    if (seq + 1 > ledger->last[lane]) {
        ledger->last[lane] = seq + 1;
    }
    ledger->records++;
}

static void
fake_error(struct fake_call *call, const char *type)
{
    snprintf(call->body, sizeof(call->body),
             "{\"__type\":\"%s\",\"message\":\"as told\"}", type);
}

/* Stores what the mode stores and writes the answer. */
static void
fake_answer(struct fake_call *call, const json_t *records)
{
    char event[2048], *p = call->body;
    unsigned lane;
    uint64_t seq;
    size_t i;

    p += sprintf(p, "{\"Records\":[");
    for (i = 0; i < json_array_size(records); i++) {
        fake_decode(json_string_value(json_object_get(
                        json_array_get(records, i), "Data")), event);
        if (sscanf(event, "{\"lane\":%u,\"seq\":%" SCNu64, &lane, &seq) != 2) {
            ok(false, "an event that was never captured: %s", event);
            continue;
        }
        if ((int64_t) seq == fake_poison) {
            call->status = 400;
            fake_error(call, "ValidationException");
            return;
        }
        if (call->mode == FAKE_PARTIAL && i % 3 == 1) {
            p += sprintf(p, "{\"ErrorCode\":"
                         "\"ProvisionedThroughputExceededException\"},");
        } else {
            p += sprintf(p, "{\"SequenceNumber\":\"%zu\"},", i);
        }
    }
    strcpy(p - 1, "]}");

    for (i = 0; i < json_array_size(records); i++) {
        fake_decode(json_string_value(json_object_get(
                        json_array_get(records, i), "Data")), event);
        sscanf(event, "{\"lane\":%u,\"seq\":%" SCNu64, &lane, &seq);
        if (call->mode != FAKE_PARTIAL || i % 3 != 1) {
            fake_store(lane, seq);
        }
    }
    if (call->mode == FAKE_COUNT) {
        strcpy(call->body, "{\"Records\":[]}");
    }
}

static int
fake_start(void *arg, unsigned slot, const char *body, size_t len,
           int64_t wall_ms, const char **why)
{
    struct fake_call *call = &fake_calls[slot];
    json_t *root_json;

    (void) arg, (void) wall_ms;
    *why = "as told";
    if (fake_start_rc != 0) {
        return fake_start_rc;
    }

    if (call->busy) {
        ok(false, "a slot is used twice");
    }
    call->busy = true;
    call->mode = fake_mode;
    call->due_ms = now.mono_ms + (fake_mode == FAKE_STALL ? FAKE_STALL_MS
                                                          : fake_latency_ms);
    call->status = 200;
    call->body[0] = '\0';
    ledger->calls++;

    root_json = json_loadb(body, len, 0, NULL);
    if (root_json == NULL) {
        ok(false, "a body that is no JSON");
    }

    switch (fake_mode) {
    case FAKE_DOWN:
    case FAKE_STALL:
        call->status = 0;
        break;
    case FAKE_500:
        call->status = 500;
        fake_error(call, "InternalFailure");
        break;
    case FAKE_THROTTLED:
        call->status = 400;
        fake_error(call, "ProvisionedThroughputExceededException");
        break;
    case FAKE_MISSING:
        call->status = 400;
        fake_error(call, "ResourceNotFoundException");
        break;
    case FAKE_INVALID:
        call->status = 400;
        fake_error(call, "ValidationException");
        break;
    default:
        fake_answer(call, json_object_get(root_json, "Records"));
        if (fake_mode == FAKE_LOST) {
            call->status = 0;
        }
    }
    json_decref(root_json);

    return 0;
}

static int
fake_poll(void *arg, struct forwarder_result *result)
{
    struct fake_call *call;
    unsigned i;

    (void) arg;
    for (i = 0; i < FORWARDER_FLIGHTS; i++) {
        call = &fake_calls[i];
        if (call->busy && call->due_ms <= now.mono_ms) {
            call->busy = false;
            *result = (struct forwarder_result) {
                .slot = i, .status = call->status, .body = call->body,
                .unknown = call->mode == FAKE_LOST || call->mode == FAKE_STALL,
                .len = strlen(call->body), .error = "as told"
            };
            return 1;
        }
    }

    return 0;
}

static void
fake_cancel(void *arg, unsigned slot)
{
    (void) arg;
    fake_calls[slot].busy = false;
}

static int
fake_refresh(void *arg, enum kinesis_class class, int64_t wall_ms)
{
    (void) arg, (void) class, (void) wall_ms;

    return -ENOENT;
}

/* --- the zone ----------------------------------------------------------- */

static void
open_zone(void)
{
    struct zone_params params = {
        .size = 16 << 20, .lanes = LANES, .lane_size = LANE_SIZE
    };
    struct intent_error err;
    int rc;

    rc = zone_open(&zone, zone_path, &params, true, 1, &err);
    if (rc != 0) {
        ok(false, "the zone opens: %s", err.text);
        exit(1);
    }
}

static void
finish(void)
{
    forwarder_free(forwarder, now);
    forwarder = NULL;
}

/* A fresh zone and an empty spool. */
static void
fresh_world(void)
{
    char command[256];

    if (forwarder != NULL) {
        finish();
    }
    if (zone.header != NULL) {
        zone_close(&zone);
    }
    snprintf(command, sizeof(command), "rm -rf %s && mkdir -p %s", root, root);
    if (system(command) != 0) {
        exit(1);
    }
    open_zone();
    memset(ledger, 0, sizeof(*ledger));
    memset(captured, 0, sizeof(captured));
    memset(notes, 0, sizeof(notes));
    memset(fake_calls, 0, sizeof(fake_calls));
    fake_mode = FAKE_OK;
    fake_latency_ms = 20;
    fake_poison = -1;
    fake_start_rc = 0;
    spool_size = SPOOL;
    unbalanced = 0;
    now = (struct forwarder_time) { 1000, 1700000000000 };
}

/* Captures n events in a lane; how many found no room. */
__attribute__((unused))
static uint64_t
capture(uint32_t lane, uint64_t n)
{
    uint64_t seq, full = 0;
    char *room;
    int len;

    while (n-- > 0) {
        room = lane_reserve(&zone, lane, 256, &seq);
        captured[lane] = seq + 1;
        if (room == NULL) {
            full++;
            continue;
        }
        len = sprintf(room, "{\"lane\":%u,\"seq\":%" PRIu64 ",\"x\":\"%.*s\"}",
                      lane, seq, (int) (seq % 100),
                      "0123456789012345678901234567890123456789"
                      "01234567890123456789012345678901234567890123456789"
                      "0123456789");
        lane_commit(&zone, lane, room, (uint32_t) len, seq * 7 + lane);
    }

    return full;
}

/* --- the forwarder ------------------------------------------------------ */

static void
on_note(void *arg, enum forwarder_note note, const char *text)
{
    (void) arg;
    notes[note]++;
    snprintf(last_note, sizeof(last_note), "%s", text);
}

static int
start(bool with_spool)
{
    struct forwarder_options options = {
        .stream = "clicks",
        .spool = {
            .path = with_spool ? spool_path : NULL, .size = spool_size,
            .sync = SPOOL_OFF, .new_id = 4711
        },
        .self = owner_self(),
        .random = 5,
        .note = on_note
    };
    struct forwarder_link link = {
        .start = fake_start, .poll = fake_poll, .cancel = fake_cancel,
        .refresh = fake_refresh
    };

    return forwarder_new(&options, &link, &zone, now, &forwarder);
}

static void
check_balance(void)
{
    struct account_totals t;
    uint64_t sum;
    int i;

    account_read(&zone, &t);
    sum = t.delivered + t.queued + t.spooled;
    for (i = 0; i < DROP_COUNT; i++) {
        sum += t.dropped[i];
    }
    if (sum != t.captured
        || t.spooled != t.rest.spool_end - t.rest.spool_read)
    {
        unbalanced++;
    }
}

/* Turns for so long. */
__attribute__((unused))
static void
run(int64_t ms)
{
    int64_t until = now.mono_ms + ms, wait;

    while (now.mono_ms < until) {
        wait = forwarder_turn(forwarder, now);
        check_balance();
        if (wait < 0) {
            return;
        }
        wait = wait > 10 ? 10 : wait;
        now.mono_ms += wait;
        now.wall_ms += wait;
    }
}

__attribute__((unused))
static struct account_totals
totals(void)
{
    struct account_totals t;

    account_read(&zone, &t);

    return t;
}

/* Events of all lanes stored at least once; *twice: surplus copies. */
__attribute__((unused))
static uint64_t
stored(uint64_t *twice)
{
    uint64_t n = 0, more = 0, seq;
    int lane;

    for (lane = 0; lane < LANES; lane++) {
        for (seq = 0; seq < SEQS; seq++) {
            n += ledger->stored[lane][seq] > 0;
            more += ledger->stored[lane][seq] > 1
                    ? ledger->stored[lane][seq] - 1u : 0;
        }
    }
    if (twice != NULL) {
        *twice = more;
    }

    return n;
}

static bool
begin(void)
{
    snprintf(root, sizeof(root), "/dev/shm/intent-forwarder-XXXXXX");
    if (mkdtemp(root) == NULL) {
        snprintf(root, sizeof(root), "/tmp/intent-forwarder-XXXXXX");
        if (mkdtemp(root) == NULL) {
            return false;
        }
    }
    snprintf(spool_path, sizeof(spool_path), "%s/spool", root);
    snprintf(zone_path, sizeof(zone_path), "%s/zone", root);
    zone.header = NULL;

    ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return ledger != MAP_FAILED;
}

static int
end(void)
{
    char command[128];

    zone_close(&zone);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    if (system(command) != 0) {
        ok(false, "%s", command);
    }

    return done_testing();
}

#endif
