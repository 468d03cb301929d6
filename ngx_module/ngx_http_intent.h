/* SPDX-License-Identifier: Apache-2.0
 *
 * The nginx side of intent: configuration, what is known of a request, and
 * the functions that the files of the module call of each other. Everything
 * about windows, features and decisions is behind ../libagent/intent.h.
 *
 * Life of a request: variables may be read at any time ("before"); the first
 * header filter of the main request captures its events, decides and adds
 * headers; from then on variables read "after". The second filter, inside
 * headers_filter, makes a personal response uncacheable and seals it: what is
 * personal and was not announced to caches by then is not given out any more.
 */


#ifndef _NGX_HTTP_INTENT_H_INCLUDED_
#define _NGX_HTTP_INTENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <math.h>
#include <setjmp.h>
#include <stdio.h>

#include "../libagent/intent.h"
#include "ngx_http_intent_compat.h"


#define NGX_HTTP_INTENT_OFF              0
#define NGX_HTTP_INTENT_OBSERVE          1
#define NGX_HTTP_INTENT_ON               2

#define NGX_HTTP_INTENT_GPC_FORWARD_OFF  0
#define NGX_HTTP_INTENT_GPC_ALL_OFF      1
#define NGX_HTTP_INTENT_GPC_IGNORE       2

/* a beacon that is in order when the zone is not: no 5xx is to be ours */
#define NGX_HTTP_INTENT_FAILED_DEPENDENCY  424

#define NGX_HTTP_INTENT_NONE             0x0002
#define NGX_HTTP_INTENT_BAND             0x0004
#define NGX_HTTP_INTENT_CTA              0x0008
#define NGX_HTTP_INTENT_ITEMS            0x0010
#define NGX_HTTP_INTENT_VARIANT          0x0020
#define NGX_HTTP_INTENT_SIGNALS          0x0040
#define NGX_HTTP_INTENT_TIMING           0x0080

/* those that tell something; there are no variants yet */
#define NGX_HTTP_INTENT_SHOWN            (NGX_HTTP_INTENT_BAND                \
                                          |NGX_HTTP_INTENT_CTA                \
                                          |NGX_HTTP_INTENT_ITEMS              \
                                          |NGX_HTTP_INTENT_SIGNALS            \
                                          |NGX_HTTP_INTENT_TIMING)

/* the state that a request's variables show */
#define NGX_HTTP_INTENT_UNREAD           0
#define NGX_HTTP_INTENT_BEFORE           1
#define NGX_HTTP_INTENT_AFTER            2

/* the visitor cookie that came with a request */
#define NGX_HTTP_INTENT_COOKIE_NONE      0
#define NGX_HTTP_INTENT_COOKIE_VALID     1
#define NGX_HTTP_INTENT_COOKIE_STALE     2
#define NGX_HTTP_INTENT_COOKIE_BAD       3
#define NGX_HTTP_INTENT_COOKIE_MINTED    4


typedef struct {
    ngx_uint_t                    first;
    ngx_uint_t                    last;
} ngx_http_intent_status_range_t;


typedef struct {
    ngx_str_t                     name;
    ngx_int_t                     index;
    ngx_http_complex_value_t      value;
} ngx_http_intent_field_t;


typedef struct {
    ngx_http_complex_value_t      type;
    ngx_http_complex_value_t     *filter;
    ngx_array_t                   statuses;  /* ..._status_range_t */
    ngx_array_t                   fields;    /* ngx_http_intent_field_t */
    ngx_str_t                     dataset;
    ngx_int_t                     dataset_index;
    ngx_int_t                     type_index;

    u_char                       *file;
    ngx_uint_t                    line;
} ngx_http_intent_event_t;


typedef struct {
    ngx_str_t                     name;
    ngx_str_t                     attributes;  /* "; Path=/; Max-Age=..." */
    ngx_str_t                     removal;     /* the same with Max-Age=0 */
    time_t                        max_age;
} ngx_http_intent_cookie_t;


typedef struct {
    ngx_str_t                     prefix;
    ngx_str_t                     token;
} ngx_http_intent_api_t;


