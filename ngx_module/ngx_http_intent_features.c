/* SPDX-License-Identifier: Apache-2.0
 *
 * intent_api's questions: features of one id, of many, and what is popular.
 */


#include "ngx_http_intent.h"

#include <jansson.h>


#define NGX_HTTP_INTENT_BATCH_MAX    1000

/* 1,000 ids of 256 bytes, each as \uXXXX, and what is around them */
#define NGX_HTTP_INTENT_BATCH_BODY   (2 * 1024 * 1024)

#define NGX_HTTP_INTENT_POPULAR_MAX  1000

/* an answer mostly takes 1 KiB; the largest is 8 KiB of text, escaped */
#define NGX_HTTP_INTENT_JSON_SIZE    2048
#define NGX_HTTP_INTENT_JSON_MAX     131072

/* the page that answers may wait longer for a lock than a visitor's */
#define NGX_HTTP_INTENT_API_WAIT_US  1000


static ngx_int_t ngx_http_intent_find_featureset(ngx_http_request_t *r,
    const char *name, size_t len);
static int ngx_http_intent_read_json(ngx_http_request_t *r,
    ngx_int_t featureset, ngx_str_t *key, int64_t t, ngx_str_t *out);
static ngx_int_t ngx_http_intent_read_failed(ngx_http_request_t *r,
    ngx_int_t featureset, int rc);

static void ngx_http_intent_batch_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_intent_batch_take(ngx_http_request_t *r);
static ngx_int_t ngx_http_intent_batch_answer(ngx_http_request_t *r,
    json_t *root);
static const char *ngx_http_intent_batch_check(json_t *root, json_t **ids);
static ngx_int_t ngx_http_intent_batch_read(ngx_http_request_t *r,
    ngx_int_t featureset, int64_t t, json_t *ids, ngx_chain_t **out,
    off_t *len);

static ngx_int_t ngx_http_intent_popular_json(ngx_http_request_t *r,
    ngx_str_t *category, struct intent_item *items, ngx_int_t n,
    ngx_str_t *out);

static ngx_int_t ngx_http_intent_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);
static ngx_buf_t *ngx_http_intent_text_buf(ngx_http_request_t *r,
    ngx_chain_t ***last, const char *text, size_t len);


static ngx_str_t  ngx_http_intent_json = ngx_string("application/json");

static struct intent_answer  ngx_http_intent_api_answer;


ngx_int_t
ngx_http_intent_features(ngx_http_request_t *r)
{
    int        rc;
    int64_t    t;
    ngx_int_t  featureset;
    ngx_str_t  key, name, at, json;

    if (ngx_http_intent_arg(r, "entity_id", &key) != NGX_OK
        || key.len > INTENT_MAX_KEY)
    {
        return ngx_http_intent_deny(r, NGX_HTTP_BAD_REQUEST,
                                    "\"entity_id\" of 1 to 256 bytes was "
                                    "expected");
    }

    if (ngx_http_intent_arg(r, "featureset", &name) != NGX_OK) {
        ngx_str_null(&name);
    }

    featureset = ngx_http_intent_find_featureset(r, (char *) name.data,
                                                 name.len);

    if (featureset < 0) {
        return name.len
               ? ngx_http_intent_deny(r, NGX_HTTP_NOT_FOUND,
                                      "there is no such featureset")
               : ngx_http_intent_deny(r, NGX_HTTP_BAD_REQUEST,
                                      "\"featureset\" was expected");
    }

    t = ngx_http_intent_now();

    if (ngx_http_intent_arg(r, "timestamp", &at) == NGX_OK
        && intent_time_parse((char *) at.data, at.len, &t) < 0)
    {
        return ngx_http_intent_deny(r, NGX_HTTP_BAD_REQUEST,
                                    "\"timestamp\": milliseconds since 1970 "
                                    "or a time as of RFC 3339 was expected");
    }

    rc = ngx_http_intent_read_json(r, featureset, &key, t, &json);

    if (rc < 0) {
        return ngx_http_intent_read_failed(r, featureset, rc);
    }

    rc = ngx_http_discard_request_body(r);

    return rc != NGX_OK
           ? rc : ngx_http_intent_send_text(r, NGX_HTTP_OK,
                                            &ngx_http_intent_json,
                                            json.data, json.len);
}


