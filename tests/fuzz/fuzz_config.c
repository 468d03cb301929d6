/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole way from the text of intent.json to the model. What is taken must
 * hold together; what is refused must say where.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../libagent/base/utf8.h"
#include "../../libagent/signal/config.h"
#include "../../libagent/signal/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void
check_feature(const struct intent_config *c, const struct model_feature *f)
{
    must(f->name != NULL && f->name[0] != '\0');
    must((f->kind == MODEL_F_EXPR) == (f->expr != NULL));
    if (f->kind == MODEL_F_REF) {
        must(f->pipeline < c->n_pipelines);
        must(f->aggregate < c->pipelines[f->pipeline].n_aggregates);
    }
}

/* Each expression behind those that it uses. */
static void
check_order(const struct model_featureset *fs)
{
    bool done[INTENT_MAX_FEATURES] = { false };
    int i, j, n = 0;

    for (i = 0; i < fs->n_features; i++) {
        done[i] = fs->features[i].kind != MODEL_F_EXPR;
        n += !done[i];
    }
    must(n == fs->n_order);
    for (i = 0; i < n; i++) {
        for (j = 0; j < fs->n_features; j++) {
            must(done[j] || !expr_uses(fs->features[fs->order[i]].expr,
                                       (size_t) j));
        }
        done[fs->order[i]] = true;
    }
}

static void
check_model(const struct intent_config *c)
{
    int i, j;

    must(c->zone_path != NULL && c->host != NULL && c->n_datasets > 0);
    must(c->zone_size >= 4 << 20);
    for (i = 0; i < c->n_datasets; i++) {
        must(c->datasets[i].n_fields <= INTENT_MAX_FIELDS);
        must(c->datasets[i].key < c->datasets[i].n_fields);
    }
    for (i = 0; i < c->n_pipelines; i++) {
        for (j = 0; j < c->pipelines[i].n_aggregates; j++) {
            must(c->pipelines[i].aggregates[j].window_ms >= 1000);
        }
    }
    for (i = 0; i < c->n_featuresets; i++) {
        must(c->featuresets[i].n_features <= INTENT_MAX_FEATURES);
        must(c->featuresets[i].plan != NULL);
        for (j = 0; j < c->featuresets[i].n_features; j++) {
            check_feature(c, &c->featuresets[i].features[j]);
        }
        check_order(&c->featuresets[i]);
    }
    for (i = 0; i < c->policy.n_bands; i++) {
        must(strpbrk(c->policy.bands[i].id, "\r\n\"\\, ;") == NULL);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct intent_error err = { 0 };
    struct intent_config *config;
    char *text = malloc(size + (size == 0));
    int rc;

    must(text != NULL);
    memcpy(text, data, size);
    rc = config_parse("dir/f.json", text, size, &config, &err);
    free(text);

    if (rc == 0) {
        check_model(config);
    } else {
        size_t len = strnlen(err.text, sizeof(err.text));

        must(rc == -22 && config == NULL && err.line > 0 && err.column > 0);
        must(strncmp(err.text, "dir/f.json:", 11) == 0);
        must(len < sizeof(err.text) && utf8_valid(err.text, len));
        must(strpbrk(err.text, "\r\n\033") == NULL);
    }
    intent_config_free(config);

    return 0;
}
