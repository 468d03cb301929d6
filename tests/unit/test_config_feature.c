/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/signal/config_feature.h"

#include "../../libagent/signal/plan.h"

#include "config_case.h"

#define SETS HEAD PIPE "'featuresets':"
#define ONE SETS "{'F':{'entity':'u','features':{\n"

static const struct bad_config bad_sets[] = {
    { "{}",
      "3:15: featuresets: found an empty object; expected an object with a "
      "name for each featureset" },
    { "{'F':{}}",
      "3:20: featuresets.F.entity: missing; expected the field that the "
      "pipelines are grouped by" },
    { "{'F-1':{}}",
      "3:16: featuresets.F-1: not a name; expected a letter or _, then "
      "letters, digits and _" },
    { "{'F':{'entity':'u'}}",
      "3:20: featuresets.F.features: missing; expected an object with the "
      "features" },
    { "{'F':{'entity':5}}",
      "3:30: featuresets.F.entity: found the number 5; expected a field's "
      "name" },
    { "{'F':{'entity':'a.b'}}",
      "3:30: featuresets.F.entity: found \"a.b\"; expected a letter or _, "
      "then letters, digits and _" },
    { "{'F':{'entity':'u','features':{}}}",
      "3:45: featuresets.F.features: found an empty object; expected an "
      "object with a name for each feature" },
    { "{'F':{'entity':'v','features':{'c':{'ref':'P.c'}}}}",
      "3:57: featuresets.F.features.c.ref: P is grouped by \"u\"; expected a "
      "pipeline grouped by the entity, \"v\"" },
};

static const struct bad_config bad_features[] = {
    { "'u':{'ref':'P.c'}",
      "4:1: featuresets.F.features.u: this is the entity, which is a feature "
      "by itself; expected other names only: remove it here" },
    { "'Abc':{'ref':'P.c'}",
      "4:1: featuresets.F.features.Abc: not a name; expected a lower-case "
      "letter, then lower-case letters, digits and _ (it becomes a header's "
      "key and an nginx variable)" },
    { "'_a':{'ref':'P.c'}",
      "4:1: featuresets.F.features._a: not a name; expected a lower-case "
      "letter, then lower-case letters, digits and _ (it becomes a header's "
      "key and an nginx variable)" },
    { "'c':1",
      "4:5: featuresets.F.features.c: found the number 1; expected an object "
      "{ ... }" },
    { "'c':{}",
      "4:5: featuresets.F.features.c: found neither of the keys \"ref\" and "
      "\"expr\"; expected one" },
    { "'c':{'ref':'P.c','expr':'1.0'}",
      "4:5: featuresets.F.features.c: found both of the keys \"ref\" and "
      "\"expr\"; expected one" },
    { "'c':{'ref':5}",
      "4:12: featuresets.F.features.c.ref: found the number 5; expected "
      "\"Pipeline.aggregate\"" },
    { "'c':{'ref':'c'}",
      "4:12: featuresets.F.features.c.ref: found \"c\"; expected "
      "\"Pipeline.aggregate\"" },
    { "'c':{'ref':'Q.c'}",
      "4:13: featuresets.F.features.c.ref: unknown pipeline \"Q\"; "
      "expected P" },
    { "'c':{'ref':'P.d'}",
      "4:15: featuresets.F.features.c.ref: unknown aggregate \"d\"; expected "
      "c, a, l or k" },
    { "'c':{'ref':'P.c.d'}",
      "4:15: featuresets.F.features.c.ref: unknown aggregate \"c.d\"; "
      "expected c, a, l or k" },
    { "'c':{'ref':'P.'}",
      "4:15: featuresets.F.features.c.ref: unknown aggregate \"\"; expected "
      "c, a, l or k" },
    { "'c':{'reff':'P.c'}",
      "4:6: featuresets.F.features.c.reff: unknown key; expected ref or "
      "expr; did you mean \"ref\"?" },
    { "'x':{'expr':5}",
      "4:13: featuresets.F.features.x.expr: found the number 5; expected an "
      "expression in a string" },
    { "'x':{'expr':'x + 1.0'}",
      "4:13: featuresets.F.features.x.expr: the feature needs itself: x -> "
      "x; expected an order in which they can be computed" },
    { "'x':{'expr':'y'},\n'y':{'expr':'x'}",
      "4:13: featuresets.F.features.x.expr: the feature needs itself: x -> y "
      "-> x; expected an order in which they can be computed" },
    { "'c':{'ref':'P.c'},'a':{'expr':'z + c'},'z':{'expr':'y'},"
      "\n'x':{'expr':'z'},\n'y':{'expr':'x'}",
      "4:52: featuresets.F.features.z.expr: the feature needs itself: z -> y "
      "-> x -> z; expected an order in which they can be computed" },
    { "'before':{'expr':'x'},'x':{'expr':'z'},'y':{'expr':'x'},"
      "'z':{'expr':'y'}",
      "4:35: featuresets.F.features.x.expr: the feature needs itself: x -> z "
      "-> y -> x; expected an order in which they can be computed" },
    { "'x':{'expr':'nope + 1.0'}",
      "4:14: featuresets.F.features.x.expr: " },
    { "'x':{'expr':'1.0 +'}",
      "4:19: featuresets.F.features.x.expr: " },
    { "'c':{'ref':'P.c'},'x':{'expr':'1.0 + y'},'y':{'expr':'c > 1.0'}",
      "4:36: featuresets.F.features.x.expr: " },
    { "'l':{'ref':'P.l'},'x':{'expr':'1.0 + l * 2.0'}",
      "4:40: featuresets.F.features.x.expr: " },
    { "'k':{'ref':'P.k'},'x':{'expr':'!(k > 2.0)'}",
      "4:36: featuresets.F.features.x.expr: " },
    { "'c':{'ref':'P.c'},'x':{'expr':'2.0 * (c + 1)'}",
      "4:41: featuresets.F.features.x.expr: " },
};

