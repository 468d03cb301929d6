/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/signal/config_suggest.h"

#include "tap.h"

static const char *const ops[] = { "count", "sum", "avg", "last", "last_k" };

static void
test_words(void)
{
    static const struct {
        const char *word, *hint;
    } rows[] = {
        { "sun", "; did you mean \"sum\"?" },
        { "usm", "; did you mean \"sum\"?" },
        { "cuont", "; did you mean \"count\"?" },
        { "coun", "; did you mean \"count\"?" },
        { "counts", "; did you mean \"count\"?" },
        { "last_j", "; did you mean \"last_k\"?" },
        { "las", "; did you mean \"last\"?" },
        { "median", "" },
        { "", "" },
        { "s", "" },
    };
    char buf[SUGGEST_MAX], all[SUGGEST_MAX];
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(all, sizeof(all), "; expected count, sum, avg, last or "
                 "last_k%s", rows[i].hint);
        is_str(config_suggest(rows[i].word, strlen(rows[i].word),
                              CONFIG_NAMES(ops), buf), all, "\"%s\"",
               rows[i].word);
    }
}

static void
test_lists(void)
{
    static char names[100][8];
    struct named {
        const char *name;
        int more;
    } items[100];
    struct config_names many = { items, sizeof(items[0]), 100 };
    struct config_names one = { items, sizeof(items[0]), 1 };
    struct config_names none = { items, sizeof(items[0]), 0 };
    char buf[SUGGEST_MAX], word[200];
    int i;

    for (i = 0; i < 100; i++) {
        snprintf(names[i], sizeof(names[i]), "name%d", i);
        items[i] = (struct named) { names[i], i };
    }
    is_str(config_names_get(many, 99), "name99", "a name of a struct");
    is_str(config_suggest("x", 1, none, buf),
           "; expected one that is defined, and there is none", "none");
    is_str(config_suggest("x", 1, one, buf), "; expected name0", "one");

    config_suggest("nmae99", 6, many, buf);
    ok(strstr(buf, ", name5, ") != NULL && strstr(buf, " ...; did you mean "
       "\"name99\"?") != NULL, "of many some, and the near one: %s", buf);

    memset(word, 'n', sizeof(word));
    config_suggest(word, sizeof(word), many, buf);
    ok(strstr(buf, "did you") == NULL, "a word that is too long for any");
}

int
main(void)
{
    test_words();
    test_lists();

    return done_testing();
}
