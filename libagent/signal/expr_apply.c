/* SPDX-License-Identifier: Apache-2.0 */
#include "expr_apply.h"

#include <errno.h>
#include <math.h>
#include <stdalign.h>
#include <string.h>

#include "expr_func.h"
#include "expr_type.h"

/* Comparing and searching text costs a step for so many bytes. */
enum { STEP_BYTES = 64 };

void *
expr_take(struct expr_run *run, size_t size)
{
    struct expr_scratch *s = run->scratch;
    size_t align = alignof(struct intent_value), skip;

    skip = (size_t) (-(uintptr_t) (s->base + s->used) & (align - 1));
    if (size > s->size - s->used || skip > s->size - s->used - size) {
        return NULL;
    }
    s->used += skip + size;
    return s->base + s->used - size;
}

/* --- equality and order --- */

static int
compare_doubles(double a, double b)
{
    return a < b ? -1 : a > b ? 1 : a == b ? 0 : 2;
}

static int
compare_strings(const struct intent_value *a, const struct intent_value *b)
{
    size_t n = a->len < b->len ? a->len : b->len;
    int order = n == 0 ? 0 : memcmp(a->as.s, b->as.s, n);

    if (order == 0) {
        return a->len < b->len ? -1 : a->len > b->len;
    }
    return order < 0 ? -1 : 1;
}

static bool
is_number(const struct intent_value *v)
{
    return v->kind == INTENT_INT || v->kind == INTENT_DOUBLE;
}

static double
as_double(const struct intent_value *v)
{
    return v->kind == INTENT_INT ? (double) v->as.i : v->as.d;
}

int
expr_compare(const struct intent_value *a, const struct intent_value *b)
{
    if (a->kind == INTENT_INT && b->kind == INTENT_INT) {
        return a->as.i < b->as.i ? -1 : a->as.i > b->as.i;
    }
    if (is_number(a) && is_number(b)) {
        return compare_doubles(as_double(a), as_double(b));
    }
    if (a->kind != b->kind) {
        return 2;
    }
    if (a->kind == INTENT_STRING) {
        return compare_strings(a, b);
    }
    return a->kind == INTENT_BOOL ? a->as.b - b->as.b : 2;
}

static int equal(struct expr_run *run, const struct intent_value *a,
                 const struct intent_value *b, int depth);

static int
equal_lists(struct expr_run *run, const struct intent_value *a,
            const struct intent_value *b, int depth)
{
    uint32_t i;
    int rc = 1;

    for (i = 0; i < a->len && rc == 1; i++) {
        rc = equal(run, &a->as.items[i], &b->as.items[i], depth);
    }
    return rc;
}

/* The value of a key in a map: 1 and *out, 0, or -E2BIG. */
static int
find_key(struct expr_run *run, const struct intent_value *map,
         const struct intent_value *key, const struct intent_value **out)
{
    uint32_t i;
    int rc;

    for (i = 0; i < map->len; i++) {
        rc = expr_equal(run, &map->as.items[2 * i], key);
        if (rc != 0) {
            *out = &map->as.items[2 * i + 1];
            return rc;
        }
    }
    return 0;
}

static int
equal_maps(struct expr_run *run, const struct intent_value *a,
           const struct intent_value *b, int depth)
{
    const struct intent_value *other;
    uint32_t i;
    int rc = 1;

    for (i = 0; i < a->len && rc == 1; i++) {
        rc = find_key(run, b, &a->as.items[2 * i], &other);
        if (rc == 1) {
            rc = equal(run, &a->as.items[2 * i + 1], other, depth);
        }
    }
    return rc;
}

