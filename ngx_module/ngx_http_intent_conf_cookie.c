/* SPDX-License-Identifier: Apache-2.0
 *
 * The directive intent_cookie: a cookie's name and attributes are made here,
 * once, as they go on the wire.
 */


#include "ngx_http_intent.h"


/* Browsers cap cookies at 400 days (RFC 6265bis, 5.6.3). */
#define NGX_HTTP_INTENT_COOKIE_MAX_AGE  (400 * 86400)


typedef struct {
    ngx_str_t                     domain;
    ngx_str_t                     path;
    ngx_str_t                     samesite;
    time_t                        max_age;
    ngx_uint_t                    insecure;
} ngx_http_intent_cookie_args_t;


static char *ngx_http_intent_cookie_args(ngx_conf_t *cf,
    ngx_http_intent_cookie_args_t *args);
static char *ngx_http_intent_cookie_arg(ngx_conf_t *cf, ngx_str_t *arg,
    ngx_http_intent_cookie_args_t *args);
static char *ngx_http_intent_cookie_name(ngx_conf_t *cf, ngx_str_t *name,
    ngx_http_intent_cookie_args_t *args, ngx_http_intent_cookie_t *cookie);
static ngx_int_t ngx_http_intent_cookie_attributes(ngx_conf_t *cf,
    ngx_http_intent_cookie_args_t *args, time_t max_age, ngx_str_t *out);


char *
ngx_http_intent_cookie(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_intent_loc_conf_t *ilcf = conf;

    char                           *rv;
    ngx_str_t                      *value;
    ngx_http_intent_cookie_t       *cookie;
    ngx_http_intent_main_conf_t    *imcf;
    ngx_http_intent_cookie_args_t   args;

    if (ilcf->cookie != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts > 2) {
            return "cannot combine \"off\" with parameters";
        }

        ilcf->cookie = NULL;
        return NGX_CONF_OK;
    }

    cookie = ngx_pcalloc(cf->pool, sizeof(ngx_http_intent_cookie_t));
    if (cookie == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_intent_cookie_args(cf, &args);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_http_intent_cookie_name(cf, &value[1], &args, cookie);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    cookie->max_age = args.max_age;

    if (ngx_http_intent_cookie_attributes(cf, &args, args.max_age,
                                          &cookie->attributes)
        != NGX_OK
        || ngx_http_intent_cookie_attributes(cf, &args, 0, &cookie->removal)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_intent_module);

    if (imcf->cookie_file == NULL) {
        imcf->cookie_file = cf->conf_file->file.name.data;
        imcf->cookie_line = cf->conf_file->line;
    }

    ilcf->cookie = cookie;

    return NGX_CONF_OK;
}


static char *
ngx_http_intent_cookie_args(ngx_conf_t *cf,
    ngx_http_intent_cookie_args_t *args)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    ngx_memzero(args, sizeof(ngx_http_intent_cookie_args_t));

    ngx_str_set(&args->path, "/");
    ngx_str_set(&args->samesite, "Lax");
    args->max_age = 365 * 86400;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_intent_cookie_arg(cf, &value[i], args);

        if (rv != NGX_CONF_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of \"intent_cookie\""
                               "%s", &value[i], rv);
            return NGX_CONF_ERROR;
        }
    }

    if (args->insecure && ngx_strcmp(args->samesite.data, "None") == 0) {
        return "\"samesite=none\" needs \"secure\"";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_intent_cookie_arg(ngx_conf_t *cf, ngx_str_t *arg,
    ngx_http_intent_cookie_args_t *args)
{
    u_char     *p, *last;
    ngx_str_t   s;

    last = arg->data + arg->len;

    for (p = arg->data; p < last; p++) {
        if (*p <= 0x20 || *p >= 0x7f || *p == ';' || *p == ',') {
            return ": a character that no cookie attribute can have";
        }
    }

    if (arg->len > 7 && ngx_strncmp(arg->data, "domain=", 7) == 0) {
        args->domain.data = arg->data + 7;
        args->domain.len = arg->len - 7;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(arg->data, "path=/", 6) == 0) {
        args->path.data = arg->data + 5;
        args->path.len = arg->len - 5;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(arg->data, "max_age=", 8) == 0) {
        s.data = arg->data + 8;
        s.len = arg->len - 8;

        args->max_age = ngx_parse_time(&s, 1);

        return (args->max_age > 0
                && args->max_age <= NGX_HTTP_INTENT_COOKIE_MAX_AGE)
               ? NGX_CONF_OK : ": between 1s and 400d was expected";
    }

    if (ngx_strcmp(arg->data, "samesite=lax") == 0) {
        ngx_str_set(&args->samesite, "Lax");
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(arg->data, "samesite=strict") == 0) {
        ngx_str_set(&args->samesite, "Strict");
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(arg->data, "samesite=none") == 0) {
        ngx_str_set(&args->samesite, "None");
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(arg->data, "secure") == 0) {
        args->insecure = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(arg->data, "insecure") == 0) {
        args->insecure = 1;
        return NGX_CONF_OK;
    }

    return "";
}


/*
 * A secure cookie of the whole host is called __Host-NAME: browsers then take
 * it from no other host and over no other scheme.
 */

static char *
ngx_http_intent_cookie_name(ngx_conf_t *cf, ngx_str_t *name,
    ngx_http_intent_cookie_args_t *args, ngx_http_intent_cookie_t *cookie)
{
    u_char      *p;
    ngx_uint_t   i, host, prefixed;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] <= 0x20 || name->data[i] >= 0x7f
            || ngx_strchr("()<>@,;:\\\"/[]?={}", name->data[i]))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid cookie name \"%V\"", name);
            return NGX_CONF_ERROR;
        }
    }

    host = !args->insecure && args->domain.len == 0 && args->path.len == 1;

    prefixed = name->len > 7
               && ngx_strncasecmp(name->data, (u_char *) "__Host-", 7) == 0;

    if (prefixed && !host) {
        return "has a \"__Host-\" name, which goes with \"secure\", "
               "\"path=/\" and no \"domain\"";
    }

    if (args->insecure && name->len > 9
        && ngx_strncasecmp(name->data, (u_char *) "__Secure-", 9) == 0)
    {
        return "has a \"__Secure-\" name, which goes with \"secure\"";
    }

    if (prefixed || !host) {
        cookie->name = *name;
        return NGX_CONF_OK;
    }

    cookie->name.data = ngx_pnalloc(cf->pool, name->len + 7);
    if (cookie->name.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(cookie->name.data, "__Host-", 7);
    p = ngx_cpymem(p, name->data, name->len);

    cookie->name.len = p - cookie->name.data;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_intent_cookie_attributes(ngx_conf_t *cf,
    ngx_http_intent_cookie_args_t *args, time_t max_age, ngx_str_t *out)
{
    u_char  *p;

    p = ngx_pnalloc(cf->pool,
                    sizeof("; Path=; Domain=; Max-Age=; Secure; HttpOnly"
                           "; SameSite=")
                    + args->path.len + args->domain.len + NGX_TIME_T_LEN
                    + args->samesite.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    p = ngx_sprintf(p, "; Path=%V", &args->path);

    if (args->domain.len) {
        p = ngx_sprintf(p, "; Domain=%V", &args->domain);
    }

    p = ngx_sprintf(p, "; Max-Age=%T%s; HttpOnly; SameSite=%V", max_age,
                    args->insecure ? "" : "; Secure", &args->samesite);

    out->len = p - out->data;

    return NGX_OK;
}
