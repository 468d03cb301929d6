/* SPDX-License-Identifier: Apache-2.0 */
#include "config_dataset.h"

#include <errno.h>
#include <string.h>

#define SECOND_MS 1000LL
#define DAY_MS 86400000LL

static const char *const kinds[] = { "string", "double", "int", "bool" };
static const enum intent_kind kind_values[] = {
    INTENT_STRING, INTENT_DOUBLE, INTENT_INT, INTENT_BOOL
};

struct config_names
config_fields(const struct model_dataset *dataset)
{
    return (struct config_names) { dataset->fields, sizeof(*dataset->fields),
                                   dataset->n_fields };
}

int
config_string_field(const struct config_node *node,
                    const struct model_dataset *dataset, int *field)
{
    int rc = config_choice(node, "field", config_fields(dataset), field);

    if (rc != 0 || node->json == NULL) {
        return rc;
    }
    if (dataset->fields[*field].kind != INTENT_STRING) {
        return config_fail(node, "the field \"%s\" is no string; expected a "
                           "field of type string",
                           dataset->fields[*field].name);
    }

    return 0;
}

/* Members that the server puts on the stream, or that mean something else in
 * a body or an archive: a field must not hide behind them. The ids may be a
 * dataset's key, which they then are. */
static int
check_field_name(const struct config_node *member,
                 const struct model_dataset *dataset, const char *key)
{
    static const char *const taken[] = {
        "event_id", "captured_at", "host", "boot", "lane", "seq", "late",
        "future", "bot", "dataset", "featureset", "user_id", "visitor_id"
    };
    size_t i;

    if (strcmp(member->key, key) == 0) {
        return 0;
    }
    if (strcmp(member->key, dataset->timestamp) == 0) {
        return config_fail_key(member, "this is the timestamp already; "
                               "expected other fields only: remove it here");
    }
    for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (strcmp(member->key, taken[i]) == 0) {
            return config_fail_key(member, "the server sets \"%s\" itself; "
                                   "expected another name", taken[i]);
        }
    }

    return 0;
}

static int
read_fields(const struct config_node *node, const char *key,
            struct model_dataset *dataset)
{
    struct config_node member;
    struct model_field *field;
    const char *name;
    json_t *value;
    int rc, kind;

    json_object_foreach(node->json, name, value) {
        member = config_member(node, name);
        field = &dataset->fields[dataset->n_fields++];
        if ((rc = config_name(&member, false, &field->name)) != 0
            || (rc = check_field_name(&member, dataset, key)) != 0
            || (rc = config_choice(&member, "type", CONFIG_NAMES(kinds),
                                   &kind)) != 0)
        {
            return rc;
        }
        field->kind = kind_values[kind];
    }

    return 0;
}

/* The key is a field whether or not it is declared as one. */
static int
make_fields(const struct config_node *node, const struct config_node *key,
            struct model_dataset *dataset)
{
    const char *key_name = json_string_value(key->json);
    bool declared = json_object_get(node->json, key_name) != NULL;
    size_t n = json_object_size(node->json) + !declared;

    if (node->json != NULL && !json_is_object(node->json)) {
        return config_expected(node, "an object with a type for each field");
    }
    if (n > INTENT_MAX_FIELDS) {
        return config_fail(node, "found %zu with the key; expected at most %d",
                           n, INTENT_MAX_FIELDS);
    }

    dataset->fields = model_alloc(node->source->config,
                                  n * sizeof(*dataset->fields));
    if (dataset->fields == NULL) {
        return -ENOMEM;
    }
    if (!declared) {
        dataset->fields[0].kind = INTENT_STRING;
        dataset->fields[0].name = config_copy(node->source, key_name,
                                              strlen(key_name));
        dataset->n_fields = 1;
        if (dataset->fields[0].name == NULL) {
            return -ENOMEM;
        }
    }

    return read_fields(node, key_name, dataset);
}

static int
find_field(const struct model_dataset *dataset, const char *name)
{
    int i;

    for (i = dataset->n_fields - 1;
         i >= 0 && strcmp(dataset->fields[i].name, name) != 0; i--)
    {
        /* void */
    }

    return i;
}

static int
read_dataset(const struct config_node *node, struct model_dataset *dataset)
{
    static const char *const keys[] = {
        "key", "timestamp", "max_lateness", "max_future", "fields", NULL
    };
    struct config_node key, timestamp, lateness, future, fields;
    const char *key_name;
    int rc;

    dataset->timestamp = "timestamp";
    dataset->max_lateness_ms = 3600 * SECOND_MS;
    dataset->max_future_ms = 300 * SECOND_MS;

    if ((rc = config_name(node, false, &dataset->name)) != 0
        || (rc = config_object(node, keys)) != 0
        || (rc = config_required(node, "key", "the field that says whose an "
                                 "event is, such as \"user_id\"", &key)) != 0
        || (rc = config_name_value(&key, "a field's name", &key_name)) != 0)
    {
        return rc;
    }

    timestamp = config_member(node, "timestamp");
    lateness = config_member(node, "max_lateness");
    future = config_member(node, "max_future");
    fields = config_member(node, "fields");

    if ((rc = config_name_value(&timestamp, "a member's name",
                                &dataset->timestamp)) != 0
        || (rc = config_duration(&lateness, 0, 366 * DAY_MS,
                                 &dataset->max_lateness_ms)) != 0
        || (rc = config_duration(&future, 0, 366 * DAY_MS,
                                 &dataset->max_future_ms)) != 0
        || (rc = make_fields(&fields, &key, dataset)) != 0)
    {
        return rc;
    }
    if (strcmp(key_name, dataset->timestamp) == 0) {
        return config_fail(&timestamp, "found the key's name; expected "
                           "another member");
    }

    dataset->type = find_field(dataset, "event_type");
    if (dataset->type >= 0
        && dataset->fields[dataset->type].kind != INTENT_STRING)
    {
        dataset->type = -1;
    }

    return config_string_field(&key, dataset, &dataset->key);
}

int
config_datasets(const struct config_node *node)
{
    struct intent_config *config = node->source->config;
    struct config_node member;
    const char *name;
    json_t *value;
    int rc;

    rc = config_named(node, "dataset", MODEL_MAX_DATASETS);
    if (rc != 0) {
        return rc;
    }

    config->datasets = model_alloc(config, json_object_size(node->json)
                                           * sizeof(*config->datasets));
    if (config->datasets == NULL) {
        return -ENOMEM;
    }
    json_object_foreach(node->json, name, value) {
        member = config_member(node, name);
        rc = read_dataset(&member, &config->datasets[config->n_datasets]);
        if (rc != 0) {
            return rc;
        }
        config->n_datasets++;
    }

    return 0;
}
