/* SPDX-License-Identifier: Apache-2.0
 *
 * A spool's folder with files of any content: it opens, what comes out is
 * bounded and in order, everything missing is counted, and it works on.
 *
 * The input is a list of files: a byte for the kind (and so the name), two
 * for the length, the bytes. In segments the checks are made right where the
 * input says so, or hardly anything would get past them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../libagent/deliver/crc32c.h"
#include "../../libagent/deliver/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];
static volatile int touched;       /* so that the bytes are really read */

static void
make_folder(void)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    snprintf(folder, sizeof(folder), "%s/intent-fuzz-XXXXXX", base);
    if (mkdtemp(folder) == NULL) {
        exit(1);
    }
}

static void
empty_folder(void)
{
    struct dirent *entry;
    DIR *dir = opendir(folder);

    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    closedir(dir);
}

static void
remove_folder(void)
{
    empty_folder();
    rmdir(folder);
}

/* Makes the checks of a segment right, as far as its lengths make sense. */
static void
mend(char *bytes, size_t len, uint64_t first)
{
    struct segment_header header;
    struct segment_record record;
    size_t at = sizeof(header);

    if (len < sizeof(header)) {
        return;
    }
    memcpy(&header, bytes, sizeof(header));
    segment_header_make(&header, header.spool_id % 3 + 1, first,
                        header.boot % 3, 0);
    memcpy(bytes, &header, sizeof(header));

    while (len - at >= sizeof(record)) {
        memcpy(&record, bytes + at, sizeof(record));
        record.len %= 256;
        record.index %= 64;
        if (record.len > len - at - sizeof(record)) {
            return;
        }
        record.mark = SEGMENT_MARK;
        record.check = crc32c(0, bytes + at + sizeof(record), record.len);
        record.head_check = crc32c(0, (const char *) &record.check,
                                   sizeof(record) - 8);
        memcpy(bytes + at, &record, sizeof(record));
        at += segment_record_size(record.len);
        if (at > len) {
            return;
        }
    }
}

static void
write_files(const uint8_t *data, size_t size)
{
    static char bytes[65536];
    char path[128];
    size_t len;
    int fd, kind;

    while (size >= 3) {
        kind = data[0];
        len = (size_t) data[1] << 8 | data[2];
        data += 3;
        size -= 3;
        len = len > size ? size : len;
        memcpy(bytes, data, len);
        data += len;
        size -= len;

        if (kind % 8 == 0) {
            snprintf(path, sizeof(path), "%s/position", folder);
        } else {
            snprintf(path, sizeof(path), "%s/%016x.%s", folder, kind / 8,
                     kind % 8 == 7 ? "corrupt" : "seg");
            if (kind % 8 < 4) {
                mend(bytes, len, (uint64_t) kind / 8);
            }
        }
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, bytes, len) != (ssize_t) len) {
            abort();
        }
        close(fd);
    }
}

/* Reads all there is, each index accounted for. */
static void
drain(struct spool *spool, unsigned want)
{
    uint64_t before = spool_read_index(spool), got = 0;
    struct spool_item item;
    unsigned last = 0;

    while (spool_next(spool, &item) == 1) {
        if (item.len > SEGMENT_MAX_RECORD) {
            abort();
        }
        if (item.len > 0) {
            touched = item.bytes[0] ^ item.bytes[item.len - 1];
        }
        last = item.lane;
        got++;
    }
    if (got + spool_skipped(spool) != spool_cursor(spool) - before
        || spool_unread(spool) != 0 || (want != 0 && last != want))
    {
        abort();
    }
    spool_advance(spool);
    spool_clean(spool, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spool_options options = {
        .path = folder, .size = 1 << 20, .sync = SPOOL_OFF, .new_id = 1
    };
    struct spool_mark mark = { .id = 1, .boot = 1 };
    struct spool_item ours = { .lane = 4711, .bytes = "x", .len = 1 };
    struct spool *spool;

    if (folder[0] == '\0') {
        make_folder();
        atexit(remove_folder);
    }
    if (size < 3) {
        return 0;
    }
    mark.id = data[0] % 3;
    mark.read = data[1] % 64;
    mark.end = mark.read + data[2] % 64;

    empty_folder();
    write_files(data + 3, size - 3);

    if (spool_open(&options, 0, &spool) != 0) {
        abort();
    }
    spool_reconcile(spool, &mark);
    drain(spool, 0);

    /* It works on as if nothing had been. */
    if (spool_put(spool, &ours) != 0 || spool_flush(spool, 0) != 0
        || spool_count(spool) != 1)
    {
        abort();
    }
    drain(spool, ours.lane);
    spool_close(spool, 0);

    return 0;
}
