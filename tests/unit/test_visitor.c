/* SPDX-License-Identifier: Apache-2.0
 *
 * Cookie keys and the signed visitor cookie. The expected value was computed
 * with Python's hmac and base64.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../libagent/signal/visitor.h"
#include "tap.h"

#define KEY_1 "000102030405060708090a0b0c0d0e0f"                              \
              "101112131415161718191a1b1c1d1e1f"
#define KEY_2 "ffeeddccbbaa99887766554433221100"                              \
              "FFEEDDCCBBAA99887766554433221100"
#define ID "00112233445566778899aabbccddeeff"
#define NOW 1773600000000ll
#define DAY 86400000ll
#define YEAR (365 * DAY)

/* hmac(hmac(KEY_1, "intent visitor cookie v1"), value up to the last dot) */
#define COOKIE "v1.ABEiM0RVZneImaq7zN3u_wAAAZzyzEgAAA.xLnxrCHrP4IJLapSN476Tw"

static char path[] = "/tmp/test_visitor.XXXXXX";
static struct intent_error err;

static int
load(const char *text, size_t len, struct intent_keys **keys)
{
    FILE *file = fopen(path, "w");

    fwrite(text, 1, len, file);
    fclose(file);
    memset(&err, 0, sizeof(err));

    return intent_keys_load(path, keys, &err);
}

static struct intent_keys *
keys_of(const char *text)
{
    struct intent_keys *keys;

    if (load(text, strlen(text), &keys) != 0) {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }

    return keys;
}

static void
refused(const char *text, size_t len, const char *says, const char *what)
{
    struct intent_keys *keys = (struct intent_keys *) path;
    int rc = load(text, len, &keys);

    ok(rc == -EINVAL && keys == NULL && strstr(err.text, says) != NULL
       && strncmp(err.text, path, strlen(path)) == 0, "%s", what);
    printf("# %s\n", err.text);
}

static void
test_files(void)
{
    struct intent_keys *keys;
    char line[65], other[65], many[17 * 65 + 1] = "", big[20000];
    int i;

    keys = keys_of("# rotated in March\n\n  " KEY_1 " # old\r\n" KEY_2);
    ok(keys != NULL, "comments, blanks, CRLF, no newline at the end");
    intent_keys_free(keys);

    refused("", 0, "no key", "an empty file");
    refused("# nothing\n", 10, "no key", "only comments");
    refused("abc\n", 4, ":1:1: a key of 3 hex digits", "a short key");
    refused(KEY_1 "0\n", 66, "65 hex digits", "a long key");
    refused("#\n" KEY_1 "\n" KEY_2 "x\n", 2 + 65 + 66, ":3:65: ",
            "a letter behind it, with its place");
    ok(strstr(err.text, "FFEE") == NULL, "whose key is not quoted");
    refused(KEY_1 " " KEY_2 "\n", 130, ":1:65: ", "two on a line");
    refused("\0\0\0\0", 4, ":1:1: ", "binary");

    for (i = 0; i < 17; i++) {
        strcat(many, KEY_1 "\n");
    }
    refused(many, strlen(many), ":17:1: more than 16", "too many keys");
    memset(big, '#', sizeof(big));
    refused(big, sizeof(big), "longer than", "a file of 20 kB");

    is_int(intent_keys_load("/nonexistent/keys", &keys, &err), -ENOENT,
           "no file");
    is_str(err.text, "/nonexistent/keys: cannot read the cookie keys: No such "
           "file or directory", "with a message");
    is_int(intent_keys_load("/tmp", &keys, &err), -EISDIR, "a folder");

    is_int(intent_keys_generate(line), 0, "a new key");
    intent_keys_generate(other);
    ok(strlen(line) == 64 && strcmp(line, other) != 0,
       "64 digits, never the same");
    intent_keys_free(keys_of(line));
    intent_keys_free(NULL);
}

static void
test_value(void)
{
    struct intent_keys *keys = keys_of(KEY_1 "\n");
    char cookie[INTENT_COOKIE_MAX], visitor[INTENT_VISITOR_LEN];

    is_int(intent_cookie_sign(keys, ID, NOW, cookie), VISITOR_COOKIE,
           "the length of a cookie");
    is_str(cookie, COOKIE, "is what another program computes");
    is_int(intent_cookie_verify(keys, cookie, VISITOR_COOKIE, NOW, YEAR,
                                visitor), 0, "verifies");
    ok(memcmp(visitor, ID, INTENT_VISITOR_LEN) == 0, "with its id");
    is_int(intent_cookie_sign(keys, "0011223344556677-899aabbccddeeff", NOW,
                              cookie), -EINVAL, "an id must be hex");
    intent_keys_free(keys);
}

