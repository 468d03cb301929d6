/* SPDX-License-Identifier: Apache-2.0
 *
 * What a misspelt name may have meant, for messages.
 */
#ifndef INTENT_SIGNAL_CONFIG_SUGGEST_H
#define INTENT_SIGNAL_CONFIG_SUGGEST_H

#include <stddef.h>

/* Names to choose from: the first member of n structs is a const char *. */
struct config_names {
    const void *items;
    size_t stride;
    int n;
};

/* Of an array, of strings or of such structs. */
#define CONFIG_NAMES(array) ((struct config_names) {                         \
    (array), sizeof((array)[0]), (int) (sizeof(array) / sizeof((array)[0])) })

const char *config_names_get(struct config_names names, int i);

enum { SUGGEST_MAX = 256 };

/* "; expected a, b or c; did you mean \"b\"?", with the names cut where they
 * are many, and the question only where a name is near. Returns buf. */
const char *config_suggest(const char *word, size_t len,
                           struct config_names names, char buf[SUGGEST_MAX]);

#endif
