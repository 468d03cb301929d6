/* SPDX-License-Identifier: Apache-2.0
 *
 * What is refused before it is ever evaluated, and in which words.
 */
#include "expr_kit.h"

static const struct kit_case types[] = {
    {"c1 / 24", "refused 1:4 no such overload: double / int: int and double "
     "do not mix, write 24.0"},
    {"c1 / -24", "refused 1:4 no such overload: double / int: int and double "
     "do not mix, write -24.0"},
    {"2 * c1", "refused 1:3 no such overload: int * double: int and double "
     "do not mix, write 2.0"},
    {"avg + 1", "refused 1:5 no such overload: double + int: int and double "
     "do not mix, write 1.0"},
    {"c1 * c24 - 1", "refused 1:10 no such overload: double - int: int and "
     "double do not mix, write 1.0"},
    {"n * c1", "refused 1:3 no such overload: int * double: int and double "
     "do not mix, convert with double(x) or int(x)"},
    {"c1 % 2", "refused 1:4 no such overload: double % int: % is for ints, "
     "convert with int(x)"},
    {"c1 / math.greatest(c24, 1)", "refused 1:4 no such overload: double / "
     "int or double: int and double do not mix, and it may be either; write "
     "1.0 for 1 in it, or convert with double(x)"},
    {"n % category", "refused 1:3 no such overload: int % string"},
    {"n % (flag ? 2 : c1)", "refused 1:3 no such overload: int % int or "
     "double: % is for ints, convert with int(x)"},
    {"(flag ? 1 : c1) + 2", "refused 1:17 no such overload: int or double + "
     "int: int and double do not mix, and it may be either; write 1.0 for 1 "
     "in it, or convert with double(x)"},
    {"c1 / double(math.greatest(c24, 1))", "0.66666666666666663"},
    {"category + 1", "refused 1:10 no such overload: string + int: convert "
     "with string(x)"},
    {"category - 'x'", "refused 1:10 no such overload: string - string"},
    {"tags + 'x'", "refused 1:6 no such overload: list + string: convert with "
     "string(x)"},
    {"flag + flag", "refused 1:6 no such overload: bool + bool"},
    {"category == 1", "refused 1:10 no such overload: string == int: they are "
     "never equal"},
    {"[1] != {1: 2}", "refused 1:5 no such overload: list != map: they are "
     "never equal"},
    {"category < 3", "refused 1:10 no such overload: string < int"},
    {"category <= 3", "refused 1:10 no such overload: string <= int"},
    {"category > 3", "refused 1:10 no such overload: string > int"},
    {"category >= 3", "refused 1:10 no such overload: string >= int"},
    {"tags < tags", "refused 1:6 no such overload: list < list"},
    {"1 in 2", "refused 1:3 no such overload: int in int"},
    {"tags in m", "refused 1:6 no such overload: list in map"},
    {"!c1", "refused 1:2 expected bool, found double"},
    {"-category", "refused 1:2 expected int or double, found string"},
    {"category && flag", "refused 1:1 expected bool, found string"},
    {"flag && avg", "refused 1:9 expected bool, found double"},
    {"flag ||\n  c1", "refused 2:3 expected bool, found double"},
    {"c1 ? 1 : 2", "refused 1:1 expected bool, found double"},
    {"c1[0]", "refused 1:1 index: expected list or map, found double"},
    {"tags['a']", "refused 1:6 index: expected int or double, found string"},
    {"m[tags]", "refused 1:3 index: expected bool, int, double or string, "
     "found list"},
    {"c1.k", "refused 1:4 no field \"k\" here: expected map, found double"},
    {"tags.k", "refused 1:6 no field \"k\" here: expected map, found list"},
    {"has(c1.k)", "refused 1:8 no field \"k\" here: expected map, found "
     "double"},
    {"{[1]: 2}", "refused 1:2 expected bool, int or string as a map's key, "
     "found list"},
    {"{1.5: 2}", "refused 1:2 expected bool, int or string as a map's key, "
     "found double"},
    {"{null: 2}", "refused 1:2 expected bool, int or string as a map's key, "
     "found null"},
    {"c1.all(x, x)", "refused 1:1 macros go over a list or map, found double"},
    {"tags.all(x, 1)", "refused 1:13 expected bool, found int"},
    {"[1].all(x, x)", "refused 1:12 expected bool, found int"},
    {"tags.map(x, 1, x)", "refused 1:13 expected bool, found int"},
    {"[1].map(x, x + 'a')", "refused 1:14 no such overload: int + string: "
     "convert with string(x)"},
    {"size(c1)", "refused 1:6 size(): expected string, list or map, found "
     "double"},
    {"c1.size()", "refused 1:1 size(): expected string, list or map, found "
     "double"},
    {"category.contains(1)", "refused 1:19 contains(): expected string, found "
     "int"},
    {"category.endsWith(1)", "refused 1:19 endsWith(): expected string, found "
     "int"},
    {"c1.startsWith('a')", "refused 1:1 startsWith(): expected string, found "
     "double"},
    {"int(flag)", "refused 1:5 int(): expected int, double or string, found "
     "bool"},
    {"double(flag)", "refused 1:8 double(): expected int, double or string, "
     "found bool"},
    {"bool(1)", "refused 1:6 bool(): expected bool or string, found int"},
    {"string(tags)", "refused 1:8 string(): expected bool, int, double or "
     "string, found list"},
    {"math.greatest(1, 'a')", "refused 1:18 math.greatest(): expected int or "
     "double, found string"},
    {"math.least('a')", "refused 1:12 math.least(): expected int, double or "
     "list, found string"},
    /* what is not known is left to run time */
    {"any + 1", "6"},
    {"dyn(c1) / 24", "error EINVAL"},
    {"dyn('a') == 1", "false"},
    {"tags[0] == 1", "false"},
};

