/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "../base/atomic.h"
#include "lane.h"
#include "shard.h"

enum {
    MIN_LANE_SIZE = 128 << 10,     /* twice the largest record */
    MAX_LANE_SIZE = 4 << 20,
    MIN_SHARD_SIZE = 1 << 20,
    DEFAULT_LANES = 64             /* two generations of 32 workers */
};

/* Units of activity stamps. */
#define STAMP_MIN_MS INT64_C(60000)
#define STAMP_MAX_MS (INT64_C(1) << 40)

_Static_assert(MIN_LANE_SIZE / 2
               >= LANE_MAX_RECORD + sizeof(struct lane_record),
               "the largest record fits wherever the ring stands");

static uint64_t
round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

static int
random_fill(void *to, size_t len)
{
    return getrandom(to, len, 0) == (ssize_t) len ? 0 : -EIO;
}

/* Lanes and popularity get at most an eighth each, shards the rest. */
int
format_plan(struct zone_header *h, const struct zone_params *params)
{
    uint64_t eighth = params->size / 8, at, per_lane;

    h->size = params->size;
    h->n_lanes = params->lanes != 0 ? params->lanes : DEFAULT_LANES;

    if (params->no_lanes) {
        h->n_lanes = 0;

    } else if (params->lane_size != 0) {
        h->lane_size = round_up(params->lane_size, 64);

    } else {
        if (params->lanes == 0) {
            while (h->n_lanes > 2 && eighth / h->n_lanes < MIN_LANE_SIZE) {
                h->n_lanes /= 2;
            }
        }
        per_lane = eighth / h->n_lanes / ZONE_PAGE * ZONE_PAGE;
        h->lane_size = per_lane < MIN_LANE_SIZE ? MIN_LANE_SIZE
                       : per_lane > MAX_LANE_SIZE ? MAX_LANE_SIZE : per_lane;
    }

    if (h->n_lanes > ZONE_MAX_LANES
        || (h->n_lanes != 0 && (h->lane_size < MIN_LANE_SIZE
                                || h->lane_size > UINT32_MAX)))
    {
        return -EINVAL;
    }

    h->slots_at = ZONE_PAGE;
    at = h->slots_at + h->n_lanes * sizeof(struct lane_slot);
    h->account_at = at = round_up(at, 64);
    h->rings_at = at = round_up(at + sizeof(struct account), ZONE_PAGE);
    at += h->n_lanes * h->lane_size;
    h->popularity_at = at = round_up(at, ZONE_PAGE);
    h->popularity_size = params->popularity_size < eighth
                         ? params->popularity_size : eighth;
    at += h->popularity_size;
    h->shards_at = at = round_up(at, ZONE_PAGE);

    h->shard_size = SHARD_MAX_SIZE;
    if (at > params->size || (params->size - at) / SHARD_MAX_SIZE < 16) {
        h->shard_size = MIN_SHARD_SIZE;
    }
    if (at > params->size || params->size - at < h->shard_size) {
        return -ENOSPC;
    }
    h->n_shards = (uint32_t) ((params->size - at) / h->shard_size);

    return 0;
}

uint64_t
zone_min_size(const struct zone_params *params)
{
    struct zone_params p = *params;
    struct zone_header h;

    for (p.size = MIN_SHARD_SIZE; /* void */; p.size += MIN_SHARD_SIZE) {
        memset(&h, 0, sizeof(h));
        if (format_plan(&h, &p) != -ENOSPC) {
            return p.size;
        }
    }
}

static void
set_layout(struct zone *zone, const struct zone_header *h)
{
    zone->layout = (struct zone_layout) {
        .n_lanes = h->n_lanes, .n_shards = h->n_shards,
        .lane_size = h->lane_size, .shard_size = h->shard_size,
        .slots_at = h->slots_at, .account_at = h->account_at,
        .rings_at = h->rings_at, .popularity_at = h->popularity_at,
        .popularity_size = h->popularity_size, .shards_at = h->shards_at,
        .stamp_ms = (int64_t) h->stamp_ms
    };
}

