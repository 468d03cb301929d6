/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <unistd.h>

#include "../base/crash.h"
#include "spool_state.h"

void
spool_writer_close(struct spool *spool)
{
    if (spool->write_fd >= 0) {
        close(spool->write_fd);
        spool->write_fd = -1;
    }
    spool->dirty = false;
}

int
spool_writer_sync(struct spool *spool)
{
    int rc;

    if (!spool->dirty || spool->options.sync == SPOOL_OFF) {
        return 0;
    }

    if (fdatasync(spool->write_fd) != 0) {
        rc = -errno;
        spool_mark_damaged(spool, spool->folder.n - 1);
        spool_writer_close(spool);
        return rc;
    }
    spool->dirty = false;

    return 0;
}

/* No more is written to this segment. */
int
spool_writer_finish(struct spool *spool)
{
    int rc;

    rc = spool_writer_sync(spool);
    spool_writer_close(spool);

    return rc;
}

static int
writer_open(struct spool *spool, int64_t now_ms)
{
    struct segment_header header;
    int fd, rc;

    if (spool->write_fd >= 0 && spool->write_offset < spool->segment_size) {
        return 0;
    }

    rc = spool_writer_finish(spool);
    if (rc != 0) {
        return rc;
    }

    segment_header_make(&header, spool->id, spool->end, spool->boot, now_ms);
    fd = spool_folder_add(&spool->folder, &header,
                          spool->options.sync != SPOOL_OFF);
    if (fd < 0) {
        return fd;
    }
    CRASH_POINT("spool-segment");
    spool->write_fd = fd;
    spool->write_offset = sizeof(header);

    /* It may have replaced an empty one that was given up. */
    if (spool->gone == spool->folder.n) {
        spool->gone--;
    }

    return 0;
}

static int
write_all(int fd, const char *buf, size_t len, uint64_t offset)
{
    ssize_t n;

    while (len > 0) {
        n = pwrite(fd, buf, len, (off_t) offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -ENOSPC;
        }
        buf += n;
        len -= (size_t) n;
        offset += (uint64_t) n;
    }

    return 0;
}

int
spool_put(struct spool *spool, const struct spool_item *item)
{
    size_t size = segment_record_size(item->len);

    if (size > SPOOL_BUFFER - spool->len) {
        return -ENOBUFS;
    }

    segment_encode(item, spool->end + spool->buffered,
                   spool->write_buffer + spool->len);
    spool->len += size;
    spool->buffered++;

    return 0;
}

void
spool_discard(struct spool *spool)
{
    spool->len = 0;
    spool->buffered = 0;
}

int
spool_flush(struct spool *spool, int64_t now_ms)
{
    size_t len = spool->len;
    uint64_t n = spool->buffered;
    int rc;

    spool_discard(spool);
    if (n == 0) {
        return 0;
    }

    rc = writer_open(spool, now_ms);
    if (rc != 0) {
        return rc;
    }

    rc = write_all(spool->write_fd, spool->write_buffer, len,
                   spool->write_offset);
    CRASH_POINT("spool-written");
    if (rc == 0) {
        spool->dirty = true;
        if (spool->options.sync == SPOOL_ALWAYS) {
            rc = spool_writer_sync(spool);
        }
    }

    if (rc != 0) {
        /* What was written lies beyond `end`: no reader takes it, cut or
         * not. The cut gives the room back. */
        if (spool->write_fd >= 0
            && ftruncate(spool->write_fd, (off_t) spool->write_offset) != 0)
        {
            spool_mark_damaged(spool, spool->folder.n - 1);
        }
        (void) spool_writer_finish(spool);
        return rc;
    }

    spool->write_offset += len;
    spool->folder.segments[spool->folder.n - 1].bytes += len;
    spool->folder.bytes += len;
    spool->end += n;

    return 0;
}
