/* SPDX-License-Identifier: Apache-2.0
 *
 * What expressions mean. CEL's own conformance tests (tests/cel) cover the
 * operators one by one; here is what is ours, and what people write.
 */
#include "expr_kit.h"

#include <math.h>

static const struct kit_case features[] = {
    {"c1 / math.greatest(c24 / 24.0, 1.0)", "16.0"},
    {"default(no_avg, 0.0) / math.greatest(default(avg, 1.0), 1.0)", "0.0"},
    {"c1 / math.greatest(c1, 1.0) > 0.5 ? 'high' : 'low'", "'high'"},
    {"c1 > 2.0 && default(no_avg, 0.0) >= 30.0 && c24 > 1.0", "false"},
    {"category in ['tours', 'food'] && !(avg > 3.0)", "true"},
    {"category.startsWith('to') ? 'T-' + category : null", "'T-tours'"},
    {"tags.exists(t, t == category) || 'b' in tags", "true"},
    {"tags.map(t, t + '/' + category)", "['a/tours', 'b/tours']"},
};

static const struct kit_case nulls[] = {
    /* arithmetic and functions stay null */
    {"no_avg + 1.0", "null"},
    {"2.0 * no_avg", "null"},
    {"-no_avg", "null"},
    {"no_category + 'x'", "null"},
    {"size(no_category)", "null"},
    {"no_category.contains('a')", "null"},
    {"'a'.endsWith(no_category)", "null"},
    {"int(no_avg)", "null"},
    {"string(no_avg)", "null"},
    {"math.greatest(no_avg, 1.0)", "null"},
    {"math.least([1.0, null])", "null"},
    {"math.greatest(no_avg)", "null"},
    {"no_tags[0]", "null"},
    {"tags[null]", "null"},
    {"m.none.deeper", "null"},
    {"no_tags.map(t, t)", "null"},
    {"no_tags.all(t, t == 'a')", "null"},
    {"null + null", "null"},
    /* but an error is one whatever stands beside it */
    {"no_avg + 1.0 / double(string(tags.size() - 2) + 'x')", "error EDOM"},
    {"no_avg + double(n / 0)", "error EDOM"},
    {"null / 'a'", "refused 1:6 no such overload: null / string"},
    {"dyn(null) / dyn('a')", "error EINVAL"},
    /* comparisons are false */
    {"no_avg < 1.0", "false"},
    {"no_avg >= 1.0", "false"},
    {"1.0 > no_avg", "false"},
    {"null <= null", "false"},
    {"!(no_avg < 1.0)", "true"},
    {"null < dyn([])", "error EINVAL"},
    /* equality is CEL's */
    {"no_avg == null", "true"},
    {"avg == null", "false"},
    {"no_avg == no_category", "refused 1:8 no such overload: double == string"
     ": they are never equal"},
    {"no_avg != 1.0", "true"},
    {"[1, null] == [1, null]", "true"},
    {"null in [1, null]", "true"},
    {"no_category in tags", "false"},
    {"'a' in no_tags", "null"},
    {"null in {'a': 1}", "false"},
    /* default */
    {"default(no_avg, 1.5)", "1.5"},
    {"default(avg, 1.5)", "2.5"},
    {"default(no_avg, default(no_avg, 3.0))", "3.0"},
    {"default(no_avg, null)", "null"},
    {"default(avg, 1.0 / double('x'))", "2.5"},
    {"default(no_avg, double('x'))", "error EDOM"},
    {"default(double('x'), 1.0)", "error EDOM"},
    {"default(no_avg, 1) / 2.0", "0.5"},
    {"default(no_category, 1)", "1"},
    {"default(inventory.price, 9.5)", "9.5"},
    /* conditions: null is what is not known */
    {"no_flag && false", "false"},
    {"false && no_flag", "false"},
    {"no_flag && true", "null"},
    {"flag && no_flag", "null"},
    {"no_flag || true", "true"},
    {"flag || no_flag", "true"},
    {"no_flag || !flag", "null"},
    {"no_flag && n / 0 == 1", "error EDOM"},
    {"n / 0 == 1 && no_flag", "error EDOM"},
    {"no_flag && n / 0 == 1 && false", "false"},
    {"no_flag || n / 0 == 1 || flag", "true"},
    {"!no_flag", "null"},
    {"no_flag ? 1 : 2", "null"},
    {"null ? 1 : 2", "null"},
    {"(avg > 1.0 ? no_flag : flag) && flag", "null"},
    {"default(no_flag, false) ? 1 : 2", "2"},
    /* macros join conditions in the same way */
    {"[1, 0].all(x, x > 0 && no_flag)", "false"},
    {"[1, 2].all(x, x > 0 && no_flag)", "null"},
    {"[1, 2].exists(x, x > 1 || no_flag)", "true"},
    {"[1, 2].exists(x, x > 2 || no_flag)", "null"},
    {"[1, 2].exists_one(x, x > 1 || no_flag)", "null"},
    {"[1, 2, 3].exists_one(x, x > 1 || no_flag)", "false"},
    {"[1, 2].filter(x, x > 1 || no_flag)", "[2]"},
    {"[1, 2].map(x, x > 1 || no_flag, x)", "[2]"},
    {"[1, null].map(x, x + 1)", "[2, null]"},
};

