/* SPDX-License-Identifier: Apache-2.0
 *
 * Handles: opening a zone under a configuration, processes coming and going.
 */
#define _GNU_SOURCE
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/error.h"
#include "base/hash.h"
#include "signal/reading.h"
#include "signal/window.h"
#include "state/lane.h"
#include "state/lock.h"

enum {
    PRIVATE_SIZE = 64 << 20,       /* where a private zone begins */
    TICK_SHARDS = 2,               /* swept per tick, this many buckets each: */
    TICK_BUCKETS = 8,              /* a worker never pauses for it */
    STOP_WAIT_US = 10000           /* for each deferred update at the end */
};

/* Clocks belong to hosts; this one only dates a new zone's header. */
static int64_t
wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
params_of(const struct intent_config *config, bool private,
          struct zone_params *p)
{
    int64_t horizon;
    int i;

    memset(p, 0, sizeof(*p));
    p->size = private ? PRIVATE_SIZE : config->zone_size;
    p->lanes = (uint32_t) config->lanes;
    p->lane_size = config->lane_size;
    p->no_lanes = private;

    if (config->popularity.enabled && !private) {
        p->popularity_size = popularity_size(config->popularity.categories,
                                             config->popularity.keep);
    }

    p->horizon_ms = 3600000;
    for (i = 0; i < config->n_tables; i++) {
        horizon = config->tables[i].retention_ms
                  + config->tables[i].lateness_ms;
        if (horizon > p->horizon_ms) {
            p->horizon_ms = horizon;
        }
    }
}

/* Finds or registers what the configuration defines. */
static int
register_all(struct intent *intent, struct intent_error *err)
{
    const struct intent_config *config = intent->config;
    const char *name;
    int i, rc;

    for (i = 0; i < config->n_datasets; i++) {
        name = config->datasets[i].name;
        rc = zone_dataset(&intent->zone, hash_name(name, strlen(name)));
        if (rc < 0) {
            goto full;
        }
        intent->datasets[i] = (uint8_t) rc;
    }

    for (i = 0; i < config->n_tables; i++) {
        rc = zone_table(&intent->zone, config->tables[i].identity);
        if (rc < 0) {
            goto full;
        }
        intent->tables[i] = (uint8_t) rc;
    }

    return 0;

full:

    if (rc == -EBUSY) {
        error_set(err, "zone \"%s\": another process holds its registry",
                  config->zone_path);
    } else {
        error_set(err, "zone \"%s\" has no room for another definition of "
                  "datasets or pipelines: stop nginx and intentd and remove "
                  "the file (its windows start empty)", config->zone_path);
    }

    return rc;
}

static int
attach_popularity(struct intent *intent, bool format)
{
    uint64_t size;
    void *section = zone_popularity(&intent->zone, &size);
    int rc;

    intent->popular = false;
    if (!intent->config->popularity.enabled || intent->zone.grow) {
        return 0;
    }

    rc = popularity_attach(&intent->popularity, section, size,
                           &intent->config->popularity, format,
                           intent->zone.self);
    intent->popular = rc == 0;

    return rc;
}

static int
allocate(struct intent *intent)
{
    const struct intent_config *config = intent->config;
    const struct plan *plan;
    size_t most = 16, size;
    int f, s;

    for (f = 0; f < config->n_featuresets; f++) {
        plan = config->featuresets[f].plan;
        for (s = 0; s < plan->n_steps; s++) {
            size = reading_size(&config->tables[plan->steps[s].table],
                                &plan->steps[s]);
            most = size > most ? size : most;
        }
    }

    intent->tables = calloc((size_t) config->n_tables + 1, 1);
    intent->window_scratch = malloc(WINDOW_SCRATCH);
    intent->reading_scratch = malloc(most);
    intent->deferred = calloc(ENGINE_DEFERRED, sizeof(*intent->deferred));

    return intent->tables == NULL || intent->window_scratch == NULL
           || intent->reading_scratch == NULL || intent->deferred == NULL
           ? -ENOMEM : 0;
}

int
intent_open(const struct intent_config *config, unsigned flags,
            struct intent **out, struct intent_error *err)
{
    bool private = (flags & INTENT_OPEN_PRIVATE) != 0;
    struct zone_params params;
    struct intent *intent;
    int rc;

    *out = NULL;
    params_of(config, private, &params);

    if (flags & INTENT_OPEN_CHECK) {
        return zone_check(config->zone_path, &params, err);
    }

