/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions of the configuration, with what is wrong in them pointed at in
 * the file.
 */
#ifndef INTENT_SIGNAL_CONFIG_EXPR_H
#define INTENT_SIGNAL_CONFIG_EXPR_H

#include "config_read.h"

/* Compiles the string that the node is. The caller frees *out. */
int config_expr(const struct config_node *node, const struct expr_var *vars,
                int n_vars, struct expr **out);

/* The same; the config owns *out, and the result must possibly be one of
 * `types`, in words `expected`. */
int config_expr_typed(const struct config_node *node,
                      const struct expr_var *vars, int n_vars, unsigned types,
                      const char *expected, struct expr **out);

/* As config_expr_typed(), of bool. */
int config_condition(const struct config_node *node,
                     const struct expr_var *vars, int n_vars,
                     struct expr **out);

#endif
