/* SPDX-License-Identifier: Apache-2.0 */
#include "expr_name.h"

#include <errno.h>
#include <string.h>

#include "../base/error.h"

/* --- variables --- */

static const struct expr_scope *
find_scope(const struct expr_scope *scope, const struct expr_node *name)
{
    for (; scope != NULL; scope = scope->outer) {
        if (!name->rooted && scope->len == name->name_len
            && memcmp(scope->name, name->name, scope->len) == 0)
        {
            return scope;
        }
    }
    return NULL;
}

/* Whether the end of a variable's name is the node's; *rest is what is left
 * before it, without the dot. */
static bool
ends_with(const char *name, size_t len, const struct expr_node *node,
          size_t *rest)
{
    if (len < node->name_len
        || memcmp(name + len - node->name_len, node->name, node->name_len)
               != 0)
    {
        return false;
    }
    *rest = len - node->name_len;
    return true;
}

/* Compares a variable's name with the path from its end: c, b, a of a.b.c. */
static bool
is_path(const char *name, const struct expr_node *node)
{
    size_t len = strlen(name);

    while (node->kind == EXPR_N_SELECT) {
        if (!ends_with(name, len, node, &len) || len == 0
            || name[len - 1] != '.')
        {
            return false;
        }
        len--;
        node = node->first;
    }
    return node->kind == EXPR_N_NAME && ends_with(name, len, node, &len)
           && len == 0;
}

static const struct expr_node *
path_root(const struct expr_node *node)
{
    while (node->kind == EXPR_N_SELECT) {
        node = node->first;
    }
    return node;
}

bool
expr_name_resolve(struct expr_compilation *c, const struct expr_scope *scope,
                  struct expr_node *node)
{
    const struct expr_node *root = path_root(node);
    const struct expr_scope *local;
    size_t i;

    if (root->kind != EXPR_N_NAME) {
        return false;
    }
    local = find_scope(scope, root);
    if (local != NULL) {
        if (node->kind != EXPR_N_NAME) {
            return false;          /* the macro's variable hides a.b */
        }
        node->kind = EXPR_N_LOCAL;
        node->index = local->level;
        node->types = local->types;
        return true;
    }

    for (i = 0; i < c->n_vars; i++) {
        if (is_path(c->vars[i].name, node)) {
            node->kind = EXPR_N_VAR;
            node->index = (int) i;
            node->types = c->vars[i].types & EXPR_T_ANY;
            node->first = node->last = NULL;
            node->n = 0;
            return true;
        }
    }
    return false;
}

/* --- what was meant --- */

enum { MAX_GUESS = 64 };           /* bytes of a name that are compared */

/* Levenshtein's distance. */
static size_t
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[MAX_GUESS + 1], i, j;

    for (j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (j = 1; j <= b_len; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j - 1] < row[j]) {
                row[j] = row[j - 1];
            }
            row[j]++;
            if (change < row[j]) {
                row[j] = change;
            }
        }
    }
    return row[b_len];
}

/* The best guess so far. */
struct guess {
    const char *word;              /* what was written */
    size_t len;
    const char *best;
    size_t best_len;
    size_t off;                    /* its distance; only less is better */
};

static void
guess_begin(struct guess *g, const char *word, size_t len)
{
    g->word = word;
    g->len = len;
    g->best = NULL;
    g->best_len = 0;
    g->off = len / 3 + 1 + (len == 2);       /* more is no likeness */
}

static void
guess(struct guess *g, const char *name, size_t len)
{
    size_t off;

    if (g->len > MAX_GUESS || len > MAX_GUESS) {
        return;
    }
    off = distance(g->word, g->len, name, len);
    if (off < g->off && off < len) {
        g->off = off;
        g->best = name;
        g->best_len = len;
    }
}

/* The path as its author wrote it, blanks included. */
static size_t
path_len(const struct expr_node *root, const struct expr_node *path)
{
    return path->name_pos + path->name_len - root->name_pos;
}

int
expr_name_undefined(struct expr_compilation *c, const struct expr_scope *scope,
                    const struct expr_node *node, const struct expr_node *path)
{
    const char *whole = c->text + node->name_pos;
    size_t i, len = path_len(node, path);
    char show[ERROR_SHOW], best[ERROR_SHOW];
    struct guess g;

    guess_begin(&g, whole, len);
    for (i = 0; i < c->n_vars; i++) {
        guess(&g, c->vars[i].name, strlen(c->vars[i].name));
    }
    if (g.best == NULL) {
        guess_begin(&g, node->name, node->name_len);
        for (; scope != NULL && !node->rooted; scope = scope->outer) {
            guess(&g, scope->name, scope->len);
        }
        for (i = 0; i < c->n_vars; i++) {
            const char *name = c->vars[i].name;

            guess(&g, name, strlen(name));
            /* inventory, where there is inventory.stock */
            if (strncmp(name, node->name, node->name_len) == 0
                && name[node->name_len] == '.' && g.best == NULL)
            {
                g.best = name;
                g.best_len = strlen(name);
                g.off = 1;
            }
        }
    }

    error_show(show, whole, len);
    if (g.best == NULL) {
        return expr_fail(c, node->pos, "undefined name \"%s\"", show);
    }
    return expr_fail(c, node->pos, "undefined name \"%s\", did you mean "
                     "\"%s\"?", show, error_show(best, g.best, g.best_len));
}

