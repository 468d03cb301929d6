/* SPDX-License-Identifier: Apache-2.0
 *
 * The visitor cookie in requests and responses. Its value is opaque here:
 * signing and verifying are libintent's.
 */


#include "ngx_http_intent.h"


static void ngx_http_intent_read_cookies(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value, ngx_uint_t *count);
static void ngx_http_intent_scan_cookies(ngx_str_t *line, ngx_str_t *name,
    ngx_str_t *value, ngx_uint_t *count);
static ngx_uint_t ngx_http_intent_unread_request(ngx_http_request_t *r);


/*
 * Sets ctx->cookie and, where it is good, ctx->visitor. At most one candidate
 * is considered: two cookies of the name mean that somebody planted one, and
 * which one came first says nothing. What was found does not change.
 */

void
ngx_http_intent_verify_cookie(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx)
{
    int                           rc;
    ngx_str_t                     value;
    ngx_uint_t                    count;
    ngx_http_intent_main_conf_t  *imcf;

    if (lcf->cookie == NULL) {
        ctx->cookie = NGX_HTTP_INTENT_COOKIE_NONE;
        ctx->cookie_conf = NULL;
        return;
    }

    if (ctx->consent && ctx->cookie_conf == lcf->cookie) {
        return;
    }

    ngx_http_intent_read_cookies(r, &lcf->cookie->name, &value, &count);

    if (count == 0) {
        ctx->cookie = NGX_HTTP_INTENT_COOKIE_NONE;
        ctx->cookie_conf = lcf->cookie;
        return;
    }

    ctx->cookie = NGX_HTTP_INTENT_COOKIE_BAD;

    if (!ctx->consent) {
        ctx->cookie_conf = NULL;
        return;
    }

    ctx->cookie_conf = lcf->cookie;

    if (count > 1 || value.len > INTENT_COOKIE_MAX) {
        return;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    rc = intent_cookie_verify(imcf->keys, (char *) value.data, value.len,
                              ngx_http_intent_now(),
                              (int64_t) lcf->cookie->max_age * 1000,
                              (char *) ctx->visitor);

    if (rc == 0) {
        ctx->cookie = NGX_HTTP_INTENT_COOKIE_VALID;

    } else if (rc == 1) {
        ctx->cookie = NGX_HTTP_INTENT_COOKIE_STALE;
    }
}


/* The first value of a cookie and how many there are, over all headers. */

static void
ngx_http_intent_read_cookies(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value, ngx_uint_t *count)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    *count = 0;
    ngx_str_null(value);

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == 6
                && ngx_strncmp(h[i].lowcase_key, "cookie", 6) == 0)
            {
                ngx_http_intent_scan_cookies(&h[i].value, name, value, count);
            }
        }
    }
}


static void
ngx_http_intent_scan_cookies(ngx_str_t *line, ngx_str_t *name,
    ngx_str_t *value, ngx_uint_t *count)
{
    u_char  *p, *last, *end;

    last = line->data + line->len;

    for (p = line->data; p < last; p = end + 1) {

        while (p < last && *p == ' ') { p++; }

        end = ngx_strlchr(p, last, ';');
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) <= name->len || p[name->len] != '='
            || ngx_strncmp(p, name->data, name->len) != 0)
        {
            continue;
        }

        if ((*count)++ == 0) {
            value->data = p + name->len + 1;
            value->len = end - value->data;
        }
    }
}


/* A new visitor, where the request brought no good cookie. */

void
ngx_http_intent_mint_cookie(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx)
{
    int                           rc;
    ngx_http_intent_main_conf_t  *imcf;

    if (!ctx->consent || lcf->cookie == NULL
        || (ctx->cookie != NGX_HTTP_INTENT_COOKIE_NONE
            && ctx->cookie != NGX_HTTP_INTENT_COOKIE_BAD)
        || ngx_http_intent_unread_request(r))
    {
        return;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    rc = intent_visitor_new(imcf->zone, (char *) ctx->visitor);

    if (rc < 0) {
        ngx_http_intent_log_failure(r->connection->log, rc,
                                    "making a visitor id");
        return;
    }

    if (ctx->cookie == NGX_HTTP_INTENT_COOKIE_BAD) {
        ngx_http_intent_count(r, INTENT_C_COOKIE_BAD, 1);
    }

    ctx->cookie = NGX_HTTP_INTENT_COOKIE_MINTED;
}


/*
 * Refused by nginx itself, maybe before its Cookie header was read: a new id
 * would take the place of a good one that nobody has looked at.
 */

static ngx_uint_t
ngx_http_intent_unread_request(ngx_http_request_t *r)
{
    switch (r->headers_out.status) {

    case NGX_HTTP_BAD_REQUEST:
    case NGX_HTTP_REQUEST_TIME_OUT:
    case NGX_HTTP_REQUEST_URI_TOO_LARGE:
    case 431:
    case NGX_HTTP_REQUEST_HEADER_TOO_LARGE:
    case NGX_HTTP_VERSION_NOT_SUPPORTED:
        return 1;

    default:
        return 0;
    }
}


/*
 * Adds Set-Cookie where the visitor's is to be set, renewed or, without
 * consent, removed. ctx->cookie_sent says that there is one.
 */

ngx_int_t
ngx_http_intent_send_cookie(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx)
{
    int                           len;
    u_char                       *p;
    ngx_str_t                     value, *attributes;
    ngx_http_intent_cookie_t     *cookie;
    ngx_http_intent_main_conf_t  *imcf;
    char                          text[INTENT_COOKIE_MAX];

    cookie = lcf->cookie;

    if (cookie == NULL) {
        return NGX_OK;
    }

    len = 0;
    attributes = &cookie->removal;

    if (ctx->consent) {

        if (ctx->cookie != NGX_HTTP_INTENT_COOKIE_MINTED
            && ctx->cookie != NGX_HTTP_INTENT_COOKIE_STALE)
        {
            return NGX_OK;
        }

        imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

        len = intent_cookie_sign(imcf->keys, (char *) ctx->visitor,
                                 ngx_http_intent_now(), text);
        if (len < 0) {
            ngx_http_intent_log_failure(r->connection->log, len,
                                        "signing a visitor cookie");
            return NGX_OK;
        }

        attributes = &cookie->attributes;

        if (!ctx->cookie_sent) {
            ngx_http_intent_count(r, INTENT_C_COOKIE_NEW, 1);
        }

    } else if (ctx->cookie == NGX_HTTP_INTENT_COOKIE_NONE) {
        return NGX_OK;
    }

    value.data = ngx_pnalloc(r->pool, cookie->name.len + 1 + len
                                      + attributes->len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(value.data, cookie->name.data, cookie->name.len);
    *p++ = '=';
    p = ngx_cpymem(p, text, len);
    p = ngx_cpymem(p, attributes->data, attributes->len);

    value.len = p - value.data;

    if (ngx_http_intent_add_header(r, "Set-Cookie", sizeof("Set-Cookie") - 1,
                                   &value)
        == NULL)
    {
        return NGX_ERROR;
    }

    ctx->set_cookie = value.data;
    ctx->cookie_sent = 1;

    return NGX_OK;
}
