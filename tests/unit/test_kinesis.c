/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../libagent/deliver/kinesis.h"
#include "oom.h"
#include "tap.h"

/* --- the request -------------------------------------------------------- */

static int
digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);

    return at == NULL || c == '\0' ? -1 : (int) (at - digits);
}

/* A decoder of its own, bit by bit: length or -1. */
static long
unbase64(const char *s, char *out)
{
    size_t len = strlen(s), i;
    unsigned bits = 0, n = 0;
    char *p = out;

    if (len % 4 != 0) {
        return -1;
    }
    for (i = 0; i < len && s[i] != '='; i++) {
        if (digit(s[i]) < 0) {
            return -1;
        }
        bits = bits << 6 | (unsigned) digit(s[i]);
        n += 6;
        if (n >= 8) {
            n -= 8;
            *p++ = (char) (bits >> n & 255);
        }
    }

    return p - out;
}

static void
body_of_all_lengths(void)
{
    static char data[64][64], buf[32768], out[256];
    static struct kinesis_entry entries[64];
    static uint16_t at[64];
    const json_t *records, *record;
    json_t *root;
    size_t i, j;
    long len;
    int good = 0;

    for (i = 0; i < 64; i++) {
        for (j = 0; j < i; j++) {
            data[i][j] = (char) (i * 7 + j * 31);
        }
        entries[i] = (struct kinesis_entry) {
            .data = data[i], .len = (uint32_t) i, .key = "0123456789abcdef"
        };
        at[i] = (uint16_t) (63 - i);
    }

    len = kinesis_body("a-stream", entries, at, 64, buf, sizeof(buf));
    ok(len > 0, "a body of 64 records");
    root = json_loadb(buf, (size_t) len, 0, NULL);
    is_str(json_string_value(json_object_get(root, "StreamName")), "a-stream",
           "the stream's name");
    records = json_object_get(root, "Records");
    is_int(json_array_size(records), 64, "all records");

    for (i = 0; i < 64; i++) {
        record = json_array_get(records, i);
        len = unbase64(json_string_value(json_object_get(record, "Data")),
                       out);
        good += len == 63 - (long) i && memcmp(out, data[63 - i], 63 - i) == 0
                && strcmp(json_string_value(json_object_get(record,
                                                            "PartitionKey")),
                          "0123456789abcdef") == 0;
    }
    is_int(good, 64, "every length is encoded, in the order asked for");
    json_decref(root);
}

static void
body_limits(void)
{
    static char data[KINESIS_MAX_RECORD];
    static struct kinesis_entry entries[KINESIS_MAX_RECORDS];
    static uint16_t at[KINESIS_MAX_RECORDS];
    char *buf = malloc(KINESIS_MAX_BODY), small[256];
    char name[KINESIS_MAX_STREAM + 1];
    size_t i, size = 0;
    long len, again;

    memset(name, 's', KINESIS_MAX_STREAM);
    name[KINESIS_MAX_STREAM] = '\0';

    for (i = 0; i < KINESIS_MAX_RECORDS; i++) {
        entries[i] = (struct kinesis_entry) {
            .data = data, .key = "0123456789abcdef",
            .len = KINESIS_MAX_CALL / KINESIS_MAX_RECORDS - 16
        };
        at[i] = (uint16_t) i;
        size += kinesis_size(entries[i].len, 16);
    }
    ok(size <= KINESIS_MAX_CALL && size + 500 > KINESIS_MAX_CALL,
       "500 records that fill a call: %zu bytes", size);
    len = kinesis_body(name, entries, at, KINESIS_MAX_RECORDS, buf,
                       KINESIS_MAX_BODY);
    ok(len > 0 && len <= KINESIS_MAX_BODY, "its body fits: %ld", len);

    entries[0].len = 10;
    len = kinesis_body("s", entries, at, 1, small, sizeof(small));
    ok(len > 0, "a small one in a small buffer");
    memset(small + len, 0x55, sizeof(small) - (size_t) len);
    for (i = 0, again = len; i < (size_t) len; i++) {
        if (kinesis_body("s", entries, at, 1, small, i) != -ENOSPC) {
            again = -1;
        }
    }
    ok(again == len, "-ENOSPC in any smaller one");
    is_int(small[len], 0x55, "and not a byte beyond");
    free(buf);

    is_int(kinesis_size(100, 16), 116, "the partition key counts");
}

