/* SPDX-License-Identifier: Apache-2.0
 *
 * Names to variables, calls to operators, and the types of everything. What
 * could not succeed for any values is refused, with a text for its author.
 */
#ifndef INTENT_SIGNAL_EXPR_CHECK_H
#define INTENT_SIGNAL_EXPR_CHECK_H

#include "expr_ast.h"

/* Changes the tree in place: afterwards it has no NAME, SELECT, HAS or CALL,
 * and every node has its types. 0, or c->rc. */
int expr_check(struct expr_compilation *c, struct expr_node *root);

#endif
