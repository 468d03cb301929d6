/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/signal/config_read.h"

#include "config_case.h"

/* A configuration parsed by hand, to read single values of. */
struct fixture {
    struct intent_config *config;
    struct intent_error err;
    struct config_source source;
    struct config_node top;
    char *text;
};

static void
setup(struct fixture *f, const char *json)
{
    memset(f, 0, sizeof(*f));
    f->config = calloc(1, sizeof(*f->config));
    f->text = config_text("", json, "", &f->source.len);
    f->source.file = "c.json";
    f->source.text = f->text;
    f->source.config = f->config;
    f->source.err = &f->err;
    f->top.source = &f->source;
    f->top.json = json_loadb(f->text, f->source.len, 0, NULL);
}

static void
teardown(struct fixture *f)
{
    json_decref(f->top.json);
    intent_config_free(f->config);
    free(f->text);
}

static void
test_names(void)
{
    static const struct {
        const char *json;          /* one member: its key is the name */
        bool any, lower;
    } rows[] = {
        { "{'a':1}", true, true },
        { "{'a_1b':1}", true, true },
        { "{'_a':1}", true, false },
        { "{'_':1}", true, false },
        { "{'Ab':1}", true, false },
        { "{'aB':1}", true, false },
        { "{'':1}", false, false },
        { "{'1a':1}", false, false },
        { "{'a-b':1}", false, false },
        { "{'a.b':1}", false, false },
        { "{'a b':1}", false, false },
        { "{'a\303\251':1}", false, false },
        { "{'true':1}", false, false },
        { "{'in':1}", false, false },
        { "{'inn':1}", true, true },
        { "{'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "':1}", true, true },
        { "{'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "':1}", false, false },
    };
    struct fixture f;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config_node member;
        const char *name = NULL;
        int rc;

        setup(&f, rows[i].json);
        member = config_member(&f.top,
                               json_object_iter_key(
                                   json_object_iter(f.top.json)));
        rc = config_name(&member, false, &name);
        is_int(rc, rows[i].any ? 0 : -EINVAL, "%.30s as a name",
               rows[i].json);
        ok(rc != 0 || strcmp(name, member.key) == 0, "copied");
        is_int(config_name(&member, true, &name),
               rows[i].lower ? 0 : -EINVAL, "%.30s as a feature's name",
               rows[i].json);
        teardown(&f);
    }
}

static void
test_numbers(void)
{
    static const struct {
        const char *json;
        int rc, value;
    } rows[] = {
        { "[5]", 0, 5 }, { "[-3]", 0, -3 }, { "[5.0]", 0, 5 },
        { "[1e1]", 0, 10 }, { "[10]", 0, 10 }, { "[11]", -EINVAL, 0 },
        { "[-4]", -EINVAL, 0 }, { "[5.5]", -EINVAL, 0 },
        { "[1e300]", -EINVAL, 0 }, { "[-1e300]", -EINVAL, 0 },
        { "[9223372036854775807]", -EINVAL, 0 }, { "['5']", -EINVAL, 0 },
        { "[true]", -EINVAL, 0 }, { "[null]", -EINVAL, 0 },
        { "[]", 0, 77 },           /* absent: the default stays */
    };
    struct fixture f;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config_node item;
        int value = 77;

        setup(&f, rows[i].json);
        item = config_item(&f.top, 0);
        is_int(config_int(&item, -3, 10, &value), rows[i].rc, "integer %s",
               rows[i].json);
        is_int(value, rows[i].rc == 0 ? rows[i].value : 77, "its value");
        teardown(&f);
    }
}

static void
test_defaults(void)
{
    struct fixture f;
    struct config_node absent;
    int64_t ms = 1;
    uint64_t bytes = 2;
    bool flag = true;
    const char *text = "default";
    int choice = 3;

    setup(&f, "{}");
    absent = config_member(&f.top, "x");
    is_int(config_duration(&absent, 5, 6, &ms), 0, "no duration");
    is_int(config_size(&absent, 5, 6, &bytes), 0, "no size");
    is_int(config_bool(&absent, &flag), 0, "no flag");
    is_int(config_string(&absent, 5, "text", &text), 0, "no string");
    is_int(config_name_value(&absent, "a name", &text), 0, "no name");
    is_int(config_choice(&absent, "thing", (struct config_names) { 0 },
                         &choice), 0, "no choice");
    ok(ms == 1 && bytes == 2 && flag && strcmp(text, "default") == 0
       && choice == 3, "and every default stays");
    teardown(&f);
}

/* The bounds of a range are in it, and are said in the units of people. */
static void
test_ranges(void)
{
    static const struct {
        const char *json;
        int64_t min, max;
        const char *says;
    } rows[] = {
        { "['1s']", 1000, 5000, NULL },
        { "['5000ms']", 1000, 5000, NULL },
        { "['999ms']", 1000, 90000, "1s to 90s" },
        { "['2d']", 0, 86400000, "0 to 1d" },
        { "['0s']", 1, 3600000, "1ms to 1h" },
        { "['1s']", 120000, 129600000, "2m to 36h" },
    };
    struct fixture f;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config_node item;
        char says[128];
        int64_t ms;

        setup(&f, rows[i].json);
        item = config_item(&f.top, 0);
        is_int(config_duration(&item, rows[i].min, rows[i].max, &ms),
               rows[i].says == NULL ? 0 : -EINVAL, "duration %s",
               rows[i].json);
        if (rows[i].says != NULL) {
            snprintf(says, sizeof(says), "c.json:1:2: [0]: found \"%.*s\"; "
                     "expected %s", (int) strlen(rows[i].json) - 4,
                     rows[i].json + 2, rows[i].says);
            is_str(f.err.text, says, "refused");
        }
        teardown(&f);
    }
}

/* Keys of the file are shown so that they can do no harm. */
static void
test_shown_keys(void)
{
    struct fixture f;
    struct config_node list, item, member;

    setup(&f, "{'\\u001b[2J':[{'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa':1}]}");
    list = config_member(&f.top, "\033[2J");
    item = config_item(&list, 0);
    member = config_member(&item, json_object_iter_key(
                                      json_object_iter(item.json)));
    is_int(config_expected(&member, "something"), -EINVAL, "refused");
    is_str(f.err.text, "c.json:1:104: \\x1b[2J[0].aaaaaaaaaaaaaaaaaaaaaaaaaaa"
           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...: found the number 1; "
           "expected something", "escaped and cut");
    teardown(&f);
}

int
main(void)
{
    test_names();
    test_numbers();
    test_defaults();
    test_ranges();
    test_shown_keys();

    return done_testing();
}
