/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/signal/config_policy.h"

#include "config_case.h"

#define POLICY HEAD PIPE FEATURES "'policy':"

static const struct bad_config bad_popularity[] = {
    { "1",
      "2:14: popularity: found the number 1; expected an object { ... }" },
    { "{}",
      "2:14: popularity.item: missing; expected the string field that holds "
      "an item's id" },
    { "{'item':'x'}",
      "2:22: popularity.item: unknown field \"x\"; expected u, t, n, i or b" },
    { "{'item':1}",
      "2:22: popularity.item: found the number 1; expected a string: the "
      "name of a field" },
    { "{'item':'n'}",
      "2:22: popularity.item: the field \"n\" is no string; expected a field "
      "of type string" },
    { "{'item':'t','by':'i'}",
      "2:31: popularity.by: the field \"i\" is no string; expected a field "
      "of type string" },
    { "{'item':'t','half_life':'59s'}",
      "2:38: popularity.half_life: found \"59s\"; expected 1m to 366d" },
    { "{'item':'t','keep':0}",
      "2:33: popularity.keep: found the number 0; expected an integer from 1 "
      "to 1000" },
    { "{'item':'t','keep':1001}",
      "2:33: popularity.keep: found the number 1001; expected an integer "
      "from 1 to 1000" },
    { "{'item':'t','categories':4097}",
      "2:39: popularity.categories: found the number 4097; expected an "
      "integer from 1 to 4096" },
    { "{'item':'t','dataset':'E'}",
      "2:36: popularity.dataset: unknown dataset \"E\"; expected D" },
    { "{'itme':'t'}",
      "2:15: popularity.itme: unknown key; expected dataset, item, by, "
      "half_life, keep or categories; did you mean \"item\"?" },
};

/* With several datasets. */
#define TWO "{'zone':{'path':'z','size':'4m'},'datasets':{'D':{'key':'u'," \
    "'fields':{'t':'string'}},'E':{'key':'u'}},\n'popularity':"

static const struct bad_config bad_choices[] = {
    { "{'item':'t'}",
      "2:14: popularity.dataset: missing; expected the one of the datasets "
      "whose events count" },
    { "{'dataset':'E','item':'t'}",
      "2:36: popularity.item: unknown field \"t\"; expected u" },
    { "{'dataset':'F','item':'t'}",
      "2:25: popularity.dataset: unknown dataset \"F\"; expected D or E" },
};

