/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS Signature Version 4 in the Authorization header. Pure: the request,
 * the credentials and the time are arguments. libcurl can sign too, but in
 * the versions in use it cannot be told the time, so a wrong clock could not
 * be corrected, and it signs headers that it then does not send.
 */
#ifndef INTENT_DELIVER_SIGV4_H
#define INTENT_DELIVER_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "credentials.h"

enum {
    SIGV4_MAX_HEADERS = 32,
    SIGV4_MAX_PARAMS = 64,
    SIGV4_MAX_CANONICAL = 16384,   /* bytes of a canonical request */
    SIGV4_MAX_AUTHORIZATION = 1024
};

struct sigv4_header {
    const char *name;              /* any case */
    const char *value;             /* may be folded over lines */
};

struct sigv4_request {
    const char *method;
    const char *path;              /* as sent, percent-encoded or not */
    const char *query;             /* without `?`; NULL or empty: none */
    const struct sigv4_header *headers;    /* each is signed; has Host */
    size_t n_headers;
    const void *body;
    size_t body_len;
    bool normalize;                /* resolve `.`, `..`, `//` in the path */
    bool sign_body;                /* adds and signs X-Amz-Content-Sha256 */
    bool omit_token;               /* the session token stays unsigned */
};

struct sigv4_scope {
    const char *region;
    const char *service;
};

/* What is to be sent beside the request's own headers. X-Amz-Security-Token
 * is credentials->token where that is not empty. */
struct sigv4_signature {
    char date[17];                                  /* X-Amz-Date */
    char content_sha256[65];                        /* where sign_body */
    char authorization[SIGV4_MAX_AUTHORIZATION];    /* Authorization */
};

/* Signs as of now_ms. 0, -E2BIG when a bound above is exceeded, -EINVAL for
 * a time outside the years 0 to 9999, -ENOMEM. */
int sigv4_sign(const struct sigv4_request *request,
               const struct sigv4_scope *scope,
               const struct credentials *credentials, int64_t now_ms,
               struct sigv4_signature *out);

/* The two texts on the way there, NUL-terminated, for tests. Errors alike. */
int sigv4_canonical_request(const struct sigv4_request *request,
                            const struct credentials *credentials,
                            int64_t now_ms,
                            char out[static SIGV4_MAX_CANONICAL]);
int sigv4_string_to_sign(const struct sigv4_request *request,
                         const struct sigv4_scope *scope,
                         const struct credentials *credentials,
                         int64_t now_ms,
                         char out[static SIGV4_MAX_AUTHORIZATION]);

#endif
