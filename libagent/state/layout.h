/* SPDX-License-Identifier: Apache-2.0
 *
 * The zone: one file, mapped by every process. This is its format.
 *
 *     0          header            one page
 *                lane slots        lanes
 *                account           one
 *                rings             lanes * lane_size
 *                popularity        categories
 *                shards            shards * shard_size
 *
 * Rules:
 * - Native byte order and sizes: the file lives in memory and never moves to
 *   another machine. Offsets, never pointers. Whatever is read from here is
 *   bounds-checked before use: it outlives the code that wrote it.
 * - A process may be killed between any two stores. Each structure names the
 *   one store that commits a change; what was written before it is invisible
 *   until then. The kernel keeps all stores of a killed process, in program
 *   order as seen by others who synchronise by the lock, so commits need
 *   compiler order here and fences only towards lock-free readers.
 * - Changing any of these structs changes ZONE_VERSION.
 */
#ifndef INTENT_STATE_LAYOUT_H
#define INTENT_STATE_LAYOUT_H

#include <stdint.h>

enum {
    ZONE_VERSION = 1,
    ZONE_PAGE = 4096,
    ZONE_MAX_TABLES = 64,
    ZONE_MAX_DATASETS = 16,
    ZONE_MAX_LANES = 256,
    LANE_COUNTERS = 64,
    SHARD_MAX_SIZE = 4 << 20,
    SHARD_MAX_PAGES = SHARD_MAX_SIZE / ZONE_PAGE,
    SHARD_CLASSES = 32,
    SHARD_WAYS = 8                 /* entries of a bucket: one cache line */
};

/* "intent" and two bytes that a text tool would damage. */
#define ZONE_MAGIC 0x1a0a746e65746e69ull

struct owner_word {
    uint64_t word;                 /* lock.h: pid and start time; 0: free */
};

/* The watermark of one dataset, alone on its cache line: written by every
 * worker, once per millisecond at most. */
struct zone_dataset {
    uint64_t name_hash;            /* 0: free slot */
    int64_t watermark_ms;          /* INT64_MIN: no event yet */
    uint64_t reserved[6];
};

struct zone_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_size;
    uint64_t size;                 /* of the file */
    uint64_t boot;                 /* random; names this zone in `boot` */
    int64_t created_ms;
    uint64_t hash_key[2];          /* keys are stored hashed under this */
    uint64_t stream_key[2];        /* partition keys are hashed under this */
    uint64_t stamp_ms;             /* unit of the index's activity stamps */
    uint64_t shard_size;
    uint32_t n_lanes;
    uint32_t n_shards;
    uint64_t lane_size;
    uint64_t slots_at;             /* byte offsets of the sections */
    uint64_t rings_at;
    uint64_t popularity_at;
    uint64_t popularity_size;
    uint64_t shards_at;
    uint64_t account_at;
    uint64_t ready;                /* ZONE_MAGIC once all else is written */
    struct owner_word service;     /* the nginx master */
    struct owner_word forwarder;   /* intentd */
    uint64_t forwarder_beat_ms;    /* intentd's last turn of its loop */
    struct owner_word registry;    /* lock of the two tables below */
    uint64_t tables[ZONE_MAX_TABLES];        /* identities; 0: free */
    struct zone_dataset datasets[ZONE_MAX_DATASETS]
        __attribute__((aligned(64)));
};

_Static_assert(sizeof(struct zone_header) <= ZONE_PAGE,
               "the header is one page");

/* A lane's producer side. The ring holds whole records, see lane.h. */
struct lane_slot {
    struct owner_word owner;
    uint64_t head;                 /* bytes ever published */
    uint64_t published;            /* records ever published */
    uint64_t dropped;              /* events without room, ever */
    uint64_t refused;              /* events too large for any record, ever */
    uint64_t last;                 /* where the newest record begins */
    uint64_t reserved[2];
    uint64_t counters[LANE_COUNTERS];
};

/* Why an event was dropped. DROP_LANE_* are counted by the lane slots. */
enum drop_reason {
    DROP_LANE_FULL,
    DROP_NO_LANE,
    DROP_SPOOL_FULL,               /* oldest segment gave way */
    DROP_REFUSED,                  /* Kinesis refuses this very record */
    DROP_DAMAGED,                  /* unreadable in the spool */
    DROP_COUNT
};

/* What became of events after the lanes. Written by intentd alone, in two
 * copies: it fills the idle one and commits by storing `current`, so that at
 * every instant, over its death too, the sums of one copy balance. */
struct account_copy {
    uint64_t delivered;
    uint64_t spooled;              /* now in the spool */
    uint64_t dropped[DROP_COUNT];
    uint64_t inherited;            /* found in the spool by a new zone */
    uint64_t duplicates;           /* sent again after an unknown outcome */
    uint64_t requests;             /* calls to Kinesis */
    uint64_t failures;             /* of them failed as a whole */
    uint64_t throttled;            /* entries that came back to be retried */
    int64_t last_success_ms;
    uint64_t spool_id;             /* the spool that the next two count in;
                                      0: none yet */
    uint64_t spool_read;           /* index of its next record to deliver */
    uint64_t spool_end;            /* index after its last one; what lies
                                      beyond was never committed */
    struct {
        uint64_t tail;             /* bytes consumed of the ring */
        uint64_t taken;            /* records consumed */
    } lane[ZONE_MAX_LANES];
};

struct account {
    uint64_t current;              /* copy[current & 1] is in force */
    uint64_t no_lane;              /* captured by processes without a lane */
    uint64_t reserved[6];
    struct account_copy copy[2] __attribute__((aligned(64)));
};

/* One entry of a shard's index: 0 is empty. Written by one store.
 *     bits 0..31   reference of the record's slot (heap.h)
 *     bits 32..46  time of the last event in stamp_ms, modulo 2^15
 *     bit  47      established: seen more than once
 *     bits 48..63  fingerprint */
typedef uint64_t shard_entry;

/* One page of a shard's heap. */
struct shard_page {
    uint64_t used;                 /* bit per slot */
    uint8_t class;                 /* 0: free page; see heap.h */
    uint8_t run;                   /* at a large slot's first page: pages */
    uint8_t reserved[6];
};

struct shard {
    struct owner_word lock;
    uint32_t n_buckets;
    uint32_t n_pages;              /* of the shard, its own first ones too */
    uint32_t first_page;           /* where the heap begins */
    uint32_t free_hint;            /* where to look for a free page */
    uint64_t records;
    uint64_t sweep;                /* next bucket to look at for the quiet */
    uint64_t free_pages;           /* the three below are hints: right after
                                      heap_mark_end(), about right always */
    uint64_t reserved;
    uint32_t hint[SHARD_CLASSES];            /* a page that had room */
    uint32_t free_slots[SHARD_CLASSES];
    struct shard_page pages[SHARD_MAX_PAGES];
    /* then the buckets, then, page-aligned, the heap */
};

/* Head of a record: the part that the state room knows. */
struct record {
    uint64_t key[2];
    uint32_t next;                 /* oldest overflow chunk, a reference;
                                      only a largest slot has any */
    uint8_t table;                 /* index into zone_header.tables */
    uint8_t flags;                 /* the signal room's */
    uint16_t n_tiles;              /* the signal room's */
};

/* Head of an overflow chunk. */
struct chunk {
    uint32_t next;                 /* the next newer one, 0: none */
    uint32_t tail;                 /* in the oldest: where to look for the
                                      newest; may lag behind a crash */
};

#endif
