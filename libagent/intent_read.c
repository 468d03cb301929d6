/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading features and deciding on them.
 */
#include "engine.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "decide/policy.h"
#include "signal/reading.h"

/* What expressions see: numbers are doubles, whatever they count. */
static void
as_variables(const struct model_featureset *fs,
             const struct intent_answer *answer, struct intent_value *vars)
{
    int i;

    for (i = 0; i < fs->n_features; i++) {
        vars[i] = answer->values[i];
        if (fs->features[i].kind == MODEL_F_REF
            && vars[i].kind == INTENT_INT)
        {
            vars[i].kind = INTENT_DOUBLE;
            vars[i].as.d = (double) answer->values[i].as.i;
        }
    }
}

static void
derive(const struct model_featureset *fs, struct intent_answer *answer)
{
    UNINITIALIZED struct intent_value vars[INTENT_MAX_FEATURES];
    struct expr_scratch scratch = { answer->scratch, sizeof(answer->scratch),
                                    answer->scratch_used };
    int i, f;

    as_variables(fs, answer, vars);

    for (i = 0; i < fs->n_order; i++) {
        f = fs->order[i];
        if (expr_eval(fs->features[f].expr, vars, &scratch,
                      &answer->values[f]) != 0)
        {
            answer->values[f].kind = INTENT_NULL;
            answer->errors++;
        }
        vars[f] = answer->values[f];
    }

    answer->scratch_used = scratch.used;
}

/* The dataset's watermark bounds how far back a read may look. */
static bool
too_old(const struct intent *intent, const struct plan *plan, int64_t time_ms)
{
    const struct model_table *table;
    int64_t mark;
    int i;

    for (i = 0; i < plan->n_steps; i++) {
        table = &intent->config->tables[plan->steps[i].table];
        mark = zone_watermark(&intent->zone,
                              intent->datasets[table->dataset]);
        if (mark != INT64_MIN && time_ms < mark - table->lateness_ms) {
            return true;
        }
    }

    return false;
}

int
intent_read(struct intent *intent, int featureset, const char *key,
            size_t key_len, int64_t time_ms, unsigned wait_us,
            struct intent_answer *answer)
{
    const struct model_featureset *fs;
    const struct plan_step *step;
    uint64_t hashed[2];
    int i, rc;

    if (intent->zone.broken) {
        return -EIO;
    }
    if (key_len > INTENT_MAX_KEY) {
        return -E2BIG;
    }

    fs = &intent->config->featuresets[featureset];
    if (too_old(intent, fs->plan, time_ms)) {
        return -ERANGE;
    }

    answer->featureset = featureset;
    answer->n = fs->n_features;
    answer->time_ms = time_ms;
    answer->approx = false;
    answer->errors = 0;
    answer->scratch_used = 0;
    answer->values[0] = (struct intent_value) {
        .kind = INTENT_STRING, .len = (uint32_t) key_len, .as.s = key
    };

    for (i = 0; i < fs->plan->n_steps; i++) {
        step = &fs->plan->steps[i];
        engine_key(intent, step->table, key, key_len, hashed);
        rc = reading_run(&intent->zone, &intent->config->tables[step->table],
                         intent->tables[step->table], step, hashed, time_ms,
                         wait_us, intent->reading_scratch, answer);
        if (rc != 0) {
            return rc;
        }
    }

    derive(fs, answer);
    if (answer->errors != 0) {
        intent_count(intent, INTENT_C_EXPR_ERRORS, answer->errors);
    }

    return 0;
}

int64_t
intent_oldest_read(struct intent *intent, int featureset)
{
    const struct plan *plan = intent->config->featuresets[featureset].plan;
    const struct model_table *table;
    int64_t oldest = INT64_MIN, mark;
    int i;

    for (i = 0; i < plan->n_steps; i++) {
        table = &intent->config->tables[plan->steps[i].table];
        mark = zone_watermark(&intent->zone,
                              intent->datasets[table->dataset]);
        if (mark != INT64_MIN && mark - table->lateness_ms > oldest) {
            oldest = mark - table->lateness_ms;
        }
    }

    return oldest;
}

int
intent_popular(struct intent *intent, const char *category, size_t len,
               int64_t now_ms, unsigned wait_us, int k,
               struct intent_item *items)
{
    if (intent->zone.broken) {
        return -EIO;
    }
    if (!intent->popular) {
        return -ENOTSUP;
    }

    return popularity_top(&intent->popularity, intent->zone.self, category,
                          len, now_ms, wait_us, k, items);
}

const char *
intent_reason_name(enum intent_reason reason)
{
    static const char *const names[INTENT_REASON_COUNT] = {
        "none", "busy", "budget", "zone", "consent", "identity"
    };

    return (unsigned) reason < INTENT_REASON_COUNT ? names[reason] : "none";
}

static void
count_decision(struct intent *intent, const struct intent_decision *decision)
{
    static const enum intent_counter degraded[INTENT_REASON_COUNT] = {
        [INTENT_REASON_BUSY] = INTENT_C_DEGRADED_BUSY,
        [INTENT_REASON_BUDGET] = INTENT_C_DEGRADED_BUDGET,
        [INTENT_REASON_ZONE] = INTENT_C_DEGRADED_ZONE,
        [INTENT_REASON_CONSENT] = INTENT_C_DEGRADED_CONSENT,
        [INTENT_REASON_IDENTITY] = INTENT_C_DEGRADED_IDENTITY
    };

    intent_count(intent, decision->reason == INTENT_REASON_NONE
                         ? INTENT_C_DECISIONS : degraded[decision->reason], 1);
}

int
intent_decide(struct intent *intent, const struct intent_answer *answer,
              enum intent_reason reason, const char *category, size_t len,
              int64_t now_ms, unsigned wait_us,
              struct intent_decision *decision)
{
    UNINITIALIZED struct intent_value vars[INTENT_MAX_FEATURES];
    const struct model_policy *policy = &intent->config->policy;
    struct policy_result result;
    int n = 0;

    if (!policy->enabled) {
        return -ENOTSUP;
    }
    if (answer != NULL) {
        as_variables(&intent->config->featuresets[answer->featureset], answer,
                     vars);
    }

    policy_decide(intent->config, answer == NULL ? NULL : vars, &result);

    decision->band = result.band;
    decision->cta = result.cta;
    decision->has_score = result.has_score;
    decision->score = result.score;
    decision->personal = answer != NULL;
    decision->reason = answer != NULL ? INTENT_REASON_NONE : reason;

    if (result.items > 0 && intent->popular && !intent->zone.broken) {
        n = popularity_pick(&intent->popularity, intent->zone.self, category,
                            len, now_ms, wait_us, result.items,
                            decision->items);
    }
    decision->n_items = n > 0 ? n : 0;

    if (result.errors != 0) {
        intent_count(intent, INTENT_C_EXPR_ERRORS, result.errors);
    }
    count_decision(intent, decision);

    return 0;
}
