/* SPDX-License-Identifier: Apache-2.0 */
#include "visitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include "../base/error.h"

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#define sha256_starts(ctx) mbedtls_sha256_starts((ctx), 0)
#define sha256_update mbedtls_sha256_update
#define sha256_finish mbedtls_sha256_finish
#else
#define sha256_starts(ctx) mbedtls_sha256_starts_ret((ctx), 0)
#define sha256_update mbedtls_sha256_update_ret
#define sha256_finish mbedtls_sha256_finish_ret
#endif

_Static_assert((int) VISITOR_COOKIE < (int) INTENT_COOKIE_MAX,
               "the value and a NUL fit");

enum {
    KEY_SIZE = 32,
    KEY_TEXT = 2 * KEY_SIZE,
    BLOCK = 64,                    /* of SHA-256 */
    DIGEST = 32,
    FILE_MAX = 16384,              /* 16 keys with room for comments */
    SIGNED = 3 + VISITOR_PAYLOAD_TEXT
};

/* Clocks of servers differ by less; a cookie from further ahead is issued
 * anew, so that a clock that was once wrong does not make it live for ever. */
#define AHEAD_MS (24 * 3600 * 1000ll)

/* HMAC's two hashes after their first block, which depends on the key only:
 * computed once, so that a cookie takes two blocks and not four. */
struct mac_key {
    mbedtls_sha256_context inner;
    mbedtls_sha256_context outer;
};

struct intent_keys {
    int n;
    struct mac_key key[VISITOR_MAX_KEYS];
};

/* --- HMAC --------------------------------------------------------------- */

static int
start_with(mbedtls_sha256_context *ctx,
           const unsigned char key[static KEY_SIZE], unsigned char pad)
{
    unsigned char block[BLOCK];
    int i, rc;

    memset(block, pad, sizeof(block));
    for (i = 0; i < KEY_SIZE; i++) {
        block[i] ^= key[i];
    }

    rc = sha256_starts(ctx);
    if (rc == 0) {
        rc = sha256_update(ctx, block, sizeof(block));
    }
    mbedtls_platform_zeroize(block, sizeof(block));

    return rc;
}

static int
mac_key_set(struct mac_key *key, const unsigned char bytes[static KEY_SIZE])
{
    int rc;

    rc = start_with(&key->inner, bytes, 0x36);
    if (rc == 0) {
        rc = start_with(&key->outer, bytes, 0x5c);
    }

    return rc == 0 ? 0 : -EIO;
}

static void
mac_key_init(struct mac_key *key)
{
    mbedtls_sha256_init(&key->inner);
    mbedtls_sha256_init(&key->outer);
}

static void
mac_key_free(struct mac_key *key)
{
    mbedtls_sha256_free(&key->inner);
    mbedtls_sha256_free(&key->outer);
}

static int
finish_from(const mbedtls_sha256_context *from, const void *data, size_t len,
            unsigned char out[static DIGEST])
{
    mbedtls_sha256_context ctx;
    int rc;

    mbedtls_sha256_init(&ctx);
    mbedtls_sha256_clone(&ctx, from);
    rc = sha256_update(&ctx, data, len);
    if (rc == 0) {
        rc = sha256_finish(&ctx, out);
    }
    mbedtls_sha256_free(&ctx);

    return rc;
}

static int
mac(const struct mac_key *key, const void *data, size_t len,
    unsigned char out[static DIGEST])
{
    int rc;

    rc = finish_from(&key->inner, data, len, out);
    if (rc == 0) {
        rc = finish_from(&key->outer, out, DIGEST, out);
    }

    return rc == 0 ? 0 : -EIO;
}

/* The key of the file's bytes for this purpose. */
static int
derive(struct mac_key *key, const unsigned char bytes[static KEY_SIZE])
{
    static const char label[] = "intent visitor cookie v1";
    unsigned char derived[DIGEST];
    struct mac_key master;
    int rc;

    mac_key_init(&master);

    rc = mac_key_set(&master, bytes);
    if (rc == 0) {
        rc = mac(&master, label, sizeof(label) - 1, derived);
    }
    if (rc == 0) {
        rc = mac_key_set(key, derived);
    }

    mbedtls_platform_zeroize(derived, sizeof(derived));
    mac_key_free(&master);

    return rc;
}

/* --- text --------------------------------------------------------------- */

