/* SPDX-License-Identifier: Apache-2.0
 *
 * What a name stands for: variables by longest dotted match, macro variables
 * before them, functions; and what was likely meant when it stands for none.
 */
#ifndef INTENT_SIGNAL_EXPR_NAME_H
#define INTENT_SIGNAL_EXPR_NAME_H

#include "expr_ast.h"

/* A macro's variable, seen from inside the macro's body. */
struct expr_scope {
    const struct expr_scope *outer;
    const char *name;
    size_t len;
    int level;                     /* 0: the outermost macro */
    unsigned types;
};

/* Makes a NAME, or a SELECT whose whole dotted path is a variable, a VAR or
 * LOCAL with its types. False: it is neither. */
bool expr_name_resolve(struct expr_compilation *c,
                       const struct expr_scope *scope,
                       struct expr_node *node);

/* Notes that the NAME, which does not resolve, is undefined. `path` is the
 * whole dotted name that it begins. */
int expr_name_undefined(struct expr_compilation *c,
                        const struct expr_scope *scope,
                        const struct expr_node *node,
                        const struct expr_node *path);

/* How a function is called. */
enum expr_call {
    EXPR_CALL_GLOBAL = 1,          /* f(x) */
    EXPR_CALL_METHOD = 2,          /* x.f() */
    EXPR_CALL_MATH = 4             /* math.f(x, ...) */
};

enum expr_function_kind {
    EXPR_F_OP,                     /* an operator of its own */
    EXPR_F_DYN,                    /* dyn(x): x, of any type */
    EXPR_F_DEFAULT
};

struct expr_function {
    const char *name;
    unsigned calls;                /* enum expr_call */
    enum expr_function_kind kind;
    enum expr_op op;
    size_t n;                      /* arguments, the receiver included; 0: at
                                      least one */
};

/* The function that a CALL means. NULL with the failure noted. A method call
 * on `math` comes back as a call without that receiver. */
const struct expr_function *expr_name_function(struct expr_compilation *c,
                                               struct expr_node *call);

#endif
