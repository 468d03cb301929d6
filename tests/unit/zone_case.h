/* SPDX-License-Identifier: Apache-2.0
 *
 * Zones for tests: in a folder of their own that goes with the test.
 */
#ifndef INTENT_ZONE_CASE_H
#define INTENT_ZONE_CASE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../libagent/state/lock.h"
#include "../../libagent/state/shard.h"
#include "../../libagent/state/zone.h"
#include "tap.h"

static char case_folder[128];
static uint64_t case_counters[LANE_COUNTERS];

__attribute__((unused))
static void
case_folder_remove(void)
{
    char path[512];
    struct dirent *entry;
    DIR *dir = opendir(case_folder);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", case_folder, entry->d_name);
            unlink(path);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    rmdir(case_folder);
}

/* A path in the test's folder, in memory where the system allows it. Static:
 * good until the next call. */
__attribute__((unused))
static const char *
case_path(const char *name)
{
    static _Thread_local char path[256];

    if (case_folder[0] == '\0') {
        strcpy(case_folder, "/dev/shm/intent-test-XXXXXX");
        if (mkdtemp(case_folder) == NULL) {
            strcpy(case_folder, "/tmp/intent-test-XXXXXX");
            if (mkdtemp(case_folder) == NULL) {
                perror("mkdtemp");
                exit(2);
            }
        }
    }
    snprintf(path, sizeof(path), "%s/%s", case_folder, name);

    return path;
}

/* xorshift64*: the same numbers in every run. */
__attribute__((unused))
static uint64_t
case_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;

    return *state * 0x2545f4914f6cdd1dull;
}

__attribute__((unused))
static uint64_t
case_below(uint64_t *state, uint64_t n)
{
    return (case_random(state) >> 11) % n;
}

__attribute__((unused))
static struct zone_params
case_params(uint64_t size, uint32_t lanes)
{
    return (struct zone_params) {
        .size = size, .lanes = lanes, .horizon_ms = 7 * 86400000ll,
        .no_lanes = lanes == 0
    };
}

/* A zone of a file, made where it is missing, or (path NULL) of private
 * memory. */
__attribute__((unused))
static bool
case_zone(struct zone *zone, const char *path,
          const struct zone_params *params)
{
    struct intent_error err = { .text = "" };
    int rc = path == NULL ? zone_open_private(zone, params)
                          : zone_open(zone, path, params, true, 0, &err);

    if (rc != 0) {
        printf("# zone: %d %s\n", rc, err.text);
        return false;
    }
    zone->self = owner_self();
    zone->counters = case_counters;

    return true;
}

/* --- what must hold of a shard between two operations -------------------- */

struct case_shard {
    uint64_t records, chunks, bytes;
    uint64_t leaked, missing, shared;        /* slots */
    bool hints;                    /* free_pages and free_slots are exact */
    uint64_t seen[SHARD_MAX_PAGES];          /* slots that are referred to */
};

/* Size of the slots of a page that is in use; 0: free, or inside a slot. */
static uint32_t
case_slot_size(const struct shard *shard, uint32_t page)
{
    uint32_t class = shard->pages[page].class;

    return heap_slot_size(shard, class << HEAP_CLASS_SHIFT
                                 | page * (ZONE_PAGE / HEAP_UNIT));
}

/* A slot that the index refers to. False: it is none. */
static bool
case_refer(const struct shard *shard, uint32_t offset, struct case_shard *out)
{
    uint32_t size = heap_slot_size(shard, offset), page, bit;

    if (!heap_allocated(shard, offset)) {
        out->missing++;
        return false;
    }

    offset &= (1u << HEAP_CLASS_SHIFT) - 1;
    page = offset / (ZONE_PAGE / HEAP_UNIT);
    bit = offset % (ZONE_PAGE / HEAP_UNIT) * HEAP_UNIT / size;
    out->shared += out->seen[page] >> bit & 1;
    out->seen[page] |= 1ull << bit;
    out->bytes += size;

    return true;
}

static void
case_pages(const struct shard *shard, struct case_shard *out)
{
    uint64_t free_pages = 0, room[SHARD_CLASSES] = { 0 };
    const struct shard_page *p;
    uint32_t page, size, i;

    for (page = shard->first_page; page < shard->n_pages; page++) {
        p = &shard->pages[page];
        if (p->class == 0) {
            free_pages++;
            continue;
        }
        size = case_slot_size(shard, page);
        out->leaked += (uint64_t) __builtin_popcountll(p->used
                                                       & ~out->seen[page]);
        if (size >= ZONE_PAGE) {
            page += size / ZONE_PAGE - 1;
        } else if (size != 0) {
            room[p->class] += ZONE_PAGE / size
                              - (uint64_t) __builtin_popcountll(p->used);
        }
    }

    out->hints = free_pages == shard->free_pages;
    for (i = 0; i < SHARD_CLASSES; i++) {
        out->hints = out->hints && room[i] == shard->free_slots[i];
    }
}

/* Compares the heap's bits with what the index refers to. */
__attribute__((unused))
static const struct case_shard *
case_check(const struct shard *shard)
{
    static struct case_shard out;
    const shard_entry *e = (const shard_entry *) (const void *) (shard + 1);
    const shard_entry *end = e + (uint64_t) shard->n_buckets * SHARD_WAYS;
    uint32_t next;

    memset(&out, 0, sizeof(out));

    for (/* void */; e < end; e++) {
        if (*e == 0) {
            continue;
        }
        out.records++;
        if (!case_refer(shard, shard_offset(*e), &out)
            || heap_slot_size(shard, shard_offset(*e)) != HEAP_MAX_SLOT)
        {
            continue;
        }
        next = ((struct record *) heap_at(shard, shard_offset(*e)))->next;
        while (next != 0 && case_refer(shard, next, &out)
               && ++out.chunks < SHARD_MAX_PAGES)
        {
            next = ((struct chunk *) heap_at(shard, next))->next;
        }
    }
    case_pages(shard, &out);

    return &out;
}

__attribute__((unused))
static bool
case_sound(const struct shard *shard)
{
    const struct case_shard *c = case_check(shard);
    bool good = c->leaked == 0 && c->missing == 0 && c->shared == 0
                && c->hints && c->records == shard->records;

    if (!good) {
        printf("# shard: %llu records (%llu said), %llu leaked, %llu missing,"
               " %llu shared, hints %s\n", (unsigned long long) c->records,
               (unsigned long long) shard->records,
               (unsigned long long) c->leaked,
               (unsigned long long) c->missing,
               (unsigned long long) c->shared, c->hints ? "right" : "wrong");
    }

    return good;
}

#endif
