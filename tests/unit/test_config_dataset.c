/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/signal/config_dataset.h"

#include "config_case.h"

#define ZONE "{'zone':{'path':'z','size':'4m'},\n'datasets':"

static const struct bad_config bad[] = {
    { "[]",
      "2:12: datasets: found an empty list; expected an object with a name "
      "for each dataset" },
    { "{}",
      "2:12: datasets: found an empty object; expected an object with a name "
      "for each dataset" },
    { "{'D':1}",
      "2:17: datasets.D: found the number 1; expected an object { ... }" },
    { "{'D':{}}",
      "2:17: datasets.D.key: missing; expected the field that says whose an "
      "event is, such as \"user_id\"" },
    { "{'D':{'key':'u','fields':[]}}",
      "2:37: datasets.D.fields: found an empty list; expected an object with "
      "a type for each field" },
    { "{'D-x':{'key':'u'}}",
      "2:13: datasets.D-x: not a name; expected a letter or _, then letters, "
      "digits and _" },
    { "{'':{'key':'u'}}",
      "2:13: datasets.: not a name; expected a letter or _, then letters, "
      "digits and _" },
    { "{'null':{'key':'u'}}",
      "2:13: datasets.null: not a name; expected another name: expressions "
      "give this word a meaning" },
    { "{'ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd':{"
      "'key':'u'}}",
      "2:13: datasets.ddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
      "dddddddddd: not a name; expected a name of at most 64 bytes" },
    { "{'D':{'key':'a b'}}",
      "2:24: datasets.D.key: found \"a b\"; expected a letter or _, then "
      "letters, digits and _" },
    { "{'D':{'key':''}}",
      "2:24: datasets.D.key: found \"\"; expected a letter or _, then "
      "letters, digits and _" },
    { "{'D':{'key':1}}",
      "2:24: datasets.D.key: found the number 1; expected a field's name" },
    { "{'D':{'key':'n','fields':{'n':'int'}}}",
      "2:24: datasets.D.key: the field \"n\" is no string; expected a field "
      "of type string" },
    { "{'D':{'key':'u','fields':{'x':'str'}}}",
      "2:42: datasets.D.fields.x: unknown type \"str\"; expected string, "
      "double, int or bool" },
    { "{'D':{'key':'u','fields':{'x':'strin'}}}",
      "2:42: datasets.D.fields.x: unknown type \"strin\"; expected string, "
      "double, int or bool; did you mean \"string\"?" },
    { "{'D':{'key':'u','fields':{'x':1}}}",
      "2:42: datasets.D.fields.x: found the number 1; expected a string: the "
      "name of a type" },
    { "{'D':{'key':'u','fields':{'x y':'int'}}}",
      "2:38: datasets.D.fields.x y: not a name; expected a letter or _, then "
      "letters, digits and _" },
    { "{'D':{'key':'u','fields':{'timestamp':'int'}}}",
      "2:38: datasets.D.fields.timestamp: this is the timestamp already; "
      "expected other fields only: remove it here" },
    { "{'D':{'key':'u','timestamp':'at','fields':{'at':'int'}}}",
      "2:55: datasets.D.fields.at: this is the timestamp already; expected "
      "other fields only: remove it here" },
    { "{'D':{'key':'u','fields':{'seq':'int'}}}",
      "2:38: datasets.D.fields.seq: the server sets \"seq\" itself; expected "
      "another name" },
    { "{'D':{'key':'u','fields':{'visitor_id':'string'}}}",
      "2:38: datasets.D.fields.visitor_id: the server sets \"visitor_id\" "
      "itself; expected another name" },
    { "{'D':{'key':'u','timestamp':'u'}}",
      "2:40: datasets.D.timestamp: found the key's name; expected another "
      "member" },
    { "{'D':{'key':'timestamp'}}",
      "2:17: datasets.D.timestamp: found the key's name; expected another "
      "member" },
    { "{'D':{'key':'u','timestamp':'1'}}",
      "2:40: datasets.D.timestamp: found \"1\"; expected a letter or _, then "
      "letters, digits and _" },
    { "{'D':{'key':'u','max_lateness':'1w'}}",
      "2:43: datasets.D.max_lateness: found \"1w\"; expected a duration such "
      "as \"90m\": digits and one of ms, s, m, h, d" },
    { "{'D':{'key':'u','max_lateness':'367d'}}",
      "2:43: datasets.D.max_lateness: found \"367d\"; expected 0 to 366d" },
    { "{'D':{'key':'u','max_future':60}}",
      "2:41: datasets.D.max_future: found the number 60; expected a duration "
      "such as \"90m\": digits and one of ms, s, m, h, d" },
    { "{'D':{'key':'u','max_latenes':'1h'}}",
      "2:28: datasets.D.max_latenes: unknown key; expected key, timestamp, "
      "max_lateness, max_future or fields; did you mean \"max_lateness\"?" },
};