    intent = calloc(1, sizeof(*intent));
    if (intent == NULL) {
        return -ENOMEM;
    }
    intent->config = config;
    intent->params = params;
    intent->lane = -1;
    intent->zone.fd = -1;

    rc = allocate(intent);
    if (rc != 0) {
        goto failed;
    }

    rc = private ? zone_open_private(&intent->zone, &params)
         : zone_open(&intent->zone, config->zone_path, &params,
                     (flags & INTENT_OPEN_CREATE) != 0, wall_ms(), err);
    if (rc != 0) {
        goto failed;
    }

    intent->zone.self = owner_self();
    intent->zone.counters = intent->counters;

    rc = register_all(intent, err);
    if (rc != 0) {
        goto failed;
    }
    attach_popularity(intent, (flags & INTENT_OPEN_CREATE) != 0);

    *out = intent;

    return 0;

failed:

    intent_close(intent);

    return rc;
}

void
intent_close(struct intent *intent)
{
    if (intent == NULL) {
        return;
    }

    intent_worker_stop(intent);
    zone_close(&intent->zone);
    free(intent->tables);
    free(intent->window_scratch);
    free(intent->reading_scratch);
    free(intent->deferred);
    free(intent);
}

struct zone *
intent_zone(struct intent *intent)
{
    return &intent->zone;
}

int
intent_owner_check(struct intent *intent, int32_t self, int32_t parent,
                   struct intent_error *err)
{
    uint64_t owner = atomic_load(&intent->zone.header->service.word);

    if (owner == 0 || owner_pid(owner) == self || owner_pid(owner) == parent
        || !owner_alive(owner))
    {
        return 0;
    }

    error_set(err, "zone \"%s\" belongs to another nginx that is running "
              "(master process %d): stop it, or give this one another "
              "zone.path", intent->config->zone_path,
              (int) owner_pid(owner));

    return -EBUSY;
}

void
intent_owner_claim(struct intent *intent, int32_t pid)
{
    uint64_t word = owner_of(pid);

    if (atomic_load(&intent->zone.header->service.word) != word) {
        atomic_store(&intent->zone.header->service.word, word);
    }
}

/* Counters move into the lane's once there is one. */
static int
claim_lane(struct intent *intent)
{
    struct lane_slot *slot;
    int lane, i;

    if (intent->zone.grow) {
        return 0;
    }

    lane = lane_claim(&intent->zone, intent->zone.self);
    if (lane < 0) {
        return lane;
    }

    slot = zone_lane(&intent->zone, (uint32_t) lane);
    for (i = 0; i < LANE_COUNTERS; i++) {
        slot->counters[i] += intent->counters[i];
        intent->counters[i] = 0;
    }
    intent->zone.counters = slot->counters;
    intent->lane = lane;

    return 0;
}

int
intent_worker_start(struct intent *intent)
{
    intent->zone.self = owner_self();
    intent->zone.counters = intent->counters;
    intent->lane = -1;
    intent->random_left = 0;
    intent->worker = true;

    return claim_lane(intent);
}

static void
apply_deferred(struct intent *intent, unsigned wait_us)
{
    struct window w = { .zone = &intent->zone,
                        .scratch = intent->window_scratch };
    const struct model_table *table;
    struct deferred *d;
    int64_t mark;
    int i, rc;

    for (i = 0; intent->n_deferred > 0 && i < ENGINE_DEFERRED; i++) {
        d = &intent->deferred[i];
        if (!d->used) {
            continue;
        }

        table = &intent->config->tables[d->table];
        mark = zone_watermark(&intent->zone,
                              intent->datasets[table->dataset]);
        w.table = table;
        w.index = intent->tables[d->table];

        rc = window_apply(&w, d->key, &d->event, mark, wait_us);
        if (rc == -EBUSY) {
            continue;
        }
        d->used = false;
        intent->n_deferred--;
        intent_count(intent, rc == 0 ? INTENT_C_DEFERRED : INTENT_C_UNAPPLIED,
                     1);
    }
}

void
intent_worker_stop(struct intent *intent)
{
    if (intent->n_deferred > 0 && !intent->zone.broken) {
        apply_deferred(intent, STOP_WAIT_US);
    }

    if (intent->lane >= 0) {
        intent->zone.counters = intent->counters;
        lane_release(&intent->zone, (uint32_t) intent->lane);
        intent->lane = -1;
    }
    intent->worker = false;
}