static const struct kit_case names[] = {
    {"c2", "refused 1:1 undefined name \"c2\", did you mean \"c1\"?"},
    {"categry == 'a'", "refused 1:1 undefined name \"categry\", did you mean "
     "\"category\"?"},
    {"1.0 + inventory.stok", "refused 1:7 undefined name \"inventory.stok\", "
     "did you mean \"inventory.stock\"?"},
    {"inventry.stock", "refused 1:1 undefined name \"inventry.stock\", did "
     "you mean \"inventory.stock\"?"},
    {"inventory", "refused 1:1 undefined name \"inventory\", did you mean "
     "\"inventory.stock\"?"},
    {"stock", "refused 1:1 undefined name \"stock\""},
    {"k.deep", "refused 1:1 undefined name \"k.deep\", did you mean "
     "\"m.k.deep\"?"},
    {"any.inventory.stock", "error EINVAL"},
    {"has(inventory.colour)", "refused 1:5 undefined name "
     "\"inventory.colour\", did you mean \"inventory.stock\"?"},
    {"nothing_like_it", "refused 1:1 undefined name \"nothing_like_it\""},
    {"tags.map(item, itm)", "refused 1:16 undefined name \"itm\", did you "
     "mean \"item\"?"},
    {"tags.map(x, x) + x", "refused 1:18 undefined name \"x\""},
    {"tags.map(x, .x)", "refused 1:13 undefined name \"x\""},
    {"category.strtsWith('a')", "refused 1:10 unknown function "
     "\"strtsWith\", did you mean x.startsWith(y)?"},
    {"sise(tags)", "refused 1:1 unknown function \"sise\", did you mean "
     "size(x)?"},
    {"nothing(1)", "refused 1:1 unknown function \"nothing\""},
    {"c1(1)", "refused 1:1 unknown function \"c1\""},
    {"math.ceil(1.5)", "refused 1:6 math.ceil() is not part of the subset: "
     "there are math.greatest and math.least"},
    {"math.greatest()", "refused 1:6 greatest() is called as "
     "math.greatest(x, ...), found 0 arguments"},
    {"greatest(1)", "refused 1:1 greatest() is called as "
     "math.greatest(x, ...)"},
    {"category.greatest(1)", "refused 1:10 greatest() is called as "
     "math.greatest(x, ...)"},
    {"contains('a', 'b')", "refused 1:1 contains() is called as "
     "x.contains(y)"},
    {"n.int()", "refused 1:3 int() is called as int(x)"},
    {"size(1, 2)", "refused 1:1 size() is called as size(x), found 2 "
     "arguments"},
    {"tags.size(1)", "refused 1:6 size() is called as size(x), found 1 "
     "argument"},
    {"default(1)", "refused 1:1 default() is called as default(x, y), found "
     "1 argument"},
    {"category.matches('a')", "refused 1:10 matches() is not part of the "
     "subset of CEL"},
    {"uint(1)", "refused 1:1 uint() is not part of the subset of CEL"},
    {"has(c1)", "refused 1:5 has() asks for a field, as in has(a.b)"},
    {"has()", "refused 1:1 has() asks for a field, as in has(a.b)"},
    {"has(m.k, m.k)", "refused 1:5 has() asks for a field, as in has(a.b)"},
};

/* A name that is long enough to hurt, and one that is no text. */
static void
test_quoting(void)
{
    char text[EXPR_MAX_LEN];
    const char *result;

    memset(text, 'a', sizeof(text));
    result = kit_eval(text, sizeof(text));
    ok(strlen(result) < 150, "a long name is cut: %s", result);

    is_str(kit_eval("'\033[2J' == c1 \033", 14), "refused 1:14 unexpected "
           "character \"\\x1b\"", "a control character is shown as such");
    is_str(kit_eval("m.`\033`", 5), "refused 1:3 expected a field name in "
           "backticks: letters, digits, \"_\", \"-\", \".\", \"/\" and "
           "spaces", "in a field's name too");
}

static void
test_columns(void)
{
    is_str(kit_eval("// x\n'\xc3\xa9' == c2", 15), "refused 2:9 undefined "
           "name \"c2\", did you mean \"c1\"?",
           "lines count from 1, columns in bytes");
    is_str(kit_eval("'''\n\n''' + c2", 13), "refused 3:7 undefined name "
           "\"c2\", did you mean \"c1\"?", "also behind a string of lines");
}

int
main(void)
{
    KIT_RUN(types);
    KIT_RUN(names);
    test_quoting();
    test_columns();
    return done_testing();
}
