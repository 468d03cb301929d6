/* SPDX-License-Identifier: Apache-2.0
 *
 * Text that is no expression, and how large one may be.
 */
#include "expr_kit.h"

static const struct kit_case cases[] = {
    {"", "refused 1:1 expected an expression, found the end of the "
     "expression"},
    {"  ", "refused 1:3 expected a value, found the end of the expression"},
    {"1 +", "refused 1:4 expected a value, found the end of the expression"},
    {"1 2", "refused 1:3 expected an operator or the end, found \"2\""},
    {"flag and flag", "refused 1:6 expected an operator or the end, found "
     "\"and\"; \"and\" is written &&"},
    {"flag or flag", "refused 1:6 expected an operator or the end, found "
     "\"or\"; \"or\" is written ||"},
    {"n = 1", "refused 1:3 \"=\" is no operator: == compares"},
    {"flag & flag", "refused 1:6 \"&\" is no operator: && is \"and\""},
    {"flag | flag", "refused 1:6 \"|\" is no operator: || is \"or\""},
    {"(1", "refused 1:3 expected \")\", found the end of the expression"},
    {"1)", "refused 1:2 expected an operator or the end, found \")\""},
    {"[1, 2", "refused 1:6 expected \",\" or \"]\", found the end of the "
     "expression"},
    {"[1 2]", "refused 1:4 expected \",\" or \"]\", found \"2\""},
    {"[,]", "refused 1:2 expected a value, found \",\""},
    {"{1, 2}", "refused 1:3 expected \":\" after the key, found \",\""},
    {"{1: 2", "refused 1:6 expected \",\" or \"}\", found the end of the "
     "expression"},
    {"Message{a: 1}", "refused 1:8 expected an operator or the end, found "
     "\"{\"; messages are not part of the subset"},
    {"flag ? 1", "refused 1:9 expected \":\" of the conditional, found the "
     "end of the expression"},
    {"tags[0", "refused 1:7 expected \"]\", found the end of the expression"},
    {"tags[]", "refused 1:6 expected a value, found \"]\""},
    {"m.", "refused 1:3 expected a name after the \".\", found the end of the "
     "expression"},
    {"m.1", "refused 1:2 expected an operator or the end, found \".1\""},
    {"m.in", "refused 1:3 expected a name after the \".\", found \"in\""},
    {"size(1,)", "refused 1:8 expected a value, found \")\""},
    {"size(1", "refused 1:7 expected \",\" or \")\", found the end of the "
     "expression"},
    {"if", "refused 1:1 expected a value, found \"if\", which CEL reserves"},
    {"{'if': 1}.if", "1"},
    {"tags.all(1, true)", "refused 1:10 all() takes a name first, as in "
     "list.all(x, ...x...)"},
    {"tags.all(x)", "refused 1:6 all() takes a name and an expression"},
    {"tags.map(x, 1, 2, 3)", "refused 1:6 map() takes a name and one or two "
     "expressions"},
    {"12u", "refused 1:3 unsigned numbers are not part of the subset: leave "
     "out the \"u\""},
    {"0xFFu", "refused 1:5 unsigned numbers are not part of the subset: leave "
     "out the \"u\""},
    {"0x", "refused 1:1 expected hexadecimal digits after 0x"},
    {"12ab", "refused 1:1 malformed number \"12ab\""},
    {"9223372036854775808", "refused 1:1 int out of range: from "
     "-9223372036854775808 to 9223372036854775807"},
    {"-9223372036854775809", "refused 1:1 int out of range: from "
     "-9223372036854775808 to 9223372036854775807"},
    {"18446744073709551616", "refused 1:1 int out of range: at most "
     "9223372036854775807"},
    {"1e999", "refused 1:1 double out of range"},
    {"b'abc'", "refused 1:1 bytes are not part of the subset: write a "
     "string"},
    {"'abc", "refused 1:1 string without its closing '"},
    {"'a\nb'", "refused 1:1 string without its closing '"},
    {"'''abc'", "refused 1:1 string without its closing '''"},
    {"1 + r\"abc\\", "refused 1:5 string without its closing \""},
    {"'a\\q'", "refused 1:3 unknown escape \"\\q\"; a backslash itself is "
     "\"\\\\\""},
    {"'\\\xc3", "refused 1:2 unknown escape \"\\\"; a backslash itself is "
     "\"\\\\\""},
    {"'\\", "refused 1:2 unknown escape \"\\\"; a backslash itself is "
     "\"\\\\\""},
    {"'\\x4'", "refused 1:2 expected 2 hexadecimal digits in the escape"},
    {"'\\08'", "refused 1:2 expected 3 octal digits in the escape"},
    {"'\\ud800'", "refused 1:2 the escape is no Unicode character"},
    {"'\\U00110000'", "refused 1:2 the escape is no Unicode character"},
    {"'\xff'", "refused 1:2 the string is not valid UTF-8"},
    {"n @ 1", "refused 1:3 unexpected character \"@\""},
    {"\xc3\xa9", "refused 1:1 unexpected character \"\xc3\xa9\""},
    {"\xff", "refused 1:1 unexpected character \"\\xff\""},
    {"`a`", "refused 1:1 expected a value, found \"`a`\""},
    {"m.`a`()", "refused 1:6 expected an operator or the end, found \"(\""},
};