static const struct bad_config bad_policies[] = {
    { "1",
      "4:10: policy: found the number 1; expected an object { ... }" },
    { "{'featureset':'G'}",
      "4:24: policy.featureset: unknown featureset \"G\"; expected F" },
    { "{'featureset':1}",
      "4:24: policy.featureset: found the number 1; expected a string: the "
      "name of a featureset" },
    { "{'scores':'1.0'}",
      "4:11: policy.scores: unknown key; expected featureset, score, bands "
      "or ctas; did you mean \"score\"?" },
    { "{'score':'c > 1.0'}",
      "4:19: policy.score: the expression is bool; expected a number" },
    { "{'score':1}",
      "4:19: policy.score: found the number 1; expected an expression in a "
      "string" },
    { "{'bands':{}}",
      "4:19: policy.bands: found an empty object; expected a list [ ... ]" },
    { "{'bands':[1]}",
      "4:20: policy.bands[0]: found the number 1; expected an object { ... }" },
    { "{'bands':[{'id':'a'}]}",
      "4:20: policy.bands[0].when: missing; expected a condition, such as "
      "\"true\"" },
    { "{'bands':[{'when':'true'}]}",
      "4:20: policy.bands[0].id: missing; expected what the header says" },
    { "{'bands':[{'id':'a','when':'true'},\n{'id':'','when':'true'}]}",
      "5:7: policy.bands[1].id: found \"\"; expected a letter, then letters, "
      "digits and _ - . : /, at most 64 in all" },
    { "{'bands':[{'id':1,'when':'true'}]}",
      "4:26: policy.bands[0].id: found the number 1; expected a letter, then "
      "letters, digits and _ - . : /, at most 64 in all" },
    { "{'bands':[{'id':'a b','when':'true'}]}",
      "4:28: policy.bands[0].id: a character that cannot stand in an id; "
      "expected a letter, then letters, digits and _ - . : /, at most 64 in "
      "all" },
    { "{'bands':[{'id':'a\\r\\nSet-Cookie: x=y','when':'true'}]}",
      "4:28: policy.bands[0].id: a control character; expected a letter, "
      "then letters, digits and _ - . : /, at most 64 in all" },
    { "{'bands':[{'id':'\303\251','when':'true'}]}",
      "4:27: policy.bands[0].id: a character that cannot stand first in an "
      "id; expected a letter, then letters, digits and _ - . : /, at most 64 "
      "in all" },
    { "{'bands':[{'id':'a\\'b','when':'true'}]}",
      "4:28: policy.bands[0].id: a character that cannot stand in an id; "
      "expected a letter, then letters, digits and _ - . : /, at most 64 in "
      "all" },
    { "{'bands':[{'id':'a,b','when':'true'}]}",
      "4:28: policy.bands[0].id: a character that cannot stand in an id; "
      "expected a letter, then letters, digits and _ - . : /, at most 64 in "
      "all" },
    { "{'bands':[{'id':'a\\\\b','when':'true'}]}",
      "4:28: policy.bands[0].id: a character that cannot stand in an id; "
      "expected a letter, then letters, digits and _ - . : /, at most 64 in "
      "all" },
    { "{'bands':[{'id':'1a','when':'true'}]}",
      "4:27: policy.bands[0].id: a character that cannot stand first in an "
      "id; expected a letter, then letters, digits and _ - . : /, at most 64 "
      "in all" },
    { "{'bands':[{'id':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaa','when':'true'}]}",
      "4:26: policy.bands[0].id: found 65 bytes; expected at most 64" },
    { "{'bands':[{'id':'a','when':'c'}]}",
      "4:37: policy.bands[0].when: the expression is null or double; "
      "expected a condition: true or false" },
    { "{'bands':[{'id':'a','when':true}]}",
      "4:37: policy.bands[0].when: found true; expected an expression in a "
      "string" },
    { "{'bands':[{'id':'a','when':'score > 1.0'}]}",
      "4:37: policy.bands[0].when: score is used, but the policy has none; "
      "expected the key \"score\" in policy" },
    { "{'bands':[{'id':'a','when':'true','items':3}]}",
      "4:44: policy.bands[0].items: unknown key; expected id or when" },
    { "{'ctas':[{'id':'a','when':'true','items':3}]}",
      "4:43: policy.ctas[0].items: there is no popularity to take items "
      "from; expected the section \"popularity\"" },
    { "{'ctas':[{'id':'a','when':'true','itmes':3}]}",
      "4:43: policy.ctas[0].itmes: unknown key; expected id, when or items; "
      "did you mean \"items\"?" },
    { "{'ctas':[{'id':'a','when':'score > 1.0'}]}",
      "4:36: policy.ctas[0].when: score is used, but the policy has none; "
      "expected the key \"score\" in policy" },
    { "{'ctas':'a'}",
      "4:18: policy.ctas: found \"a\"; expected a list [ ... ]" },
    { "{'score':'1.0 + is_high'}",
      "4:26: policy.score: " },
    { "{'score':'1.0','bands':[{'id':'a','when':'score > 1.0 && band == "
      "`x`'}]}",
      "4:67: policy.bands[0].when: " },
    { "{'score':'1.0 + score'}",
      "4:26: policy.score: " },
    { "{'ctas':[{'id':'a','when':'band == 1.0 || c > `x`'}]}",
      "4:42: policy.ctas[0].when: " },
};

static const struct bad_config bad_wholes[] = {
    { HEAD "'policy':{}}",
      "2:10: policy.featureset: missing; expected the name of one of the "
      "featuresets" },
    { HEAD "'policy':{'featureset':'F'}}",
      "2:24: policy.featureset: unknown featureset \"F\"; expected one that "
      "is defined, and there is none" },
    { HEAD PIPE FEATURES "'popularity':{'item':'t'},'policy':{'ctas':[{'id':'"
      "a','when':'true','items':33}]}}",
      "4:77: policy.ctas[0].items: found the number 33; expected an integer "
      "from 1 to 32" },
    { HEAD PIPE FEATURES "'popularity':{'item':'t'},'policy':{'ctas':[{'id':'"
      "a','when':'true','items':0}]}}",
      "4:77: policy.ctas[0].items: found the number 0; expected an integer "
      "from 1 to 32" },
    { HEAD PIPE "'featuresets':{'F':{'entity':'u','features':{'score':{'ref':"
      "'P.c'}}}},'policy':{}}",
      "3:80: policy: the featureset F has a feature \"score\", which is the "
      "policy's own name; expected another name for the feature" },
    { HEAD PIPE "'featuresets':{'F':{'entity':'u','features':{'band':{'ref':'"
      "P.c'}}}},'policy':{}}",
      "3:79: policy: the featureset F has a feature \"band\", which is the "
      "policy's own name; expected another name for the feature" },
    { HEAD PIPE "'featuresets':{'F':{'entity':'u','features':{'c':{'ref':'P.c"
      "'}}},'G':{'entity':'u','features':{'c':{'ref':'P.c'}}}},'policy':{}}",
      "3:126: policy.featureset: missing; expected the name of one of the "
      "featuresets" },
};

