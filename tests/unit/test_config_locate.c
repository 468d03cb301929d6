/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/signal/config_locate.h"

#include <stdlib.h>

#include <jansson.h>

#include "tap.h"

#define KEY(name) { .key = (name) }
#define ITEM(i) { .index = (i) }

static const char text[] =
    "{\n"                                                   /* 1 */
    "  \"a\": {\"b\" : [10, {\"c\":\"x\"}, []]},\n"         /* 2 */
    "  \"e\\\"s\": \"{[,]}\\\\\", \"\\u00e9\\t\" :true,\n"  /* 3 */
    "\t\"\xf0\x9f\x98\x80\": {\n"                           /* 4 */
    "    \"aa\":1,\"a\":2}\n"                               /* 5 */
    "}";

static void
at(const struct locate_step *steps, size_t n, bool found, const char *key,
   const char *value, const char *what)
{
    size_t len = sizeof(text) - 1;
    char *exact = malloc(len);
    struct locate_place place;
    bool got;

    memcpy(exact, text, len);
    got = locate_value(exact, len, steps, n, &place);
    ok(got == found, "%s: %s", what, found ? "there" : "not there");
    is_int(place.key, strstr(text, key) - text, "%s: key", what);
    is_int(place.value, strstr(text, value) - text, "%s: value", what);
    free(exact);
}

#define AT(found, key, value, what, ...)                                      \
    do {                                                                      \
        const struct locate_step s_[] = { __VA_ARGS__ };                      \
        at(s_, sizeof(s_) / sizeof(s_[0]), found, key, value, what);          \
    } while (0)

static void
test_values(void)
{
    at(NULL, 0, true, "{\n", "{\n", "the top");
    AT(true, "\"a\": {", "{\"b\"", "a member", KEY("a"));
    AT(true, "\"b\"", "[10", "a member of a member", KEY("a"), KEY("b"));
    AT(true, "10", "10", "a first item", KEY("a"), KEY("b"), ITEM(0));
    AT(true, "[]", "[]", "a last item", KEY("a"), KEY("b"), ITEM(2));
    AT(true, "\"c\"", "\"x\"", "a member of an item", KEY("a"), KEY("b"),
       ITEM(1), KEY("c"));
    AT(true, "\"e\\\"s\"", "\"{[,]}", "a key with a quote", KEY("e\"s"));
    AT(true, "\"\\u00e9", "true", "a key with escapes", KEY("\303\251\t"));
    AT(true, "\"\xf0\x9f", "{\n    \"aa\"", "a key that is no ASCII",
       KEY("\xf0\x9f\x98\x80"));
    AT(true, "\"a\":2", "2}", "not a key that begins alike",
       KEY("\xf0\x9f\x98\x80"), KEY("a"));

    AT(false, "{\n", "{\n", "no such key", KEY("b"));
    AT(false, "{\n", "{\n", "half a key", KEY("e"));
    AT(false, "\"b\"", "[10", "no such item", KEY("a"), KEY("b"), ITEM(3));
    AT(false, "\"b\"", "[10", "a key in a list", KEY("a"), KEY("b"),
       KEY("c"));
    AT(false, "\"a\": {", "{\"b\"", "an item of an object", KEY("a"), ITEM(0));
    AT(false, "10", "10", "into a number", KEY("a"), KEY("b"), ITEM(0),
       KEY("x"));
}

/* Each decoded byte of a string, found in its JSON. */
static void
test_in_string(void)
{
    static const char json[] = "{\"s\":\"a\\n\\u0041\\u00e9\\ud83d\\ude00"
                               "\303\251\\\\z\"}";
    static const struct {
        size_t nth, offset;
    } rows[] = {
        { 0, 6 }, { 1, 7 }, { 2, 9 }, { 3, 15 }, { 4, 15 }, { 5, 21 },
        { 8, 21 }, { 9, 33 }, { 10, 34 }, { 11, 35 }, { 12, 37 },
        { 13, 38 }, { 14, 38 }, { 1000, 38 },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_int(locate_in_string(json, sizeof(json) - 1, 5, rows[i].nth),
               rows[i].offset, "byte %zu of a string", rows[i].nth);
    }
}

