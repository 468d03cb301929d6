/* SPDX-License-Identifier: Apache-2.0
 *
 * Intent-* headers from outside are nobody's: a client's are taken out of
 * the request before any upstream or variable sees them, an upstream's out of
 * the response before ours are added. Intent_Band is Intent-Band to whatever
 * speaks CGI behind nginx, so the underscore counts as the hyphen.
 */


#include "ngx_http_intent.h"


static ngx_uint_t ngx_http_intent_ours(ngx_str_t *key);
static void ngx_http_intent_remove(ngx_list_t *list, ngx_list_part_t *prev,
    ngx_list_part_t *part, ngx_uint_t i, ngx_list_part_t *rest);


ngx_int_t
ngx_http_intent_strip_handler(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_t       *list;
    ngx_list_part_t  *part, *prev, *rest;
    ngx_table_elt_t  *h;

    list = &r->headers_in.headers;
    prev = NULL;
    part = &list->part;

    while (part) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_intent_ours(&h[i].key)) {
                break;
            }
        }

        if (i == part->nelts) {
            prev = part;
            part = part->next;
            continue;
        }

        rest = NULL;

        if (i != 0 && i != part->nelts - 1) {
            rest = ngx_palloc(r->pool, sizeof(ngx_list_part_t));
            if (rest == NULL) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }

        ngx_http_intent_remove(list, prev, part, i, rest);

        /* once more from the start: parts have moved, and this is rare */

        prev = NULL;
        part = &list->part;
    }

    return NGX_DECLINED;
}


/*
 * Takes element i out of a part. Elements stay where they are, since nginx
 * and others keep pointers to them: the part is cut around the hole. No part
 * but the first may be left empty, which those who walk the list rely on, and
 * nalloc must tell how full the last part is.
 */

static void
ngx_http_intent_remove(ngx_list_t *list, ngx_list_part_t *prev,
    ngx_list_part_t *part, ngx_uint_t i, ngx_list_part_t *rest)
{
    ngx_table_elt_t  *h;

    h = part->elts;

    if (i == part->nelts - 1) {
        part->nelts--;

    } else if (i == 0) {
        part->elts = &h[1];
        part->nelts--;

    } else {
        rest->elts = &h[i + 1];
        rest->nelts = part->nelts - i - 1;
        rest->next = part->next;

        part->nelts = i;
        part->next = rest;

        if (list->last == part) {
            list->last = rest;
        }
    }

    if (part->nelts == 0) {

        if (prev) {
            prev->next = part->next;

            if (list->last == part) {
                list->last = prev;
            }

        } else if (part->next) {
            if (list->last == part->next) {
                list->last = part;
            }

            *part = *part->next;
        }
    }

    /* a push goes to a new part */

    if (list->last->nelts) {
        list->nalloc = list->last->nelts;
    }
}


/*
 * Also takes out what an earlier pass of the same response has added: nginx
 * sends a 416 by starting over, with the headers there are.
 */

void
ngx_http_intent_strip_response(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_intent_ours(&h[i].key)
                || (h[i].value.data
                    && (h[i].value.data == ctx->set_cookie
                        || h[i].value.data == ctx->server_timing)))
            {
                h[i].hash = 0;
            }
        }
    }
}


static ngx_uint_t
ngx_http_intent_ours(ngx_str_t *key)
{
    return key->len > 7
           && (key->data[0] | 0x20) == 'i'
           && (key->data[6] == '-' || key->data[6] == '_')
           && ngx_strncasecmp(key->data, (u_char *) "intent", 6) == 0;
}
