/* SPDX-License-Identifier: Apache-2.0
 *
 * Variables. Each shows the state before the request's own event until the
 * first header filter has run, and the state after it from then on, so none
 * is cached by nginx.
 *
 * Giving out something personal marks the response as such. Once its headers
 * have passed the cache filter unmarked, nothing personal is given out any
 * more (SSI and sub_filter read variables that late), but to the log.
 */


#include "ngx_http_intent.h"


static ngx_int_t ngx_http_intent_identity_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_intent_decision_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_intent_feature_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_intent_us_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_intent_no_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

static ngx_http_intent_ctx_t *ngx_http_intent_look(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t **lcf);
static ngx_http_intent_ctx_t *ngx_http_intent_decided(ngx_http_request_t *r);
static ngx_uint_t ngx_http_intent_too_late(ngx_http_intent_ctx_t *ctx);


#define NGX_HTTP_INTENT_V_KEY       0
#define NGX_HTTP_INTENT_V_VISITOR   1

#define NGX_HTTP_INTENT_V_BAND      0
#define NGX_HTTP_INTENT_V_CTA       1
#define NGX_HTTP_INTENT_V_ITEMS     2
#define NGX_HTTP_INTENT_V_SCORE     3
#define NGX_HTTP_INTENT_V_DEGRADED  4


