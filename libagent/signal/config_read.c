/* SPDX-License-Identifier: Apache-2.0 */
#include "config_read.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/error.h"
#include "../base/timeparse.h"
#include "config_locate.h"
#include "config_suggest.h"

enum {
    MAX_STEPS = 8,                 /* the deepest key there is has 5 */
    MAX_PATH = 256,                /* of a key, as shown */
    MAX_FOUND = ERROR_SHOW + 16,
    MAX_TEXT = sizeof(((struct intent_error *) NULL)->text),
    MAX_NAME = 64
};

struct config_node
config_member(const struct config_node *object, const char *key)
{
    return (struct config_node) {
        .source = object->source, .parent = object, .key = key,
        .json = json_object_get(object->json, key)
    };
}

struct config_node
config_item(const struct config_node *list, size_t index)
{
    return (struct config_node) {
        .source = list->source, .parent = list, .index = index,
        .json = json_array_get(list->json, index)
    };
}

/* --- refusals ------------------------------------------------------------ */

/* From the top to the node: how many steps. */
static size_t
steps_to(const struct config_node *node, struct locate_step steps[MAX_STEPS])
{
    const struct config_node *p;
    size_t n = 0, at;

    for (p = node; p->parent != NULL; p = p->parent) {
        n++;
    }
    at = n;
    for (p = node; p->parent != NULL; p = p->parent) {
        if (--at < MAX_STEPS) {
            steps[at] = (struct locate_step) { p->key, p->index };
        }
    }

    return n < MAX_STEPS ? n : MAX_STEPS;
}

static void
path_of(const struct locate_step *steps, size_t n, char path[MAX_PATH])
{
    char shown[ERROR_SHOW];
    size_t at = 0, i;
    int used;

    path[0] = '\0';
    for (i = 0; i < n && at < MAX_PATH; i++) {
        if (steps[i].key != NULL) {
            used = snprintf(path + at, MAX_PATH - at, "%s%s",
                            i == 0 ? "" : ".",
                            error_show(shown, steps[i].key,
                                       strlen(steps[i].key)));
        } else {
            used = snprintf(path + at, MAX_PATH - at, "[%zu]",
                            steps[i].index);
        }
        at += used > 0 ? (size_t) used : 0;
    }
}

enum where { AT_VALUE, AT_KEY, IN_STRING };

static int
fail(const struct config_node *node, enum where where, size_t nth,
     const char *text)
{
    const struct config_source *source = node->source;
    struct locate_step steps[MAX_STEPS];
    char path[MAX_PATH];
    struct locate_place place;
    size_t n, offset;
    int line, column;

    n = steps_to(node, steps);
    locate_value(source->text, source->len, steps, n, &place);
    offset = where == AT_KEY ? place.key
             : where == AT_VALUE ? place.value
             : locate_in_string(source->text, source->len, place.value, nth);
    locate_line(source->text, offset, &line, &column);

    path_of(steps, n, path);
    error_at(source->err, source->file, line, column, "%s%s%s", path,
             n == 0 ? "" : ": ", text);

    return -EINVAL;
}

