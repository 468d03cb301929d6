/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling a struct intent_error. The text comes from files and clients, so
 * what is quoted in it passes through error_show(): a terminal or a log line
 * cannot be taken over by it, and a long one leaves room for the rest.
 */
#ifndef INTENT_BASE_ERROR_H
#define INTENT_BASE_ERROR_H

#include "../intent.h"

/* Sets the text, with line and column 0. A text that does not fit ends in
 * "..." at a character's boundary. err may be NULL: nothing is done. */
__attribute__((format(printf, 2, 3)))
void error_set(struct intent_error *err, const char *format, ...);

/* The same with "file:line:column: " before the text, and line and column
 * set. Of a long file name the end is kept. line 0: only "file: ". */
__attribute__((format(printf, 5, 6)))
void error_at(struct intent_error *err, const char *file, int line, int column,
              const char *format, ...);

enum { ERROR_SHOW = 72 };          /* 64 bytes of text, "..." and NUL */

/* The text for people: bytes that are not printable as "\x1b", cut with "..."
 * where it is long. Returns buf. */
const char *error_show(char buf[static ERROR_SHOW], const char *text,
                       size_t len);

#endif
