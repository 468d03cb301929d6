/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter.
 */
#ifndef INTENT_SIGNAL_EXPR_EVAL_H
#define INTENT_SIGNAL_EXPR_EVAL_H

#include "expr_apply.h"

/* 0 with the value, or an error as a value, in *out; or a negative errno with
 * *out untouched. Scratch memory stays as the evaluation left it. */
int expr_eval_code(const struct expr *expr, const struct intent_value *vars,
                   struct expr_run *run, struct intent_value *out);

#endif
