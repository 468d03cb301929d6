/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers and decisions as clients see them.
 */
#include <errno.h>

#include "../../libagent/signal/model.h"
#include "tap.h"

enum { N = 9 };

static struct model_feature features[N] = {
    { .name = "user_id", .kind = MODEL_F_KEY },
    { .name = "event_count_1h", .kind = MODEL_F_REF },
    { .name = "engagement_velocity", .kind = MODEL_F_EXPR },
    { .name = "avg_dwell_sec_7d", .kind = MODEL_F_REF },
    { .name = "is_high_intent", .kind = MODEL_F_EXPR },
    { .name = "is_new", .kind = MODEL_F_EXPR },
    { .name = "Last", .kind = MODEL_F_REF },
    { .name = "_hidden", .kind = MODEL_F_EXPR },
    { .name = "infinite", .kind = MODEL_F_EXPR }
};

static struct model_featureset set = {
    .name = "DiscoverySignals", .entity = "user_id", .n_features = N,
    .features = features
};

static struct intent_config config = { .n_featuresets = 1,
                                       .featuresets = &set };

static struct intent_answer answer;
static char buf[2048];

static struct intent_value
str(const char *s)
{
    return (struct intent_value) { .kind = INTENT_STRING,
                                   .len = (uint32_t) strlen(s), .as.s = s };
}

static void
fill(void)
{
    static struct intent_value items[2];

    items[0] = str("e\"1");
    items[1] = str("e2");
    answer.n = N;
    answer.time_ms = 1773600000000;
    answer.values[0] = str("u1");
    answer.values[1] = (struct intent_value) { .kind = INTENT_INT,
                                               .as.i = 20 };
    answer.values[2] = (struct intent_value) { .kind = INTENT_DOUBLE,
                                               .as.d = 16.0 };
    answer.values[3] = (struct intent_value) { .kind = INTENT_NULL };
    answer.values[4] = (struct intent_value) { .kind = INTENT_BOOL,
                                               .as.b = true };
    answer.values[5] = (struct intent_value) { .kind = INTENT_BOOL };
    answer.values[6] = (struct intent_value) { .kind = INTENT_LIST, .len = 2,
                                               .as.items = items };
    answer.values[7] = (struct intent_value) { .kind = INTENT_INT };
    answer.values[8] = (struct intent_value) { .kind = INTENT_DOUBLE,
                                               .as.d = INFINITY };
}

static const char *
done(int len)
{
    if (len < 0) {
        return strerror(-len);
    }
    buf[len] = '\0';

    return buf;
}

static void
test_json(void)
{
    int len, size;

    len = intent_answer_json(&config, &answer, "u\n1", 3, buf, sizeof(buf));
    is_str(done(len),
           "{\"entity_id\":\"u\\n1\",\"featureset\":\"DiscoverySignals\","
           "\"timestamp\":1773600000000,\"features\":{\"user_id\":\"u1\","
           "\"event_count_1h\":20,\"engagement_velocity\":16.0,"
           "\"avg_dwell_sec_7d\":null,\"is_high_intent\":true,"
           "\"is_new\":false,\"Last\":[\"e\\\"1\",\"e2\"],\"_hidden\":0,"
           "\"infinite\":null},\"approx\":false}",
           "counts are integers, doubles have a point, no value is null");

    for (size = 0; size < len; size++) {
        if (intent_answer_json(&config, &answer, "u\n1", 3, buf,
                               (size_t) size) != -ENOSPC)
        {
            break;
        }
    }
    is_int(size, len, "too little room is said, for every size");

    answer.approx = true;
    len = intent_answer_json(&config, &answer, "u", 1, buf, sizeof(buf));
    ok(strstr(done(len), "\"approx\":true") != NULL, "approx is said");
    answer.approx = false;

    answer.n--;
    is_int(intent_answer_json(&config, &answer, "u", 1, buf, sizeof(buf)),
           -EINVAL, "an answer of another config is refused");
    answer.n++;
    answer.featureset = 1;
    is_int(intent_answer_signals(&config, &answer, buf, sizeof(buf)), -EINVAL,
           "an unknown featureset too");
    answer.featureset = 0;
}

static void
test_signals(void)
{
    int len, size;

    len = intent_answer_signals(&config, &answer, buf, sizeof(buf));
    is_str(done(len), "event_count_1h=20, engagement_velocity=16.0, "
           "is_high_intent, is_new=?0, last=(\"e\\\"1\" \"e2\")",
           "without the key, without null, without what cannot be said");

    for (size = 0; size < len; size++) {
        if (intent_answer_signals(&config, &answer, buf, (size_t) size)
            != -ENOSPC)
        {
            break;
        }
    }
    is_int(size, len, "too little room is said, for every size");

    for (size = 1; size < N; size++) {
        answer.values[size].kind = INTENT_NULL;
    }
    is_int(intent_answer_signals(&config, &answer, buf, sizeof(buf)), 0,
           "nothing to say is nothing");
}

static void
put_item(struct intent_decision *d, const char *id, size_t len)
{
    memcpy(d->items[d->n_items].id, id, len);
    d->items[d->n_items++].len = (uint32_t) len;
}

static void
test_items(void)
{
    static struct intent_decision d;

    is_int(intent_items_header(&d, buf, sizeof(buf)), 0, "no items");

    put_item(&d, "e17", 3);
    put_item(&d, "e4", 2);
    put_item(&d, "e91", 3);
    is_str(done(intent_items_header(&d, buf, sizeof(buf))),
           "\"e17\", \"e4\", \"e91\"", "a list of strings");
    is_int(intent_items_header(&d, buf, 17), -ENOSPC, "without room");
    is_int(intent_items_header(&d, buf, 18), 18, "with room");

    d.n_items = 0;
    put_item(&d, "\xff", 1);
    put_item(&d, "a\r\nX: y", 7);
    put_item(&d, "\"", 1);
    is_str(done(intent_items_header(&d, buf, sizeof(buf))),
           "%\"a%0d%0aX: y\", \"\\\"\"",
           "nothing of an id breaks out of its string");
}

int
main(void)
{
    fill();
    test_json();
    test_signals();
    test_items();

    return done_testing();
}