static void
stream_names(void)
{
    char name[KINESIS_MAX_STREAM + 2];

    ok(kinesis_stream_valid("clicks") && kinesis_stream_valid("a.B-c_9"),
       "valid stream names");
    ok(!kinesis_stream_valid("") && !kinesis_stream_valid("a b")
       && !kinesis_stream_valid("a\"b") && !kinesis_stream_valid("\xc3\xa4"),
       "invalid ones");
    memset(name, 'n', sizeof(name));
    name[KINESIS_MAX_STREAM] = '\0';
    ok(kinesis_stream_valid(name), "128 characters");
    name[KINESIS_MAX_STREAM] = 'n';
    name[KINESIS_MAX_STREAM + 1] = '\0';
    ok(!kinesis_stream_valid(name), "129");
}

/* --- the answer --------------------------------------------------------- */

static struct kinesis_answer answer;
static enum kinesis_class classes[KINESIS_MAX_RECORDS];

static enum kinesis_class
read_answer(int status, const char *body, size_t n)
{
    memset(classes, 0x7f, sizeof(classes));
    kinesis_read(status, body, strlen(body), n, classes, &answer);

    return answer.class;
}

static void
accepted(void)
{
    is_int(read_answer(200, "{\"FailedRecordCount\":0,\"Records\":["
                       "{\"SequenceNumber\":\"1\",\"ShardId\":\"s\"},"
                       "{\"SequenceNumber\":\"2\",\"ErrorCode\":null}]}", 2),
           KINESIS_ACCEPTED, "two results for two");
    ok(classes[0] == KINESIS_ACCEPTED && classes[1] == KINESIS_ACCEPTED,
       "both stored");
    is_int(answer.failed, 0, "none failed");

    is_int(read_answer(200, "{\"FailedRecordCount\":3,\"Records\":["
        "{\"SequenceNumber\":\"1\"},"
        "{\"ErrorCode\":\"ProvisionedThroughputExceededException\","
        "\"ErrorMessage\":\"Rate exceeded\\nfor shard\"},"
        "{\"ErrorCode\":\"InternalFailure\"},"
        "{\"ErrorCode\":\"InvalidArgumentException\"}]}", 4),
           KINESIS_ACCEPTED, "a partial failure is an accepted call");
    is_int(classes[0], KINESIS_ACCEPTED, "stored");
    is_int(classes[1], KINESIS_THROTTLED, "throttled");
    is_int(classes[2], KINESIS_RETRY, "failed");
    is_int(classes[3], KINESIS_POISON, "refused");
    is_int(answer.failed, 3, "three failed");
    is_str(answer.code, "ProvisionedThroughputExceededException",
           "the first error's code");
    is_str(answer.message, "Rate exceeded for shard", "its text, printable");

    read_answer(200, "{\"Records\":[{\"ErrorCode\":\"InternalFailure\"},"
                "{\"ErrorCode\":\"KMSDisabledException\"}]}", 2);
    is_str(answer.code, "KMSDisabledException", "the worst one is named");
    is_int(classes[1], KINESIS_STOPPED, "a KMS error stops");
    read_answer(200, "{\"Records\":[{\"ErrorCode\":\"Novel\"}]}", 1);
    is_int(classes[0], KINESIS_RETRY, "an unknown code is tried again");
}

static void
nonsense(void)
{
    static const char *const bodies[] = {
        "", "{", "null", "[]", "{}", "\"x\"", "{\"Records\":{}}",
        "{\"Records\":[]}", "{\"Records\":[{\"SequenceNumber\":\"1\"}]}",
        "{\"Records\":[{\"SequenceNumber\":\"1\"},"
        "{\"SequenceNumber\":\"2\"},{\"SequenceNumber\":\"3\"}]}",
        "{\"Records\":[{\"SequenceNumber\":\"1\"},{}]}",
        "{\"Records\":[{\"SequenceNumber\":\"1\"},null]}",
        "{\"Records\":[{\"SequenceNumber\":\"1\"},"
        "{\"SequenceNumber\":\"\"}]}",
        "{\"Records\":[{\"SequenceNumber\":\"1\"},{\"ErrorCode\":\"\"}]}",
        "{\"Records\":[{\"SequenceNumber\":\"1\"},{\"ErrorCode\":7}]}",
        "{\"Records\":[{\"SequenceNumber\":\"1\"},{\"SequenceNumber\":2}]}",
        "{\"Records\":[{\"SequenceNumber\":\"1\"},"
        "{\"SequenceNumber\":\"2\"}]",
        "<html>It works</html>"
    };
    size_t i;

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        is_int(read_answer(200, bodies[i], 2), KINESIS_RETRY,
               "200 with %s is tried again", bodies[i]);
        ok(answer.unknown, "its outcome is unknown");
    }

    is_int(read_answer(200, "{\"Records\":[{\"SequenceNumber\":\"2\","
                       "\"ErrorCode\":\"InternalFailure\"}]}", 1),
           KINESIS_ACCEPTED, "both number and error:");
    is_int(classes[0], KINESIS_RETRY, "taken as failed");
}

