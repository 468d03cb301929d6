/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP POSTs over kept connections, several at once, without blocking. TLS is
 * always verified. By libcurl, which is used nowhere else.
 */
#ifndef INTENT_DELIVER_TRANSPORT_H
#define INTENT_DELIVER_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TRANSPORT_CONNECT_MS = 3000,
    TRANSPORT_TOTAL_MS = 10000,    /* then the outcome is unknown */
    TRANSPORT_SLOW_BYTES = 100,    /* a peer slower than this ... */
    TRANSPORT_SLOW_S = 5,          /* ... for so long is given up */
    TRANSPORT_LIFETIME_S = 300,    /* of a connection: addresses change */
    TRANSPORT_DNS_S = 60,
    TRANSPORT_MAX_HEADERS = 16
};

struct transport_options {
    unsigned slots;                /* requests at once */
    size_t max_answer;             /* bytes; a longer one is given up */
    const char *ca_bundle;         /* file; NULL: the system's */
    const char *user_agent;
};

struct transport;

int transport_new(const struct transport_options *options,
                  struct transport **out);
void transport_free(struct transport *transport);

struct transport_request {
    const char *url;
    const char *const *headers;    /* "Name: value", n of them */
    size_t n_headers;
    const char *body;              /* the caller's until the result */
    size_t len;
};

/* Begins a request in a free slot. 0, -EBUSY, -ENOMEM, -EINVAL. */
int transport_start(struct transport *transport, unsigned slot,
                    const struct transport_request *request);

/* Ends it without a result. */
void transport_cancel(struct transport *transport, unsigned slot);

struct transport_result {
    unsigned slot;
    int status;                    /* 0: no whole answer came */
    bool unknown;                  /* then: whether the request may have
                                      arrived */
    const char *body;              /* borrowed until the slot's next start */
    size_t len;
    int64_t date_ms;               /* the server's Date; 0: none */
    const char *error;             /* where status is 0: why */
};

/* The next result: 1 or 0. Does not block. */
int transport_poll(struct transport *transport,
                   struct transport_result *result);

/* Waits until something happens, or for so long. */
void transport_wait(struct transport *transport, int64_t timeout_ms);

#endif
