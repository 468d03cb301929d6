/* SPDX-License-Identifier: Apache-2.0 */
#include "config_policy.h"

#include <errno.h>
#include <string.h>

#include "config_dataset.h"
#include "config_expr.h"
#include "config_feature.h"

#define MINUTE_MS 60000LL
#define DAY_MS 86400000LL

enum {
    MAX_KEEP = 1000, DEFAULT_KEEP = 100,
    MAX_CATEGORIES = 4096, DEFAULT_CATEGORIES = 256,
    MAX_ID = 64
};

/* --- popularity ---------------------------------------------------------- */

static int
read_popularity(const struct config_node *node,
                const struct model_dataset *dataset,
                struct model_popularity *p)
{
    struct config_node item, by, half_life, keep, categories;
    int rc;

    by = config_member(node, "by");
    half_life = config_member(node, "half_life");
    keep = config_member(node, "keep");
    categories = config_member(node, "categories");

    if ((rc = config_required(node, "item", "the string field that holds an "
                              "item's id", &item)) != 0
        || (rc = config_string_field(&item, dataset, &p->item)) != 0
        || (rc = config_string_field(&by, dataset, &p->by)) != 0
        || (rc = config_duration(&half_life, MINUTE_MS, 366 * DAY_MS,
                                 &p->half_life_ms)) != 0
        || (rc = config_int(&keep, 1, MAX_KEEP, &p->keep)) != 0)
    {
        return rc;
    }

    return config_int(&categories, 1, MAX_CATEGORIES, &p->categories);
}

int
config_popularity(const struct config_node *node)
{
    static const char *const keys[] = {
        "dataset", "item", "by", "half_life", "keep", "categories", NULL
    };
    struct intent_config *config = node->source->config;
    struct model_popularity *p = &config->popularity;
    struct config_names datasets = { config->datasets,
                                     sizeof(*config->datasets),
                                     config->n_datasets };
    struct config_node dataset;
    int rc;

    if (node->json == NULL) {
        return 0;
    }
    *p = (struct model_popularity) {
        .by = -1, .half_life_ms = 360 * MINUTE_MS, .keep = DEFAULT_KEEP,
        .categories = DEFAULT_CATEGORIES
    };
    rc = config_object(node, keys);
    if (rc != 0) {
        return rc;
    }

    dataset = config_member(node, "dataset");
    if (config->n_datasets > 1) {
        rc = config_required(node, "dataset", "the one of the datasets whose "
                             "events count", &dataset);
    }
    if (rc != 0
        || (rc = config_choice(&dataset, "dataset", datasets,
                               &p->dataset)) != 0
        || (rc = read_popularity(node, &config->datasets[p->dataset], p)) != 0)
    {
        return rc;
    }
    p->enabled = true;

    return 0;
}

/* --- policy -------------------------------------------------------------- */

/* What a policy's expressions see. `score` and `band` stand behind the
 * features; an expression is compiled with as many as it may use. */
struct scope {
    struct expr_var vars[INTENT_MAX_FEATURES + 2];
    int n_features;
    bool has_score;
};

static int
make_scope(const struct config_node *node, const struct intent_config *config,
           const struct model_featureset *fs, struct scope *scope)
{
    const char *name;
    int i, n = fs->n_features;

    for (i = 0; i < n; i++) {
        name = fs->features[i].name;
        if (strcmp(name, "score") == 0 || strcmp(name, "band") == 0) {
            return config_fail(node, "the featureset %s has a feature \"%s\", "
                               "which is the policy's own name; expected "
                               "another name for the feature", fs->name, name);
        }
        scope->vars[i].name = name;
        /* Where nothing is known of a visitor all of them are null. */
        scope->vars[i].types = config_feature_types(config, &fs->features[i])
                               | EXPR_T_NULL;
    }
    scope->vars[n] = (struct expr_var) { "score",
                                         EXPR_T_DOUBLE | EXPR_T_NULL };
    scope->vars[n + 1] = (struct expr_var) { "band", EXPR_T_STRING };
    scope->n_features = n;

    return 0;
}

/* The member "when" of a rule, which sees this many of the scope's names. */
static int
read_when(const struct config_node *rule, const struct scope *scope, int n,
          struct expr **out)
{
    struct config_node when;
    int rc;

    rc = config_required(rule, "when", "a condition, such as \"true\"",
                         &when);
    if (rc == 0) {
        rc = config_condition(&when, scope->vars, n, out);
    }
    if (rc != 0) {
        return rc;
    }
    if (!scope->has_score && expr_uses(*out, (size_t) scope->n_features)) {
        return config_fail(&when, "score is used, but the policy has none; "
                           "expected the key \"score\" in policy");
    }

    return 0;
}

/* Headers carry ids as they are: RFC 9651 tokens without the characters that
 * mean something in HTML, shells or lists. */
