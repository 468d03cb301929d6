/* SPDX-License-Identifier: Apache-2.0
 *
 * A checked tree to code.
 */
#ifndef INTENT_SIGNAL_EXPR_GEN_H
#define INTENT_SIGNAL_EXPR_GEN_H

#include "expr_ast.h"

/* The compiled form in a block of its own, which borrows nothing from the
 * compilation; free with expr_block_free(). NULL with c->rc set. */
struct expr *expr_gen(struct expr_compilation *c, struct expr_node *root);

#endif
