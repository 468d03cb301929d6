/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <errno.h>
#include <string.h>

#include "../base/hash.h"

/* What a table's identity hashes: see plan.h. Windows are not part of it:
 * they say how to read, not what the bytes mean. */
struct identity {
    uint64_t hash;
};

static void
identity_add(struct identity *id, const char *text)
{
    struct {
        uint64_t before;
        uint64_t text;
    } step = { id->hash, text == NULL ? 0 : hash_name(text, strlen(text)) };

    id->hash = hash_name(&step, sizeof(step));
}

static void
identity_number(struct identity *id, int64_t n)
{
    uint64_t step[2] = { id->hash, (uint64_t) n };

    id->hash = hash_name(step, sizeof(step));
}

static uint64_t
table_identity(const struct intent_config *config,
               const struct model_table *table)
{
    const struct model_dataset *dataset = &config->datasets[table->dataset];
    const struct model_field *field;
    struct identity id = { 1 };
    int i;

    identity_add(&id, dataset->name);
    identity_add(&id, dataset->fields[table->group_by].name);
    identity_number(&id, table->exact);
    identity_number(&id, table->max_events);

    for (i = 0; i < table->n_columns; i++) {
        field = &dataset->fields[table->columns[i].field];
        identity_add(&id, field->name);
        identity_number(&id, field->kind);
    }
    for (i = 0; i < table->n_wheres; i++) {
        identity_add(&id, table->wheres[i].text);
    }

    /* 0 is a free place in the zone's registry. */
    return id.hash == 0 ? 1 : id.hash;
}

static int
insert_window(int64_t *windows, int *n, int64_t window)
{
    int i, at;

    for (at = 0; at < *n && windows[at] < window; at++) {
        /* void */
    }
    if (at < *n && windows[at] == window) {
        return 0;
    }
    if (*n == PLAN_MAX_WINDOWS) {
        return -E2BIG;
    }

    for (i = *n; i > at; i--) {
        windows[i] = windows[i - 1];
    }
    windows[at] = window;
    (*n)++;

    return 0;
}

/* Columns stay in the order of the dataset's fields, so that the identity
 * does not depend on how the pipelines are written down. */
static int
insert_column(struct model_table *table, int field, bool string)
{
    int i, at;

    for (at = 0; at < table->n_columns && table->columns[at].field < field;
         at++)
    {
        /* void */
    }
    if (at < table->n_columns && table->columns[at].field == field) {
        return 0;
    }
    if (table->n_columns == PLAN_MAX_COLUMNS) {
        return -E2BIG;
    }

    for (i = table->n_columns; i > at; i--) {
        table->columns[i] = table->columns[i - 1];
    }
    table->columns[at] = (struct table_column) { field, string };
    table->n_columns++;

    return 0;
}

static int
insert_where(struct model_table *table, const struct model_aggregate *a)
{
    int i;

    for (i = 0; i < table->n_wheres; i++) {
        if (strcmp(table->wheres[i].text, a->where_text) == 0) {
            return 0;
        }
    }
    if (table->n_wheres == PLAN_MAX_WHERES) {
        return -E2BIG;
    }
    table->wheres[table->n_wheres++] = (struct table_where) {
        a->where_text, a->where
    };

    return 0;
}

static struct model_table *
table_of(struct intent_config *config, const struct model_pipeline *p)
{
    struct model_table *table;
    int i;

    for (i = 0; i < config->n_tables; i++) {
        table = &config->tables[i];
        if (table->dataset == p->dataset && table->group_by == p->group_by) {
            return table;
        }
    }

    table = &config->tables[config->n_tables++];
    table->dataset = p->dataset;
    table->group_by = p->group_by;
    table->lateness_ms = config->datasets[p->dataset].max_lateness_ms;

    return table;
}

static int
add_pipeline(struct intent_config *config, const struct model_pipeline *p,
             const char **what)
{
    const struct model_field *fields = config->datasets[p->dataset].fields;
    struct model_table *table = table_of(config, p);
    const struct model_aggregate *a;
    int i;

    table->exact = table->exact || p->exact;
    if (p->max_events > table->max_events) {
        table->max_events = p->max_events;
    }

    for (i = 0; i < p->n_aggregates; i++) {
        a = &p->aggregates[i];

        *what = "windows";
        if (insert_window(table->windows, &table->n_windows, a->window_ms)) {
            return -E2BIG;
        }
        *what = "fields";
        if (a->of >= 0
            && insert_column(table, a->of,
                             fields[a->of].kind == INTENT_STRING))
        {
            return -E2BIG;
        }
        *what = "where conditions";
        if (a->where_text != NULL && insert_where(table, a)) {
            return -E2BIG;
        }
        if (a->window_ms > table->retention_ms) {
            table->retention_ms = a->window_ms;
        }
    }

    return 0;
}

