/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as an expression, evaluated with values of every type: present,
 * all null, and of types that the scope does not declare. What is accepted
 * has to keep what expr.h promises.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../libagent/signal/expr.h"

enum { N_VARS = 9, SCRATCH = 2048 };

static const struct expr_var vars[N_VARS] = {
    {"a", EXPR_T_DOUBLE},
    {"b", EXPR_T_DOUBLE | EXPR_T_NULL},
    {"s", EXPR_T_STRING | EXPR_T_NULL},
    {"t", EXPR_T_BOOL},
    {"n", EXPR_T_INT},
    {"l", EXPR_T_LIST},
    {"m", EXPR_T_MAP},
    {"m.x.y", EXPR_T_INT},
    {"v", EXPR_T_ANY},
};

static const struct intent_value items[] = {
    {INTENT_STRING, 1, {.s = "k"}}, {INTENT_INT, 0, {.i = -1}},
    {INTENT_NULL, 0, {.i = 0}},     {INTENT_DOUBLE, 0, {.d = 2.5}},
    {INTENT_LIST, 2, {.items = items}}, {INTENT_STRING, 0, {.s = NULL}},
};
static const struct intent_value pairs[] = {
    {INTENT_STRING, 1, {.s = "x"}}, {INTENT_LIST, 6, {.items = items}},
    {INTENT_INT, 0, {.i = 1}},      {INTENT_STRING, 2, {.s = "\xcf\x80"}},
};

static const struct intent_value present[N_VARS] = {
    {INTENT_DOUBLE, 0, {.d = 20}},     {INTENT_DOUBLE, 0, {.d = 0.1}},
    {INTENT_STRING, 3, {.s = "abc"}},  {INTENT_BOOL, 0, {.b = true}},
    {INTENT_INT, 0, {.i = INT64_MIN}}, {INTENT_LIST, 6, {.items = items}},
    {INTENT_MAP, 2, {.items = pairs}}, {INTENT_INT, 0, {.i = 3}},
    {INTENT_STRING, 2, {.s = "12"}},
};
static const struct intent_value absent[N_VARS];

static void
require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* Reads all of a result, so that a sanitizer sees where it points. Shared
 * parts make a large tree of a small result: `left` bounds it. */
static size_t
touch(const struct intent_value *v, size_t left)
{
    volatile char byte;
    uint32_t i, n;

    require(v->kind <= INTENT_MAP);
    if (v->kind == INTENT_STRING) {
        for (i = 0; i < v->len; i++) {
            byte = v->as.s[i];
            (void) byte;
        }
    } else if (v->kind >= INTENT_LIST) {
        n = v->len * (v->kind == INTENT_MAP ? 2u : 1u);
        for (i = 0; i < n && left > 0; i++) {
            left = touch(&v->as.items[i], left - 1);
        }
    }
    return left;
}

static void
evaluate(const struct expr *expr, const struct intent_value *values,
         size_t scratch_size, bool declared)
{
    /* A block of its own, so that a sanitizer sees its end. */
    char *memory = malloc(scratch_size + 1);
    struct expr_scratch scratch = {memory, scratch_size, 0};
    struct intent_value out;
    int rc;

    require(memory != NULL);
    memset(&out, 0xff, sizeof(out));
    rc = expr_eval(expr, values, &scratch, &out);
    require(scratch.used <= scratch.size);
    if (rc != 0) {
        require(out.kind == INTENT_NULL && scratch.used == 0);
        require(rc == -EDOM || rc == -EINVAL || rc == -ENOSPC
                || rc == -E2BIG);
    } else {
        touch(&out, 10000);
        require(!declared || (expr_types(expr) & 1u << out.kind) != 0);
    }
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct intent_value other[N_VARS];
    struct intent_error err;
    struct expr *expr;
    char *text;
    size_t i;
    int rc;

    text = malloc(size + 1);       /* exact, for the sanitizer */
    require(text != NULL);
    memcpy(text, data, size);

    memset(&err, 0xff, sizeof(err));
    rc = expr_compile(text, size, vars, N_VARS, &expr, &err);
    free(text);
    if (rc != 0) {
        require(rc == -EINVAL && expr == NULL && err.line > 0
                && err.column > 0 && (size_t) err.column <= size + 1
                && strlen(err.text) < sizeof(err.text));
        return 0;
    }

    evaluate(expr, present, SCRATCH, true);
    evaluate(expr, present, 40, true);
    evaluate(expr, absent, SCRATCH, false);
    for (i = 0; i < N_VARS; i++) {
        other[i] = present[(i + 3) % N_VARS];
    }
    evaluate(expr, other, SCRATCH, false);
    expr_free(expr);
    return 0;
}
