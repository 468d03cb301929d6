/* SPDX-License-Identifier: Apache-2.0
 *
 * Status for people and machines: one collection, two renderings.
 */
#include "engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/jsonw.h"
#include "state/account.h"
#include "state/lock.h"

enum { TEXT_SIZE = 64 << 10 };

static const char *const drop_names[DROP_COUNT] = {
    "lane_full", "no_lane", "spool_full", "refused", "damaged"
};

struct picture {
    const struct zone_header *header;
    struct account_totals account;
    uint64_t counters[INTENT_C_COUNT];
    uint64_t records, index_entries;
    uint64_t heap_pages, free_pages;
    uint32_t lanes_used;
    bool forwarder;
    int64_t forwarder_age_ms;      /* of its last sign of life; -1: none */
};

static const char *const counter_names[INTENT_C_COUNT] = {
#define COUNTER_NAME(id, name, help) #name,
    INTENT_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
};

static const char *const counter_help[INTENT_C_COUNT] = {
#define COUNTER_HELP(id, name, help) help,
    INTENT_COUNTERS(COUNTER_HELP)
#undef COUNTER_HELP
};

_Static_assert((int) INTENT_C_COUNT <= (int) LANE_COUNTERS,
               "a lane holds every counter");

/* Shards are read without their locks: these are gauges. */
static void
collect(struct intent *intent, int64_t now_ms, struct picture *p)
{
    const struct zone *zone = &intent->zone;
    const struct zone_header *h = zone->header;
    const struct lane_slot *slot;
    const struct shard *shard;
    uint64_t owner;
    uint32_t i;
    int c;

    memset(p, 0, sizeof(*p));
    p->header = h;
    account_read(zone, &p->account);

    for (c = 0; c < INTENT_C_COUNT; c++) {
        p->counters[c] = intent->counters[c];
    }
    for (i = 0; i < h->n_lanes; i++) {
        slot = zone_lane(zone, i);
        owner = atomic_load(&slot->owner.word);
        p->lanes_used += owner != 0 && owner_alive(owner);
        for (c = 0; c < INTENT_C_COUNT; c++) {
            p->counters[c] += atomic_load(&slot->counters[c]);
        }
    }

    for (i = 0; i < h->n_shards; i++) {
        shard = zone_shard(zone, i);
        p->records += atomic_load(&shard->records);
        p->index_entries += (uint64_t) shard->n_buckets * SHARD_WAYS;
        p->heap_pages += shard->n_pages - shard->first_page;
        p->free_pages += atomic_load(&shard->free_pages);
    }

    owner = atomic_load(&h->forwarder.word);
    p->forwarder = owner != 0 && owner_alive(owner);
    p->forwarder_age_ms = h->forwarder_beat_ms == 0 ? -1
                          : now_ms - (int64_t) h->forwarder_beat_ms;
}

static void
put_uint(struct jsonw *w, const char *name, uint64_t n)
{
    jsonw_name(w, name);
    jsonw_uint(w, n);
}

static void
put_int(struct jsonw *w, const char *name, int64_t n)
{
    jsonw_name(w, name);
    jsonw_int(w, n);
}

static void
put_text(struct jsonw *w, const char *name, const char *text)
{
    jsonw_name(w, name);
    jsonw_string(w, text, strlen(text));
}

static void
put_zone(struct jsonw *w, const struct intent *intent,
         const struct picture *p, int64_t now_ms)
{
    char boot[17];

    jsonw_name(w, "zone");
    jsonw_open(w, '{');
    put_text(w, "path", intent->config->zone_path);
    put_uint(w, "size", p->header->size);
    put_uint(w, "layout", p->header->version);
    snprintf(boot, sizeof(boot), "%016" PRIx64, p->header->boot);
    put_text(w, "boot", boot);
    put_int(w, "created", p->header->created_ms);
    put_int(w, "uptime_ms", now_ms - p->header->created_ms);
    put_uint(w, "shards", p->header->n_shards);
    put_uint(w, "records", p->records);
    put_uint(w, "index_entries", p->index_entries);
    put_uint(w, "heap_bytes", p->heap_pages * ZONE_PAGE);
    put_uint(w, "heap_free_bytes", p->free_pages * ZONE_PAGE);
    put_uint(w, "lanes", p->header->n_lanes);
    put_uint(w, "lanes_used", p->lanes_used);
    put_uint(w, "lane_size", p->header->lane_size);
    jsonw_close(w, '}');
}

