/* SPDX-License-Identifier: Apache-2.0 */
#include "expr_ast.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int
expr_fail(struct expr_compilation *c, size_t pos, const char *format, ...)
{
    va_list args;
    size_t i;

    if (c->rc != 0) {
        return c->rc;
    }
    c->rc = -EINVAL;
    if (c->err == NULL) {
        return c->rc;
    }

    c->err->line = 1;
    c->err->column = 1;
    for (i = 0; i < pos && i < c->len; i++) {
        c->err->column++;
        if (c->text[i] == '\n') {
            c->err->line++;
            c->err->column = 1;
        }
    }

    va_start(args, format);
    vsnprintf(c->err->text, sizeof(c->err->text), format, args);
    va_end(args);
    return c->rc;
}

int
expr_fail_memory(struct expr_compilation *c)
{
    if (c->rc == 0) {
        c->rc = -ENOMEM;
    }
    return c->rc;
}

struct expr_node *
expr_node_new(struct expr_compilation *c, enum expr_node_kind kind, size_t pos)
{
    struct expr_node *node = expr_arena_alloc(&c->arena, sizeof(*node));

    if (node == NULL) {
        expr_fail_memory(c);
        return NULL;
    }

    node->kind = kind;
    node->pos = pos;
    node->name_pos = pos;
    node->depth = 1;
    node->items = EXPR_T_ANY;
    return node;
}

int
expr_node_add(struct expr_compilation *c, struct expr_node *parent,
              struct expr_node *child)
{
    if (parent == NULL || child == NULL) {
        return c->rc;
    }

    if (parent->last == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
    parent->n++;

    if (child->depth >= parent->depth) {
        parent->depth = child->depth + 1;
    }
    if (parent->depth > EXPR_MAX_DEPTH) {
        return expr_fail(c, child->pos, "nested more than %d deep",
                         EXPR_MAX_DEPTH);
    }
    return 0;
}

void
expr_node_const(struct expr_node *node, struct intent_value value)
{
    node->kind = EXPR_N_CONST;
    node->value = value;
    node->types = 1u << value.kind;
    node->first = node->last = NULL;
    node->n = 0;
}