/* --- functions --- */

static const struct expr_function functions[] = {
    {"size", EXPR_CALL_GLOBAL | EXPR_CALL_METHOD, EXPR_F_OP, EXPR_OP_SIZE, 1},
    {"contains", EXPR_CALL_METHOD, EXPR_F_OP, EXPR_OP_CONTAINS, 2},
    {"startsWith", EXPR_CALL_METHOD, EXPR_F_OP, EXPR_OP_STARTS, 2},
    {"endsWith", EXPR_CALL_METHOD, EXPR_F_OP, EXPR_OP_ENDS, 2},
    {"int", EXPR_CALL_GLOBAL, EXPR_F_OP, EXPR_OP_TO_INT, 1},
    {"double", EXPR_CALL_GLOBAL, EXPR_F_OP, EXPR_OP_TO_DOUBLE, 1},
    {"string", EXPR_CALL_GLOBAL, EXPR_F_OP, EXPR_OP_TO_STRING, 1},
    {"bool", EXPR_CALL_GLOBAL, EXPR_F_OP, EXPR_OP_TO_BOOL, 1},
    {"dyn", EXPR_CALL_GLOBAL, EXPR_F_DYN, EXPR_OP_MOVE, 1},
    {"default", EXPR_CALL_GLOBAL, EXPR_F_DEFAULT, EXPR_OP_DEFAULT, 2},
    {"greatest", EXPR_CALL_MATH, EXPR_F_OP, EXPR_OP_GREATEST, 0},
    {"least", EXPR_CALL_MATH, EXPR_F_OP, EXPR_OP_LEAST, 0},
};
enum { N_FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

/* For messages, with how each is called. */
static const char *const usages[N_FUNCTIONS] = {
    "size(x)", "x.contains(y)", "x.startsWith(y)", "x.endsWith(y)", "int(x)",
    "double(x)", "string(x)", "bool(x)", "dyn(x)", "default(x, y)",
    "math.greatest(x, ...)", "math.least(x, ...)",
};

/* Those of CEL that authors may expect. */
static const char *const missing[] = {
    "matches", "type", "uint", "bytes", "timestamp", "duration", "getHours",
    "getDayOfWeek", "getFullYear", "replace", "split", "lowerAscii", "trim",
};

static bool
is_math(const struct expr_node *call)
{
    const struct expr_node *receiver = call->first;

    return call->method && receiver->kind == EXPR_N_NAME
           && receiver->name_len == 4
           && memcmp(receiver->name, "math", 4) == 0;
}

static int
no_function(struct expr_compilation *c, const struct expr_node *call)
{
    char show[ERROR_SHOW];
    struct guess g;
    size_t i, f = N_FUNCTIONS;

    error_show(show, call->name, call->name_len);
    if (is_math(call)) {
        return expr_fail(c, call->name_pos, "math.%s() is not part of the "
                         "subset: there are math.greatest and math.least",
                         show);
    }
    for (i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        if (strlen(missing[i]) == call->name_len
            && memcmp(missing[i], call->name, call->name_len) == 0)
        {
            return expr_fail(c, call->name_pos, "%s() is not part of the "
                             "subset of CEL", show);
        }
    }

    guess_begin(&g, call->name, call->name_len);
    for (i = 0; i < N_FUNCTIONS; i++) {
        const char *before = g.best;

        guess(&g, functions[i].name, strlen(functions[i].name));
        if (g.best != before) {
            f = i;
        }
    }
    if (f < N_FUNCTIONS) {
        return expr_fail(c, call->name_pos, "unknown function \"%s\", did you "
                         "mean %s?", show, usages[f]);
    }
    return expr_fail(c, call->name_pos, "unknown function \"%s\"", show);
}

const struct expr_function *
expr_name_function(struct expr_compilation *c, struct expr_node *call)
{
    bool math = is_math(call);
    unsigned style = math ? EXPR_CALL_MATH
                     : call->method ? EXPR_CALL_METHOD : EXPR_CALL_GLOBAL;
    size_t i;

    for (i = 0; i < N_FUNCTIONS; i++) {
        if (strlen(functions[i].name) == call->name_len
            && memcmp(functions[i].name, call->name, call->name_len) == 0)
        {
            break;
        }
    }
    if (i < N_FUNCTIONS && math && (functions[i].calls & style) == 0) {
        style = EXPR_CALL_METHOD;  /* a variable may have that name */
        math = false;
    }
    if (i == N_FUNCTIONS) {
        no_function(c, call);
        return NULL;
    }
    if ((functions[i].calls & style) == 0) {
        expr_fail(c, call->name_pos, "%s() is called as %s",
                  functions[i].name, usages[i]);
        return NULL;
    }

    if (math) {
        call->first = call->first->next;
        call->n--;
    }
    if (functions[i].n == 0 ? call->n == 0 : call->n != functions[i].n) {
        expr_fail(c, call->name_pos, "%s() is called as %s, found %zu "
                  "argument%s", functions[i].name, usages[i],
                  call->n - (call->method && !math),
                  call->n - (call->method && !math) == 1 ? "" : "s");
        return NULL;
    }
    return &functions[i];
}
