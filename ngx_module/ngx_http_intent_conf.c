/* SPDX-License-Identifier: Apache-2.0
 *
 * The directives that read files, and intent_key.
 */


#include "ngx_http_intent.h"


static void ngx_http_intent_config_cleanup(void *data);
static void ngx_http_intent_keys_cleanup(void *data);


char *
ngx_http_intent_config(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_intent_main_conf_t *imcf = conf;

    int                  rc;
    ngx_str_t           *value;
    ngx_pool_cleanup_t  *cln;
    struct intent_error  err;

    if (imcf->config) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&err, sizeof(struct intent_error));

    rc = intent_config_load((char *) value[1].data, &imcf->config, &err);

    if (rc < 0) {
        if (err.text[0]) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err.text);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, -rc,
                               "could not read \"%V\"", &value[1]);
        }

        imcf->config = NULL;
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_intent_config_cleanup;
    cln->data = imcf->config;

    return NGX_CONF_OK;
}


static void
ngx_http_intent_config_cleanup(void *data)
{
    intent_config_free(data);
}


char *
ngx_http_intent_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_intent_loc_conf_t *ilcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *key;

    if (ilcf->keys != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    ilcf->keys = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                  sizeof(ngx_http_complex_value_t));
    if (ilcf->keys == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        /* a constant would make one user of all visitors */

        if (ngx_http_script_variables_count(&value[i]) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" in \"intent_key\" is not a variable",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        key = ngx_array_push(ilcf->keys);
        if (key == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_intent_compile(cf, &value[i], key) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_intent_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = value;

    return ngx_http_compile_complex_value(&ccv);
}


char *
ngx_http_intent_cookie_key_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_intent_main_conf_t *imcf = conf;

    int                  rc;
    ngx_str_t           *value;
    ngx_pool_cleanup_t  *cln;
    struct intent_error  err;

    if (imcf->keys) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&err, sizeof(struct intent_error));

    rc = intent_keys_load((char *) value[1].data, &imcf->keys, &err);

    if (rc < 0) {
        if (err.text[0]) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err.text);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, -rc,
                               "could not read \"%V\"", &value[1]);
        }

        imcf->keys = NULL;
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_intent_keys_cleanup;
    cln->data = imcf->keys;

    return NGX_CONF_OK;
}


static void
ngx_http_intent_keys_cleanup(void *data)
{
    intent_keys_free(data);
}
