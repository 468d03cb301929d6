/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS credentials: a chain of sources, asked in order; the first that has
 * some wins. Secrets live in intentd only, in one struct that is wiped when
 * it is replaced or freed, and appear in no log line.
 */
#ifndef INTENT_DELIVER_CREDENTIALS_H
#define INTENT_DELIVER_CREDENTIALS_H

#include <stdint.h>

enum {
    CREDENTIALS_KEY_MAX = 128,     /* AWS: at most 128 characters */
    CREDENTIALS_TOKEN_MAX = 4096   /* longer than any that STS has issued */
};

struct credentials {
    char key_id[CREDENTIALS_KEY_MAX + 1];
    char secret[CREDENTIALS_KEY_MAX + 1];
    char token[CREDENTIALS_TOKEN_MAX + 1];       /* empty: none */
    int64_t expires_ms;                          /* 0: never */
};

/* A source. load() fills *out and returns 0; -ENOENT when this source is not
 * set up here, so that the next one is asked; another -errno when it is set
 * up and fails, which ends the search with `name` to blame. It may not
 * block. */
struct credentials_source {
    const char *name;
    int (*load)(void *arg, int64_t now_ms, struct credentials *out);
    void *arg;
};

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. -EINVAL when
 * only half of a pair is set or a value is too long or holds a character
 * that no header may. */
extern const struct credentials_source credentials_environment;

/* The sources of this build, in order, then NULL. */
extern const struct credentials_source *const credentials_chain[];

/* Asks the chain. 0, -ENOENT when no source is set up, or a source's error;
 * *blame is then its name, else NULL. On failure *out is wiped. */
int credentials_load(const struct credentials_source *const *chain,
                     int64_t now_ms, struct credentials *out,
                     const char **blame);

void credentials_wipe(struct credentials *credentials);

#endif
