/* SPDX-License-Identifier: Apache-2.0
 *
 * Recording: what happens to one event.
 */
#include "engine.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "deliver/encode.h"
#include "signal/event.h"
#include "signal/window.h"
#include "state/lane.h"

/* The id that the state hangs on. */
struct state_key {
    const char *s;
    size_t len;
};

static int
key_of(const struct intent_config *config, const struct intent_event *event,
       const struct intent_who *who, struct state_key *key)
{
    const struct intent_value *v;

    if (who == NULL) {
        v = &event->fields[config->datasets[event->dataset].key];
        key->s = v->as.s;
        key->len = v->kind == INTENT_STRING ? v->len : 0;
    } else if (who->user_len != 0) {
        key->s = who->user;
        key->len = who->user_len;
    } else {
        key->s = who->visitor;
        key->len = who->visitor_len;
    }

    return key->len == 0 ? -EINVAL : key->len > INTENT_MAX_KEY ? -E2BIG : 0;
}

/* Raises the watermark and says on which side of the bounds the event is. */
static unsigned
judge_time(struct intent *intent, const struct intent_event *event,
           int64_t now_ms, unsigned flags, int64_t *mark)
{
    const struct model_dataset *dataset;
    int index = intent->datasets[event->dataset];

    dataset = &intent->config->datasets[event->dataset];

    if ((flags & INTENT_RECORD_LIVE)
        && event->time_ms > now_ms + dataset->max_future_ms)
    {
        intent_count(intent, INTENT_C_FUTURE, 1);
        return INTENT_DID_FUTURE;
    }

    *mark = zone_watermark_raise(&intent->zone, index, event->time_ms);

    if (event->time_ms < *mark - dataset->max_lateness_ms) {
        intent_count(intent, INTENT_C_LATE, 1);
        return INTENT_DID_LATE;
    }

    return 0;
}

/* Keeps an update for later, its strings copied. */
static bool
defer(struct intent *intent, int table, const uint64_t key[static 2],
      const struct history_event *event)
{
    const struct model_table *t = &intent->config->tables[table];
    struct history_value *v;
    struct deferred *d;
    size_t used = 0;
    int i, c;

    for (i = 0; i < ENGINE_DEFERRED && intent->deferred[i].used; i++) {
        /* void */
    }
    if (i == ENGINE_DEFERRED) {
        return false;
    }

    d = &intent->deferred[i];
    d->table = table;
    d->key[0] = key[0];
    d->key[1] = key[1];
    d->event = *event;

    for (c = 0; c < t->n_columns; c++) {
        v = &d->event.columns[c];
        if (!t->columns[c].string || !v->present) {
            continue;
        }
        if (v->len > sizeof(d->text) - used) {
            return false;
        }
        memcpy(d->text + used, v->string, v->len);
        v->string = d->text + used;
        used += v->len;
    }

    d->used = true;
    intent->n_deferred++;

    return true;
}

static int
apply(struct intent *intent, int table, const uint64_t key[static 2],
      const struct history_event *event, int64_t mark, unsigned wait_us)
{
    struct window w = { .zone = &intent->zone,
                        .table = &intent->config->tables[table],
                        .index = intent->tables[table],
                        .scratch = intent->window_scratch };
    int rc;

    rc = window_apply(&w, key, event, mark, wait_us);

    while (rc == -ENOSPC && intent->zone.grow) {
        rc = engine_grow(intent);
        if (rc == 0) {
            rc = window_apply(&w, key, event, mark, wait_us);
        }
    }

    return rc;
}