static ngx_int_t
ngx_http_intent_find_featureset(ngx_http_request_t *r, const char *name,
    size_t len)
{
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    return intent_featureset_find(imcf->config, name ? name : "", len);
}


/* Reads into a text of the request's pool. 0 or -errno. */

static int
ngx_http_intent_read_json(ngx_http_request_t *r, ngx_int_t featureset,
    ngx_str_t *key, int64_t t, ngx_str_t *out)
{
    int                           rc;
    size_t                        size;
    ngx_http_intent_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    ngx_http_intent_guard(rc, intent_read(imcf->zone, (int) featureset,
                                          (char *) key->data, key->len, t,
                                          NGX_HTTP_INTENT_API_WAIT_US,
                                          &ngx_http_intent_api_answer));
    if (rc < 0) {
        return rc;
    }

    for (size = NGX_HTTP_INTENT_JSON_SIZE; /* void */ ; size *= 4) {

        out->data = ngx_pnalloc(r->pool, size);
        if (out->data == NULL) {
            return -ENOMEM;
        }

        rc = intent_answer_json(imcf->config, &ngx_http_intent_api_answer,
                                (char *) key->data, key->len,
                                (char *) out->data, size - 1);

        if (rc >= 0) {
            out->data[rc] = LF;
            out->len = (size_t) rc + 1;
            return 0;
        }

        if (rc != -ENOSPC || size >= NGX_HTTP_INTENT_JSON_MAX) {
            return rc;
        }
    }
}


static ngx_int_t
ngx_http_intent_read_failed(ngx_http_request_t *r, ngx_int_t featureset,
    int rc)
{
    int64_t                       oldest;
    ngx_http_intent_main_conf_t  *imcf;
    u_char                        text[128];

    switch (rc) {

    case -ERANGE:
        imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

        oldest = 0;

        ngx_http_intent_guard(rc, (oldest = intent_oldest_read(imcf->zone,
                                                   (int) featureset), 0));

        (void) ngx_sprintf(text, "\"timestamp\": the oldest that can be "
                           "answered is %L%Z", oldest);

        return ngx_http_intent_deny(r, NGX_HTTP_BAD_REQUEST, (char *) text);

    case -EINVAL:
    case -E2BIG:
        return ngx_http_intent_deny(r, NGX_HTTP_BAD_REQUEST,
                                    "\"entity_id\": UTF-8 of 1 to 256 bytes "
                                    "was expected");

    default:
        ngx_http_intent_log_failure(r->connection->log, rc, "an endpoint");

        return ngx_http_intent_deny(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                    "the zone cannot be read now");
    }
}


ngx_int_t
ngx_http_intent_features_batch(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_read_client_request_body(r, ngx_http_intent_batch_body);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static void
ngx_http_intent_batch_body(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_intent_batch_take(r));
}


