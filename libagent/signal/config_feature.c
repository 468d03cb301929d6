/* SPDX-License-Identifier: Apache-2.0 */
#include "config_feature.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config_expr.h"

/* Features as a set of bits. */
struct set {
    uint64_t bits[INTENT_MAX_FEATURES / 64];
};

static void
set_add(struct set *set, int i)
{
    set->bits[i / 64] |= 1ull << (i % 64);
}

static bool
set_has(const struct set *set, int i)
{
    return (set->bits[i / 64] >> (i % 64) & 1) != 0;
}

static unsigned
aggregate_types(const struct intent_config *config,
                const struct model_pipeline *pipeline,
                const struct model_aggregate *a)
{
    const struct model_dataset *dataset = &config->datasets[pipeline->dataset];

    switch (a->op) {
    case MODEL_COUNT:
    case MODEL_SUM:
        return EXPR_T_DOUBLE;
    case MODEL_LAST_K:
        return EXPR_T_LIST;
    case MODEL_LAST:
        if (dataset->fields[a->of].kind == INTENT_STRING) {
            return EXPR_T_STRING | EXPR_T_NULL;
        }
        return EXPR_T_DOUBLE | EXPR_T_NULL;
    case MODEL_AVG:
    case MODEL_MIN:
    case MODEL_MAX:
    default:
        return EXPR_T_DOUBLE | EXPR_T_NULL;
    }
}

unsigned
config_feature_types(const struct intent_config *config,
                     const struct model_feature *feature)
{
    const struct model_pipeline *pipeline;

    switch (feature->kind) {
    case MODEL_F_REF:
        pipeline = &config->pipelines[feature->pipeline];
        return aggregate_types(config, pipeline,
                               &pipeline->aggregates[feature->aggregate]);
    case MODEL_F_EXPR:
        return feature->expr == NULL ? (unsigned) EXPR_T_ANY
               : expr_types(feature->expr) | EXPR_T_NULL;
    case MODEL_F_KEY:
    default:
        return EXPR_T_STRING;
    }
}

/* --- references ---------------------------------------------------------- */

/* "Pipeline.aggregate" */
static int
read_ref(const struct config_node *node, const struct model_featureset *fs,
         struct model_feature *feature)
{
    const struct intent_config *config = node->source->config;
    struct config_names pipelines = { config->pipelines,
                                      sizeof(*config->pipelines),
                                      config->n_pipelines };
    const char *text = json_string_value(node->json), *dot, *group;
    const struct model_pipeline *p;
    size_t len;
    int rc;

    dot = text == NULL ? NULL : strchr(text, '.');
    if (dot == NULL) {
        return config_expected(node, "\"Pipeline.aggregate\"");
    }

    len = (size_t) (dot - text);
    rc = config_choice_in(node, 0, len, "pipeline", pipelines,
                          &feature->pipeline);
    if (rc != 0) {
        return rc;
    }
    p = &config->pipelines[feature->pipeline];
    rc = config_choice_in(node, len + 1, strlen(dot + 1), "aggregate",
                          (struct config_names) { p->aggregates,
                                                  sizeof(*p->aggregates),
                                                  p->n_aggregates },
                          &feature->aggregate);
    if (rc != 0) {
        return rc;
    }

    group = config->datasets[p->dataset].fields[p->group_by].name;
    if (strcmp(group, fs->entity) != 0) {
        return config_fail(node, "%s is grouped by \"%s\"; expected a "
                           "pipeline grouped by the entity, \"%s\"", p->name,
                           group, fs->entity);
    }

    return 0;
}

static int
read_feature(const struct config_node *node, const struct model_featureset *fs,
             struct model_feature *feature)
{
    static const char *const keys[] = { "ref", "expr", NULL };
    struct config_node ref, expr;
    int rc;

