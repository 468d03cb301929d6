/* SPDX-License-Identifier: Apache-2.0
 *
 * The model: what a configuration says, checked, resolved to indexes and
 * compiled. Built once by config.c, immutable from then on, shared by any
 * number of threads. All memory belongs to the model's arena.
 */
#ifndef INTENT_SIGNAL_MODEL_H
#define INTENT_SIGNAL_MODEL_H

#include "../intent.h"
#include "expr.h"

enum {
    MODEL_MAX_DATASETS = 16,
    MODEL_MAX_PIPELINES = 64,
    MODEL_MAX_AGGREGATES = 128,    /* of a pipeline */
    MODEL_MAX_FEATURESETS = 32,
    MODEL_MAX_BANDS = 16,
    MODEL_MAX_CTAS = 32,
    MODEL_MAX_K = 64               /* of last_k */
};

struct model_field {
    const char *name;
    enum intent_kind kind;         /* STRING, DOUBLE, INT or BOOL */
};

struct model_dataset {
    const char *name;
    const char *timestamp;         /* JSON member that holds the event time */
    int64_t max_lateness_ms;       /* default 1h */
    int64_t max_future_ms;         /* default 5m */
    int key;                       /* index into fields: a string */
    int type;                      /* field "event_type", or -1 */
    int n_fields;                  /* the key is fields[0] unless declared */
    struct model_field *fields;
};

enum model_op {
    MODEL_COUNT, MODEL_SUM, MODEL_AVG, MODEL_MIN, MODEL_MAX, MODEL_LAST,
    MODEL_LAST_K
};

struct model_aggregate {
    const char *name;
    enum model_op op;
    int of;                        /* field of the dataset, -1 for count */
    int64_t window_ms;
    int k;                         /* last_k only */
    const char *where_text;        /* NULL: every event */
    struct expr *where;            /* vars[] = the dataset's fields in order */
};

struct model_pipeline {
    const char *name;
    int dataset;
    int group_by;                  /* field of the dataset: a string */
    bool exact;                    /* never coalesce */
    int max_events;                /* exact up to this many; default 512 */
    int n_aggregates;
    struct model_aggregate *aggregates;
};

enum model_feature_kind { MODEL_F_KEY, MODEL_F_REF, MODEL_F_EXPR };

struct model_feature {
    const char *name;
    enum model_feature_kind kind;
    int pipeline, aggregate;       /* REF */
    struct expr *expr;             /* EXPR: vars[] = features in order */
};

struct model_featureset {
    const char *name;
    const char *entity;            /* also the name of features[0], the key */
    int n_features;
    struct model_feature *features;
    int *order;                    /* features of kind EXPR, dependencies
                                      first */
    int n_order;
    struct plan *plan;             /* how to read it: plan.h */
};

struct model_popularity {
    bool enabled;
    int dataset;
    int item, by;                  /* fields; by = -1: no categories */
    int64_t half_life_ms;
    int keep;                      /* items of a category, default 100 */
    int categories;                /* default 256 */
};

struct model_band {
    const char *id;
    struct expr *when;
};

struct model_cta {
    const char *id;
    struct expr *when;
    int items;                     /* 0: carries none */
};

/* Expressions of the policy: vars[] = the features of the featureset in
 * order, then `score` (double or null), then `band` (string). `score` itself
 * sees only the features, a band's condition not `band`. */
struct model_policy {
    bool enabled;
    int featureset;
    struct expr *score;            /* NULL: none */
    int n_bands;
    struct model_band *bands;
    int n_ctas;
    struct model_cta *ctas;
};

enum model_sync { MODEL_SYNC_ALWAYS, MODEL_SYNC_EVERYSEC, MODEL_SYNC_OFF };

struct model_forward {
    bool enabled;                  /* `forward` is there */
    bool spool;
    const char *spool_path;
    uint64_t spool_size;
    enum model_sync sync;
    bool kinesis;
    const char *stream;
    const char *region;
    const char *endpoint;          /* NULL: by region */
};

struct model_table;                /* plan.h */

struct intent_config {
    const char *path;              /* as given, for messages */
    const char *zone_path;         /* absolute, or relative to the working
                                      directory: the config's folder joined */
    uint64_t zone_size;
    int lanes;                     /* default 0: by size */
    uint64_t lane_size;            /* default 0: by size */
    const char *host;              /* default: the system's name */
    int n_datasets;
    struct model_dataset *datasets;
    int n_pipelines;
    struct model_pipeline *pipelines;
    int n_featuresets;
    struct model_featureset *featuresets;
    struct model_popularity popularity;
    struct model_policy policy;
    struct model_forward forward;
    int n_tables;                  /* derived by plan_build() */
    struct model_table *tables;
    struct model_arena *arena;
};

/* Bump allocation for all of the above; NULL when memory is out. */
void *model_alloc(struct intent_config *config, size_t size);

/* Registers an expression to be freed with the config. -ENOMEM (the
 * expression is then freed at once). */
int model_own_expr(struct intent_config *config, struct expr *expr);

#endif