static int
equal(struct expr_run *run, const struct intent_value *a,
      const struct intent_value *b, int depth)
{
    if (depth > EXPR_MAX_DEPTH
        || expr_charge(run, a->kind == INTENT_STRING
                                ? 1 + a->len / STEP_BYTES : 1) != 0)
    {
        return -E2BIG;
    }

    if (is_number(a) && is_number(b)) {
        return expr_compare(a, b) == 0;
    }
    if (a->kind != b->kind) {
        return 0;
    }

    switch (a->kind) {
    case INTENT_NULL:
        return 1;
    case INTENT_BOOL:
        return a->as.b == b->as.b;
    case INTENT_STRING:
        return a->len == b->len
               && (a->len == 0 || memcmp(a->as.s, b->as.s, a->len) == 0);
    case INTENT_LIST:
        return a->len == b->len ? equal_lists(run, a, b, depth + 1) : 0;
    case INTENT_MAP:
        return a->len == b->len ? equal_maps(run, a, b, depth + 1) : 0;
    default:
        return 0;
    }
}

int
expr_equal(struct expr_run *run, const struct intent_value *a,
           const struct intent_value *b)
{
    return equal(run, a, b, 0);
}

static int
apply_equal(struct expr_run *run, enum expr_op op,
            const struct intent_value *a, const struct intent_value *b,
            struct intent_value *out)
{
    int rc = expr_equal(run, a, b);

    if (rc < 0) {
        return rc;
    }
    expr_set_bool(out, (rc == 1) == (op == EXPR_OP_EQ));
    return 0;
}

static int
apply_order(struct expr_run *run, enum expr_op op,
            const struct intent_value *a, const struct intent_value *b,
            struct intent_value *out)
{
    int order;

    if (a->kind == INTENT_STRING
        && expr_charge(run, a->len / STEP_BYTES) != 0)
    {
        return -E2BIG;
    }
    if (a->kind != b->kind && !(is_number(a) && is_number(b))) {
        return expr_set_error(out, -EINVAL);
    }

    order = expr_compare(a, b);
    expr_set_bool(out, order != 2 && (op == EXPR_OP_LT ? order < 0
                                      : op == EXPR_OP_LE ? order <= 0
                                      : op == EXPR_OP_GT ? order > 0
                                                         : order >= 0));
    return 0;
}

/* Greatest or least of two numbers: the first of equal ones, with its own
 * type. NaN has no place in an order. */
static int
apply_extreme(struct expr_run *run, enum expr_op op,
              const struct intent_value *a, const struct intent_value *b,
              struct intent_value *out)
{
    int order = expr_compare(a, b);

    (void) run;
    if (order == 2) {
        return expr_set_error(out, -EDOM);
    }
    *out = order == (op == EXPR_OP_GREATEST ? -1 : 1) ? *b : *a;
    return 0;
}

/* --- arithmetic --- */

static int
int_arithmetic(enum expr_op op, int64_t a, int64_t b, struct intent_value *out)
{
    int64_t result = 0;
    bool bad;

    switch (op) {
    case EXPR_OP_ADD:
        bad = __builtin_add_overflow(a, b, &result);
        break;
    case EXPR_OP_SUB:
        bad = __builtin_sub_overflow(a, b, &result);
        break;
    case EXPR_OP_MUL:
        bad = __builtin_mul_overflow(a, b, &result);
        break;
    default:
        bad = b == 0 || (a == INT64_MIN && b == -1);
        if (!bad) {
            result = op == EXPR_OP_DIV ? a / b : a % b;
        }
        break;
    }
    if (bad) {
        return expr_set_error(out, -EDOM);
    }
    expr_set_int(out, result);
    return 0;
}

static int
double_arithmetic(enum expr_op op, double a, double b,
                  struct intent_value *out)
{
    switch (op) {
    case EXPR_OP_ADD:
        expr_set_double(out, a + b);
        return 0;
    case EXPR_OP_SUB:
        expr_set_double(out, a - b);
        return 0;
    case EXPR_OP_MUL:
        expr_set_double(out, a * b);
        return 0;
    case EXPR_OP_DIV:
        expr_set_double(out, a / b);
        return 0;
    default:
        return expr_set_error(out, -EINVAL);
    }
}

