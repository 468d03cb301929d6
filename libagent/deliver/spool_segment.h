/* SPDX-License-Identifier: Apache-2.0
 *
 * One segment of the spool: the bytes on disk, and a reader that trusts none
 * of them.
 *
 *     struct segment_header
 *     struct segment_record, its bytes, zeros up to a multiple of 8
 *     ...
 *
 * Numbers are in the host's byte order: a spool does not travel. Records
 * carry an index that grows by one per record over all segments, so whatever
 * is missing is counted exactly. Head and bytes of a record are checked
 * apart: with a sound head the length can be trusted, and one flipped byte
 * costs one record; with a broken head the reader looks for the next sound
 * one.
 */
#ifndef INTENT_DELIVER_SPOOL_SEGMENT_H
#define INTENT_DELIVER_SPOOL_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SEGMENT_VERSION = 1,
    SEGMENT_MARK = 0x1e7e1075,     /* where a record begins */
    SEGMENT_MAX_RECORD = 65536,    /* bytes of one event: LANE_MAX_RECORD */
    SEGMENT_BUFFER = 256 << 10     /* read at once; several records */
};

/* "ispool" and two bytes that a text tool would damage. */
#define SEGMENT_MAGIC 0x1a0a6c6f6f707369ull

struct segment_header {
    uint64_t magic;
    uint32_t version;
    uint32_t check;                /* of this header with check = 0 */
    uint64_t spool_id;
    uint64_t first;                /* index of the first record */
    uint64_t boot;                 /* zone of the process that wrote it */
    int64_t created_ms;
    uint64_t reserved[2];
};

struct segment_record {
    uint32_t mark;
    uint32_t head_check;           /* of the fields below */
    uint32_t check;                /* of the bytes */
    uint32_t len;
    uint64_t index;
    uint64_t boot;
    uint64_t seq;
    uint64_t key;
    uint32_t lane;
    uint32_t reserved;
};

_Static_assert(sizeof(struct segment_header) == 64, "as on disk");
_Static_assert(sizeof(struct segment_record) == 56, "as on disk");

/* An event as the spool keeps it. */
struct spool_item {
    uint64_t boot;                 /* (boot, lane, seq): which event it is */
    uint64_t seq;
    uint64_t key;
    uint32_t lane;
    uint32_t len;
    const char *bytes;
};

/* Bytes of a record on disk. */
size_t segment_record_size(uint32_t len);

/* Encodes a record into segment_record_size() bytes. */
void segment_encode(const struct spool_item *item, uint64_t index, void *out);

void segment_header_make(struct segment_header *header, uint64_t spool_id,
                         uint64_t first, uint64_t boot, int64_t now_ms);
bool segment_header_valid(const struct segment_header *header);

/* Reads a segment from its front to its end. Memory: one buffer. */
struct segment_reader {
    int fd;
    bool damaged;                  /* something here was not as written */
    uint64_t next;                 /* index that should come next */
    uint64_t offset;               /* in the file, of buffer[0] */
    size_t at, have;               /* in the buffer */
    char *buffer;                  /* SEGMENT_BUFFER bytes, the caller's */
};

void segment_reader_begin(struct segment_reader *reader, int fd,
                          uint64_t first, char *buffer);

/* The next sound record with an index below `limit`: 1 and *item, whose bytes
 * are borrowed until the next call, reader->next is then one past it; 0 when
 * there is none, up to the end of the file as it is now (reader->next stays:
 * what lies between it and `limit` is lost, or not yet written); -errno when
 * the file cannot be read. Records passed over are those whose index was
 * skipped: the caller compares reader->next before and after. */
int segment_read(struct segment_reader *reader, uint64_t limit,
                 struct spool_item *item);

/* Where in the file the reader stands. */
static inline uint64_t
segment_reader_offset(const struct segment_reader *reader)
{
    return reader->offset + reader->at;
}

#endif
