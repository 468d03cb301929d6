/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "spool_position.h"
#include "spool_state.h"

/* The index after the last sound record of the newest segment: what a crash
 * tore off there has no number and is not counted. */
static int
find_end(struct spool *spool)
{
    size_t last = spool->folder.n - 1;
    struct spool_item item;
    int fd;

    fd = spool_folder_open_segment(&spool->folder, last, false);
    if (fd < 0) {
        return fd;
    }

    segment_reader_begin(&spool->reader, fd,
                         spool->folder.segments[last].first,
                         spool->read_buffer);
    while (segment_read(&spool->reader, UINT64_MAX, &item) == 1) {
        continue;
    }
    spool->end = spool->reader.next;
    close(fd);

    return 0;
}

static int
load(struct spool *spool)
{
    struct spool_position position = { .id = 0 };
    bool known;
    int rc;

    known = spool_position_load(spool->folder.dir, &position) == 0;

    rc = spool_folder_list(&spool->folder, known ? position.id : 0,
                           position.read);
    if (rc != 0) {
        return rc;
    }

    spool->id = spool->folder.id != 0 ? spool->folder.id
                                      : spool->options.new_id;
    spool->damaged = spool->folder.set_aside;
    spool->saved = known ? position.read : UINT64_MAX;

    if (known) {
        spool->read = position.read;
    } else if (spool->folder.n > 0) {
        spool->read = spool->folder.segments[0].first;
    }
    if (spool->folder.n > 0) {
        rc = find_end(spool);
    }

    /* Records that were delivered and then lost their bytes to a power cut:
     * their numbers are used up all the same. */
    if (spool->end < spool->read) {
        spool->end = spool->read;
    }
    spool->cursor = spool->read;

    /* So that one wrong bit in the only header does not hide which spool this
     * is. Where it cannot be written, reading may still work. */
    (void) spool_save_position(spool, spool->saved_ms);

    return rc;
}

static uint64_t
segment_size(uint64_t size)
{
    uint64_t part = size / SPOOL_SEGMENTS;

    return part < SPOOL_SEGMENT_MIN ? SPOOL_SEGMENT_MIN
           : part > SPOOL_SEGMENT_MAX ? SPOOL_SEGMENT_MAX : part;
}

static void
spool_free(struct spool *spool)
{
    if (spool->read_fd >= 0) {
        close(spool->read_fd);
    }
    if (spool->write_fd >= 0) {
        close(spool->write_fd);
    }
    spool_folder_close(&spool->folder);
    free(spool->write_buffer);
    free(spool->read_buffer);
    free(spool);
}

int
spool_open(const struct spool_options *options, int64_t now_ms,
           struct spool **out)
{
    struct spool *spool;
    int rc = -ENOMEM;

    *out = NULL;

    spool = calloc(1, sizeof(*spool));
    if (spool == NULL) {
        return -ENOMEM;
    }
    spool->folder.dir = spool->folder.lock = -1;
    spool->read_fd = spool->write_fd = -1;
    spool->options = *options;
    spool->segment_size = segment_size(options->size);
    spool->synced_ms = spool->saved_ms = now_ms;

    spool->write_buffer = malloc(SPOOL_BUFFER);
    spool->read_buffer = malloc(SEGMENT_BUFFER);
    if (spool->write_buffer == NULL || spool->read_buffer == NULL) {
        goto fail;
    }

    rc = spool_folder_open(&spool->folder, options->path);
    if (rc != 0) {
        goto fail;
    }
    rc = load(spool);
    if (rc != 0) {
        goto fail;
    }

    *out = spool;

    return 0;

fail:

    spool_free(spool);

    return rc;
}

void
spool_close(struct spool *spool, int64_t now_ms)
{
    if (spool == NULL) {
        return;
    }

    (void) spool_writer_finish(spool);
    (void) spool_save_position(spool, now_ms);
    spool_free(spool);
}

/* Cuts the newest segment where the record `index` begins. */
static int
cut(struct spool *spool, uint64_t index)
{
    struct spool_segment *last = &spool->folder.segments[spool->folder.n - 1];
    struct spool_item item;
    uint64_t size;
    int fd, rc;

    fd = spool_folder_open_segment(&spool->folder, spool->folder.n - 1, true);
    if (fd < 0) {
        return fd;
    }

    segment_reader_begin(&spool->reader, fd, last->first, spool->read_buffer);
    do {
        rc = segment_read(&spool->reader, index, &item);
    } while (rc == 1);
    size = segment_reader_offset(&spool->reader);

    if (rc == 0 && ftruncate(fd, (off_t) size) != 0) {
        rc = -errno;
    }
    if (rc == 0) {
        spool->folder.bytes -= last->bytes - size;
        last->bytes = size;
    }
    close(fd);

    return rc;
}

uint64_t
spool_reconcile(struct spool *spool, const struct spool_mark *mark)
{
    const struct spool_folder *folder = &spool->folder;
    const struct spool_segment *last;
    uint64_t unknown = 0;

    spool->boot = mark->boot;

    if (mark->id != spool->id) {
        return spool->end - spool->read;
    }

    last = folder->n > 0 ? &folder->segments[folder->n - 1] : NULL;

    if (last != NULL && spool->end > mark->end && last->sound
        && last->boot == mark->boot && last->first <= mark->end)
    {
        /* Where the cut fails the rest is still beyond `end`, and the next
         * segment's first index says so for good. */
        (void) cut(spool, mark->end);
        spool->end = mark->end;
    } else if (spool->end > mark->end) {
        /* Another zone used this spool in between. */
        unknown = spool->end - mark->end;
    } else {
        spool->end = mark->end;
    }

    spool->read = spool->cursor = mark->read;

    return unknown;
}
