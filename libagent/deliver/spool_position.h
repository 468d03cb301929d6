/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a spool was delivered, in a small text file beside its segments.
 * While the zone lives its account knows better; this file is for the day
 * when the zone is gone.
 */
#ifndef INTENT_DELIVER_SPOOL_POSITION_H
#define INTENT_DELIVER_SPOOL_POSITION_H

#include <stdbool.h>
#include <stdint.h>

struct spool_position {
    uint64_t id;                   /* names this spool */
    uint64_t read;                 /* index of the next record to deliver */
};

/* Reads the position in the folder `dir`. 0, -ENOENT, -EBADMSG when it is not
 * as written, or -errno. */
int spool_position_load(int dir, struct spool_position *position);

/* Replaces it: written aside and renamed, so that there is always a whole
 * one; `sync` also makes it survive a power loss. 0 or -errno. */
int spool_position_save(int dir, const struct spool_position *position,
                        bool sync);

#endif
