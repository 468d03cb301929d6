/* SPDX-License-Identifier: Apache-2.0
 *
 * Constants change nothing: random expressions are evaluated once with
 * literals, which the compiler sees through, and once with variables of any
 * type that hold the same values. The results, and the errors, are the same.
 */
#include <stdlib.h>

#include "expr_kit.h"

enum { ROUNDS = 50000, MAX_TEXT = 2048 };

static uint64_t state = 0x9e3779b97f4a7c15ull;

static unsigned
below(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned) (state >> 33) % n;
}

static const char *const literals[] = {
    "null", "true", "false", "0", "1", "-3", "9223372036854775807", "0.0",
    "1.5", "-2.0", "1e300", "''", "'a'", "'ab'", "'12'", "'\xcf\x80'", "[]",
    "[1, 2.0, 'a']", "[null, true]", "{}", "{'a': 1, 2: null}",
};
enum { N_LITERALS = sizeof(literals) / sizeof(literals[0]) };

/* The same expression twice. */
static char with_literals[MAX_TEXT], with_names[MAX_TEXT];

static void
put(const char *text)
{
    strcat(with_literals, text);
    strcat(with_names, text);
}

static void
put_literal(void)
{
    unsigned i = below(N_LITERALS);
    char name[16], dyn[64];

    sprintf(name, "v%u", i);
    sprintf(dyn, "dyn(%s)", literals[i]);
    strcat(with_literals, below(8) == 0 ? literals[i] : dyn);
    strcat(with_names, below(4) == 0 ? dyn : name);
}

static void generate(int depth);

static void
put_operator(int depth)
{
    static const char *const operators[] = {
        " + ", " - ", " * ", " / ", " % ", " == ", " != ", " < ", " <= ",
        " > ", " >= ", " in ", " && ", " || ",
    };
    unsigned n = 1 + below(3);

    put("(");
    generate(depth - 1);
    while (n-- > 0) {
        put(operators[below(14)]);
        generate(depth - 1);
    }
    put(")");
}

static void
put_call(int depth)
{
    static const struct {
        const char *before, *between, *after;
    } calls[] = {
        {"!(", NULL, ")"}, {"-(", NULL, ")"}, {"size(", NULL, ")"},
        {"int(", NULL, ")"}, {"double(", NULL, ")"}, {"string(", NULL, ")"},
        {"bool(", NULL, ")"}, {"math.greatest(", NULL, ")"},
        {"math.least(", ", ", ")"}, {"math.greatest(", ", ", ")"},
        {"default(", ", ", ")"}, {"(", ").contains(", ")"},
        {"(", ").startsWith(", ")"}, {"(", ")[", "]"}, {"[", ", ", "]"},
        {"{", ": ", "}"}, {"(", ").map(x, [x, ", "])"}, {"(", ").all(x, ", ")"},
        {"(", ").exists(x, x == ", ")"}, {"(", ").filter(x, ", ")"},
        {"(", ").exists_one(x, x != ", ")"}, {"has((", NULL, ").a)"},
        {"(", ").map(x, x in [1, 'a'], ", ")"}, {"(", ").all(x, x < ", ")"},
        {"([1] + ", ").map(x, string(x) + string(", "))"},
        {"(", NULL, ").a"}, {"(", " ? 1 : ", ")"}, {"(true ? ", " : ", ")"},
    };
    unsigned i = below(sizeof(calls) / sizeof(calls[0]));

    put(calls[i].before);
    generate(depth - 1);
    if (calls[i].between != NULL) {
        put(calls[i].between);
        generate(depth - 1);
    }
    put(calls[i].after);
}

static void
generate(int depth)
{
    if (depth == 0 || strlen(with_literals) > MAX_TEXT / 2) {
        put_literal();
    } else if (below(2) == 0) {
        put_operator(depth);
    } else {
        put_call(depth);
    }
}

static struct expr_var vars[N_LITERALS];
static struct intent_value values[N_LITERALS];
static struct expr *held[N_LITERALS];

static void
bind(void)
{
    static char names[N_LITERALS][16];
    size_t i;

    for (i = 0; i < N_LITERALS; i++) {
        sprintf(names[i], "v%zu", i);
        vars[i].name = names[i];
        vars[i].types = EXPR_T_ANY;
        if (expr_compile(literals[i], strlen(literals[i]), NULL, 0, &held[i],
                         NULL) != 0
            || expr_eval(held[i], NULL, NULL, &values[i]) != 0)
        {
            ok(false, "%s is a literal", literals[i]);
        }
    }
}

/* The result as text; false where the expression is refused. */
static bool
result(const char *text, char out[static KIT_TEXT], unsigned *types)
{
    static char memory[1 << 16];
    struct expr_scratch scratch = {memory, sizeof(memory), 0};
    struct intent_value value;
    struct expr *expr;
    int rc;

    if (expr_compile(text, strlen(text), vars, N_LITERALS, &expr, NULL) != 0) {
        return false;
    }
    *types = expr_types(expr);
    rc = expr_eval(expr, values, &scratch, &value);
    if (rc != 0) {
        snprintf(out, KIT_TEXT, "%s", kit_errno(rc));
    } else {
        kit_print(out, 0, &value);
        if ((*types & 1u << value.kind) == 0) {
            strcpy(out, "not of its types");
        }
    }
    expr_free(expr);
    return true;
}

int
main(void)
{
    char folded[KIT_TEXT], computed[KIT_TEXT];
    int i, both = 0, errors = 0, wrong = 0;
    unsigned types;

    bind();
    for (i = 0; i < ROUNDS; i++) {
        with_literals[0] = with_names[0] = '\0';
        generate(1 + (int) below(4));
        if (!result(with_literals, folded, &types)
            || !result(with_names, computed, &types))
        {
            continue;              /* its types are known to be wrong */
        }
        if (strcmp(folded, computed) != 0) {
            printf("# %s: %s\n# %s: %s\n", with_literals, folded, with_names,
                   computed);
            wrong++;
        }
        both++;
        errors += strncmp(folded, "error", 5) == 0;
    }
    printf("# %d of %d evaluated, %d of them to errors\n", both, ROUNDS,
           errors);
    is_int(wrong, 0, "results do not depend on what is constant");
    ok(both > ROUNDS / 4 && errors > 100 && both - errors > 100,
       "the test tests");

    for (i = 0; i < N_LITERALS; i++) {
        expr_free(held[i]);
    }
    return done_testing();
}