static ngx_http_variable_t  ngx_http_intent_vars[] = {

    { ngx_string("intent_key"), NULL, ngx_http_intent_identity_variable,
      NGX_HTTP_INTENT_V_KEY, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("intent_visitor"), NULL, ngx_http_intent_identity_variable,
      NGX_HTTP_INTENT_V_VISITOR, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("intent_band"), NULL, ngx_http_intent_decision_variable,
      NGX_HTTP_INTENT_V_BAND, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("intent_score"), NULL, ngx_http_intent_decision_variable,
      NGX_HTTP_INTENT_V_SCORE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("intent_cta"), NULL, ngx_http_intent_decision_variable,
      NGX_HTTP_INTENT_V_CTA, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("intent_items"), NULL, ngx_http_intent_decision_variable,
      NGX_HTTP_INTENT_V_ITEMS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("intent_variant"), NULL, ngx_http_intent_no_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("intent_degraded"), NULL, ngx_http_intent_decision_variable,
      NGX_HTTP_INTENT_V_DEGRADED, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("intent_us"), NULL, ngx_http_intent_us_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_intent_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_intent_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/*
 * After parsing: $intent_feature_NAME for each feature, so that nginx refuses
 * others as unknown variables; and whether any personal variable is in use.
 */

ngx_int_t
ngx_http_intent_init_variables(ngx_conf_t *cf,
    ngx_http_intent_main_conf_t *imcf)
{
    ngx_int_t                   i;
    ngx_str_t                   name;
    ngx_uint_t                  n;
    const char                 *feature;
    ngx_http_variable_t        *var;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    var = cmcf->variables.elts;

    for (n = 0; n < cmcf->variables.nelts; n++) {
        if (var[n].name.len > 7
            && ngx_strncmp(var[n].name.data, "intent_", 7) == 0
            && (var[n].name.len != 9
                || ngx_strncmp(var[n].name.data, "intent_us", 9) != 0))
        {
            imcf->variables = 1;
        }
    }

    if (imcf->featureset < 0) {
        return NGX_OK;
    }

    for (i = 0; /* void */ ; i++) {

        feature = intent_feature_name(imcf->config, (int) imcf->featureset,
                                      (int) i);
        if (feature == NULL) {
            return NGX_OK;
        }

        name.len = sizeof("intent_feature_") - 1 + ngx_strlen(feature);
        name.data = ngx_pnalloc(cf->pool, name.len + 1);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(name.data, "intent_feature_%s", feature);

        var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_intent_feature_variable;
        var->data = i;
    }
}


/*
 * The context of the main request, whose location says what applies (a
 * subrequest shares the visitor), or NULL when the module is off there.
 */

static ngx_http_intent_ctx_t *
ngx_http_intent_look(ngx_http_request_t *r, ngx_http_intent_loc_conf_t **lcf)
{
    *lcf = ngx_http_get_module_loc_conf(r->main, ngx_http_intent_module);

    if ((*lcf)->mode == NGX_HTTP_INTENT_OFF) {
        return NULL;
    }

    return ngx_http_intent_get_ctx(r->main);
}


static ngx_uint_t
ngx_http_intent_too_late(ngx_http_intent_ctx_t *ctx)
{
    return ctx->sealed && !ctx->private && !ctx->logging;
}


static ngx_int_t
ngx_http_intent_identity_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_int_t                    rc;
    struct intent_who            who;
    ngx_http_intent_ctx_t       *ctx;
    ngx_http_intent_loc_conf_t  *lcf;

    v->not_found = 1;

    ctx = ngx_http_intent_look(r, &lcf);

    if (ctx == NULL || ctx->identifying || ngx_http_intent_too_late(ctx)) {
        return NGX_OK;
    }

    if (!ctx->captured) {
        ngx_http_intent_enter(ctx);
        ngx_http_intent_identify(r->main, lcf, ctx);
        ngx_http_intent_leave(ctx);
    }

    ngx_http_intent_who(ctx, &who);

    rc = (data == NGX_HTTP_INTENT_V_KEY)
         ? ngx_http_intent_value(r, v, (u_char *) who.user, who.user_len)
         : ngx_http_intent_value(r, v, (u_char *) who.visitor,
                                 who.visitor_len);

    if (!v->not_found) {
        ctx->personal = 1;
    }

    return rc;
}


/*
 * The context with a decision in it, made now where there is none of this
 * stage, or NULL. "observe" decides for the log alone.
 */

static ngx_http_intent_ctx_t *
ngx_http_intent_decided(ngx_http_request_t *r)
{
    ngx_uint_t                   stage;
    ngx_http_intent_ctx_t       *ctx;
    ngx_http_intent_loc_conf_t  *lcf;

    ctx = ngx_http_intent_look(r, &lcf);

    if (ctx == NULL || ctx->identifying
        || (lcf->mode == NGX_HTTP_INTENT_OBSERVE && !ctx->logging))
    {
        return NULL;
    }

    stage = ctx->captured ? NGX_HTTP_INTENT_AFTER : NGX_HTTP_INTENT_BEFORE;

    if (ctx->stage != stage || ctx->conf != lcf) {

        if (ngx_http_intent_too_late(ctx)) {
            return NULL;
        }

        ngx_http_intent_enter(ctx);

        if (!ctx->captured) {
            ctx->now = ngx_http_intent_now();
            ngx_http_intent_identify(r->main, lcf, ctx);
        }

        ctx->conf = lcf;
        ngx_http_intent_decide(r->main, lcf, ctx, stage);

        ngx_http_intent_leave(ctx);
    }

    if (ctx->answered) {

        if (ngx_http_intent_too_late(ctx)) {
            return NULL;
        }

        ctx->personal = 1;
    }

    return ctx;
}


static ngx_int_t
ngx_http_intent_decision_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *p;
    const char             *s;
    struct intent_value     score;
    ngx_http_intent_ctx_t  *ctx;

    v->not_found = 1;

    ctx = ngx_http_intent_decided(r);

    if (ctx == NULL || !ctx->decided) {
        return NGX_OK;
    }

    switch (data) {

    case NGX_HTTP_INTENT_V_ITEMS:
        return ngx_http_intent_value(r, v, ctx->items.data, ctx->items.len);

    case NGX_HTTP_INTENT_V_SCORE:

        if (!ctx->has_score) {
            return NGX_OK;
        }

        score.kind = INTENT_DOUBLE;
        score.as.d = ctx->score;

        return ngx_http_intent_render(r, v, &score);

    case NGX_HTTP_INTENT_V_DEGRADED:

        if (ctx->reason == INTENT_REASON_NONE) {
            return NGX_OK;
        }

        s = intent_reason_name(ctx->reason);

        p = ngx_pnalloc(r->pool, sizeof("popularity; reason=")
                                 + ngx_strlen(s));
        if (p == NULL) {
            return NGX_ERROR;
        }

        return ngx_http_intent_value(r, v, p,
                          ngx_sprintf(p, "popularity; reason=%s", s) - p);

    default:
        s = (data == NGX_HTTP_INTENT_V_BAND) ? ctx->band : ctx->cta;

        return s ? ngx_http_intent_value(r, v, (u_char *) s, ngx_strlen(s))
                 : NGX_OK;
    }
}


static ngx_int_t
ngx_http_intent_feature_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    struct intent_answer   *answer;
    ngx_http_intent_ctx_t  *ctx;

    v->not_found = 1;

    ctx = ngx_http_intent_decided(r);

    if (ctx == NULL) {
        return NGX_OK;
    }

    ngx_http_intent_enter(ctx);
    answer = ngx_http_intent_answer(r->main, ctx);
    ngx_http_intent_leave(ctx);

    if (answer == NULL || (int) data >= answer->n) {
        return NGX_OK;
    }

    return ngx_http_intent_render(r, v, &answer->values[data]);
}


static ngx_int_t
ngx_http_intent_us_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                      *p;
    ngx_http_intent_ctx_t       *ctx;
    ngx_http_intent_loc_conf_t  *lcf;

    v->not_found = 1;

    ctx = ngx_http_intent_look(r, &lcf);

    if (ctx == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_intent_value(r, v, p,
              ngx_sprintf(p, "%uL",
                          (ngx_http_intent_elapsed(ctx) + 500) / 1000) - p);
}


static ngx_int_t
ngx_http_intent_no_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    v->not_found = 1;

    return NGX_OK;
}