static ngx_int_t
ngx_http_intent_batch_take(ngx_http_request_t *r)
{
    json_t        *root;
    ngx_int_t      rc;
    ngx_str_t      body;
    json_error_t   error;

    rc = ngx_http_intent_body(r, NGX_HTTP_INTENT_BATCH_BODY, &body);

    if (rc == NGX_DECLINED) {
        return ngx_http_intent_deny(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                    "more than 2 MiB");
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    root = json_loadb((char *) body.data, body.len, JSON_REJECT_DUPLICATES,
                      &error);

    if (root == NULL) {
        return ngx_http_intent_deny(r, NGX_HTTP_BAD_REQUEST, error.text);
    }

    rc = ngx_http_intent_batch_answer(r, root);

    json_decref(root);

    return rc;
}


static ngx_int_t
ngx_http_intent_batch_answer(ngx_http_request_t *r, json_t *root)
{
    off_t         len;
    json_t       *ids, *name;
    int64_t       t;
    ngx_int_t     rc, featureset;
    const char   *problem;
    ngx_chain_t  *out;

    problem = ngx_http_intent_batch_check(root, &ids);

    if (problem) {
        return ngx_http_intent_deny(r, NGX_HTTP_BAD_REQUEST, problem);
    }

    name = json_object_get(root, "featureset");

    featureset = ngx_http_intent_find_featureset(r,
                                name ? json_string_value(name) : "",
                                name ? json_string_length(name) : 0);

    if (featureset < 0) {
        return name ? ngx_http_intent_deny(r, NGX_HTTP_NOT_FOUND,
                                           "there is no such featureset")
                    : ngx_http_intent_deny(r, NGX_HTTP_BAD_REQUEST,
                                           "\"featureset\" was expected");
    }

    t = ngx_http_intent_now();

    rc = ngx_http_intent_batch_read(r, featureset, t, ids, &out, &len);

    if (rc == -ENOMEM) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc < 0) {
        return ngx_http_intent_read_failed(r, featureset, (int) rc);
    }

    return ngx_http_intent_send(r, NGX_HTTP_OK, &ngx_http_intent_json, out,
                                len);
}


/* NULL and the ids, or what is wrong with the question. */