/* One table's share of the event. Returns INTENT_DID_DEFER, 0 or an error. */
static int
record_table(struct intent *intent, int table,
             const struct intent_value *fields, const struct state_key *key,
             int64_t time_ms, int64_t mark, unsigned wait_us)
{
    const struct model_table *t = &intent->config->tables[table];
    const struct intent_value *group = &fields[t->group_by];
    struct state_key by = *key;
    struct history_event event;
    uint64_t hashed[2];
    unsigned errors;
    int rc;

    if (t->group_by != intent->config->datasets[t->dataset].key) {
        if (group->kind != INTENT_STRING || group->len == 0
            || group->len > INTENT_MAX_KEY)
        {
            return 0;
        }
        by = (struct state_key) { group->as.s, group->len };
    }

    engine_key(intent, table, by.s, by.len, hashed);
    shard_prefetch(&intent->zone, hashed);

    errors = event_project(t, fields, time_ms, &event);
    if (errors != 0) {
        intent_count(intent, INTENT_C_EXPR_ERRORS, errors);
    }

    rc = apply(intent, table, hashed, &event, mark, wait_us);
    if (rc == -EBUSY && defer(intent, table, hashed, &event)) {
        return INTENT_DID_DEFER;
    }
    if (rc != 0) {
        intent_count(intent, INTENT_C_UNAPPLIED, 1);
    }

    /* A full zone is not the caller's trouble, except where it may grow. */
    return intent->zone.grow ? rc : 0;
}

static int
record_windows(struct intent *intent, const struct intent_event *event,
               const struct state_key *key, int64_t mark, unsigned wait_us)
{
    UNINITIALIZED struct intent_value fields[INTENT_MAX_FIELDS];
    const struct model_dataset *dataset;
    int i, rc, did = 0;

    dataset = &intent->config->datasets[event->dataset];
    memcpy(fields, event->fields,
           (size_t) dataset->n_fields * sizeof(*fields));
    fields[dataset->key] = (struct intent_value) {
        .kind = INTENT_STRING, .len = (uint32_t) key->len, .as.s = key->s
    };

    for (i = 0; i < intent->config->n_tables; i++) {
        if (intent->config->tables[i].dataset != event->dataset) {
            continue;
        }
        rc = record_table(intent, i, fields, key, event->time_ms, mark,
                          wait_us);
        if (rc < 0) {
            return rc;
        }
        did |= rc;
    }

    return did;
}

static void
record_popularity(struct intent *intent, const struct intent_event *event,
                  unsigned wait_us)
{
    const struct model_popularity *p = &intent->config->popularity;
    struct intent_value category = { .kind = INTENT_NULL };
    const struct intent_value *item;

    if (!intent->popular || p->dataset != event->dataset) {
        return;
    }

    item = &event->fields[p->item];
    if (item->kind != INTENT_STRING) {
        return;
    }
    category = intent_event_category(intent->config, event);

    switch (popularity_add(&intent->popularity, intent->zone.self,
                           category.as.s, category.len, item->as.s, item->len,
                           event->time_ms, 1.0, wait_us))
    {
    case POPULARITY_NO_CATEGORY:
        intent_count(intent, INTENT_C_POPULAR_FULL, 1);
        break;

    case -EBUSY:
        intent_count(intent, INTENT_C_POPULAR_MISSED, 1);
        break;

    default:
        break;
    }
}

struct intent_value
intent_event_category(const struct intent_config *config,
                      const struct intent_event *event)
{
    const struct model_popularity *p = &config->popularity;
    struct intent_value none = { .kind = INTENT_STRING, .as.s = "" };

    return p->enabled && p->by >= 0 && p->dataset == event->dataset
           && event->fields[p->by].kind == INTENT_STRING
           ? event->fields[p->by] : none;
}

/* An event that no lane can take is captured and dropped. */
static void
drop_no_lane(struct intent *intent)
{
    atomic_add(&zone_account(&intent->zone)->no_lane, 1);
}

bool
engine_forward(struct intent *intent, const struct intent_event *event,
               const struct intent_who *who, int64_t now_ms, unsigned did)
{
    struct zone *zone = &intent->zone;
    const char *id = who->user_len != 0 ? who->user : who->visitor;
    size_t id_len = who->user_len != 0 ? who->user_len : who->visitor_len;
    struct encode_meta meta = {
        .who = who, .host = intent->config->host, .boot = zone->header->boot,
        .lane = (uint32_t) intent->lane, .captured_at_ms = now_ms,
        .late = (did & INTENT_DID_LATE) != 0,
        .future = (did & INTENT_DID_FUTURE) != 0, .forget = event == NULL
    };
    uint32_t bound;
    void *room;
    int len;

    if (!intent->config->forward.enabled || zone->grow) {
        return false;
    }
    if (intent->lane < 0
        || engine_random(intent, meta.random, sizeof(meta.random)) != 0)
    {
        drop_no_lane(intent);
        return false;
    }

    bound = encode_bound(intent->config, event, &meta);
    if (bound > LANE_MAX_RECORD) {
        bound = LANE_MAX_RECORD;
    }

    room = lane_reserve(zone, meta.lane, bound, &meta.seq);
    if (room == NULL) {
        return false;
    }

    len = encode_event(intent->config, event, &meta, room, bound);
    if (len < 0) {
        lane_refuse(zone, meta.lane);
        return false;
    }

    lane_commit(zone, meta.lane, room, (uint32_t) len,
                hash_64(zone->header->stream_key, id, id_len));

    return true;
}

