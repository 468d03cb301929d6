/* SPDX-License-Identifier: Apache-2.0 */
#include "config_locate.h"

#include <stdio.h>
#include <string.h>

#include "../base/error.h"

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t
skip_space(const char *text, size_t len, size_t at)
{
    while (at < len && is_space(text[at])) {
        at++;
    }

    return at;
}

/* The end of the token at `at`. A string that is not closed ends with its
 * line, as the parser sees it. */
static size_t
token_end(const char *text, size_t len, size_t at)
{
    if (text[at] == '"') {
        for (at++; at < len && text[at] != '"' && text[at] != '\n'; at++) {
            if (text[at] == '\\' && at + 1 < len && text[at + 1] != '\n') {
                at++;
            }
        }
        return at < len ? at + 1 : len;
    }

    if (strchr("{}[]:,", text[at]) != NULL) {
        return at + 1;
    }
    while (at < len && !is_space(text[at])
           && (text[at] == '\0' || strchr("{}[]:,\"", text[at]) == NULL))
    {
        at++;
    }

    return at;
}

/* The end of the value at `at`. Valid JSON needs no look at which bracket
 * closes which. */
static size_t
value_end(const char *text, size_t len, size_t at)
{
    int depth = 0;

    do {
        at = skip_space(text, len, at);
        if (at >= len) {
            return len;
        }
        if (text[at] == '{' || text[at] == '[') {
            depth++;
        } else if (text[at] == '}' || text[at] == ']') {
            depth--;
        }
        at = token_end(text, len, at);
    } while (depth > 0);

    return at;
}

static int
hex(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static unsigned
code_unit(const char *digits)
{
    unsigned value = 0;
    int i;

    for (i = 0; i < 4; i++) {
        value = value << 4 | (unsigned) hex(digits[i]);
    }

    return value;
}

static size_t
encode(unsigned c, char out[4])
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

    if (n == 1) {
        out[0] = (char) c;
        return 1;
    }
    for (i = n; i-- > 1; c >>= 6) {
        out[i] = (char) (0x80 | (c & 0x3f));
    }
    out[0] = (char) (0xf00 >> n | c);

    return n;
}

/* What the text at `at`, inside a valid JSON string, stands for: bytes in
 * out[4], and *used of the text. 0 at the closing quote. */
static size_t
decode(const char *text, size_t len, size_t at, char out[4], size_t *used)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *p;
    unsigned c;

    *used = 1;
    if (at >= len || text[at] == '"') {
        *used = 0;
        return 0;
    }
    if (text[at] != '\\' || at + 1 >= len) {
        out[0] = text[at];
        return 1;
    }

    *used = 2;
    if (text[at + 1] != 'u' || len - at < 6) {
        p = strchr(from, text[at + 1]);
        out[0] = p != NULL && *p != '\0' ? to[p - from] : text[at + 1];
        return 1;
    }

    *used = 6;
    c = code_unit(text + at + 2);
    if (c >= 0xd800 && c < 0xdc00 && len - at >= 12) {
        *used = 12;
        c = 0x10000 + ((c & 0x3ff) << 10 | (code_unit(text + at + 8) & 0x3ff));
    }

    return encode(c, out);
}

/* Whether the string at `at` is the key. */
static bool
is_key(const char *text, size_t len, size_t at, const char *key)
{
    size_t used, n;
    char out[4];

    for (at++; (n = decode(text, len, at, out, &used)) != 0; at += used) {
        if (strncmp(key, out, n) != 0) {
            return false;
        }
        key += n;
    }

    return *key == '\0';
}

/* Moves *place into the object or array there, by one step. */
static bool
descend(const char *text, size_t len, const struct locate_step *step,
        struct locate_place *place)
{
    size_t at = place->value, index = 0, key;
    char open = at < len ? text[at] : '\0';

    if (open != (step->key != NULL ? '{' : '[')) {
        return false;
    }

