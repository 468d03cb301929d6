/* SPDX-License-Identifier: Apache-2.0
 *
 * The syntax tree, and what the stages of a compilation share: parse makes
 * the tree, check resolves names and types in it, fold computes what is
 * constant, gen turns it into code.
 *
 * A tree is at most EXPR_MAX_DEPTH deep, so the stages may recurse. Operators
 * of the same precedence in a row are one node with many children (CHAIN,
 * AND, OR), so a long sum or a long list of alternatives is not deep.
 */
#ifndef INTENT_SIGNAL_EXPR_AST_H
#define INTENT_SIGNAL_EXPR_AST_H

#include "expr.h"
#include "expr_code.h"
#include "expr_mem.h"

enum expr_node_kind {
    EXPR_N_CONST,
    EXPR_N_NAME,                   /* a; check makes it a VAR or LOCAL */
    EXPR_N_VAR,
    EXPR_N_LOCAL,                  /* the variable of a macro */
    EXPR_N_SELECT,                 /* x.a; check makes it a VAR or CHAIN */
    EXPR_N_HAS,                    /* has(x.a); check makes it an OP */
    EXPR_N_CALL,                   /* check makes it an OP, CHAIN, DEFAULT */
    EXPR_N_UNARY,                  /* op on the only child */
    EXPR_N_CHAIN,                  /* children joined by their `join`, the
                                      first two first */
    EXPR_N_AND,
    EXPR_N_OR,
    EXPR_N_COND,                   /* condition, then, else */
    EXPR_N_DEFAULT,                /* value, replacement */
    EXPR_N_LIST,
    EXPR_N_MAP,                    /* key, value, key, ... */
    EXPR_N_MACRO                   /* range, body; map with three arguments:
                                      range, condition, body */
};

struct expr_node {
    enum expr_node_kind kind;
    enum expr_op op;               /* UNARY, MACRO (its EXPR_OP_ALL...) */
    enum expr_op join;             /* in a CHAIN: what joins it to the left */
    size_t pos;                    /* where it starts in the text */
    size_t name_pos;               /* where its name or operator stands */
    size_t join_pos;
    const char *name;              /* NAME, SELECT, CALL, MACRO (variable) */
    size_t name_len;
    bool rooted;                   /* NAME: ".a", never a macro's variable */
    bool method;                   /* CALL: x.f(), x is the first child */
    int depth;                     /* of what is below it; a leaf has 0 */
    int index;                     /* VAR: into vars[]; LOCAL, MACRO: level */
    unsigned types;                /* EXPR_T_*: what it may be */
    unsigned items;                /* what its items or map values may be */
    struct intent_value value;     /* CONST */
    size_t n;                      /* children */
    struct expr_node *first, *last, *next;
};

struct expr_compilation {
    const char *text;
    size_t len;
    const struct expr_var *vars;
    size_t n_vars;
    struct expr_arena arena;
    char *strings;                 /* room for what is left of the literals:
                                      no escape is longer than its source */
    struct intent_error *err;
    int rc;                        /* of the first failure */
};

/* A node without children; NULL with c->rc set when memory is out. */
struct expr_node *expr_node_new(struct expr_compilation *c,
                                enum expr_node_kind kind, size_t pos);

/* Appends a child. Does nothing where one of them is NULL: the failure was
 * noted when that one was made. -EINVAL when the tree gets too deep. */
int expr_node_add(struct expr_compilation *c, struct expr_node *parent,
                  struct expr_node *child);

/* Makes the node a constant; value's memory is the arena's. */
void expr_node_const(struct expr_node *node, struct intent_value value);

/* Note the first failure, at a byte of the text. Return it as errno. */
__attribute__((format(printf, 3, 4)))
int expr_fail(struct expr_compilation *c, size_t pos, const char *format, ...);
int expr_fail_memory(struct expr_compilation *c);

#endif
