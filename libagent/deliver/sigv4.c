/* SPDX-License-Identifier: Apache-2.0 */
#include "sigv4.h"

#include <errno.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { SHA256_SIZE = 32 };

/* Text that grows in a caller's buffer; once full it stays full, so that only
 * the end result is to be checked. One byte is kept for the NUL. */
struct text {
    char *at;
    size_t len, size;
    bool full;
};

static void
put(struct text *text, const char *bytes, size_t len)
{
    if (text->full || len >= text->size - text->len) {
        text->full = true;
        return;
    }

    memcpy(text->at + text->len, bytes, len);
    text->len += len;
    text->at[text->len] = '\0';
}

static void
put_str(struct text *text, const char *s)
{
    put(text, s, strlen(s));
}

static struct text
text_of(char *buf, size_t size)
{
    buf[0] = '\0';

    return (struct text) { .at = buf, .size = size };
}

static void
hex(const unsigned char digest[static SHA256_SIZE],
    char out[static 2 * SHA256_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < SHA256_SIZE; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * i] = '\0';
}

static int
sha256_hex(const void *data, size_t len, char out[static 2 * SHA256_SIZE + 1])
{
    unsigned char digest[SHA256_SIZE];

    if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                   len == 0 ? (const void *) "" : data, len, digest) != 0)
    {
        return -ENOMEM;
    }

    hex(digest, out);

    return 0;
}

static int
hmac(const void *key, size_t key_len, const char *data,
     unsigned char out[static SHA256_SIZE])
{
    return mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), key,
                           key_len, (const unsigned char *) data,
                           strlen(data), out) != 0
           ? -ENOMEM : 0;
}

static int
amz_date(int64_t now_ms, char out[static 17])
{
    time_t seconds = (time_t) (now_ms / 1000);
    struct tm tm;

    if (now_ms < 0 || gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 8099) {
        return -EINVAL;
    }

    return strftime(out, 17, "%Y%m%dT%H%M%SZ", &tm) == 16 ? 0 : -EINVAL;
}

/* --- path and query ----------------------------------------------------- */

static bool
unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c >= '0' && c <= '9')
           || c == '-' || c == '.' || c == '_' || c == '~';
}

static void
put_encoded(struct text *text, char c)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char byte = (unsigned char) c;
    char escape[3] = { '%', digits[byte >> 4], digits[byte & 15] };

    if (unreserved(c)) {
        put(text, &c, 1);
    } else {
        put(text, escape, sizeof(escape));
    }
}

/* Drops the last segment of what was written since `start`. */
static void
drop_segment(struct text *text, size_t start)
{
    while (text->len > start && text->at[text->len - 1] != '/') {
        text->len--;
    }
    if (text->len > start) {
        text->len--;
    }
}

/* The path is encoded once more even where it is so already: every service
 * but S3 wants that. Segments keep their order, so `..` can be resolved on
 * the way. */
static void
put_path(struct text *text, const char *path, bool normalize)
{
    size_t start = text->len, len;

    if (*path != '/') {
        put_str(text, "/");
    }

    while (*path != '\0') {
        if (*path != '/') {
            put_encoded(text, *path++);
            continue;
        }

        len = strcspn(path + 1, "/");
        if (!normalize) {
            put(text, path++, 1);
        } else if (len == 2 && memcmp(path + 1, "..", 2) == 0) {
            drop_segment(text, start);
            path += 3;
            put_str(text, *path == '\0' ? "/" : "");
        } else if (path[1] != '\0' && (len == 0 || (len == 1
                                                    && path[1] == '.')))
        {
            path += len + 1;
            put_str(text, *path == '\0' ? "/" : "");
        } else {
            put(text, path++, 1);
        }
    }

    if (text->len == start) {
        put_str(text, "/");
    }
}

struct param {
    const char *name, *value;      /* encoded, NUL-terminated */
};

static int
param_order(const void *a, const void *b)
{
    const struct param *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    return order != 0 ? order : strcmp(left->value, right->value);
}

static int
hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at;

    at = c == '\0' ? NULL : strchr(digits, c | 0x20);

    return at == NULL ? -1 : (int) (at - digits);
}

/* Encodes [from, to) as one NUL-terminated string; what is percent-encoded
 * already is decoded first. */
static const char *
put_component(struct text *text, const char *from, const char *to)
{
    const char *start = text->at + text->len;
    char c;

    while (from < to) {
        c = *from++;
        if (c == '%' && to - from >= 2 && hex_digit(from[0]) >= 0
            && hex_digit(from[1]) >= 0)
        {
            c = (char) (hex_digit(from[0]) << 4 | hex_digit(from[1]));
            from += 2;
        }
        put_encoded(text, c);
    }
    put(text, "", 1);

    return start;
}

