/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of libintent's as values of variables.
 */


#include "ngx_http_intent.h"


static size_t ngx_http_intent_scalar(u_char *buf,
    const struct intent_value *value);


/*
 * Sets the variable to the bytes, which live as long as the request. Ids and
 * texts came from outside and may end in a header: control characters become
 * spaces (RFC 9110, 5.5).
 */

ngx_int_t
ngx_http_intent_value(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    u_char *data, size_t len)
{
    size_t   i;
    u_char  *p;

    if (len == 0) {
        return NGX_OK;
    }

    for (i = 0; i < len; i++) {
        if (data[i] < 0x20 || data[i] == 0x7f) {
            break;
        }
    }

    if (i < len) {
        p = ngx_pnalloc(r->pool, len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < len; i++) {
            p[i] = (data[i] < 0x20 || data[i] == 0x7f) ? ' ' : data[i];
        }

        data = p;
    }

    v->data = data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/*
 * A feature as text: a boolean is 1 or 0, which "if" understands, a list is
 * separated by commas, null is not found.
 */

ngx_int_t
ngx_http_intent_render(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    const struct intent_value *value)
{
    size_t      len;
    u_char     *p, *last;
    ngx_uint_t  i;

    if (value->kind != INTENT_LIST) {

        len = ngx_http_intent_scalar(NULL, value);
        if (len == 0) {
            return NGX_OK;
        }

        p = ngx_pnalloc(r->pool, len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        len = ngx_http_intent_scalar(p, value);

        return ngx_http_intent_value(r, v, p, len);
    }

    len = 0;

    for (i = 0; i < value->len; i++) {
        len += ngx_http_intent_scalar(NULL, &value->as.items[i]) + 1;
    }

    if (len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = p;

    for (i = 0; i < value->len; i++) {
        if (i) {
            *last++ = ',';
        }

        last += ngx_http_intent_scalar(last, &value->as.items[i]);
    }

    return ngx_http_intent_value(r, v, p, last - p);
}


/* Bytes written, or with a NULL buffer enough room for them. */

static size_t
ngx_http_intent_scalar(u_char *buf, const struct intent_value *value)
{
    switch (value->kind) {

    case INTENT_BOOL:
        if (buf) {
            *buf = value->as.b ? '1' : '0';
        }

        return 1;

    case INTENT_INT:
        return buf ? (size_t) (ngx_sprintf(buf, "%L", value->as.i) - buf)
                   : NGX_INT64_LEN;

    case INTENT_DOUBLE:
        return buf ? ngx_http_intent_double(buf, value->as.d) : 32;

    case INTENT_STRING:
        if (buf) {
            ngx_memcpy(buf, value->as.s, value->len);
        }

        return value->len;

    default:
        return 0;
    }
}


/* The shortest text that reads back as d, at most 32 bytes; 0 for no number. */

size_t
ngx_http_intent_double(u_char *buf, double d)
{
    int   n, digits;
    char  text[32];

    if (!isfinite(d)) {
        return 0;
    }

    n = 0;

    for (digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof(text), "%.*g", digits, d);

        if (strtod(text, NULL) == d) {
            break;
        }
    }

    ngx_memcpy(buf, text, n);

    return n;
}
