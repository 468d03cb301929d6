/* SPDX-License-Identifier: Apache-2.0
 *
 * Configurations as tests write them: with ' for the quotes of JSON and ` for
 * those of expressions, neither of which changes a column.
 */
#ifndef INTENT_CONFIG_CASE_H
#define INTENT_CONFIG_CASE_H

#include <errno.h>
#include <stdlib.h>

#include "../../libagent/signal/config.h"
#include "tap.h"

/* Sections to put others behind, one line each. */
#define HEAD                                                                  \
    "{'zone':{'path':'z','size':'4m'},'datasets':{'D':{'key':'u',"            \
    "'fields':{'t':'string','n':'double','i':'int','b':'bool'}}},\n"
#define PIPE                                                                  \
    "'pipelines':{'P':{'from':'D','group_by':'u','aggregate':{"               \
    "'c':{'op':'count','window':'1h'},"                                       \
    "'a':{'op':'avg','of':'n','window':'1h'},"                                \
    "'l':{'op':'last','of':'t','window':'1h'},"                               \
    "'k':{'op':'last_k','of':'t','window':'1h','k':3}}}},\n"
#define FEATURES                                                              \
    "'featuresets':{'F':{'entity':'u','features':{'c':{'ref':'P.c'},"         \
    "'a':{'ref':'P.a'},'x':{'expr':'c + 1.0'}}}},\n"

struct bad_config {
    const char *json;
    const char *says;              /* "line:column: ...": the whole of it, or,
                                      with a space at the end, its beginning */
};

/* before, json and after as JSON, in memory of exactly their size: a read past
 * the end is then seen by the sanitizer. */
static char *
config_text(const char *before, const char *json, const char *after,
            size_t *len)
{
    char *text, *exact;
    size_t i;

    *len = strlen(before) + strlen(json) + strlen(after);
    text = malloc(*len + 1);
    exact = malloc(*len + (*len == 0));
    snprintf(text, *len + 1, "%s%s%s", before, json, after);
    for (i = 0; i < *len; i++) {
        exact[i] = (char) (text[i] == '\'' ? '"'
                           : text[i] == '`' ? '\'' : text[i]);
    }
    free(text);

    return exact;
}

static int
config_case(const char *before, const char *json, const char *after,
            struct intent_config **out, struct intent_error *err)
{
    size_t len;
    char *text = config_text(before, json, after, &len);
    int rc;

    memset(err, 0, sizeof(*err));
    rc = config_parse("c.json", text, len, out, err);
    free(text);

    return rc;
}

__attribute__((unused))
static struct intent_config *
good_config(const char *before, const char *json, const char *after)
{
    struct intent_config *config;
    struct intent_error err;
    int rc = config_case(before, json, after, &config, &err);

    if (!ok(rc == 0, "good: %.60s", json)) {
        printf("#   %d: %s\n", rc, err.text);
    }

    return config;
}

__attribute__((unused))
static void
bad_config(const char *before, const struct bad_config *row, const char *after)
{
    struct intent_config *config;
    struct intent_error err;
    int line = 0, column = 0, rc;
    char says[sizeof(err.text) + 8];
    size_t len;

    rc = config_case(before, row->json, after, &config, &err);
    snprintf(says, sizeof(says), "c.json:%s", row->says);
    len = strlen(says);
    len += len > 0 && says[len - 1] != ' ';      /* with the NUL */
    sscanf(row->says, "%d:%d:", &line, &column);

    if (!ok(rc == -EINVAL && config == NULL && line > 0 && err.line == line
            && err.column == column && strncmp(err.text, says, len) == 0,
            "refused: %s", row->says))
    {
        printf("#   %d at %d:%d: %s\n", rc, err.line, err.column, err.text);
    }
    intent_config_free(config);
}

#define BAD_CONFIGS(before, rows, after)                                      \
    do {                                                                      \
        size_t i_;                                                            \
                                                                              \
        for (i_ = 0; i_ < sizeof(rows) / sizeof((rows)[0]); i_++) {           \
            bad_config(before, &(rows)[i_], after);                           \
        }                                                                     \
    } while (0)

#endif
