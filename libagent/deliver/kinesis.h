/* SPDX-License-Identifier: Apache-2.0
 *
 * The PutRecords call as bytes: the request's body, its limits, and what an
 * answer means. Pure.
 */
#ifndef INTENT_DELIVER_KINESIS_H
#define INTENT_DELIVER_KINESIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* AWS takes 500 records and 10 MiB per call (5 MiB before October 2025), and
 * 1 MiB per record, data and partition key together, before base64. The call
 * stays below the older limit: regions and look-alikes may still have it. */
enum {
    KINESIS_MAX_RECORDS = 500,
    KINESIS_MAX_RECORD = 1 << 20,
    KINESIS_MAX_CALL = 9 << 19,                /* 4.5 MiB */
    KINESIS_MAX_KEY = 256,
    KINESIS_MAX_STREAM = 128,
    /* base64 and JSON around 4.5 MiB of data in 500 records */
    KINESIS_MAX_BODY = KINESIS_MAX_CALL / 3 * 4 + KINESIS_MAX_RECORDS * 64
                       + 512,
    KINESIS_MAX_ANSWER = 1 << 20               /* 500 results with messages
                                                  are about 200 KiB */
};

#define KINESIS_TARGET "Kinesis_20131202.PutRecords"
#define KINESIS_CONTENT_TYPE "application/x-amz-json-1.1"

struct kinesis_entry {
    const char *data;
    uint32_t len;
    const char *key;               /* partition key: letters and digits */
};

/* What counts against KINESIS_MAX_RECORD and KINESIS_MAX_CALL. */
size_t kinesis_size(size_t data_len, size_t key_len);

/* Whether a stream may be called so: [a-zA-Z0-9_.-], 1 to 128 of them. */
bool kinesis_stream_valid(const char *stream);

/* The body with the `n` entries at entries[at[0]], entries[at[1]], ... Returns
 * its length, or -ENOSPC. KINESIS_MAX_BODY bytes suffice for entries within
 * the limits. */
long kinesis_body(const char *stream, const struct kinesis_entry *entries,
                  const uint16_t *at, size_t n, char *buf, size_t size);

enum kinesis_class {
    KINESIS_ACCEPTED,              /* stored */
    KINESIS_RETRY,                 /* not stored, or nobody knows: again */
    KINESIS_THROTTLED,             /* not stored: again, more slowly */
    KINESIS_POISON,                /* this record, or one of this call's, will
                                      never be taken */
    KINESIS_STOPPED,               /* nothing is taken until someone mends the
                                      stream, the rights or the settings */
    KINESIS_EXPIRED,               /* fresh credentials are needed */
    KINESIS_SKEWED                 /* this host's clock is wrong */
};

struct kinesis_answer {
    enum kinesis_class class;      /* of the whole call; ACCEPTED: see the
                                      entries */
    bool unknown;                  /* some of it may have been stored */
    size_t failed;                 /* entries not ACCEPTED */
    char code[64];                 /* AWS's name of the (first) error, or "" */
    char message[200];             /* its text, printable ASCII only */
};

/* Reads an answer to a call of n entries (n <= KINESIS_MAX_RECORDS). Fills
 * classes[0..n) when answer->class is ACCEPTED. An answer that makes no sense
 * is RETRY and unknown. */
void kinesis_read(int status, const char *body, size_t len, size_t n,
                  enum kinesis_class *classes, struct kinesis_answer *answer);

/* What a person can do about an error code; "" where there is nothing. */
const char *kinesis_advice(const char *code);

#endif
