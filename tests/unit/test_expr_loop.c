/* SPDX-License-Identifier: Apache-2.0
 *
 * Macros end, whatever they are given, and so does all else whose time
 * depends on data.
 */
#include "expr_kit.h"

enum { LONG = 2000 };

static struct intent_value numbers[LONG], pairs[2 * LONG];
static char letters[20000];
static struct intent_value deep[100], deep_pairs[200];

static const struct expr_var vars[] = {
    {"numbers", EXPR_T_LIST}, {"pairs", EXPR_T_MAP}, {"text", EXPR_T_STRING},
    {"deep", EXPR_T_LIST}, {"also_deep", EXPR_T_LIST}, {"map", EXPR_T_MAP},
    {"also_map", EXPR_T_MAP},
};
enum { N_VARS = sizeof(vars) / sizeof(vars[0]) };

static struct intent_value values[N_VARS];

static void
fill(void)
{
    uint32_t i;

    for (i = 0; i < LONG; i++) {
        numbers[i].kind = INTENT_INT;
        numbers[i].as.i = i;
        pairs[2 * i] = numbers[i];
        pairs[2 * i + 1] = numbers[i];
    }
    memset(letters, 'a', sizeof(letters));

    /* [[[...]]] */
    deep[0].kind = INTENT_INT;
    for (i = 1; i < sizeof(deep) / sizeof(deep[0]); i++) {
        deep[i].kind = INTENT_LIST;
        deep[i].len = 1;
        deep[i].as.items = &deep[i - 1];
    }

    /* {0: {0: {0: ...}}} */
    deep_pairs[0].kind = deep_pairs[1].kind = INTENT_INT;
    for (i = 2; i < sizeof(deep_pairs) / sizeof(deep_pairs[0]); i += 2) {
        deep_pairs[i].kind = INTENT_INT;
        deep_pairs[i + 1].kind = INTENT_MAP;
        deep_pairs[i + 1].len = 1;
        deep_pairs[i + 1].as.items = &deep_pairs[i - 2];
    }

    values[0] = (struct intent_value) {INTENT_LIST, LONG, {.items = numbers}};
    values[1] = (struct intent_value) {INTENT_MAP, LONG, {.items = pairs}};
    values[2] = (struct intent_value) {INTENT_STRING, sizeof(letters),
                                       {.s = letters}};
    values[3] = deep[50];
    values[4] = deep[99];
    values[5] = deep_pairs[101];
    values[6] = deep_pairs[199];
}

static int
eval(const char *text)
{
    static char memory[1 << 20];
    struct expr_scratch scratch = {memory, sizeof(memory), 0};
    struct intent_error err = {0};
    struct intent_value out;
    struct expr *expr;
    int rc;

    rc = expr_compile(text, strlen(text), vars, N_VARS, &expr, &err);
    if (rc != 0) {
        printf("# %s\n", err.text);
        return rc;
    }
    rc = expr_eval(expr, values, &scratch, &out);
    if (rc != 0 && (out.kind != INTENT_NULL || scratch.used != 0)) {
        rc = 1;                    /* not what expr.h says */
    }
    expr_free(expr);
    return rc;
}

static void
test_budget(void)
{
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"numbers.all(x, x >= 0)", 0},
        {"numbers.exists(x, numbers.exists(y, x + y == 10000))", -E2BIG},
        {"numbers.map(x, x).map(x, x).map(x, x)[5] == 5", 0},
        {"numbers.map(x, numbers.map(y, y)).size() > 0", -ENOSPC},
        {"numbers.filter(x, x in numbers).size() > 0", -E2BIG},
        {"numbers.exists(x, false || x < 0) || true", 0},
        {"numbers.all(x, numbers.all(y, true)) || true", 0},
        {"(numbers.all(x, numbers.all(y, y >= 0))) && numbers[0] == 1",
         -E2BIG},
        {"numbers == numbers", 0},
        {"numbers.all(x, numbers == numbers)", -E2BIG},
        {"pairs == pairs", -E2BIG},
        {"numbers.all(x, x in pairs)", -E2BIG},
        {"numbers.all(x, text.contains(text))", -E2BIG},
        {"numbers.all(x, text == text)", -E2BIG},
        {"numbers.all(x, text <= text)", -E2BIG},
        {"numbers.all(x, size(text) > 0)", -E2BIG},
        {"numbers.all(x, size(text + 'a') > 0)", -E2BIG},
        {"numbers.all(x, size(numbers + [1]) > 0)", -E2BIG},
        {"numbers.all(x, math.greatest(numbers) > 0)", -E2BIG},
        {"deep == deep", 0},
        {"also_deep == also_deep", -E2BIG},
        {"also_deep in [also_deep]", -E2BIG},
        {"map == map", 0},
        {"also_map == also_map", -E2BIG},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(eval(cases[i].text), cases[i].rc, "%s", cases[i].text);
    }
}

/* Each map doubles what there is to compare: 2^20 of it from 20 levels. */
static void
test_doubling(void)
{
    char text[1024] = "[[1]]";
    int i;

    for (i = 0; i < 20; i++) {
        strcat(text, ".map(x, [x, x])");
    }
    strcat(text, ".all(x, x == x)");
    is_int(eval(text), -E2BIG, "shared lists are not compared for ever");
}

static void
test_nesting(void)
{
    char text[1024] = "";
    int i;

    for (i = 0; i < 8; i++) {
        sprintf(text + strlen(text), "[%d].all(v%d, ", i, i);
    }
    strcat(text, "v0 + v7 == 7");
    for (i = 0; i < 8; i++) {
        strcat(text, ")");
    }
    is_int(eval(text), 0, "eight macros in each other");

    memmove(text + 13, text, strlen(text) + 1);
    memcpy(text, "[0].all(v9, ( ", 13);
    strcat(text, "))");
    is_int(eval(text), -EINVAL, "nine are refused");
    is_int(eval("[1].map(x, x).map(x, x).map(x, x).map(x, x).map(x, x)"
                ".map(x, x).map(x, x).map(x, x).map(x, x).map(x, x)"
                ".all(x, x == 1)"), 0, "one after the other there may be ten");
}

static void
test_memory(void)
{
    static const char text[] = "[3, 4].map(x, size(numbers.filter(y, "
                               "[y, y, y] == [x, x, x]).map(z, string(z)))) "
                               "== [1, 1]";
    char memory[64 * sizeof(struct intent_value)];
    struct expr_scratch scratch = {memory, sizeof(memory), 0};
    struct intent_value out;
    struct expr *expr;

    if (!ok(expr_compile(text, sizeof(text) - 1, vars, N_VARS, &expr,
                         NULL) == 0,
            "compiles"))
    {
        return;
    }
    is_int(expr_eval(expr, values, &scratch, &out), -ENOSPC,
           "a filter may keep all that it is given");
    values[0].len = 30;
    ok(expr_eval(expr, values, &scratch, &out) == 0 && out.as.b,
       "what a round makes and does not keep is given back");
    expr_free(expr);
}

int
main(void)
{
    fill();
    test_budget();
    test_doubling();
    test_nesting();
    test_memory();
    return done_testing();
}
