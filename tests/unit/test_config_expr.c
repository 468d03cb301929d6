/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/signal/config_expr.h"

#include "config_case.h"

#define FEATURE HEAD PIPE "'featuresets':{'F':{'entity':'u','features':{\n"

/* The undefined name "oops" stands where the column says: after escapes, in
 * another line of the expression, in another line of the file. */
static void
test_places(void)
{
    static const char *const rows[] = {
        "'x':{'expr':'oops'}",
        "'x':{'expr':'   oops'}",
        "'x':{'expr':'1.0 +\\noops'}",
        "'x':{'expr':'1.0 +\\n\\t\\n  oops + 2.0'}",
        "'x':{'expr':'u == \\'a\\' || oops'}",
        "'x':{'expr':'u == `\\u00e9\\ud83d\\ude00\\\\n` || oops'}",
        "'x':{'expr':'u == `\303\251` || oops'}",
        "'x':{'expr':'\\u0031.0 + oops'}",
        "\n\n   'x' :\n { 'expr'\n:\n 'oops'}",
        "'c':{'ref':'P.c'},'x':{'expr':'c'},'\\u0079':{'expr':'oops'}",
    };
    struct intent_config *config;
    struct intent_error err;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *p, *at = strstr(rows[i], "oops");
        int line = 4, column = (int) (at - rows[i]) + 1;

        for (p = rows[i]; p < at; p++) {
            if (*p == '\n') {
                line++;
                column = (int) (at - p);
            }
        }
        is_int(config_case(FEATURE, rows[i], "}}}}", &config, &err), -EINVAL,
               "row %zu is refused", i);
        is_int(err.line, line, "row %zu: line", i);
        is_int(err.column, column, "row %zu: column", i);
        ok(strstr(err.text, ".expr: ") != NULL
           && strstr(err.text, "oops") != NULL, "%s", err.text);
    }
}

static void
test_length(void)
{
    static char text[EXPR_MAX_LEN + 200];
    struct intent_config *config;
    struct intent_error err;
    int n;

    n = snprintf(text, sizeof(text), "'x':{'expr':'1.0");
    memset(text + n, ' ', EXPR_MAX_LEN);
    strcpy(text + n + EXPR_MAX_LEN, "'}");
    is_int(config_case(FEATURE, text, "}}}}", &config, &err), -EINVAL,
           "an expression that is too long");
    ok(strncmp(err.text, "c.json:4:", 9) == 0, "%s", err.text);
}

static void
test_types(void)
{
    static const struct bad_config rows[] = {
        { "'score':'u'", "4:19: policy.score: the expression is null or "
          "string; expected a number" },
        { "'score':'[1.0]'", "4:19: policy.score: the expression is list; "
          "expected a number" },
        { "'bands':[{'id':'a','when':'c > 1.0 ? 1.0 : 2.0'}]",
          "4:37: policy.bands[0].when: the expression is double; expected a "
          "condition: true or false" },
        { "'bands':[{'id':'a','when':'null'}]", "4:37: policy.bands[0].when: "
          "the expression is null; expected a condition: true or false" },
    };

    BAD_CONFIGS(HEAD PIPE FEATURES "'policy':{", rows, "}}");
}

int
main(void)
{
    test_places();
    test_length();
    test_types();

    return done_testing();
}
