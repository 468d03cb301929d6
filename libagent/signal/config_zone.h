/* SPDX-License-Identifier: Apache-2.0
 *
 * The sections `zone` and `forward` and the key `host`: where things are and
 * how large they may get.
 */
#ifndef INTENT_SIGNAL_CONFIG_ZONE_H
#define INTENT_SIGNAL_CONFIG_ZONE_H

#include "config_read.h"

int config_zone(const struct config_node *node);

/* Where it is absent, the system's name. */
int config_host(const struct config_node *node);

/* The node may be absent. */
int config_forward(const struct config_node *node);

#endif
