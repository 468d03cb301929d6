/* SPDX-License-Identifier: Apache-2.0
 *
 * From the text of intent.json to the model.
 */
#ifndef INTENT_SIGNAL_CONFIG_H
#define INTENT_SIGNAL_CONFIG_H

#include "model.h"

/* A file beyond is not a configuration. */
enum { CONFIG_MAX_SIZE = 10 << 20 };

/* intent_config_load() of a text that is in memory; `path` is what messages
 * call it, and relative paths in it start from its folder. The text is not
 * needed afterwards. */
int config_parse(const char *path, const char *text, size_t len,
                 struct intent_config **out, struct intent_error *err);

#endif
