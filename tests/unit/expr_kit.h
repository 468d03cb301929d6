/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of expressions: a scope with variables of every type, and
 * results as text ("16.0", "[1, 'a']", "error EDOM", "refused 1:3 ...").
 */
#ifndef INTENT_EXPR_KIT_H
#define INTENT_EXPR_KIT_H

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../libagent/signal/expr.h"
#include "tap.h"

enum { KIT_TEXT = 1024, KIT_SCRATCH = 8192 };

#define KIT_STRING(text) {INTENT_STRING, sizeof(text) - 1, {.s = (text)}}
#define KIT_INT(n) {INTENT_INT, 0, {.i = (n)}}
#define KIT_DOUBLE(n) {INTENT_DOUBLE, 0, {.d = (n)}}
#define KIT_BOOL(n) {INTENT_BOOL, 0, {.b = (n)}}
#define KIT_NULL {INTENT_NULL, 0, {.i = 0}}

static const struct intent_value kit_tags[] = {
    KIT_STRING("a"), KIT_STRING("b"),
};
static const struct intent_value kit_map[] = {
    KIT_STRING("k"), KIT_INT(7), KIT_STRING("none"), KIT_NULL,
    KIT_STRING("tags"), {INTENT_LIST, 2, {.items = kit_tags}},
};

static const struct expr_var kit_vars[] = {
    {"c1", EXPR_T_DOUBLE},
    {"c24", EXPR_T_DOUBLE},
    {"avg", EXPR_T_DOUBLE | EXPR_T_NULL},
    {"no_avg", EXPR_T_DOUBLE | EXPR_T_NULL},
    {"category", EXPR_T_STRING | EXPR_T_NULL},
    {"no_category", EXPR_T_STRING | EXPR_T_NULL},
    {"flag", EXPR_T_BOOL},
    {"no_flag", EXPR_T_BOOL | EXPR_T_NULL},
    {"n", EXPR_T_INT},
    {"tags", EXPR_T_LIST},
    {"no_tags", EXPR_T_LIST | EXPR_T_NULL},
    {"m", EXPR_T_MAP},
    {"inventory.stock", EXPR_T_INT | EXPR_T_NULL},
    {"inventory.price", EXPR_T_DOUBLE | EXPR_T_NULL},
    {"m.k.deep", EXPR_T_STRING},
    {"any", EXPR_T_ANY},
};
enum { KIT_VARS = sizeof(kit_vars) / sizeof(kit_vars[0]) };

static const struct intent_value kit_values[KIT_VARS] = {
    KIT_DOUBLE(20), KIT_DOUBLE(30), KIT_DOUBLE(2.5), KIT_NULL,
    KIT_STRING("tours"), KIT_NULL, KIT_BOOL(true), KIT_NULL, KIT_INT(7),
    {INTENT_LIST, 2, {.items = kit_tags}}, KIT_NULL,
    {INTENT_MAP, 3, {.items = kit_map}}, KIT_INT(3), KIT_NULL,
    KIT_STRING("deep"), KIT_INT(5),
};

static size_t
kit_print(char *buf, size_t at, const struct intent_value *v)
{
    const char *names[] = {"null", "false", "true"};
    uint32_t i, n;

#define KIT_PUT(...)                                                          \
    (at += (size_t) snprintf(buf + at, at < KIT_TEXT ? KIT_TEXT - at : 0,     \
                             __VA_ARGS__))
    switch (v->kind) {
    case INTENT_NULL:
        return KIT_PUT("%s", names[0]);
    case INTENT_BOOL:
        return KIT_PUT("%s", names[1 + v->as.b]);
    case INTENT_INT:
        return KIT_PUT("%lld", (long long) v->as.i);
    case INTENT_DOUBLE:
        return KIT_PUT(fabs(v->as.d) < 1e15 && v->as.d == floor(v->as.d)
                           ? "%.1f" : "%.17g", v->as.d);
    case INTENT_STRING:
        return KIT_PUT("'%.*s'", (int) v->len, v->as.s);
    case INTENT_LIST:
    case INTENT_MAP:
        n = v->len * (v->kind == INTENT_MAP ? 2u : 1u);
        KIT_PUT(v->kind == INTENT_MAP ? "{" : "[");
        for (i = 0; i < n && at < KIT_TEXT; i++) {
            KIT_PUT("%s", i == 0 ? "" : v->kind == INTENT_MAP && i % 2 == 1
                                            ? ": " : ", ");
            at = kit_print(buf, at, &v->as.items[i]);
        }
        return KIT_PUT(v->kind == INTENT_MAP ? "}" : "]");
    }
#undef KIT_PUT
    return at;
}

__attribute__((unused))
static const char *
kit_errno(int rc)
{
    return rc == -EDOM ? "error EDOM" : rc == -EINVAL ? "error EINVAL"
           : rc == -ENOSPC ? "error ENOSPC" : rc == -E2BIG ? "error E2BIG"
                                                           : "error ?";
}

/* What the expression comes to in the scope above. Valid until the next
 * call. */
__attribute__((unused))
static const char *
kit_eval(const char *text, size_t len)
{
    static char buf[KIT_TEXT], memory[KIT_SCRATCH];
    struct expr_scratch scratch = {memory, sizeof(memory), 0};
    struct intent_error err = {0};
    struct intent_value out;
    struct expr *expr;
    char *copy = malloc(len + (len == 0));   /* ends where the text ends */
    int rc;

    if (copy == NULL) {
        return "no memory";
    }
    memcpy(copy, text, len);
    rc = expr_compile(copy, len, kit_vars, KIT_VARS, &expr, &err);
    free(copy);
    if (rc != 0) {
        snprintf(buf, sizeof(buf), "refused %d:%d %s", err.line, err.column,
                 err.text);
        return buf;
    }

    rc = expr_eval(expr, kit_values, &scratch, &out);
    if (rc != 0) {
        snprintf(buf, sizeof(buf), "%s", kit_errno(rc));
    } else {
        kit_print(buf, 0, &out);
        if ((expr_types(expr) & 1u << out.kind) == 0) {
            strcat(buf, " (not of its types)");
        }
    }
    expr_free(expr);
    return buf;
}

struct kit_case {
    const char *text;
    const char *result;
};

__attribute__((unused))
static void
kit_run(const struct kit_case *cases, size_t n)
{
    char name[128];
    size_t i, j;

    for (i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "%s", cases[i].text);
        for (j = 0; name[j] != '\0'; j++) {
            if (name[j] > 0 && name[j] < ' ') {
                name[j] = ' ';
            }
        }
        is_str(kit_eval(cases[i].text, strlen(cases[i].text)),
               cases[i].result, "%s", name);
    }
}

#define KIT_RUN(cases) kit_run((cases), sizeof(cases) / sizeof((cases)[0]))

#endif
