/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens to a syntax tree, by CEL's grammar; macros are recognised here, since
 * they bring names of their own.
 */
#ifndef INTENT_SIGNAL_EXPR_PARSE_H
#define INTENT_SIGNAL_EXPR_PARSE_H

#include "expr_ast.h"

/* The tree of the whole text, or NULL with c->rc set. */
struct expr_node *expr_parse(struct expr_compilation *c);

#endif