static void
put_datasets(struct jsonw *w, const struct intent *intent)
{
    int64_t mark;
    int i;

    jsonw_name(w, "datasets");
    jsonw_open(w, '{');
    for (i = 0; i < intent->config->n_datasets; i++) {
        mark = zone_watermark(&intent->zone, intent->datasets[i]);
        jsonw_name(w, intent->config->datasets[i].name);
        jsonw_open(w, '{');
        jsonw_name(w, "watermark");
        if (mark == INT64_MIN) {
            jsonw_null(w);
        } else {
            jsonw_int(w, mark);
        }
        jsonw_close(w, '}');
    }
    jsonw_close(w, '}');
}

static void
put_account(struct jsonw *w, const struct picture *p)
{
    const struct account_totals *a = &p->account;
    int i;

    jsonw_name(w, "delivery");
    jsonw_open(w, '{');
    put_uint(w, "captured", a->captured);
    put_uint(w, "delivered", a->delivered);
    put_uint(w, "queued", a->queued);
    put_uint(w, "spooled", a->spooled);
    jsonw_name(w, "dropped");
    jsonw_open(w, '{');
    for (i = 0; i < DROP_COUNT; i++) {
        put_uint(w, drop_names[i], a->dropped[i]);
    }
    jsonw_close(w, '}');
    put_uint(w, "inherited", a->rest.inherited);
    put_uint(w, "duplicates", a->rest.duplicates);
    put_uint(w, "requests", a->rest.requests);
    put_uint(w, "failures", a->rest.failures);
    put_uint(w, "throttled", a->rest.throttled);
    put_int(w, "last_success", a->rest.last_success_ms);
    jsonw_name(w, "forwarder_alive");
    jsonw_bool(w, p->forwarder);
    put_int(w, "forwarder_age_ms", p->forwarder_age_ms);
    jsonw_close(w, '}');
}

int
intent_status_json(struct intent *intent, int64_t now_ms, char **out,
                   size_t *len)
{
    struct picture p;
    struct jsonw w;
    char *text;
    int i;

    if (intent->zone.broken) {
        return -EIO;
    }

    text = malloc(TEXT_SIZE);
    if (text == NULL) {
        return -ENOMEM;
    }
    collect(intent, now_ms, &p);

    jsonw_init(&w, text, TEXT_SIZE - 1);
    jsonw_open(&w, '{');
    put_text(&w, "version", INTENT_VERSION);
    put_int(&w, "time", now_ms);
    put_zone(&w, intent, &p, now_ms);
    put_datasets(&w, intent);
    put_account(&w, &p);
    jsonw_name(&w, "counters");
    jsonw_open(&w, '{');
    for (i = 0; i < INTENT_C_COUNT; i++) {
        put_uint(&w, counter_names[i], p.counters[i]);
    }
    jsonw_close(&w, '}');
    jsonw_close(&w, '}');

    if (w.full) {
        free(text);
        return -ENOSPC;
    }
    text[w.len] = '\0';
    *out = text;
    *len = w.len;

    return 0;
}

/* Prometheus text, format 0.0.4. */
struct metrics {
    char *text;
    size_t len;
    bool full;
};

__attribute__((format(printf, 2, 3)))
static void
put(struct metrics *m, const char *format, ...)
{
    size_t room = TEXT_SIZE - m->len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(m->text + m->len, room, format, args);
    va_end(args);

    if (n < 0 || (size_t) n >= room) {
        m->full = true;
        return;
    }
    m->len += (size_t) n;
}

