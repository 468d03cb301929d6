/* SPDX-License-Identifier: Apache-2.0 */
#include "config_suggest.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_WORD = 64,                 /* names are no longer */
    MAX_LISTED = 150               /* bytes of names, of SUGGEST_MAX */
};

const char *
config_names_get(struct config_names names, int i)
{
    const char *item = (const char *) names.items
                       + names.stride * (size_t) i;
    const char *name;

    memcpy(&name, item, sizeof(name));

    return name;
}

static int
least(int a, int b)
{
    return a < b ? a : b;
}

/* How many letters to change, add, leave out or swap with their neighbour. */
static int
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int rows[3][MAX_WORD + 1], *before, *last, *row;
    size_t i, j;

    for (j = 0; j <= b_len; j++) {
        rows[0][j] = (int) j;
    }
    for (i = 1; i <= a_len; i++) {
        before = rows[(i + 1) % 3];
        last = rows[(i - 1) % 3];
        row = rows[i % 3];
        row[0] = (int) i;
        for (j = 1; j <= b_len; j++) {
            row[j] = least(least(last[j], row[j - 1]) + 1,
                           last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2]
                && a[i - 2] == b[j - 1])
            {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
    }

    return rows[a_len % 3][b_len];
}

/* The name that a third of its letters, or one, would turn into the word. */
static const char *
nearest(const char *word, size_t len, struct config_names names)
{
    const char *best = NULL, *name;
    int best_distance = 0, d, i;
    size_t name_len;

    for (i = 0; i < names.n && len <= MAX_WORD; i++) {
        name = config_names_get(names, i);
        name_len = strlen(name);
        if (name_len > MAX_WORD) {
            continue;
        }
        d = distance(word, len, name, name_len);
        if (name_len > 1 && d <= (name_len < 3 ? 1 : (int) name_len / 3)
            && (best == NULL || d < best_distance))
        {
            best = name;
            best_distance = d;
        }
    }

    return best;
}

const char *
config_suggest(const char *word, size_t len, struct config_names names,
               char buf[SUGGEST_MAX])
{
    const char *name, *near = nearest(word, len, names);
    size_t at;
    int i;

    at = (size_t) snprintf(buf, SUGGEST_MAX, "; expected ");
    if (names.n == 0) {
        snprintf(buf + at, SUGGEST_MAX - at,
                 "one that is defined, and there is none");
        return buf;
    }

    for (i = 0; i < names.n; i++) {
        name = config_names_get(names, i);
        if (at + strlen(name) > MAX_LISTED) {
            at += (size_t) snprintf(buf + at, SUGGEST_MAX - at, " ...");
            break;
        }
        at += (size_t) snprintf(buf + at, SUGGEST_MAX - at, "%s%s",
                                i == 0 ? "" : i == names.n - 1 ? " or " : ", ",
                                name);
    }
    if (near != NULL) {
        snprintf(buf + at, SUGGEST_MAX - at, "; did you mean \"%s\"?", near);
    }

    return buf;
}
