/* SPDX-License-Identifier: Apache-2.0
 *
 * What the module keeps of a request, the clocks, and the log.
 */


#include "ngx_http_intent.h"


static void ngx_http_intent_cleanup(void *data);


/*
 * The context of the main request r, or NULL. nginx clears the contexts of
 * modules in internal redirects, error pages and named locations: it is then
 * found again by its pool cleanup, so that a request is captured once.
 */

ngx_http_intent_ctx_t *
ngx_http_intent_find_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_intent_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_intent_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {

        for (cln = r->pool->cleanup; cln; cln = cln->next) {
            if (cln->handler == ngx_http_intent_cleanup) {
                ctx = cln->data;
                ngx_http_set_ctx(r, ctx, ngx_http_intent_module);
                break;
            }
        }
    }

    return ctx;
}


/* The same, made where it is missing; NULL without memory. */

ngx_http_intent_ctx_t *
ngx_http_intent_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_intent_ctx_t  *ctx;

    ctx = ngx_http_intent_find_ctx(r);

    if (ctx) {
        return ctx;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_intent_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_intent_ctx_t));

    cln->handler = ngx_http_intent_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_intent_module);

    return ctx;
}


static void
ngx_http_intent_cleanup(void *data)
{
    /* only marks the context in the pool's list */
}


/*
 * Event time. Not ngx_timeofday(): that is as old as the event loop's last
 * turn, so an event of another worker could lie ahead of it and be missing
 * from the window that the very next request of the visitor reads.
 */

int64_t
ngx_http_intent_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static uint64_t
ngx_http_intent_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


/*
 * Brackets the time that is spent in the module for a request. They nest: an
 * event's value may be one of our own variables.
 */

void
ngx_http_intent_enter(ngx_http_intent_ctx_t *ctx)
{
    if (ctx->depth++ == 0) {
        ctx->entered = ngx_http_intent_clock();
        ctx->spent = 0;
    }
}


void
ngx_http_intent_leave(ngx_http_intent_ctx_t *ctx)
{
    if (--ctx->depth == 0) {
        ctx->busy += ngx_http_intent_clock() - ctx->entered;
    }
}


/* Nanoseconds in the module so far, open brackets included. */

uint64_t
ngx_http_intent_elapsed(ngx_http_intent_ctx_t *ctx)
{
    return ctx->busy
           + (ctx->depth ? ngx_http_intent_clock() - ctx->entered : 0);
}


/*
 * intent_budget in nanoseconds. Beyond a minute there is nothing to wait for,
 * and the microseconds of it fit what libintent takes.
 */

static uint64_t
ngx_http_intent_budget(ngx_http_intent_loc_conf_t *lcf)
{
    return (uint64_t) ngx_min(lcf->budget, 60000) * 1000000;
}


/*
 * How long to wait for a lock, in microseconds: what is left of intent_budget.
 * A quarter of it is always granted: if that much is gone without a wait, it
 * was the kernel that gave our time to another process, maybe to the one that
 * holds the lock.
 */

unsigned
ngx_http_intent_wait(ngx_http_intent_loc_conf_t *lcf,
    ngx_http_intent_ctx_t *ctx)
{
    uint64_t  budget;

    budget = ngx_http_intent_budget(lcf);

    return (unsigned) (ngx_max(budget / 4,
                               budget - ngx_min(ctx->spent, budget))
                       / 1000);
}


/* Whether the budget is used up. */

ngx_uint_t
ngx_http_intent_late(ngx_http_intent_loc_conf_t *lcf,
    ngx_http_intent_ctx_t *ctx)
{
    return ctx->spent >= ngx_http_intent_budget(lcf);
}


/* Notes what of the budget is spent, after something that may have waited. */

void
ngx_http_intent_lap(ngx_http_intent_ctx_t *ctx)
{
    ctx->spent = ngx_http_intent_clock() - ctx->entered;
}


void
ngx_http_intent_count(ngx_http_request_t *r, enum intent_counter counter,
    uint64_t n)
{
    int                           rc;
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    ngx_http_intent_guard(rc, (intent_count(imcf->zone, counter, n), 0));

    (void) rc;
}


/* A line a second at most: what fails, fails for each request. */

void
ngx_http_intent_log_failure(ngx_log_t *log, int rc, const char *what)
{
    static time_t      last;
    static ngx_uint_t  silent;

    if (ngx_time() == last) {
        silent++;
        return;
    }

    ngx_log_error(NGX_LOG_ERR, log, -rc,
                  "intent: %s failed, pages are served without it "
                  "(%ui more since the last line)", what, silent);

    last = ngx_time();
    silent = 0;
}
