/* SPDX-License-Identifier: Apache-2.0
 *
 * The status that a response will have. Conditional requests have been
 * answered when the first filter runs; ranges have not, since nginx takes
 * them after add_header. A 416 shows nobody anything, so an event must not
 * count it: what ngx_http_range_filter_module will say is foreseen here by
 * the same rules.
 */


#include "ngx_http_intent.h"


static ngx_uint_t ngx_http_intent_if_range(ngx_http_request_t *r);
static ngx_uint_t ngx_http_intent_range(ngx_http_request_t *r,
    ngx_uint_t max);
static u_char *ngx_http_intent_range_number(u_char *p, off_t *n);
static u_char *ngx_http_intent_range_spec(u_char *p, off_t length,
    off_t *start, off_t *end);


ngx_uint_t
ngx_http_intent_status(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (r->headers_in.range == NULL
        || r->headers_out.status != NGX_HTTP_OK
        || r->http_version < NGX_HTTP_VERSION_10
        || r->headers_out.content_length_n == -1
        || !r->allow_ranges)
    {
        return r->headers_out.status;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->max_ranges == 0
        || r->headers_in.range->value.len < 7
        || ngx_strncasecmp(r->headers_in.range->value.data,
                           (u_char *) "bytes=", 6)
           != 0
        || !ngx_http_intent_if_range(r))
    {
        return NGX_HTTP_OK;
    }

    return ngx_http_intent_range(r, r->single_range ? 1 : clcf->max_ranges);
}


static ngx_uint_t
ngx_http_intent_if_range(ngx_http_request_t *r)
{
    ngx_str_t  *value, *etag;

    if (r->headers_in.if_range == NULL) {
        return 1;
    }

    value = &r->headers_in.if_range->value;

    if (value->len >= 2 && value->data[value->len - 1] == '"') {

        if (r->headers_out.etag == NULL) {
            return 0;
        }

        etag = &r->headers_out.etag->value;

        return value->len == etag->len
               && ngx_strncmp(value->data, etag->data, etag->len) == 0;
    }

    return r->headers_out.last_modified_time != (time_t) -1
           && ngx_parse_http_time(value->data, value->len)
              == r->headers_out.last_modified_time;
}


static ngx_uint_t
ngx_http_intent_range(ngx_http_request_t *r, ngx_uint_t max)
{
    off_t        start, end, length, size;
    u_char      *p;
    ngx_uint_t   n;

    p = r->headers_in.range->value.data + 6;
    length = r->headers_out.content_length_n;
    size = 0;
    n = 0;

    do {
        p = ngx_http_intent_range_spec(p, length, &start, &end);

        if (p == NULL) {
            return NGX_HTTP_RANGE_NOT_SATISFIABLE;
        }

        if (start < end) {

            if (size > NGX_MAX_OFF_T_VALUE - (end - start)) {
                return NGX_HTTP_RANGE_NOT_SATISFIABLE;
            }

            size += end - start;

            if (n++ == max) {
                return NGX_HTTP_OK;
            }

        } else if (start == 0) {
            return NGX_HTTP_OK;
        }

    } while (*p++ == ',');

    if (n == 0) {
        return NGX_HTTP_RANGE_NOT_SATISFIABLE;
    }

    return size > length ? NGX_HTTP_OK : NGX_HTTP_PARTIAL_CONTENT;
}


/*
 * One of "first-last", "first-" and "-length"; header values end with NUL.
 * NULL when it is none of them.
 */

static u_char *
ngx_http_intent_range_spec(u_char *p, off_t length, off_t *start, off_t *end)
{
    ngx_uint_t  suffix;

    *start = 0;
    suffix = 0;

    while (*p == ' ') { p++; }

    if (*p == '-') {
        suffix = 1;
        p++;

    } else {
        p = ngx_http_intent_range_number(p, start);

        if (p == NULL || *p++ != '-') {
            return NULL;
        }

        while (*p == ' ') { p++; }

        if (*p == ',' || *p == '\0') {
            *end = length;
            return p;
        }
    }

    p = ngx_http_intent_range_number(p, end);

    if (p == NULL || (*p != ',' && *p != '\0')) {
        return NULL;
    }

    if (suffix) {
        *start = (*end < length) ? length - *end : 0;
        *end = length - 1;
    }

    *end = (*end >= length) ? length : *end + 1;

    return p;
}


static u_char *
ngx_http_intent_range_number(u_char *p, off_t *n)
{
    off_t  value;

    if (*p < '0' || *p > '9') {
        return NULL;
    }

    for (value = 0; *p >= '0' && *p <= '9'; p++) {
        if (value > (NGX_MAX_OFF_T_VALUE - 9) / 10) {
            return NULL;
        }

        value = value * 10 + (*p - '0');
    }

    while (*p == ' ') { p++; }

    *n = value;

    return p;
}
