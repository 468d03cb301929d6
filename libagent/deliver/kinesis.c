/* SPDX-License-Identifier: Apache-2.0 */
#include "kinesis.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

size_t
kinesis_size(size_t data_len, size_t key_len)
{
    return data_len + key_len;
}

bool
kinesis_stream_valid(const char *stream)
{
    size_t len = strspn(stream, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789_.-");

    return len >= 1 && len <= KINESIS_MAX_STREAM && stream[len] == '\0';
}

/* --- the request -------------------------------------------------------- */

static size_t
base64_size(size_t len)
{
    return (len + 2) / 3 * 4;
}

static char *
base64(char *out, const char *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *) data;
    uint32_t v;

    for (; len >= 3; len -= 3, p += 3) {
        v = (uint32_t) p[0] << 16 | (uint32_t) p[1] << 8 | p[2];
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = digits[v >> 6 & 63];
        *out++ = digits[v & 63];
    }

    if (len > 0) {
        v = (uint32_t) p[0] << 16 | (len == 2 ? (uint32_t) p[1] << 8 : 0);
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = len == 2 ? digits[v >> 6 & 63] : '=';
        *out++ = '=';
    }

    return out;
}

static char *
text(char *out, const char *s)
{
    size_t len = strlen(s);

    memcpy(out, s, len);

    return out + len;
}

long
kinesis_body(const char *stream, const struct kinesis_entry *entries,
             const uint16_t *at, size_t n, char *buf, size_t size)
{
    static const char head[] = "{\"StreamName\":\"";
    static const char middle[] = "\",\"Records\":[", tail[] = "]}";
    static const char data[] = "{\"Data\":\"", end[] = "\"}";
    static const char key[] = "\",\"PartitionKey\":\"";
    const struct kinesis_entry *entry;
    size_t need, i;
    char *p = buf;

    need = sizeof(head) + sizeof(middle) + sizeof(tail) + strlen(stream);
    for (i = 0; i < n; i++) {
        entry = &entries[at[i]];
        need += sizeof(data) + sizeof(key) + sizeof(end) + strlen(entry->key)
                + base64_size(entry->len);
    }
    if (need > size) {
        return -ENOSPC;
    }

    p = text(p, head);
    p = text(p, stream);
    p = text(p, middle);

    for (i = 0; i < n; i++) {
        entry = &entries[at[i]];
        if (i > 0) {
            *p++ = ',';
        }
        p = text(p, data);
        p = base64(p, entry->data, entry->len);
        p = text(p, key);
        p = text(p, entry->key);
        p = text(p, end);
    }

    p = text(p, tail);

    return p - buf;
}

/* --- the answer --------------------------------------------------------- */

static const struct {
    const char *code;
    enum kinesis_class class;
    const char *advice;
} codes[] = {
    { "ProvisionedThroughputExceededException", KINESIS_THROTTLED,
      "the stream has too few shards for this traffic" },
    { "LimitExceededException", KINESIS_THROTTLED, "" },
    { "ThrottlingException", KINESIS_THROTTLED, "" },
    { "Throttling", KINESIS_THROTTLED, "" },
    { "RequestLimitExceeded", KINESIS_THROTTLED, "" },
    { "KMSThrottlingException", KINESIS_THROTTLED,
      "the stream's KMS key is used beyond its quota" },
    { "InternalFailure", KINESIS_RETRY, "" },
    { "InternalFailureException", KINESIS_RETRY, "" },
    { "ServiceUnavailable", KINESIS_RETRY, "" },
    { "ServiceUnavailableException", KINESIS_RETRY, "" },
    { "ValidationException", KINESIS_POISON, "" },
    { "InvalidArgumentException", KINESIS_POISON, "" },
    { "ExpiredTokenException", KINESIS_EXPIRED,
      "the session token has expired: give intentd fresh credentials" },
    { "ExpiredToken", KINESIS_EXPIRED,
      "the session token has expired: give intentd fresh credentials" },
    { "RequestExpired", KINESIS_SKEWED, "set this host's clock" },
    { "RequestTimeTooSkewed", KINESIS_SKEWED, "set this host's clock" },
    { "ResourceNotFoundException", KINESIS_STOPPED,
      "create the stream, or mend forward.kinesis.stream or region" },
    { "AccessDeniedException", KINESIS_STOPPED,
      "allow kinesis:PutRecords on the stream to these credentials" },
    { "UnrecognizedClientException", KINESIS_STOPPED,
      "AWS_ACCESS_KEY_ID or AWS_SESSION_TOKEN is not known to AWS" },
    { "InvalidClientTokenId", KINESIS_STOPPED,
      "AWS_ACCESS_KEY_ID or AWS_SESSION_TOKEN is not known to AWS" },
    { "MissingAuthenticationTokenException", KINESIS_STOPPED,
      "is something between here and AWS removing headers?" },
    { "MissingAuthenticationToken", KINESIS_STOPPED,
      "is something between here and AWS removing headers?" },
    { "InvalidSignatureException", KINESIS_STOPPED,
      "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID, or "
      "forward.kinesis.region is not the endpoint's" },
    { "IncompleteSignatureException", KINESIS_STOPPED,
      "is something between here and AWS changing headers?" },
    { "OptInRequired", KINESIS_STOPPED,
      "the AWS account has not enabled this region" },
    { "KMSAccessDeniedException", KINESIS_STOPPED,
      "allow kms:GenerateDataKey on the stream's key" },
    { "KMSDisabledException", KINESIS_STOPPED, "enable the stream's KMS key" },
    { "KMSInvalidStateException", KINESIS_STOPPED,
      "the stream's KMS key is not usable" },
    { "KMSNotFoundException", KINESIS_STOPPED,
      "the stream's KMS key does not exist" },
    { "KMSOptInRequired", KINESIS_STOPPED,
      "the AWS account has not enabled KMS" }
};

