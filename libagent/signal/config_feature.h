/* SPDX-License-Identifier: Apache-2.0
 *
 * The section `featuresets`: what can be asked for of an entity.
 */
#ifndef INTENT_SIGNAL_CONFIG_FEATURE_H
#define INTENT_SIGNAL_CONFIG_FEATURE_H

#include "config_read.h"

/* After the pipelines. The node may be absent. */
int config_featuresets(const struct config_node *node);

/* What a feature may be inside other expressions. Numbers are doubles there;
 * an expression may always fail and then reads null. */
unsigned config_feature_types(const struct intent_config *config,
                              const struct model_feature *feature);

#endif
