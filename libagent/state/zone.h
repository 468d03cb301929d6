/* SPDX-License-Identifier: Apache-2.0
 *
 * The mapping: make, attach, refuse. See layout.h for the format.
 */
#ifndef INTENT_STATE_ZONE_H
#define INTENT_STATE_ZONE_H

#include <stdbool.h>
#include <stddef.h>

#include "../intent.h"
#include "layout.h"

/* What a new zone is to be like. 0 lanes or lane_size: chosen by size. */
struct zone_params {
    uint64_t size;
    uint32_t lanes;
    uint64_t lane_size;
    uint64_t popularity_size;      /* bytes for the decide room; may be 0 */
    int64_t horizon_ms;            /* longest time that an event matters */
    bool no_lanes;                 /* private zones forward nothing */
};

/* Where everything is, from the header when it was checked: what the file says
 * later is not believed. */
struct zone_layout {
    uint32_t n_lanes;
    uint32_t n_shards;
    uint64_t lane_size;
    uint64_t shard_size;
    uint64_t slots_at;
    uint64_t account_at;
    uint64_t rings_at;
    uint64_t popularity_at;
    uint64_t popularity_size;
    uint64_t shards_at;
    int64_t stamp_ms;
};

struct zone {
    struct zone_header *header;    /* the mapping's start */
    struct zone_layout layout;
    uint64_t size;
    int fd;                        /* -1: private memory */
    bool broken;                   /* the file was cut short: touch nothing */
    bool grow;                     /* private: full means -ENOSPC, never
                                      eviction */
    uint64_t self;                 /* owner word of this process */
    uint64_t *counters;            /* INTENT_C_*: of the lane, else private */
    int64_t horizon_ms;            /* quiet for longer: may go */
    uint32_t sweep;                /* shard that this process sweeps next */
    struct account_copy account;   /* what intentd is changing: account.h */
};

/* Smallest size that zone_open() takes. */
uint64_t zone_min_size(const struct zone_params *params);

/* Attaches to the file, which `create` makes where it is missing (mode 0660,
 * owner and group of its folder where the process is root, all blocks
 * allocated so that a full disk shows here and not as SIGBUS). Of several that
 * make it at once one wins, the others attach to its file. Errors as
 * intent_open(). check: nothing is made or written. */
int zone_open(struct zone *zone, const char *path,
              const struct zone_params *params, bool create, int64_t now_ms,
              struct intent_error *err);
int zone_check(const char *path, const struct zone_params *params,
               struct intent_error *err);

/* Private memory of params->size bytes. */
int zone_open_private(struct zone *zone, const struct zone_params *params);

void zone_close(struct zone *zone);

/* Whether the file still has its size; sets zone->broken where not. */
bool zone_intact(struct zone *zone);

/* Finds or registers a table's identity: its index, or -ENOSPC when
 * ZONE_MAX_TABLES definitions have been seen. */
int zone_table(struct zone *zone, uint64_t identity);

/* Finds or registers a dataset by the hash of its name: index or -ENOSPC. */
int zone_dataset(struct zone *zone, uint64_t name_hash);

/* Raises the watermark to time_ms where that is more; returns it. */
int64_t zone_watermark_raise(struct zone *zone, int dataset, int64_t time_ms);
int64_t zone_watermark(const struct zone *zone, int dataset);

/* The newest of all watermarks; INT64_MIN: no event yet. */
int64_t zone_now(const struct zone *zone);

struct lane_slot *zone_lane(const struct zone *zone, uint32_t lane);
struct account *zone_account(const struct zone *zone);
/* The popularity section, all zero when new, and its size. */
void *zone_popularity(const struct zone *zone, uint64_t *size);
struct shard *zone_shard(const struct zone *zone, uint32_t shard);

#endif