static void
test_popularity(void)
{
    struct intent_config *c;

    c = good_config(HEAD, "'popularity':{'item':'t'}", "}");
    ok(c->popularity.enabled, "on");
    is_int(c->popularity.item, 1, "item");
    is_int(c->popularity.by, -1, "no categories");
    is_int(c->popularity.half_life_ms, 6 * 3600000, "default half-life");
    is_int(c->popularity.keep, 100, "default of items kept");
    is_int(c->popularity.categories, 256, "default of categories");
    intent_config_free(c);

    c = good_config(TWO, "{'dataset':'D','item':'t','by':'u','half_life':"
                    "'1m','keep':1000,'categories':4096}", "}");
    is_int(c->popularity.dataset, 0, "dataset");
    is_int(c->popularity.by, 0, "categories");
    is_int(c->popularity.half_life_ms, 60000, "half-life");
    is_int(c->popularity.keep, 1000, "items kept");
    is_int(c->popularity.categories, 4096, "categories kept");
    intent_config_free(c);

    c = good_config(HEAD, "'host':'h'", "}");
    ok(!c->popularity.enabled && !c->policy.enabled, "off without a section");
    intent_config_free(c);
}

static void
test_policy(void)
{
    struct intent_config *c;
    const struct model_policy *p;

    c = good_config(HEAD PIPE FEATURES, "'popularity':{'item':'t'},'policy':{"
                    "'ctas':[{'id':'book/now:1.x_y-Z','when':'band == `hi` &&"
                    " score > 0.5'},{'id':'p','when':'true','items':32}],"
                    "'bands':[{'id':'hi','when':'score > 0.5 || a > 1.0'},"
                    "{'id':'hi','when':'x == 2.0'}],"
                    "'score':'x > 1.0 ? 1 : 0','featureset':'F'}", "}");
    p = &c->policy;
    ok(p->enabled, "on");
    ok(intent_has_policy(c), "and by the public function");
    is_int(p->featureset, 0, "featureset");
    ok(p->score != NULL, "score");
    is_int(p->n_bands, 2, "bands");
    is_str(p->bands[0].id, "hi", "a band's id");
    ok(expr_uses(p->bands[0].when, 4) && !expr_uses(p->bands[1].when, 4),
       "score stands behind the features");
    is_int(p->n_ctas, 2, "ctas");
    is_str(p->ctas[0].id, "book/now:1.x_y-Z", "a cta's id");
    ok(expr_uses(p->ctas[0].when, 5), "band stands behind the score");
    is_int(p->ctas[0].items, 0, "no items");
    is_int(p->ctas[1].items, 32, "items");
    intent_config_free(c);

    c = good_config(POLICY, "{}", "}");
    ok(c->policy.enabled && c->policy.score == NULL && c->policy.n_bands == 0
       && c->policy.n_ctas == 0, "nothing in it is needed");
    intent_config_free(c);

    c = good_config(POLICY, "{'bands':[],'ctas':[]}", "}");
    ok(c->policy.n_bands == 0 && c->policy.n_ctas == 0, "lists may be empty");
    intent_config_free(c);
}

/* A policy must be able to say something of a visitor of whom nothing is
 * known: every feature may be null in it, even a count. */
static void
test_null_features(void)
{
    struct intent_config *c;

    c = good_config(POLICY, "{'bands':[{'id':'a','when':'c == null'},"
                    "{'id':'b','when':'u == null'}]}", "}");
    is_int(c->policy.n_bands, 2, "comparing a count with null is allowed");
    intent_config_free(c);
}

static void
test_bounds(void)
{
    static const struct {
        const char *list, *item;
        int n;
        const char *says;
    } rows[] = {
        { "bands", "{'id':'b','when':'true'}", 17,
          "4:19: policy.bands: found 17; expected at most 16" },
        { "ctas", "{'id':'b','when':'true'}", 33,
          "4:18: policy.ctas: found 33; expected at most 32" },
    };
    struct intent_config *c;
    char text[2048];
    size_t i, at;
    int k;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bad_config row = { text, rows[i].says };

        at = (size_t) snprintf(text, sizeof(text), "{'%s':[", rows[i].list);
        for (k = 0; k < rows[i].n; k++) {
            at += (size_t) snprintf(text + at, sizeof(text) - at, "%s%s",
                                    k == 0 ? "" : ",", rows[i].item);
        }
        snprintf(text + at, sizeof(text) - at, "]}");
        bad_config(POLICY, &row, "}");
        snprintf(text + at - strlen(rows[i].item) - 1,
                 sizeof(text) - at, "]}");
        c = good_config(POLICY, text, "}");
        is_int(c->policy.n_bands + c->policy.n_ctas, rows[i].n - 1,
               "as many %s as there may be", rows[i].list);
        intent_config_free(c);
    }
}

int
main(void)
{
    BAD_CONFIGS(HEAD "'popularity':", bad_popularity, "}");
    BAD_CONFIGS(TWO, bad_choices, "}");
    BAD_CONFIGS(POLICY, bad_policies, "}");
    BAD_CONFIGS("", bad_wholes, "");
    test_popularity();
    test_policy();
    test_null_features();
    test_bounds();

    return done_testing();
}
