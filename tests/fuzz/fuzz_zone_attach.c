/* SPDX-License-Identifier: Apache-2.0
 *
 * A zone whose bytes are not what was written: before it is attached to, and
 * under the hands of those who use it. It is refused, or everything that is
 * done with it stays inside the mapping and comes to an end.
 *
 * Input: how many pieces of damage come first, these, then what is done and
 * damaged in turn. The zone itself is the same for each input and holds records
 * of every kind, so that short inputs reach deep.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../libagent/decide/popularity.h"
#include "../../libagent/signal/reading.h"
#include "../../libagent/signal/window.h"
#include "../../libagent/state/account.h"
#include "../../libagent/state/lane.h"
#include "../../libagent/state/lock.h"

enum { TABLE = 2, ITEMS = 12, USERS = 6, MAX_STEPS = 200, GUARD = 1 << 20 };

static const int64_t start_ms = 1772000000000;

static const struct model_popularity popular = {
    .enabled = true, .half_life_ms = 3600000, .keep = 8, .categories = 4
};

static struct model_table tables[2];
static struct plan_step step;
static struct plan_item items[ITEMS];
static struct zone_params params;
static uint64_t counters[LANE_COUNTERS];
static void *scratch, *memory;
static char *image;                /* a good zone, as a file */
static int fd;
static char path[64];
static int64_t now_ms = 1772000000000;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
make_tables(void)
{
    struct model_table *t = &tables[0];
    int i;

    t->max_events = 24;
    t->lateness_ms = 60000;
    t->n_windows = 2;
    t->windows[0] = 600000;
    t->windows[1] = 86400000;
    t->retention_ms = t->windows[1];
    t->n_columns = 2;
    t->columns[1].string = true;
    t->n_wheres = 2;
    tables[1] = tables[0];
    tables[1].exact = true;

    step.n_windows = 2;
    memcpy(step.windows, t->windows, sizeof(step.windows));
    step.items = items;
    for (i = 0; i < ITEMS; i++) {
        items[i] = (struct plan_item) {
            .feature = i, .window = i % 2, .where = i % 3, .k = 6,
            .op = (enum model_op) (MODEL_COUNT + i % 7),
            .column = i % 7 == 0 ? -1 : i % 7 >= 5 ? 1 : 0
        };
    }
    step.n_items = ITEMS;
    step.columns = 3;
    step.wheres = 3;
}

static void
key_of(unsigned user, uint64_t key[static 2])
{
    key[0] = (user + 1) * 0x9e3779b97f4a7c15ull;
    key[1] = (user + 1) * 0xbf58476d1ce4e5b9ull;
}

static const struct model_table *
table_of(unsigned user)
{
    return &tables[user % 3 == 2];
}

static int
apply(struct zone *zone, unsigned user, int64_t time_ms, unsigned seed)
{
    struct window w = { zone, table_of(user), (uint8_t) (TABLE + user % 3 / 2),
                        scratch };
    struct history_event event = { .time_ms = time_ms, .wheres = seed };
    static char text[64];
    uint64_t key[2];

    memset(text, (int) ('a' + seed % 26), sizeof(text));
    event.columns[0] = (struct history_value) {
        .present = seed % 5 != 0, .number = seed % 7 == 0 ? 1e15 / 3 : seed
    };
    event.columns[1] = (struct history_value) {
        .present = seed % 3 != 0, .len = seed % 60, .string = text
    };
    key_of(user, key);

    return window_apply(&w, key, &event,
                        zone_watermark_raise(zone, 0, time_ms), 0);
}

static void
read_user(struct zone *zone, unsigned user, int64_t t)
{
    static struct intent_answer answer;
    uint64_t key[2];

    key_of(user, key);
    answer.scratch_used = 0;
    reading_run(zone, table_of(user), (uint8_t) (TABLE + user % 3 / 2), &step,
                key, t, 0, memory, &answer);
}

static int
look(void *arg, struct shard *shard, shard_entry *entry, struct record *record)
{
    uint64_t *sum = arg;

    (void) shard;
    (void) entry;
    *sum += record->key[0];

    return 0;
}

