/* SPDX-License-Identifier: Apache-2.0
 *
 * The sections `popularity` and `policy`: what is decided.
 */
#ifndef INTENT_SIGNAL_CONFIG_POLICY_H
#define INTENT_SIGNAL_CONFIG_POLICY_H

#include "config_read.h"

/* After the datasets. The node may be absent. */
int config_popularity(const struct config_node *node);

/* After featuresets and popularity. The node may be absent. */
int config_policy(const struct config_node *node);

#endif
