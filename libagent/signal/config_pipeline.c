/* SPDX-License-Identifier: Apache-2.0 */
#include "config_pipeline.h"

#include <errno.h>

#include "config_dataset.h"
#include "config_expr.h"

#define SECOND_MS 1000LL
#define DAY_MS 86400000LL

enum {
    MIN_EVENTS = 16,
    MAX_EVENTS = 4096,
    DEFAULT_EVENTS = 512
};

static const char *const ops[] = {
    [MODEL_COUNT] = "count", [MODEL_SUM] = "sum", [MODEL_AVG] = "avg",
    [MODEL_MIN] = "min", [MODEL_MAX] = "max", [MODEL_LAST] = "last",
    [MODEL_LAST_K] = "last_k"
};

/* The field that the operation is about. */
static int
read_of(const struct config_node *node, const struct model_dataset *dataset,
        struct model_aggregate *a)
{
    struct config_node of = config_member(node, "of");
    enum intent_kind kind;
    int rc;

    a->of = -1;
    if (a->op == MODEL_COUNT) {
        return of.json == NULL ? 0
               : config_fail_key(&of, "found in a count, which counts events; "
                                 "expected it to be left out");
    }

    rc = config_required(node, "of", "a field", &of);
    if (rc == 0) {
        rc = config_choice(&of, "field", config_fields(dataset), &a->of);
    }
    if (rc != 0) {
        return rc;
    }

    kind = dataset->fields[a->of].kind;
    if (kind == INTENT_DOUBLE || kind == INTENT_INT
        || (kind == INTENT_STRING && a->op >= MODEL_LAST))
    {
        return 0;
    }

    return config_fail(&of, "the field \"%s\" is of type %s, which %s does "
                       "not take; expected double%s", dataset->fields[a->of]
                       .name, kind == INTENT_STRING ? "string" : "bool",
                       ops[a->op], a->op >= MODEL_LAST ? ", int or string"
                       : " or int");
}

static int
read_k(const struct config_node *node, struct model_aggregate *a)
{
    struct config_node k = config_member(node, "k");
    int rc;

    if (a->op != MODEL_LAST_K) {
        return k.json == NULL ? 0
               : config_fail_key(&k, "found with %s; expected it with last_k "
                                 "only", ops[a->op]);
    }
    rc = config_required(node, "k", "how many values to keep, such as 10",
                         &k);

    return rc != 0 ? rc : config_int(&k, 1, MODEL_MAX_K, &a->k);
}

static int
read_where(const struct config_node *node, const struct model_dataset *dataset,
           struct model_aggregate *a)
{
    struct config_node where = config_member(node, "where");
    struct expr_var vars[INTENT_MAX_FIELDS];
    int rc, i;

    if (where.json == NULL) {
        return 0;
    }

    for (i = 0; i < dataset->n_fields; i++) {
        vars[i].name = dataset->fields[i].name;
        vars[i].types = EXPR_T_NULL | 1u << dataset->fields[i].kind;
    }
    rc = config_condition(&where, vars, dataset->n_fields, &a->where);
    if (rc != 0) {
        return rc;
    }
    a->where_text = config_copy(node->source, json_string_value(where.json),
                                json_string_length(where.json));

    return a->where_text == NULL ? -ENOMEM : 0;
}

static int
read_aggregate(const struct config_node *node,
               const struct model_dataset *dataset, struct model_aggregate *a)
{
    static const char *const keys[] = { "op", "of", "window", "where", "k",
                                        NULL };
    struct config_node op, window;
    int rc, choice = 0;

    if ((rc = config_name(node, false, &a->name)) != 0
        || (rc = config_object(node, keys)) != 0
        || (rc = config_required(node, "op", "an operation, such as "
                                 "\"count\"", &op)) != 0
        || (rc = config_choice(&op, "operation", CONFIG_NAMES(ops),
                               &choice)) != 0)
    {
        return rc;
    }
    a->op = (enum model_op) choice;

    if ((rc = config_required(node, "window", "a duration, such as \"1h\"",
                              &window)) != 0
        || (rc = config_duration(&window, SECOND_MS, 366 * DAY_MS,
                                 &a->window_ms)) != 0
        || (rc = read_of(node, dataset, a)) != 0
        || (rc = read_k(node, a)) != 0)
    {
        return rc;
    }

    return read_where(node, dataset, a);
}

static int
read_aggregates(const struct config_node *node,
                const struct model_dataset *dataset,
                struct model_pipeline *pipeline)
{
    struct config_node member;
    const char *name;
    json_t *value;
    int rc;

    rc = config_named(node, "aggregate", MODEL_MAX_AGGREGATES);
    if (rc != 0) {
        return rc;
    }

    pipeline->aggregates = model_alloc(node->source->config,
                                       json_object_size(node->json)
                                       * sizeof(*pipeline->aggregates));
    if (pipeline->aggregates == NULL) {
        return -ENOMEM;
    }
    json_object_foreach(node->json, name, value) {
        member = config_member(node, name);
        rc = read_aggregate(&member, dataset,
                            &pipeline->aggregates[pipeline->n_aggregates]);
        if (rc != 0) {
            return rc;
        }
        pipeline->n_aggregates++;
    }

    return 0;
}

static int
read_pipeline(const struct config_node *node, struct model_pipeline *pipeline)
{
    static const char *const keys[] = {
        "from", "group_by", "exact", "max_events", "aggregate", NULL
    };
    struct intent_config *config = node->source->config;
    struct config_names datasets = { config->datasets,
                                     sizeof(*config->datasets),
                                     config->n_datasets };
    struct config_node from, group_by, exact, max_events, aggregate;
    const struct model_dataset *dataset;
    int rc;

    pipeline->max_events = DEFAULT_EVENTS;

    if ((rc = config_name(node, false, &pipeline->name)) != 0
        || (rc = config_object(node, keys)) != 0
        || (rc = config_required(node, "from", "a dataset", &from)) != 0
        || (rc = config_choice(&from, "dataset", datasets,
                               &pipeline->dataset)) != 0
        || (rc = config_required(node, "group_by", "a string field of the "
                                 "dataset, such as its key", &group_by)) != 0)
    {
        return rc;
    }

    dataset = &config->datasets[pipeline->dataset];
    exact = config_member(node, "exact");
    max_events = config_member(node, "max_events");

    if ((rc = config_string_field(&group_by, dataset,
                                  &pipeline->group_by)) != 0
        || (rc = config_bool(&exact, &pipeline->exact)) != 0
        || (rc = config_int(&max_events, MIN_EVENTS, MAX_EVENTS,
                            &pipeline->max_events)) != 0
        || (rc = config_required(node, "aggregate", "an object with what is "
                                 "to be computed", &aggregate)) != 0)
    {
        return rc;
    }

    return read_aggregates(&aggregate, dataset, pipeline);
}

int
config_pipelines(const struct config_node *node)
{
    struct intent_config *config = node->source->config;
    struct config_node member;
    const char *name;
    json_t *value;
    int rc;

    if (node->json == NULL) {
        return 0;
    }
    rc = config_named(node, "pipeline", MODEL_MAX_PIPELINES);
    if (rc != 0) {
        return rc;
    }

    config->pipelines = model_alloc(config, json_object_size(node->json)
                                            * sizeof(*config->pipelines));
    if (config->pipelines == NULL) {
        return -ENOMEM;
    }
    json_object_foreach(node->json, name, value) {
        member = config_member(node, name);
        rc = read_pipeline(&member, &config->pipelines[config->n_pipelines]);
        if (rc != 0) {
            return rc;
        }
        config->n_pipelines++;
    }

    return 0;
}
