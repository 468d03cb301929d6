/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/compiler.h"
#include "../base/error.h"
#include "../base/timeparse.h"
#include "../base/utf8.h"
#include "expr_num.h"
#include "history.h"

static const struct intent_value null_value = { .kind = INTENT_NULL };

void
intent_event_init(const struct intent_config *config,
                  struct intent_event *event, int dataset,
                  struct intent_value *fields, int64_t time_ms)
{
    int i;

    event->dataset = dataset;
    event->time_ms = time_ms;
    event->fields = fields;

    for (i = 0; i < config->datasets[dataset].n_fields; i++) {
        fields[i] = null_value;
    }
}

static int
parse_bool(const char *text, size_t len, bool *out)
{
    *out = (len == 1 && text[0] == '1')
           || (len == 4 && memcmp(text, "true", 4) == 0);

    return *out || (len == 1 && text[0] == '0')
           || (len == 5 && memcmp(text, "false", 5) == 0) ? 0 : -EINVAL;
}

int
intent_event_set(const struct intent_config *config,
                 struct intent_event *event, int field, const char *text,
                 size_t len)
{
    enum intent_kind kind = config->datasets[event->dataset].fields[field].kind;
    struct intent_value *v = &event->fields[field];
    int rc = 0;

    *v = null_value;
    if (len == 0) {
        return 0;
    }

    switch (kind) {

    case INTENT_STRING:
        if (len > INTENT_MAX_STRING) {
            return -E2BIG;
        }
        /* NUL is refused as it is in JSON: too many readers stop there. */
        rc = utf8_valid(text, len) && memchr(text, '\0', len) == NULL
             ? 0 : -EINVAL;
        v->as.s = text;
        v->len = (uint32_t) len;
        break;

    case INTENT_DOUBLE:
        rc = expr_parse_double(text, len, &v->as.d);
        if (rc == 0 && !isfinite(v->as.d)) {
            rc = -EINVAL;
        }
        break;

    case INTENT_INT:
        rc = expr_parse_int(text, len, &v->as.i);
        break;

    default:
        rc = parse_bool(text, len, &v->as.b);
        break;
    }

    rc = rc == 0 ? 0 : -EINVAL;

    v->kind = rc == 0 ? kind : INTENT_NULL;

    return rc;
}

static const char *
kind_name(enum intent_kind kind)
{
    switch (kind) {
    case INTENT_STRING:
        return "a string";
    case INTENT_DOUBLE:
        return "a number";
    case INTENT_INT:
        return "an integer";
    default:
        return "true or false";
    }
}

static int
set_from_json(const struct model_field *field, const json_t *json,
              struct intent_value *v, struct intent_error *err)
{
    *v = null_value;

    if (json == NULL || json_is_null(json)) {
        return 0;
    }

    if (field->kind == INTENT_STRING && json_is_string(json)) {
        if (json_string_length(json) > INTENT_MAX_STRING) {
            error_set(err, "\"%s\" has %zu bytes, at most %d are taken",
                      field->name, json_string_length(json),
                      INTENT_MAX_STRING);
            return -EINVAL;
        }
        v->as.s = json_string_value(json);
        v->len = (uint32_t) json_string_length(json);

    } else if (field->kind == INTENT_DOUBLE && json_is_number(json)) {
        v->as.d = json_number_value(json);

    } else if (field->kind == INTENT_INT && json_is_integer(json)) {
        v->as.i = json_integer_value(json);

    } else if (field->kind == INTENT_BOOL && json_is_boolean(json)) {
        v->as.b = json_is_true(json);

    } else {
        error_set(err, "\"%s\" must be %s or null", field->name,
                  kind_name(field->kind));
        return -EINVAL;
    }

    v->kind = field->kind;

    return 0;
}

static int
time_from_json(const char *name, const json_t *json, int64_t *ms,
               struct intent_error *err)
{
    if (json_is_integer(json)) {
        *ms = json_integer_value(json);
        if (*ms >= TIME_MIN_MS && *ms <= TIME_MAX_MS) {
            return 0;
        }

    } else if (json_is_real(json)) {
        /* A number is epoch ms whichever way it is written: 1.7e12 too. */
        double d = json_real_value(json);

        if (d >= (double) TIME_MIN_MS && d <= (double) TIME_MAX_MS) {
            *ms = (int64_t) d;
            return 0;
        }

    } else if (json_is_string(json)
               && time_rfc3339(json_string_value(json),
                               json_string_length(json), ms) == 0)
    {
        return 0;
    }

