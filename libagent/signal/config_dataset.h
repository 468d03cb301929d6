/* SPDX-License-Identifier: Apache-2.0
 *
 * The section `datasets`: what events look like.
 */
#ifndef INTENT_SIGNAL_CONFIG_DATASET_H
#define INTENT_SIGNAL_CONFIG_DATASET_H

#include "config_read.h"

int config_datasets(const struct config_node *node);

/* A dataset's fields as names to choose from. */
struct config_names config_fields(const struct model_dataset *dataset);

/* A string field of the dataset, by name. */
int config_string_field(const struct config_node *node,
                        const struct model_dataset *dataset, int *field);

#endif
