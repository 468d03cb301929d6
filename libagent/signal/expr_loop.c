/* SPDX-License-Identifier: Apache-2.0 */
#include "expr_loop.h"

#include <errno.h>

/* The result after the last round, which none before it settled. */
static void
finish(const struct expr_loop *loop, struct intent_value *out)
{
    if (loop->op == EXPR_OP_MAP_ITEMS || loop->op == EXPR_OP_FILTER) {
        out->kind = INTENT_LIST;
        out->len = loop->n_results;
        out->as.items = loop->results;
    } else if (loop->error != 0) {
        expr_set_error(out, loop->error);
    } else if (loop->op == EXPR_OP_EXISTS_ONE && loop->n_results > 1) {
        expr_set_bool(out, false);
    } else if (loop->null) {
        expr_set_null(out);
    } else {
        expr_set_bool(out, loop->op == EXPR_OP_EXISTS_ONE
                               ? loop->n_results == 1
                               : loop->op == EXPR_OP_ALL);
    }
}

int
expr_loop_begin(struct expr_run *run, struct expr_loop *loop, enum expr_op op,
                const struct intent_value *range, struct intent_value *dst)
{
    if (range->kind == INTENT_NULL || expr_is_error(range)) {
        *dst = *range;
        return 0;
    }
    if (range->kind != INTENT_LIST && range->kind != INTENT_MAP) {
        return expr_set_error(dst, -EINVAL);
    }

    loop->item = range->as.items;
    loop->stride = range->kind == INTENT_MAP ? 2 : 1;
    loop->left = range->len;
    loop->op = (uint8_t) op;
    loop->results = NULL;
    loop->n_results = 0;
    loop->null = false;
    loop->error = 0;
    if (loop->left == 0) {
        finish(loop, dst);
        return 0;
    }

    if (op == EXPR_OP_MAP_ITEMS || op == EXPR_OP_FILTER) {
        loop->results = expr_take(run, loop->left * sizeof(*loop->results));
        if (loop->results == NULL) {
            return -ENOSPC;
        }
    }
    loop->mark = run->scratch->used;
    dst[1] = *loop->item;
    return 1;
}

/* Takes in the outcome of a condition. True when it settles the result. */
static bool
take_condition(struct expr_loop *loop, const struct intent_value *body,
               struct intent_value *dst)
{
    if (body->kind == INTENT_NULL) {
        loop->null = true;
    } else if (body->kind != INTENT_BOOL) {
        if (loop->error == 0) {
            loop->error = expr_is_error(body) ? (int) body->as.i : -EINVAL;
        }
    } else if (loop->op == EXPR_OP_EXISTS_ONE) {
        loop->n_results += body->as.b;
    } else if (body->as.b == (loop->op == EXPR_OP_EXISTS)) {
        expr_set_bool(dst, body->as.b);
        return true;
    }
    return false;
}

/* A null condition leaves the item out. */
static bool
take_filter(struct expr_loop *loop, const struct intent_value *body,
            struct intent_value *dst)
{
    if (body->kind == INTENT_BOOL) {
        if (body->as.b) {
            loop->results[loop->n_results++] = *loop->item;
        }
        return false;
    }
    if (body->kind == INTENT_NULL) {
        return false;
    }
    expr_set_error(dst, expr_is_error(body) ? (int) body->as.i : -EINVAL);
    return true;
}

static bool
take_map(struct expr_run *run, struct expr_loop *loop,
         const struct intent_value *body, struct intent_value *dst)
{
    if (expr_is_error(body)) {
        *dst = *body;
        return true;
    }
    loop->results[loop->n_results++] = *body;
    if (body->kind >= INTENT_STRING) {
        loop->mark = run->scratch->used;
    }
    return false;
}

int
expr_loop_next(struct expr_run *run, struct expr_loop *loop,
               const struct intent_value *body, size_t cost,
               struct intent_value *dst)
{
    bool done = false;

    if (expr_charge(run, cost) != 0) {
        return -E2BIG;
    }

    if (body != NULL) {
        done = loop->op == EXPR_OP_MAP_ITEMS ? take_map(run, loop, body, dst)
               : loop->op == EXPR_OP_FILTER ? take_filter(loop, body, dst)
                                            : take_condition(loop, body, dst);
    }
    /* What the round made is no part of the result. */
    run->scratch->used = loop->mark;
    if (done) {
        return 0;
    }

    if (--loop->left == 0) {
        finish(loop, dst);
        return 0;
    }
    loop->item += loop->stride;
    dst[1] = *loop->item;
    return 1;
}
