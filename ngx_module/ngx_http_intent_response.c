/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies in and out of the endpoints.
 */


#include "ngx_http_intent.h"


static ngx_int_t ngx_http_intent_no_store(ngx_http_request_t *r);
static const char *ngx_http_intent_title(ngx_uint_t status);


static ngx_str_t  ngx_http_intent_problem_type =
    ngx_string("application/problem+json");


/* Endpoints are nobody's to keep. */

static ngx_int_t
ngx_http_intent_no_store(ngx_http_request_t *r)
{
    ngx_str_t         value;
    ngx_table_elt_t  *h;

    ngx_str_set(&value, "no-store");

    h = ngx_http_intent_add_header(r, "Cache-Control",
                                   sizeof("Cache-Control") - 1, &value);
    if (h == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_intent_set_cache_control(r, h);
}


/*
 * The request body in one piece, from however many buffers and the file that
 * nginx may have put it into. NGX_DECLINED when it is longer than max.
 */

ngx_int_t
ngx_http_intent_body(ngx_http_request_t *r, size_t max, ngx_str_t *body)
{
    off_t         len;
    u_char       *p;
    size_t        size;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    if (len > (off_t) max) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, (size_t) len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = (size_t) len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        b = cl->buf;
        size = (size_t) ngx_buf_size(b);

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, size);
            continue;
        }

        if (size == 0) {
            continue;
        }

        n = ngx_read_file(b->file, p, size, b->file_pos);

        if (n != (ssize_t) size) {
            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


/*
 * Sends a whole response. The chain ends the body; len is its length. NULL
 * for a response without one.
 */

ngx_int_t
ngx_http_intent_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_chain_t *out, off_t len)
{
    ngx_int_t  rc;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;

    if (type) {
        r->headers_out.content_type = *type;
        r->headers_out.content_type_len = type->len;
        r->headers_out.content_type_lowcase = NULL;
    }

    if (out == NULL) {
        r->header_only = 1;
    }

    if (ngx_http_intent_no_store(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}


ngx_int_t
ngx_http_intent_send_text(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, u_char *data, size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = data;
    b->last = data + len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_intent_send(r, status, type, &out, len);
}


/*
 * RFC 9457. event: the number of the first bad one in a beacon, or 0. What is
 * left of the request body is not asked for, and thrown away when it comes.
 */

ngx_int_t
ngx_http_intent_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail, ngx_int_t event)
{
    u_char       *p, *text;
    size_t        len;
    ngx_int_t     rc;
    const char   *title;

    r->expect_tested = 1;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    title = ngx_http_intent_title(status);
    len = ngx_strlen(detail);

    text = ngx_pnalloc(r->pool,
                       sizeof("{\"type\":\"about:blank\",\"title\":\"\","
                              "\"status\":,\"detail\":\"\",\"event\":}\n")
                       + ngx_strlen(title) + 2 * NGX_INT_T_LEN + len
                       + ngx_escape_json(NULL, (u_char *) detail, len));
    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(text, "{\"type\":\"about:blank\",\"title\":\"%s\","
                    "\"status\":%ui,\"detail\":\"", title, status);

    p = (u_char *) ngx_escape_json(p, (u_char *) detail, len);

    *p++ = '"';

    if (event > 0) {
        p = ngx_sprintf(p, ",\"event\":%i", event);
    }

    *p++ = '}';
    *p++ = LF;

    return ngx_http_intent_send_text(r, status, &ngx_http_intent_problem_type,
                                     text, p - text);
}


static const char *
ngx_http_intent_title(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_BAD_REQUEST:
        return "Bad Request";

    case NGX_HTTP_UNAUTHORIZED:
        return "Unauthorized";

    case NGX_HTTP_FORBIDDEN:
        return "Forbidden";

    case NGX_HTTP_NOT_FOUND:
        return "Not Found";

    case NGX_HTTP_NOT_ALLOWED:
        return "Method Not Allowed";

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return "Content Too Large";

    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE:
        return "Unsupported Media Type";

    case NGX_HTTP_INTENT_FAILED_DEPENDENCY:
        return "Failed Dependency";

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return "Service Unavailable";

    default:
        return "Error";
    }
}
