/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "../../libagent/deliver/credentials.h"
#include "tap.h"

static struct credentials got;
static const char *blame;

static void
environment(const char *id, const char *secret, const char *token)
{
    const char *names[] = { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                            "AWS_SESSION_TOKEN" };
    const char *values[] = { id, secret, token };
    int i;

    for (i = 0; i < 3; i++) {
        if (values[i] == NULL) {
            unsetenv(names[i]);
        } else {
            setenv(names[i], values[i], 1);
        }
    }
}

static int
load(void)
{
    memset(&got, 0x55, sizeof(got));

    return credentials_load(credentials_chain, 0, &got, &blame);
}

static bool
wiped(void)
{
    const char *p = (const char *) &got;
    size_t i;

    for (i = 0; i < sizeof(got); i++) {
        if (p[i] != 0) {
            return false;
        }
    }

    return true;
}

static void
by_environment(void)
{
    char longest[CREDENTIALS_TOKEN_MAX + 2];

    environment("AKID", "secret/+=", NULL);
    is_int(load(), 0, "id and secret");
    is_str(got.key_id, "AKID", "the id");
    is_str(got.secret, "secret/+=", "the secret");
    is_str(got.token, "", "no token");
    is_int(got.expires_ms, 0, "they do not expire");

    environment("AKID", "secret", "a/token==");
    is_int(load(), 0, "with a token");
    is_str(got.token, "a/token==", "the token");

    environment(NULL, NULL, "token alone");
    is_int(load(), -ENOENT, "nothing set");
    ok(wiped() && blame == NULL, "nobody to blame");
    environment("", "", "");
    is_int(load(), -ENOENT, "empty counts as unset");

    environment("AKID", NULL, NULL);
    is_int(load(), -EINVAL, "half of a pair");
    ok(wiped(), "wiped");
    is_str(blame, "environment", "the source is named");
    environment(NULL, "secret", NULL);
    is_int(load(), -EINVAL, "the other half");

    environment("AKID", "sec\r\nret", NULL);
    is_int(load(), -EINVAL, "a line break never gets into a header");
    ok(wiped(), "wiped");
    environment("AKID ", "secret", NULL);
    is_int(load(), -EINVAL, "nor a space");
    environment("AKID", "s\xc3\xa9", NULL);
    is_int(load(), -EINVAL, "nor what is not ASCII");

    memset(longest, 'x', sizeof(longest));
    longest[CREDENTIALS_TOKEN_MAX] = '\0';
    environment("AKID", "secret", longest);
    is_int(load(), 0, "the longest token");
    longest[CREDENTIALS_TOKEN_MAX] = 'x';
    longest[CREDENTIALS_TOKEN_MAX + 1] = '\0';
    environment("AKID", "secret", longest);
    is_int(load(), -EINVAL, "one byte longer");
}

static int
fails(void *arg, int64_t now_ms, struct credentials *out)
{
    (void) now_ms;
    out->secret[0] = 's';

    return *(int *) arg;
}

static void
by_chain(void)
{
    int absent = -ENOENT, broken = -EIO, fine = 0;
    const struct credentials_source
        first = { "first", fails, &absent },
        second = { "second", fails, &broken },
        third = { "third", fails, &fine };
    const struct credentials_source *const chain[] = {
        &first, &third, &second, NULL
    };
    const struct credentials_source *const bad[] = {
        &first, &second, &third, NULL
    };

    is_int(credentials_load(chain, 0, &got, &blame), 0,
           "a source that is not set up is passed over");
    is_str(got.secret, "s", "the next is taken");
    is_int(credentials_load(bad, 0, &got, &blame), -EIO,
           "one that fails ends the search");
    is_str(blame, "second", "and is named");
    ok(wiped(), "what it left is wiped");

    memset(&got, 1, sizeof(got));
    credentials_wipe(&got);
    ok(wiped(), "credentials_wipe()");
}

int
main(void)
{
    by_environment();
    by_chain();

    return done_testing();
}
