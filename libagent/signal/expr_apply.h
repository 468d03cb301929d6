/* SPDX-License-Identifier: Apache-2.0
 *
 * What the operators do with values: the one place that says so, for constant
 * folding and for the interpreter, which only shortcuts the commonest cases.
 */
#ifndef INTENT_SIGNAL_EXPR_APPLY_H
#define INTENT_SIGNAL_EXPR_APPLY_H

#include <errno.h>

#include "expr_code.h"

/* One evaluation. */
struct expr_run {
    struct expr_scratch *scratch;
    uint32_t steps;                /* left */
};

/* *out = a op b for an operator below EXPR_OP_VALUES, by the null rules; b is
 * not looked at where op has one operand. out may be a or b. 0, with an error
 * as a value in *out where there is one; or -ENOSPC, -E2BIG, on which the
 * evaluation has to stop. */
int expr_apply(struct expr_run *run, enum expr_op op,
               const struct intent_value *a, const struct intent_value *b,
               struct intent_value *out);

/* 1, 0, or -E2BIG. */
int expr_equal(struct expr_run *run, const struct intent_value *a,
               const struct intent_value *b);

/* The order of two numbers, strings or bools: -1, 0, 1; or 2 with NaN, or
 * where they have none. */
int expr_compare(const struct intent_value *a, const struct intent_value *b);

/* Takes n from the budget: 0 or -E2BIG. */
static inline int
expr_charge(struct expr_run *run, size_t n)
{
    if (n > run->steps) {
        return -E2BIG;
    }
    run->steps -= (uint32_t) n;
    return 0;
}

/* Memory that stays with the result, aligned for values; NULL when the scratch
 * is full. */
void *expr_take(struct expr_run *run, size_t size);

#endif
