/* SPDX-License-Identifier: Apache-2.0 */
#include "expr_eval.h"

#include <errno.h>
#include <math.h>

#include "../base/compiler.h"
#include "expr_loop.h"

/* --- conditions --- */

static bool
is_bool(const struct intent_value *v, bool b)
{
    return v->kind == INTENT_BOOL && v->as.b == b;
}

/* What is no condition becomes an error. */
static void
set_condition(struct intent_value *out, const struct intent_value *v)
{
    if (v->kind == INTENT_BOOL || v->kind == INTENT_NULL || expr_is_error(v)) {
        *out = *v;
    } else {
        expr_set_error(out, -EINVAL);
    }
}

/* Joins what follows to a left side that did not decide: right then decides,
 * else an error outlasts null and null a bool. */
static void
join_condition(struct intent_value *left, const struct intent_value *b,
               bool decides)
{
    struct intent_value right;

    set_condition(&right, b);
    if (is_bool(&right, decides) || is_bool(left, !decides)
        || (left->kind == INTENT_NULL && expr_is_error(&right)))
    {
        *left = right;
    }
}

/* --- literals --- */

static void
set_item(struct intent_value *literal, size_t i, const struct intent_value *v)
{
    ((struct intent_value *) (uintptr_t) literal->as.items)[i] = *v;
}

static int
new_literal(struct expr_run *run, bool map, size_t n, struct intent_value *out)
{
    size_t n_items = map ? 2 * n : n;
    struct intent_value *items;

    if (expr_charge(run, n_items) != 0) {
        return -E2BIG;
    }
    items = expr_take(run, n_items * sizeof(*items));
    if (items == NULL) {
        return -ENOSPC;
    }
    out->kind = map ? INTENT_MAP : INTENT_LIST;
    out->len = (uint32_t) n;
    out->as.items = items;
    return 0;
}

/* A map's key, when its type and its difference from those before it are
 * known only now. 0, also with *map made an error; or -E2BIG. */
static int
set_key(struct expr_run *run, struct intent_value *map, size_t i,
        const struct intent_value *key)
{
    size_t j;
    int rc;

    if (key->kind != INTENT_BOOL && key->kind != INTENT_INT
        && key->kind != INTENT_STRING)
    {
        return expr_set_error(map, expr_is_error(key) ? (int) key->as.i
                                                      : -EINVAL);
    }
    for (j = 0; j < i; j += 2) {
        rc = expr_equal(run, &map->as.items[j], key);
        if (rc != 0) {
            return rc < 0 ? rc : expr_set_error(map, -EINVAL);
        }
    }
    set_item(map, i, key);
    return 0;
}

/* --- the code --- */

/* An evaluation in progress. */
struct frame {
    struct expr_run *run;
    const struct expr_insn *code;
    struct expr_loop *loops;
};

/* Where it goes on. */
enum { NEXT, TO, END };

/* LIST, MAP, KEY, ITEM. */
static int
build(const struct frame *f, const struct expr_insn *in,
      const struct intent_value *a, struct intent_value *dst)
{
    int rc = 0;

    switch (in->op) {
    case EXPR_OP_LIST:
    case EXPR_OP_MAP:
        return new_literal(f->run, in->op == EXPR_OP_MAP, in->n, dst);
    case EXPR_OP_KEY:
        rc = set_key(f->run, dst, in->n, a);
        break;
    default:
        if (expr_is_error(a)) {
            *dst = *a;
        } else {
            set_item(dst, in->n, a);
        }
        break;
    }
    return rc != 0 ? rc : expr_is_error(dst) ? TO : NEXT;
}

/* The macros. */
static int
loop(const struct frame *f, const struct expr_insn *in,
     const struct intent_value *a, struct intent_value *dst)
{
    struct expr_loop *l = &f->loops[in->loop];
    int rc;

    switch (in->op) {
    case EXPR_OP_WHEN:
        if (a->kind == INTENT_BOOL || a->kind == INTENT_NULL) {
            return is_bool(a, true) ? NEXT : TO;
        }
        set_condition(dst, a);
        return END;
    case EXPR_OP_NEXT:
    case EXPR_OP_SKIP:
        rc = expr_loop_next(f->run, l, in->op == EXPR_OP_NEXT ? a : NULL,
                            (size_t) (in - f->code) - in->to + 1u, dst);
        return rc <= 0 ? rc : TO;
    default:
        rc = expr_loop_begin(f->run, l, in->op, a, dst);
        return rc < 0 ? rc : rc == 0 ? TO : NEXT;
    }
}

