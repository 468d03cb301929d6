/* SPDX-License-Identifier: Apache-2.0
 *
 * From pipelines to tables and reads. Pipelines that consume the same dataset
 * under the same group_by share one table, so one record of a user holds what
 * all of them need and one pass over it answers a whole featureset.
 */
#ifndef INTENT_SIGNAL_PLAN_H
#define INTENT_SIGNAL_PLAN_H

#include "model.h"

enum { PLAN_MAX_COLUMNS = 16, PLAN_MAX_WHERES = 16, PLAN_MAX_WINDOWS = 16 };

/* A field that some aggregate needs of each event. */
struct table_column {
    int field;
    bool string;
};

struct table_where {
    const char *text;
    const struct expr *expr;
};

/* What is stored of the events of one dataset under one key. The identity is
 * a hash of everything that gives stored bytes their meaning: a table whose
 * definition changed starts empty under a new identity, and the old records
 * age out. */
struct model_table {
    uint64_t identity;
    int dataset;
    int group_by;
    bool exact;
    int max_events;
    int64_t retention_ms;          /* the longest window */
    int64_t lateness_ms;
    int n_columns;
    struct table_column columns[PLAN_MAX_COLUMNS];
    int n_wheres;
    struct table_where wheres[PLAN_MAX_WHERES];
    int n_windows;                 /* all windows, ascending */
    int64_t windows[PLAN_MAX_WINDOWS];
};

/* One aggregate to be read for a feature. */
struct plan_item {
    int feature;
    enum model_op op;
    int window;                    /* index into the step's windows */
    int where;                     /* 0: every event, else 1 + index */
    int column;                    /* -1: count */
    int k;
};

/* One record to be read. */
struct plan_step {
    int table;
    int n_windows;
    int64_t windows[PLAN_MAX_WINDOWS];       /* ascending */
    int n_items;
    struct plan_item *items;
    uint32_t wheres;               /* bit w: some item reads where index w */
    uint32_t columns;              /* bit c: some item reads column c */
};

struct plan {
    int n_steps;
    struct plan_step *steps;
};

/* Derives config->tables and each featureset's plan. -ENOMEM; -E2BIG when a
 * table would need more columns, wheres or windows than the bounds above
 * (*what then says which, for the message). */
int plan_build(struct intent_config *config, const char **what);

#endif
