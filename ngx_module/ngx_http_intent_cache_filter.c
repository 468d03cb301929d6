/* SPDX-License-Identifier: Apache-2.0
 *
 * The second header filter, inside headers_filter: a response that carries
 * anything personal leaves with "Cache-Control: private, no-cache" and
 * nothing that tells a cache otherwise, whatever add_header, expires or the
 * upstream said. Set-Cookie alone does not keep shared caches from storing
 * (RFC 9111, 7.3), and a 304 updates what they have stored (4.3.4): hence on
 * every status, and for the cookie alone.
 */


#include "ngx_http_intent.h"


static ngx_int_t ngx_http_intent_cache_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_intent_make_private(ngx_http_request_t *r);
static ngx_uint_t ngx_http_intent_cache_header(ngx_str_t *key);
static ngx_int_t ngx_http_intent_cache_filter_init(ngx_conf_t *cf);


static ngx_http_module_t  ngx_http_intent_cache_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_intent_cache_filter_init,     /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_intent_cache_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_intent_cache_filter_module_ctx, /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_intent_cache_headers[] = {
    ngx_string("Cache-Control"),
    ngx_string("Expires"),
    ngx_string("Pragma"),
    ngx_string("Surrogate-Control"),
    ngx_string("X-Accel-Expires"),
    ngx_null_string
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_int_t
ngx_http_intent_cache_filter(ngx_http_request_t *r)
{
    ngx_http_intent_ctx_t  *ctx;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_intent_find_ctx(r);

    if (ctx == NULL) {
        return ngx_http_next_header_filter(r);
    }

    ctx->sealed = 1;

    if (ctx->personal || ctx->cookie_sent) {

        if (ngx_http_intent_make_private(r) != NGX_OK) {

            /* without memory for the header no header is better */

            return NGX_ERROR;
        }

        ctx->private = 1;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_intent_make_private(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_intent_cache_header(&h[i].key)) {
                h[i].hash = 0;
            }
        }
    }

    r->headers_out.expires = NULL;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "private, no-cache");
    ngx_http_intent_header_init(h);

    return ngx_http_intent_set_cache_control(r, h);
}


static ngx_uint_t
ngx_http_intent_cache_header(ngx_str_t *key)
{
    size_t      n;
    ngx_str_t  *name;

    for (name = ngx_http_intent_cache_headers; name->len; name++) {
        if (key->len == name->len
            && ngx_strncasecmp(key->data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    /* CDN-Cache-Control (RFC 9213), and any CDN's own of that ending */

    n = sizeof("CDN-Cache-Control") - 1;

    return key->len >= n
           && ngx_strncasecmp(key->data + key->len - n,
                              (u_char *) "CDN-Cache-Control", n)
              == 0;
}


static ngx_int_t
ngx_http_intent_cache_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_intent_cache_filter;

    return NGX_OK;
}
