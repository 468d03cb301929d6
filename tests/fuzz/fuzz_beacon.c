/* SPDX-License-Identifier: Apache-2.0
 *
 * Events from outside: the input as a beacon's body, as a line of an archive
 * and as the text of each kind of field. What is accepted is encoded for the
 * stream, which must stay within its bound and be JSON.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../libagent/deliver/encode.h"
#include "../../libagent/signal/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "{\"zone\":{\"path\":\"z\",\"size\":\"4m\"},\"datasets\":{\"D\":{"
    "\"key\":\"user_id\",\"timestamp\":\"timestamp\",\"fields\":{"
    "\"s\":\"string\",\"d\":\"double\",\"i\":\"int\",\"b\":\"bool\"}}},"
    "\"pipelines\":{\"P\":{\"from\":\"D\",\"group_by\":\"user_id\","
    "\"aggregate\":{\"n\":{\"op\":\"count\",\"window\":\"1h\"}}}},"
    "\"featuresets\":{\"F\":{\"entity\":\"user_id\",\"features\":{"
    "\"n\":{\"ref\":\"P.n\"}}}},\"host\":\"h\"}";

static void
check_encoding(const struct intent_config *config,
               const struct intent_event *event)
{
    struct intent_who who = { "u", 1, "v", 1 };
    struct encode_meta meta = { .who = &who, .host = "h" };
    uint32_t bound = encode_bound(config, event, &meta);
    char *buf = malloc(bound);
    json_t *json;
    int len;

    len = encode_event(config, event, &meta, buf, bound);
    if (len < 0) {
        abort();
    }
    json = json_loadb(buf, (size_t) len, JSON_REJECT_DUPLICATES, NULL);
    if (json == NULL) {
        abort();
    }
    json_decref(json);
    free(buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct intent_config *config;
    struct intent_value fields[INTENT_MAX_FIELDS];
    struct intent_event event;
    struct intent_batch batch;
    struct intent_error err;
    struct intent_line line;
    size_t i;

    if (config == NULL
        && config_parse("c", text, sizeof(text) - 1, &config, &err) != 0)
    {
        abort();
    }

    if (intent_batch_parse(config, (const char *) data, size, 1773500000000,
                           &batch, &err) == 0)
    {
        for (i = 0; i < batch.n; i++) {
            check_encoding(config, &batch.events[i]);
        }
        intent_batch_free(&batch);
    }

    if (intent_line_parse(config, (const char *) data, size, &line, &err) == 0)
    {
        intent_line_free(&line);
    }

    intent_event_init(config, &event, 0, fields, 0);
    for (i = 0; i < 5; i++) {
        intent_event_set(config, &event, (int) i, (const char *) data, size);
    }
    check_encoding(config, &event);

    return 0;
}