typedef struct {
    struct intent_config         *config;
    struct intent                *zone;
    struct intent_keys           *keys;
    ngx_array_t                   events;      /* ..._event_t * */
    ngx_int_t                     featureset;  /* what is decided from */

    u_char                       *cookie_file; /* of the first intent_cookie */
    ngx_uint_t                    cookie_line;

    unsigned                      policy:1;
    unsigned                      variables:1; /* a personal one is in use */
    unsigned                      started:1;   /* intent_worker_start() done */
} ngx_http_intent_main_conf_t;


typedef struct {
    ngx_uint_t                    mode;
    ngx_uint_t                    gpc;
    ngx_uint_t                    headers;
    ngx_msec_t                    budget;
    ngx_array_t                  *keys;        /* ngx_http_complex_value_t */
    ngx_array_t                  *events;      /* ..._event_t * */
    ngx_http_intent_cookie_t     *cookie;
    ngx_http_complex_value_t     *consent;
    ngx_http_intent_api_t        *api;
    ngx_uint_t                    beacon;
} ngx_http_intent_loc_conf_t;


typedef struct {
    ngx_http_intent_loc_conf_t   *conf;        /* identified under it */
    ngx_http_intent_cookie_t     *cookie_conf; /* cookie verified under it */

    ngx_str_t                     user;
    ngx_str_t                     category;    /* of the last event */
    ngx_str_t                     items;       /* as the header has them */
    u_char                       *set_cookie;  /* values as added */
    u_char                       *server_timing;
    const char                   *band;
    const char                   *cta;
    double                        score;
    int64_t                       now;         /* of the last look, in ms */
    uint64_t                      entered;     /* monotonic ns */
    uint64_t                      spent;       /* ns of the budget */
    uint64_t                      busy;        /* ns spent in the module */
    uint64_t                      counted;     /* of them, in the counter */
    ngx_uint_t                    serial;      /* names the last answer */
    enum intent_reason            reason;

    unsigned                      depth:8;     /* enter() nesting */
    unsigned                      cookie:3;
    unsigned                      cookie_sent:1;
    unsigned                      stage:2;
    unsigned                      identifying:1;
    unsigned                      consent:1;
    unsigned                      gpc:1;
    unsigned                      key_refused:1;
    unsigned                      answered:1;  /* from the visitor's state */
    unsigned                      decided:1;   /* band, cta, ... are set */
    unsigned                      has_score:1;
    unsigned                      captured:1;
    unsigned                      deferred:1;  /* event waits for a lock */
    unsigned                      personal:1;  /* given out something so */
    unsigned                      private:1;   /* caches have been told */
    unsigned                      sealed:1;
    unsigned                      logging:1;

    u_char                        visitor[INTENT_VISITOR_LEN];
} ngx_http_intent_ctx_t;


/*
 * Calls into libintent that touch the zone go through this. Where somebody
 * cuts the zone's file short, its pages are gone, and the kernel answers the
 * next access with SIGBUS: the call then ends as -EIO, and the process leaves
 * the zone alone from then on. libintent sees the cut itself, but only every
 * 100 ms.
 */

typedef struct {
    sigjmp_buf                    jump;
    volatile sig_atomic_t         armed;
    volatile sig_atomic_t         broken;
} ngx_http_intent_fault_t;


#define ngx_http_intent_guard(rc, call)                                       \
    if (ngx_http_intent_fault.broken) {                                       \
        rc = -EIO;                                                            \
                                                                              \
    } else if (sigsetjmp(ngx_http_intent_fault.jump, 0)) {                    \
        rc = -EIO;                                                            \
                                                                              \
    } else {                                                                  \
        ngx_http_intent_fault.armed = 1;                                      \
        rc = call;                                                            \
        ngx_http_intent_fault.armed = 0;                                      \
    }


/* request: context, clock, log */

ngx_http_intent_ctx_t *ngx_http_intent_find_ctx(ngx_http_request_t *r);
ngx_http_intent_ctx_t *ngx_http_intent_get_ctx(ngx_http_request_t *r);
int64_t ngx_http_intent_now(void);
void ngx_http_intent_enter(ngx_http_intent_ctx_t *ctx);
void ngx_http_intent_leave(ngx_http_intent_ctx_t *ctx);
uint64_t ngx_http_intent_elapsed(ngx_http_intent_ctx_t *ctx);
unsigned ngx_http_intent_wait(ngx_http_intent_loc_conf_t *lcf,
    ngx_http_intent_ctx_t *ctx);