int
engine_random(struct intent *intent, void *out, size_t len)
{
    if (intent->random_left < len) {
        if (getrandom(intent->random, ENGINE_RANDOM, 0) != ENGINE_RANDOM) {
            return -EIO;
        }
        intent->random_left = ENGINE_RANDOM;
    }

    intent->random_left -= len;
    memcpy(out, intent->random + intent->random_left, len);
    memset(intent->random + intent->random_left, 0, len);

    return 0;
}

int
intent_visitor_new(struct intent *intent,
                   char visitor[static INTENT_VISITOR_LEN])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char id[INTENT_VISITOR_LEN / 2];
    int i, rc;

    rc = engine_random(intent, id, sizeof(id));
    for (i = 0; rc == 0 && i < INTENT_VISITOR_LEN; i++) {
        visitor[i] = digits[i % 2 == 0 ? id[i / 2] >> 4 : id[i / 2] & 15];
    }

    return rc;
}

void
intent_count(struct intent *intent, enum intent_counter counter, uint64_t n)
{
    if (!intent->zone.broken) {
        intent->zone.counters[counter] += n;
    }
}

void
engine_key(const struct intent *intent, int table, const char *key, size_t len,
           uint64_t out[static 2])
{
    char buf[sizeof(uint64_t) + INTENT_MAX_KEY];
    uint64_t identity = intent->config->tables[table].identity;

    /* One key has a record per table, so the table is part of what is
     * hashed. */
    memcpy(buf, &identity, sizeof(identity));
    memcpy(buf + sizeof(identity), key, len);
    hash_128(intent->zone.header->hash_key, buf, sizeof(identity) + len, out);
}

static int
migrate_record(void *arg, struct shard *shard, shard_entry *entry,
               struct record *record)
{
    return window_migrate(arg, shard, *entry, record);
}

static int
migrate(struct zone *from, struct zone *to)
{
    uint32_t i;
    int rc = 0;

    memcpy(to->header->hash_key, from->header->hash_key,
           sizeof(to->header->hash_key));
    memcpy(to->header->tables, from->header->tables,
           sizeof(to->header->tables));
    memcpy(to->header->datasets, from->header->datasets,
           sizeof(to->header->datasets));

    for (i = 0; rc == 0 && i < from->header->n_shards; i++) {
        rc = shard_each(from, zone_shard(from, i), migrate_record, to);
    }

    return rc;
}

int
engine_grow(struct intent *intent)
{
    struct zone_params params = intent->params;
    struct zone old = intent->zone, new;
    int rc = -ENOSPC;

    /* Twice the size need not do: keys fall anew, a shard may be full. */
    while (rc == -ENOSPC && params.size < UINT64_MAX / 4) {
        params.size *= 2;
        rc = zone_open_private(&new, &params);
        if (rc != 0) {
            return rc;
        }
        new.self = old.self;
        new.counters = old.counters;

        rc = migrate(&old, &new);
        if (rc != 0) {
            zone_close(&new);
        }
    }
    if (rc != 0) {
        return rc;
    }

    intent->zone = new;
    intent->params = params;
    zone_close(&old);

    return 0;
}

static void
sweep(struct intent *intent)
{
    struct zone *zone = &intent->zone;
    int64_t now = INT64_MIN, mark;
    struct shard *shard;
    int i;

    for (i = 0; i < intent->config->n_datasets; i++) {
        mark = zone_watermark(zone, intent->datasets[i]);
        now = mark > now ? mark : now;
    }
    if (now == INT64_MIN || zone->grow) {
        return;
    }

    for (i = 0; i < TICK_SHARDS; i++) {
        shard = zone_shard(zone, zone->sweep++ % zone->header->n_shards);
        if (shard_lock(zone, shard, 0)) {
            shard_sweep(zone, shard, TICK_BUCKETS, now);
            shard_unlock(shard);
        }
    }
}

/* Someone may have died amid giving the section another geometry. */
static void
mend_popularity(struct intent *intent)
{
    struct popularity *p = &intent->popularity;

    if (intent->config->popularity.enabled && !intent->zone.grow
        && (!intent->popular || atomic_load(&p->head->ready) == 0))
    {
        attach_popularity(intent, true);
    }

    intent_count(intent, INTENT_C_LOCKS_RECOVERED, p->recovered);
    p->recovered = 0;
}

int
intent_tick(struct intent *intent, int64_t now_ms)
{
    (void) now_ms;

    if (!zone_intact(&intent->zone)) {
        intent->zone.counters = intent->counters;
        return -EIO;
    }

    apply_deferred(intent, 0);
    if (intent->worker && intent->lane < 0) {
        claim_lane(intent);
    }
    sweep(intent);
    mend_popularity(intent);

    return 0;
}