static int
column_of(const struct model_table *table, int field)
{
    int i;

    for (i = 0; i < table->n_columns; i++) {
        if (table->columns[i].field == field) {
            return i;
        }
    }

    return -1;
}

static int
where_of(const struct model_table *table, const char *text)
{
    int i;

    for (i = 0; text != NULL && i < table->n_wheres; i++) {
        if (strcmp(table->wheres[i].text, text) == 0) {
            return i + 1;
        }
    }

    return 0;
}

static int
window_of(const struct plan_step *step, int64_t window)
{
    int i;

    for (i = 0; step->windows[i] != window; i++) {
        /* void */
    }

    return i;
}

static bool
reads_table(const struct intent_config *config,
            const struct model_feature *feature,
            const struct model_table *table)
{
    const struct model_pipeline *p;

    if (feature->kind != MODEL_F_REF) {
        return false;
    }
    p = &config->pipelines[feature->pipeline];

    return p->dataset == table->dataset && p->group_by == table->group_by;
}

static int
build_step(struct intent_config *config, const struct model_featureset *fs,
           int table_index, struct plan_step *step)
{
    const struct model_table *table = &config->tables[table_index];
    const struct model_aggregate *a;
    const struct model_feature *f;
    struct plan_item *item;
    int i;

    step->table = table_index;
    step->items = model_alloc(config, (size_t) fs->n_features
                                      * sizeof(*step->items));
    if (step->items == NULL) {
        return -ENOMEM;
    }

    for (i = 0; i < fs->n_features; i++) {
        f = &fs->features[i];
        if (reads_table(config, f, table)) {
            a = &config->pipelines[f->pipeline].aggregates[f->aggregate];
            insert_window(step->windows, &step->n_windows, a->window_ms);
        }
    }

    for (i = 0; i < fs->n_features; i++) {
        f = &fs->features[i];
        if (!reads_table(config, f, table)) {
            continue;
        }
        a = &config->pipelines[f->pipeline].aggregates[f->aggregate];
        item = &step->items[step->n_items++];
        item->feature = i;
        item->op = a->op;
        item->window = window_of(step, a->window_ms);
        item->where = where_of(table, a->where_text);
        item->column = column_of(table, a->of);
        item->k = a->k;
        if (item->where != 0) {
            step->wheres |= 1u << (item->where - 1);
        }
        if (item->column >= 0) {
            step->columns |= 1u << item->column;
        }
    }

    return 0;
}

static int
build_plan(struct intent_config *config, struct model_featureset *fs)
{
    struct plan *plan;
    int rc, t;

    plan = model_alloc(config, sizeof(*plan));
    if (plan == NULL) {
        return -ENOMEM;
    }
    plan->steps = model_alloc(config, (size_t) config->n_tables
                                      * sizeof(*plan->steps));
    if (plan->steps == NULL && config->n_tables != 0) {
        return -ENOMEM;
    }

    for (t = 0; t < config->n_tables; t++) {
        rc = build_step(config, fs, t, &plan->steps[plan->n_steps]);
        if (rc != 0) {
            return rc;
        }
        if (plan->steps[plan->n_steps].n_items != 0) {
            plan->n_steps++;
        } else {
            memset(&plan->steps[plan->n_steps], 0, sizeof(*plan->steps));
        }
    }
    fs->plan = plan;

    return 0;
}

int
plan_build(struct intent_config *config, const char **what)
{
    int i, rc;

    config->tables = model_alloc(config, (size_t) config->n_pipelines
                                         * sizeof(*config->tables));
    if (config->tables == NULL && config->n_pipelines != 0) {
        return -ENOMEM;
    }

    for (i = 0; i < config->n_pipelines; i++) {
        rc = add_pipeline(config, &config->pipelines[i], what);
        if (rc != 0) {
            return rc;
        }
    }

    for (i = 0; i < config->n_tables; i++) {
        config->tables[i].identity = table_identity(config,
                                                    &config->tables[i]);
    }

    for (i = 0; i < config->n_featuresets; i++) {
        rc = build_plan(config, &config->featuresets[i]);
        if (rc != 0) {
            return rc;
        }
    }

    return 0;
}
