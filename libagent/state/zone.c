/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "zone.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/atomic.h"
#include "../base/error.h"
#include "format.h"
#include "lock.h"

enum { REGISTRY_WAIT_US = 100000 };

#define ZONE_REMEDY                                                           \
    "stop nginx and intentd and remove the file (its windows start empty), "  \
    "or name another zone.path"

static int
refuse(struct intent_error *err, const char *path, const char *fault)
{
    error_set(err, "zone \"%s\" %s: " ZONE_REMEDY, path, fault);
    return -EINVAL;
}

static int
fail(struct intent_error *err, const char *path, const char *doing, int error)
{
    error_set(err, "zone \"%s\": cannot %s: %s", path, doing, strerror(error));
    return -error;
}

/* As a file of its folder: so that a setgid or dedicated folder decides who
 * shares the zone, also when root's nginx makes it. */
static void
adopt_owner(int fd, const char *path)
{
    char copy[4096];
    struct stat st;

    if (geteuid() != 0 || strlen(path) >= sizeof(copy)) {
        return;
    }
    strcpy(copy, path);

    /* Where this fails the zone works for whoever made it. */
    if (stat(dirname(copy), &st) != 0
        || fchown(fd, st.st_uid, st.st_gid) != 0)
    {
        return;
    }
}

static int
map_file(struct zone *zone, const char *path, uint64_t size,
         struct intent_error *err)
{
    void *memory;

    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, zone->fd, 0);
    if (memory == MAP_FAILED) {
        return fail(err, path, "map it", errno);
    }

    zone->header = memory;
    zone->size = size;

    return 0;
}

/* All blocks of the file. Signals interrupt this where memory is the disk. */
static int
allocate(int fd, uint64_t size)
{
    int rc;

    do {
        rc = posix_fallocate(fd, 0, (off_t) size);
    } while (rc == EINTR);

    return rc;
}

/* Makes the file under a temporary name and links it to its own when it is
 * whole: others see no zone or a finished one. The name is random, since a
 * process that died here may have had our pid, and another thread has it.
 * -EEXIST: another was first. */
static int
make_file(struct zone *zone, const char *path,
          const struct zone_params *params, int64_t now_ms,
          struct intent_error *err)
{
    char temp[4096];
    uint64_t name;
    int rc, n;

    if (getrandom(&name, sizeof(name), 0) != (ssize_t) sizeof(name)) {
        return fail(err, path, "make it", EIO);
    }
    n = snprintf(temp, sizeof(temp), "%s.%016llx.tmp", path,
                 (unsigned long long) name);
    if (n < 0 || (size_t) n >= sizeof(temp)) {
        return fail(err, path, "make it", ENAMETOOLONG);
    }

    zone->fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0660);
    if (zone->fd < 0) {
        return fail(err, temp, "create it", errno);
    }

    rc = fchmod(zone->fd, 0660) == 0 ? 0 : errno;
    if (rc == 0) {
        rc = allocate(zone->fd, params->size);
    }
    if (rc != 0) {
        rc = fail(err, path, "allocate its zone.size", rc);
        goto done;
    }
    adopt_owner(zone->fd, path);

    rc = map_file(zone, path, params->size, err);
    if (rc == 0) {
        rc = format_write(zone, params, now_ms);
        if (rc == -ENOSPC) {
            error_set(err, "zone \"%s\": zone.size is too small: at least "
                      "%llu bytes are needed with these lanes", path,
                      (unsigned long long) zone_min_size(params));
        } else if (rc != 0) {
            error_set(err, "zone \"%s\": cannot lay it out: %s", path,
                      strerror(-rc));
        }
    }
    if (rc == 0 && link(temp, path) != 0) {
        rc = errno == EEXIST ? -EEXIST : fail(err, path, "link it", errno);
    }

done:

    unlink(temp);
    if (rc != 0) {
        zone_close(zone);
    }

    return rc;
}

