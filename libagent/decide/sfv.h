/* SPDX-License-Identifier: Apache-2.0
 *
 * Appends structured field values (RFC 9651) to a caller's buffer: no
 * allocation, no NUL at the end. What does not fit sets `full`, and from then
 * on nothing is written: look at it once, at the end.
 *
 * Functions that return bool return false for what the RFC cannot say; part
 * of it may then be in the buffer: set `len` back to where it was.
 */
#ifndef INTENT_DECIDE_SFV_H
#define INTENT_DECIDE_SFV_H

#include "../intent.h"

struct sfv {
    char *buf;
    size_t size;
    size_t len;                    /* bytes written */
    bool full;
};

/* Bytes as they are: separators. */
void sfv_bytes(struct sfv *w, const char *bytes, size_t len);

/* A dictionary's key, in lower case. False for a name that does not begin
 * with a letter or '*' or holds other than letters, digits, '_', '-', '.' and
 * '*'. */
bool sfv_key(struct sfv *w, const char *name);

/* A String; where that is not ASCII or not printable a Display String
 * (%"caf%c3%a9"). False for what is not UTF-8. */
bool sfv_string(struct sfv *w, const char *s, size_t len);

/* False beyond 15 digits. */
bool sfv_integer(struct sfv *w, int64_t n);

/* Rounded to three digits, half to even by the exact value of the double.
 * False for infinities, NaN and beyond 12 digits before the point. */
bool sfv_decimal(struct sfv *w, double d);

/* The value after a key: "=" and an item or an inner list; nothing for true.
 * False for null, maps, lists in lists, and what the above cannot say. A
 * list's members that cannot be said are left out. */
bool sfv_member(struct sfv *w, const struct intent_value *value);

#endif
