/* SPDX-License-Identifier: Apache-2.0
 *
 * The zone's life in nginx. It is opened while the configuration is read, in
 * the master: a zone that cannot be used fails the start, and a reload keeps
 * what runs. Workers inherit the mapping and take a lane each.
 */


#include "ngx_http_intent.h"


/* how often libintent wants its housekeeping done */
#define NGX_HTTP_INTENT_TICK  100


static ngx_int_t ngx_http_intent_zone_error(ngx_conf_t *cf, int rc,
    struct intent_error *err, const char *path);
static void ngx_http_intent_zone_cleanup(void *data);
static void ngx_http_intent_start(ngx_http_intent_main_conf_t *imcf,
    ngx_log_t *log);
static void ngx_http_intent_tick(ngx_event_t *ev);
static void ngx_http_intent_catch(ngx_log_t *log);
static void ngx_http_intent_sigbus(int signo, siginfo_t *info, void *context);


ngx_http_intent_fault_t  ngx_http_intent_fault;

static struct sigaction  ngx_http_intent_old_action;
static ngx_uint_t        ngx_http_intent_catching;

static ngx_event_t       ngx_http_intent_tick_event;

/* the event loop's debug log wants a connection's fd behind each event */
static ngx_connection_t  ngx_http_intent_tick_connection;


ngx_int_t
ngx_http_intent_open_zone(ngx_conf_t *cf, ngx_http_intent_main_conf_t *imcf)
{
    int                  rc;
    const char          *path;
    ngx_pool_cleanup_t  *cln;
    struct intent_error  err;

    if (ngx_process == NGX_PROCESS_SIGNALLER) {

        /* "nginx -s": reads the configuration only for the pid file's name */

        return NGX_OK;
    }

    ngx_memzero(&err, sizeof(struct intent_error));

    path = intent_zone_path(imcf->config);

    if (ngx_test_config) {
        rc = intent_open(imcf->config, INTENT_OPEN_CHECK, &imcf->zone, &err);

        return rc < 0 ? ngx_http_intent_zone_error(cf, rc, &err, path)
                      : NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    rc = intent_open(imcf->config, INTENT_OPEN_CREATE, &imcf->zone, &err);

    if (rc < 0) {
        imcf->zone = NULL;
        return ngx_http_intent_zone_error(cf, rc, &err, path);
    }

    cln->handler = ngx_http_intent_zone_cleanup;
    cln->data = imcf->zone;

    /*
     * Ours are this process, which a reload finds as the owner, and the one
     * that started it: in a binary upgrade that is the old master.
     */

    rc = intent_owner_check(imcf->zone, ngx_pid, ngx_parent, &err);

    return rc < 0 ? ngx_http_intent_zone_error(cf, rc, &err, path) : NGX_OK;
}


static ngx_int_t
ngx_http_intent_zone_error(ngx_conf_t *cf, int rc, struct intent_error *err,
    const char *path)
{
    if (err->text[0]) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err->text);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, -rc,
                           "could not open the intent zone \"%s\"", path);
    }

    return NGX_ERROR;
}


static void
ngx_http_intent_zone_cleanup(void *data)
{
    int  rc;

    ngx_http_intent_guard(rc, (intent_close(data), 0));

    (void) rc;

    if (ngx_http_intent_catching) {

        /* the handler goes away with the module, which is closed after this */

        (void) sigaction(SIGBUS, &ngx_http_intent_old_action, NULL);
        ngx_http_intent_catching = 0;
    }
}


ngx_int_t
ngx_http_intent_init_process(ngx_cycle_t *cycle)
{
    ngx_event_t                  *ev;
    ngx_http_intent_main_conf_t  *imcf;

    /* the cache manager and loader come here, too */

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    imcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_intent_module);

    if (imcf == NULL || imcf->zone == NULL) {
        return NGX_OK;
    }

    ngx_http_intent_catch(cycle->log);
    ngx_http_intent_start(imcf, cycle->log);

    ev = &ngx_http_intent_tick_event;

    ngx_memzero(ev, sizeof(ngx_event_t));

    ngx_http_intent_tick_connection.fd = (ngx_socket_t) -1;

    ev->handler = ngx_http_intent_tick;
    ev->data = &ngx_http_intent_tick_connection;
    ev->log = cycle->log;

    /* not to hold a worker back that shuts down */

    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_INTENT_TICK);

    return NGX_OK;
}


/*
 * A failure here is no reason to serve no pages: events go uncounted, or
 * undelivered where only the lane is missing, and that is counted.
 */

static void
ngx_http_intent_start(ngx_http_intent_main_conf_t *imcf, ngx_log_t *log)
{
    int  rc;

    /* by now the master has its final pid: it may have become a daemon */

    ngx_http_intent_guard(rc, (intent_owner_claim(imcf->zone,
                                       ngx_process == NGX_PROCESS_SINGLE
                                       ? ngx_pid : ngx_parent), 0));

    ngx_http_intent_guard(rc, intent_worker_start(imcf->zone));

    if (rc < 0 && rc != -EAGAIN) {
        ngx_log_error(NGX_LOG_ERR, log, -rc,
                      "intent: could not take a lane of \"%s\"",
                      intent_zone_path(imcf->config));
    }

    imcf->started = 1;
}


static void
ngx_http_intent_tick(ngx_event_t *ev)
{
    int                           rc;
    ngx_http_intent_main_conf_t  *imcf;

    /* the cycle of now: with "master_process off" a reload makes a new one */

    imcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_intent_module);

    if (imcf && imcf->zone) {

        if (!imcf->started) {
            ngx_http_intent_start(imcf, ev->log);
        }

        ngx_http_intent_guard(rc, intent_tick(imcf->zone,
                                              ngx_http_intent_now()));

        if (rc < 0 && rc != -EAGAIN) {
            ngx_http_intent_log_failure(ev->log, rc, "housekeeping");
        }
    }

    ngx_add_timer(ev, NGX_HTTP_INTENT_TICK);
}


void
ngx_http_intent_exit_process(ngx_cycle_t *cycle)
{
    int                           rc;
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_intent_module);

    if (imcf && imcf->started) {
        ngx_http_intent_guard(rc, (intent_worker_stop(imcf->zone), 0));
        imcf->started = 0;

        (void) rc;
    }
}


static void
ngx_http_intent_catch(ngx_log_t *log)
{
    struct sigaction  sa;

    ngx_memzero(&sa, sizeof(struct sigaction));

    sa.sa_sigaction = ngx_http_intent_sigbus;
    sa.sa_flags = SA_SIGINFO|SA_NODEFER;
    sigemptyset(&sa.sa_mask);

    if (sigaction(SIGBUS, &sa, &ngx_http_intent_old_action) == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      "sigaction(SIGBUS) failed");
        return;
    }

    ngx_http_intent_catching = 1;
}


/*
 * libintent is left in the middle. It holds no memory there, and whatever it
 * was about to write is in a file that nobody has any more.
 */

static void
ngx_http_intent_sigbus(int signo, siginfo_t *info, void *context)
{
    if (ngx_http_intent_fault.armed && info->si_code == BUS_ADRERR) {
        ngx_http_intent_fault.armed = 0;
        ngx_http_intent_fault.broken = 1;
        siglongjmp(ngx_http_intent_fault.jump, 1);
    }

    /* not ours: it comes again at once, to whom it would have come */

    (void) sigaction(SIGBUS, &ngx_http_intent_old_action, NULL);
    ngx_http_intent_catching = 0;
}
