/* SPDX-License-Identifier: Apache-2.0
 *
 * The macros at run time: the only loops there are. Each round is charged to
 * the budget.
 */
#ifndef INTENT_SIGNAL_EXPR_LOOP_H
#define INTENT_SIGNAL_EXPR_LOOP_H

#include "expr_apply.h"

struct expr_loop {
    const struct intent_value *item;         /* of this round */
    struct intent_value *results;            /* map, filter */
    size_t mark;                   /* scratch in use before this round */
    uint32_t left;                 /* rounds, this one included */
    uint32_t n_results;            /* exists_one: how many were true */
    uint8_t stride;                /* 2 over the keys of a map */
    uint8_t op;
    bool null;                     /* some round's outcome is not known */
    int error;                     /* of the first round that had one */
};

/* Both return 1 when there is a (next) round to be run, with the variable in
 * dst[1]; 0 when there is none, with the result in dst[0]; or a negative
 * errno on which the evaluation has to stop. */
int expr_loop_begin(struct expr_run *run, struct expr_loop *loop,
                    enum expr_op op, const struct intent_value *range,
                    struct intent_value *dst);

/* `body`: the outcome of this round, NULL where map left it out. `cost`: the
 * instructions of a round. */
int expr_loop_next(struct expr_run *run, struct expr_loop *loop,
                   const struct intent_value *body, size_t cost,
                   struct intent_value *dst);

#endif