static int
apply_arithmetic(struct expr_run *run, enum expr_op op,
                 const struct intent_value *a, const struct intent_value *b,
                 struct intent_value *out)
{
    if (a->kind != b->kind) {
        return expr_set_error(out, -EINVAL);
    }
    switch (a->kind) {
    case INTENT_INT:
        return int_arithmetic(op, a->as.i, b->as.i, out);
    case INTENT_DOUBLE:
        return double_arithmetic(op, a->as.d, b->as.d, out);
    default:
        return op == EXPR_OP_ADD ? expr_concat(run, a, b, out)
                                 : expr_set_error(out, -EINVAL);
    }
}

static int
apply_negate(struct expr_run *run, enum expr_op op,
             const struct intent_value *a, const struct intent_value *b,
             struct intent_value *out)
{
    (void) run;
    (void) op;
    (void) b;
    if (a->kind == INTENT_DOUBLE) {
        expr_set_double(out, -a->as.d);
        return 0;
    }
    return int_arithmetic(EXPR_OP_SUB, 0, a->as.i, out);
}

static int
apply_not(struct expr_run *run, enum expr_op op, const struct intent_value *a,
          const struct intent_value *b, struct intent_value *out)
{
    (void) run;
    (void) op;
    (void) b;
    expr_set_bool(out, !a->as.b);
    return 0;
}

/* --- lists and maps --- */

static int
apply_in(struct expr_run *run, enum expr_op op, const struct intent_value *a,
         const struct intent_value *b, struct intent_value *out)
{
    const struct intent_value *value;
    uint32_t i;
    int rc = 0;

    (void) op;
    switch (b->kind) {
    case INTENT_NULL:
        expr_set_null(out);
        return 0;
    case INTENT_LIST:
        for (i = 0; i < b->len && rc == 0; i++) {
            rc = expr_equal(run, a, &b->as.items[i]);
        }
        break;
    case INTENT_MAP:
        if (a->kind == INTENT_LIST || a->kind == INTENT_MAP) {
            return expr_set_error(out, -EINVAL);
        }
        rc = find_key(run, b, a, &value);
        break;
    default:
        return expr_set_error(out, -EINVAL);
    }

    if (rc < 0) {
        return rc;
    }
    expr_set_bool(out, rc == 1);
    return 0;
}

static int
index_list(const struct intent_value *list, const struct intent_value *index,
           struct intent_value *out)
{
    int64_t i;

    if (!is_number(index)) {
        return expr_set_error(out, -EINVAL);
    }
    if (index->kind == INTENT_INT) {
        i = index->as.i;
    } else if (index->as.d >= 0 && index->as.d < list->len
               && index->as.d == floor(index->as.d))
    {
        i = (int64_t) index->as.d;
    } else {
        return expr_set_error(out, -EDOM);
    }
    if (i < 0 || i >= list->len) {
        return expr_set_error(out, -EDOM);
    }
    *out = list->as.items[i];
    return 0;
}

static int
apply_index(struct expr_run *run, enum expr_op op,
            const struct intent_value *a, const struct intent_value *b,
            struct intent_value *out)
{
    const struct intent_value *value;
    int rc;

    (void) op;
    if (a->kind == INTENT_LIST) {
        return index_list(a, b, out);
    }
    rc = find_key(run, a, b, &value);
    if (rc < 0) {
        return rc;
    }
    if (rc == 0) {
        return expr_set_error(out, -EDOM);
    }
    *out = *value;
    return 0;
}

static int
apply_has(struct expr_run *run, enum expr_op op, const struct intent_value *a,
          const struct intent_value *b, struct intent_value *out)
{
    const struct intent_value *value;
    int rc = find_key(run, a, b, &value);

    (void) op;
    if (rc < 0) {
        return rc;
    }
    expr_set_bool(out, rc == 1);
    return 0;
}

static int
apply_present(struct expr_run *run, enum expr_op op,
              const struct intent_value *a, const struct intent_value *b,
              struct intent_value *out)
{
    (void) run;
    (void) op;
    (void) b;
    expr_set_bool(out, a->kind != INTENT_NULL);
    return 0;
}

