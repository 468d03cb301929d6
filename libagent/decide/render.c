/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers and decisions as text: JSON for programs, structured fields for
 * headers. The functions are declared in intent.h.
 */
#include "render.h"

#include <errno.h>
#include <limits.h>

#include "../base/jsonw.h"
#include "../signal/model.h"
#include "sfv.h"

/* The featureset of an answer, or NULL when it is not one of this config. */
static const struct model_featureset *
featureset_of(const struct intent_config *config,
              const struct intent_answer *answer)
{
    const struct model_featureset *set;

    if (answer->featureset < 0 || answer->featureset >= config->n_featuresets) {
        return NULL;
    }

    set = &config->featuresets[answer->featureset];

    return answer->n == set->n_features ? set : NULL;
}

static int
written(bool full, size_t len)
{
    return full || len > INT_MAX ? -ENOSPC : (int) len;
}

int
intent_answer_json(const struct intent_config *config,
                   const struct intent_answer *answer, const char *key,
                   size_t key_len, char *buf, size_t size)
{
    const struct model_featureset *set = featureset_of(config, answer);
    struct jsonw w;
    int i;

    if (set == NULL) {
        return -EINVAL;
    }

    jsonw_init(&w, buf, size);
    jsonw_open(&w, '{');
    jsonw_name(&w, "entity_id");
    jsonw_string(&w, key, key_len);
    jsonw_name(&w, "featureset");
    jsonw_string(&w, set->name, strlen(set->name));
    jsonw_name(&w, "timestamp");
    jsonw_int(&w, answer->time_ms);
    jsonw_name(&w, "features");
    jsonw_open(&w, '{');
    for (i = 0; i < answer->n; i++) {
        jsonw_name(&w, set->features[i].name);
        jsonw_value(&w, &answer->values[i]);
    }
    jsonw_close(&w, '}');
    jsonw_name(&w, "approx");
    jsonw_bool(&w, answer->approx);
    jsonw_close(&w, '}');

    return written(w.full, w.len);
}

int
intent_answer_signals(const struct intent_config *config,
                      const struct intent_answer *answer, char *buf,
                      size_t size)
{
    const struct model_featureset *set = featureset_of(config, answer);
    struct sfv w = { buf, size, 0, false };
    size_t mark;
    int i;

    if (set == NULL) {
        return -EINVAL;
    }

    for (i = 0; i < answer->n; i++) {
        if (set->features[i].kind == MODEL_F_KEY) {
            continue;
        }

        mark = w.len;
        if (mark != 0) {
            sfv_bytes(&w, ", ", 2);
        }
        if (!sfv_key(&w, set->features[i].name)
            || !sfv_member(&w, &answer->values[i]))
        {
            w.len = mark;
        }
    }

    return written(w.full, w.len);
}

int
intent_items_header(const struct intent_decision *decision, char *buf,
                    size_t size)
{
    struct sfv w = { buf, size, 0, false };
    const struct intent_item *item;
    size_t mark;
    int i;

    for (i = 0; i < decision->n_items && i < INTENT_MAX_ITEMS; i++) {
        item = &decision->items[i];
        mark = w.len;
        if (mark != 0) {
            sfv_bytes(&w, ", ", 2);
        }
        if (item->len > INTENT_MAX_ITEM
            || !sfv_string(&w, item->id, item->len))
        {
            w.len = mark;
        }
    }

    return written(w.full, w.len);
}