static int
put_query(struct text *text, const char *query)
{
    char encoded[4096];
    struct text room = text_of(encoded, sizeof(encoded));
    struct param params[SIGV4_MAX_PARAMS];
    const char *end, *equals;
    size_t n = 0, i;

    for (; query != NULL && *query != '\0'; query = end + (*end != '\0')) {
        end = query + strcspn(query, "&");
        equals = memchr(query, '=', (size_t) (end - query));
        if (end == query) {
            continue;
        }
        if (n == SIGV4_MAX_PARAMS) {
            return -E2BIG;
        }
        params[n].name = put_component(&room, query,
                                       equals != NULL ? equals : end);
        params[n++].value = put_component(&room,
                                          equals != NULL ? equals + 1 : end,
                                          end);
    }

    if (room.full) {
        return -E2BIG;
    }

    qsort(params, n, sizeof(params[0]), param_order);

    for (i = 0; i < n; i++) {
        put_str(text, i == 0 ? "" : "&");
        put_str(text, params[i].name);
        put_str(text, "=");
        put_str(text, params[i].value);
    }

    return 0;
}

/* --- headers ------------------------------------------------------------ */

struct header_list {
    size_t n;
    struct sigv4_header at[SIGV4_MAX_HEADERS + 3];
};

/* Sorted by name, equal names in the order of appearance. */
static void
header_add(struct header_list *list, const char *name, const char *value)
{
    size_t i = list->n++;

    for (; i > 0 && strcasecmp(list->at[i - 1].name, name) > 0; i--) {
        list->at[i] = list->at[i - 1];
    }
    list->at[i] = (struct sigv4_header) { name, value };
}

static void
put_lower(struct text *text, const char *name)
{
    char c;

    for (; *name != '\0'; name++) {
        c = *name >= 'A' && *name <= 'Z' ? (char) (*name | 0x20) : *name;
        put(text, &c, 1);
    }
}

/* Trimmed, runs of white space (folded lines too) as one space. */
static void
put_trimmed(struct text *text, const char *value)
{
    static const char space[] = " \t\r\n";
    size_t len;

    value += strspn(value, space);
    while (*value != '\0') {
        len = strcspn(value, space);
        put(text, value, len);
        value += len;
        value += strspn(value, space);
        put_str(text, *value == '\0' ? "" : " ");
    }
}

static void
put_headers(struct text *text, const struct header_list *list)
{
    size_t i;

    for (i = 0; i < list->n; i++) {
        if (i > 0
            && strcasecmp(list->at[i - 1].name, list->at[i].name) == 0)
        {
            put_str(text, ",");
        } else {
            put_str(text, i == 0 ? "" : "\n");
            put_lower(text, list->at[i].name);
            put_str(text, ":");
        }
        put_trimmed(text, list->at[i].value);
    }
    put_str(text, "\n");
}

static void
put_names(struct text *text, const struct header_list *list)
{
    size_t i;

    for (i = 0; i < list->n; i++) {
        if (i == 0 || strcasecmp(list->at[i - 1].name, list->at[i].name) != 0)
        {
            put_str(text, i == 0 ? "" : ";");
            put_lower(text, list->at[i].name);
        }
    }
}

/* --- the signature ------------------------------------------------------ */

/* What is computed once for all of the steps. */
struct signing {
    char date[17], day[9], body[2 * SHA256_SIZE + 1];
    struct header_list headers;
};

static int
prepare(const struct sigv4_request *request,
        const struct credentials *credentials, int64_t now_ms,
        struct signing *s)
{
    size_t i;
    int rc;

    if (request->n_headers > SIGV4_MAX_HEADERS) {
        return -E2BIG;
    }

    rc = amz_date(now_ms, s->date);
    if (rc == 0) {
        rc = sha256_hex(request->body, request->body_len, s->body);
    }
    if (rc != 0) {
        return rc;
    }

    memcpy(s->day, s->date, 8);
    s->day[8] = '\0';

    s->headers.n = 0;
    for (i = 0; i < request->n_headers; i++) {
        header_add(&s->headers, request->headers[i].name,
                   request->headers[i].value);
    }
    header_add(&s->headers, "x-amz-date", s->date);
    if (request->sign_body) {
        header_add(&s->headers, "x-amz-content-sha256", s->body);
    }
    if (credentials->token[0] != '\0' && !request->omit_token) {
        header_add(&s->headers, "x-amz-security-token", credentials->token);
    }

    return 0;
}