static void
test_forged(void)
{
    struct intent_keys *keys = keys_of(KEY_1 "\n");
    char cookie[INTENT_COOKIE_MAX], copy[INTENT_COOKIE_MAX], big[8192];
    char visitor[INTENT_VISITOR_LEN];
    int i, bit, passed = 0;

    intent_cookie_sign(keys, ID, NOW, cookie);

    for (i = 0; i < VISITOR_COOKIE; i++) {
        for (bit = 0; bit < 8; bit++) {
            memcpy(copy, cookie, sizeof(copy));
            copy[i] = (char) (copy[i] ^ (1 << bit));
            passed += intent_cookie_verify(keys, copy, VISITOR_COOKIE, NOW,
                                           YEAR, visitor) != -EBADMSG;
        }
    }
    is_int(passed, 0, "no cookie with one bit changed passes");

    passed = 0;
    for (i = 0; i <= INTENT_COOKIE_MAX; i++) {
        memset(big, 'A', sizeof(big));
        memcpy(big, cookie, VISITOR_COOKIE);
        passed += i != VISITOR_COOKIE
                  && intent_cookie_verify(keys, big, (size_t) i, NOW, YEAR,
                                          visitor) != -EBADMSG;
    }
    is_int(passed, 0, "nor one of another length");
    is_int(intent_cookie_verify(keys, big, sizeof(big), NOW, YEAR, visitor),
           -EBADMSG, "nor one of 8 kB");
    intent_keys_free(keys);
}

static void
test_rotation(void)
{
    struct intent_keys *old = keys_of(KEY_1 "\n");
    struct intent_keys *both = keys_of(KEY_2 "\n" KEY_1 "\n");
    struct intent_keys *new = keys_of(KEY_2 "\n");
    char cookie[INTENT_COOKIE_MAX], visitor[INTENT_VISITOR_LEN];

    intent_cookie_sign(old, ID, NOW, cookie);
    is_int(intent_cookie_verify(both, cookie, VISITOR_COOKIE, NOW, YEAR,
                                visitor), 1,
           "a cookie of the second key is to be issued anew");
    is_int(intent_cookie_verify(new, cookie, VISITOR_COOKIE, NOW, YEAR,
                                visitor), -EBADMSG,
           "and refused once its key is gone");
    intent_cookie_sign(both, ID, NOW, cookie);
    is_int(intent_cookie_verify(new, cookie, VISITOR_COOKIE, NOW, YEAR,
                                visitor), 0, "the first key signs");
    intent_keys_free(old);
    intent_keys_free(both);
    intent_keys_free(new);
}

static void
test_age(void)
{
    struct intent_keys *keys = keys_of(KEY_1 "\n");
    char cookie[INTENT_COOKIE_MAX], visitor[INTENT_VISITOR_LEN];
    static const struct {
        int64_t now, max_age;
        int rc;
        const char *what;
    } cases[] = {
        { NOW, YEAR, 0, "fresh" },
        { NOW + YEAR / 2, YEAR, 0, "half its life" },
        { NOW + YEAR / 2 + 1, YEAR, 1, "past half its life" },
        { NOW + YEAR, YEAR, 1, "its whole life" },
        { NOW + YEAR + 1, YEAR, -EBADMSG, "expired" },
        { NOW + 100 * YEAR, 0, 0, "without a bound" },
        { NOW - DAY, YEAR, 0, "a clock a day behind" },
        { NOW - DAY - 1, YEAR, 1, "more than a day" },
        { INT64_MIN, YEAR, -EBADMSG, "a clock out of its mind" },
        { INT64_MAX, YEAR, -EBADMSG, "and at the other end" }
    };
    size_t i;

    intent_cookie_sign(keys, ID, NOW, cookie);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(intent_cookie_verify(keys, cookie, VISITOR_COOKIE,
                                    cases[i].now, cases[i].max_age, visitor),
               cases[i].rc, "%s", cases[i].what);
    }
    intent_keys_free(keys);
}

int
main(void)
{
    int fd = mkstemp(path);

    if (fd < 0) {
        skip_all("no temporary file");
        return 0;
    }
    close(fd);

    test_files();
    test_value();
    test_forged();
    test_rotation();
    test_age();
    unlink(path);

    return done_testing();
}