    error_set(err, "\"%s\" must be milliseconds since 1970 or an RFC 3339 "
              "time of the years 0000 to 9999", name);

    return -EINVAL;
}

static int
dataset_from_json(const struct intent_config *config, const json_t *object,
                  struct intent_error *err)
{
    const json_t *json = json_object_get(object, "dataset");
    int dataset;

    if (json != NULL && !json_is_string(json)) {
        error_set(err, "\"dataset\" must be a string");
        return -EINVAL;
    }

    dataset = intent_dataset_find(config,
                                  json == NULL ? "" : json_string_value(json),
                                  json == NULL ? 0 : json_string_length(json));
    if (dataset < 0) {
        error_set(err, json == NULL
                  ? "there are several datasets: say which in \"dataset\""
                  : "there is no such dataset");
        return -EINVAL;
    }

    return dataset;
}

/* Fills an event whose fields[] is there. `key`: take the key field too. */
static int
event_from_json(const struct intent_config *config, const json_t *object,
                bool key, const int64_t *now_ms, struct intent_event *event,
                struct intent_error *err)
{
    const struct model_dataset *dataset;
    struct intent_value *fields = event->fields;
    const json_t *json;
    int i, rc;

    if (!json_is_object(object)) {
        error_set(err, "an event must be a JSON object");
        return -EINVAL;
    }

    i = dataset_from_json(config, object, err);
    if (i < 0) {
        return i;
    }
    dataset = &config->datasets[i];
    intent_event_init(config, event, i, fields, 0);

    json = json_object_get(object, dataset->timestamp);
    if (json == NULL && now_ms != NULL) {
        event->time_ms = *now_ms;
    } else {
        rc = time_from_json(dataset->timestamp, json, &event->time_ms, err);
        if (rc != 0) {
            return rc;
        }
    }

    for (i = 0; i < dataset->n_fields; i++) {
        if (i == dataset->key && !key) {
            continue;
        }
        rc = set_from_json(&dataset->fields[i],
                           json_object_get(object, dataset->fields[i].name),
                           &fields[i], err);
        if (rc != 0) {
            return rc;
        }
    }

    return 0;
}

/* jansson allows 2,048 levels; this bounds them before any is built. Inside
 * strings brackets do not count. */
static bool
too_deep(const char *text, size_t len)
{
    bool string = false;
    int depth = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        if (string) {
            if (text[i] == '\\') {
                i++;
            } else if (text[i] == '"') {
                string = false;
            }
            continue;
        }

        switch (text[i]) {
        case '"':
            string = true;
            break;
        case '{':
        case '[':
            if (++depth > INTENT_MAX_DEPTH) {
                return true;
            }
            break;
        case '}':
        case ']':
            depth--;
            break;
        default:
            break;
        }
    }

    return false;
}

static json_t *
parse_json(const char *text, size_t len, struct intent_error *err)
{
    json_error_t error;
    json_t *root;

    if (too_deep(text, len)) {
        error_set(err, "JSON is nested deeper than %d levels",
                  INTENT_MAX_DEPTH);
        return NULL;
    }

    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        error_set(err, "not valid JSON at byte %d: %s", error.position,
                  error.text);
    }

    return root;
}

/* Events, their fields, and the tree that their strings point into. */
struct batch_memory {
    json_t *root;
    struct intent_event *events;
    struct intent_value *fields;
};

static void
batch_memory_free(struct batch_memory *memory)
{
    if (memory != NULL) {
        json_decref(memory->root);
        free(memory->events);
        free(memory->fields);
        free(memory);
    }
}

static struct batch_memory *
batch_memory_new(json_t *root, size_t n)
{
    struct batch_memory *memory = calloc(1, sizeof(*memory));

    if (memory == NULL) {
        json_decref(root);
        return NULL;
    }

    memory->root = root;
    n = n == 0 ? 1 : n;
    memory->events = calloc(n, sizeof(*memory->events));
    memory->fields = calloc(n * INTENT_MAX_FIELDS, sizeof(*memory->fields));

    if (memory->events == NULL || memory->fields == NULL) {
        batch_memory_free(memory);
        return NULL;
    }

    return memory;
}

int
intent_batch_parse(const struct intent_config *config, const char *body,
                   size_t len, int64_t now_ms, struct intent_batch *out,
                   struct intent_error *err)
{
    struct batch_memory *memory;
    const json_t *json;
    json_t *root;
    size_t n, i;
    int rc;

    memset(out, 0, sizeof(*out));

    if (len > INTENT_MAX_BODY) {
        error_set(err, "the body has more than %d bytes", INTENT_MAX_BODY);
        return -E2BIG;
    }

