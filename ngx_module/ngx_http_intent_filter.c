/* SPDX-License-Identifier: Apache-2.0
 *
 * The first header filter: the one place where a request is captured and
 * decided. A phase handler would miss what "return" answers, and does not
 * know the status. It runs outside headers_filter, hence add_header sees what
 * was decided here.
 *
 * A response can come through more than once (a filter further in replaces it
 * by an error page): headers are then added again, events are not.
 */


#include "ngx_http_intent.h"


/* a signal is "name=value, "; a name is a feature's, a value can be text */
#define NGX_HTTP_INTENT_SIGNALS_SIZE  16384


static ngx_int_t ngx_http_intent_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_intent_respond(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx);
static void ngx_http_intent_count_request(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx);
static ngx_int_t ngx_http_intent_add_headers(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx);
static ngx_int_t ngx_http_intent_add_decision(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx);
static ngx_int_t ngx_http_intent_add_degraded(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx);
static ngx_int_t ngx_http_intent_add_signals(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx);
static ngx_int_t ngx_http_intent_add_timing(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx);
static void ngx_http_intent_count_busy(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_int_t
ngx_http_intent_header_filter(ngx_http_request_t *r)
{
    ngx_http_intent_ctx_t       *ctx;
    ngx_http_intent_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_intent_module);

    if ((lcf->mode == NGX_HTTP_INTENT_OFF && !lcf->beacon)
        || r != r->main
        || lcf->api
        || r->headers_out.status < NGX_HTTP_OK)
    {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_intent_get_ctx(r);

    if (ctx) {
        ngx_http_intent_enter(ctx);

        if (ngx_http_intent_respond(r, lcf, ctx) != NGX_OK) {
            ngx_http_intent_log_failure(r->connection->log, -ENOMEM,
                                        "adding headers");
        }

        ngx_http_intent_leave(ctx);
        ngx_http_intent_count_busy(r, ctx);
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_intent_respond(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx)
{
    ngx_http_intent_main_conf_t  *imcf;

    ngx_http_intent_strip_response(r, ctx);

    if (!ctx->captured) {
        ctx->now = ngx_http_intent_now();

        ngx_http_intent_identify(r, lcf, ctx);
        ngx_http_intent_prefetch(r, ctx);
        ngx_http_intent_mint_cookie(r, lcf, ctx);
        ngx_http_intent_count_request(r, ctx);

        if (!lcf->beacon) {
            ngx_http_intent_capture(r, lcf, ctx, ngx_http_intent_status(r));
        }

        ctx->captured = 1;
        ctx->stage = NGX_HTTP_INTENT_UNREAD;
    }

    if (ngx_http_intent_send_cookie(r, lcf, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    if (lcf->mode != NGX_HTTP_INTENT_ON
        || (!(lcf->headers & NGX_HTTP_INTENT_SHOWN) && !imcf->variables))
    {
        return NGX_OK;
    }

    if (ctx->stage != NGX_HTTP_INTENT_AFTER) {
        ngx_http_intent_decide(r, lcf, ctx, NGX_HTTP_INTENT_AFTER);
    }

    /*
     * With "intent_headers none" a variable can still put it into the body,
     * when it is too late to tell caches: the response counts as personal.
     */

    if (ctx->answered) {
        ctx->personal = 1;
    }

    return ngx_http_intent_add_headers(r, lcf, ctx);
}


static void
ngx_http_intent_count_request(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx)
{
    ngx_http_intent_count(r, INTENT_C_REQUESTS, 1);

    if (!ctx->consent) {
        ngx_http_intent_count(r, INTENT_C_NO_CONSENT, 1);
    }

    if (ctx->gpc) {
        ngx_http_intent_count(r, INTENT_C_GPC, 1);
    }

    if (ctx->key_refused) {
        ngx_http_intent_count(r, INTENT_C_KEY_BAD, 1);
    }

    if (ctx->consent
        && (ctx->cookie == NGX_HTTP_INTENT_COOKIE_VALID
            || ctx->cookie == NGX_HTTP_INTENT_COOKIE_STALE))
    {
        ngx_http_intent_count(r, INTENT_C_COOKIE_OK, 1);
    }
}


static ngx_int_t
ngx_http_intent_add_headers(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx)
{
    if (lcf->headers & NGX_HTTP_INTENT_NONE) {
        return NGX_OK;
    }

    if (ctx->decided
        && ngx_http_intent_add_decision(r, lcf, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((lcf->headers & NGX_HTTP_INTENT_SIGNALS)
        && ctx->answered
        && ngx_http_intent_add_signals(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (lcf->headers & NGX_HTTP_INTENT_TIMING) {
        return ngx_http_intent_add_timing(r, ctx);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_intent_add_decision(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx)
{
    ngx_str_t  value;

    if (lcf->headers & NGX_HTTP_INTENT_BAND) {
        value.data = (u_char *) ctx->band;
        value.len = ngx_strlen(ctx->band);

        if (ngx_http_intent_add_header(r, "Intent-Band",
                                       sizeof("Intent-Band") - 1, &value)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    if ((lcf->headers & NGX_HTTP_INTENT_CTA) && ctx->cta) {
        value.data = (u_char *) ctx->cta;
        value.len = ngx_strlen(ctx->cta);

        if (ngx_http_intent_add_header(r, "Intent-CTA",
                                       sizeof("Intent-CTA") - 1, &value)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    if ((lcf->headers & NGX_HTTP_INTENT_ITEMS) && ctx->items.len) {
        if (ngx_http_intent_add_header(r, "Intent-Items",
                                       sizeof("Intent-Items") - 1,
                                       &ctx->items)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_intent_add_degraded(r, ctx);
}


static ngx_int_t
ngx_http_intent_add_degraded(ngx_http_request_t *r, ngx_http_intent_ctx_t *ctx)
{
    u_char      *p;
    ngx_str_t    value;
    const char  *name;

    if (ctx->reason == INTENT_REASON_NONE) {
        return NGX_OK;
    }

    name = intent_reason_name(ctx->reason);

    value.data = ngx_pnalloc(r->pool, sizeof("popularity; reason=")
                                      + ngx_strlen(name));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(value.data, "popularity; reason=%s", name);
    value.len = p - value.data;

    return ngx_http_intent_add_header(r, "Intent-Degraded",
                                      sizeof("Intent-Degraded") - 1, &value)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_intent_add_signals(ngx_http_request_t *r, ngx_http_intent_ctx_t *ctx)
{
    int                           rc;
    ngx_str_t                     value;
    struct intent_answer         *answer;
    ngx_http_intent_main_conf_t  *imcf;

    static char  text[NGX_HTTP_INTENT_SIGNALS_SIZE];

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    answer = ngx_http_intent_answer(r, ctx);

    if (answer == NULL) {
        return NGX_OK;
    }

    rc = intent_answer_signals(imcf->config, answer, text, sizeof(text));

    if (rc <= 0) {
        return NGX_OK;
    }

    if (ngx_http_intent_copy(r->pool, &value, text, rc) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_intent_add_header(r, "Intent-Signals",
                                      sizeof("Intent-Signals") - 1, &value)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_intent_add_timing(ngx_http_request_t *r, ngx_http_intent_ctx_t *ctx)
{
    u_char      *p;
    uint64_t     us;
    ngx_str_t    value;
    const char  *band;

    band = ctx->decided ? ctx->band : "";

    value.data = ngx_pnalloc(r->pool, sizeof("intent;dur=.000;desc=\"\"")
                                      + NGX_INT64_LEN + ngx_strlen(band));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    us = (ngx_http_intent_elapsed(ctx) + 500) / 1000;

    p = ngx_sprintf(value.data, "intent;dur=%uL.%03uL", us / 1000, us % 1000);

    if (band[0]) {
        p = ngx_sprintf(p, ";desc=\"%s\"", band);
    }

    value.len = p - value.data;
    ctx->server_timing = value.data;

    return ngx_http_intent_add_header(r, "Server-Timing",
                                      sizeof("Server-Timing") - 1, &value)
           ? NGX_OK : NGX_ERROR;
}


/*
 * What libintent hands out is checked where it is read; here is the last
 * place before the wire, where a line break would split the response.
 */

ngx_table_elt_t *
ngx_http_intent_add_header(ngx_http_request_t *r, const char *key, size_t len,
    ngx_str_t *value)
{
    size_t            i;
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key.data = (u_char *) key;
    h->key.len = len;
    h->value = *value;
    ngx_http_intent_header_init(h);

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < 0x20 || value->data[i] == 0x7f) {
            h->hash = 0;
            break;
        }
    }

    return h;
}


/* Whole microseconds go to the counter, the rest to the next request. */

static void
ngx_http_intent_count_busy(ngx_http_request_t *r, ngx_http_intent_ctx_t *ctx)
{
    static uint64_t  rest;

    rest += ctx->busy - ctx->counted;
    ctx->counted = ctx->busy;

    ngx_http_intent_count(r, INTENT_C_BUSY_US, rest / 1000);

    rest %= 1000;
}


ngx_int_t
ngx_http_intent_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_intent_header_filter;

    return NGX_OK;
}