static void
test_defaults(void)
{
    struct intent_config *c = good_config(ZONE, "{'D':{'key':'u'}}", "}");
    const struct model_dataset *d = c->datasets;

    is_int(c->n_datasets, 1, "one dataset");
    is_str(d->name, "D", "its name");
    is_str(d->timestamp, "timestamp", "default timestamp");
    is_int(d->max_lateness_ms, 3600000, "default lateness");
    is_int(d->max_future_ms, 300000, "default future");
    is_int(d->n_fields, 1, "the key is a field");
    is_str(d->fields[0].name, "u", "by its name");
    is_int(d->fields[0].kind, INTENT_STRING, "a string");
    is_int(d->key, 0, "and the key");
    is_int(d->type, -1, "no event_type");
    intent_config_free(c);
}

static void
test_fields(void)
{
    struct intent_config *c;
    const struct model_dataset *d;

    c = good_config(ZONE, "{'D':{'fields':{'price':'double','event_type':"
                    "'string','n':'int','user_id':'string','ok':'bool'},"
                    "'key':'user_id','timestamp':'at','max_lateness':'0s',"
                    "'max_future':'366d'}}", "}");
    d = c->datasets;
    is_int(d->n_fields, 5, "a declared key is not there twice");
    is_int(d->key, 3, "it stands where it was declared");
    is_int(d->type, 1, "event_type is known");
    is_int(d->fields[0].kind, INTENT_DOUBLE, "double");
    is_int(d->fields[1].kind, INTENT_STRING, "string");
    is_int(d->fields[2].kind, INTENT_INT, "int");
    is_int(d->fields[4].kind, INTENT_BOOL, "bool");
    is_str(d->timestamp, "at", "another timestamp");
    is_int(d->max_lateness_ms, 0, "nothing may be late");
    is_int(d->max_future_ms, 366 * 86400000LL, "a year ahead");
    intent_config_free(c);

    c = good_config(ZONE, "{'D':{'key':'visitor_id','fields':{'event_type':"
                    "'int','timestamp2':'int'}}}", "}");
    is_int(c->datasets[0].type, -1, "an event_type that is no string");
    is_int(c->datasets[0].key, 0, "the visitor's id as key");
    intent_config_free(c);
}

/* Names f0, f1, ... with the same value. */
static char *
many(char *text, size_t size, int n, const char *value)
{
    size_t at = 0;
    int i;

    for (i = 0; i < n; i++) {
        at += (size_t) snprintf(text + at, size - at, "%s'f%d':%s",
                                i == 0 ? "" : ",", i, value);
    }

    return text;
}

static void
test_bounds(void)
{
    struct bad_config fields = { NULL, "2:37: datasets.D.fields: found 33 with "
                                 "the key; expected at most 32" };
    struct bad_config datasets = { NULL, "2:12: datasets: found 17; expected "
                                   "at most 16" };
    struct intent_config *c;
    char text[1024], all[1200];

    fields.json = many(text, sizeof(text), 32, "'int'");
    bad_config(ZONE "{'D':{'key':'u','fields':{", &fields, "}}}}");
    many(text, sizeof(text), 31, "'int'");
    c = good_config(ZONE "{'D':{'key':'u','fields':{", text, "}}}}");
    is_int(c->datasets[0].n_fields, INTENT_MAX_FIELDS, "as many as there may "
           "be");
    intent_config_free(c);

    snprintf(all, sizeof(all), "{%s}",
             many(text, sizeof(text), 17, "{'key':'u'}"));
    datasets.json = all;
    bad_config(ZONE, &datasets, "}");
    snprintf(all, sizeof(all), "{%s}",
             many(text, sizeof(text), 16, "{'key':'u'}"));
    c = good_config(ZONE, all, "}");
    is_int(c->n_datasets, MODEL_MAX_DATASETS, "as many datasets");
    is_str(c->datasets[15].name, "f15", "in the file's order");
    intent_config_free(c);
}

int
main(void)
{
    BAD_CONFIGS(ZONE, bad, "}");
    test_defaults();
    test_fields();
    test_bounds();

    return done_testing();
}
