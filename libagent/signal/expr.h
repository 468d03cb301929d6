/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions: a subset of CEL (Common Expression Language) over null, bool,
 * int, double, string, list and map. Compiled once when the configuration is
 * read, evaluated on every request without allocation and without unbounded
 * loops: the only loops are CEL's macros over literal or stored lists.
 *
 * What differs from CEL, by semantics: null propagates through arithmetic and
 * functions, compares false with < <= > >=, and default(x, y) replaces it
 * (equality is CEL's: null == null holds). In && || ! null is an unknown: the
 * other side may still decide, else the result is null.
 */
#ifndef INTENT_SIGNAL_EXPR_H
#define INTENT_SIGNAL_EXPR_H

#include "../intent.h"

struct expr;

/* Static types as a set: what a value may be at run time. */
enum {
    EXPR_T_NULL = 1u << INTENT_NULL,
    EXPR_T_BOOL = 1u << INTENT_BOOL,
    EXPR_T_INT = 1u << INTENT_INT,
    EXPR_T_DOUBLE = 1u << INTENT_DOUBLE,
    EXPR_T_STRING = 1u << INTENT_STRING,
    EXPR_T_LIST = 1u << INTENT_LIST,
    EXPR_T_MAP = 1u << INTENT_MAP,
    EXPR_T_ANY = 0x7f
};

/* A name that the expression may use; its index is the slot in vars[] at
 * evaluation. Names may hold dots ("inventory.stock"). */
struct expr_var {
    const char *name;
    unsigned types;                /* EXPR_T_* */
};

/* Compiles text[0..len). On success *out is to be freed with expr_free() and
 * borrows nothing. -EINVAL where the text is at fault: err->column is the
 * 1-based byte column in the text, err->line the line in it, err->text says
 * what was found and what was expected (no position in the text itself).
 * -ENOMEM. Depth and size are bounded (EXPR_MAX_*). */
int expr_compile(const char *text, size_t len, const struct expr_var *vars,
                 size_t n_vars, struct expr **out, struct intent_error *err);
void expr_free(struct expr *expr);

/* Possible types of the result. */
unsigned expr_types(const struct expr *expr);

/* Whether the expression reads vars[var]. */
bool expr_uses(const struct expr *expr, size_t var);

/* Bump memory for strings and lists made while evaluating. */
struct expr_scratch {
    char *base;
    size_t size;
    size_t used;
};

/* Evaluates. 0 and *out, which may point into the expression, vars or the
 * scratch; or a negative errno with *out null: -EDOM (division by zero,
 * overflow, no such key or index), -EINVAL (no overload for these values),
 * -ENOSPC (scratch full), -E2BIG (step budget used up: nested macros). Needs
 * no more than a bounded stack. Pure: safe to call from any thread. */
int expr_eval(const struct expr *expr, const struct intent_value *vars,
              struct expr_scratch *scratch, struct intent_value *out);

enum {
    EXPR_MAX_LEN = 4096,           /* bytes of source */
    EXPR_MAX_DEPTH = 64,           /* nesting */
    EXPR_MAX_STEPS = 100000        /* nodes visited in one evaluation */
};

#endif