static char text[2 * EXPR_MAX_LEN];

/* n times before, the middle, n times after. */
static const char *
nested(size_t n, const char *before, const char *middle, const char *after)
{
    size_t i, at = 0;

    for (i = 0; i < n; i++) {
        at += (size_t) sprintf(text + at, "%s", before);
    }
    at += (size_t) sprintf(text + at, "%s", middle);
    for (i = 0; i < n; i++) {
        at += (size_t) sprintf(text + at, "%s", after);
    }
    return kit_eval(text, at);
}

static bool
too_deep(const char *result)
{
    return strstr(result, "nested more than 64 deep") != NULL;
}

static void
test_depth(void)
{
    static const struct {
        const char *before, *middle, *after;
        size_t deepest;            /* 0: only that the bound holds */
    } shapes[] = {
        {"(", "1", ")", 64},
        {"[", "1", "]", 64},
        {"!", "flag", "", 64},
        {"-", "n", "", 64},
        {"flag ? 1 : ", "2", "", 64},
        {"size([", "1", "])", 32},
        {"m[", "'k'", "]", 0},
        {"{1: ", "1", "}", 64},
        {"", "dyn(m)", ".k", 0},
        {"", "dyn(tags)", "[0]", 0},
        {"tags.map(x, ", "1", ")", 0},
        {"flag && (", "flag", ")", 0},
        {"1 + (", "1", ")", 64},
        {"math.greatest(1, ", "1", ")", 0},
        {"default(", "1", ", 2)", 0},
        {"has(m.k) ? ", "1", ":2", 0},
    };
    size_t i, n;

    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        n = shapes[i].deepest;
        if (n > 0) {
            const char *r = nested(n, shapes[i].before, shapes[i].middle,
                                   shapes[i].after);

            ok(strncmp(r, "refused", 7) != 0, "%zu times %s: %.60s", n,
               shapes[i].before, r);
            ok(too_deep(nested(n + 1, shapes[i].before, shapes[i].middle,
                               shapes[i].after)),
               "but not once more");
        }
        ok(strncmp(nested(300, shapes[i].before, shapes[i].middle,
                          shapes[i].after), "refused", 7) == 0,
           "300 times %s%s is refused", shapes[i].before, shapes[i].after);
    }
}

/* Rows of operators are long, not deep. */
static void
test_length(void)
{
    is_str(nested(1000, "1 + ", "1", ""), "1001", "a long sum");
    is_str(nested(500, "n + ", "1", ""), "3501", "of variables too");
    is_str(nested(400, "!flag || ", "flag", ""), "true", "a long ||");
    is_str(nested(400, "flag && ", "no_flag", ""), "null", "a long &&");
    is_str(nested(600, "'a' + ", "'b'", "") + 599, "aab'",
           "a long concatenation");
    ok(strlen(nested(1, "[", "n, n, n, n, n, n, n, n, n, n", "]")) > 20,
       "a list that has to be built");

    memset(text, ' ', sizeof(text));
    text[0] = '1';
    is_str(kit_eval(text, EXPR_MAX_LEN), "1", "the longest text");
    is_str(kit_eval(text, EXPR_MAX_LEN + 1), "refused 1:1 the expression has "
           "4097 bytes, at most 4096 are taken", "a longer one");
    is_str(kit_eval("1\0002", 3), "refused 1:2 unexpected character \"\\x00\"",
           "NUL does not end the text");
    is_str(kit_eval("12 + 3xyz", 4), "refused 1:5 expected a value, found the "
           "end of the expression", "the length does");
    is_str(kit_eval("'abc", 4), "refused 1:1 string without its closing '",
           "nothing is read past it");
}

int
main(void)
{
    KIT_RUN(cases);
    test_depth();
    test_length();
    return done_testing();
}