static const char digits64[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";

/* base64url without padding. Returns the digits written. */
static size_t
encode64(const unsigned char *in, size_t len, char *out)
{
    uint32_t bits = 0;
    int have = 0;
    size_t i, n = 0;

    for (i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        for (have += 8; have >= 6; have -= 6) {
            out[n++] = digits64[bits >> (have - 6) & 63];
        }
    }

    if (have > 0) {
        out[n++] = digits64[bits << (6 - have) & 63];
    }

    return n;
}

static int
digit64(char c)
{
    const char *p = memchr(digits64, c, sizeof(digits64));

    return p == NULL ? -1 : (int) (p - digits64);
}

/* The reverse for digits that fill `len` bytes. False for anything else. */
static bool
decode64(const char *in, size_t n, unsigned char *out, size_t len)
{
    uint32_t bits = 0;
    int have = 0, digit;
    size_t i, at = 0;

    for (i = 0; i < n; i++) {
        digit = digit64(in[i]);
        if (digit < 0) {
            return false;
        }

        bits = bits << 6 | (uint32_t) digit;
        have += 6;
        if (have >= 8 && at < len) {
            have -= 8;
            out[at++] = (unsigned char) (bits >> have);
        }
    }

    return at == len;
}

static int
digit16(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c = (char) (c | 0x20);

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes at the front that are hex digits, at most n. */
static size_t
hex_span(const char *in, size_t n)
{
    size_t i = 0;

    while (i < n && digit16(in[i]) >= 0) {
        i++;
    }

    return i;
}

static void
hex_decode(const char *in, unsigned char *out, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        out[i] = (unsigned char) ((unsigned) digit16(in[2 * i]) << 4
                                  | (unsigned) digit16(in[2 * i + 1]));
    }
}

static void
hex_encode(const unsigned char *in, size_t len, char *out)
{
    static const char hex[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < len; i++) {
        out[2 * i] = hex[in[i] >> 4];
        out[2 * i + 1] = hex[in[i] & 15];
    }
}

/* --- key file ----------------------------------------------------------- */

/* Reads at most `size` bytes. Returns how many, or -errno. */
static ssize_t
read_file(const char *path, char *buf, size_t size)
{
    size_t len = 0;
    ssize_t n = 0;
    int fd;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }

    while (len < size) {
        n = read(fd, buf + len, size - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        len += (size_t) n;
    }

    n = n < 0 ? -errno : (ssize_t) len;
    close(fd);

    return n;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One line: nothing, a comment, or a key. The text of a message never quotes
 * it: what is nearly a key is nearly a secret. */
static int
add_line(struct intent_keys *keys, const char *path, int number,
         const char *line, size_t len, struct intent_error *err)
{
    unsigned char bytes[KEY_SIZE];
    size_t start = 0, n, end;
    int rc;

    while (start < len && is_blank(line[start])) {
        start++;
    }
    n = hex_span(line + start, len - start);
    for (end = start + n; end < len && is_blank(line[end]); end++) {
        /* void */
    }

    if (n == 0 && (end == len || line[end] == '#')) {
        return 0;
    }

    if (end < len && line[end] != '#') {
        error_at(err, path, number, (int) (start + n + 1),
                 "not a hex digit; a line is one key of 64 hex digits, as "
                 "`intentctl keygen` prints it, or a comment after #");
        return -EINVAL;
    }

    if (n != KEY_TEXT) {
        error_at(err, path, number, (int) start + 1,
                 "a key of %zu hex digits; expected 64, as `intentctl "
                 "keygen` prints them", n);
        return -EINVAL;
    }

    if (keys->n == VISITOR_MAX_KEYS) {
        error_at(err, path, number, (int) start + 1,
                 "more than %d keys; remove the oldest, which are the last",
                 VISITOR_MAX_KEYS);
        return -EINVAL;
    }

    hex_decode(line + start, bytes, sizeof(bytes));
    mac_key_init(&keys->key[keys->n]);
    rc = derive(&keys->key[keys->n++], bytes);
    mbedtls_platform_zeroize(bytes, sizeof(bytes));

    return rc;
}

static int
add_lines(struct intent_keys *keys, const char *path, const char *text,
          size_t len, struct intent_error *err)
{
    const char *end;
    size_t n;
    int number, rc;

    for (number = 1; len != 0; number++) {
        end = memchr(text, '\n', len);
        n = end == NULL ? len : (size_t) (end - text);

        rc = add_line(keys, path, number, text, n, err);
        if (rc != 0) {
            return rc;
        }

        n += end != NULL;
        text += n;
        len -= n;
    }

    if (keys->n == 0) {
        error_at(err, path, 0, 0, "no key in it; make one with `intentctl "
                 "keygen > %s`", path);
        return -EINVAL;
    }

    return 0;
}

int
intent_keys_load(const char *path, struct intent_keys **out,
                 struct intent_error *err)
{
    char text[FILE_MAX + 1] = "";
    struct intent_keys *keys;
    ssize_t len;
    int rc;

    *out = NULL;

    keys = calloc(1, sizeof(*keys));
    if (keys == NULL) {
        error_set(err, "out of memory");
        return -ENOMEM;
    }

    len = read_file(path, text, sizeof(text));
    if (len < 0) {
        rc = (int) len;
        error_at(err, path, 0, 0, "cannot read the cookie keys: %s",
                 strerror(-rc));
    } else if (len > FILE_MAX) {
        rc = -EINVAL;
        error_at(err, path, 0, 0, "longer than %d bytes; expected one key of "
                 "64 hex digits a line", FILE_MAX);
    } else {
        rc = add_lines(keys, path, text, (size_t) len, err);
    }

    mbedtls_platform_zeroize(text, sizeof(text));
    if (rc != 0) {
        intent_keys_free(keys);
        return rc;
    }

    *out = keys;

    return 0;
}

void
intent_keys_free(struct intent_keys *keys)
{
    int i;

    if (keys == NULL) {
        return;
    }

    for (i = 0; i < keys->n; i++) {
        mac_key_free(&keys->key[i]);
    }

    free(keys);
}

int
intent_keys_generate(char line[static 65])
{
    unsigned char bytes[KEY_SIZE];

    /* So many bytes come whole or not at all. */
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t) sizeof(bytes)) {
        return errno == 0 ? -EIO : -errno;
    }

    hex_encode(bytes, sizeof(bytes), line);
    line[KEY_TEXT] = '\0';
    mbedtls_platform_zeroize(bytes, sizeof(bytes));

    return 0;
}

