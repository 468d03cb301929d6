/* SPDX-License-Identifier: Apache-2.0
 *
 * Directives, configuration and the tables that nginx reads.
 */


#include "ngx_http_intent.h"


static void *ngx_http_intent_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_intent_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_intent_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_intent_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_intent_check_loc_conf(ngx_conf_t *cf,
    ngx_http_intent_loc_conf_t *conf);
static char *ngx_http_intent_headers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_intent_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_intent_log_handler(ngx_http_request_t *r);


static ngx_conf_enum_t  ngx_http_intent_modes[] = {
    { ngx_string("off"), NGX_HTTP_INTENT_OFF },
    { ngx_string("observe"), NGX_HTTP_INTENT_OBSERVE },
    { ngx_string("on"), NGX_HTTP_INTENT_ON },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_intent_gpc[] = {
    { ngx_string("forward_off"), NGX_HTTP_INTENT_GPC_FORWARD_OFF },
    { ngx_string("all_off"), NGX_HTTP_INTENT_GPC_ALL_OFF },
    { ngx_string("ignore"), NGX_HTTP_INTENT_GPC_IGNORE },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_http_intent_header_names[] = {
    { ngx_string("none"), NGX_HTTP_INTENT_NONE },
    { ngx_string("band"), NGX_HTTP_INTENT_BAND },
    { ngx_string("cta"), NGX_HTTP_INTENT_CTA },
    { ngx_string("items"), NGX_HTTP_INTENT_ITEMS },
    { ngx_string("variant"), NGX_HTTP_INTENT_VARIANT },
    { ngx_string("signals"), NGX_HTTP_INTENT_SIGNALS },
    { ngx_string("timing"), NGX_HTTP_INTENT_TIMING },
    { ngx_null_string, 0 }
};


/*
 * Syntax:   intent_config file;
 * Default:  -
 * Context:  http
 *
 * Syntax:   intent off | observe | on;
 * Default:  intent off;
 * Context:  http, server, location
 *
 * Syntax:   intent_key $variable ...;
 * Default:  -
 * Context:  http, server, location
 *
 * Syntax:   intent_cookie name [domain=domain] [path=path] [max_age=time]
 *               [samesite=lax|strict|none] [secure|insecure];
 *           intent_cookie off;
 * Default:  intent_cookie off;
 * Context:  http, server, location
 *
 * Syntax:   intent_cookie_key_file file;
 * Default:  -
 * Context:  http
 *
 * Syntax:   intent_consent $variable;
 * Default:  -
 * Context:  http, server, location
 *
 * Syntax:   intent_gpc forward_off | all_off | ignore;
 * Default:  intent_gpc forward_off;
 * Context:  http, server, location
 *
 * Syntax:   intent_budget time;
 * Default:  intent_budget 1ms;
 * Context:  http, server, location
 *
 * Syntax:   intent_event type [field=value ...] [if=$variable]
 *               [status=code,...] [dataset=name];
 * Default:  -
 * Context:  http, server, location
 *
 * Syntax:   intent_headers [band] [cta] [items] [variant] [signals] [timing];
 *           intent_headers none;
 * Default:  intent_headers band cta items variant;
 * Context:  http, server, location
 *
 * Syntax:   intent_beacon;
 * Default:  -
 * Context:  location
 *
 * Syntax:   intent_api [token_file=file];
 * Default:  -
 * Context:  location
 */

static ngx_command_t  ngx_http_intent_commands[] = {

    { ngx_string("intent_config"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_intent_config,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("intent"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_intent_loc_conf_t, mode),
      ngx_http_intent_modes },

    { ngx_string("intent_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_intent_key,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("intent_cookie"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_intent_cookie,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("intent_cookie_key_file"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_intent_cookie_key_file,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("intent_consent"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_intent_loc_conf_t, consent),
      NULL },

    { ngx_string("intent_gpc"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_intent_loc_conf_t, gpc),
      ngx_http_intent_gpc },

    { ngx_string("intent_budget"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_intent_loc_conf_t, budget),
      NULL },

    { ngx_string("intent_event"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_intent_event,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("intent_headers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_intent_headers,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_intent_loc_conf_t, headers),
      ngx_http_intent_header_names },

    { ngx_string("intent_beacon"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_intent_beacon,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("intent_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_intent_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_intent_module_ctx = {
    ngx_http_intent_add_variables,         /* preconfiguration */
    ngx_http_intent_init,                  /* postconfiguration */

    ngx_http_intent_create_main_conf,      /* create main configuration */
    ngx_http_intent_init_main_conf,        /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_intent_create_loc_conf,       /* create location configuration */
    ngx_http_intent_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_intent_module = {
    NGX_MODULE_V1,
    &ngx_http_intent_module_ctx,           /* module context */
    ngx_http_intent_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_intent_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_intent_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_intent_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_intent_main_conf_t));
    if (imcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&imcf->events, cf->pool, 4,
                       sizeof(ngx_http_intent_event_t *))
        != NGX_OK)
    {
        return NULL;
    }

    imcf->featureset = -1;

    return imcf;
}


/*
 * The whole http{} has been read: events can be checked against the config,
 * wherever in the file intent_config stands.
 */

static char *
ngx_http_intent_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_intent_main_conf_t *imcf = conf;

    ngx_uint_t                 i;
    ngx_http_intent_event_t  **events;

    if (imcf->cookie_file && imcf->keys == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"intent_cookie\" needs \"intent_cookie_key_file\": "
                      "make a key with \"intentctl keygen\" in %s:%ui",
                      imcf->cookie_file, imcf->cookie_line);
        return NGX_CONF_ERROR;
    }

    events = imcf->events.elts;

    if (imcf->config == NULL) {

        if (imcf->events.nelts) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"intent_event\" needs \"intent_config\" in %s:%ui",
                          events[0]->file, events[0]->line);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    for (i = 0; i < imcf->events.nelts; i++) {
        if (ngx_http_intent_resolve_event(cf, imcf->config, events[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    imcf->policy = intent_has_policy(imcf->config);
    imcf->featureset = intent_featureset_find(imcf->config, "", 0);

    return NGX_CONF_OK;
}


static void *
ngx_http_intent_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_intent_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_intent_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->headers = 0;
     *     conf->consent = NULL;
     *     conf->api = NULL;
     *     conf->beacon = 0;
     */

    conf->mode = NGX_CONF_UNSET_UINT;
    conf->gpc = NGX_CONF_UNSET_UINT;
    conf->budget = NGX_CONF_UNSET_MSEC;
    conf->keys = NGX_CONF_UNSET_PTR;
    conf->events = NGX_CONF_UNSET_PTR;
    conf->cookie = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_intent_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_intent_loc_conf_t *prev = parent;
    ngx_http_intent_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_uint_value(conf->mode, prev->mode, NGX_HTTP_INTENT_OFF);
    ngx_conf_merge_uint_value(conf->gpc, prev->gpc,
                              NGX_HTTP_INTENT_GPC_FORWARD_OFF);
    ngx_conf_merge_msec_value(conf->budget, prev->budget, 1);
    ngx_conf_merge_ptr_value(conf->keys, prev->keys, NULL);
    ngx_conf_merge_ptr_value(conf->events, prev->events, NULL);
    ngx_conf_merge_ptr_value(conf->cookie, prev->cookie, NULL);

    ngx_conf_merge_bitmask_value(conf->headers, prev->headers,
                                 (NGX_CONF_BITMASK_SET
                                  |NGX_HTTP_INTENT_BAND
                                  |NGX_HTTP_INTENT_CTA
                                  |NGX_HTTP_INTENT_ITEMS
                                  |NGX_HTTP_INTENT_VARIANT));

    if (conf->consent == NULL) {
        conf->consent = prev->consent;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && conf->api == NULL && !conf->beacon) {

        /* "if" and "limit_except" belong to the endpoint's location */

        conf->api = prev->api;
        conf->beacon = prev->beacon;

        if (clcf->handler == NULL && (conf->api || conf->beacon)) {
            clcf->handler = conf->api ? ngx_http_intent_api_handler
                                      : ngx_http_intent_beacon_handler;
        }
    }

    return ngx_http_intent_check_loc_conf(cf, conf);
}


static char *
ngx_http_intent_check_loc_conf(ngx_conf_t *cf,
    ngx_http_intent_loc_conf_t *conf)
{
    const char                   *name;
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_intent_module);

    name = conf->api ? "intent_api"
           : conf->beacon ? "intent_beacon"
           : conf->mode == NGX_HTTP_INTENT_OBSERVE ? "intent observe"
           : conf->mode == NGX_HTTP_INTENT_ON ? "intent on"
           : NULL;

    if (name == NULL) {
        return NGX_CONF_OK;
    }

    if (imcf->config == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" needs \"intent_config\" in \"http\"", name);
        return NGX_CONF_ERROR;
    }

    if (conf->mode == NGX_HTTP_INTENT_ON && imcf->featureset < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"intent on\" needs a \"policy\" in intent_config, "
                           "or exactly one featureset to show");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_intent_headers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_intent_loc_conf_t *ilcf = conf;

    char  *rv;

    if (ilcf->headers) {
        return "is duplicate";
    }

    rv = ngx_conf_set_bitmask_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if ((ilcf->headers & NGX_HTTP_INTENT_NONE) && cf->args->nelts > 2) {
        return "cannot combine \"none\" with others";
    }

    ilcf->headers |= NGX_CONF_BITMASK_SET;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_intent_init(ngx_conf_t *cf)
{
    ngx_uint_t                    n;
    ngx_http_handler_pt          *h;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_intent_module);

    if (ngx_http_intent_init_variables(cf, imcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (imcf->config == NULL) {
        return NGX_OK;
    }

    if (ngx_http_intent_open_zone(cf, imcf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_intent_strip_handler;

    if (imcf->variables) {

        h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        /*
         * ahead of access_log, which registered before: variables are given
         * to a log that may not be given to a response any more
         */

        h = cmcf->phases[NGX_HTTP_LOG_PHASE].handlers.elts;
        n = cmcf->phases[NGX_HTTP_LOG_PHASE].handlers.nelts;

        ngx_memmove(&h[1], &h[0], (n - 1) * sizeof(ngx_http_handler_pt));
        h[0] = ngx_http_intent_log_handler;
    }

    return ngx_http_intent_filter_init(cf);
}


static ngx_int_t
ngx_http_intent_log_handler(ngx_http_request_t *r)
{
    ngx_http_intent_ctx_t       *ctx;
    ngx_http_intent_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_intent_module);

    if (r != r->main || lcf->mode == NGX_HTTP_INTENT_OFF) {
        return NGX_OK;
    }

    ctx = ngx_http_intent_get_ctx(r);

    if (ctx) {
        ctx->logging = 1;
    }

    return NGX_OK;
}
