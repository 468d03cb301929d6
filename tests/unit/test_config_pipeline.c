/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/signal/config_pipeline.h"

#include "config_case.h"

/* One aggregate, on a line of its own. */
#define ONE HEAD "'pipelines':{'P':{'from':'D','group_by':'u'," \
    "'aggregate':{\n'x':"

static const struct bad_config bad_pipelines[] = {
    { "{}",
      "2:13: pipelines: found an empty object; expected an object with a "
      "name for each pipeline" },
    { "[]",
      "2:13: pipelines: found an empty list; expected an object with a name "
      "for each pipeline" },
    { "null",
      "2:13: pipelines: found null; expected an object with a name for each "
      "pipeline" },
    { "{'P':{}}",
      "2:18: pipelines.P.from: missing; expected a dataset" },
    { "{'P.x':{}}",
      "2:14: pipelines.P.x: not a name; expected a letter or _, then letters,"
      " digits and _" },
    { "{'P':{'from':'E'}}",
      "2:26: pipelines.P.from: unknown dataset \"E\"; expected D" },
    { "{'P':{'from':1}}",
      "2:26: pipelines.P.from: found the number 1; expected a string: the "
      "name of a dataset" },
    { "{'P':{'from':'D'}}",
      "2:18: pipelines.P.group_by: missing; expected a string field of the "
      "dataset, such as its key" },
    { "{'P':{'from':'D','group_by':'x'}}",
      "2:41: pipelines.P.group_by: unknown field \"x\"; expected u, t, n, i "
      "or b" },
    { "{'P':{'from':'D','group_by':'n'}}",
      "2:41: pipelines.P.group_by: the field \"n\" is no string; expected a "
      "field of type string" },
    { "{'P':{'from':'D','group_by':'u','exact':1}}",
      "2:53: pipelines.P.exact: found the number 1; expected true or false" },
    { "{'P':{'from':'D','group_by':'u','max_events':15}}",
      "2:58: pipelines.P.max_events: found the number 15; expected an "
      "integer from 16 to 4096" },
    { "{'P':{'from':'D','group_by':'u','max_events':4097}}",
      "2:58: pipelines.P.max_events: found the number 4097; expected an "
      "integer from 16 to 4096" },
    { "{'P':{'from':'D','group_by':'u'}}",
      "2:18: pipelines.P.aggregate: missing; expected an object with what is "
      "to be computed" },
    { "{'P':{'from':'D','group_by':'u','aggregate':{}}}",
      "2:57: pipelines.P.aggregate: found an empty object; expected an "
      "object with a name for each aggregate" },
    { "{'P':{'from':'D','group_by':'u','aggregate':{'true':{}}}}",
      "2:58: pipelines.P.aggregate.true: not a name; expected another name: "
      "expressions give this word a meaning" },
    { "{'P':{'from':'D','group_by':'u','agregate':{}}}",
      "2:45: pipelines.P.agregate: unknown key; expected from, group_by, "
      "exact, max_events or aggregate; did you mean \"aggregate\"?" },
};