    if (strcmp(node->key, fs->entity) == 0) {
        return config_fail_key(node, "this is the entity, which is a feature "
                               "by itself; expected other names only: remove "
                               "it here");
    }
    if ((rc = config_name(node, true, &feature->name)) != 0
        || (rc = config_object(node, keys)) != 0)
    {
        return rc;
    }

    ref = config_member(node, "ref");
    expr = config_member(node, "expr");
    if ((ref.json != NULL) == (expr.json != NULL)) {
        return config_fail(node, "found %s of the keys \"ref\" and \"expr\"; "
                           "expected one", ref.json != NULL ? "both"
                           : "neither");
    }

    feature->kind = ref.json != NULL ? MODEL_F_REF : MODEL_F_EXPR;

    return ref.json != NULL ? read_ref(&ref, fs, feature) : 0;
}

/* --- expressions --------------------------------------------------------- */

/* Compiles the feature's expression, for good or only to see what it uses. */
static int
compile_feature(const struct config_node *features,
                const struct model_featureset *fs,
                const struct expr_var *vars, int i, bool keep,
                struct set *uses)
{
    struct config_node feature = config_member(features,
                                               fs->features[i].name);
    struct config_node node = config_member(&feature, "expr");
    struct expr *expr;
    int rc, j;

    rc = config_expr(&node, vars, fs->n_features, &expr);
    if (rc != 0) {
        return rc;
    }
    if (keep) {
        rc = model_own_expr(node.source->config, expr);
        if (rc == 0) {
            fs->features[i].expr = expr;
        }
        return rc;
    }

    memset(uses, 0, sizeof(*uses));
    for (j = 0; j < fs->n_features; j++) {
        if (expr_uses(expr, (size_t) j)
            && fs->features[j].kind == MODEL_F_EXPR)
        {
            set_add(uses, j);
        }
    }
    expr_free(expr);

    return 0;
}

/* The first feature that this one waits for, or -1. */
static int
waits_for(const struct set *uses, const struct set *done)
{
    int j;

    for (j = 0; j < INTENT_MAX_FEATURES; j++) {
        if (set_has(uses, j) && !set_has(done, j)) {
            return j;
        }
    }

    return -1;
}

/* Each feature that is not done waits for another: following that must come
 * back to where it was. Refuses at the first of the round in the file. */
static int
report_cycle(const struct config_node *features,
             const struct model_featureset *fs, const struct set *uses,
             const struct set *done)
{
    struct config_node feature, node;
    struct set seen = { 0 };
    char cycle[256];
    size_t at = 0;
    int i, first, j;

    for (i = 0; fs->features[i].kind != MODEL_F_EXPR || set_has(done, i);
         i++)
    {
        /* void */
    }
    for (; !set_has(&seen, i); i = waits_for(&uses[i], done)) {
        set_add(&seen, i);
    }
    first = i;
    for (j = waits_for(&uses[i], done); j != i;
         j = waits_for(&uses[j], done))
    {
        first = j < first ? j : first;
    }

    for (j = first; at == 0 || j != first; j = waits_for(&uses[j], done)) {
        if (at + strlen(fs->features[j].name) + 16 > sizeof(cycle)) {
            snprintf(cycle + at, sizeof(cycle) - at, "... -> ");
            break;
        }
        at += (size_t) snprintf(cycle + at, sizeof(cycle) - at, "%s -> ",
                                fs->features[j].name);
    }

    feature = config_member(features, fs->features[first].name);
    node = config_member(&feature, "expr");

    return config_fail(&node, "the feature needs itself: %s%s; expected an "
                       "order in which they can be computed", cycle,
                       fs->features[first].name);
}

/* Expressions may stand in any order. What each one uses is found first, with
 * any type for what is not yet known; then they are compiled in order, so that
 * the types of those before are known. */
static int
compile_features(const struct config_node *features,
                 struct model_featureset *fs)
{
    const struct intent_config *config = features->source->config;
    struct expr_var vars[INTENT_MAX_FEATURES];
    struct set uses[INTENT_MAX_FEATURES], done = { 0 };
    int i, rc, total = 0, before;