static void
errors(void)
{
    static const struct {
        int status;
        const char *body;
        enum kinesis_class class;
        bool unknown;
    } cases[] = {
        { 400, "{\"__type\":\"ResourceNotFoundException\"}", KINESIS_STOPPED,
          false },
        { 400, "{\"__type\":\"com.amazonaws.kinesis#AccessDeniedException\","
          "\"Message\":\"no\"}", KINESIS_STOPPED, false },
        { 400, "{\"__type\":\"ProvisionedThroughputExceededException\"}",
          KINESIS_THROTTLED, false },
        { 400, "{\"__type\":\"KMSThrottlingException\"}", KINESIS_THROTTLED,
          false },
        { 400, "{\"__type\":\"ValidationException\"}", KINESIS_POISON, false },
        { 400, "{\"__type\":\"InvalidArgumentException\"}", KINESIS_POISON,
          false },
        { 400, "{\"__type\":\"ExpiredTokenException\"}", KINESIS_EXPIRED,
          false },
        { 403, "{\"__type\":\"InvalidSignatureException\",\"message\":"
          "\"The request signature we calculated does not match\"}",
          KINESIS_STOPPED, false },
        { 403, "{\"__type\":\"InvalidSignatureException\",\"message\":"
          "\"Signature expired: 20250101T000000Z is now earlier than\"}",
          KINESIS_SKEWED, false },
        { 403, "{\"__type\":\"InvalidSignatureException\",\"message\":"
          "\"Signature not yet current: 2025\"}", KINESIS_SKEWED, false },
        { 403, "<MissingAuthenticationTokenException/>", KINESIS_STOPPED,
          false },
        { 500, "{\"__type\":\"InternalFailure\"}", KINESIS_RETRY, true },
        { 503, "<html><b>Service Unavailable</b></html>", KINESIS_RETRY,
          true },
        { 502, "", KINESIS_RETRY, true },
        { 408, "", KINESIS_RETRY, false },
        { 413, "", KINESIS_POISON, false },
        { 429, "{}", KINESIS_THROTTLED, false },
        { 404, "{\"__type\":7}", KINESIS_STOPPED, false },
        { 301, "", KINESIS_STOPPED, false },
        { 400, "{\"__type\":\"SomethingNew\"}", KINESIS_STOPPED, false }
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(read_answer(cases[i].status, cases[i].body, 1), cases[i].class,
               "%d %s", cases[i].status, cases[i].body);
        is_int(answer.unknown, cases[i].unknown, "known or not");
    }

    read_answer(400, "{\"__type\":\"a#ResourceNotFoundException\","
                "\"message\":\"Stream x under account 1 not found.\"}", 1);
    is_str(answer.code, "ResourceNotFoundException", "the code, no prefix");
    is_str(answer.message, "Stream x under account 1 not found.", "the text");
    ok(strstr(kinesis_advice(answer.code), "create the stream") != NULL,
       "what to do about it");
    is_str(kinesis_advice("Nothing"), "", "no advice for what is not known");

    read_answer(503, "a\x1b[31mred\r\nline\xff", 1);
    is_str(answer.message, "a [31mred  line ",
           "what the network says cannot take over a terminal");
}

/* --- memory that is not there ------------------------------------------- */

static void
no_memory(void)
{
    static const char body[] = "{\"Records\":[{\"SequenceNumber\":\"1\"},"
                               "{\"ErrorCode\":\"InternalFailure\"}]}";
    int n, wrong = 0, failed = 0;
    bool hit = true;

    if (!oom_works()) {
        ok(true, "# SKIP allocations cannot be made to fail here");
        return;
    }

    for (n = 1; hit && n < 1000; n++) {
        oom_at(n);
        read_answer(200, body, 2);
        hit = oom_hit;
        oom_at(0);
        wrong += answer.class != (hit ? KINESIS_RETRY : KINESIS_ACCEPTED);
        failed += hit;
    }

    ok(!hit && wrong == 0,
       "an answer that cannot be read for want of memory is tried again");
    ok(failed > 3, "%d allocations failed", failed);
}

int
main(void)
{
    body_of_all_lengths();
    body_limits();
    stream_names();
    accepted();
    nonsense();
    errors();
    no_memory();

    return done_testing();
}
