/* SPDX-License-Identifier: Apache-2.0
 *
 * From an identity to a decision, or to the popular answer and the reason.
 *
 * An answer takes 12 KiB, so the process has one for all requests; `serial`
 * tells whose it is. What a response or a log still needs when another
 * request has taken it over is in the context, or is read once more.
 */


#include "ngx_http_intent.h"


static enum intent_reason ngx_http_intent_read(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx);
static ngx_int_t ngx_http_intent_choose(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx);


static struct intent_answer    ngx_http_intent_scratch;
static struct intent_decision  ngx_http_intent_decision;
static ngx_uint_t              ngx_http_intent_serial;

/* each item at its longest: "%xx" per byte, quotes, comma */
static char  ngx_http_intent_items[INTENT_MAX_ITEMS
                                   * (INTENT_MAX_ITEM * 3 + 8)];


/*
 * Reads and decides as of ctx->now. Afterwards ctx->decided says whether band
 * and so on are set, ctx->answered whether they come from the visitor's own
 * state, and ctx->reason why not. Inside enter() and leave().
 */

void
ngx_http_intent_decide(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx,
    ngx_uint_t stage)
{
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    ctx->stage = stage;
    ctx->decided = 0;
    ctx->has_score = 0;
    ctx->cta = NULL;
    ngx_str_null(&ctx->items);

    ctx->reason = ngx_http_intent_read(r, lcf, ctx);
    ctx->answered = (ctx->reason == INTENT_REASON_NONE);

    if (imcf->policy && ngx_http_intent_choose(r, lcf, ctx) == NGX_OK) {
        ctx->decided = 1;
    }

    if (stage == NGX_HTTP_INTENT_AFTER && !ctx->decided && !ctx->answered) {
        ngx_http_intent_count(r, INTENT_C_FAIL_OPEN, 1);
    }
}


static enum intent_reason
ngx_http_intent_read(ngx_http_request_t *r, ngx_http_intent_loc_conf_t *lcf,
    ngx_http_intent_ctx_t *ctx)
{
    int                           rc;
    size_t                        len;
    unsigned                      wait;
    ngx_uint_t                    late;
    const char                   *key;
    struct intent_who             who;
    ngx_http_intent_main_conf_t  *imcf;

    if (!ctx->consent) {
        return INTENT_REASON_CONSENT;
    }

    ngx_http_intent_who(ctx, &who);

    key = who.user ? who.user : who.visitor;
    len = who.user ? who.user_len : who.visitor_len;

    if (key == NULL) {
        return INTENT_REASON_IDENTITY;
    }

    if (ctx->deferred) {

        /* an answer without the event that it answers would be a wrong one */

        return INTENT_REASON_BUSY;
    }

    wait = ngx_http_intent_wait(lcf, ctx);
    late = ngx_http_intent_late(lcf, ctx);

    if (wait == 0) {
        return INTENT_REASON_BUDGET;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    ctx->serial = ++ngx_http_intent_serial;

    ngx_http_intent_guard(rc, intent_read(imcf->zone, (int) imcf->featureset,
                                          key, len, ctx->now, wait,
                                          &ngx_http_intent_scratch));

    if (rc == 0) {
        return INTENT_REASON_NONE;
    }

    ngx_http_intent_serial++;
    ngx_http_intent_lap(ctx);

    if (rc == -EBUSY) {
        return late ? INTENT_REASON_BUDGET : INTENT_REASON_BUSY;
    }

    ngx_http_intent_log_failure(r->connection->log, rc,
                                "reading a visitor's state");

    return INTENT_REASON_ZONE;
}


static ngx_int_t
ngx_http_intent_choose(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx)
{
    int                           rc;
    unsigned                      wait;
    struct intent_answer         *answer;
    struct intent_decision       *d;
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    d = &ngx_http_intent_decision;
    answer = ctx->answered ? &ngx_http_intent_scratch : NULL;

    wait = ngx_http_intent_wait(lcf, ctx);

    ngx_http_intent_guard(rc, intent_decide(imcf->zone, answer, ctx->reason,
                                            (char *) ctx->category.data,
                                            ctx->category.len, ctx->now, wait,
                                            d));

    if (rc < 0) {
        ngx_http_intent_log_failure(r->connection->log, rc, "a decision");
        return NGX_ERROR;
    }

    if (d->reason == INTENT_REASON_ZONE && d->n_items == 0) {

        /* no popularity either: there is nothing to say */

        return NGX_DECLINED;
    }

    ctx->band = d->band;
    ctx->cta = d->cta;
    ctx->score = d->score;
    ctx->has_score = d->has_score;
    ctx->reason = d->reason;

    if (d->n_items == 0) {
        return NGX_OK;
    }

    rc = intent_items_header(d, ngx_http_intent_items,
                             sizeof(ngx_http_intent_items));

    return rc > 0 ? ngx_http_intent_copy(r->pool, &ctx->items,
                                         ngx_http_intent_items, rc)
                  : NGX_OK;
}


/*
 * The answer behind the decision in ctx, read again where another request
 * has used the scratch memory since; NULL when there is none.
 */

struct intent_answer *
ngx_http_intent_answer(ngx_http_request_t *r, ngx_http_intent_ctx_t *ctx)
{
    if (!ctx->answered) {
        return NULL;
    }

    if (ctx->serial == ngx_http_intent_serial) {
        return &ngx_http_intent_scratch;
    }

    return ngx_http_intent_read(r, ctx->conf, ctx) == INTENT_REASON_NONE
           ? &ngx_http_intent_scratch : NULL;
}


ngx_int_t
ngx_http_intent_copy(ngx_pool_t *pool, ngx_str_t *dst, const char *src,
    size_t len)
{
    dst->data = ngx_pnalloc(pool, len);
    if (dst->data == NULL) {
        dst->len = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src, len);
    dst->len = len;

    return NGX_OK;
}