    for (i = 0; i < fs->n_features; i++) {
        vars[i].name = fs->features[i].name;
        vars[i].types = config_feature_types(config, &fs->features[i]);
    }
    for (i = 0; i < fs->n_features; i++) {
        if (fs->features[i].kind == MODEL_F_EXPR) {
            total++;
            rc = compile_feature(features, fs, vars, i, false, &uses[i]);
            if (rc != 0) {
                return rc;
            }
        }
    }

    while (fs->n_order < total) {
        before = fs->n_order;
        for (i = 0; i < fs->n_features; i++) {
            if (fs->features[i].kind != MODEL_F_EXPR || set_has(&done, i)
                || waits_for(&uses[i], &done) >= 0)
            {
                continue;
            }
            rc = compile_feature(features, fs, vars, i, true, NULL);
            if (rc != 0) {
                return rc;
            }
            vars[i].types = config_feature_types(config, &fs->features[i]);
            fs->order[fs->n_order++] = i;
            set_add(&done, i);
        }
        if (fs->n_order == before) {
            return report_cycle(features, fs, uses, &done);
        }
    }

    return 0;
}

/* --- featuresets --------------------------------------------------------- */

static int
read_features(const struct config_node *node, struct model_featureset *fs)
{
    struct config_node member;
    const char *name;
    json_t *value;
    size_t n;
    int rc;

    /* One place is the key's. */
    rc = config_named(node, "feature", INTENT_MAX_FEATURES - 1);
    if (rc != 0) {
        return rc;
    }

    n = json_object_size(node->json) + 1;
    fs->features = model_alloc(node->source->config,
                               n * sizeof(*fs->features));
    fs->order = model_alloc(node->source->config, n * sizeof(*fs->order));
    if (fs->features == NULL || fs->order == NULL) {
        return -ENOMEM;
    }

    fs->features[0].name = fs->entity;
    fs->features[0].kind = MODEL_F_KEY;
    fs->n_features = 1;
    json_object_foreach(node->json, name, value) {
        member = config_member(node, name);
        rc = read_feature(&member, fs, &fs->features[fs->n_features]);
        if (rc != 0) {
            return rc;
        }
        fs->n_features++;
    }

    return compile_features(node, fs);
}

static int
read_featureset(const struct config_node *node, struct model_featureset *fs)
{
    static const char *const keys[] = { "entity", "features", NULL };
    struct config_node entity, features;
    int rc;

    if ((rc = config_name(node, false, &fs->name)) != 0
        || (rc = config_object(node, keys)) != 0
        || (rc = config_required(node, "entity", "the field that the "
                                 "pipelines are grouped by", &entity)) != 0
        || (rc = config_name_value(&entity, "a field's name",
                                   &fs->entity)) != 0
        || (rc = config_required(node, "features", "an object with the "
                                 "features", &features)) != 0)
    {
        return rc;
    }

    return read_features(&features, fs);
}

int
config_featuresets(const struct config_node *node)
{
    struct intent_config *config = node->source->config;
    struct config_node member;
    const char *name;
    json_t *value;
    int rc;

    if (node->json == NULL) {
        return 0;
    }
    rc = config_named(node, "featureset", MODEL_MAX_FEATURESETS);
    if (rc != 0) {
        return rc;
    }

    config->featuresets = model_alloc(config, json_object_size(node->json)
                                              * sizeof(*config->featuresets));
    if (config->featuresets == NULL) {
        return -ENOMEM;
    }
    json_object_foreach(node->json, name, value) {
        member = config_member(node, name);
        rc = read_featureset(&member,
                             &config->featuresets[config->n_featuresets]);
        if (rc != 0) {
            return rc;
        }
        config->n_featuresets++;
    }

    return 0;
}