/* Features may stand in any order: each one is computed behind what it
 * needs, and knows its type. */
static void
test_order(void)
{
    static const char *const names[] = { "u", "last", "sure", "c", "half",
                                         "l", "k" };
    struct intent_config *c;
    const struct model_featureset *f;
    int i, at_half = -1, at_sure = -1, at_last = -1;

    c = good_config(ONE, "'last':{'expr':'sure ? half + c : 0.0'},"
                    "'sure':{'expr':'half > 1.0 && l == `x`'},"
                    "'c':{'ref':'P.c'},'half':{'expr':'c / 2.0'},"
                    "'l':{'ref':'P.l'},'k':{'ref':'P.k'}", "}}}}");
    f = c->featuresets;
    is_int(f->n_features, 7, "six features and the key");
    for (i = 0; i < f->n_features; i++) {
        is_str(f->features[i].name, names[i], "feature %d in the file's order",
               i);
    }
    is_int(f->features[0].kind, MODEL_F_KEY, "the key first");
    is_int(f->features[3].kind, MODEL_F_REF, "a reference");
    is_int(f->features[3].pipeline, 0, "to a pipeline");
    is_int(f->features[6].aggregate, 3, "and an aggregate");
    is_int(f->features[1].kind, MODEL_F_EXPR, "an expression");
    ok(f->plan != NULL && f->plan->n_steps == 1, "a plan to read it by");

    is_int(f->n_order, 3, "three are computed");
    for (i = 0; i < f->n_order; i++) {
        at_half = f->order[i] == 4 ? i : at_half;
        at_sure = f->order[i] == 2 ? i : at_sure;
        at_last = f->order[i] == 1 ? i : at_last;
    }
    ok(at_half >= 0 && at_half < at_sure && at_sure < at_last,
       "each behind what it needs");

    is_int(config_feature_types(c, &f->features[0]), EXPR_T_STRING, "key");
    is_int(config_feature_types(c, &f->features[3]), EXPR_T_DOUBLE, "count");
    is_int(config_feature_types(c, &f->features[2]),
           EXPR_T_BOOL | EXPR_T_NULL, "a condition, or failed");
    is_int(config_feature_types(c, &f->features[4]),
           EXPR_T_DOUBLE | EXPR_T_NULL, "a number, or failed");
    is_int(config_feature_types(c, &f->features[5]),
           EXPR_T_STRING | EXPR_T_NULL, "last of a string");
    is_int(config_feature_types(c, &f->features[6]), EXPR_T_LIST, "last_k");
    intent_config_free(c);
}

/* The first of a chain stands in front of all that it needs. */
static void
test_long_chain(void)
{
    char text[8192];
    size_t at = 0;
    struct intent_config *c;
    struct bad_config row = { text, "4:14: featuresets.F.features.x1.expr: "
                              "the feature needs itself: x1 -> x2 -> x3 -> " };
    int i, n = INTENT_MAX_FEATURES - 2;

    for (i = 1; i <= n; i++) {
        at += (size_t) snprintf(text + at, sizeof(text) - at,
                                "'x%d':{'expr':'x%d'},", i, i + 1);
    }
    snprintf(text + at, sizeof(text) - at, "'x%d':{'ref':'P.c'}", n + 1);
    c = good_config(ONE, text, "}}}}");
    is_int(c->featuresets[0].n_features, INTENT_MAX_FEATURES, "as many as "
           "there may be");
    is_int(c->featuresets[0].order[0], n, "the last is computed first");
    is_int(config_feature_types(c, &c->featuresets[0].features[1]),
           EXPR_T_DOUBLE | EXPR_T_NULL, "types go through the chain");
    intent_config_free(c);

    snprintf(text + at, sizeof(text) - at, "'x%d':{'expr':'x1'}", n + 1);
    bad_config(ONE, &row, "}}}}");
}

static void
test_several_sets(void)
{
    struct intent_config *c;

    c = good_config(SETS, "{'F':{'entity':'u','features':{'c':{'ref':"
                    "'P.c'}}},'G':{'entity':'u','features':{'who':{'expr':"
                    "'u + `!`'},'c':{'ref':'P.a'}}}}", "}");
    is_int(c->n_featuresets, 2, "two featuresets");
    is_int(c->featuresets[1].features[2].aggregate, 1, "each its own names");
    is_int(config_feature_types(c, &c->featuresets[1].features[1]),
           EXPR_T_STRING | EXPR_T_NULL, "an expression on the key");
    intent_config_free(c);
}

int
main(void)
{
    BAD_CONFIGS(SETS, bad_sets, "}");
    BAD_CONFIGS(ONE, bad_features, "}}}}");
    test_order();
    test_long_chain();
    test_several_sets();

    return done_testing();
}