static const struct kit_case errors[] = {
    {"n / 0", "error EDOM"},
    {"n % 0", "error EDOM"},
    {"9223372036854775807 + n", "error EDOM"},
    {"-9223372036854775807 - n", "error EDOM"},
    {"(-9223372036854775807 - 1) / (n - 8)", "error EDOM"},
    {"(-9223372036854775807 - 1) % (n - 8)", "error EDOM"},
    {"c1 / 0.0 > 1e300", "true"},
    {"tags[2]", "error EDOM"},
    {"tags[-1]", "error EDOM"},
    {"tags[0.5]", "error EDOM"},
    {"tags[0.0 / 0.0]", "error EDOM"},
    {"m.nothing", "error EDOM"},
    {"m['nothing']", "error EDOM"},
    {"tags['a']", "refused 1:6 index: expected int or double, found string"},
    {"tags[dyn('a')]", "error EINVAL"},
    {"m[dyn([])]", "error EINVAL"},
    {"any + 'x'", "error EINVAL"},
    {"any && true", "error EINVAL"},
    {"any && false", "false"},
    {"any || true", "true"},
    {"true && any", "error EINVAL"},
    {"any ? 1 : 2", "error EINVAL"},
    {"any.size()", "error EINVAL"},
    {"any.field", "error EINVAL"},
    {"any.all(x, true)", "error EINVAL"},
    {"any in any", "error EINVAL"},
    {"[dyn([])] in {1: 2}", "refused 1:11 no such overload: list in map"},
    {"tags.all(t, t)", "error EINVAL"},
    {"tags.filter(t, t)", "error EINVAL"},
    {"tags.map(t, t, 1)", "error EINVAL"},
    {"tags.map(t, t < 1)", "error EINVAL"},
    {"[1, n / 0]", "error EDOM"},
    {"{n: 1, 7: 2}", "error EINVAL"},
    {"{any: 1, dyn(1.5): 2}", "error EINVAL"},
    {"{'a': n / 0}", "error EDOM"},
    {"math.greatest([])", "error EDOM"},
    {"math.greatest(tags)", "error EINVAL"},
    {"math.greatest(0.0 / 0.0, c1)", "error EDOM"},
    {"[3, 2, 1, 0].exists_one(x, 6 / x > 100)", "error EDOM"},
    {"[0, 1].all(x, 1 / x == 2)", "false"},
    {"[0, 1].exists(x, 1 / x == 1)", "true"},
    {"[0, 1].exists(x, 1 / x == 2)", "error EDOM"},
    {"n / 0 == 1 || flag", "true"},
    {"flag ? 1 : n / 0", "1"},
    {"int('12a')", "error EDOM"},
    {"int(1e300)", "error EDOM"},
    {"int(9223372036854775808.0)", "error EDOM"},
    {"int(-9223372036854775808.0)", "error EDOM"},
    {"int(9223372036854774784.0)", "9223372036854774784"},
    {"int(0.0 / 0.0)", "error EDOM"},
    {"int('9223372036854775808')", "error EDOM"},
    {"double('1e309')", "error EDOM"},
    {"bool('TrUe')", "error EDOM"},
    {"bool('maybe')", "error EDOM"},
};