/* Opens an existing file and looks at its size. */
static int
open_file(struct zone *zone, const char *path,
          const struct zone_params *params, struct intent_error *err)
{
    char fault[160];
    struct stat st;

    zone->fd = open(path, O_RDWR | O_CLOEXEC);
    if (zone->fd < 0) {
        return errno == ENOENT ? -ENOENT : fail(err, path, "open it", errno);
    }

    if (fstat(zone->fd, &st) != 0) {
        return fail(err, path, "stat it", errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return refuse(err, path, "is not a regular file");
    }
    if ((uint64_t) st.st_size != params->size) {
        snprintf(fault, sizeof(fault),
                 "has %llu bytes, zone.size asks for %llu",
                 (unsigned long long) st.st_size,
                 (unsigned long long) params->size);
        return refuse(err, path, fault);
    }

    return 0;
}

static int
attach_file(struct zone *zone, const char *path,
            const struct zone_params *params, struct intent_error *err)
{
    const char *fault;
    int rc;

    rc = open_file(zone, path, params, err);
    if (rc == 0) {
        rc = map_file(zone, path, params->size, err);
    }
    if (rc == 0) {
        fault = format_fault(zone);
        if (fault != NULL) {
            rc = refuse(err, path, fault);
        }
    }
    if (rc != 0) {
        zone_close(zone);
    }

    return rc;
}

static void
zone_reset(struct zone *zone, const struct zone_params *params)
{
    memset(zone, 0, sizeof(*zone));
    zone->fd = -1;
    zone->horizon_ms = params->horizon_ms;
}

int
zone_open(struct zone *zone, const char *path,
          const struct zone_params *params, bool create, int64_t now_ms,
          struct intent_error *err)
{
    int rc, tries;

    zone_reset(zone, params);

    for (tries = 0; tries < 3; tries++) {
        rc = attach_file(zone, path, params, err);
        if (rc != -ENOENT) {
            return rc;
        }
        if (!create) {
            error_set(err, "zone \"%s\" does not exist: start nginx or "
                      "intentd, which make it", path);
            return rc;
        }

        rc = make_file(zone, path, params, now_ms, err);
        if (rc != -EEXIST) {
            return rc;
        }
    }

    return fail(err, path, "make it", EEXIST);
}

int
zone_check(const char *path, const struct zone_params *params,
           struct intent_error *err)
{
    struct zone_header h;
    struct zone zone;
    char copy[4096];
    int rc;

    memset(&h, 0, sizeof(h));
    rc = format_plan(&h, params);
    if (rc != 0) {
        error_set(err, "zone \"%s\": zone.size is too small: at least %llu "
                  "bytes are needed with these lanes", path,
                  (unsigned long long) zone_min_size(params));
        return -EINVAL;
    }

    zone_reset(&zone, params);
    rc = attach_file(&zone, path, params, err);
    zone_close(&zone);
    if (rc != -ENOENT) {
        return rc;
    }

    if (strlen(path) >= sizeof(copy)) {
        return fail(err, path, "make it", ENAMETOOLONG);
    }
    strcpy(copy, path);
    if (access(dirname(copy), W_OK | X_OK) != 0) {
        return fail(err, path, "write to its folder", errno);
    }

    return 0;
}

int
zone_open_private(struct zone *zone, const struct zone_params *params)
{
    void *memory;
    int rc;

    zone_reset(zone, params);
    zone->grow = true;

    memory = mmap(NULL, params->size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }

    zone->header = memory;
    zone->size = params->size;

    rc = format_write(zone, params, 0);
    if (rc != 0) {
        zone_close(zone);
    }

    return rc;
}

void
zone_close(struct zone *zone)
{
    if (zone->header != NULL) {
        munmap(zone->header, zone->size);
    }
    if (zone->fd >= 0) {
        close(zone->fd);
    }

    zone->header = NULL;
    zone->fd = -1;
}

bool
zone_intact(struct zone *zone)
{
    struct stat st;

    if (zone->fd >= 0 && !zone->broken
        && (fstat(zone->fd, &st) != 0 || (uint64_t) st.st_size < zone->size))
    {
        zone->broken = true;
    }

    return !zone->broken;
}

int
zone_table(struct zone *zone, uint64_t identity)
{
    uint64_t *tables = zone->header->tables;
    int i, found = -ENOSPC;

    if (lock_take(&zone->header->registry, zone->self, REGISTRY_WAIT_US)
        == LOCK_BUSY)
    {
        return -EBUSY;
    }

    for (i = 0; i < ZONE_MAX_TABLES; i++) {
        if (tables[i] == 0) {
            atomic_store(&tables[i], identity);
        }
        if (tables[i] == identity) {
            found = i;
            break;
        }
    }

    lock_drop(&zone->header->registry);

    return found;
}

int
zone_dataset(struct zone *zone, uint64_t name_hash)
{
    struct zone_dataset *datasets = zone->header->datasets;
    int i, found = -ENOSPC;

    if (lock_take(&zone->header->registry, zone->self, REGISTRY_WAIT_US)
        == LOCK_BUSY)
    {
        return -EBUSY;
    }

    for (i = 0; i < ZONE_MAX_DATASETS; i++) {
        if (datasets[i].name_hash == 0) {
            atomic_store(&datasets[i].name_hash, name_hash);
        }
        if (datasets[i].name_hash == name_hash) {
            found = i;
            break;
        }
    }

    lock_drop(&zone->header->registry);

    return found;
}

int64_t
zone_watermark(const struct zone *zone, int dataset)
{
    const int64_t *mark = &zone->header->datasets[dataset].watermark_ms;

    return (int64_t) atomic_load((const uint64_t *) mark);
}

int64_t
zone_now(const struct zone *zone)
{
    int64_t mark, now = INT64_MIN;
    int i;

    for (i = 0; i < ZONE_MAX_DATASETS; i++) {
        mark = zone_watermark(zone, i);
        now = mark > now ? mark : now;
    }

    return now;
}

int64_t
zone_watermark_raise(struct zone *zone, int dataset, int64_t time_ms)
{
    int64_t *mark = &zone->header->datasets[dataset].watermark_ms;
    int64_t seen;

    do {
        seen = (int64_t) atomic_load((uint64_t *) mark);
        if (seen >= time_ms) {
            return seen;
        }
    } while (!atomic_cas((uint64_t *) mark, (uint64_t) seen,
                         (uint64_t) time_ms));

    return time_ms;
}

struct lane_slot *
zone_lane(const struct zone *zone, uint32_t lane)
{
    struct lane_slot *slots = (struct lane_slot *) (void *)
        ((char *) zone->header + zone->layout.slots_at);

    return &slots[lane];
}

struct account *
zone_account(const struct zone *zone)
{
    return (struct account *) (void *)
        ((char *) zone->header + zone->layout.account_at);
}

void *
zone_popularity(const struct zone *zone, uint64_t *size)
{
    *size = zone->layout.popularity_size;

    return (char *) zone->header + zone->layout.popularity_at;
}

struct shard *
zone_shard(const struct zone *zone, uint32_t shard)
{
    return (struct shard *) (void *)
        ((char *) zone->header + zone->layout.shards_at
         + shard * zone->layout.shard_size);
}
