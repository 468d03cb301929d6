/* SPDX-License-Identifier: Apache-2.0 */
#include "expr_ast.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static void
locate(const struct expr_compilation *c, size_t pos, struct intent_error *err)
{
    size_t i;

    err->line = 1;
    err->column = 1;
    for (i = 0; i < pos && i < c->len; i++) {
        err->column++;
        if (c->text[i] == '\n') {
            err->line++;
            err->column = 1;
        }
    }
}

int
expr_fail(struct expr_compilation *c, size_t pos, const char *format, ...)
{
    struct intent_error *err = c->rc == 0 ? c->err : NULL;
    va_list args;

    if (c->rc == 0) {
        c->rc = -EINVAL;
    }
    if (err == NULL) {
        return c->rc;
    }

    va_start(args, format);
    /* clang-tidy 14 sees no va_start() in any file but the first of a run. */
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    locate(c, pos, err);
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