static void
lanes(struct zone *zone, unsigned seed)
{
    const struct lane_record *record;
    struct account_totals totals;
    struct account_copy *account;
    uint64_t seq, pos, next, sum = 0;
    const char *bytes;
    uint32_t i;
    int lane, n;
    char *room;

    lane = lane_claim(zone, zone->self);
    if (lane >= 0) {
        for (n = 0; n < 4; n++) {
            room = lane_reserve(zone, (uint32_t) lane, 3000, &seq);
            if (room != NULL) {
                memset(room, (int) seed, seed % 3000);
                lane_commit(zone, (uint32_t) lane, room, seed % 3000, seq);
            }
        }
        lane_release(zone, (uint32_t) lane);
    }
    for (lane = 0; lane < (int) zone->layout.n_lanes; lane++) {
        lane_reap(zone, (uint32_t) lane, zone->self);
        pos = account_edit(zone)->lane[lane].tail;
        for (n = 0; n < 2000; n++) {
            if (lane_read(zone, (uint32_t) lane, pos, &record, &bytes, &next)
                != 1)
            {
                break;
            }
            for (i = 0; i < record->len; i++) {
                sum += (unsigned char) bytes[i];
            }
            pos = next;
        }
        account = account_edit(zone);
        account->lane[lane].tail = next;
        account_commit(zone);
    }
    account_read(zone, &totals);
    seed += (unsigned) (sum + totals.captured);
}

static void
popularity(struct zone *zone, unsigned seed)
{
    struct intent_item out[4];
    struct popularity p;
    uint64_t size;
    void *section = zone_popularity(zone, &size);
    char item[8] = "item-", category[4] = "c-";

    item[5] = (char) ('a' + seed % 26);
    category[2] = (char) ('0' + seed % 6);
    if (popularity_attach(&p, section, size, &popular, seed % 16 == 0,
                          zone->self) == 0)
    {
        popularity_add(&p, zone->self, category, 3, item, 6, now_ms, 1.0, 0);
        popularity_pick(&p, zone->self, category, 3, now_ms, 0, 4, out);
    }
}

