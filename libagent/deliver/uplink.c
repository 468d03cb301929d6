/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "kinesis.h"
#include "sigv4.h"
#include "transport.h"

enum {
    URL_SIZE = 512,
    REGION_SIZE = 64,
    /* Beyond this an error of the server is likelier than one of ours. */
    SKEW_MAX_MS = 24 * 3600 * 1000
};

struct uplink {
    struct transport *transport;
    struct credentials credentials;
    bool loaded;
    int64_t skew_ms;               /* the server's clock minus ours */
    int64_t date_ms;               /* the last answer's Date; 0: none */
    char url[URL_SIZE], host[URL_SIZE], path[URL_SIZE], region[REGION_SIZE];
};

/* Empty counts as unset, as in every AWS SDK. */
static const char *
environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && *value != '\0' ? value : NULL;
}

static const char *
first_of(const char *a, const char *b, const char *c)
{
    return a != NULL ? a : b != NULL ? b : c;
}

/* --- where to ----------------------------------------------------------- */

static int
choose_region(struct uplink *uplink, const char *configured, char *why,
              size_t size)
{
    const char *region = first_of(configured, environment("AWS_REGION"),
                                  environment("AWS_DEFAULT_REGION"));

    if (region == NULL) {
        snprintf(why, size, "no region: set forward.kinesis.region or "
                 "AWS_REGION");
        return -EINVAL;
    }

    if (strlen(region) >= REGION_SIZE
        || region[strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-")]
           != '\0')
    {
        snprintf(why, size, "\"%.64s\" is not a region: one is like "
                 "\"us-east-1\"", region);
        return -EINVAL;
    }
    strcpy(uplink->region, region);

    return 0;
}

/* Splits scheme://host[:port][/path]. */
static int
split_url(struct uplink *uplink, const char *endpoint, char *why, size_t size)
{
    const char *host = NULL;
    size_t len;

    if (strncmp(endpoint, "https://", 8) == 0) {
        host = endpoint + 8;
    } else if (strncmp(endpoint, "http://", 7) == 0) {
        host = endpoint + 7;
    }

    len = host == NULL ? 0 : strcspn(host, "/?#@ \\");
    if (len == 0 || strlen(endpoint) + 2 > URL_SIZE
        || (host[len] != '\0' && host[len] != '/')
        || strpbrk(host, "?# ") != NULL)
    {
        snprintf(why, size, "\"%.200s\" is not an endpoint: one is like "
                 "\"https://kinesis.us-east-1.amazonaws.com\"", endpoint);
        return -EINVAL;
    }

    memcpy(uplink->host, host, len);
    uplink->host[len] = '\0';
    strcpy(uplink->path, host[len] == '\0' ? "/" : host + len);
    strcpy(uplink->url, endpoint);
    strcat(uplink->url, host[len] == '\0' ? "/" : "");

    return 0;
}

static int
choose_endpoint(struct uplink *uplink, const char *configured, char *why,
                size_t size)
{
    const char *endpoint = first_of(configured,
                                    environment("AWS_ENDPOINT_URL_KINESIS"),
                                    environment("AWS_ENDPOINT_URL"));
    char regional[URL_SIZE];

    if (endpoint == NULL) {
        snprintf(regional, sizeof(regional),
                 "https://kinesis.%s.amazonaws.com%s", uplink->region,
                 strncmp(uplink->region, "cn-", 3) == 0 ? ".cn" : "");
        endpoint = regional;
    }

    return split_url(uplink, endpoint, why, size);
}

/* --- the link ----------------------------------------------------------- */

static int
load_credentials(struct uplink *uplink, int64_t now_ms, const char **why)
{
    const char *blame;
    int rc;

    if (uplink->loaded) {
        return 0;
    }

    rc = credentials_load(credentials_chain, now_ms, &uplink->credentials,
                          &blame);
    if (rc == -ENOENT) {
        *why = "no AWS credentials: set AWS_ACCESS_KEY_ID and "
               "AWS_SECRET_ACCESS_KEY in intentd's environment";
    } else if (rc != 0) {
        *why = "the AWS credentials in the environment are not usable: "
               "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are needed "
               "both, without spaces";
    }
    uplink->loaded = rc == 0;

    return rc;
}

static int
sign(struct uplink *uplink, const char *body, size_t len, int64_t wall_ms,
     struct sigv4_signature *signature)
{
    const struct sigv4_header headers[] = {
        { "Host", uplink->host },
        { "Content-Type", KINESIS_CONTENT_TYPE },
        { "X-Amz-Target", KINESIS_TARGET }
    };
    const struct sigv4_request request = {
        .method = "POST",
        .path = uplink->path,
        .headers = headers,
        .n_headers = sizeof(headers) / sizeof(headers[0]),
        .body = body,
        .body_len = len,
        .normalize = true
    };
    const struct sigv4_scope scope = { uplink->region, "kinesis" };

    return sigv4_sign(&request, &scope, &uplink->credentials,
                      wall_ms + uplink->skew_ms, signature);
}

static int
send_signed(struct uplink *uplink, unsigned slot, const char *body,
            size_t len, const struct sigv4_signature *signature)
{
    char host[URL_SIZE + 8], date[32], token[CREDENTIALS_TOKEN_MAX + 32];
    char authorization[SIGV4_MAX_AUTHORIZATION + 32];
    const char *headers[] = {
        host, date, authorization,
        "Content-Type: " KINESIS_CONTENT_TYPE,
        "X-Amz-Target: " KINESIS_TARGET,
        token
    };
    const struct transport_request request = {
        .url = uplink->url,
        .headers = headers,
        .n_headers = sizeof(headers) / sizeof(headers[0])
                     - (uplink->credentials.token[0] == '\0'),
        .body = body,
        .len = len
    };

    snprintf(host, sizeof(host), "Host: %s", uplink->host);
    snprintf(date, sizeof(date), "X-Amz-Date: %s", signature->date);
    snprintf(authorization, sizeof(authorization), "Authorization: %s",
             signature->authorization);
    snprintf(token, sizeof(token), "X-Amz-Security-Token: %s",
             uplink->credentials.token);

    return transport_start(uplink->transport, slot, &request);
}

static int
link_start(void *arg, unsigned slot, const char *body, size_t len,
           int64_t wall_ms, const char **why)
{
    struct uplink *uplink = arg;
    struct sigv4_signature signature;
    int rc;

    rc = load_credentials(uplink, wall_ms, why);
    if (rc != 0) {
        return rc;
    }

    *why = "the request cannot be made";
    rc = sign(uplink, body, len, wall_ms, &signature);

    return rc != 0 ? rc : send_signed(uplink, slot, body, len, &signature);
}

static int
link_poll(void *arg, struct forwarder_result *result)
{
    struct uplink *uplink = arg;
    struct transport_result got;

    if (transport_poll(uplink->transport, &got) != 1) {
        return 0;
    }
    uplink->date_ms = got.date_ms;

    *result = (struct forwarder_result) {
        .slot = got.slot,
        .status = got.status,
        .unknown = got.unknown,
        .body = got.body,
        .len = got.len,
        .error = got.error
    };

    return 1;
}

static void
link_cancel(void *arg, unsigned slot)
{
    struct uplink *uplink = arg;

    transport_cancel(uplink->transport, slot);
}

/* An expired token: the next start asks the sources again. A clock that is
 * off: the last answer's Date says by how much. */
static int
link_refresh(void *arg, enum kinesis_class class, int64_t wall_ms)
{
    struct uplink *uplink = arg;
    int64_t skew = uplink->date_ms - wall_ms;

    if (class == KINESIS_EXPIRED) {
        credentials_wipe(&uplink->credentials);
        uplink->loaded = false;
        return 0;
    }

    if (uplink->date_ms == 0 || skew > SKEW_MAX_MS || skew < -SKEW_MAX_MS) {
        return -ENOENT;
    }
    uplink->skew_ms = skew;

    return 0;
}

struct forwarder_link
uplink_link(struct uplink *uplink)
{
    return (struct forwarder_link) {
        .start = link_start,
        .poll = link_poll,
        .cancel = link_cancel,
        .refresh = link_refresh,
        .arg = uplink
    };
}

/* --- life --------------------------------------------------------------- */

int
uplink_new(const struct uplink_options *options, struct uplink **out,
           char *why, size_t size)
{
    struct transport_options transport = {
        .slots = FORWARDER_FLIGHTS,
        .max_answer = KINESIS_MAX_ANSWER,
        .ca_bundle = environment("AWS_CA_BUNDLE"),
        .user_agent = options->user_agent
    };
    struct uplink *uplink;
    int rc;

    *out = NULL;
    snprintf(why, size, "out of memory");

    uplink = calloc(1, sizeof(*uplink));
    if (uplink == NULL) {
        return -ENOMEM;
    }

    rc = choose_region(uplink, options->region, why, size);
    if (rc == 0) {
        rc = choose_endpoint(uplink, options->endpoint, why, size);
    }
    if (rc == 0) {
        rc = transport_new(&transport, &uplink->transport);
    }
    if (rc != 0) {
        uplink_free(uplink);
        return rc;
    }

    *out = uplink;

    return 0;
}

void
uplink_free(struct uplink *uplink)
{
    if (uplink == NULL) {
        return;
    }

    transport_free(uplink->transport);
    credentials_wipe(&uplink->credentials);
    free(uplink);
}

void
uplink_wait(struct uplink *uplink, int64_t timeout_ms)
{
    transport_wait(uplink->transport, timeout_ms);
}

const char *
uplink_url(const struct uplink *uplink)
{
    return uplink->url;
}
