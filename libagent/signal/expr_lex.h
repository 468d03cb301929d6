/* SPDX-License-Identifier: Apache-2.0
 *
 * Text to tokens, by CEL's grammar.
 */
#ifndef INTENT_SIGNAL_EXPR_LEX_H
#define INTENT_SIGNAL_EXPR_LEX_H

#include "expr_ast.h"

/* One character stands for itself; the rest follows. */
enum expr_token_kind {
    EXPR_TOK_END = 256,
    EXPR_TOK_NAME,
    EXPR_TOK_RESERVED,             /* `if`, `for`...: names of fields only */
    EXPR_TOK_QUOTED,               /* `content-type` in backticks, likewise */
    EXPR_TOK_INT,                  /* value: the magnitude, as bits of as.i */
    EXPR_TOK_DOUBLE,
    EXPR_TOK_STRING,
    EXPR_TOK_TRUE,
    EXPR_TOK_FALSE,
    EXPR_TOK_NULL,
    EXPR_TOK_IN,
    EXPR_TOK_AND,
    EXPR_TOK_OR,
    EXPR_TOK_EQ,
    EXPR_TOK_NE,
    EXPR_TOK_LE,
    EXPR_TOK_GE
};

struct expr_token {
    int kind;
    size_t pos;                    /* where it starts, and its bytes */
    size_t len;
    const char *text;              /* QUOTED: without the backticks */
    size_t text_len;
    struct intent_value value;     /* of INT, DOUBLE and STRING */
};

/* Reads the token at or after *pos and moves *pos behind it. 0, -EINVAL with
 * the compilation's error filled, or -ENOMEM. */
int expr_lex(struct expr_compilation *c, size_t *pos,
             struct expr_token *token);

/* Whether the token reads so; strings never do. */
bool expr_token_is(const struct expr_token *token, const char *text);

/* Notes that the token stands where `expected` should. Returns -EINVAL. */
int expr_unexpected(struct expr_compilation *c, const struct expr_token *token,
                    const char *expected);

#endif