static const char *
ngx_http_intent_batch_check(json_t *root, json_t **ids)
{
    void        *it;
    size_t       i;
    json_t      *id;
    const char  *key;

    if (!json_is_object(root)) {
        return "an object with \"featureset\" and \"entity_ids\" was expected";
    }

    for (it = json_object_iter(root); it;
         it = json_object_iter_next(root, it))
    {
        key = json_object_iter_key(it);

        if (ngx_strcmp(key, "featureset") == 0) {

            if (!json_is_string(json_object_iter_value(it))) {
                return "\"featureset\": a string was expected";
            }

        } else if (ngx_strcmp(key, "entity_ids") != 0) {
            return "only \"featureset\" and \"entity_ids\" are known";
        }
    }

    *ids = json_object_get(root, "entity_ids");

    if (!json_is_array(*ids)
        || json_array_size(*ids) > NGX_HTTP_INTENT_BATCH_MAX)
    {
        return "\"entity_ids\": an array of at most 1000 strings was expected";
    }

    json_array_foreach(*ids, i, id) {
        if (json_string_length(id) == 0
            || json_string_length(id) > INTENT_MAX_KEY)
        {
            return "\"entity_ids\": strings of 1 to 256 bytes were expected";
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_intent_batch_read(ngx_http_request_t *r, ngx_int_t featureset,
    int64_t t, json_t *ids, ngx_chain_t **out, off_t *len)
{
    int           rc;
    size_t        i;
    json_t       *id;
    ngx_str_t     key, json;
    ngx_buf_t    *b;
    ngx_chain_t  **last;

    last = out;

    if (ngx_http_intent_text_buf(r, &last, "[", 1) == NULL) {
        return -ENOMEM;
    }

    *len = 1;

    json_array_foreach(ids, i, id) {

        key.data = (u_char *) json_string_value(id);
        key.len = json_string_length(id);

        rc = ngx_http_intent_read_json(r, featureset, &key, t, &json);
        if (rc < 0) {
            return rc;
        }

        /* the line feed at its end gives way to the comma */

        json.data[json.len - 1] = ',';
        json.len -= (i + 1 == json_array_size(ids));

        b = ngx_http_intent_text_buf(r, &last, (char *) json.data, json.len);
        if (b == NULL) {
            return -ENOMEM;
        }

        *len += json.len;
    }

    b = ngx_http_intent_text_buf(r, &last, "]\n", 2);
    if (b == NULL) {
        return -ENOMEM;
    }

    *len += 2;

    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    return NGX_OK;
}


/* Adds bytes that outlive the response to the chain. */

static ngx_buf_t *
ngx_http_intent_text_buf(ngx_http_request_t *r, ngx_chain_t ***last,
    const char *text, size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NULL;
    }

    b->pos = (u_char *) text;
    b->last = b->pos + len;
    b->memory = 1;

    cl->buf = b;
    cl->next = NULL;

    **last = cl;
    *last = &cl->next;

    return b;
}


ngx_int_t
ngx_http_intent_popular(ngx_http_request_t *r)
{
    int                           rc;
    ngx_int_t                     k;
    ngx_str_t                     category, text;
    struct intent_item           *items;
    ngx_http_intent_main_conf_t  *imcf;

    if (ngx_http_intent_arg(r, "by", &category) != NGX_OK) {
        ngx_str_set(&category, "");
    }

    k = 10;

    if (ngx_http_intent_arg(r, "k", &text) == NGX_OK) {
        k = ngx_atoi(text.data, text.len);

        if (k < 1 || k > NGX_HTTP_INTENT_POPULAR_MAX) {
            return ngx_http_intent_deny(r, NGX_HTTP_BAD_REQUEST,
                                        "\"k\": 1 to 1000 was expected");
        }
    }

    items = ngx_palloc(r->pool, k * sizeof(struct intent_item));
    if (items == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_intent_module);

    ngx_http_intent_guard(rc, intent_popular(imcf->zone,
                                             (char *) category.data,
                                             category.len,
                                             ngx_http_intent_now(),
                                             NGX_HTTP_INTENT_API_WAIT_US,
                                             (int) k, items));

    if (rc == -ENOTSUP) {
        return ngx_http_intent_deny(r, NGX_HTTP_NOT_FOUND,
                                    "intent_config has no \"popularity\"");
    }

    if (rc < 0) {
        return ngx_http_intent_read_failed(r, -1, rc);
    }

    if (ngx_http_intent_popular_json(r, &category, items, rc, &text)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_discard_request_body(r);

    return rc != NGX_OK
           ? rc : ngx_http_intent_send_text(r, NGX_HTTP_OK,
                                            &ngx_http_intent_json,
                                            text.data, text.len);
}


static ngx_int_t
ngx_http_intent_popular_json(ngx_http_request_t *r, ngx_str_t *category,
    struct intent_item *items, ngx_int_t n, ngx_str_t *out)
{
    u_char     *p;
    ngx_int_t   i;

    /* an escaped byte takes at most six, a score at most 32 */

    p = ngx_pnalloc(r->pool, sizeof("{\"by\":\"\",\"items\":[]}\n")
                             + 6 * category->len
                             + n * (sizeof("{\"id\":\"\",\"score\":},")
                                    + 6 * INTENT_MAX_ITEM + 32));
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    p = ngx_cpymem(p, "{\"by\":\"", 7);
    p = (u_char *) ngx_escape_json(p, category->data, category->len);
    p = ngx_cpymem(p, "\",\"items\":[", 11);

    for (i = 0; i < n; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, "{\"id\":\"", 7);
        p = (u_char *) ngx_escape_json(p, (u_char *) items[i].id,
                                       items[i].len);
        p = ngx_cpymem(p, "\",\"score\":", 10);
        p += ngx_http_intent_double(p, items[i].score);
        *p++ = '}';
    }

    p = ngx_cpymem(p, "]}\n", 3);

    out->len = p - out->data;

    return NGX_OK;
}


/*
 * An argument, percent-decoded. "+" stays, as it is in an offset of RFC 3339.
 * NGX_DECLINED when it is absent or empty.
 */

static ngx_int_t
ngx_http_intent_arg(ngx_http_request_t *r, const char *name, ngx_str_t *value)
{
    u_char  *dst, *src;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), value) != NGX_OK
        || value->len == 0)
    {
        return NGX_DECLINED;
    }

    src = value->data;

    dst = ngx_pnalloc(r->pool, value->len);
    if (dst == NULL) {
        return NGX_DECLINED;
    }

    value->data = dst;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    value->len = dst - value->data;

    return value->len ? NGX_OK : NGX_DECLINED;
}
