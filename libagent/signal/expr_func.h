/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions on strings and sizes, and the conversions. All are called by
 * expr_apply(), with operands whose types it has checked, and return as it.
 */
#ifndef INTENT_SIGNAL_EXPR_FUNC_H
#define INTENT_SIGNAL_EXPR_FUNC_H

#include "expr_apply.h"

/* Two strings or two lists, in scratch memory. */
int expr_concat(struct expr_run *run, const struct intent_value *a,
                const struct intent_value *b, struct intent_value *out);

/* contains, startsWith, endsWith. */
int expr_search(struct expr_run *run, enum expr_op op,
                const struct intent_value *a, const struct intent_value *b,
                struct intent_value *out);

/* Characters of a string, items of a list, pairs of a map. */
int expr_size(struct expr_run *run, enum expr_op op,
              const struct intent_value *a, const struct intent_value *b,
              struct intent_value *out);

/* int(), double(), string(), bool(). */
int expr_convert(struct expr_run *run, enum expr_op op,
                 const struct intent_value *a, const struct intent_value *b,
                 struct intent_value *out);

#endif