/* math.greatest(x): of a list its greatest item, of a number itself. */
static int
apply_extreme_of(struct expr_run *run, enum expr_op op,
                 const struct intent_value *a, const struct intent_value *b,
                 struct intent_value *out)
{
    enum expr_op pair = op == EXPR_OP_GREATEST_OF ? EXPR_OP_GREATEST
                                                  : EXPR_OP_LEAST;
    struct intent_value best;
    uint32_t i;
    int rc;

    (void) b;
    if (a->kind != INTENT_LIST) {
        *out = *a;
        return 0;
    }
    if (a->len == 0) {
        return expr_set_error(out, -EDOM);
    }
    if (expr_charge(run, a->len) != 0) {
        return -E2BIG;
    }

    /* The first with itself: it has to be a number as well. */
    best = a->as.items[0];
    for (i = 0; i < a->len; i++) {
        rc = expr_apply(run, pair, &best, &a->as.items[i], &best);
        if (rc != 0) {
            return rc;
        }
    }
    *out = best;
    return 0;
}

/* --- dispatch --- */

typedef int apply_fn(struct expr_run *run, enum expr_op op,
                     const struct intent_value *a,
                     const struct intent_value *b, struct intent_value *out);

static apply_fn *const functions[EXPR_OP_VALUES] = {
    [EXPR_OP_ADD] = apply_arithmetic,
    [EXPR_OP_SUB] = apply_arithmetic,
    [EXPR_OP_MUL] = apply_arithmetic,
    [EXPR_OP_DIV] = apply_arithmetic,
    [EXPR_OP_MOD] = apply_arithmetic,
    [EXPR_OP_EQ] = apply_equal,
    [EXPR_OP_NE] = apply_equal,
    [EXPR_OP_LT] = apply_order,
    [EXPR_OP_LE] = apply_order,
    [EXPR_OP_GT] = apply_order,
    [EXPR_OP_GE] = apply_order,
    [EXPR_OP_IN] = apply_in,
    [EXPR_OP_INDEX] = apply_index,
    [EXPR_OP_SELECT] = apply_index,
    [EXPR_OP_HAS] = apply_has,
    [EXPR_OP_GREATEST] = apply_extreme,
    [EXPR_OP_LEAST] = apply_extreme,
    [EXPR_OP_CONTAINS] = expr_search,
    [EXPR_OP_STARTS] = expr_search,
    [EXPR_OP_ENDS] = expr_search,
    [EXPR_OP_NEG] = apply_negate,
    [EXPR_OP_NOT] = apply_not,
    [EXPR_OP_PRESENT] = apply_present,
    [EXPR_OP_SIZE] = expr_size,
    [EXPR_OP_TO_INT] = expr_convert,
    [EXPR_OP_TO_DOUBLE] = expr_convert,
    [EXPR_OP_TO_STRING] = expr_convert,
    [EXPR_OP_TO_BOOL] = expr_convert,
    [EXPR_OP_GREATEST_OF] = apply_extreme_of,
    [EXPR_OP_LEAST_OF] = apply_extreme_of,
};

int
expr_apply(struct expr_run *run, enum expr_op op, const struct intent_value *a,
           const struct intent_value *b, struct intent_value *out)
{
    const struct expr_op_info *info = expr_op_info(op);
    unsigned a_type, b_type = 0;

    if (expr_is_error(a) || (info->binary && expr_is_error(b))) {
        *out = expr_is_error(a) ? *a : *b;
        return 0;
    }

    a_type = 1u << a->kind;
    if (info->binary) {
        b_type = 1u << b->kind;
    }
    if (info->null == EXPR_NULL_VALUE) {
        return functions[op](run, op, a, b, out);
    }
    if ((a_type & ~(info->a | EXPR_T_NULL)) != 0
        || (b_type & ~(info->b | EXPR_T_NULL)) != 0)
    {
        return expr_set_error(out, -EINVAL);
    }
    if (((a_type | b_type) & EXPR_T_NULL) == 0) {
        return functions[op](run, op, a, b, out);
    }

    if (info->null == EXPR_NULL_STAYS) {
        expr_set_null(out);
    } else {
        expr_set_bool(out, false);
    }
    return 0;
}