    at = skip_space(text, len, at + 1);
    while (at < len && text[at] != '}' && text[at] != ']') {
        key = at;
        if (open == '{') {
            at = skip_space(text, len, token_end(text, len, at));
            at = skip_space(text, len, at + 1);          /* the colon */
        }
        if (open == '{' ? is_key(text, len, key, step->key)
                        : index == step->index)
        {
            *place = (struct locate_place) { key, at };
            return true;
        }
        at = skip_space(text, len, value_end(text, len, at));
        if (at < len && text[at] == ',') {
            at = skip_space(text, len, at + 1);
        }
        index++;
    }

    return false;
}

bool
locate_value(const char *text, size_t len, const struct locate_step *steps,
             size_t n, struct locate_place *place)
{
    size_t i;

    place->key = place->value = skip_space(text, len, 0);
    for (i = 0; i < n; i++) {
        if (!descend(text, len, &steps[i], place)) {
            return false;
        }
    }

    return true;
}

size_t
locate_in_string(const char *text, size_t len, size_t value, size_t nth)
{
    size_t at = value + 1, used, n;
    char out[4];

    while ((n = decode(text, len, at, out, &used)) != 0 && n <= nth) {
        nth -= n;
        at += used;
    }

    return at;
}

size_t
locate_token(const char *text, size_t len, size_t end)
{
    size_t at = skip_space(text, len, 0), next;

    if (end > len) {
        end = len;
    }
    while (at < end) {
        next = token_end(text, len, at);
        if (next >= end) {
            return at;
        }
        at = skip_space(text, len, next);
    }

    return end;
}

/* One open object or array on the way to an offset. */
struct level {
    size_t key, key_len;           /* of the member that it is at */
    size_t index;
    bool object;
};

static void
path_add(char *path, size_t size, const char *text, const struct level *level)
{
    size_t at = strlen(path);
    char shown[ERROR_SHOW];

    if (!level->object) {
        snprintf(path + at, size - at, "[%zu]", level->index);
    } else if (level->key_len != 0) {
        error_show(shown, text + level->key, level->key_len);
        snprintf(path + at, size - at, "%s%s", at == 0 ? "" : ".", shown);
    }
}

/* Takes in the token at `at`, of `n` bytes; how deep it is after it. */
static size_t
enter(struct level *levels, size_t depth, size_t max, const char *text,
      size_t at, size_t n, bool *name)
{
    struct level *top = depth > 0 && depth <= max ? &levels[depth - 1] : NULL;

    switch (text[at]) {
    case '{': case '[':
        if (depth < max) {
            levels[depth] = (struct level) { .object = text[at] == '{' };
        }
        *name = text[at] == '{';
        return depth + 1;

    case '}': case ']':
        *name = false;
        return depth > 0 ? depth - 1 : 0;

    case ',':
        if (top != NULL) {
            top->index++;
            top->key_len = 0;
            *name = top->object;
        }
        return depth;

    case '"':
        if (*name && top != NULL && n >= 2) {
            top->key = at + 1;
            top->key_len = n - 2;
        }
        break;

    default:
        break;
    }
    *name = false;

    return depth;
}

void
locate_path(const char *text, size_t offset, char *path, size_t size)
{
    enum { MAX_LEVELS = 12 };      /* deeper than any configuration is */

    struct level levels[MAX_LEVELS];
    size_t at = 0, end, depth = 0, i;
    bool name = false;

    while ((at = skip_space(text, offset, at)) < offset) {
        end = token_end(text, offset, at);
        depth = enter(levels, depth, MAX_LEVELS, text, at, end - at, &name);
        at = end;
    }

    path[0] = '\0';
    for (i = 0; i < depth && i < MAX_LEVELS; i++) {
        path_add(path, size, text, &levels[i]);
    }
}

void
locate_line(const char *text, size_t offset, int *line, int *column)
{
    const char *p = text, *end = text + offset, *newline;

    *line = 1;
    while ((newline = memchr(p, '\n', (size_t) (end - p))) != NULL) {
        (*line)++;
        p = newline + 1;
    }
    *column = (int) (end - p) + 1;
}
