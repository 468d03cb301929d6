/* SPDX-License-Identifier: Apache-2.0
 *
 * An answer to PutRecords, as the network may send it. The first two bytes
 * choose the status and how many records were sent.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../libagent/deliver/kinesis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = { 200, 400, 403, 500, 503, 413, 429, 0 };
    enum kinesis_class classes[KINESIS_MAX_RECORDS + 1];
    struct kinesis_answer answer;
    size_t n, i, failed = 0;
    char *body;

    if (size < 2) {
        return 0;
    }
    n = data[1] % 8 == 7 ? KINESIS_MAX_RECORDS : data[1] % 8 + 1u;

    /* A copy of its own, so that a read beyond its end is seen. */
    body = malloc(size - 1);
    if (body == NULL) {
        return 0;
    }
    memcpy(body, data + 2, size - 2);
    memset(classes, 0x55, sizeof(classes));

    kinesis_read(statuses[data[0] % 8], body, size - 2, n, classes, &answer);
    free(body);

    if (answer.class == KINESIS_ACCEPTED) {
        for (i = 0; i < n; i++) {
            if (classes[i] > KINESIS_SKEWED) {
                abort();
            }
            failed += classes[i] != KINESIS_ACCEPTED;
        }
        if (failed != answer.failed || data[0] % 8 != 0) {
            abort();
        }
    }
    if ((unsigned) classes[n] != 0x55555555u
        || strlen(answer.code) >= sizeof(answer.code)
        || strlen(answer.message) >= sizeof(answer.message))
    {
        abort();
    }
    for (i = 0; answer.message[i] != '\0'; i++) {
        if (answer.message[i] < ' ' || answer.message[i] > '~') {
            abort();
        }
    }
    kinesis_advice(answer.code);

    return 0;
}
