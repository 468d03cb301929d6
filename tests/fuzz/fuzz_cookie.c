/* SPDX-License-Identifier: Apache-2.0
 *
 * The visitor cookie and its key file. The first byte of the input chooses:
 * 'k' the rest is a key file; 'p' the rest is a value up to the MAC, which is
 * then made right, so that what follows the MAC is reached; anything else:
 * all of it is a cookie.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* For mac_text(). */
#include "../../libagent/signal/visitor.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1773600000000ll
#define YEAR (365 * 86400000ll)

static const char key_file[] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
    "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100\n";

static struct intent_keys *
load(const void *text, size_t len, struct intent_error *err)
{
    struct intent_keys *keys = NULL;
    char path[64];
    int fd = memfd_create("keys", MFD_CLOEXEC);

    if (fd < 0 || write(fd, text, len) != (ssize_t) len) {
        abort();
    }

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if ((intent_keys_load(path, &keys, err) == 0) != (keys != NULL)) {
        abort();
    }
    close(fd);

    return keys;
}

static void
check_file(const uint8_t *data, size_t size)
{
    struct intent_error err = { 0 };
    struct intent_keys *keys = load(data, size, &err);

    if (keys == NULL && memchr(err.text, '\0', sizeof(err.text)) == NULL) {
        abort();
    }
    intent_keys_free(keys);
}

/* Whoever is let in is who was signed: signing again gives the same id. */
static void
check_value(const struct intent_keys *keys, const char *value, size_t len)
{
    char visitor[INTENT_VISITOR_LEN], again[INTENT_COOKIE_MAX];

    if (intent_cookie_verify(keys, value, len, NOW, YEAR, visitor) < 0) {
        return;
    }

    if (len != VISITOR_COOKIE
        || intent_cookie_sign(keys, visitor, NOW, again) != VISITOR_COOKIE
        || memcmp(value, again, 3 + 20) != 0)
    {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct intent_keys *keys;
    char value[VISITOR_COOKIE];
    struct intent_error err;

    if (keys == NULL) {
        keys = load(key_file, sizeof(key_file) - 1, &err);
    }

    if (size > 0 && data[0] == 'k') {
        check_file(data + 1, size - 1);
    } else if (size > SIGNED && data[0] == 'p') {
        memcpy(value, data + 1, SIGNED);
        value[SIGNED] = '.';
        mac_text(&keys->key[size % 2], value, value + SIGNED + 1);
        check_value(keys, value, sizeof(value));
    } else {
        check_value(keys, (const char *) data, size);
    }

    return 0;
}
