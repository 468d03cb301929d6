/* SPDX-License-Identifier: Apache-2.0 */
#include "config_expr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAX_TYPES = 64 };

/* The byte at a line and column of the text. */
static size_t
offset_of(const char *text, size_t len, int line, int column)
{
    size_t at = 0;
    const char *newline;

    for (; line > 1; line--) {
        newline = memchr(text + at, '\n', len - at);
        if (newline == NULL) {
            break;
        }
        at = (size_t) (newline - text) + 1;
    }
    at += column > 0 ? (size_t) column - 1 : 0;

    return at < len ? at : len;
}

int
config_expr(const struct config_node *node, const struct expr_var *vars,
            int n_vars, struct expr **out)
{
    struct intent_error err = { 0 };
    const char *text;
    size_t len;
    int rc;

    if (!json_is_string(node->json)) {
        return config_expected(node, "an expression in a string");
    }

    text = json_string_value(node->json);
    len = json_string_length(node->json);
    rc = expr_compile(text, len, vars, (size_t) n_vars, out, &err);
    if (rc == 0 || rc == -ENOMEM) {
        return rc;
    }

    return config_fail_in(node, offset_of(text, len, err.line, err.column),
                          "%s", err.text);
}

static void
types_text(unsigned types, char buf[MAX_TYPES])
{
    static const char *const names[] = {
        [INTENT_NULL] = "null", [INTENT_BOOL] = "bool", [INTENT_INT] = "int",
        [INTENT_DOUBLE] = "double", [INTENT_STRING] = "string",
        [INTENT_LIST] = "list", [INTENT_MAP] = "map"
    };
    size_t at = 0, i;

    buf[0] = '\0';
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((types & 1u << i) != 0) {
            at += (size_t) snprintf(buf + at, MAX_TYPES - at, "%s%s",
                                    at == 0 ? "" : " or ", names[i]);
        }
    }
}

int
config_expr_typed(const struct config_node *node, const struct expr_var *vars,
                  int n_vars, unsigned types, const char *expected,
                  struct expr **out)
{
    char has[MAX_TYPES];
    int rc;

    rc = config_expr(node, vars, n_vars, out);
    if (rc != 0) {
        return rc;
    }
    rc = model_own_expr(node->source->config, *out);
    if (rc != 0) {
        *out = NULL;
        return rc;
    }
    if ((expr_types(*out) & types) == 0) {
        types_text(expr_types(*out), has);
        return config_fail(node, "the expression is %s; expected %s", has,
                           expected);
    }

    return 0;
}

int
config_condition(const struct config_node *node, const struct expr_var *vars,
                 int n_vars, struct expr **out)
{
    return config_expr_typed(node, vars, n_vars, EXPR_T_BOOL,
                             "a condition: true or false", out);
}
