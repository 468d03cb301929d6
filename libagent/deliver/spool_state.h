/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the spool share: spool_open.c, spool_write.c,
 * spool_read.c. Not for others.
 */
#ifndef INTENT_DELIVER_SPOOL_STATE_H
#define INTENT_DELIVER_SPOOL_STATE_H

#include "spool.h"
#include "spool_folder.h"

/* read <= cursor <= end. [read, cursor) was handed out or passed over,
 * [cursor, end) is on disk, `buffered` more are in the buffer. */
struct spool {
    struct spool_folder folder;
    struct spool_options options;
    uint64_t segment_size;
    uint64_t id, boot;
    uint64_t read, cursor, end;
    uint64_t skipped;              /* of [read, cursor) */
    uint64_t damaged;              /* segments */
    size_t gone;                   /* leading segments given up */

    int read_fd;                   /* of folder.segments[reading], or -1 */
    size_t reading;
    struct segment_reader reader;

    int write_fd;                  /* of the newest segment, or -1 */
    uint64_t write_offset;
    bool dirty;                    /* written and not synced */
    uint64_t buffered;
    size_t len;

    uint64_t saved;                /* position on disk; UINT64_MAX: none */
    int64_t synced_ms, saved_ms;

    char *write_buffer, *read_buffer;
};

/* The index that follows segment i. */
static inline uint64_t
spool_after(const struct spool *spool, size_t i)
{
    return i + 1 < spool->folder.n ? spool->folder.segments[i + 1].first
                                   : spool->end;
}

static inline void
spool_mark_damaged(struct spool *spool, size_t i)
{
    if (!spool->folder.segments[i].damaged) {
        spool->folder.segments[i].damaged = true;
        spool->damaged++;
    }
}

/* Syncs the newest segment where the options want that; a failure ends it. */
int spool_writer_sync(struct spool *spool);

/* Nothing more is written to the newest segment; synced or not. */
int spool_writer_finish(struct spool *spool);
void spool_writer_close(struct spool *spool);

void spool_reader_close(struct spool *spool);

/* Saves the position where it changed. */
int spool_save_position(struct spool *spool, int64_t now_ms);

#endif