    root = parse_json(body, len, err);
    if (root == NULL) {
        return -EINVAL;
    }

    n = json_is_array(root) ? json_array_size(root) : 1;
    if (n > INTENT_MAX_BATCH) {
        error_set(err, "%zu events, at most %d are taken at once", n,
                  INTENT_MAX_BATCH);
        json_decref(root);
        return -EOVERFLOW;
    }

    memory = batch_memory_new(root, n);
    if (memory == NULL) {
        return -ENOMEM;
    }

    for (i = 0; i < n; i++) {
        json = json_is_array(root) ? json_array_get(root, i) : root;
        memory->events[i].fields = memory->fields + i * INTENT_MAX_FIELDS;
        rc = event_from_json(config, json, false, &now_ms, &memory->events[i],
                             err);
        if (rc != 0) {
            err->line = (int) i + 1;
            batch_memory_free(memory);
            return rc;
        }
    }

    out->n = n;
    out->events = memory->events;
    out->memory = memory;

    return 0;
}

void
intent_batch_free(struct intent_batch *batch)
{
    batch_memory_free(batch->memory);
    memset(batch, 0, sizeof(*batch));
}

static int
query_from_json(const struct intent_config *config, const json_t *object,
                struct intent_line *out, struct intent_error *err)
{
    const json_t *featureset = json_object_get(object, "featureset");
    const json_t *entity = json_object_get(object, "entity_id");

    if (!json_is_string(featureset) || !json_is_string(entity)) {
        error_set(err, "\"featureset\" and \"entity_id\" must be strings");
        return -EINVAL;
    }

    out->featureset = intent_featureset_find(config,
                                             json_string_value(featureset),
                                             json_string_length(featureset));
    if (out->featureset < 0 || json_string_length(featureset) == 0) {
        error_set(err, "there is no featureset of that name");
        return -EINVAL;
    }

    out->query = true;
    out->key = json_string_value(entity);
    out->key_len = json_string_length(entity);

    return time_from_json("timestamp", json_object_get(object, "timestamp"),
                          &out->time_ms, err);
}

int
intent_line_parse(const struct intent_config *config, const char *line,
                  size_t len, struct intent_line *out,
                  struct intent_error *err)
{
    struct batch_memory *memory;
    json_t *root;
    int rc;

    memset(out, 0, sizeof(*out));

    root = parse_json(line, len, err);
    if (root == NULL) {
        return -EINVAL;
    }

    memory = batch_memory_new(root, 1);
    if (memory == NULL) {
        return -ENOMEM;
    }
    out->memory = memory;
    out->event.fields = memory->fields;

    if (json_object_get(root, "featureset") != NULL
        && json_object_get(root, "entity_id") != NULL)
    {
        rc = query_from_json(config, root, out, err);
    } else {
        rc = event_from_json(config, root, true, NULL, &out->event, err);
        out->time_ms = out->event.time_ms;
    }

    if (rc != 0) {
        intent_line_free(out);
    }

    return rc;
}

void
intent_line_free(struct intent_line *line)
{
    batch_memory_free(line->memory);
    memset(line, 0, sizeof(*line));
}

static void
project_column(const struct intent_value *v, struct history_value *out)
{
    out->present = v->kind != INTENT_NULL;

    switch (v->kind) {
    case INTENT_STRING:
        out->string = v->as.s;
        out->len = v->len;
        break;
    case INTENT_DOUBLE:
        out->number = v->as.d;
        break;
    case INTENT_INT:
        out->number = (double) v->as.i;
        break;
    case INTENT_BOOL:
        out->number = v->as.b ? 1.0 : 0.0;
        break;
    default:
        break;
    }
}

unsigned
event_project(const struct model_table *table,
              const struct intent_value *fields, int64_t time_ms,
              struct history_event *out)
{
    struct expr_scratch scratch;
    struct intent_value holds;
    UNINITIALIZED char memory[1024];
    unsigned errors = 0;
    int i;

    out->time_ms = time_ms;
    out->wheres = 0;

    for (i = 0; i < table->n_columns; i++) {
        project_column(&fields[table->columns[i].field], &out->columns[i]);
    }

    for (i = 0; i < table->n_wheres; i++) {
        scratch = (struct expr_scratch) { memory, sizeof(memory), 0 };
        if (expr_eval(table->wheres[i].expr, fields, &scratch, &holds) != 0) {
            errors++;
        } else if (holds.kind == INTENT_BOOL && holds.as.b) {
            out->wheres |= 1u << i;
        }
    }

    return errors;
}