/* One thing that a process does with a zone. */
static void
act(struct zone *zone, unsigned what, unsigned seed)
{
    unsigned user = seed % USERS;
    struct shard *shard;
    uint64_t key[2], sum = 0;
    shard_entry *entry;
    uint32_t i;

    switch (what % 10) {

    case 0:
    case 1:
        now_ms += seed % 100;
        apply(zone, user, now_ms - seed % 4 * 10000, seed);
        break;

    case 2:
        now_ms += (int64_t) seed * 1000;
        apply(zone, seed, now_ms, seed);
        break;

    case 3:
        read_user(zone, user, now_ms);
        read_user(zone, user, seed % 2 ? INT64_MIN : INT64_MAX);
        break;

    case 4:
        for (i = 0; i < 12; i++) {
            apply(zone, user, now_ms + i, seed + i);
        }
        read_user(zone, user, now_ms - seed);
        break;

    case 5:
        shard = zone_shard(zone, 0);
        if (shard_lock(zone, shard, 0)) {
            shard_sweep(zone, shard, 4, zone_now(zone));
            shard_each(zone, shard, look, &sum);
            shard_unlock(shard);
        }
        break;

    case 6:
        /* As if the owner had died. */
        key_of(user, key);
        shard = shard_of(zone, key);
        shard->lock.word = 1ull << 62;
        read_user(zone, user, now_ms);
        break;

    case 7:
        lanes(zone, seed);
        break;

    case 8:
        key_of(user, key);
        shard = shard_of(zone, key);
        if (shard_lock(zone, shard, 0)) {
            if (shard_find(zone, shard, key, &entry) != NULL) {
                shard_erase(zone, shard, entry);
            }
            shard_unlock(shard);
        }
        break;

    default:
        popularity(zone, seed);
        zone_table(zone, seed + 1);
        zone_dataset(zone, seed + 1);
        break;
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct intent_error err;
    struct zone zone;
    unsigned i;

    (void) argc;
    (void) argv;
    make_tables();
    scratch = aligned_alloc(64, WINDOW_SCRATCH);
    memory = malloc(reading_size(&tables[0], &step));
    params = (struct zone_params) { .lanes = 2, .lane_size = 128 << 10,
                                    .horizon_ms = 86400000 + 60000,
                                    .popularity_size = 40000 };
    params.size = zone_min_size(&params);

    fd = memfd_create("zone", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/tmp/fuzz-zone-%d", (int) getpid());
    for (i = 0; i < 2; i++) {
        unlink(path);
        if (zone_open(&zone, path, &params, true, start_ms, &err) != 0) {
            fprintf(stderr, "%s\n", err.text);
            abort();
        }
        if (i == 0) {
            /* The last shard is to end where the mapping does. */
            params.size = zone.layout.shards_at
                          + zone.layout.n_shards * zone.layout.shard_size;
            zone_close(&zone);
        }
    }
    zone.self = owner_self();
    zone.counters = counters;
    zone_dataset(&zone, 1);
    memset(zone.header->hash_key, 1, sizeof(zone.header->hash_key));
    memset(zone.header->stream_key, 1, sizeof(zone.header->stream_key));
    zone.header->boot = 1;

    /* Records of every kind: a few events, tiles, chunks. */
    for (i = 0; i < 4000; i++) {
        now_ms += 997;
        apply(&zone, i % USERS, now_ms, i * 2654435761u >> 8);
    }
    for (i = 0; i < 40; i++) {
        apply(&zone, 100 + i, now_ms, i);
        lanes(&zone, i * 37);
        popularity(&zone, i);
    }

    image = malloc(params.size);
    memcpy(image, zone.header, params.size);
    zone_close(&zone);
    unlink(path);
    if (ftruncate(fd, (off_t) params.size) != 0) {
        abort();
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

    return 0;
}

struct input {
    const uint8_t *p, *end;
};

static uint32_t
take(struct input *in, int bytes)
{
    uint32_t v = 0;

    while (bytes-- > 0 && in->p < in->end) {
        v = v << 8 | *in->p++;
    }

    return v;
}

/* Where damage hurts most: headers, the index, the page table, the records
 * themselves; or anywhere. */
static uint64_t
place(uint32_t where, uint32_t at)
{
    const struct zone_header *h = (const struct zone_header *) image;
    uint64_t shard = h->shards_at, index, heap;
    const struct shard *s = (const struct shard *) (image + shard);

    index = shard + sizeof(*s);
    heap = shard + (uint64_t) s->first_page * ZONE_PAGE;

    switch (where % 8) {

    case 0:
        return at % sizeof(*h);

    case 1:
        return h->slots_at + at % (h->n_lanes * sizeof(struct lane_slot));

    case 2:
        return h->account_at + at % sizeof(struct account);

    case 3:
        return h->popularity_at + at % h->popularity_size;

    case 4:
        return shard + at % 512;

    case 5:
        return index + at % ((uint64_t) s->n_buckets * 64);

    case 6:
        /* The first pages of the heap, where the records are. */
        return heap + at % (40 * ZONE_PAGE);

    default:
        return at & 1 ? at % params.size
                      : h->rings_at + at / 2 % (h->n_lanes * h->lane_size);
    }
}

static void
damage(char *to, struct input *in)
{
    uint32_t where = take(in, 1), at = take(in, 3), how = take(in, 1);
    uint32_t value = take(in, 4);
    uint64_t offset, wide = value;
    size_t len = 1u << (how & 3);

    offset = place(where, at);
    if (how & 4) {
        wide = (uint64_t) (int64_t) (int32_t) value;
    }
    if (how & 8) {
        wide = value | wide << 32;
    }
    if (how & 16) {
        offset &= ~(uint64_t) (len - 1);
    }
    if (offset + len > params.size) {
        return;
    }
    if (how & 32) {
        to[offset] ^= (char) (1u << (value & 7));
    } else {
        memcpy(to + offset, &wide, len);
    }
}

/* --- damage that is aimed at a record ----------------------------------- */

static uint64_t
value(struct input *in)
{
    static const uint64_t values[] = {
        0, 1, 2, 7, 255, 4095, HEAP_MAX_SLOT, HEAP_MAX_SLOT - 40, 65535,
        0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, 1ull << 40,
        1ull << 52, 1ull << 62, INT64_MAX, 1ull << 63, UINT64_MAX - 1,
        UINT64_MAX
    };
    uint32_t which = take(in, 1);

    return which < sizeof(values) / sizeof(*values) ? values[which]
           : which < 128 ? take(in, 4)
           : which < 160 ? (uint64_t) now_ms + take(in, 2) : which - 160;
}

/* The reference of one of the segments of a user's history; 0: none. */
static uint32_t
segment_of(struct zone *zone, unsigned user, unsigned nth)
{
    const struct record *record;
    const struct chunk *chunk;
    struct shard *shard;
    shard_entry *entry;
    uint64_t key[2];
    uint32_t ref, next, size;

    key_of(user % USERS, key);
    shard = shard_of(zone, key);
    record = shard_find(zone, shard, key, &entry);
    if (record == NULL) {
        return 0;
    }
    ref = shard_offset(*entry);
    next = heap_slot_size(shard, ref) == HEAP_MAX_SLOT ? record->next : 0;
    while (nth-- > 0 && (chunk = shard_chunk(shard, next, &size)) != NULL) {
        ref = next;
        next = chunk->next;
    }

    return ref;
}

static void
damage_history(struct history *history, unsigned what, uint64_t v,
               uint32_t other)
{
    switch (what) {

    case 0:
        history->record.next = other;
        break;

    case 1:
        history->record.flags = (uint8_t) v;
        break;

    case 2:
        history->record.n_tiles = (uint16_t) v;
        break;

    case 3:
        history->base_ms = (int64_t) v;
        break;

    case 4:
        history->used = (history->used & ~0xffffffffull) | (uint32_t) v;
        break;

    default:
        history->used = (history->used & 0xffffffff) | v << 32;
        break;
    }
}

static void
aim(struct zone *zone, struct input *in)
{
    unsigned user = take(in, 1), what = take(in, 1);
    struct shard *shard;
    struct history_chunk *chunk;
    struct history *history;
    struct shard_page *page;
    shard_entry *entry;
    uint64_t key[2], v;
    uint32_t ref, other, at;
    char *slot;

    key_of(user % USERS, key);
    shard = shard_of(zone, key);
    ref = segment_of(zone, user, what >> 4 & 3);
    if (ref == 0 || shard_find(zone, shard, key, &entry) == NULL) {
        return;
    }
    v = value(in);
    other = v < 32 ? segment_of(zone, user + (unsigned) v / 4,
                                (unsigned) v % 4) : (uint32_t) v;
    slot = heap_at(shard, ref);
    chunk = (struct history_chunk *) (void *) slot;
    history = heap_at(shard, shard_offset(*entry));
    page = &shard->pages[heap_page(ref)];
    at = take(in, 2) % heap_slot_size(shard, ref) & ~7u;

    switch (what % 16) {

    case 0 ... 5:
        damage_history(history, what % 16, v, other);
        break;

    case 6:
        chunk->chunk.next = other;
        break;

    case 7:
        chunk->chunk.tail = other;
        break;

    case 8:
        chunk->used = v;
        break;

    case 9:
        chunk->n_tiles = (uint32_t) v;
        break;

    case 10:
        *entry ^= 1ull << v % 64;
        break;

    case 11:
        page->used = v;
        break;

    case 12:
        page->class = (uint8_t) v;
        break;

    case 13:
        memcpy(slot + at, &v, 4);
        break;

    default:
        /* Most of these are times, counts and references of tiles. */
        memcpy(slot + at % 512, &v, 8);
        break;
    }
}

/* Locks of whoever lives are not damage but somebody's. */
static void
unlock_all(struct zone *zone)
{
    struct popularity_head *popular_head;
    uint64_t size;
    uint32_t i;

    for (i = 0; i < zone->layout.n_shards; i++) {
        zone_shard(zone, i)->lock.word = 0;
    }
    zone->header->registry.word = 0;

    popular_head = zone_popularity(zone, &size);
    for (i = 0; i < POPULARITY_STRIPES; i++) {
        popular_head->stripes[i].lock.word = 0;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };
    uint32_t before = take(&in, 1) % 16, n, cut;
    struct intent_error err;
    struct zone zone;
    char *file, *guard;

    if (pwrite(fd, image, params.size, 0) != (ssize_t) params.size) {
        abort();
    }
    file = mmap(NULL, params.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    /* The next mapping, the zone's, ends where this one begins. */
    guard = mmap(NULL, GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (file == MAP_FAILED || guard == MAP_FAILED) {
        abort();
    }
    now_ms = start_ms + 4000 * 997;

    /* Damage that is there when the zone is attached to. */
    for (n = 0; n < before; n++) {
        damage(file, &in);
    }
    if (before == 15) {
        /* Nothing but the input. */
        cut = (uint32_t) (in.end - in.p);
        memset(file, 0, ZONE_PAGE);
        memcpy(file, in.p, cut < ZONE_PAGE ? cut : ZONE_PAGE);
    }

    if (zone_open(&zone, path, &params, false, 0, &err) == 0) {
        zone.self = owner_self();
        zone.counters = counters;
        unlock_all(&zone);

        /* And damage that comes while it is used. */
        for (n = 0; n < MAX_STEPS && in.p + 1 < in.end; n++) {
            cut = take(&in, 1);
            if (cut >= 0xe0) {
                damage(file, &in);
                unlock_all(&zone);
            } else if (cut >= 0x80) {
                cut = *in.p;
                aim(&zone, &in);
                act(&zone, in.p < in.end ? *in.p % 5 : 0, cut % USERS);
            } else {
                act(&zone, cut, take(&in, 2));
            }
        }
        for (n = 0; n < USERS; n++) {
            apply(&zone, n, now_ms, n);
            read_user(&zone, n, now_ms);
        }
        lanes(&zone, 5);
        popularity(&zone, 16);
        for (n = 0; n < zone.layout.n_shards; n++) {
            shard_repair(&zone, zone_shard(&zone, n));
        }
        for (n = 0; n < USERS; n++) {
            read_user(&zone, n, now_ms);
        }
        zone_close(&zone);
    }
    munmap(file, params.size);
    munmap(guard, GUARD);

    return 0;
}
