/* SPDX-License-Identifier: Apache-2.0
 *
 * PutRecords on the wire: finds the endpoint, signs with the credentials of
 * the moment and the corrected clock, sends. What the forwarder sees of AWS.
 */
#ifndef INTENT_DELIVER_UPLINK_H
#define INTENT_DELIVER_UPLINK_H

#include <stdint.h>

#include "forwarder.h"

struct uplink_options {
    const char *region;            /* NULL: AWS_REGION, AWS_DEFAULT_REGION */
    const char *endpoint;          /* NULL: AWS_ENDPOINT_URL_KINESIS,
                                      AWS_ENDPOINT_URL, or by region */
    const char *user_agent;
};

struct uplink;

/* Reads the environment. -EINVAL with a sentence in `why` (of size `size`)
 * when region or endpoint make no sense, -ENOMEM. */
int uplink_new(const struct uplink_options *options, struct uplink **out,
               char *why, size_t size);
void uplink_free(struct uplink *uplink);

/* The forwarder's way to it. */
struct forwarder_link uplink_link(struct uplink *uplink);

/* Waits for an answer, or for so long. */
void uplink_wait(struct uplink *uplink, int64_t timeout_ms);

/* For messages: where it sends to. */
const char *uplink_url(const struct uplink *uplink);

#endif