/* --- cookie ------------------------------------------------------------- */

static int
mac_text(const struct mac_key *key, const char *text,
         char out[static VISITOR_MAC_TEXT])
{
    unsigned char digest[DIGEST];
    int rc;

    rc = mac(key, text, SIGNED, digest);
    if (rc == 0) {
        encode64(digest, VISITOR_MAC, out);
    }

    return rc;
}

int
intent_cookie_sign(const struct intent_keys *keys,
                   const char visitor[static INTENT_VISITOR_LEN],
                   int64_t now_ms, char out[static INTENT_COOKIE_MAX])
{
    unsigned char payload[VISITOR_PAYLOAD] = { 0 };
    int i, rc;

    if (hex_span(visitor, INTENT_VISITOR_LEN) != INTENT_VISITOR_LEN) {
        return -EINVAL;
    }

    hex_decode(visitor, payload, INTENT_VISITOR_LEN / 2);
    for (i = 0; i < 8; i++) {
        payload[16 + i] = (unsigned char) ((uint64_t) now_ms >> (56 - 8 * i));
    }

    memcpy(out, "v1.", 3);
    encode64(payload, sizeof(payload), out + 3);
    out[SIGNED] = '.';
    rc = mac_text(&keys->key[0], out, out + SIGNED + 1);
    out[VISITOR_COOKIE] = '\0';

    return rc == 0 ? VISITOR_COOKIE : rc;
}

/* The key that signed the value, or -1. */
static int
signer(const struct intent_keys *keys, const char *value)
{
    char expected[VISITOR_MAC_TEXT];
    int i;

    for (i = 0; i < keys->n; i++) {
        if (mac_text(&keys->key[i], value, expected) == 0
            && mbedtls_ct_memcmp(expected, value + SIGNED + 1,
                                 VISITOR_MAC_TEXT) == 0)
        {
            return i;
        }
    }

    return -1;
}

/* 0, 1 (issue anew) or -EBADMSG (too old). */
static int
check_age(uint64_t issued, int64_t now_ms, int64_t max_age_ms)
{
    int64_t age;

    if (__builtin_sub_overflow(now_ms, (int64_t) issued, &age)
        || (max_age_ms > 0 && age > max_age_ms))
    {
        return -EBADMSG;
    }

    return age < -AHEAD_MS || (max_age_ms > 0 && age > max_age_ms / 2);
}

int
intent_cookie_verify(const struct intent_keys *keys, const char *value,
                     size_t len, int64_t now_ms, int64_t max_age_ms,
                     char visitor[static INTENT_VISITOR_LEN])
{
    unsigned char payload[VISITOR_PAYLOAD];
    uint64_t issued = 0;
    int i, key, rc;

    if (len != VISITOR_COOKIE) {
        return -EBADMSG;
    }

    key = signer(keys, value);
    if (key < 0 || value[SIGNED] != '.' || memcmp(value, "v1.", 3) != 0
        || !decode64(value + 3, VISITOR_PAYLOAD_TEXT, payload,
                     sizeof(payload)))
    {
        return -EBADMSG;
    }

    for (i = 0; i < 8; i++) {
        issued = issued << 8 | payload[16 + i];
    }

    rc = check_age(issued, now_ms, max_age_ms);
    if (rc < 0) {
        return rc;
    }

    hex_encode(payload, INTENT_VISITOR_LEN / 2, visitor);

    return key > 0 ? 1 : rc;
}
