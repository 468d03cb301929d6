/* SPDX-License-Identifier: Apache-2.0 */
#include "spool_segment.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"

/* Where the checked part of a record's head begins. */
enum { CHECKED = offsetof(struct segment_record, check) };

size_t
segment_record_size(uint32_t len)
{
    return (sizeof(struct segment_record) + len + 7) & ~(size_t) 7;
}

static uint32_t
head_check(const struct segment_record *record)
{
    return crc32c(0, (const char *) record + CHECKED,
                  sizeof(*record) - CHECKED);
}

void
segment_encode(const struct spool_item *item, uint64_t index, void *out)
{
    struct segment_record record = {
        .mark = SEGMENT_MARK,
        .check = crc32c(0, item->bytes, item->len),
        .len = item->len,
        .index = index,
        .boot = item->boot,
        .seq = item->seq,
        .key = item->key,
        .lane = item->lane
    };
    size_t used = sizeof(record) + item->len;

    record.head_check = head_check(&record);

    memcpy(out, &record, sizeof(record));
    memcpy((char *) out + sizeof(record), item->bytes, item->len);
    memset((char *) out + used, 0, segment_record_size(item->len) - used);
}

static uint32_t
header_check(const struct segment_header *header)
{
    struct segment_header copy = *header;

    copy.check = 0;

    return crc32c(0, &copy, sizeof(copy));
}

void
segment_header_make(struct segment_header *header, uint64_t spool_id,
                    uint64_t first, uint64_t boot, int64_t now_ms)
{
    *header = (struct segment_header) {
        .magic = SEGMENT_MAGIC,
        .version = SEGMENT_VERSION,
        .spool_id = spool_id,
        .first = first,
        .boot = boot,
        .created_ms = now_ms
    };
    header->check = header_check(header);
}

bool
segment_header_valid(const struct segment_header *header)
{
    return header->magic == SEGMENT_MAGIC
           && header->version == SEGMENT_VERSION
           && header->check == header_check(header);
}

void
segment_reader_begin(struct segment_reader *reader, int fd, uint64_t first,
                     char *buffer)
{
    *reader = (struct segment_reader) {
        .fd = fd,
        .next = first,
        .offset = sizeof(struct segment_header),
        .buffer = buffer
    };
}

/* Makes `need` bytes from `at` on available: 1, 0 when the file ends before,
 * or -errno. */
static int
fill(struct segment_reader *reader, size_t need)
{
    ssize_t n;

    if (reader->have - reader->at >= need) {
        return 1;
    }

    memmove(reader->buffer, reader->buffer + reader->at,
            reader->have - reader->at);
    reader->offset += reader->at;
    reader->have -= reader->at;
    reader->at = 0;

    while (reader->have < need) {
        n = pread(reader->fd, reader->buffer + reader->have,
                  SEGMENT_BUFFER - reader->have,
                  (off_t) (reader->offset + reader->have));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            return 0;
        }
        reader->have += (size_t) n;
    }

    return 1;
}

/* Whether a record's head stands here, as written. */
static bool
head_here(const struct segment_reader *reader, struct segment_record *record)
{
    const char *at = reader->buffer + reader->at;
    uint32_t mark;

    memcpy(&mark, at, sizeof(mark));
    if (mark != SEGMENT_MARK) {
        return false;
    }

    memcpy(record, at, sizeof(*record));

    return record->head_check == head_check(record)
           && record->len <= SEGMENT_MAX_RECORD
           && record->index >= reader->next;
}

/* The record whose sound head is given: 1, 0 (its bytes are not sound, it is
 * passed over; or torn off: reader->at stays), or -errno. */
static int
take(struct segment_reader *reader, const struct segment_record *record,
     struct spool_item *item)
{
    size_t size = segment_record_size(record->len);
    const char *bytes;
    int rc;

    rc = fill(reader, size);
    if (rc <= 0) {
        return rc;
    }

    bytes = reader->buffer + reader->at + sizeof(*record);
    reader->at += size;

    if (record->check != crc32c(0, bytes, record->len)) {
        reader->damaged = true;
        return 0;
    }

    reader->damaged |= record->index != reader->next;
    reader->next = record->index + 1;
    *item = (struct spool_item) {
        .boot = record->boot,
        .seq = record->seq,
        .key = record->key,
        .lane = record->lane,
        .len = record->len,
        .bytes = bytes
    };

    return 1;
}

int
segment_read(struct segment_reader *reader, uint64_t limit,
             struct spool_item *item)
{
    struct segment_record record;
    uint64_t before;
    int rc;

    while (reader->next < limit) {
        rc = fill(reader, sizeof(record));
        if (rc <= 0) {
            return rc;
        }

        if (!head_here(reader, &record)) {
            reader->damaged = true;
            reader->at += 8;
            continue;
        }
        if (record.index >= limit) {
            return 0;
        }

        before = segment_reader_offset(reader);
        rc = take(reader, &record, item);
        if (rc != 0 || before == segment_reader_offset(reader)) {
            return rc;
        }
    }

    return 0;
}