static void
put_metric(struct metrics *m, const char *name, const char *type,
           const char *help, uint64_t value)
{
    put(m, "# HELP intent_%s %s\n# TYPE intent_%s %s\nintent_%s %" PRIu64 "\n",
        name, help, name, type, name, value);
}

static void
put_delivery_metrics(struct metrics *m, const struct picture *p)
{
    const struct account_totals *a = &p->account;
    int i;

    put_metric(m, "delivery_captured_total", "counter",
               "events that were to be delivered", a->captured);
    put_metric(m, "delivery_delivered_total", "counter",
               "events that Kinesis confirmed", a->delivered);
    put_metric(m, "delivery_queued", "gauge", "events in lanes", a->queued);
    put_metric(m, "delivery_spooled", "gauge", "events in the spool on disk",
               a->spooled);

    put(m, "# HELP intent_delivery_dropped_total events lost, by reason\n"
           "# TYPE intent_delivery_dropped_total counter\n");
    for (i = 0; i < DROP_COUNT; i++) {
        put(m, "intent_delivery_dropped_total{reason=\"%s\"} %" PRIu64 "\n",
            drop_names[i], a->dropped[i]);
    }

    put_metric(m, "delivery_inherited_total", "counter",
               "events found in the spool when the zone was new",
               a->rest.inherited);
    put_metric(m, "delivery_duplicates_total", "counter",
               "events sent again after an unknown outcome",
               a->rest.duplicates);
    put_metric(m, "delivery_requests_total", "counter", "calls to Kinesis",
               a->rest.requests);
    put_metric(m, "delivery_failures_total", "counter",
               "calls to Kinesis that failed as a whole", a->rest.failures);
    put_metric(m, "delivery_throttled_total", "counter",
               "entries that Kinesis sent back to be tried again",
               a->rest.throttled);
    put_metric(m, "forwarder_up", "gauge", "whether intentd is running",
               p->forwarder);
}

int
intent_metrics(struct intent *intent, int64_t now_ms, char **out, size_t *len)
{
    struct metrics m = { NULL, 0, false };
    struct picture p;
    char name[64];
    int i;

    if (intent->zone.broken) {
        return -EIO;
    }

    m.text = malloc(TEXT_SIZE);
    if (m.text == NULL) {
        return -ENOMEM;
    }
    collect(intent, now_ms, &p);

    put(&m, "# HELP intent_build_info version of the library\n"
            "# TYPE intent_build_info gauge\n"
            "intent_build_info{version=\"%s\",layout=\"%" PRIu32 "\"} 1\n",
        INTENT_VERSION, p.header->version);
    put_metric(&m, "zone_size_bytes", "gauge", "size of the zone file",
               p.header->size);
    put_metric(&m, "zone_heap_bytes", "gauge", "room for records",
               p.heap_pages * ZONE_PAGE);
    put_metric(&m, "zone_heap_free_bytes", "gauge",
               "room for records in pages that hold none",
               p.free_pages * ZONE_PAGE);
    put_metric(&m, "zone_records", "gauge", "records of keys", p.records);
    put_metric(&m, "zone_index_entries", "gauge", "records that the index "
               "can hold", p.index_entries);
    put_metric(&m, "zone_lanes", "gauge", "lanes", p.header->n_lanes);
    put_metric(&m, "zone_lanes_used", "gauge", "lanes of living processes",
               p.lanes_used);
    put_delivery_metrics(&m, &p);

    for (i = 0; i < INTENT_C_COUNT; i++) {
        snprintf(name, sizeof(name), "%s_total", counter_names[i]);
        put_metric(&m, name, "counter", counter_help[i], p.counters[i]);
    }

    if (m.full) {
        free(m.text);
        return -ENOSPC;
    }
    *out = m.text;
    *len = m.len;

    return 0;
}

void
intent_text_free(char *text)
{
    free(text);
}