static const struct kit_case names[] = {
    {"inventory.stock + 1", "4"},
    {"inventory . stock", "3"},
    {".inventory.stock", "3"},
    {"(inventory.stock)", "3"},
    {"m.k", "7"},
    {"m.k.deep", "'deep'"},
    {"m['k'] == m.k", "true"},
    {"m.tags[1]", "'b'"},
    {"m.`tags`[0]", "'a'"},
    {"has(m.k) && !has(m.x) && has(m.none)", "true"},
    {"has(m.none.x)", "false"},
    {"has(inventory.stock)", "true"},
    {"has(inventory.price)", "false"},
    {"tags.map(n, n)", "['a', 'b']"},
    {"tags.map(n, .n)", "[7, 7]"},
    {"tags.map(x, tags.map(y, x + y))", "[['aa', 'ab'], ['ba', 'bb']]"},
    {"[{'k': 1}].map(m, m.k)", "[1]"},
    {"tags.map(x, x).map(y, y + y).filter(x, x > 'aa')", "['bb']"},
    {"m.map(k, m[k])", "[7, null, ['a', 'b']]"},
    {"m.filter(k, k.size() == 1)", "['k']"},
    {"[1, 2, 3, 4].map(x, x % 2 == 0, x * 10)", "[20, 40]"},
};

static const struct kit_case syntax[] = {
    {" \t\r\n\f1 // one\n + // and\r\n 2 // two", "3"},
    {"1 // to the end", "1"},
    {"[1, 2,]", "[1, 2]"},
    {"{'a': 1,}", "{'a': 1}"},
    {"{}", "{}"},
    {"0x1F + 0XaA", "201"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"1e3 + .5", "1000.5"},
    {"1 + 2 * 3 - 8 / 4 % 3", "5"},
    {"-2 - -2", "0"},
    {"1 - 2 - 3", "-4"},
    {"2 < 3 == true", "true"},
    {"true || false && false", "true"},
    {"false ? 1 : true ? 2 : 3", "2"},
    {"!false && !!true", "true"},
    {"'a' + \"b\" + '''c'd\n''' + \"\"\"e\"f\"\"\"", "'abc'd\ne\"f'"},
    {"r'\\n' + R\"\\\"", "'\\n\\'"},
    {"'\\x41\\101\\u00e9\\U0001F600\\n\\?\\`'", "'AA\xc3\xa9\xf0\x9f\x98\x80"
     "\n?`'"},
    {"size('\\000')", "1"},
    {"size('\xcf\x80\xc3\xa9" "a')", "3"},
    {"'\xcf\x80'.size()", "1"},
    {"{1: 'a', true: 'b', '1': 'c'}[1.0]", "'a'"},
    {"1 == 1.0 && 1 < 1.5 && 2.5 > 2", "true"},
    {"1 in [1.0] && 1.0 in {1: 2}", "true"},
    {"'abc' < 'abd' && false < true", "true"},
    {"math.greatest(1, 2.5, -3)", "2.5"},
    {"math.least([3, 2.5])", "2.5"},
    {"math.greatest(1, 1.0)", "1"},
    {"math.greatest(1.0, 1)", "1.0"},
    {"int('-12') + int(3.9) + int(-3.9) + int(4)", "-8"},
    {"double('1.5e1') + double(2)", "17.0"},
    {"string(1.5) + string(2) + string(true) + string('x')", "'1.52truex'"},
    {"bool('t') && bool(true) && !bool('False')", "true"},
    {"['1', 'true', 'TRUE', 'True'].all(x, bool(x))", "true"},
    {"['0', 'f', 'false', 'FALSE'].exists(x, bool(x))", "false"},
    {"'hello'.contains('ell') && 'a'.contains('') && ''.contains('')", "true"},
    {"'hello'.contains('elo') || ''.contains('a')", "false"},
    {"'hello'.startsWith('he') && 'hello'.endsWith('lo')", "true"},
    {"'he'.startsWith('hello') || 'lo'.endsWith('hello')", "false"},
    {"tags + ['c'] + []", "['a', 'b', 'c']"},
    {"[n, [c1]] == [7.0, [20]]", "true"},
    {"{'a': n, 'b': 1} == {'b': 1, 'a': 7}", "true"},
    {"{'a': n} == {'b': n}", "false"},
    {"dyn(1) == 'a'", "false"},
    {"0.0 / 0.0 == 0.0 / 0.0", "false"},
    {"[0.0 / 0.0] != [0.0 / 0.0]", "true"},
};

static void
test_uses(void)
{
    static const char text[] = "c1 > 1.0 && (false && flag || m.k == n)";
    struct expr *expr;

    if (!ok(expr_compile(text, sizeof(text) - 1, kit_vars, KIT_VARS, &expr,
                         NULL) == 0, "compiles without an error to fill"))
    {
        return;
    }
    ok(expr_uses(expr, 0) && expr_uses(expr, 8) && expr_uses(expr, 11),
       "says what it reads");
    ok(!expr_uses(expr, 1) && !expr_uses(expr, 14), "and what not");
    ok(!expr_uses(expr, 6), "what constants decide is not read");
    ok(!expr_uses(expr, KIT_VARS) && !expr_uses(expr, (size_t) -1),
       "nor what is not there");
    expr_free(expr);
    expr_free(NULL);
}