/* `ready` comes last: it is what others wait for. */
int
format_write(struct zone *zone, const struct zone_params *params,
             int64_t now_ms)
{
    struct zone_header *h = zone->header;
    uint32_t i;
    int rc;

    rc = format_plan(h, params);
    if (rc != 0) {
        return rc;
    }

    if (random_fill(h->hash_key, sizeof(h->hash_key)) != 0
        || random_fill(h->stream_key, sizeof(h->stream_key)) != 0
        || random_fill(&h->boot, sizeof(h->boot)) != 0)
    {
        return -EIO;
    }

    h->version = ZONE_VERSION;
    h->header_size = sizeof(*h);
    h->created_ms = now_ms;

    /* Stamps are compared modulo 2^15: a quarter of that range must cover
     * the longest time that matters. */
    h->stamp_ms = (uint64_t) params->horizon_ms / (1 << 13);
    if (h->stamp_ms < STAMP_MIN_MS) {
        h->stamp_ms = STAMP_MIN_MS;
    }
    set_layout(zone, h);

    for (i = 0; i < ZONE_MAX_DATASETS; i++) {
        h->datasets[i].watermark_ms = INT64_MIN;
    }
    for (i = 0; i < h->n_shards; i++) {
        shard_init(zone_shard(zone, i), h->shard_size);
    }

    h->magic = ZONE_MAGIC;
    atomic_release(&h->ready, ZONE_MAGIC);

    return 0;
}

/* Whether the header describes sections that lie inside the file. */
static bool
header_sound(const struct zone_header *h, uint64_t size)
{
    uint64_t lanes = (uint64_t) h->n_lanes * h->lane_size;

    return h->header_size == sizeof(*h) && h->size == size
           && h->n_lanes <= ZONE_MAX_LANES && h->lane_size <= UINT32_MAX
           && (h->n_lanes == 0 || h->lane_size >= MIN_LANE_SIZE)
           && h->lane_size % 8 == 0 && h->slots_at == ZONE_PAGE
           && h->account_at % 64 == 0 && h->account_at >= h->slots_at
              + h->n_lanes * sizeof(struct lane_slot)
           && h->account_at <= size && h->rings_at % ZONE_PAGE == 0
           && h->rings_at >= h->account_at + sizeof(struct account)
           && h->rings_at <= size && h->popularity_at % ZONE_PAGE == 0
           && h->popularity_at <= size
           && h->popularity_at - h->rings_at >= lanes
           && h->popularity_at >= h->rings_at
           && h->shards_at % ZONE_PAGE == 0 && h->shards_at <= size
           && h->shards_at >= h->popularity_at
           && h->shards_at - h->popularity_at >= h->popularity_size
           && (h->shard_size == SHARD_MAX_SIZE
               || h->shard_size == MIN_SHARD_SIZE)
           && h->n_shards > 0
           && h->n_shards <= (size - h->shards_at) / h->shard_size
           && h->stamp_ms >= STAMP_MIN_MS && h->stamp_ms <= STAMP_MAX_MS;
}

const char *
format_fault(struct zone *zone)
{
    struct zone_header copy = *zone->header, *h = &copy;
    uint32_t i;

    if (h->ready != ZONE_MAGIC || h->magic != ZONE_MAGIC) {
        return "is not an intent zone, or was never finished";
    }
    if (h->version != ZONE_VERSION) {
        return "was made by another version of intent";
    }
    if (!header_sound(h, zone->size)) {
        return "is damaged (its header contradicts itself)";
    }
    set_layout(zone, h);

    for (i = 0; i < h->n_shards; i++) {
        if (!shard_sound(zone_shard(zone, i), h->shard_size)) {
            return "is damaged (a shard's header)";
        }
    }

    return NULL;
}
