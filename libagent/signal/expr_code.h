/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiled form: three-address code over values of 16 bytes. An operand
 * is named by the array that holds it (temporaries, variables, constants) and
 * an index into that, so reading a variable or a constant is no instruction.
 *
 * An error is a value while code runs (kind EXPR_ERROR), since && || and the
 * macros may still make something of it; only what must stop at once (scratch
 * full, budget used up) leaves the interpreter as an errno.
 *
 * Everything lies in one block, immutable once made.
 */
#ifndef INTENT_SIGNAL_EXPR_CODE_H
#define INTENT_SIGNAL_EXPR_CODE_H

#include "expr.h"

/* kind of an error value; as.i is the negative errno. */
enum { EXPR_ERROR = INTENT_MAP + 1 };

enum {
    EXPR_MAX_TEMPS = 256,          /* a level of nesting takes three at most */
    EXPR_MAX_LOOPS = 8             /* macros inside macros */
};

enum expr_op {
    /* dst = a op b; any error or null goes by the table in expr_type.c */
    EXPR_OP_ADD,
    EXPR_OP_SUB,
    EXPR_OP_MUL,
    EXPR_OP_DIV,
    EXPR_OP_MOD,
    EXPR_OP_EQ,
    EXPR_OP_NE,
    EXPR_OP_LT,
    EXPR_OP_LE,
    EXPR_OP_GT,
    EXPR_OP_GE,
    EXPR_OP_IN,
    EXPR_OP_INDEX,
    EXPR_OP_SELECT,
    EXPR_OP_HAS,
    EXPR_OP_GREATEST,
    EXPR_OP_LEAST,
    EXPR_OP_CONTAINS,
    EXPR_OP_STARTS,
    EXPR_OP_ENDS,
    /* dst = op a */
    EXPR_OP_NEG,
    EXPR_OP_NOT,
    EXPR_OP_PRESENT,               /* a is not null */
    EXPR_OP_SIZE,
    EXPR_OP_TO_INT,
    EXPR_OP_TO_DOUBLE,
    EXPR_OP_TO_STRING,
    EXPR_OP_TO_BOOL,
    EXPR_OP_GREATEST_OF,           /* of one number, or of a list of them */
    EXPR_OP_LEAST_OF,
    EXPR_OP_VALUES,                /* ends those that compute one value */

    EXPR_OP_MOVE = EXPR_OP_VALUES, /* dst = a */
    EXPR_OP_JUMP,                  /* to */
    EXPR_OP_AND_BEGIN,             /* dst = a as a condition; false: to */
    EXPR_OP_AND,                   /* dst = a && b; false: to */
    EXPR_OP_OR_BEGIN,              /* likewise with true */
    EXPR_OP_OR,
    EXPR_OP_COND,                  /* a true: next; false: to; else dst is the
                                      null or error and it goes on at n */
    EXPR_OP_DEFAULT,               /* a null: next; else dst = a; to */
    EXPR_OP_LIST,                  /* dst = list of n items, to be filled */
    EXPR_OP_MAP,                   /* dst = map of n pairs, to be filled */
    EXPR_OP_KEY,                   /* dst[n] = a, the key of a pair */
    EXPR_OP_ITEM,                  /* dst[n] = a; an error: dst = it; to */
    EXPR_OP_ALL,                   /* the macros: begin a loop over a, whose */
    EXPR_OP_EXISTS,                /* variable is temporary dst + 1; nothing */
    EXPR_OP_EXISTS_ONE,            /* to do: dst is the result; to */
    EXPR_OP_MAP_ITEMS,
    EXPR_OP_FILTER,
    EXPR_OP_WHEN,                  /* a true: next; false or null: to; else
                                      dst is the error and it goes on at n */
    EXPR_OP_SKIP,                  /* next round without a result: to; after
                                      the last dst is the loop's */
    EXPR_OP_NEXT,                  /* a is the body's result; as SKIP */
    EXPR_OP_RETURN                 /* a */
};

enum expr_place {
    EXPR_TEMP,
    EXPR_VAR,
    EXPR_CONST
};

struct expr_insn {
    uint8_t op;
    uint8_t loop;                  /* macros: which loop's state */
    uint8_t a_in, b_in;            /* enum expr_place */
    uint16_t dst, a, b;
    uint16_t to;                   /* an index into code[] */
    uint16_t n;                    /* a number, or a second such index */
};

struct expr {
    const struct expr_insn *code;
    const struct intent_value *consts;
    const uint8_t *uses;           /* a bit for each variable */
    size_t n_vars;
    unsigned types;
};

static inline bool
expr_is_error(const struct intent_value *value)
{
    return (int) value->kind == EXPR_ERROR;
}

static inline void
expr_set_null(struct intent_value *out)
{
    out->kind = INTENT_NULL;
    out->len = 0;
    out->as.i = 0;
}

static inline void
expr_set_bool(struct intent_value *out, bool b)
{
    out->kind = INTENT_BOOL;
    out->len = 0;
    out->as.i = 0;
    out->as.b = b;
}

static inline void
expr_set_int(struct intent_value *out, int64_t i)
{
    out->kind = INTENT_INT;
    out->len = 0;
    out->as.i = i;
}

static inline void
expr_set_double(struct intent_value *out, double d)
{
    out->kind = INTENT_DOUBLE;
    out->len = 0;
    out->as.d = d;
}

static inline void
expr_set_string(struct intent_value *out, const char *s, size_t len)
{
    out->kind = INTENT_STRING;
    out->len = (uint32_t) len;
    out->as.s = s;
}

/* Returns 0: it is for the value, not for the interpreter, to carry it. */
static inline int
expr_set_error(struct intent_value *out, int error)
{
    out->kind = (enum intent_kind) EXPR_ERROR;
    out->len = 0;
    out->as.i = error;
    return 0;
}

#endif