static int
canonical_request(const struct sigv4_request *request,
                  const struct signing *s, char *out)
{
    struct text text = text_of(out, SIGV4_MAX_CANONICAL);
    int rc;

    put_str(&text, request->method);
    put_str(&text, "\n");
    put_path(&text, request->path, request->normalize);
    put_str(&text, "\n");
    rc = put_query(&text, request->query);
    if (rc != 0) {
        return rc;
    }
    put_str(&text, "\n");
    put_headers(&text, &s->headers);
    put_str(&text, "\n");
    put_names(&text, &s->headers);
    put_str(&text, "\n");
    put_str(&text, s->body);

    return text.full ? -E2BIG : 0;
}

static void
put_scope(struct text *text, const struct signing *s,
          const struct sigv4_scope *scope)
{
    put_str(text, s->day);
    put_str(text, "/");
    put_str(text, scope->region);
    put_str(text, "/");
    put_str(text, scope->service);
    put_str(text, "/aws4_request");
}

static int
string_to_sign(const struct sigv4_request *request, const struct signing *s,
               const struct sigv4_scope *scope, char *out)
{
    struct text text = text_of(out, SIGV4_MAX_AUTHORIZATION);
    char canonical[SIGV4_MAX_CANONICAL], digest[2 * SHA256_SIZE + 1];
    int rc;

    rc = canonical_request(request, s, canonical);
    if (rc == 0) {
        rc = sha256_hex(canonical, strlen(canonical), digest);
    }
    mbedtls_platform_zeroize(canonical, sizeof(canonical));
    if (rc != 0) {
        return rc;
    }

    put_str(&text, "AWS4-HMAC-SHA256\n");
    put_str(&text, s->date);
    put_str(&text, "\n");
    put_scope(&text, s, scope);
    put_str(&text, "\n");
    put_str(&text, digest);

    return text.full ? -E2BIG : 0;
}

static int
signature(const char *secret, const struct signing *s,
          const struct sigv4_scope *scope, const char *to_sign,
          char out[static 2 * SHA256_SIZE + 1])
{
    const char *steps[] = { s->day, scope->region, scope->service,
                            "aws4_request", to_sign };
    char first[4 + CREDENTIALS_KEY_MAX + 1] = "AWS4";
    unsigned char key[SHA256_SIZE], next[SHA256_SIZE];
    size_t i;
    int rc;

    memcpy(first + 4, secret, strlen(secret) + 1);
    rc = hmac(first, strlen(first), steps[0], key);

    for (i = 1; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++) {
        rc = hmac(key, sizeof(key), steps[i], next);
        memcpy(key, next, sizeof(key));
    }

    if (rc == 0) {
        hex(key, out);
    }
    mbedtls_platform_zeroize(first, sizeof(first));
    mbedtls_platform_zeroize(key, sizeof(key));
    mbedtls_platform_zeroize(next, sizeof(next));

    return rc;
}

int
sigv4_sign(const struct sigv4_request *request,
           const struct sigv4_scope *scope,
           const struct credentials *credentials, int64_t now_ms,
           struct sigv4_signature *out)
{
    struct text text = text_of(out->authorization, SIGV4_MAX_AUTHORIZATION);
    char to_sign[SIGV4_MAX_AUTHORIZATION], digest[2 * SHA256_SIZE + 1];
    struct signing s;
    int rc;

    rc = prepare(request, credentials, now_ms, &s);
    if (rc == 0) {
        rc = string_to_sign(request, &s, scope, to_sign);
    }
    if (rc == 0) {
        rc = signature(credentials->secret, &s, scope, to_sign, digest);
    }
    if (rc != 0) {
        return rc;
    }

    memcpy(out->date, s.date, sizeof(s.date));
    memcpy(out->content_sha256, s.body, sizeof(s.body));

    put_str(&text, "AWS4-HMAC-SHA256 Credential=");
    put_str(&text, credentials->key_id);
    put_str(&text, "/");
    put_scope(&text, &s, scope);
    put_str(&text, ", SignedHeaders=");
    put_names(&text, &s.headers);
    put_str(&text, ", Signature=");
    put_str(&text, digest);

    return text.full ? -E2BIG : 0;
}

int
sigv4_canonical_request(const struct sigv4_request *request,
                        const struct credentials *credentials,
                        int64_t now_ms, char out[static SIGV4_MAX_CANONICAL])
{
    struct signing s;
    int rc;

    rc = prepare(request, credentials, now_ms, &s);

    return rc != 0 ? rc : canonical_request(request, &s, out);
}

int
sigv4_string_to_sign(const struct sigv4_request *request,
                     const struct sigv4_scope *scope,
                     const struct credentials *credentials, int64_t now_ms,
                     char out[static SIGV4_MAX_AUTHORIZATION])
{
    struct signing s;
    int rc;

    rc = prepare(request, credentials, now_ms, &s);

    return rc != 0 ? rc : string_to_sign(request, &s, scope, out);
}
