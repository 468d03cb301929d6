/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing past
 * U+10FFFF. NUL is a character like any other here.
 */
#ifndef INTENT_BASE_UTF8_H
#define INTENT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes (1 to 4) of the character that s begins with, or 0 when s[0..len) does
 * not begin with a whole valid one. */
size_t utf8_next(const char *s, size_t len);

/* Bytes before the first that is not part of a valid character: len when all
 * are valid. */
size_t utf8_span(const char *s, size_t len);

static inline bool
utf8_valid(const char *s, size_t len)
{
    return utf8_span(s, len) == len;
}

#endif
