/* SPDX-License-Identifier: Apache-2.0
 *
 * Computes what does not depend on variables, once. What would be an error
 * is left as it is: whether it happens at all is known only at run time.
 */
#ifndef INTENT_SIGNAL_EXPR_FOLD_H
#define INTENT_SIGNAL_EXPR_FOLD_H

#include "expr_ast.h"

/* Changes a checked tree in place. 0, or c->rc: -ENOMEM. */
int expr_fold(struct expr_compilation *c, struct expr_node *root);

#endif