int
config_fail(const struct config_node *node, const char *format, ...)
{
    char text[MAX_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    return fail(node, AT_VALUE, 0, text);
}

int
config_fail_key(const struct config_node *node, const char *format, ...)
{
    char text[MAX_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    return fail(node, AT_KEY, 0, text);
}

int
config_fail_in(const struct config_node *node, size_t nth, const char *format,
               ...)
{
    char text[MAX_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    return fail(node, IN_STRING, nth, text);
}

static const char *
describe(const json_t *json, char buf[MAX_FOUND])
{
    char shown[ERROR_SHOW];

    switch (json_typeof(json)) {
    case JSON_STRING:
        snprintf(buf, MAX_FOUND, "\"%s\"",
                 error_show(shown, json_string_value(json),
                            json_string_length(json)));
        break;
    case JSON_INTEGER:
        snprintf(buf, MAX_FOUND, "the number %lld",
                 (long long) json_integer_value(json));
        break;
    case JSON_REAL:
        snprintf(buf, MAX_FOUND, "the number %g", json_real_value(json));
        break;
    case JSON_OBJECT:
        return json_object_size(json) == 0 ? "an empty object" : "an object";
    case JSON_ARRAY:
        return json_array_size(json) == 0 ? "an empty list" : "a list";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
    default:
        return "null";
    }

    return buf;
}

int
config_expected(const struct config_node *node, const char *expected)
{
    char found[MAX_FOUND];

    return config_fail(node, "found %s; expected %s",
                       describe(node->json, found), expected);
}

int
config_required(const struct config_node *object, const char *key,
                const char *expected, struct config_node *member)
{
    *member = config_member(object, key);

    return member->json != NULL ? 0
           : config_fail(member, "missing; expected %s", expected);
}

/* --- objects and lists --------------------------------------------------- */

static int
unknown_key(const struct config_node *member, const char *const *keys)
{
    struct config_names known = { keys, sizeof(*keys), 0 };
    char hint[SUGGEST_MAX];

    while (keys[known.n] != NULL) {
        known.n++;
    }

    return config_fail_key(member, "unknown key%s",
                           config_suggest(member->key, strlen(member->key),
                                          known, hint));
}

int
config_object(const struct config_node *node, const char *const *keys)
{
    struct config_node member;
    const char *key;
    json_t *value;
    int i;

    if (!json_is_object(node->json)) {
        return config_expected(node, "an object { ... }");
    }

    json_object_foreach(node->json, key, value) {
        for (i = 0; keys[i] != NULL && strcmp(key, keys[i]) != 0; i++) {
            /* void */
        }
        if (keys[i] == NULL) {
            member = config_member(node, key);
            return unknown_key(&member, keys);
        }
    }

    return 0;
}

int
config_named(const struct config_node *node, const char *what, int max)
{
    size_t n = json_object_size(node->json);

    if (!json_is_object(node->json) || n == 0) {
        char expected[64];

        snprintf(expected, sizeof(expected),
                 "an object with a name for each %s", what);
        return config_expected(node, expected);
    }
    if (n > (size_t) max) {
        return config_fail(node, "found %zu; expected at most %d", n, max);
    }

    return 0;
}

int
config_list(const struct config_node *node, int max)
{
    size_t n = json_array_size(node->json);

    if (!json_is_array(node->json)) {
        return config_expected(node, "a list [ ... ]");
    }
    if (n > (size_t) max) {
        return config_fail(node, "found %zu; expected at most %d", n, max);
    }

    return 0;
}

/* --- values -------------------------------------------------------------- */

const char *
config_copy(const struct config_source *source, const char *text, size_t len)
{
    char *copy = model_alloc(source->config, len + 1);

    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }

    return copy;
}

static bool
is_name(const char *s, bool lower)
{
    static const char chars[] = "abcdefghijklmnopqrstuvwxyz_0123456789"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t len = strlen(s);

    if (lower) {
        return s[0] >= 'a' && s[0] <= 'z'
               && strspn(s, chars) == len && strcspn(s, chars + 37) == len;
    }

    return s[0] > '9' && strspn(s, chars) == len;
}

/* What the text should be instead, or NULL. */
static const char *
name_fault(const char *s, bool lower)
{
    static const char *const words[] = { "true", "false", "null", "in" };
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(s, words[i]) == 0) {
            return "another name: expressions give this word a meaning";
        }
    }
    if (strlen(s) > MAX_NAME) {
        return "a name of at most 64 bytes";
    }
    if (is_name(s, lower)) {
        return NULL;
    }

    return lower ? "a lower-case letter, then lower-case letters, digits and "
                   "_ (it becomes a header's key and an nginx variable)"
                 : "a letter or _, then letters, digits and _";
}

int
config_name(const struct config_node *node, bool lower, const char **out)
{
    const char *fault = name_fault(node->key, lower);

    if (fault != NULL) {
        return config_fail_key(node, "not a name; expected %s", fault);
    }
    *out = config_copy(node->source, node->key, strlen(node->key));

    return *out == NULL ? -ENOMEM : 0;
}

int
config_name_value(const struct config_node *node, const char *what,
                  const char **out)
{
    const char *fault;

    if (node->json == NULL) {
        return 0;
    }
    if (!json_is_string(node->json)) {
        return config_expected(node, what);
    }
    fault = name_fault(json_string_value(node->json), false);
    if (fault != NULL) {
        return config_expected(node, fault);
    }
    *out = config_copy(node->source, json_string_value(node->json),
                       json_string_length(node->json));

    return *out == NULL ? -ENOMEM : 0;
}

int
config_bool(const struct config_node *node, bool *out)
{
    if (node->json == NULL) {
        return 0;
    }
    if (!json_is_boolean(node->json)) {
        return config_expected(node, "true or false");
    }
    *out = json_is_true(node->json);

    return 0;
}

int
config_int(const struct config_node *node, int min, int max, int *out)
{
    char expected[64];
    double value;

    if (node->json == NULL) {
        return 0;
    }

    /* 5.0 is an integer to JSON Schema, so it is one here. */
    value = json_number_value(node->json);
    if (!json_is_number(node->json) || floor(value) < value || value < min
        || value > max)
    {
        snprintf(expected, sizeof(expected), "an integer from %d to %d", min,
                 max);
        return config_expected(node, expected);
    }
    *out = (int) value;

    return 0;
}

