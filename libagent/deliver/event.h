/* SPDX-License-Identifier: Apache-2.0
 *
 * An event on its way from a lane or the spool to Kinesis: finished JSON,
 * opaque here.
 */
#ifndef INTENT_DELIVER_EVENT_H
#define INTENT_DELIVER_EVENT_H

#include <stdint.h>

struct event {
    const char *bytes;
    uint32_t len;
    uint32_t lane;
    uint64_t seq;
    uint64_t key;                  /* partition key */
    uint64_t after;                /* of a lane's ring: where the next one
                                      begins */
};

#endif
