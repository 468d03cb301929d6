/* SPDX-License-Identifier: Apache-2.0 */
#include "expr_fold.h"

#include <errno.h>

#include "expr_apply.h"
#include "expr_num.h"

/* Values may grow no further than the text that they come from: a chain of
 * n concatenations would else take n * n bytes while it is folded. */
enum { MAX_VALUE = EXPR_MAX_LEN };

static bool
is_const(const struct expr_node *node)
{
    return node->kind == EXPR_N_CONST;
}

static bool
is_bool_const(const struct expr_node *node, bool b)
{
    return is_const(node) && node->value.kind == INTENT_BOOL
           && node->value.as.b == b;
}

/* Puts another node in its place. */
static void
become(struct expr_node *node, const struct expr_node *other)
{
    struct expr_node was = *node;

    *node = *other;
    node->next = was.next;
    node->join = was.join;
    node->join_pos = was.join_pos;
}

/* Scratch memory that an operator may need for its result. */
static size_t
room(enum expr_op op, const struct intent_value *a,
     const struct intent_value *b)
{
    if (op == EXPR_OP_TO_STRING) {
        return EXPR_NUM_TEXT;
    }
    if (op != EXPR_OP_ADD || a->kind != b->kind) {
        return 1;
    }
    if (a->kind == INTENT_STRING) {
        return (size_t) a->len + b->len + 1;
    }
    return a->kind == INTENT_LIST
               ? ((size_t) a->len + b->len + 1) * sizeof(*a) : 1;
}

/* Whether *out is a op b now. */
static bool
apply(struct expr_compilation *c, enum expr_op op,
      const struct intent_value *a, const struct intent_value *b,
      struct intent_value *out)
{
    struct expr_scratch scratch = {.size = room(op, a, b)};
    struct expr_run run = {&scratch, EXPR_MAX_STEPS};

    if (scratch.size > MAX_VALUE) {
        return false;
    }
    scratch.base = expr_arena_alloc(&c->arena, scratch.size);
    if (scratch.base == NULL) {
        expr_fail_memory(c);
        return false;
    }
    return expr_apply(&run, op, a, b, out) == 0 && !expr_is_error(out);
}

static void
fold_unary(struct expr_compilation *c, struct expr_node *node)
{
    struct intent_value value;

    if (is_const(node->first)
        && apply(c, node->op, &node->first->value, &node->first->value,
                 &value))
    {
        expr_node_const(node, value);
    }
}

/* Joins the constants at its beginning. */
static void
fold_chain(struct expr_compilation *c, struct expr_node *node)
{
    struct expr_node *first = node->first, *second;
    struct intent_value value;

    while (is_const(first) && (second = first->next) != NULL
           && is_const(second)
           && apply(c, second->join, &first->value, &second->value, &value))
    {
        expr_node_const(first, value);
        first->next = second->next;
        node->n--;
    }
    if (node->n == 1) {
        become(node, first);
    }
}

/* && with a constant false is false, whatever else there is, errors too; a
 * constant true says nothing. || likewise. */
static void
fold_logic(struct expr_node *node)
{
    const bool decides = node->kind == EXPR_N_OR;
    struct expr_node **link = &node->first, *kid, *kept = NULL;
    struct intent_value value;

    for (kid = node->first; kid != NULL; kid = kid->next) {
        if (is_bool_const(kid, decides)) {
            expr_set_bool(&value, decides);
            expr_node_const(node, value);
            return;
        }
    }

    while ((kid = *link) != NULL) {
        if (is_bool_const(kid, !decides) && node->n > 1) {
            *link = kid->next;
            node->n--;
        } else {
            kept = kid;
            link = &kid->next;
        }
    }
    /* Alone it needs no check that it is a bool when it can be no other. */
    if (node->n == 1 && kept != NULL
        && (kept->types & ~(unsigned) (EXPR_T_BOOL | EXPR_T_NULL)) == 0)
    {
        become(node, kept);
    }
}

static int
fold_cond(struct expr_compilation *c, struct expr_node *node)
{
    struct expr_node *cond = node->first, *yes = cond->next, *no = node->last;

    if (expr_fold(c, cond) != 0 || expr_fold(c, yes) != 0
        || expr_fold(c, no) != 0 || !is_const(cond))
    {
        return c->rc;
    }
    if (cond->value.kind == INTENT_BOOL) {
        become(node, cond->value.as.b ? yes : no);
    } else if (cond->value.kind == INTENT_NULL) {
        become(node, cond);
    }
    return 0;
}

static void
fold_default(struct expr_node *node)
{
    struct expr_node *value = node->first;

    if (is_const(value)) {
        become(node, value->value.kind == INTENT_NULL ? node->last : value);
    }
}

/* Whether the map's keys are such and differ. */
static bool
good_keys(const struct intent_value *items, size_t n)
{
    struct expr_run run = {NULL, EXPR_MAX_STEPS};
    size_t i, j;

    for (i = 0; i < n; i += 2) {
        if (items[i].kind != INTENT_BOOL && items[i].kind != INTENT_INT
            && items[i].kind != INTENT_STRING)
        {
            return false;
        }
        for (j = 0; j < i; j += 2) {
            if (expr_equal(&run, &items[i], &items[j]) != 0) {
                return false;
            }
        }
    }
    return true;
}

/* A list or map all of whose parts are constant, so that evaluation need not
 * build it. */
static int
fold_literal(struct expr_compilation *c, struct expr_node *node)
{
    bool map = node->kind == EXPR_N_MAP;
    struct intent_value value, *items;
    struct expr_node *kid;
    unsigned types = node->items;
    size_t i = 0;

    for (kid = node->first; kid != NULL; kid = kid->next) {
        if (!is_const(kid)) {
            return 0;
        }
    }
    items = expr_arena_alloc(&c->arena, node->n * sizeof(*items));
    if (items == NULL) {
        return expr_fail_memory(c);
    }
    for (kid = node->first; kid != NULL; kid = kid->next) {
        items[i++] = kid->value;
    }
    if (map && !good_keys(items, node->n)) {
        return 0;
    }

    value.kind = map ? INTENT_MAP : INTENT_LIST;
    value.len = (uint32_t) (map ? node->n / 2 : node->n);
    value.as.items = items;
    expr_node_const(node, value);
    node->items = types;
    return 0;
}

int
expr_fold(struct expr_compilation *c, struct expr_node *node)
{
    struct expr_node *kid;

    if (node->kind == EXPR_N_COND) {
        return fold_cond(c, node);
    }
    if (node->first == NULL) {
        return node->kind == EXPR_N_LIST || node->kind == EXPR_N_MAP
                   ? fold_literal(c, node) : 0;
    }
    kid = node->first;
    do {
        if (expr_fold(c, kid) != 0) {
            return c->rc;
        }
        kid = kid->next;
    } while (kid != NULL);

    switch (node->kind) {
    case EXPR_N_UNARY:
        fold_unary(c, node);
        break;
    case EXPR_N_CHAIN:
        fold_chain(c, node);
        break;
    case EXPR_N_AND:
    case EXPR_N_OR:
        fold_logic(node);
        break;
    case EXPR_N_DEFAULT:
        fold_default(node);
        break;
    case EXPR_N_LIST:
    case EXPR_N_MAP:
        return fold_literal(c, node);
    default:
        break;
    }
    return c->rc;
}
