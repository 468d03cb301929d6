/* SPDX-License-Identifier: Apache-2.0
 *
 * The section `pipelines`: what is computed of the events of a dataset.
 */
#ifndef INTENT_SIGNAL_CONFIG_PIPELINE_H
#define INTENT_SIGNAL_CONFIG_PIPELINE_H

#include "config_read.h"

/* After the datasets. The node may be absent. */
int config_pipelines(const struct config_node *node);

#endif