ngx_uint_t ngx_http_intent_late(ngx_http_intent_loc_conf_t *lcf,
    ngx_http_intent_ctx_t *ctx);
void ngx_http_intent_lap(ngx_http_intent_ctx_t *ctx);
void ngx_http_intent_count(ngx_http_request_t *r,
    enum intent_counter counter, uint64_t n);
void ngx_http_intent_log_failure(ngx_log_t *log, int rc, const char *what);

/* conf: directives */

ngx_int_t ngx_http_intent_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t *value);
char *ngx_http_intent_config(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_intent_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_intent_cookie(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_intent_cookie_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_intent_event(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_intent_resolve_event(ngx_conf_t *cf,
    struct intent_config *config, ngx_http_intent_event_t *event);

/* strip: Intent-* from outside */

ngx_int_t ngx_http_intent_strip_handler(ngx_http_request_t *r);
void ngx_http_intent_strip_response(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx);

/* identity and cookie */

void ngx_http_intent_identify(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx);
void ngx_http_intent_who(ngx_http_intent_ctx_t *ctx, struct intent_who *who);
void ngx_http_intent_prefetch(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx);
ngx_table_elt_t *ngx_http_intent_find_header(ngx_http_request_t *r,
    const char *name, size_t len);
void ngx_http_intent_verify_cookie(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx);
void ngx_http_intent_mint_cookie(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx);
ngx_int_t ngx_http_intent_send_cookie(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx);

/* capture */

ngx_uint_t ngx_http_intent_status(ngx_http_request_t *r);
void ngx_http_intent_capture(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx,
    ngx_uint_t status);
int ngx_http_intent_record(ngx_http_request_t *r, ngx_http_intent_ctx_t *ctx,
    struct intent_event *event, unsigned wait);

/* decide */

void ngx_http_intent_decide(ngx_http_request_t *r,
    ngx_http_intent_loc_conf_t *lcf, ngx_http_intent_ctx_t *ctx,
    ngx_uint_t stage);
struct intent_answer *ngx_http_intent_answer(ngx_http_request_t *r,
    ngx_http_intent_ctx_t *ctx);
ngx_int_t ngx_http_intent_copy(ngx_pool_t *pool, ngx_str_t *dst,
    const char *src, size_t len);

/* filter */

ngx_table_elt_t *ngx_http_intent_add_header(ngx_http_request_t *r,
    const char *key, size_t len, ngx_str_t *value);
ngx_int_t ngx_http_intent_filter_init(ngx_conf_t *cf);

/* variables */

ngx_int_t ngx_http_intent_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_http_intent_init_variables(ngx_conf_t *cf,
    ngx_http_intent_main_conf_t *imcf);

ngx_int_t ngx_http_intent_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, u_char *data, size_t len);
ngx_int_t ngx_http_intent_render(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const struct intent_value *value);
size_t ngx_http_intent_double(u_char *buf, double d);

/* endpoints */

char *ngx_http_intent_beacon(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_intent_beacon_handler(ngx_http_request_t *r);
char *ngx_http_intent_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_intent_api_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_intent_features(ngx_http_request_t *r);
ngx_int_t ngx_http_intent_features_batch(ngx_http_request_t *r);
ngx_int_t ngx_http_intent_popular(ngx_http_request_t *r);

ngx_int_t ngx_http_intent_body(ngx_http_request_t *r, size_t max,
    ngx_str_t *body);
ngx_int_t ngx_http_intent_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_chain_t *out, off_t len);
ngx_int_t ngx_http_intent_send_text(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, u_char *data, size_t len);
ngx_int_t ngx_http_intent_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail, ngx_int_t event);

#define ngx_http_intent_deny(r, status, detail)                               \
    ngx_http_intent_problem(r, status, detail, 0)

/* worker */

ngx_int_t ngx_http_intent_open_zone(ngx_conf_t *cf,
    ngx_http_intent_main_conf_t *imcf);
ngx_int_t ngx_http_intent_init_process(ngx_cycle_t *cycle);
void ngx_http_intent_exit_process(ngx_cycle_t *cycle);


extern ngx_module_t             ngx_http_intent_module;
extern ngx_http_intent_fault_t  ngx_http_intent_fault;


#endif /* _NGX_HTTP_INTENT_H_INCLUDED_ */