struct unit {
    const char *name;
    uint64_t size;
};

/* In the largest unit that leaves nothing over. */
static const char *
in_units(uint64_t value, const struct unit *units, char buf[24])
{
    while (value % units->size != 0) {
        units++;
    }
    snprintf(buf, 24, "%llu%s", (unsigned long long) (value / units->size),
             value == 0 ? "" : units->name);

    return buf;
}

int
config_duration(const struct config_node *node, int64_t min, int64_t max,
                int64_t *ms)
{
    static const struct unit units[] = {
        { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 },
        { "ms", 1 }
    };
    char from[24], to[24], expected[80];
    int64_t value = 0;
    int rc;

    if (node->json == NULL) {
        return 0;
    }

    rc = json_is_string(node->json)
         ? time_duration(json_string_value(node->json),
                         json_string_length(node->json), &value) : -EINVAL;
    if (rc == -EINVAL) {
        return config_expected(node, "a duration such as \"90m\": digits and "
                               "one of ms, s, m, h, d");
    }
    if (rc != 0 || value < min || value > max) {
        snprintf(expected, sizeof(expected), "%s to %s",
                 in_units((uint64_t) min, units, from),
                 in_units((uint64_t) max, units, to));
        return config_expected(node, expected);
    }
    *ms = value;

    return 0;
}

int
config_size(const struct config_node *node, uint64_t min, uint64_t max,
            uint64_t *bytes)
{
    static const struct unit units[] = {
        { "g", 1 << 30 }, { "m", 1 << 20 }, { "k", 1 << 10 }, { "", 1 }
    };
    char from[24], to[24], expected[80];
    uint64_t value = 0;
    int rc;

    if (node->json == NULL) {
        return 0;
    }

    rc = json_is_string(node->json)
         ? time_size(json_string_value(node->json),
                     json_string_length(node->json), &value) : -EINVAL;
    if (rc == -EINVAL) {
        return config_expected(node, "a size such as \"64m\": digits and one "
                               "of k, m, g, or bytes");
    }
    if (rc != 0 || value < min || value > max) {
        snprintf(expected, sizeof(expected), "at least %s, at most %s",
                 in_units(min, units, from), in_units(max, units, to));
        return config_expected(node, expected);
    }
    *bytes = value;

    return 0;
}

int
config_string(const struct config_node *node, size_t max,
              const char *expected, const char **out)
{
    const char *s, *p;
    size_t len;

    if (node->json == NULL) {
        return 0;
    }
    if (!json_is_string(node->json)) {
        return config_expected(node, expected);
    }

    s = json_string_value(node->json);
    len = json_string_length(node->json);
    if (len == 0) {
        return config_expected(node, expected);
    }
    if (len > max) {
        return config_fail(node, "found %zu bytes; expected at most %zu", len,
                           max);
    }
    for (p = s; p < s + len; p++) {
        if ((unsigned char) *p < 0x20 || *p == 0x7f) {
            return config_fail_in(node, (size_t) (p - s), "a control "
                                  "character; expected %s", expected);
        }
    }
    *out = config_copy(node->source, s, len);

    return *out == NULL ? -ENOMEM : 0;
}

static bool
find_name(struct config_names names, const char *word, size_t len, int *out)
{
    const char *name;
    int i;

    for (i = 0; i < names.n; i++) {
        name = config_names_get(names, i);
        if (strlen(name) == len && memcmp(name, word, len) == 0) {
            *out = i;
            return true;
        }
    }

    return false;
}

int
config_choice_in(const struct config_node *node, size_t nth, size_t len,
                 const char *what, struct config_names names, int *out)
{
    const char *word = json_string_value(node->json) + nth;
    char hint[SUGGEST_MAX], shown[ERROR_SHOW];

    if (find_name(names, word, len, out)) {
        return 0;
    }

    return config_fail_in(node, nth, "unknown %s \"%s\"%s", what,
                          error_show(shown, word, len),
                          config_suggest(word, len, names, hint));
}

int
config_choice(const struct config_node *node, const char *what,
              struct config_names names, int *out)
{
    char hint[SUGGEST_MAX], shown[ERROR_SHOW], expected[64];
    const char *word;
    size_t len;

    if (node->json == NULL) {
        return 0;
    }
    if (!json_is_string(node->json)) {
        snprintf(expected, sizeof(expected), "a string: the name of a %s",
                 what);
        return config_expected(node, expected);
    }

    word = json_string_value(node->json);
    len = json_string_length(node->json);
    if (find_name(names, word, len, out)) {
        return 0;
    }

    return config_fail(node, "unknown %s \"%s\"%s", what,
                       error_show(shown, word, len),
                       config_suggest(word, len, names, hint));
}
