/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <unistd.h>

#include "spool_state.h"

void
spool_reader_close(struct spool *spool)
{
    if (spool->read_fd >= 0) {
        close(spool->read_fd);
        spool->read_fd = -1;
    }
}

/* Opens the segment that should hold the record at the cursor: 1; 0 when none
 * does, and the cursor was moved over the gap; -errno. */
static int
reader_open(struct spool *spool)
{
    const struct spool_folder *folder = &spool->folder;
    struct spool_item item;
    size_t i = spool->gone;
    uint64_t next;
    int fd;

    while (i < folder->n && spool_after(spool, i) <= spool->cursor) {
        i++;
    }

    if (i == folder->n || folder->segments[i].first > spool->cursor) {
        next = i == folder->n ? spool->end : folder->segments[i].first;
        next = next > spool->end ? spool->end : next;
        spool->skipped += next - spool->cursor;
        spool->cursor = next;
        return 0;
    }

    fd = spool_folder_open_segment(folder, i, false);
    if (fd == -ENOENT) {
        spool->skipped += spool_after(spool, i) - spool->cursor;
        spool->cursor = spool_after(spool, i);
        return 0;
    }
    if (fd < 0) {
        return fd;
    }

    spool->read_fd = fd;
    spool->reading = i;
    segment_reader_begin(&spool->reader, fd, folder->segments[i].first,
                         spool->read_buffer);
    while (segment_read(&spool->reader, spool->cursor, &item) == 1) {
        continue;
    }
    spool->reader.next = spool->cursor;

    return 1;
}

/* The segment that is read ended before its last record: the rest is lost. */
static void
segment_lost(struct spool *spool, uint64_t limit)
{
    spool_mark_damaged(spool, spool->reading);
    spool->skipped += limit - spool->cursor;
    spool->cursor = spool->reader.next = limit;

    /* What is written from now on shall be readable. */
    if (spool->reading + 1 == spool->folder.n) {
        (void) spool_writer_finish(spool);
    }
}

int
spool_next(struct spool *spool, struct spool_item *item)
{
    uint64_t limit;
    int rc;

    while (spool->cursor < spool->end) {
        if (spool->read_fd < 0) {
            rc = reader_open(spool);
            if (rc < 0) {
                return rc;
            }
            continue;
        }

        limit = spool_after(spool, spool->reading);
        rc = segment_read(&spool->reader, limit, item);

        if (spool->reader.damaged) {
            spool_mark_damaged(spool, spool->reading);
        }
        if (rc == 1) {
            spool->skipped += spool->reader.next - 1 - spool->cursor;
            spool->cursor = spool->reader.next;
            return 1;
        }
        if (spool->cursor < limit) {
            segment_lost(spool, limit);
        }
        spool_reader_close(spool);
    }

    return 0;
}

void
spool_rewind(struct spool *spool)
{
    spool_reader_close(spool);
    spool->cursor = spool->read;
    spool->skipped = 0;
}

void
spool_advance(struct spool *spool)
{
    spool->read = spool->cursor;
    spool->skipped = 0;
}
