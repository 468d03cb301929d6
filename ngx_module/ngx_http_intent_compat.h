/* SPDX-License-Identifier: Apache-2.0
 *
 * What differs between the versions of nginx that the module builds with.
 *
 * 1.23.0 linked repeated headers by ngx_table_elt_t.next, where they had
 * been arrays of pointers. Inputs need nothing from here: request headers
 * are read from r->headers_in.headers, which is the same everywhere.
 */


#ifndef _NGX_HTTP_INTENT_COMPAT_H_INCLUDED_
#define _NGX_HTTP_INTENT_COMPAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#if (nginx_version >= 1023000)

#define ngx_http_intent_header_init(h)  (h)->next = NULL

#else

#define ngx_http_intent_header_init(h)

#endif


/* Makes h the only Cache-Control that filters of nginx (gzip_proxied) see. */

static ngx_inline ngx_int_t
ngx_http_intent_set_cache_control(ngx_http_request_t *r, ngx_table_elt_t *h)
{
#if (nginx_version >= 1023000)

    r->headers_out.cache_control = h;

    return NGX_OK;

#else

    ngx_array_t       *a;
    ngx_table_elt_t  **hp;

    a = &r->headers_out.cache_control;

    if (a->elts == NULL) {
        if (ngx_array_init(a, r->pool, 1, sizeof(ngx_table_elt_t *))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    a->nelts = 0;

    hp = ngx_array_push(a);
    if (hp == NULL) {
        return NGX_ERROR;
    }

    *hp = h;

    return NGX_OK;

#endif
}


#endif /* _NGX_HTTP_INTENT_COMPAT_H_INCLUDED_ */
