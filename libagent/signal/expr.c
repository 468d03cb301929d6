/* SPDX-License-Identifier: Apache-2.0 */
#include "expr.h"

#include <errno.h>
#include <string.h>

#include "expr_check.h"
#include "expr_eval.h"
#include "expr_fold.h"
#include "expr_gen.h"
#include "expr_parse.h"

/* --- compiling --- */

int
expr_compile(const char *text, size_t len, const struct expr_var *vars,
             size_t n_vars, struct expr **out, struct intent_error *err)
{
    struct expr_compilation c = {.text = text, .len = len, .vars = vars,
                                 .n_vars = n_vars, .err = err};
    struct expr_node *root;

    *out = NULL;
    if (n_vars > UINT16_MAX) {
        return expr_fail(&c, 0, "too many names to choose from");
    }

    root = expr_parse(&c);
    if (root != NULL && expr_check(&c, root) == 0
        && expr_fold(&c, root) == 0)
    {
        *out = expr_gen(&c, root);
    }
    expr_arena_free(&c.arena);
    return c.rc;
}

void
expr_free(struct expr *expr)
{
    expr_block_free(expr);
}

unsigned
expr_types(const struct expr *expr)
{
    return expr->types;
}

bool
expr_uses(const struct expr *expr, size_t var)
{
    return var < expr->n_vars && (expr->uses[var / 8] >> var % 8 & 1) != 0;
}

/* --- evaluating --- */

/* Gives back the scratch memory that the result does not need; a text moves
 * to its beginning. Lists stay where they are, with all that they point to. */
static void
trim(struct expr_scratch *scratch, size_t used, struct intent_value *out)
{
    char *begin = scratch->base + used;

    if (out->kind == INTENT_LIST || out->kind == INTENT_MAP) {
        return;
    }
    if (out->kind == INTENT_STRING && out->as.s >= begin
        && out->as.s < scratch->base + scratch->used)
    {
        memmove(begin, out->as.s, out->len);
        out->as.s = begin;
        used += out->len;
    }
    scratch->used = used;
}

int
expr_eval(const struct expr *expr, const struct intent_value *vars,
          struct expr_scratch *scratch, struct intent_value *out)
{
    char nothing[1];
    struct expr_scratch none = {.base = nothing};
    struct expr_run run = {scratch, EXPR_MAX_STEPS};
    size_t used;
    int rc;

    if (scratch == NULL || scratch->base == NULL) {
        run.scratch = &none;
    }
    used = run.scratch->used;

    rc = expr_eval_code(expr, vars, &run, out);
    if (rc == 0 && expr_is_error(out)) {
        rc = (int) out->as.i;
    }
    if (rc != 0) {
        expr_set_null(out);
    }
    if (run.scratch->used != used) {
        trim(run.scratch, used, out);
    }
    return rc;
}