static const struct bad_config bad_aggregates[] = {
    { "1",
      "3:5: pipelines.P.aggregate.x: found the number 1; expected an object "
      "{ ... }" },
    { "{}",
      "3:5: pipelines.P.aggregate.x.op: missing; expected an operation, such "
      "as \"count\"" },
    { "{'op':'sun','window':'1h'}",
      "3:11: pipelines.P.aggregate.x.op: unknown operation \"sun\"; expected "
      "count, sum, avg, min, max, last or last_k; did you mean \"sum\"?" },
    { "{'op':'COUNT','window':'1h'}",
      "3:11: pipelines.P.aggregate.x.op: unknown operation \"COUNT\"; "
      "expected count, sum, avg, min, max, last or last_k" },
    { "{'op':1,'window':'1h'}",
      "3:11: pipelines.P.aggregate.x.op: found the number 1; expected a "
      "string: the name of a operation" },
    { "{'op':'count'}",
      "3:5: pipelines.P.aggregate.x.window: missing; expected a duration, "
      "such as \"1h\"" },
    { "{'op':'count','window':'0s'}",
      "3:28: pipelines.P.aggregate.x.window: found \"0s\"; expected 1s to "
      "366d" },
    { "{'op':'count','window':'999ms'}",
      "3:28: pipelines.P.aggregate.x.window: found \"999ms\"; expected 1s to "
      "366d" },
    { "{'op':'count','window':'367d'}",
      "3:28: pipelines.P.aggregate.x.window: found \"367d\"; expected 1s to "
      "366d" },
    { "{'op':'count','window':3600}",
      "3:28: pipelines.P.aggregate.x.window: found the number 3600; expected "
      "a duration such as \"90m\": digits and one of ms, s, m, h, d" },
    { "{'op':'count','window':'1 h'}",
      "3:28: pipelines.P.aggregate.x.window: found \"1 h\"; expected a "
      "duration such as \"90m\": digits and one of ms, s, m, h, d" },
    { "{'op':'count','windows':'1h'}",
      "3:19: pipelines.P.aggregate.x.windows: unknown key; expected op, of, "
      "window, where or k; did you mean \"window\"?" },
    { "{'op':'count','of':'n','window':'1h'}",
      "3:19: pipelines.P.aggregate.x.of: found in a count, which counts "
      "events; expected it to be left out" },
    { "{'op':'sum','window':'1h'}",
      "3:5: pipelines.P.aggregate.x.of: missing; expected a field" },
    { "{'op':'sum','of':'nn','window':'1h'}",
      "3:22: pipelines.P.aggregate.x.of: unknown field \"nn\"; expected u, t,"
      " n, i or b" },
    { "{'op':'sum','of':'t','window':'1h'}",
      "3:22: pipelines.P.aggregate.x.of: the field \"t\" is of type string, "
      "which sum does not take; expected double or int" },
    { "{'op':'max','of':'b','window':'1h'}",
      "3:22: pipelines.P.aggregate.x.of: the field \"b\" is of type bool, "
      "which max does not take; expected double or int" },
    { "{'op':'last','of':'b','window':'1h'}",
      "3:23: pipelines.P.aggregate.x.of: the field \"b\" is of type bool, "
      "which last does not take; expected double, int or string" },
    { "{'op':'last_k','of':'t','window':'1h'}",
      "3:5: pipelines.P.aggregate.x.k: missing; expected how many values to "
      "keep, such as 10" },
    { "{'op':'last_k','of':'t','window':'1h','k':65}",
      "3:47: pipelines.P.aggregate.x.k: found the number 65; expected an "
      "integer from 1 to 64" },
    { "{'op':'last_k','of':'t','window':'1h','k':0}",
      "3:47: pipelines.P.aggregate.x.k: found the number 0; expected an "
      "integer from 1 to 64" },
    { "{'op':'count','window':'1h','k':2}",
      "3:33: pipelines.P.aggregate.x.k: found with count; expected it with "
      "last_k only" },
    { "{'op':'count','window':'1h','where':1}",
      "3:41: pipelines.P.aggregate.x.where: found the number 1; expected an "
      "expression in a string" },
    { "{'op':'count','window':'1h','where':'n'}",
      "3:41: pipelines.P.aggregate.x.where: the expression is null or "
      "double; expected a condition: true or false" },
    { "{'op':'count','window':'1h','where':'null'}",
      "3:41: pipelines.P.aggregate.x.where: the expression is null; expected "
      "a condition: true or false" },
    { "{'op':'count','window':'1h','where':'t == `view` && nn > 1.0'}",
      "3:57: pipelines.P.aggregate.x.where: " },
    { "{'op':'count','window':'1h','where':'t ==\\n \\'view\\' && nn > 1.0'}",
      "3:61: pipelines.P.aggregate.x.where: " },
    { "{'op':'count','window':'1h','where':'t == `\\u00e9\\ud83d\\ude00` && "
      "nn > 1.0'}",
      "3:71: pipelines.P.aggregate.x.where: " },
    { "{'op':'count','window':'1h','where':'t == `\303\251` && nn > 1.0'}",
      "3:55: pipelines.P.aggregate.x.where: " },
    { "{'op':'count','window':'1h','where':'(t == `x`'}",
      "3:51: pipelines.P.aggregate.x.where: " },
    { "{'op':'count','window':'1h','where':''}",
      "3:42: pipelines.P.aggregate.x.where: " },
    { "{'op':'count','window':'1h','where':'b && t > 2'}",
      "3:49: pipelines.P.aggregate.x.where: " },
};

