/* SPDX-License-Identifier: Apache-2.0
 *
 * What a handle is made of. For libagent's own files and intentd; hosts know
 * intent.h alone.
 */
#ifndef INTENT_ENGINE_H
#define INTENT_ENGINE_H

#include "decide/popularity.h"
#include "intent.h"
#include "signal/history.h"
#include "signal/model.h"
#include "signal/plan.h"
#include "state/zone.h"

enum {
    ENGINE_DEFERRED = 64,          /* updates that wait for a busy lock */
    ENGINE_DEFERRED_TEXT = 1024,   /* bytes of strings of one */
    ENGINE_RANDOM = 512
};

/* An update whose shard was busy. Its strings are copied. */
struct deferred {
    bool used;
    int table;
    uint64_t key[2];
    struct history_event event;
    char text[ENGINE_DEFERRED_TEXT];
};

struct intent {
    const struct intent_config *config;
    struct zone zone;
    struct zone_params params;
    int lane;                      /* -1: none */
    bool worker;                   /* between worker_start and worker_stop */
    uint8_t *tables;               /* config's tables in the zone's registry */
    uint8_t datasets[MODEL_MAX_DATASETS];    /* likewise datasets */
    bool popular;
    struct popularity popularity;
    void *window_scratch;
    void *reading_scratch;
    uint64_t counters[LANE_COUNTERS];        /* until there is a lane */
    unsigned char random[ENGINE_RANDOM];
    size_t random_left;
    int n_deferred;
    struct deferred *deferred;
};

struct zone *intent_zone(struct intent *intent);

/* The hash under which the zone knows a key in a table. */
void engine_key(const struct intent *intent, int table, const char *key,
                size_t len, uint64_t out[static 2]);

/* Unpredictable bytes for ids. -EIO when the system has none. */
int engine_random(struct intent *intent, void *out, size_t len);

/* Doubles a private zone. -ENOMEM. */
int engine_grow(struct intent *intent);

/* Puts an event, or with event == NULL a tombstone, into the lane. False when
 * it did not get there: counted, or nothing is forwarded by configuration. */
bool engine_forward(struct intent *intent, const struct intent_event *event,
                    const struct intent_who *who, int64_t now_ms,
                    unsigned did);

#endif