enum { N_CODES = sizeof(codes) / sizeof(codes[0]) };

const char *
kinesis_advice(const char *code)
{
    size_t i;

    for (i = 0; i < N_CODES; i++) {
        if (strcmp(codes[i].code, code) == 0) {
            return codes[i].advice;
        }
    }

    return "";
}

static enum kinesis_class
class_of(const char *code, enum kinesis_class otherwise)
{
    size_t i;

    for (i = 0; i < N_CODES; i++) {
        if (strcmp(codes[i].code, code) == 0) {
            return codes[i].class;
        }
    }

    return otherwise;
}

/* Copies what a log line may hold: it comes from the network. */
static void
printable(char *out, size_t size, const char *s, size_t len)
{
    size_t i;

    for (i = 0; i < len && i < size - 1; i++) {
        out[i] = s[i] >= ' ' && s[i] <= '~' ? s[i] : ' ';
    }
    out[i] = '\0';
}

static void
copy_json(char *out, size_t size, const json_t *value)
{
    printable(out, size, value == NULL ? "" : json_string_value(value),
              json_string_length(value));
}

/* An error of the whole call: {"__type":"prefix#Code","message":"..."}. */
static void
read_error(int status, const char *body, size_t len, const json_t *root,
           struct kinesis_answer *answer)
{
    const json_t *type = json_object_get(root, "__type"), *message;
    const char *hash;

    if (json_is_string(type)) {
        hash = strrchr(json_string_value(type), '#');
        hash = hash != NULL ? hash + 1 : json_string_value(type);
        printable(answer->code, sizeof(answer->code), hash, strlen(hash));

        message = json_object_get(root, "message");
        if (!json_is_string(message)) {
            message = json_object_get(root, "Message");
        }
        copy_json(answer->message, sizeof(answer->message),
                  json_is_string(message) ? message : NULL);
    } else {
        printable(answer->message, sizeof(answer->message), body, len);
    }

    answer->unknown = status >= 500;
    answer->class = class_of(answer->code,
                             status >= 500 || status == 408 ? KINESIS_RETRY
                             : status == 429 ? KINESIS_THROTTLED
                             : status == 413 ? KINESIS_POISON
                             : KINESIS_STOPPED);

    if (answer->class == KINESIS_STOPPED
        && (strncmp(answer->message, "Signature expired", 17) == 0
            || strncmp(answer->message, "Signature not yet current", 25)
               == 0))
    {
        answer->class = KINESIS_SKEWED;
    }
}

/* One result: exactly one of SequenceNumber and ErrorCode. */
static bool
read_result(const json_t *result, enum kinesis_class *class,
            struct kinesis_answer *answer)
{
    const json_t *sequence = json_object_get(result, "SequenceNumber");
    const json_t *code = json_object_get(result, "ErrorCode"), *message;

    if (json_is_string(sequence) && json_string_length(sequence) > 0
        && (code == NULL || json_is_null(code)))
    {
        *class = KINESIS_ACCEPTED;
        return true;
    }
    if (!json_is_string(code) || json_string_length(code) == 0) {
        return false;
    }

    *class = class_of(json_string_value(code), KINESIS_RETRY);

    /* The worst is what a person should read of. */
    if (answer->failed++ == 0 || *class == KINESIS_STOPPED) {
        copy_json(answer->code, sizeof(answer->code), code);
        message = json_object_get(result, "ErrorMessage");
        copy_json(answer->message, sizeof(answer->message),
                  json_is_string(message) ? message : NULL);
    }

    return true;
}

static bool
read_results(const json_t *root, size_t n, enum kinesis_class *classes,
             struct kinesis_answer *answer)
{
    const json_t *records = json_object_get(root, "Records");
    size_t i;

    if (!json_is_array(records) || json_array_size(records) != n) {
        return false;
    }

    for (i = 0; i < n; i++) {
        if (!read_result(json_array_get(records, i), &classes[i], answer)) {
            return false;
        }
    }

    return true;
}

void
kinesis_read(int status, const char *body, size_t len, size_t n,
             enum kinesis_class *classes, struct kinesis_answer *answer)
{
    json_t *root;

    memset(answer, 0, sizeof(*answer));

    root = json_loadb(body, len, 0, NULL);

    if (status != 200) {
        read_error(status, body, len, root, answer);
    } else if (!read_results(root, n, classes, answer)) {
        memset(answer, 0, sizeof(*answer));
        answer->class = KINESIS_RETRY;
        answer->unknown = true;
        strcpy(answer->code, "unreadable answer");
        printable(answer->message, sizeof(answer->message), body, len);
    }

    json_decref(root);
}
