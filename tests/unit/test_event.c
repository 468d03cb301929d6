/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "../../libagent/signal/event.h"

#include "config_case.h"
#include "oom.h"

#define NOW INT64_C(1773500000000)

static struct intent_config *config;

static int
set(int field, const char *text, struct intent_value *out)
{
    struct intent_value fields[INTENT_MAX_FIELDS];
    struct intent_event event;
    int rc;

    intent_event_init(config, &event, 0, fields, NOW);
    rc = intent_event_set(config, &event, field, text, strlen(text));
    *out = fields[field];

    return rc;
}

/* Fields: u (key), t string, n double, i int, b bool. */
static void
test_set(void)
{
    static const struct {
        int field;
        const char *text;
        int rc;
    } rows[] = {
        { 1, "caf\xc3\xa9", 0 }, { 1, "a\xff", -EINVAL },
        { 2, "30", 0 }, { 2, "-0.5e2", 0 }, { 2, "1e999", -EINVAL },
        { 2, "nan", -EINVAL }, { 2, "inf", -EINVAL }, { 2, "0x10", -EINVAL },
        { 2, "1.5 ", -EINVAL }, { 2, " 1.5", -EINVAL }, { 2, "1,5", -EINVAL },
        { 3, "-7", 0 }, { 3, "7.0", -EINVAL },
        { 3, "9223372036854775808", -EINVAL },
        { 4, "true", 0 }, { 4, "0", 0 }, { 4, "yes", -EINVAL },
        { 1, "", 0 }, { 2, "", 0 }
    };
    char longest[INTENT_MAX_STRING + 2];
    struct intent_value v;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ok(set(rows[i].field, rows[i].text, &v) == rows[i].rc
           && (v.kind == INTENT_NULL) == (rows[i].rc != 0
                                          || rows[i].text[0] == '\0'),
           "set field %d to \"%s\"", rows[i].field, rows[i].text);
    }

    set(2, "-0.5e2", &v);
    is_double(v.as.d, -50.0, 0, "the double's value");
    set(3, "-7", &v);
    is_int(v.as.i, -7, "the int's value");
    set(4, "true", &v);
    ok(v.as.b, "the bool's value");

    memset(longest, 'x', sizeof(longest));
    longest[INTENT_MAX_STRING] = '\0';
    is_int(set(1, longest, &v), 0, "the longest string");
    longest[INTENT_MAX_STRING] = 'x';
    longest[INTENT_MAX_STRING + 1] = '\0';
    is_int(set(1, longest, &v), -E2BIG, "one byte more");
    is_int(v.kind, INTENT_NULL, "leaves the field absent");
}

struct bad_body {
    const char *json;
    int rc;
    int event;                     /* the first bad one; 0: the whole body */
};

static void
test_bad_bodies(void)
{
    static const struct bad_body rows[] = {
        { "", -EINVAL, 0 }, { "nonsense", -EINVAL, 0 },
        { "{'t':'a'", -EINVAL, 0 }, { "{'t':'a'}x", -EINVAL, 0 },
        { "{'t':'a','t':'b'}", -EINVAL, 0 },
        { "{'n':1e999}", -EINVAL, 0 }, { "{'t':'\\u0000'}", -EINVAL, 0 },
        { "{'t':'\xff'}", -EINVAL, 0 },
        { "{'t':'\xed\xa0\x80'}", -EINVAL, 0 },
        { "[[[[[[[[[]]]]]]]]]", -EINVAL, 0 },
        { "7", -EINVAL, 0 }, { "[{},7]", -EINVAL, 2 },
        { "[{},{},{'t':7}]", -EINVAL, 3 }, { "{'n':'7'}", -EINVAL, 1 },
        { "{'i':7.5}", -EINVAL, 1 }, { "{'b':1}", -EINVAL, 1 },
        { "{'timestamp':true}", -EINVAL, 1 },
        { "{'timestamp':'yesterday'}", -EINVAL, 1 },
        { "{'timestamp':1e300}", -EINVAL, 1 },
        { "{'timestamp':99999999999999999}", -EINVAL, 1 },
        { "{'dataset':'X'}", -EINVAL, 1 }, { "{'dataset':1}", -EINVAL, 1 }
    };
    struct intent_batch batch;
    struct intent_error err;
    size_t i, len;
    char *text;
    int rc;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text = config_text("", rows[i].json, "", &len);
        memset(&err, 0, sizeof(err));
        rc = intent_batch_parse(config, text, len, NOW, &batch, &err);
        ok(rc == rows[i].rc && err.line == rows[i].event
           && err.text[0] != '\0' && batch.n == 0 && batch.memory == NULL,
           "refused: %s (%s)", rows[i].json, err.text);
        free(text);
    }
}

static char *
many_events(size_t n, size_t pad, size_t *len)
{
    char *text = malloc(n * (pad + 16) + 16), *at = text;
    size_t i;

    *at++ = '[';
    for (i = 0; i < n; i++) {
        at += sprintf(at, "%s{\"t\":\"%*s\"}", i == 0 ? "" : ",", (int) pad,
                      "");
    }
    *at++ = ']';
    *len = (size_t) (at - text);

    return text;
}

