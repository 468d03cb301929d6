/* SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"

#include <errno.h>
#include <string.h>

#include "../base/jsonw.h"

enum {
    FIXED = 640,                   /* names, numbers and punctuation of meta */
    ESCAPED = 6                    /* a byte of a string as \u00xx */
};

uint32_t
encode_bound(const struct intent_config *config,
             const struct intent_event *event, const struct encode_meta *meta)
{
    const struct model_dataset *dataset;
    uint32_t bound = FIXED + (uint32_t) strlen(meta->host) * ESCAPED;
    int i;

    if (meta->who != NULL) {
        bound += (uint32_t) (meta->who->user_len + meta->who->visitor_len)
                 * ESCAPED;
    }
    if (event == NULL) {
        return bound;
    }

    dataset = &config->datasets[event->dataset];
    bound += (uint32_t) strlen(dataset->timestamp);

    for (i = 0; i < dataset->n_fields; i++) {
        if (event->fields[i].kind == INTENT_NULL) {
            continue;
        }
        /* 4: quotes, colon, comma; 26: the longest number. */
        bound += (uint32_t) strlen(dataset->fields[i].name) + 4;
        bound += event->fields[i].kind == INTENT_STRING
                 ? event->fields[i].len * ESCAPED + 2 : 26;
    }

    return bound;
}

static void
put_hex(char *out, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

/* RFC 9562, 5.7: 48 bits of ms, version 7, 12 random bits, variant 10, 62
 * random bits. */
static void
put_uuid(struct jsonw *w, const struct encode_meta *meta)
{
    unsigned char id[16];
    char text[36];
    int i;

    for (i = 0; i < 6; i++) {
        id[i] = (unsigned char) ((uint64_t) meta->captured_at_ms
                                 >> (40 - 8 * i));
    }
    memcpy(id + 6, meta->random, 10);
    id[6] = (unsigned char) ((id[6] & 0x0f) | 0x70);
    id[8] = (unsigned char) ((id[8] & 0x3f) | 0x80);

    memset(text, '-', sizeof(text));
    put_hex(text, id, 4);
    put_hex(text + 9, id + 4, 2);
    put_hex(text + 14, id + 6, 2);
    put_hex(text + 19, id + 8, 2);
    put_hex(text + 24, id + 10, 6);
    jsonw_string(w, text, sizeof(text));
}

static void
put_boot(struct jsonw *w, uint64_t boot)
{
    unsigned char bytes[8];
    char text[16];
    int i;

    for (i = 0; i < 8; i++) {
        bytes[i] = (unsigned char) (boot >> (56 - 8 * i));
    }
    put_hex(text, bytes, 8);
    jsonw_string(w, text, sizeof(text));
}

static void
put_id(struct jsonw *w, const char *name, const char *id, size_t len)
{
    if (len != 0) {
        jsonw_name(w, name);
        jsonw_string(w, id, len);
    }
}

static void
put_flag(struct jsonw *w, const char *name, bool set)
{
    if (set) {
        jsonw_name(w, name);
        jsonw_bool(w, true);
    }
}

static bool
is_identity(const char *name)
{
    return strcmp(name, "user_id") == 0 || strcmp(name, "visitor_id") == 0;
}

static void
put_fields(struct jsonw *w, const struct model_dataset *dataset,
           const struct intent_event *event)
{
    int i;

    jsonw_name(w, dataset->timestamp);
    jsonw_int(w, event->time_ms);

    for (i = 0; i < dataset->n_fields; i++) {
        if (event->fields[i].kind == INTENT_NULL
            || is_identity(dataset->fields[i].name))
        {
            continue;
        }
        jsonw_name(w, dataset->fields[i].name);
        jsonw_value(w, &event->fields[i]);
    }
}

int
encode_event(const struct intent_config *config,
             const struct intent_event *event, const struct encode_meta *meta,
             char *buf, size_t size)
{
    struct jsonw w;

    jsonw_init(&w, buf, size);
    jsonw_open(&w, '{');

    if (config->n_datasets > 1 && event != NULL) {
        jsonw_name(&w, "dataset");
        jsonw_string(&w, config->datasets[event->dataset].name,
                     strlen(config->datasets[event->dataset].name));
    }
    if (event != NULL) {
        put_fields(&w, &config->datasets[event->dataset], event);
    }

    jsonw_name(&w, "event_id");
    put_uuid(&w, meta);
    if (meta->who != NULL) {
        put_id(&w, "visitor_id", meta->who->visitor, meta->who->visitor_len);
        put_id(&w, "user_id", meta->who->user, meta->who->user_len);
    }
    jsonw_name(&w, "captured_at");
    jsonw_int(&w, meta->captured_at_ms);
    jsonw_name(&w, "host");
    jsonw_string(&w, meta->host, strlen(meta->host));
    jsonw_name(&w, "boot");
    put_boot(&w, meta->boot);
    jsonw_name(&w, "lane");
    jsonw_uint(&w, meta->lane);
    jsonw_name(&w, "seq");
    jsonw_uint(&w, meta->seq);
    put_flag(&w, "late", meta->late);
    put_flag(&w, "future", meta->future);
    put_flag(&w, "bot", meta->bot);
    put_flag(&w, "forget", meta->forget);

    jsonw_close(&w, '}');

    return w.full ? -ENOSPC : (int) w.len;
}