static void
test_types(void)
{
    static const struct {
        const char *text;
        unsigned types;
    } cases[] = {
        {"1 + 2", EXPR_T_INT},
        {"c1 / c24", EXPR_T_DOUBLE},
        {"avg / c24", EXPR_T_DOUBLE | EXPR_T_NULL},
        {"avg > c24", EXPR_T_BOOL},
        {"avg > c24 && no_flag", EXPR_T_BOOL | EXPR_T_NULL},
        {"default(avg, 1.0) * 2.0", EXPR_T_DOUBLE},
        {"default(avg, 1)", EXPR_T_DOUBLE},
        {"flag ? 1 : 'a'", EXPR_T_INT | EXPR_T_STRING},
        {"no_flag ? 1 : 1", EXPR_T_INT | EXPR_T_NULL},
        {"true ? 1 : 'a'", EXPR_T_INT},
        {"category + 'x'", EXPR_T_STRING | EXPR_T_NULL},
        {"[1, n][n]", EXPR_T_INT},
        {"[n, 'a'].map(x, x)[0]", EXPR_T_INT | EXPR_T_STRING},
        {"tags[0]", EXPR_T_ANY},
        {"{'a': n}.a", EXPR_T_INT},
        {"tags.exists(t, t == 'a')", EXPR_T_BOOL},
        {"no_tags.filter(t, t == 'a')", EXPR_T_LIST | EXPR_T_NULL},
        {"math.greatest(n, c1)", EXPR_T_INT | EXPR_T_DOUBLE},
        {"dyn(flag)", EXPR_T_ANY},
        {"has(m.k)", EXPR_T_BOOL},
    };
    struct expr *expr;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (expr_compile(cases[i].text, strlen(cases[i].text), kit_vars,
                         KIT_VARS, &expr, NULL) != 0)
        {
            ok(false, "%s compiles", cases[i].text);
            continue;
        }
        is_int(expr_types(expr), cases[i].types, "type of %s", cases[i].text);
        expr_free(expr);
    }
}

static int
eval_with(const char *text, struct expr_scratch *scratch,
          struct intent_value *out)
{
    struct expr *expr;
    int rc;

    rc = expr_compile(text, strlen(text), kit_vars, KIT_VARS, &expr, NULL);
    if (rc == 0) {
        rc = expr_eval(expr, kit_values, scratch, out);
        expr_free(expr);
    }
    return rc;
}

static void
test_scratch(void)
{
    char memory[256];
    struct expr_scratch scratch = {memory + 1, sizeof(memory) - 1, 3};
    struct expr_scratch small = {memory, 8, 0};
    struct intent_value out;

    ok(eval_with("c1 * 2.0", NULL, &out) == 0 && out.as.d == 40,
       "no scratch is needed for numbers");
    is_int(eval_with("category + 'x'", NULL, &out), -ENOSPC,
           "but for strings");
    ok(out.kind == INTENT_NULL, "whose failure leaves null");

    ok(eval_with("size(category + category) > 3", &scratch, &out) == 0,
       "memory for intermediate values");
    is_int(scratch.used, 3, "is given back");
    ok(eval_with("tags.map(t, string(n) + t)[1] + '!'", &scratch, &out) == 0
           && out.len == 3 && memcmp(out.as.s, "7b!", 3) == 0,
       "a string");
    ok(out.as.s == memory + 4 && scratch.used == 6, "keeps its own bytes");
    ok(eval_with("tags.map(t, t + t)", &scratch, &out) == 0
           && (uintptr_t) out.as.items % _Alignof(struct intent_value) == 0,
       "lists are aligned");
    is_int(eval_with("[n, n]", &small, &out), -ENOSPC, "no room for a list");
    is_int(small.used, 0, "leaves the scratch as it was");
    is_int(eval_with("flag || size([n]) == 1 || [n] == [n]", &small, &out), 0,
           "what is not evaluated takes no room");
    is_int(eval_with("[n][0] == 1 || flag", &small, &out), -ENOSPC,
           "a full scratch is not absorbed");
}

int
main(void)
{
    KIT_RUN(features);
    KIT_RUN(nulls);
    KIT_RUN(errors);
    KIT_RUN(names);
    KIT_RUN(syntax);
    test_uses();
    test_types();
    test_scratch();
    return done_testing();
}
