/* SPDX-License-Identifier: Apache-2.0
 *
 * Events: from intent_event and a response's status to the windows.
 */


#include "ngx_http_intent.h"


static ngx_uint_t ngx_http_intent_wanted(ngx_http_request_t *r,
    ngx_http_intent_event_t *event, ngx_uint_t status);
static ngx_int_t ngx_http_intent_fill(ngx_http_request_t *r,
    ngx_http_intent_event_t *conf, struct intent_event *event);
static ngx_int_t ngx_http_intent_set(ngx_http_request_t *r,
    struct intent_event *event, ngx_int_t index,
    ngx_http_complex_value_t *cv);


/*
 * Records the events of the location that the status asks for. Called once
 * per main request, with the identity known.
 */

void
ngx_http_intent_capture(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx,
    ngx_uint_t status)
{
    ngx_uint_t                    i;
    struct intent_who             who;
    struct intent_event           event;
    struct intent_value           fields[INTENT_MAX_FIELDS];
    ngx_http_intent_event_t     **conf;
    ngx_http_intent_main_conf_t  *imcf;

    if (lcf->events == NULL) {
        return;
    }

    ngx_http_intent_who(ctx, &who);

    if (who.user == NULL && who.visitor == NULL) {
        return;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    conf = lcf->events->elts;

    for (i = 0; i < lcf->events->nelts; i++) {

        if (!ngx_http_intent_wanted(r, conf[i], status)) {
            continue;
        }

        intent_event_init(imcf->config, &event, conf[i]->dataset_index,
                          fields, ctx->now);

        if (ngx_http_intent_fill(r, conf[i], &event) != NGX_OK) {
            return;
        }

        (void) ngx_http_intent_record(r, ctx, &event,
                                      ngx_http_intent_wait(lcf, ctx));

        ngx_http_intent_lap(ctx);
    }
}


static ngx_uint_t
ngx_http_intent_wanted(ngx_http_request_t *r, ngx_http_intent_event_t *event,
    ngx_uint_t status)
{
    ngx_str_t                        value;
    ngx_uint_t                       i;
    ngx_http_intent_status_range_t  *range;

    range = event->statuses.elts;

    for (i = 0; /* void */ ; i++) {

        if (i == event->statuses.nelts) {
            return 0;
        }

        if (status >= range[i].first && status <= range[i].last) {
            break;
        }
    }

    if (event->filter == NULL) {
        return 1;
    }

    return ngx_http_complex_value(r, event->filter, &value) == NGX_OK
           && value.len != 0
           && (value.len != 1 || value.data[0] != '0');
}


static ngx_int_t
ngx_http_intent_fill(ngx_http_request_t *r, ngx_http_intent_event_t *conf,
    struct intent_event *event)
{
    ngx_uint_t                i;
    ngx_http_intent_field_t  *field;

    if (conf->type_index >= 0
        && ngx_http_intent_set(r, event, conf->type_index, &conf->type)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    field = conf->fields.elts;

    for (i = 0; i < conf->fields.nelts; i++) {
        if (ngx_http_intent_set(r, event, field[i].index, &field[i].value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* A value that the field cannot hold leaves the field absent, and counts. */

static ngx_int_t
ngx_http_intent_set(ngx_http_request_t *r, struct intent_event *event,
    ngx_int_t index, ngx_http_complex_value_t *cv)
{
    int                           rc;
    ngx_str_t                     value;
    ngx_http_intent_main_conf_t  *imcf;

    if (ngx_http_complex_value(r, cv, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    rc = intent_event_set(imcf->config, event, (int) index,
                          (char *) value.data, value.len);

    if (rc == -E2BIG) {
        ngx_http_intent_count(r, INTENT_C_FIELD_LONG, 1);

    } else if (rc < 0) {
        ngx_http_intent_count(r, INTENT_C_FIELD_BAD, 1);
    }

    return NGX_OK;
}


/*
 * One event into the windows and, where privacy allows, the lane. Waits for
 * `wait` microseconds at most. Returns what intent_record() did; a failure has
 * been logged.
 */

int
ngx_http_intent_record(ngx_http_request_t *r, ngx_http_intent_ctx_t *ctx,
    struct intent_event *event, unsigned wait)
{
    int                           rc;
    unsigned                      flags;
    struct intent_who             who;
    struct intent_value           category;
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    ngx_http_intent_who(ctx, &who);

    flags = INTENT_RECORD_LIVE;

    if (ctx->gpc) {
        ngx_http_intent_count(r, INTENT_C_NOT_FORWARDED, 1);

    } else {
        flags |= INTENT_RECORD_FORWARD;
    }

    ngx_http_intent_guard(rc, intent_record(imcf->zone, event, &who, ctx->now,
                                            flags, wait));

    if (rc < 0) {
        ngx_http_intent_log_failure(r->connection->log, rc,
                                    "recording an event");
        return rc;
    }

    if (rc & INTENT_DID_DEFER) {
        ctx->deferred = 1;
    }

    category = intent_event_category(imcf->config, event);

    if (category.kind == INTENT_STRING) {
        ctx->category.data = (u_char *) category.as.s;
        ctx->category.len = category.len;
    }

    return rc;
}