/* Whatever is not the computation of a value: where to go on, or a negative
 * errno. */
static int
control(const struct frame *f, const struct expr_insn *in,
        const struct intent_value *a, const struct intent_value *b,
        struct intent_value *dst)
{
    switch (in->op) {
    case EXPR_OP_MOVE:
        *dst = *a;
        return NEXT;
    case EXPR_OP_JUMP:
        return TO;
    case EXPR_OP_AND_BEGIN:
    case EXPR_OP_OR_BEGIN:
        set_condition(dst, a);
        return is_bool(dst, in->op == EXPR_OP_OR_BEGIN) ? TO : NEXT;
    case EXPR_OP_AND:
    case EXPR_OP_OR:
        join_condition(dst, b, in->op == EXPR_OP_OR);
        return is_bool(dst, in->op == EXPR_OP_OR) ? TO : NEXT;
    case EXPR_OP_COND:
        if (a->kind == INTENT_BOOL) {
            return a->as.b ? NEXT : TO;
        }
        set_condition(dst, a);
        return END;
    case EXPR_OP_DEFAULT:
        if (a->kind == INTENT_NULL) {
            return NEXT;
        }
        *dst = *a;
        return TO;
    case EXPR_OP_LIST:
    case EXPR_OP_MAP:
    case EXPR_OP_KEY:
    case EXPR_OP_ITEM:
        return build(f, in, a, dst);
    default:
        return loop(f, in, a, dst);
    }
}

/* What nearly every instruction is: two doubles, no null among them. */
#define DOUBLES(set, when, value)                                             \
    if (a->kind == INTENT_DOUBLE && b->kind == INTENT_DOUBLE && (when)) {     \
        set(dst, (value));                                                    \
        in++;                                                                 \
        continue;                                                             \
    }                                                                         \
    break

int
expr_eval_code(const struct expr *expr, const struct intent_value *vars,
               struct expr_run *run, struct intent_value *out)
{
    /* No instruction reads a temporary before it is written. */
    UNINITIALIZED struct intent_value temps[EXPR_MAX_TEMPS];
    UNINITIALIZED struct expr_loop loops[EXPR_MAX_LOOPS];
    const struct intent_value *const places[] = {temps, vars, expr->consts};
    const struct frame f = {run, expr->code, loops};
    const struct expr_insn *in = expr->code;
    const struct intent_value *a, *b;
    struct intent_value *dst;
    int rc;

    for (;;) {
        a = places[in->a_in] + in->a;
        b = places[in->b_in] + in->b;
        dst = temps + in->dst;

        switch (in->op) {
        case EXPR_OP_ADD:
            DOUBLES(expr_set_double, true, a->as.d + b->as.d);
        case EXPR_OP_SUB:
            DOUBLES(expr_set_double, true, a->as.d - b->as.d);
        case EXPR_OP_MUL:
            DOUBLES(expr_set_double, true, a->as.d * b->as.d);
        case EXPR_OP_DIV:
            DOUBLES(expr_set_double, true, a->as.d / b->as.d);
        case EXPR_OP_LT:
            DOUBLES(expr_set_bool, true, a->as.d < b->as.d);
        case EXPR_OP_LE:
            DOUBLES(expr_set_bool, true, a->as.d <= b->as.d);
        case EXPR_OP_GT:
            DOUBLES(expr_set_bool, true, a->as.d > b->as.d);
        case EXPR_OP_GE:
            DOUBLES(expr_set_bool, true, a->as.d >= b->as.d);
        case EXPR_OP_GREATEST:
            DOUBLES(expr_set_double, !isunordered(a->as.d, b->as.d),
                    a->as.d < b->as.d ? b->as.d : a->as.d);
        case EXPR_OP_LEAST:
            DOUBLES(expr_set_double, !isunordered(a->as.d, b->as.d),
                    a->as.d > b->as.d ? b->as.d : a->as.d);
        case EXPR_OP_RETURN:
            *out = *a;
            return 0;
        default:
            break;
        }

        rc = in->op < EXPR_OP_VALUES ? expr_apply(run, in->op, a, b, dst)
                                     : control(&f, in, a, b, dst);
        if (rc < 0) {
            return rc;
        }
        in = rc == NEXT ? in + 1 : expr->code + (rc == TO ? in->to : in->n);
    }
}
