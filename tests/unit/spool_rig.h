/* SPDX-License-Identifier: Apache-2.0
 *
 * A spool in a folder of its own, records that can be told apart, and what
 * the tests of the spool do with both. Include in one file of a test.
 */
#ifndef INTENT_SPOOL_RIG_H
#define INTENT_SPOOL_RIG_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../libagent/deliver/spool.h"
#include "tap.h"

enum { BOOT = 77, NEW_ID = 4711, BIG = 64 << 20, FEW = 40 };

static char root[64], folder[128];

/* --- folders ------------------------------------------------------------ */

__attribute__((format(printf, 1, 2), unused))
static void
shell(const char *format, ...)
{
    char command[512];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    if (system(command) != 0) {
        ok(false, "%s", command);
    }
}

/* Removes the files of a folder, and the folder. */
__attribute__((unused))
static void
erase(const char *path)
{
    struct dirent *entry;
    DIR *dir = opendir(path);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            syscall(SYS_unlinkat, dirfd(dir), entry->d_name, 0);
        }
    }
    if (dir != NULL) {
        closedir(dir);
        rmdir(path);
    }
}

__attribute__((unused))
static void
copy_file(int from_dir, int to_dir, const char *name)
{
    char buf[65536];
    int from = openat(from_dir, name, O_RDONLY);
    int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t n;

    while ((n = read(from, buf, sizeof(buf))) > 0) {
        if (write(to, buf, (size_t) n) != n) {
            ok(false, "copy %s", name);
        }
    }
    close(from);
    close(to);
}

/* The folder `to` becomes a copy of `from`. */
__attribute__((unused))
static void
copy_folder(const char *from, const char *to)
{
    struct dirent *entry;
    DIR *dir = opendir(from);
    int to_dir;

    erase(to);
    mkdir(to, 0700);
    to_dir = open(to, O_RDONLY | O_DIRECTORY);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            copy_file(dirfd(dir), to_dir, entry->d_name);
        }
    }
    closedir(dir);
    close(to_dir);
}

__attribute__((unused))
static void
fresh(void)
{
    erase(folder);
    if (access(folder, F_OK) == 0) {
        shell("rm -rf %s", folder);
    }
}

/* Files whose name ends so. */
__attribute__((unused))
static int
files(const char *suffix, char *last, size_t size)
{
    struct dirent *entry;
    DIR *dir = opendir(folder);
    size_t len;
    int n = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        len = strlen(entry->d_name);
        if (len > strlen(suffix)
            && strcmp(entry->d_name + len - strlen(suffix), suffix) == 0
            && (n++ == 0 || last == NULL || strcmp(entry->d_name, last) > 0)
            && last != NULL)
        {
            snprintf(last, size, "%s", entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }

    return n;
}

__attribute__((unused))
static char *
newest(void)
{
    static char path[512];
    char name[256] = "";

    files(".seg", name, sizeof(name));
    snprintf(path, sizeof(path), "%s/%s", folder, name);

    return path;
}

/* --- records ------------------------------------------------------------ */

__attribute__((unused))
static struct spool *
open_sized(uint64_t size, enum spool_sync sync)
{
    struct spool_options options = {
        .path = folder, .size = size, .sync = sync, .new_id = NEW_ID
    };
    struct spool *spool;
    int rc;

    rc = spool_open(&options, 0, &spool);
    if (rc != 0) {
        printf("# spool_open: %s\n", strerror(-rc));
    }

    return spool;
}

/* As a new zone finds it: whatever is in there counts. */
__attribute__((unused))
static struct spool *
open_new(uint64_t *found)
{
    struct spool *spool = open_sized(BIG, SPOOL_OFF);
    struct spool_mark mark = { .boot = BOOT };
    uint64_t n = 0;

    if (spool != NULL) {
        n = spool_reconcile(spool, &mark);
    }
    if (found != NULL) {
        *found = n;
    }

    return spool;
}

__attribute__((unused))
static int
put(struct spool *spool, uint64_t seq, size_t len)
{
    char bytes[SEGMENT_MAX_RECORD];
    struct spool_item item = {
        .boot = BOOT, .seq = seq, .key = seq * 3, .lane = (uint32_t) seq % 5,
        .len = (uint32_t) len, .bytes = bytes
    };

    memset(bytes, (int) ('a' + seq % 26), len);

    return spool_put(spool, &item);
}

__attribute__((unused))
static size_t
length_of(uint64_t seq)
{
    return 20 + seq * 37 % 180;
}

/* Puts and flushes seq from..to-1, some at a time: the last rc. */
__attribute__((unused))
static int
fill(struct spool *spool, uint64_t from, uint64_t to, uint64_t step)
{
    uint64_t seq;
    int rc = 0;

    for (seq = from; seq < to && rc == 0; seq++) {
        rc = put(spool, seq, length_of(seq));
        if (rc == 0 && ((seq + 1 - from) % step == 0 || seq + 1 == to)) {
            rc = spool_flush(spool, 1000);
        }
    }

    return rc;
}

__attribute__((unused))
static bool
sound(const struct spool_item *item)
{
    size_t i;

    for (i = 0; i < item->len; i++) {
        if (item->bytes[i] != (char) ('a' + item->seq % 26)) {
            return false;
        }
    }

    return item->boot == BOOT && item->key == item->seq * 3
           && item->lane == item->seq % 5 && item->len == length_of(item->seq);
}

/* Reads on: how many came, each sound, each later than the one before. A
 * wrong one makes it negative. *next is the seq that should be next. */
__attribute__((unused))
static long
drain(struct spool *spool, uint64_t *next, long most)
{
    struct spool_item item;
    long n = 0;

    while (n < most && spool_next(spool, &item) == 1) {
        if (!sound(&item) || item.seq < *next) {
            return -1;
        }
        *next = item.seq + 1;
        n++;
    }

    return n;
}

__attribute__((unused))
static struct spool_mark
mark_of(const struct spool *spool)
{
    return (struct spool_mark) {
        .id = spool_id(spool), .read = spool_read_index(spool),
        .end = spool_end_index(spool), .boot = BOOT
    };
}

__attribute__((unused))
static void
make_few(void)
{
    struct spool *spool;

    fresh();
    spool = open_new(NULL);
    fill(spool, 0, FEW, 9);
    spool_close(spool, 0);
}

/* Makes the folder's parent; false: cannot. */
__attribute__((unused))
static bool
begin(void)
{
    /* Memory, where there is such a place: the disk is not under test. */
    snprintf(root, sizeof(root), "/dev/shm/intent-spool-XXXXXX");
    if (mkdtemp(root) == NULL) {
        snprintf(root, sizeof(root), "/tmp/intent-spool-XXXXXX");
        if (mkdtemp(root) == NULL) {
            return false;
        }
    }
    snprintf(folder, sizeof(folder), "%s/deep/spool", root);

    return true;
}

__attribute__((unused))
static int
end(void)
{
    shell("rm -rf %s", root);

    return done_testing();
}

#endif
