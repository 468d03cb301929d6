/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include <errno.h>
#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>

/* Copies a secret that will stand in a header: visible ASCII only, so that
 * it can never break one. */
static int
copy_secret(char *out, size_t max, const char *value)
{
    size_t i;

    for (i = 0; value[i] != '\0'; i++) {
        if (i == max || value[i] <= ' ' || value[i] > '~') {
            return -EINVAL;
        }
        out[i] = value[i];
    }
    out[i] = '\0';

    return 0;
}

/* Empty counts as unset, as in every AWS SDK. */
static const char *
environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && *value != '\0' ? value : NULL;
}

static int
load_environment(void *arg, int64_t now_ms, struct credentials *out)
{
    const char *key_id = environment("AWS_ACCESS_KEY_ID");
    const char *secret = environment("AWS_SECRET_ACCESS_KEY");
    const char *token = environment("AWS_SESSION_TOKEN");

    (void) arg;
    (void) now_ms;

    if (key_id == NULL && secret == NULL) {
        return -ENOENT;
    }

    if (key_id == NULL || secret == NULL
        || copy_secret(out->key_id, CREDENTIALS_KEY_MAX, key_id) != 0
        || copy_secret(out->secret, CREDENTIALS_KEY_MAX, secret) != 0
        || (token != NULL
            && copy_secret(out->token, CREDENTIALS_TOKEN_MAX, token) != 0))
    {
        return -EINVAL;
    }

    return 0;
}

const struct credentials_source credentials_environment = {
    .name = "environment",
    .load = load_environment
};

const struct credentials_source *const credentials_chain[] = {
    &credentials_environment,
    NULL
};

int
credentials_load(const struct credentials_source *const *chain,
                 int64_t now_ms, struct credentials *out, const char **blame)
{
    int rc = -ENOENT;

    *blame = NULL;
    memset(out, 0, sizeof(*out));

    for (; *chain != NULL; chain++) {
        rc = (*chain)->load((*chain)->arg, now_ms, out);
        if (rc == 0) {
            return 0;
        }

        credentials_wipe(out);
        if (rc != -ENOENT) {
            *blame = (*chain)->name;
            return rc;
        }
    }

    return rc;
}

void
credentials_wipe(struct credentials *credentials)
{
    mbedtls_platform_zeroize(credentials, sizeof(*credentials));
}
