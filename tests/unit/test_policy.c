/* SPDX-License-Identifier: Apache-2.0
 *
 * Score, band and call to action from the values of features.
 */
#include <stdlib.h>

#include "../../libagent/decide/policy.h"
#include "tap.h"

enum { N = 4 };

static const struct expr_var vars[N + 2] = {
    { "velocity", EXPR_T_DOUBLE | EXPR_T_NULL },
    { "is_high", EXPR_T_BOOL | EXPR_T_NULL },
    { "name", EXPR_T_STRING | EXPR_T_NULL },
    { "last", EXPR_T_LIST | EXPR_T_NULL },
    { "score", EXPR_T_DOUBLE | EXPR_T_NULL },
    { "band", EXPR_T_STRING }
};

static struct model_featureset set = { .name = "F", .n_features = N };
static struct model_band bands[4];
static struct model_cta ctas[4];
static struct intent_config config = {
    .n_featuresets = 1, .featuresets = &set,
    .policy = { .enabled = true, .bands = bands, .ctas = ctas }
};

static struct intent_value values[N];
static struct policy_result result;

static struct expr *
compile(const char *text)
{
    struct intent_error err;
    struct expr *expr;

    if (expr_compile(text, strlen(text), vars, N + 2, &expr, &err) != 0) {
        printf("Bail out! %s: %s\n", text, err.text);
        exit(1);
    }

    return expr;
}

static void
clear(void)
{
    struct model_policy *p = &config.policy;
    int i;

    expr_free(p->score);
    p->score = NULL;
    for (i = 0; i < p->n_bands; i++) {
        expr_free(bands[i].when);
    }
    for (i = 0; i < p->n_ctas; i++) {
        expr_free(ctas[i].when);
    }
    p->n_bands = p->n_ctas = 0;
}

static void
add_band(const char *id, const char *when)
{
    bands[config.policy.n_bands++]
        = (struct model_band) { id, compile(when) };
}

static void
add_cta(const char *id, const char *when, int items)
{
    ctas[config.policy.n_ctas++]
        = (struct model_cta) { id, compile(when), items };
}

static void
set_values(double velocity, bool high)
{
    memset(values, 0, sizeof(values));
    values[0] = (struct intent_value) { .kind = INTENT_DOUBLE,
                                        .as.d = velocity };
    values[1] = (struct intent_value) { .kind = INTENT_BOOL, .as.b = high };
}

static void
test_contract_example(void)
{
    config.policy.score = compile("is_high ? 0.9 : 0.1");
    add_band("high", "is_high");
    add_band("medium", "velocity > 1.0");
    add_cta("book-now", "band == 'high'", 0);
    add_cta("popular", "true", 3);

    set_values(16.0, true);
    policy_decide(&config, values, &result);
    is_str(result.band, "high", "the first band whose condition holds");
    is_str(result.cta, "book-now", "a CTA sees the band");
    is_int(result.items, 0, "this one carries no items");
    ok(result.has_score, "there is a score");
    is_double(result.score, 0.9, 0, "as computed");

    set_values(1.5, false);
    policy_decide(&config, values, &result);
    is_str(result.band, "medium", "the second where the first does not");
    is_str(result.cta, "popular", "a CTA that always applies");
    is_int(result.items, 3, "with its items");

    set_values(1.0, false);
    policy_decide(&config, values, &result);
    is_str(result.band, "low", "low where none holds");
    is_int(result.errors, 0, "nothing failed");
    clear();
}

static void
test_nothing_known(void)
{
    config.policy.score = compile("velocity * 2.0");
    add_band("high", "is_high");
    add_band("medium", "velocity > 1.0 || score > 1.0");
    add_cta("welcome", "velocity == null && score == null", 5);

    policy_decide(&config, NULL, &result);
    is_str(result.band, "low", "of a visitor of whom nothing is known");
    ok(!result.has_score, "there is no score");
    is_str(result.cta, "welcome", "conditions may ask for null");
    is_int(result.items, 5, "and carry items");
    is_int(result.errors, 0, "null is no error");
    clear();
}

static void
test_score(void)
{
    config.policy.score = compile("velocity * 2.0");
    add_band("high", "score >= 4.0");

    set_values(2.0, false);
    policy_decide(&config, values, &result);
    is_str(result.band, "high", "a band sees the score");
    clear();

    config.policy.score = compile("1.0 / velocity");
    add_band("high", "score > 0.0");
    set_values(0.0, false);
    policy_decide(&config, values, &result);
    ok(!result.has_score, "a score that is no finite number is none");
    is_str(result.band, "low", "and null to the bands");
    clear();
}

static void
test_errors(void)
{
    static struct intent_value item = { .kind = INTENT_STRING, .len = 1,
                                        .as.s = "a" };

    config.policy.score = compile("double(size(last[3]))");
    add_band("high", "last[1] == 'a'");
    add_band("medium", "last[0] == 'a'");
    add_cta("x", "last[7] == 'b'", 1);

    set_values(1.0, true);
    values[3] = (struct intent_value) { .kind = INTENT_LIST, .len = 1,
                                        .as.items = &item };
    policy_decide(&config, values, &result);
    is_str(result.band, "medium", "a failed condition is false");
    ok(result.cta == NULL && !result.has_score, "a failed score is none");
    is_int(result.errors, 3, "each failure is counted");
    clear();
}

static void
test_none(void)
{
    set_values(9.0, true);
    policy_decide(&config, values, &result);
    is_str(result.band, "low", "a policy without bands");
    ok(result.cta == NULL, "or CTAs");

    config.policy.enabled = false;
    policy_decide(&config, NULL, &result);
    is_str(result.band, "low", "no policy");
    config.policy.enabled = true;
}

int
main(void)
{
    test_contract_example();
    test_nothing_known();
    test_score();
    test_errors();
    test_none();

    return done_testing();
}
