/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "../base/crash.h"
#include "spool_position.h"
#include "spool_state.h"

enum { UPKEEP_MS = 1000 };         /* what `everysec` means */

/* --- what it holds ------------------------------------------------------ */

uint64_t
spool_id(const struct spool *spool)
{
    return spool->id;
}

uint64_t
spool_read_index(const struct spool *spool)
{
    return spool->read;
}

uint64_t
spool_end_index(const struct spool *spool)
{
    return spool->end;
}

uint64_t
spool_count(const struct spool *spool)
{
    return spool->end - spool->read;
}

uint64_t
spool_unread(const struct spool *spool)
{
    return spool->end - spool->cursor;
}

uint64_t
spool_bytes(const struct spool *spool)
{
    return spool->folder.bytes;
}

uint64_t
spool_skipped(const struct spool *spool)
{
    return spool->skipped;
}

uint64_t
spool_cursor(const struct spool *spool)
{
    return spool->cursor;
}

uint64_t
spool_damaged(const struct spool *spool)
{
    return spool->damaged;
}

/* --- giving way --------------------------------------------------------- */

bool
spool_over(const struct spool *spool)
{
    return spool->gone < spool->folder.n
           && spool->folder.bytes + spool->len > spool->options.size;
}

uint64_t
spool_give_way(struct spool *spool)
{
    size_t i = spool->gone;
    uint64_t next, lost = 0;

    if (spool->folder.corrupt > 0
        && spool_folder_free_corrupt(&spool->folder) == 0)
    {
        return 0;
    }
    if (i == spool->folder.n) {
        return 0;
    }

    next = spool_after(spool, i);
    if (i + 1 == spool->folder.n) {
        spool_writer_close(spool);
    }
    if (spool->read_fd >= 0 && spool->reading == i) {
        spool_reader_close(spool);
    }

    /* What was handed out counts as if it stood right before the next
     * segment, so that read..end still is what there is to deliver. */
    if (next > spool->cursor) {
        lost = next - spool->cursor;
        spool->read += lost;
        spool->cursor += lost;
    }
    spool->gone++;

    return lost;
}

/* --- upkeep ------------------------------------------------------------- */

int
spool_save_position(struct spool *spool, int64_t now_ms)
{
    struct spool_position position = { .id = spool->id, .read = spool->read };
    int rc;

    spool->saved_ms = now_ms;
    if (spool->saved == spool->read) {
        return 0;
    }

    rc = spool_position_save(spool->folder.dir, &position,
                             spool->options.sync != SPOOL_OFF);
    if (rc == 0) {
        spool->saved = spool->read;
    }

    return rc;
}

/* How many of the oldest segments are done with. */
static size_t
done_with(const struct spool *spool)
{
    size_t i = spool->gone;

    while (i < spool->folder.n && spool_after(spool, i) <= spool->read
           && (i + 1 < spool->folder.n || spool->write_fd < 0))
    {
        i++;
    }

    return i;
}

int
spool_clean(struct spool *spool, int64_t now_ms)
{
    size_t n;
    int rc;

    if (spool->read == spool->end && spool->buffered == 0) {
        spool_writer_close(spool);
    }

    n = done_with(spool);
    if (n == 0) {
        return 0;
    }

    /* On a full disk the position finds room only once a segment is gone; the
     * zone's account knows it meanwhile. */
    rc = spool_save_position(spool, now_ms);
    if (rc != 0 && rc != -ENOSPC && rc != -EDQUOT) {
        return rc;
    }

    for (; n > 0; n--) {
        if (spool->read_fd >= 0 && spool->reading == 0) {
            spool_reader_close(spool);
        }
        CRASH_POINT("spool-position");
        rc = spool_folder_remove_first(&spool->folder);
        CRASH_POINT("spool-removed");
        if (rc != 0) {
            return rc;
        }
        spool->reading -= spool->read_fd >= 0;
        spool->gone -= spool->gone > 0;
    }

    return spool_save_position(spool, now_ms);
}

int
spool_sync_now(struct spool *spool, int64_t now_ms)
{
    spool->synced_ms = now_ms;

    return spool_writer_sync(spool);
}

int
spool_tick(struct spool *spool, int64_t now_ms)
{
    int rc = 0, saved = 0;

    if (!spool_folder_here(&spool->folder)) {
        return -ENOENT;
    }

    if (spool->dirty && now_ms - spool->synced_ms >= UPKEEP_MS) {
        rc = spool_sync_now(spool, now_ms);
    }
    if (now_ms - spool->saved_ms >= UPKEEP_MS) {
        saved = spool_save_position(spool, now_ms);
    }

    return rc != 0 ? rc : saved;
}
