/* SPDX-License-Identifier: Apache-2.0
 *
 * intent_api: the endpoints for operators and services, under the prefix of
 * the location. They read and never capture or decide.
 */


#include "ngx_http_intent.h"


/* a bearer token; a file that holds more is the wrong file */
#define NGX_HTTP_INTENT_TOKEN_MAX  1024


typedef struct {
    ngx_str_t                     name;
    ngx_uint_t                    methods;
    ngx_str_t                     allow;
    ngx_int_t                   (*handler)(ngx_http_request_t *r);
} ngx_http_intent_endpoint_t;


static char *ngx_http_intent_read_token(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *token);
static ngx_int_t ngx_http_intent_authorize(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_intent_unauthorized(ngx_http_request_t *r);
static ngx_int_t ngx_http_intent_status_json(ngx_http_request_t *r);
static ngx_int_t ngx_http_intent_metrics(ngx_http_request_t *r);
static ngx_int_t ngx_http_intent_send_owned(ngx_http_request_t *r,
    ngx_str_t *type, int rc, char *text, size_t len);
static void ngx_http_intent_text_cleanup(void *data);


static ngx_http_intent_endpoint_t  ngx_http_intent_endpoints[] = {

    { ngx_string("features"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_string("GET, HEAD"), ngx_http_intent_features },

    { ngx_string("features/batch"), NGX_HTTP_POST,
      ngx_string("POST"), ngx_http_intent_features_batch },

    { ngx_string("popular"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_string("GET, HEAD"), ngx_http_intent_popular },

    { ngx_string("status"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_string("GET, HEAD"), ngx_http_intent_status_json },

    { ngx_string("metrics"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_string("GET, HEAD"), ngx_http_intent_metrics },

    { ngx_null_string, 0, ngx_null_string, NULL }
};


static ngx_str_t  ngx_http_intent_json = ngx_string("application/json");

static ngx_str_t  ngx_http_intent_prometheus =
    ngx_string("text/plain; version=0.0.4; charset=utf-8");


char *
ngx_http_intent_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_intent_loc_conf_t *ilcf = conf;

    char                      *rv;
    ngx_str_t                 *value, file;
    ngx_http_intent_api_t     *api;
    ngx_http_core_loc_conf_t  *clcf;

    if (ilcf->api) {
        return "is duplicate";
    }

    if (ilcf->beacon) {
        return "cannot share a location with \"intent_beacon\"";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

#if (NGX_PCRE)
    if (clcf->regex) {
        return "needs a location given by a prefix";
    }
#endif

    if (clcf->exact_match || clcf->named || clcf->noname) {
        return "needs a location given by a prefix";
    }

    api = ngx_pcalloc(cf->pool, sizeof(ngx_http_intent_api_t));
    if (api == NULL) {
        return NGX_CONF_ERROR;
    }

    api->prefix = clcf->name;

    if (cf->args->nelts == 2) {

        value = cf->args->elts;

        if (ngx_strncmp(value[1].data, "token_file=", 11) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of \"intent_api\"",
                               &value[1]);
            return NGX_CONF_ERROR;
        }

        file.data = value[1].data + 11;
        file.len = value[1].len - 11;

        rv = ngx_http_intent_read_token(cf, &file, &api->token);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    ilcf->api = api;
    clcf->handler = ngx_http_intent_api_handler;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_intent_api_handler(ngx_http_request_t *r)
{
    ngx_str_t                    name;
    ngx_http_intent_api_t       *api;
    ngx_http_intent_endpoint_t  *e;
    ngx_http_intent_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_intent_module);
    api = lcf->api;

    if (api->token.len && ngx_http_intent_authorize(r, &api->token) != NGX_OK) {
        return ngx_http_intent_unauthorized(r);
    }

    name.data = r->uri.data + api->prefix.len;
    name.len = r->uri.len - api->prefix.len;

    if (name.len && name.data[0] == '/') {
        name.data++;
        name.len--;
    }

    for (e = ngx_http_intent_endpoints; e->handler; e++) {
        if (e->name.len == name.len
            && ngx_strncmp(e->name.data, name.data, name.len) == 0)
        {
            break;
        }
    }

    if (e->handler == NULL) {
        return ngx_http_intent_deny(r, NGX_HTTP_NOT_FOUND,
                                    "features, features/batch, popular, "
                                    "status and metrics are here");
    }

    if (!(r->method & e->methods)) {

        if (ngx_http_intent_add_header(r, "Allow", sizeof("Allow") - 1,
                                       &e->allow)
            == NULL)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_intent_deny(r, NGX_HTTP_NOT_ALLOWED,
                                    "the Allow header has the methods");
    }

    return e->handler(r);
}


static char *
ngx_http_intent_read_token(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *token)
{
    char      *rv;
    u_char    *p, *last;
    ssize_t    n;
    ngx_fd_t   fd;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_CONF_ERROR;
    }

    rv = NGX_CONF_ERROR;

    p = ngx_pnalloc(cf->pool, NGX_HTTP_INTENT_TOKEN_MAX + 1);
    if (p == NULL) {
        goto done;
    }

    n = ngx_read_fd(fd, p, NGX_HTTP_INTENT_TOKEN_MAX + 1);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", name);
        goto done;
    }

    last = p + n;

    while (last > p && (last[-1] == LF || last[-1] == CR || last[-1] == ' ')) {
        last--;
    }

    token->data = p;
    token->len = last - p;

    while (p < last && *p > 0x20 && *p < 0x7f) { p++; }

    if (token->len == 0 || p < last || n > NGX_HTTP_INTENT_TOKEN_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is to hold one line with a token of "
                           "printable characters, at most %d of them",
                           name, NGX_HTTP_INTENT_TOKEN_MAX);
        goto done;
    }

    rv = NGX_CONF_OK;

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", name);
    }

    return rv;
}


/* Takes the same time for each wrong token of the right length. */

static ngx_int_t
ngx_http_intent_authorize(ngx_http_request_t *r, ngx_str_t *token)
{
    u_char            *p;
    size_t             i, n;
    ngx_table_elt_t   *h;
    volatile u_char    diff;

    h = ngx_http_intent_find_header(r, "authorization",
                                    sizeof("authorization") - 1);

    n = sizeof("Bearer ") - 1;

    if (h == NULL
        || h->value.len != n + token->len
        || ngx_strncasecmp(h->value.data, (u_char *) "Bearer ", n) != 0)
    {
        return NGX_DECLINED;
    }

    p = h->value.data + n;
    diff = 0;

    for (i = 0; i < token->len; i++) {
        diff |= p[i] ^ token->data[i];
    }

    return diff ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_http_intent_unauthorized(ngx_http_request_t *r)
{
    ngx_str_t  value;

    ngx_str_set(&value, "Bearer realm=\"intent\"");

    r->headers_out.www_authenticate = ngx_http_intent_add_header(r,
                                           "WWW-Authenticate",
                                           sizeof("WWW-Authenticate") - 1,
                                           &value);
    if (r->headers_out.www_authenticate == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_intent_deny(r, NGX_HTTP_UNAUTHORIZED,
                                "\"Authorization: Bearer TOKEN\" with the "
                                "token of this server was expected");
}


static ngx_int_t
ngx_http_intent_status_json(ngx_http_request_t *r)
{
    int                           rc;
    char                         *text = NULL;
    size_t                        len = 0;
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    ngx_http_intent_guard(rc, intent_status_json(imcf->zone,
                                                 ngx_http_intent_now(), &text,
                                                 &len));

    return ngx_http_intent_send_owned(r, &ngx_http_intent_json, rc, text, len);
}


static ngx_int_t
ngx_http_intent_metrics(ngx_http_request_t *r)
{
    int                           rc;
    char                         *text = NULL;
    size_t                        len = 0;
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    ngx_http_intent_guard(rc, intent_metrics(imcf->zone, ngx_http_intent_now(),
                                             &text, &len));

    return ngx_http_intent_send_owned(r, &ngx_http_intent_prometheus, rc, text,
                                      len);
}


/* Sends a text of libintent's, which the request then owns. */

static ngx_int_t
ngx_http_intent_send_owned(ngx_http_request_t *r, ngx_str_t *type, int rc,
    char *text, size_t len)
{
    ngx_pool_cleanup_t  *cln;

    if (rc < 0) {
        return ngx_http_intent_deny(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                    "the zone cannot be read now");
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        intent_text_free(text);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_intent_text_cleanup;
    cln->data = text;

    rc = ngx_http_discard_request_body(r);

    return rc != NGX_OK ? rc
                        : ngx_http_intent_send_text(r, NGX_HTTP_OK, type,
                                                    (u_char *) text, len);
}


static void
ngx_http_intent_text_cleanup(void *data)
{
    intent_text_free(data);
}
