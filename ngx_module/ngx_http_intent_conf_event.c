/* SPDX-License-Identifier: Apache-2.0
 *
 * The directive intent_event. Its names are checked against intent.json when
 * the whole configuration has been read, since intent_config may stand behind.
 */


#include "ngx_http_intent.h"


static char *ngx_http_intent_event_arg(ngx_conf_t *cf,
    ngx_http_intent_event_t *event, ngx_str_t *arg);
static char *ngx_http_intent_event_statuses(ngx_conf_t *cf,
    ngx_http_intent_event_t *event, ngx_str_t *list);
static ngx_int_t ngx_http_intent_resolve_field(ngx_conf_t *cf,
    struct intent_config *config, ngx_http_intent_event_t *event,
    ngx_http_intent_field_t *field);
static ngx_uint_t ngx_http_intent_names_key(struct intent_config *config,
    ngx_str_t *name);


static ngx_str_t  ngx_http_intent_default_status = ngx_string("2xx,304");


char *
ngx_http_intent_event(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_intent_loc_conf_t *ilcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_intent_event_t       *event, **ep;
    ngx_http_intent_main_conf_t   *imcf;

    value = cf->args->elts;

    if (value[1].len == 0 || ngx_strchr(value[1].data, '=')) {
        return "must begin with the type of the event";
    }

    event = ngx_pcalloc(cf->pool, sizeof(ngx_http_intent_event_t));
    if (event == NULL) {
        return NGX_CONF_ERROR;
    }

    event->file = cf->conf_file->file.name.data;
    event->line = cf->conf_file->line;

    if (ngx_array_init(&event->fields, cf->pool, 4,
                       sizeof(ngx_http_intent_field_t))
        != NGX_OK
        || ngx_array_init(&event->statuses, cf->pool, 2,
                          sizeof(ngx_http_intent_status_range_t))
           != NGX_OK
        || ngx_http_intent_compile(cf, &value[1], &event->type) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_intent_event_arg(cf, event, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (event->statuses.nelts == 0) {
        rv = ngx_http_intent_event_statuses(cf, event,
                                            &ngx_http_intent_default_status);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_intent_module);

    ep = ngx_array_push(&imcf->events);
    if (ep == NULL) {
        return NGX_CONF_ERROR;
    }

    *ep = event;

    if (ilcf->events == NGX_CONF_UNSET_PTR) {
        ilcf->events = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_intent_event_t *));
        if (ilcf->events == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    ep = ngx_array_push(ilcf->events);
    if (ep == NULL) {
        return NGX_CONF_ERROR;
    }

    *ep = event;

    return NGX_CONF_OK;
}


static char *
ngx_http_intent_event_arg(ngx_conf_t *cf, ngx_http_intent_event_t *event,
    ngx_str_t *arg)
{
    u_char                   *p;
    ngx_str_t                 name, value;
    ngx_http_intent_field_t  *field;

    p = (u_char *) ngx_strchr(arg->data, '=');

    if (p == NULL || p == arg->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"intent_event\": "
                           "field=value was expected", arg);
        return NGX_CONF_ERROR;
    }

    name.data = arg->data;
    name.len = p - arg->data;
    value.data = p + 1;
    value.len = arg->data + arg->len - value.data;

    if (name.len == 6 && ngx_strncmp(name.data, "status", 6) == 0) {
        return ngx_http_intent_event_statuses(cf, event, &value);
    }

    if (name.len == 7 && ngx_strncmp(name.data, "dataset", 7) == 0) {
        event->dataset = value;
        return NGX_CONF_OK;
    }

    if (name.len == 2 && ngx_strncmp(name.data, "if", 2) == 0) {

        event->filter = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (event->filter == NULL) {
            return NGX_CONF_ERROR;
        }

        return ngx_http_intent_compile(cf, &value, event->filter) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    field = ngx_array_push(&event->fields);
    if (field == NULL) {
        return NGX_CONF_ERROR;
    }

    field->name = name;

    return ngx_http_intent_compile(cf, &value, &field->value) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* A list of codes as 200 and classes as 2xx. 1xx is no final answer. */

static char *
ngx_http_intent_event_statuses(ngx_conf_t *cf, ngx_http_intent_event_t *event,
    ngx_str_t *list)
{
    u_char                          *p, *last, *end;
    ngx_int_t                        n;
    ngx_http_intent_status_range_t  *range;

    last = list->data + list->len;

    for (p = list->data; p <= last; p = end + 1) {

        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        range = ngx_array_push(&event->statuses);
        if (range == NULL) {
            return NGX_CONF_ERROR;
        }

        if (end - p == 3 && *p >= '2' && *p <= '5' && p[1] == 'x'
            && p[2] == 'x')
        {
            range->first = (*p - '0') * 100;
            range->last = range->first + 99;
            continue;
        }

        n = ngx_atoi(p, end - p);

        if (end - p != 3 || n < 200 || n > 599) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid status \"%*s\" in \"intent_event\": "
                               "200 to 599 or 2xx to 5xx was expected",
                               (size_t) (end - p), p);
            return NGX_CONF_ERROR;
        }

        range->first = n;
        range->last = n;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_intent_resolve_event(ngx_conf_t *cf, struct intent_config *config,
    ngx_http_intent_event_t *event)
{
    ngx_uint_t                i;
    ngx_http_intent_field_t  *field;

    event->dataset_index = intent_dataset_find(config,
                                               (char *) event->dataset.data,
                                               event->dataset.len);

    if (event->dataset_index < 0) {

        if (event->dataset.len) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no dataset \"%V\" in intent_config for "
                          "\"intent_event\" in %s:%ui",
                          &event->dataset, event->file, event->line);

        } else {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"intent_event\" needs \"dataset=\", there are "
                          "several in intent_config, in %s:%ui",
                          event->file, event->line);
        }

        return NGX_ERROR;
    }

    event->type_index = intent_field_find(config, event->dataset_index,
                                          "event_type",
                                          sizeof("event_type") - 1);

    field = event->fields.elts;

    for (i = 0; i < event->fields.nelts; i++) {
        if (ngx_http_intent_resolve_field(cf, config, event, &field[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Whether it names an entity, which is the key of the events behind it: that
 * is told by intent_key and the cookie, and never by a field.
 */

static ngx_uint_t
ngx_http_intent_names_key(struct intent_config *config, ngx_str_t *name)
{
    int          set, i;
    const char  *feature;

    for (set = 0; intent_featureset_name(config, set); set++) {

        for (i = 0; /* void */ ; i++) {

            feature = intent_feature_name(config, set, i);
            if (feature == NULL) {
                break;
            }

            if (intent_feature_is_key(config, set, i)
                && ngx_strlen(feature) == name->len
                && ngx_strncmp(feature, name->data, name->len) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_intent_resolve_field(ngx_conf_t *cf, struct intent_config *config,
    ngx_http_intent_event_t *event, ngx_http_intent_field_t *field)
{
    ngx_http_intent_field_t  *f;

    field->index = intent_field_find(config, event->dataset_index,
                                     (char *) field->name.data,
                                     field->name.len);

    if (field->index < 0 || ngx_http_intent_names_key(config, &field->name)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no field \"%V\" in the dataset of \"intent_event\" "
                      "in %s:%ui; key and timestamp are set by the server",
                      &field->name, event->file, event->line);
        return NGX_ERROR;
    }

    for (f = event->fields.elts; f < field; f++) {
        if (f->index == field->index) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "duplicate field \"%V\" of \"intent_event\" "
                          "in %s:%ui",
                          &field->name, event->file, event->line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
