/* SPDX-License-Identifier: Apache-2.0
 *
 * What each operator and function takes and gives. One table for the check
 * at compile time, the null rules at run time, and the messages.
 */
#ifndef INTENT_SIGNAL_EXPR_TYPE_H
#define INTENT_SIGNAL_EXPR_TYPE_H

#include "expr_code.h"

enum {
    EXPR_T_NUMBER = EXPR_T_INT | EXPR_T_DOUBLE,
    EXPR_T_KEY = EXPR_T_BOOL | EXPR_T_INT | EXPR_T_STRING
};

/* What becomes of a null operand. */
enum expr_null {
    EXPR_NULL_STAYS,               /* the result is null */
    EXPR_NULL_FALSE,               /* the result is false */
    EXPR_NULL_VALUE                /* it is a value like others */
};

struct expr_op_info {
    const char *text;              /* the operator, or "size()" */
    bool binary;
    bool infix;
    enum expr_null null;
    unsigned a, b;                 /* operand types, null aside */
};

/* Of an operator that computes a value (below EXPR_OP_VALUES). */
const struct expr_op_info *expr_op_info(enum expr_op op);

/* The types that the result may have when the operands have these types; 0
 * when there is no overload for them at all. b is ignored where op has one
 * operand. */
unsigned expr_op_result(enum expr_op op, unsigned a, unsigned b);

/* What the second operand may be next to such a first one, null aside. */
unsigned expr_op_second(enum expr_op op, unsigned a);

/* "int or double", "any value"; null only where there is nothing else. Names
 * come in the order of enum intent_kind. Returns buf. */
enum { EXPR_TYPE_TEXT = 64 };
const char *expr_type_text(char buf[static EXPR_TYPE_TEXT], unsigned types);

#endif
