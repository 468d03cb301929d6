/* SPDX-License-Identifier: Apache-2.0
 *
 * Where in a JSON text something stands. The parser keeps no positions of
 * what it takes, so a text is scanned once more when there is something to be
 * said about it. All offsets are bytes from the start.
 */
#ifndef INTENT_SIGNAL_CONFIG_LOCATE_H
#define INTENT_SIGNAL_CONFIG_LOCATE_H

#include <stdbool.h>
#include <stddef.h>

/* One step into an object (key, NUL-terminated) or an array (key NULL). */
struct locate_step {
    const char *key;
    size_t index;
};

struct locate_place {
    size_t key;                    /* the member's name; value where none */
    size_t value;                  /* the value's first byte */
};

/* Follows the steps from the top value. The text must be valid JSON. false
 * when there is no such value; *place is then the last one on the way. */
bool locate_value(const char *text, size_t len,
                  const struct locate_step *steps, size_t n,
                  struct locate_place *place);

/* Where byte `nth` of the string is, of which the value at `value` is the
 * JSON: escapes count as what they stand for. Past its end: the quote. */
size_t locate_in_string(const char *text, size_t len, size_t value,
                        size_t nth);

/* The start of the token that holds the byte before `end` in a text that may
 * be broken there: what a parser that stopped at `end` could not take. */
size_t locate_token(const char *text, size_t len, size_t end);

/* The path of the innermost member or item that is open at `offset`, such as
 * "zone.path" or "policy.bands[2]", in a text that is valid JSON up to there.
 * Keys are written as they stand in the text. Cut to size; "" at the top. */
void locate_path(const char *text, size_t offset, char *path, size_t size);

/* Line and column of an offset, from 1. */
void locate_line(const char *text, size_t offset, int *line, int *column);

#endif