static void
test_token(void)
{
    static const struct {
        const char *text;
        size_t end, start;
    } rows[] = {
        { "{\"a\": tru}", 9, 6 },
        { "{\"a\": tru}", 7, 6 },
        { "{\"a\"  1}", 7, 6 },
        { "{\"a\\\"b\": 1, }", 13, 12 },
        { "{\"open", 6, 1 },
        { "{\"open\n\"x\"}", 6, 1 },
        { "{\"esc\\", 6, 1 },
        { "", 0, 0 },
        { "   ", 3, 3 },
        { "{", 100, 0 },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_int(locate_token(rows[i].text, strlen(rows[i].text), rows[i].end),
               rows[i].start, "token before %zu of %s", rows[i].end,
               rows[i].text);
    }
}

static void
test_path(void)
{
    static const struct {
        const char *before;        /* the offset is its end */
        const char *path;
    } rows[] = {
        { "", "" },
        { "{", "" },
        { "{\"a\"", "a" },
        { "{\"a\":", "a" },
        { "{\"a\":1", "a" },
        { "{\"a\":1,", "" },
        { "{\"a\":\"b\"", "a" },
        { "{\"a\":{\"b\":[", "a.b[0]" },
        { "{\"a\":{\"b\":[1,2,", "a.b[2]" },
        { "{\"a\":{\"b\":[1,{\"x\":1},{\"y\":", "a.b[2].y" },
        { "{\"a\":{\"b\":[1,{\"x\":1}]", "a.b" },
        { "{\"a\":{\"b\":[1,{\"x\":1}]}", "a" },
        { "{\"a\":{\"b\":[1,{\"x\":1}]},\"z\":", "z" },
        { "[[[", "[0][0][0]" },
        { "]}", "" },
        { "{\"a\":{\"k\n", "a.k" },
        { "{\"\\u001b\":", "\\u001b" },
        { "[[[[[[[[[[[[[[[[[[[[", "[0][0][0][0][0][0][0][0][0][0][0][0]" },
    };
    char path[64], longer[256];
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        locate_path(rows[i].before, strlen(rows[i].before), path,
                    sizeof(path));
        is_str(path, rows[i].path, "path at the end of %s", rows[i].before);
    }

    snprintf(longer, sizeof(longer), "{\"%0100d\":{\"%050d\":", 0, 0);
    locate_path(longer, strlen(longer), path, sizeof(path));
    is_int(strlen(path), sizeof(path) - 1, "a long path is cut to size");
}

static void
test_line(void)
{
    int line, column;

    locate_line("ab\ncd\r\n\nx", 0, &line, &column);
    ok(line == 1 && column == 1, "the first byte");
    locate_line("ab\ncd\r\n\nx", 4, &line, &column);
    ok(line == 2 && column == 2, "in a line");
    locate_line("ab\ncd\r\n\nx", 8, &line, &column);
    ok(line == 4 && column == 1, "behind an empty line");
    locate_line("ab\ncd\r\n\nx", 9, &line, &column);
    ok(line == 4 && column == 2, "the end");
}

/* Every value of a text, by the way that the parser found it. */
static int
walk(const char *json_text, size_t len, json_t *json,
     struct locate_step *steps, size_t depth, int *bad)
{
    struct locate_place place;
    const char *key;
    json_t *value, *again;
    json_error_t error;
    size_t i;
    int n = 1;

    if (!locate_value(json_text, len, steps, depth, &place)) {
        ++*bad;
        return n;
    }
    again = json_loadb(json_text + place.value, len - place.value,
                       JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &error);
    *bad += !json_equal(json, again);
    json_decref(again);

    json_object_foreach(json, key, value) {
        steps[depth] = (struct locate_step) { .key = key };
        n += walk(json_text, len, value, steps, depth + 1, bad);
    }
    json_array_foreach(json, i, value) {
        steps[depth] = (struct locate_step) { .index = i };
        n += walk(json_text, len, value, steps, depth + 1, bad);
    }

    return n;
}

static void
test_example(void)
{
    static char example[65536];
    FILE *f = fopen("config/intent.json", "r");
    struct locate_step steps[16];
    json_error_t error;
    json_t *json;
    size_t len;
    int bad = 0, n;

    if (f == NULL) {
        ok(true, "the example # SKIP not run from the root of the tree");
        return;
    }
    len = fread(example, 1, sizeof(example), f);
    fclose(f);
    json = json_loadb(example, len, 0, &error);
    n = walk(example, len, json, steps, 0, &bad);
    is_int(bad, 0, "all %d values of the example are found", n);
    ok(n > 100, "and they are many");
    json_decref(json);
}

int
main(void)
{
    test_values();
    test_in_string();
    test_token();
    test_path();
    test_line();
    test_example();

    return done_testing();
}