static void
test_bounds(void)
{
    struct intent_batch batch;
    struct intent_error err;
    size_t len;
    char *text;

    text = many_events(INTENT_MAX_BATCH, 1, &len);
    is_int(intent_batch_parse(config, text, len, NOW, &batch, &err), 0,
           "as many events as may be");
    is_int((long long) batch.n, INTENT_MAX_BATCH, "are all there");
    intent_batch_free(&batch);
    free(text);

    text = many_events(INTENT_MAX_BATCH + 1, 1, &len);
    is_int(intent_batch_parse(config, text, len, NOW, &batch, &err),
           -EOVERFLOW, "one more");
    free(text);

    text = many_events(70, 1000, &len);
    is_int(intent_batch_parse(config, text, len, NOW, &batch, &err), -E2BIG,
           "more bytes than may be");
    free(text);

    text = many_events(1, INTENT_MAX_STRING + 1, &len);
    err.line = 0;
    is_int(intent_batch_parse(config, text, len, NOW, &batch, &err), -EINVAL,
           "too long a string");
    is_int(err.line, 1, "names its event");
    free(text);
}

static const char good[] =
    "[{'t':'a','n':1,'i':2,'b':false,'u':'thief','else':[1,{'x':[]}],"
    "'timestamp':1773499999000},"
    "{'timestamp':'2026-03-14T14:53:20.5Z','t':null,'n':1.5},{}]";

static void
test_good_body(void)
{
    struct intent_batch batch;
    struct intent_error err;
    size_t len;
    char *text = config_text("", good, "", &len);
    const struct intent_event *e;

    is_int(intent_batch_parse(config, text, len, NOW, &batch, &err), 0,
           "a body of three events");
    is_int((long long) batch.n, 3, "three");

    e = &batch.events[0];
    is_int(e->time_ms, NOW - 1000, "its own time");
    is_int(e->fields[0].kind, INTENT_NULL, "identity never from the body");
    ok(e->fields[1].len == 1 && e->fields[1].as.s[0] == 'a', "a string");
    is_double(e->fields[2].as.d, 1.0, 0, "an integer for a double");
    is_int(e->fields[3].as.i, 2, "an int");
    ok(e->fields[4].kind == INTENT_BOOL && !e->fields[4].as.b, "a bool");

    is_int(batch.events[1].time_ms, NOW + 500, "an RFC 3339 time");
    is_int(batch.events[1].fields[1].kind, INTENT_NULL, "null is absent");
    is_int(batch.events[2].time_ms, NOW, "no time: now");
    intent_batch_free(&batch);

    is_int(intent_batch_parse(config, "[]", 2, NOW, &batch, &err), 0,
           "no events at all");
    is_int((long long) batch.n, 0, "none");
    intent_batch_free(&batch);
    free(text);
}

static int
parse_line(const char *json, struct intent_line *line,
           struct intent_error *err)
{
    size_t len;
    char *text = config_text("", json, "", &len);
    int rc = intent_line_parse(config, text, len, line, err);

    free(text);

    return rc;
}

static void
test_lines(void)
{
    struct intent_error err;
    struct intent_line line;

    is_int(parse_line("{'u':'k','timestamp':5,'n':2}", &line, &err), 0,
           "an event");
    ok(!line.query && line.event.fields[0].len == 1
       && line.event.fields[0].as.s[0] == 'k' && line.event.time_ms == 5,
       "with its key and time");
    intent_line_free(&line);

    is_int(parse_line("{'featureset':'F','entity_id':'k','timestamp':"
                      "'1970-01-01T00:00:01Z'}", &line, &err), 0, "a query");
    ok(line.query && line.featureset == 0 && line.key_len == 1
       && line.time_ms == 1000, "with its parts");
    intent_line_free(&line);

    is_int(parse_line("{'u':'k'}", &line, &err), -EINVAL, "without a time");
    is_int(parse_line("{'featureset':'G','entity_id':'k','timestamp':1}",
                      &line, &err), -EINVAL, "an unknown featureset");
    is_int(parse_line("{'featureset':'F','entity_id':7,'timestamp':1}",
                      &line, &err), -EINVAL, "a key of the wrong type");
    is_int(parse_line("{'featureset':'F','entity_id':'k'}", &line, &err),
           -EINVAL, "a query without a time");
    is_int(parse_line("[]", &line, &err), -EINVAL, "no object");
}

static void
test_out_of_memory(void)
{
    struct intent_batch batch;
    struct intent_error err;
    size_t len;
    char *text = config_text("", good, "", &len);
    int rc = -1, bad = 0;
    long n;

    for (n = 1; rc != 0 && n < 10000; n++) {
        oom_at(n);
        rc = intent_batch_parse(config, text, len, NOW, &batch, &err);
        oom_at(0);
        bad += rc != 0 && rc != -ENOMEM && rc != -EINVAL;
        if (rc == 0) {
            intent_batch_free(&batch);
        }
    }

    ok(rc == 0 && n > 10, "succeeds once %ld allocations do", n - 1);
    is_int(bad, 0, "and fails cleanly before");
    free(text);
}

int
main(void)
{
    config = good_config(HEAD PIPE FEATURES, "'host':'h'", "}");
    if (config == NULL) {
        return done_testing();
    }

    test_set();
    test_bad_bodies();
    test_bounds();
    test_good_body();
    test_lines();
    if (oom_works()) {
        test_out_of_memory();
    }
    intent_config_free(config);

    return done_testing();
}
