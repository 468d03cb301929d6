/* SPDX-License-Identifier: Apache-2.0
 *
 * Typed access to the parsed configuration. A node knows the way to itself,
 * so every refusal says where it stands:
 *
 *     file:line:column: path.to.key: what was found; what was expected
 *
 * Functions return 0, -EINVAL after filling the source's error, or -ENOMEM.
 * Those that read a value leave *out as it is, and return 0, where the value
 * is absent (json NULL): the default stands there before.
 */
#ifndef INTENT_SIGNAL_CONFIG_READ_H
#define INTENT_SIGNAL_CONFIG_READ_H

#include <jansson.h>

#include "config_suggest.h"
#include "model.h"

struct config_source {
    const char *file;              /* as the user named it */
    const char *text;              /* what `json` was parsed from */
    size_t len;
    struct intent_config *config;  /* whose arena strings are copied to */
    struct intent_error *err;
};

/* One value. Borrowed: the parent must outlive it, and the keys are the
 * parsed JSON's or literals. */
struct config_node {
    const struct config_source *source;
    const struct config_node *parent;        /* NULL: the top value */
    const char *key;                         /* NULL: an item of a list */
    size_t index;
    json_t *json;                            /* NULL: absent */
};

struct config_node config_member(const struct config_node *object,
                                 const char *key);
struct config_node config_item(const struct config_node *list, size_t index);

/* Refusals, all -EINVAL: at the value, at its key, at byte `nth` of the
 * string that it is. */
__attribute__((format(printf, 2, 3)))
int config_fail(const struct config_node *node, const char *format, ...);
__attribute__((format(printf, 2, 3)))
int config_fail_key(const struct config_node *node, const char *format, ...);
__attribute__((format(printf, 3, 4)))
int config_fail_in(const struct config_node *node, size_t nth,
                   const char *format, ...);

/* "found X; expected Y", at the value. */
int config_expected(const struct config_node *node, const char *expected);

/* The member, which must be there, as what is expected. Where it is not, the
 * refusal stands at the object, under the member's path. */
int config_required(const struct config_node *object, const char *key,
                    const char *expected, struct config_node *member);

/* An object with no other keys than these (NULL at the end). */
int config_object(const struct config_node *node, const char *const *keys);

/* An object of 1 to max members whose keys are names: see config_name(). */
int config_named(const struct config_node *node, const char *what, int max);

/* A list of at most max items. */
int config_list(const struct config_node *node, int max);

/* The node's key as a name, copied to the arena: a letter or `_`, then
 * letters, digits and `_`, up to 64, and none that expressions keep for
 * themselves. `lower`: lower-case letters only, the first one a letter,
 * because it becomes a header's key and an nginx variable. */
int config_name(const struct config_node *node, bool lower, const char **out);

/* The node's string as a name; `what` is expected where it is no string. */
int config_name_value(const struct config_node *node, const char *what,
                      const char **out);

int config_bool(const struct config_node *node, bool *out);
int config_int(const struct config_node *node, int min, int max, int *out);
int config_duration(const struct config_node *node, int64_t min, int64_t max,
                    int64_t *ms);
int config_size(const struct config_node *node, uint64_t min, uint64_t max,
                uint64_t *bytes);

/* A string of 1 to max bytes without control characters, copied to the
 * arena. */
int config_string(const struct config_node *node, size_t max,
                  const char *expected, const char **out);

/* One of the names; *out is its index. `what` is their kind ("dataset"). */
int config_choice(const struct config_node *node, const char *what,
                  struct config_names names, int *out);

/* The same for a part of the node's string, from byte `nth` of it. */
int config_choice_in(const struct config_node *node, size_t nth, size_t len,
                     const char *what, struct config_names names, int *out);

/* A copy in the arena, NUL-terminated, or NULL. */
const char *config_copy(const struct config_source *source, const char *text,
                        size_t len);

#endif
