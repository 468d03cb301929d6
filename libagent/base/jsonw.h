/* SPDX-License-Identifier: Apache-2.0
 *
 * Appends JSON to a caller's buffer: no allocation, no NUL at the end. Commas
 * come by themselves, from the byte before: none at the start, after an
 * opening bracket, a colon, or a newline (so JSON lines work too). Nothing
 * checks that calls make sense in their order.
 *
 * What does not fit sets `full`, and from then on nothing is written: look at
 * it once, at the end; what is in the buffer is then no whole JSON.
 */
#ifndef INTENT_BASE_JSONW_H
#define INTENT_BASE_JSONW_H

#include <string.h>

#include "../intent.h"

struct jsonw {
    char *buf;
    size_t size;
    size_t len;                    /* bytes written */
    bool full;
};

static inline void
jsonw_init(struct jsonw *w, char *buf, size_t size)
{
    *w = (struct jsonw) { .buf = buf, .size = size };
}

/* '{' or '[', and its counterpart. */
void jsonw_open(struct jsonw *w, char bracket);
void jsonw_close(struct jsonw *w, char bracket);

/* A member's name; its value is the next thing written. */
void jsonw_key(struct jsonw *w, const char *key, size_t len);

static inline void
jsonw_name(struct jsonw *w, const char *name)
{
    jsonw_key(w, name, strlen(name));
}

/* Bytes that are not UTF-8 become U+FFFD each. */
void jsonw_string(struct jsonw *w, const char *s, size_t len);
void jsonw_int(struct jsonw *w, int64_t n);
void jsonw_uint(struct jsonw *w, uint64_t n);

/* The shortest text that reads back as the same double, always with a point
 * or an exponent ("16.0"), in any locale. null for what is not finite. */
void jsonw_double(struct jsonw *w, double d);
void jsonw_bool(struct jsonw *w, bool b);
void jsonw_null(struct jsonw *w);

/* One value that is JSON already. */
void jsonw_raw(struct jsonw *w, const char *json, size_t len);

/* Bytes as they are, without a comma: newlines between lines. */
void jsonw_bytes(struct jsonw *w, const char *bytes, size_t len);

/* Any value; of a map, keys that are no strings are written as the string of
 * their JSON. Recurses as deep as the value is nested, which expressions
 * bound by EXPR_MAX_DEPTH. */
void jsonw_value(struct jsonw *w, const struct intent_value *value);

#endif
