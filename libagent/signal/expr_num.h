/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as text, both ways, whatever the process's locale: a host may have
 * called setlocale(), and 1.5 must not become "1,5" for that.
 */
#ifndef INTENT_SIGNAL_EXPR_NUM_H
#define INTENT_SIGNAL_EXPR_NUM_H

#include <stddef.h>
#include <stdint.h>

enum { EXPR_NUM_TEXT = 32 };       /* bytes that any number prints in */

/* [+-]digits. -EINVAL when it is not that, -ERANGE when it does not fit. */
int expr_parse_int(const char *text, size_t len, int64_t *out);

/* The magnitude of an int literal: digits, or 0x and hex digits. The same
 * errors. */
int expr_parse_magnitude(const char *text, size_t len, uint64_t *out);

/* [+-] digits with at most one point and an exponent, correctly rounded; also
 * NaN, Inf and Infinity in any case. -EINVAL, or -ERANGE when it is finite
 * and too large; too small is 0. */
int expr_parse_double(const char *text, size_t len, double *out);

/* The shortest of 15, 16, 17 digits that reads back as the same double;
 * plain up to 17 digits before the point, else with an exponent. A whole
 * number has no point. Returns the length; no NUL. */
size_t expr_print_double(char buf[static EXPR_NUM_TEXT], double value);
size_t expr_print_int(char buf[static EXPR_NUM_TEXT], int64_t value);

#endif
