/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_SIZE = 16384,            /* a configuration takes a few of them */
    ALIGN = 16
};

struct chunk {
    struct chunk *next;
    size_t size, used;             /* of bytes[] */
    char bytes[] __attribute__((aligned(ALIGN)));
};

struct owned_expr {
    struct owned_expr *next;
    struct expr *expr;
};

struct model_arena {
    struct chunk *chunks;          /* the newest first */
    struct owned_expr *exprs;
};

static struct chunk *
add_chunk(struct model_arena *arena, size_t size)
{
    struct chunk *chunk;

    size = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    if (size > SIZE_MAX - sizeof(*chunk)) {
        return NULL;
    }
    chunk = calloc(1, sizeof(*chunk) + size);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->size = size;
    chunk->next = arena->chunks;
    arena->chunks = chunk;

    return chunk;
}

void *
model_alloc(struct intent_config *config, size_t size)
{
    struct model_arena *arena = config->arena;
    struct chunk *chunk;
    void *at;

    if (arena == NULL) {
        arena = config->arena = calloc(1, sizeof(*arena));
        if (arena == NULL) {
            return NULL;
        }
    }

    if (size > SIZE_MAX - ALIGN) {
        return NULL;
    }
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        chunk = add_chunk(arena, size);
        if (chunk == NULL) {
            return NULL;
        }
    }
    at = chunk->bytes + chunk->used;
    chunk->used += size;

    return at;
}

int
model_own_expr(struct intent_config *config, struct expr *expr)
{
    struct owned_expr *owned = model_alloc(config, sizeof(*owned));

    if (owned == NULL) {
        expr_free(expr);
        return -ENOMEM;
    }
    owned->expr = expr;
    owned->next = config->arena->exprs;
    config->arena->exprs = owned;

    return 0;
}

void
intent_config_free(struct intent_config *config)
{
    struct owned_expr *owned;
    struct chunk *chunk, *next;

    if (config == NULL) {
        return;
    }

    if (config->arena != NULL) {
        for (owned = config->arena->exprs; owned != NULL; owned = owned->next) {
            expr_free(owned->expr);
        }
        for (chunk = config->arena->chunks; chunk != NULL; chunk = next) {
            next = chunk->next;
            free(chunk);
        }
        free(config->arena);
    }
    free(config);
}

/* Every struct of the model begins with its name. */
static int
find(const void *items, size_t stride, int n, const char *name, size_t len)
{
    const char *item = items, *has;
    int i;

    for (i = 0; i < n; i++, item += stride) {
        memcpy(&has, item, sizeof(has));
        if (strlen(has) == len && memcmp(has, name, len) == 0) {
            return i;
        }
    }

    return -ENOENT;
}

static int
only_one(int n)
{
    return n == 1 ? 0 : n == 0 ? -ENOENT : -EINVAL;
}

int
intent_dataset_find(const struct intent_config *config, const char *name,
                    size_t len)
{
    if (len == 0) {
        return only_one(config->n_datasets);
    }

    return find(config->datasets, sizeof(*config->datasets),
                config->n_datasets, name, len);
}

int
intent_field_find(const struct intent_config *config, int dataset,
                  const char *name, size_t len)
{
    const struct model_dataset *d;

    if (dataset < 0 || dataset >= config->n_datasets) {
        return -EINVAL;
    }
    d = &config->datasets[dataset];

    return find(d->fields, sizeof(*d->fields), d->n_fields, name, len);
}

int
intent_featureset_find(const struct intent_config *config, const char *name,
                       size_t len)
{
    if (len == 0 && config->policy.enabled) {
        return config->policy.featureset;
    }
    if (len == 0) {
        return only_one(config->n_featuresets);
    }

    return find(config->featuresets, sizeof(*config->featuresets),
                config->n_featuresets, name, len);
}

static const struct model_featureset *
featureset_at(const struct intent_config *config, int featureset)
{
    return featureset >= 0 && featureset < config->n_featuresets
           ? &config->featuresets[featureset] : NULL;
}

const char *
intent_featureset_name(const struct intent_config *config, int featureset)
{
    const struct model_featureset *fs = featureset_at(config, featureset);

    return fs == NULL ? NULL : fs->name;
}

static const struct model_feature *
feature_at(const struct intent_config *config, int featureset, int feature)
{
    const struct model_featureset *fs = featureset_at(config, featureset);

    return fs != NULL && feature >= 0 && feature < fs->n_features
           ? &fs->features[feature] : NULL;
}

const char *
intent_feature_name(const struct intent_config *config, int featureset,
                    int feature)
{
    const struct model_feature *f = feature_at(config, featureset, feature);

    return f == NULL ? NULL : f->name;
}

bool
intent_feature_is_key(const struct intent_config *config, int featureset,
                      int feature)
{
    const struct model_feature *f = feature_at(config, featureset, feature);

    return f != NULL && f->kind == MODEL_F_KEY;
}

const char *
intent_zone_path(const struct intent_config *config)
{
    return config->zone_path;
}

bool
intent_has_policy(const struct intent_config *config)
{
    return config->policy.enabled;
}