static int
read_id(const struct config_node *rule, const char **out)
{
    static const char expected[] = "a letter, then letters, digits and "
                                   "_ - . : /, at most 64 in all";
    struct config_node id;
    const char *s;
    size_t i;
    int rc;

    rc = config_required(rule, "id", "what the header says", &id);
    if (rc == 0) {
        rc = config_string(&id, MAX_ID, expected, out);
    }
    if (rc != 0) {
        return rc;
    }

    s = *out;
    for (i = 0; s[i] != '\0'; i++) {
        bool letter = (s[i] >= 'A' && s[i] <= 'Z')
                      || (s[i] >= 'a' && s[i] <= 'z');
        bool other = (s[i] >= '0' && s[i] <= '9')
                     || strchr("_-.:/", s[i]) != NULL;

        if (!letter && (i == 0 || !other)) {
            return config_fail_in(&id, i, "a character that cannot stand %s "
                                  "an id; expected %s",
                                  i == 0 ? "first in" : "in", expected);
        }
    }

    return 0;
}

static int
read_bands(const struct config_node *node, const struct scope *scope,
           struct model_policy *policy)
{
    static const char *const keys[] = { "id", "when", NULL };
    struct model_band *band;
    struct config_node item;
    size_t n = json_array_size(node->json);
    int rc;

    if (node->json == NULL) {
        return 0;
    }
    rc = config_list(node, MODEL_MAX_BANDS);
    if (rc != 0) {
        return rc;
    }

    policy->bands = model_alloc(node->source->config,
                                n * sizeof(*policy->bands));
    if (policy->bands == NULL) {
        return -ENOMEM;
    }
    for (; (size_t) policy->n_bands < n; policy->n_bands++) {
        item = config_item(node, (size_t) policy->n_bands);
        band = &policy->bands[policy->n_bands];
        if ((rc = config_object(&item, keys)) != 0
            || (rc = read_id(&item, &band->id)) != 0
            || (rc = read_when(&item, scope, scope->n_features + 1,
                               &band->when)) != 0)
        {
            return rc;
        }
    }

    return 0;
}

static int
read_cta(const struct config_node *node, const struct scope *scope,
         struct model_cta *cta)
{
    static const char *const keys[] = { "id", "when", "items", NULL };
    struct config_node items;
    int rc;

    if ((rc = config_object(node, keys)) != 0
        || (rc = read_id(node, &cta->id)) != 0
        || (rc = read_when(node, scope, scope->n_features + 2,
                           &cta->when)) != 0)
    {
        return rc;
    }

    items = config_member(node, "items");
    if (items.json != NULL && !node->source->config->popularity.enabled) {
        return config_fail_key(&items, "there is no popularity to take items "
                               "from; expected the section \"popularity\"");
    }

    return config_int(&items, 1, INTENT_MAX_ITEMS, &cta->items);
}

static int
read_ctas(const struct config_node *node, const struct scope *scope,
          struct model_policy *policy)
{
    struct config_node item;
    size_t n = json_array_size(node->json);
    int rc;

    if (node->json == NULL) {
        return 0;
    }
    rc = config_list(node, MODEL_MAX_CTAS);
    if (rc != 0) {
        return rc;
    }

    policy->ctas = model_alloc(node->source->config,
                               n * sizeof(*policy->ctas));
    if (policy->ctas == NULL) {
        return -ENOMEM;
    }
    for (; (size_t) policy->n_ctas < n; policy->n_ctas++) {
        item = config_item(node, (size_t) policy->n_ctas);
        rc = read_cta(&item, scope, &policy->ctas[policy->n_ctas]);
        if (rc != 0) {
            return rc;
        }
    }

    return 0;
}

static int
read_featureset(const struct config_node *node, struct model_policy *policy)
{
    const struct intent_config *config = node->source->config;
    struct config_names featuresets = { config->featuresets,
                                        sizeof(*config->featuresets),
                                        config->n_featuresets };
    struct config_node featureset = config_member(node, "featureset");
    int rc;

    if (config->n_featuresets != 1) {
        rc = config_required(node, "featureset", "the name of one of the "
                             "featuresets", &featureset);
        if (rc != 0) {
            return rc;
        }
    }

    return config_choice(&featureset, "featureset", featuresets,
                         &policy->featureset);
}

int
config_policy(const struct config_node *node)
{
    static const char *const keys[] = { "featureset", "score", "bands", "ctas",
                                        NULL };
    struct intent_config *config = node->source->config;
    struct model_policy *policy = &config->policy;
    struct config_node score, bands, ctas;
    struct scope scope = { .n_features = 0 };
    int rc;

    if (node->json == NULL) {
        return 0;
    }
    if ((rc = config_object(node, keys)) != 0
        || (rc = read_featureset(node, policy)) != 0
        || (rc = make_scope(node, config,
                            &config->featuresets[policy->featureset],
                            &scope)) != 0)
    {
        return rc;
    }

    score = config_member(node, "score");
    bands = config_member(node, "bands");
    ctas = config_member(node, "ctas");
    scope.has_score = score.json != NULL;
    if (scope.has_score) {
        rc = config_expr_typed(&score, scope.vars, scope.n_features,
                               EXPR_T_DOUBLE | EXPR_T_INT, "a number",
                               &policy->score);
    }
    if (rc != 0
        || (rc = read_bands(&bands, &scope, policy)) != 0
        || (rc = read_ctas(&ctas, &scope, policy)) != 0)
    {
        return rc;
    }
    policy->enabled = true;

    return 0;
}
