/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include <math.h>
#include <string.h>

#include "../base/compiler.h"

static const char default_band[] = "low";

/* For strings and lists made within one expression; its result here is a
 * number or a truth value, so each expression starts with all of it. */
enum { SCRATCH_SIZE = 2048 };

struct evaluation {
    int n;                         /* features; then the score and the band */
    unsigned errors;
    struct intent_value vars[INTENT_MAX_FEATURES + 2];
    char scratch[SCRATCH_SIZE];
};

static void
load(struct evaluation *e, const struct intent_value *vars, int n)
{
    e->n = n;
    e->errors = 0;
    memset(e->vars, 0, ((size_t) n + 2) * sizeof(e->vars[0]));
    if (vars != NULL) {
        memcpy(e->vars, vars, (size_t) n * sizeof(e->vars[0]));
    }
}

static struct intent_value
evaluate(struct evaluation *e, const struct expr *expr)
{
    struct expr_scratch scratch = { e->scratch, sizeof(e->scratch), 0 };
    struct intent_value value;

    memset(&value, 0, sizeof(value));
    if (expr_eval(expr, e->vars, &scratch, &value) != 0) {
        e->errors++;
        value.kind = INTENT_NULL;
    }

    return value;
}

static bool
holds(struct evaluation *e, const struct expr *expr)
{
    struct intent_value value = evaluate(e, expr);

    return value.kind == INTENT_BOOL && value.as.b;
}

static void
set_score(struct evaluation *e, const struct expr *expr,
          struct policy_result *result)
{
    struct intent_value value = evaluate(e, expr);

    if (value.kind == INTENT_INT) {
        value.kind = INTENT_DOUBLE;
        value.as.d = (double) value.as.i;
    }

    if (value.kind == INTENT_DOUBLE && isfinite(value.as.d)) {
        result->has_score = true;
        result->score = value.as.d;
        e->vars[e->n] = value;
    }
}

void
policy_decide(const struct intent_config *config,
              const struct intent_value *vars, struct policy_result *result)
{
    const struct model_policy *policy = &config->policy;
    UNINITIALIZED struct evaluation e;
    int i;

    memset(result, 0, sizeof(*result));
    result->band = default_band;
    if (!policy->enabled) {
        return;
    }

    load(&e, vars, config->featuresets[policy->featureset].n_features);

    if (policy->score != NULL) {
        set_score(&e, policy->score, result);
    }

    for (i = 0; i < policy->n_bands; i++) {
        if (holds(&e, policy->bands[i].when)) {
            result->band = policy->bands[i].id;
            break;
        }
    }

    e.vars[e.n + 1].kind = INTENT_STRING;
    e.vars[e.n + 1].len = (uint32_t) strlen(result->band);
    e.vars[e.n + 1].as.s = result->band;

    for (i = 0; i < policy->n_ctas; i++) {
        if (holds(&e, policy->ctas[i].when)) {
            result->cta = policy->ctas[i].id;
            result->items = policy->ctas[i].items;
            break;
        }
    }

    result->errors = e.errors;
}
