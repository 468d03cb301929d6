/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/deliver/encode.h"

#include <jansson.h>

#include "config_case.h"

static struct intent_config *config;
static struct intent_value fields[INTENT_MAX_FIELDS];
static struct intent_event event;
static struct intent_who who = { "u1", 2, "v1", 2 };
static struct encode_meta meta = {
    .who = &who, .host = "edge-1", .boot = 0xabcdef, .lane = 3, .seq = 17,
    .captured_at_ms = INT64_C(1773500000123),
    .random = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }
};

static json_t *
encoded(const struct intent_event *e)
{
    static char buf[200000];
    json_error_t error;
    uint32_t bound = encode_bound(config, e, &meta);
    int len = encode_event(config, e, &meta, buf, sizeof(buf));
    json_t *json;

    ok(len > 0 && (uint32_t) len <= bound, "%d bytes within %u", len, bound);
    json = json_loadb(buf, (size_t) len, JSON_REJECT_DUPLICATES, &error);
    ok(json != NULL, "valid JSON");

    return json;
}

static const char *
text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text == NULL ? "(none)" : text;
}

static void
test_event(void)
{
    json_t *json;

    intent_event_set(config, &event, 1, "a\"\\\n\xc3\xa9", 6);
    intent_event_set(config, &event, 2, "30.5", 4);
    intent_event_set(config, &event, 4, "true", 4);
    json = encoded(&event);

    is_str(text_of(json, "t"), "a\"\\\n\xc3\xa9", "a string survives");
    is_double(json_real_value(json_object_get(json, "n")), 30.5, 0, "double");
    ok(json_object_get(json, "i") == NULL, "an absent field is absent");
    ok(json_is_true(json_object_get(json, "b")), "bool");
    is_int(json_integer_value(json_object_get(json, "timestamp")), 1000,
           "the event's time");
    is_str(text_of(json, "event_id"), "019cecd6-677b-7fff-bfff-ffffffffffff",
           "a UUIDv7 of the time of capture");
    is_str(text_of(json, "visitor_id"), "v1", "visitor");
    is_str(text_of(json, "user_id"), "u1", "user");
    is_str(text_of(json, "host"), "edge-1", "host");
    is_str(text_of(json, "boot"), "0000000000abcdef", "boot");
    is_int(json_integer_value(json_object_get(json, "lane")), 3, "lane");
    is_int(json_integer_value(json_object_get(json, "seq")), 17, "seq");
    ok(json_object_get(json, "late") == NULL, "no flag");
    json_decref(json);

    meta.late = true;
    json = encoded(&event);
    ok(json_is_true(json_object_get(json, "late")), "late");
    json_decref(json);
    meta.late = false;
}

static void
test_tombstone(void)
{
    json_t *json;

    meta.forget = true;
    json = encoded(NULL);
    ok(json_is_true(json_object_get(json, "forget")), "a tombstone");
    is_str(text_of(json, "user_id"), "u1", "of a user");
    json_decref(json);
    meta.forget = false;
}

/* The worst that fields can do: everything escaped at its longest. */
static void
test_bound(void)
{
    char worst[INTENT_MAX_STRING], buf[256];
    json_t *json;
    int i, len, bad = 0;

    memset(worst, 1, sizeof(worst));
    intent_event_set(config, &event, 1, worst, sizeof(worst));
    intent_event_set(config, &event, 2, "-1.7976931348623157e308", 23);
    intent_event_set(config, &event, 3, "-9223372036854775808", 20);
    json = encoded(&event);
    json_decref(json);

    for (i = 0; i < (int) sizeof(buf); i++) {
        len = encode_event(config, &event, &meta, buf, (size_t) i);
        bad += len != -ENOSPC;
    }
    is_int(bad, 0, "too small a buffer is said and not overrun");
}

int
main(void)
{
    config = good_config(HEAD PIPE FEATURES, "'host':'h'", "}");
    intent_event_init(config, &event, 0, fields, 1000);

    test_event();
    test_tombstone();
    test_bound();
    intent_config_free(config);

    return done_testing();
}