static void
test_pipeline(void)
{
    struct intent_config *c;
    const struct model_pipeline *p;

    c = good_config(HEAD, "'pipelines':{'P':{'from':'D','group_by':'u',"
                    "'aggregate':{'c':{'op':'count','window':'1s'}}},"
                    "'Q':{'from':'D','group_by':'t','exact':true,"
                    "'max_events':4096,'aggregate':{'c':{'op':'count',"
                    "'window':'366d'}}}}", "}");
    is_int(c->n_pipelines, 2, "two pipelines");
    p = c->pipelines;
    is_str(p->name, "P", "name");
    is_int(p->dataset, 0, "dataset");
    is_int(p->group_by, 0, "key");
    is_int(p->max_events, 512, "default bound of exactness");
    ok(!p->exact, "coalescing by default");
    is_int(p->aggregates[0].window_ms, 1000, "the narrowest window");
    p++;
    is_str(p->name, "Q", "name");
    is_int(p->group_by, 1, "another key");
    is_int(p->max_events, 4096, "greatest bound");
    ok(p->exact, "exact");
    is_int(p->aggregates[0].window_ms, 366 * 86400000LL, "the widest window");
    intent_config_free(c);

    c = good_config("{'zone':{'path':'z','size':'4m'},",
                    "'datasets':{'D':{'key':'u'}}", "}");
    is_int(c->n_pipelines, 0, "there need not be any");
    is_int(c->n_tables, 0, "nor tables then");
    intent_config_free(c);
}

static void
test_aggregates(void)
{
    static const struct {
        const char *json;
        enum model_op op;
        int of, k;
        bool where;
    } rows[] = {
        { "{'op':'count','window':'1h'}", MODEL_COUNT, -1, 0, false },
        { "{'op':'sum','of':'n','window':'1h'}", MODEL_SUM, 2, 0, false },
        { "{'op':'avg','of':'i','window':'1h'}", MODEL_AVG, 3, 0, false },
        { "{'op':'min','of':'n','window':'1h'}", MODEL_MIN, 2, 0, false },
        { "{'op':'max','of':'n','window':'1h'}", MODEL_MAX, 2, 0, false },
        { "{'op':'last','of':'t','window':'1h'}", MODEL_LAST, 1, 0, false },
        { "{'op':'last','of':'i','window':'1h'}", MODEL_LAST, 3, 0, false },
        { "{'op':'last_k','of':'t','window':'1h','k':64}", MODEL_LAST_K, 1,
          64, false },
        { "{'op':'last_k','of':'u','window':'1h','k':1}", MODEL_LAST_K, 0, 1,
          false },
        { "{'where':'b','window':'1h','op':'count'}", MODEL_COUNT, -1, 0,
          true },
        { "{'where':'t == `view` && default(n, 0.0) > 1.5 && i != 3',"
          "'window':'1h','op':'sum','of':'n'}", MODEL_SUM, 2, 0, true },
    };
    struct intent_config *c;
    const struct model_aggregate *a;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        c = good_config(ONE, rows[i].json, "}}}}");
        a = c->pipelines[0].aggregates;
        is_str(a->name, "x", "name");
        is_int(a->op, rows[i].op, "operation");
        is_int(a->of, rows[i].of, "field");
        is_int(a->k, rows[i].k, "k");
        is_int(a->window_ms, 3600000, "window");
        ok((a->where != NULL) == rows[i].where
           && (a->where_text != NULL) == rows[i].where, "where");
        intent_config_free(c);
    }
}

/* Windows, fields and conditions of one table are bounded: the plan says so
 * and the loader says where. */
static void
test_plan_bound(void)
{
    struct bad_config row = {
        NULL, "2:13: pipelines: too many different windows in the pipelines "
        "of one dataset and group_by; expected at most 16"
    };
    char text[2048];
    size_t at;
    int i;

    at = (size_t) snprintf(text, sizeof(text), "{'P':{'from':'D','group_by':"
                           "'u','aggregate':{");
    for (i = 1; i <= 17; i++) {
        at += (size_t) snprintf(text + at, sizeof(text) - at,
                                "%s'c%d':{'op':'count','window':'%dh'}",
                                i == 1 ? "" : ",", i, i);
    }
    snprintf(text + at, sizeof(text) - at, "}}}");
    row.json = text;
    bad_config(HEAD "'pipelines':", &row, "}");
}

int
main(void)
{
    BAD_CONFIGS(HEAD "'pipelines':", bad_pipelines, "}");
    BAD_CONFIGS(ONE, bad_aggregates, "}}}}");
    test_pipeline();
    test_aggregates();
    test_plan_bound();

    return done_testing();
}
