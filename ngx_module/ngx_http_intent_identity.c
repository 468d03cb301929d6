/* SPDX-License-Identifier: Apache-2.0
 *
 * Who a request comes from: consent and Sec-GPC first, then intent_key, then
 * the visitor cookie. Without consent no id is looked at, only whether a
 * cookie of ours is there, so that it can be removed.
 */


#include "ngx_http_intent.h"


static void ngx_http_intent_find_consent(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx);
static void ngx_http_intent_find_user(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx);


/*
 * Fills ctx->consent, gpc, user, cookie and visitor for the main request r.
 * To be repeated when the response is there: the variables of intent_key and
 * intent_consent may have changed, the cookie has not.
 */

void
ngx_http_intent_identify(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx)
{
    if (ctx->identifying) {

        /* intent_key or intent_consent is made of a variable of ours */

        return;
    }

    ctx->identifying = 1;
    ctx->conf = lcf;

    ngx_http_intent_find_consent(r, lcf, ctx);
    ngx_http_intent_find_user(r, lcf, ctx);

    if (ctx->cookie != NGX_HTTP_INTENT_COOKIE_MINTED) {
        ngx_http_intent_verify_cookie(r, lcf, ctx);
    }

    ctx->identifying = 0;
}


static void
ngx_http_intent_find_consent(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx)
{
    ngx_str_t         value;
    ngx_table_elt_t  *h;

    ctx->consent = 1;
    ctx->gpc = 0;

    if (lcf->consent
        && (ngx_http_complex_value(r, lcf->consent, &value) != NGX_OK
            || value.len == 0
            || (value.len == 1 && value.data[0] == '0')))
    {
        ctx->consent = 0;
    }

    if (lcf->gpc == NGX_HTTP_INTENT_GPC_IGNORE) {
        return;
    }

    h = ngx_http_intent_find_header(r, "sec-gpc", sizeof("sec-gpc") - 1);

    if (h && h->value.len == 1 && h->value.data[0] == '1') {
        ctx->gpc = 1;

        if (lcf->gpc == NGX_HTTP_INTENT_GPC_ALL_OFF) {
            ctx->consent = 0;
        }
    }
}


static void
ngx_http_intent_find_user(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx)
{
    ngx_str_t                  value;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *key;

    ngx_str_null(&ctx->user);
    ctx->key_refused = 0;

    if (!ctx->consent || lcf->keys == NULL) {
        return;
    }

    key = lcf->keys->elts;

    for (i = 0; i < lcf->keys->nelts; i++) {

        if (ngx_http_complex_value(r, &key[i], &value) != NGX_OK) {
            return;
        }

        if (value.len == 0) {
            continue;
        }

        if (value.len > INTENT_MAX_KEY) {
            ctx->key_refused = 1;
            continue;
        }

        ctx->user = value;
        return;
    }
}


/* The ids as libintent takes them; both empty when there are none. */

void
ngx_http_intent_who(ngx_http_intent_ctx_t *ctx, struct intent_who *who)
{
    ngx_memzero(who, sizeof(struct intent_who));

    if (!ctx->consent) {
        return;
    }

    if (ctx->user.len) {
        who->user = (char *) ctx->user.data;
        who->user_len = ctx->user.len;
    }

    if (ctx->cookie == NGX_HTTP_INTENT_COOKIE_VALID
        || ctx->cookie == NGX_HTTP_INTENT_COOKIE_STALE
        || ctx->cookie == NGX_HTTP_INTENT_COOKIE_MINTED)
    {
        who->visitor = (char *) ctx->visitor;
        who->visitor_len = INTENT_VISITOR_LEN;
    }
}


/* The first request header of a (lower case) name, or NULL. */

ngx_table_elt_t *
ngx_http_intent_find_header(ngx_http_request_t *r, const char *name,
    size_t len)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_strncmp(h[i].lowcase_key, name, len) == 0)
            {
                return &h[i];
            }
        }
    }

    return NULL;
}


/* Lets memory bring the visitor's state while cookie and fields are made. */

void
ngx_http_intent_prefetch(ngx_http_request_t *r, ngx_http_intent_ctx_t *ctx)
{
    int                           rc;
    struct intent_who             who;
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    ngx_http_intent_who(ctx, &who);

    ngx_http_intent_guard(rc, (intent_prefetch(imcf->zone, &who), 0));

    (void) rc;
}
