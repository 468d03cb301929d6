/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIRST_BUFFER = 64 << 10 };

struct slot {
    CURL *easy;
    bool busy;
    struct curl_slist *headers;
    char *answer;
    size_t len, room, max;
    int64_t date_ms;
    char error[CURL_ERROR_SIZE];
};

struct transport {
    CURLM *multi;
    unsigned n;
    struct slot *slots;
};

static size_t
take_body(char *data, size_t size, size_t n, void *arg)
{
    struct slot *slot = arg;
    size_t len = size * n, room = slot->room;
    char *more;

    if (len > slot->max - slot->len) {
        return 0;
    }

    if (slot->len + len > room) {
        room = room == 0 ? FIRST_BUFFER : room;
        while (room < slot->len + len) {
            room *= 2;
        }
        more = realloc(slot->answer, room);
        if (more == NULL) {
            return 0;
        }
        slot->answer = more;
        slot->room = room;
    }

    memcpy(slot->answer + slot->len, data, len);
    slot->len += len;

    return len;
}

static size_t
take_header(char *data, size_t size, size_t n, void *arg)
{
    struct slot *slot = arg;
    size_t len = size * n;
    char value[64];
    time_t date;

    if (len > 5 && len - 5 < sizeof(value)
        && strncasecmp(data, "date:", 5) == 0)
    {
        memcpy(value, data + 5, len - 5);
        value[len - 5] = '\0';
        date = curl_getdate(value, NULL);
        slot->date_ms = date > 0 ? (int64_t) date * 1000 : 0;
    }

    return len;
}

/* What is the same for every request of a slot. */
static void
set_options(struct slot *slot, const struct transport_options *options)
{
    CURL *easy = slot->easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long) TRANSPORT_CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) TRANSPORT_TOTAL_MS);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT,
                     (long) TRANSPORT_SLOW_BYTES);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long) TRANSPORT_SLOW_S);
    curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN,
                     (long) TRANSPORT_LIFETIME_S);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, (long) TRANSPORT_DNS_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, options->user_agent);
    if (options->ca_bundle != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_bundle);
    }
}

int
transport_new(const struct transport_options *options,
              struct transport **out)
{
    struct transport *t;
    unsigned i;

    *out = NULL;

    t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return -ENOMEM;
    }
    t->slots = calloc(options->slots, sizeof(*t->slots));
    t->multi = curl_multi_init();
    if (t->slots == NULL || t->multi == NULL) {
        goto fail;
    }

    for (i = 0; i < options->slots; i++) {
        t->slots[i].max = options->max_answer;
        t->slots[i].easy = curl_easy_init();
        if (t->slots[i].easy == NULL) {
            goto fail;
        }
        t->n++;
        set_options(&t->slots[i], options);
    }
    curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long) options->slots);

    *out = t;

    return 0;

fail:

    transport_free(t);

    return -ENOMEM;
}

void
transport_free(struct transport *t)
{
    unsigned i;

    if (t == NULL) {
        return;
    }

    for (i = 0; i < t->n; i++) {
        transport_cancel(t, i);
        curl_easy_cleanup(t->slots[i].easy);
        curl_slist_free_all(t->slots[i].headers);
        free(t->slots[i].answer);
    }
    if (t->multi != NULL) {
        curl_multi_cleanup(t->multi);
    }
    free(t->slots);
    free(t);
}

static int
set_headers(struct slot *slot, const struct transport_request *request)
{
    struct curl_slist *more;
    size_t i;

    curl_slist_free_all(slot->headers);

    /* Without it curl asks before sending a large body, and waits a second
     * for servers that do not answer such a question. */
    slot->headers = curl_slist_append(NULL, "Expect:");
    if (slot->headers == NULL) {
        return -ENOMEM;
    }

    for (i = 0; i < request->n_headers; i++) {
        more = curl_slist_append(slot->headers, request->headers[i]);
        if (more == NULL) {
            return -ENOMEM;
        }
        slot->headers = more;
    }

    return 0;
}

int
transport_start(struct transport *t, unsigned i,
                const struct transport_request *request)
{
    struct slot *slot = &t->slots[i];
    CURLcode rc;

    if (i >= t->n || slot->busy) {
        return -EBUSY;
    }
    if (set_headers(slot, request) != 0) {
        return -ENOMEM;
    }

    slot->len = 0;
    slot->date_ms = 0;
    slot->error[0] = '\0';

    rc = curl_easy_setopt(slot->easy, CURLOPT_URL, request->url);
    if (rc != CURLE_OK) {
        return rc == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
    }
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->headers);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t) request->len);

    if (curl_multi_add_handle(t->multi, slot->easy) != CURLM_OK) {
        return -ENOMEM;
    }
    slot->busy = true;

    return 0;
}

void
transport_cancel(struct transport *t, unsigned i)
{
    if (t->slots[i].busy) {
        curl_multi_remove_handle(t->multi, t->slots[i].easy);
        t->slots[i].busy = false;
    }
}

/* Whether a failed request cannot have reached the server. */
static bool
never_sent(CURLcode rc)
{
    return rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_CONNECT
           || rc == CURLE_COULDNT_RESOLVE_PROXY
           || rc == CURLE_SSL_CONNECT_ERROR
           || rc == CURLE_PEER_FAILED_VERIFICATION
           || rc == CURLE_SSL_CACERT_BADFILE || rc == CURLE_URL_MALFORMAT
           || rc == CURLE_UNSUPPORTED_PROTOCOL;
}

int
transport_poll(struct transport *t, struct transport_result *result)
{
    struct slot *slot = NULL;
    long status = 0;
    CURLMsg *message;
    int left;

    curl_multi_perform(t->multi, &left);

    do {
        message = curl_multi_info_read(t->multi, &left);
        if (message == NULL) {
            return 0;
        }
    } while (message->msg != CURLMSG_DONE);

    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
    curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);

    *result = (struct transport_result) {
        .slot = (unsigned) (slot - t->slots),
        .status = message->data.result == CURLE_OK ? (int) status : 0,
        .unknown = message->data.result != CURLE_OK
                   && !never_sent(message->data.result),
        .body = slot->answer != NULL ? slot->answer : "",
        .len = slot->len,
        .date_ms = slot->date_ms,
        .error = slot->error[0] != '\0'
                 ? slot->error : curl_easy_strerror(message->data.result)
    };

    transport_cancel(t, result->slot);

    return 1;
}

void
transport_wait(struct transport *t, int64_t timeout_ms)
{
    curl_multi_poll(t->multi, NULL, 0, (int) timeout_ms, NULL);
}