/* Calls prefetch for the key in each table of the dataset (-1: of any) that
 * is grouped by it. */
static void
hint(const struct intent *intent, int dataset, const struct state_key *key,
     void (*prefetch)(const struct zone *zone, const uint64_t key[static 2]))
{
    const struct model_table *t;
    uint64_t hashed[2];
    int i;

    for (i = 0; i < intent->config->n_tables; i++) {
        t = &intent->config->tables[i];
        if ((dataset < 0 || t->dataset == dataset)
            && t->group_by == intent->config->datasets[t->dataset].key)
        {
            engine_key(intent, i, key->s, key->len, hashed);
            prefetch(&intent->zone, hashed);
        }
    }
}

void
intent_prefetch(struct intent *intent, const struct intent_who *who)
{
    struct state_key key = { who->user, who->user_len };

    if (key.len == 0) {
        key = (struct state_key) { who->visitor, who->visitor_len };
    }
    if (key.len != 0 && key.len <= INTENT_MAX_KEY && !intent->zone.broken) {
        hint(intent, -1, &key, shard_prefetch);
    }
}

int
intent_record(struct intent *intent, const struct intent_event *event,
              const struct intent_who *who, int64_t now_ms, unsigned flags,
              unsigned wait_us)
{
    struct intent_who from_key = { NULL, 0, NULL, 0 };
    struct state_key key;
    int64_t mark = 0;
    unsigned did;
    int rc;

    if (intent->zone.broken) {
        return -EIO;
    }

    rc = key_of(intent->config, event, who, &key);
    if (rc != 0) {
        if (rc == -E2BIG) {
            intent_count(intent, INTENT_C_KEY_BAD, 1);
        }
        return rc;
    }

    intent_count(intent, INTENT_C_EVENTS, 1);
    did = judge_time(intent, event, now_ms, flags, &mark);

    if (did == 0) {
        /* The record's lines arrive while popularity is counted. */
        hint(intent, event->dataset, &key, shard_prefetch_record);
        record_popularity(intent, event, wait_us);
        rc = record_windows(intent, event, &key, mark, wait_us);
        if (rc < 0) {
            return rc;
        }
        did = (unsigned) rc;
    }

    if (flags & INTENT_RECORD_FORWARD) {
        if (who == NULL) {
            from_key.user = key.s;
            from_key.user_len = key.len;
            who = &from_key;
        }
        engine_forward(intent, event, who, now_ms, did);
    }

    return (int) did;
}

int
intent_forget(struct intent *intent, const char *key, size_t len,
              int64_t now_ms, bool *forwarded)
{
    struct intent_who who = { key, len, NULL, 0 };
    const unsigned wait_us = 100000;
    struct shard *shard;
    shard_entry *entry;
    uint64_t hashed[2];
    int i, erased = 0;

    if (len == 0 || len > INTENT_MAX_KEY) {
        return len == 0 ? -EINVAL : -E2BIG;
    }
    if (intent->zone.broken) {
        return -EIO;
    }

    for (i = 0; i < intent->config->n_tables; i++) {
        engine_key(intent, i, key, len, hashed);
        shard = shard_of(&intent->zone, hashed);
        if (!shard_lock(&intent->zone, shard, wait_us)) {
            return -EBUSY;
        }
        if (shard_find(&intent->zone, shard, hashed, &entry) != NULL) {
            shard_erase(&intent->zone, shard, entry);
            erased++;
        }
        shard_unlock(shard);
    }

    intent_count(intent, INTENT_C_FORGOTTEN, (uint64_t) erased);
    *forwarded = engine_forward(intent, NULL, &who, now_ms, 0);

    return erased;
}
