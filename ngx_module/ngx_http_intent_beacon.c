/* SPDX-License-Identifier: Apache-2.0
 *
 * intent_beacon: events that a page's script sends. The body says what
 * happened; who it was comes from the cookie or intent_key alone. The header
 * filter adds cookie and decision to the 204 as to any page.
 */


#include "ngx_http_intent.h"


static ngx_int_t ngx_http_intent_beacon_type(ngx_http_request_t *r);
static void ngx_http_intent_beacon_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_intent_beacon_take(ngx_http_request_t *r);
static ngx_int_t ngx_http_intent_beacon_parse(ngx_http_request_t *r,
    ngx_str_t *body, int64_t now, struct intent_batch *batch, ngx_int_t *rc);
static ngx_int_t ngx_http_intent_beacon_record(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx, struct intent_batch *batch);
static void ngx_http_intent_batch_cleanup(void *data);
static ngx_int_t ngx_http_intent_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const char *detail, ngx_int_t event);


char *
ngx_http_intent_beacon(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_intent_loc_conf_t *ilcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (ilcf->beacon) {
        return "is duplicate";
    }

    if (ilcf->api) {
        return "cannot share a location with \"intent_api\"";
    }

    ilcf->beacon = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_intent_beacon_handler;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_intent_beacon_handler(ngx_http_request_t *r)
{
    ngx_int_t         rc;
    ngx_str_t         allow;
    ngx_table_elt_t  *h;

    if (r->method != NGX_HTTP_POST) {

        ngx_str_set(&allow, "POST");

        if (ngx_http_intent_add_header(r, "Allow", sizeof("Allow") - 1, &allow)
            == NULL)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_intent_refuse(r, NGX_HTTP_NOT_ALLOWED,
                                      "events come by POST", 0);
    }

    if (ngx_http_intent_beacon_type(r) != NGX_OK) {
        return ngx_http_intent_refuse(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                      "application/json or text/plain was "
                                      "expected", 0);
    }

    h = ngx_http_intent_find_header(r, "content-encoding",
                                    sizeof("content-encoding") - 1);
    if (h) {
        return ngx_http_intent_refuse(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                      "compressed events are not taken", 0);
    }

    if (r->headers_in.content_length_n > INTENT_MAX_BODY) {
        return ngx_http_intent_refuse(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                      "more than 65536 bytes", 0);
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_intent_beacon_body);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static ngx_int_t
ngx_http_intent_beacon_type(ngx_http_request_t *r)
{
    u_char     *p;
    ngx_str_t   type;

    if (r->headers_in.content_type == NULL) {
        return NGX_DECLINED;
    }

    type = r->headers_in.content_type->value;

    p = ngx_strlchr(type.data, type.data + type.len, ';');
    if (p) {
        type.len = p - type.data;
    }

    while (type.len
           && (type.data[type.len - 1] == ' '
               || type.data[type.len - 1] == '\t'))
    {
        type.len--;
    }

    if ((type.len == sizeof("application/json") - 1
         && ngx_strncasecmp(type.data, (u_char *) "application/json",
                            type.len)
            == 0)
        || (type.len == sizeof("text/plain") - 1
            && ngx_strncasecmp(type.data, (u_char *) "text/plain", type.len)
               == 0))
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static void
ngx_http_intent_beacon_body(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_intent_beacon_take(r));
}


static ngx_int_t
ngx_http_intent_beacon_take(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_str_t                    body;
    struct intent_who            who;
    struct intent_batch          batch;
    ngx_http_intent_ctx_t       *ctx;
    ngx_http_intent_loc_conf_t  *lcf;

    rc = ngx_http_intent_body(r, INTENT_MAX_BODY, &body);

    if (rc == NGX_DECLINED) {
        return ngx_http_intent_refuse(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                      "more than 65536 bytes", 0);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_intent_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_intent_module);

    ngx_http_intent_identify(r, lcf, ctx);

    if (!ctx->consent) {
        return ngx_http_intent_send(r, NGX_HTTP_NO_CONTENT, NULL, NULL, 0);
    }

    ctx->now = ngx_http_intent_now();

    if (ngx_http_intent_beacon_parse(r, &body, ctx->now, &batch, &rc)
        != NGX_OK)
    {
        return rc;
    }

    ngx_http_intent_mint_cookie(r, lcf, ctx);
    ngx_http_intent_who(ctx, &who);

    if (who.user == NULL && who.visitor == NULL) {
        return ngx_http_intent_refuse(r, NGX_HTTP_FORBIDDEN,
                                      "neither intent_key nor intent_cookie "
                                      "tells whose events these are", 0);
    }

    return ngx_http_intent_beacon_record(r, ctx, &batch);
}


/* NGX_OK with a batch that the request owns, else *rc has been answered. */

static ngx_int_t
ngx_http_intent_beacon_parse(ngx_http_request_t *r, ngx_str_t *body,
    int64_t now, struct intent_batch *batch, ngx_int_t *rc)
{
    int                           error;
    ngx_uint_t                    status;
    struct intent_error           err;
    ngx_pool_cleanup_t           *cln;
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    cln = ngx_pool_cleanup_add(r->pool, sizeof(struct intent_batch));
    if (cln == NULL) {
        *rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        return NGX_ERROR;
    }

    ngx_memzero(&err, sizeof(struct intent_error));
    ngx_memzero(batch, sizeof(struct intent_batch));

    error = intent_batch_parse(imcf->config, (char *) body->data, body->len,
                               now, batch, &err);

    if (error == 0) {
        ngx_memcpy(cln->data, batch, sizeof(struct intent_batch));
        cln->handler = ngx_http_intent_batch_cleanup;
        return NGX_OK;
    }

    if (error == -ENOMEM) {
        status = NGX_HTTP_INTENT_FAILED_DEPENDENCY;

    } else if (err.line == 0 && (error == -E2BIG || error == -EOVERFLOW)) {
        status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;

    } else {
        status = NGX_HTTP_BAD_REQUEST;
    }

    *rc = ngx_http_intent_refuse(r, status,
                                 err.text[0] ? err.text
                                             : "the events could not be read",
                                 err.line);
    return NGX_DECLINED;
}


static void
ngx_http_intent_batch_cleanup(void *data)
{
    intent_batch_free(data);
}


static ngx_int_t
ngx_http_intent_beacon_record(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx, struct intent_batch *batch)
{
    int                          rc;
    size_t                       i;
    unsigned                     wait;
    ngx_http_intent_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_intent_module);

    /*
     * Each event may wait for as long as a page may, since the room for those
     * that find the lock busy is small; once one has not got it in that time,
     * the others do not wait as long.
     */

    ngx_http_intent_enter(ctx);

    wait = ngx_http_intent_wait(lcf, ctx);
    rc = 0;

    for (i = 0; i < batch->n && rc >= 0; i++) {
        rc = ngx_http_intent_record(r, ctx, &batch->events[i], wait);

        if (rc > 0 && (rc & INTENT_DID_DEFER)) {
            ngx_http_intent_lap(ctx);
            wait = ngx_http_intent_wait(lcf, ctx);
        }
    }

    ngx_http_intent_leave(ctx);

    if (rc < 0) {
        return ngx_http_intent_refuse(r, NGX_HTTP_INTENT_FAILED_DEPENDENCY,
                                      "the zone does not take events now", i);
    }

    ngx_http_intent_count(r, INTENT_C_BEACONS, 1);

    return ngx_http_intent_send(r, NGX_HTTP_NO_CONTENT, NULL, NULL, 0);
}


static ngx_int_t
ngx_http_intent_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail, ngx_int_t event)
{
    ngx_http_intent_count(r, INTENT_C_BEACONS_BAD, 1);

    return ngx_http_intent_problem(r, status, detail, event);
}
