/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE                /* memmem */
#include "expr_func.h"

#include <errno.h>
#include <string.h>

#include "expr_num.h"

/* Copying and searching text costs a step for so many bytes. */
enum { STEP_BYTES = 64 };

static int
concat_strings(struct expr_run *run, const struct intent_value *a,
               const struct intent_value *b, struct intent_value *out)
{
    struct expr_scratch *s = run->scratch;
    size_t len = (size_t) a->len + b->len;
    char *text;

    /* What ends where free memory begins grows in place: a + b + c copies
     * each part once. Who else holds the first part sees no change. */
    if (a->len > 0 && a->as.s + a->len == s->base + s->used
        && a->as.s >= s->base && b->len <= s->size - s->used)
    {
        text = s->base + s->used - a->len;
        s->used += b->len;
    } else {
        if (len > s->size - s->used) {
            return -ENOSPC;
        }
        text = s->base + s->used;
        s->used += len;
        if (a->len > 0) {
            memcpy(text, a->as.s, a->len);
        }
    }
    if (b->len > 0) {
        memcpy(text + a->len, b->as.s, b->len);
    }
    expr_set_string(out, text, len);
    return 0;
}

static int
concat_lists(struct expr_run *run, const struct intent_value *a,
             const struct intent_value *b, struct intent_value *out)
{
    size_t len = (size_t) a->len + b->len;
    struct intent_value *items = expr_take(run, len * sizeof(*items));

    if (items == NULL) {
        return -ENOSPC;
    }
    if (a->len > 0) {
        memcpy(items, a->as.items, a->len * sizeof(*items));
    }
    if (b->len > 0) {
        memcpy(items + a->len, b->as.items, b->len * sizeof(*items));
    }
    out->kind = INTENT_LIST;
    out->len = (uint32_t) len;
    out->as.items = items;
    return 0;
}

int
expr_concat(struct expr_run *run, const struct intent_value *a,
            const struct intent_value *b, struct intent_value *out)
{
    if (a->len == 0 || b->len == 0) {
        *out = a->len == 0 ? *b : *a;
        return 0;
    }
    if (a->kind == INTENT_LIST) {
        return expr_charge(run, (size_t) a->len + b->len) != 0
                   ? -E2BIG : concat_lists(run, a, b, out);
    }
    return expr_charge(run, ((size_t) a->len + b->len) / STEP_BYTES) != 0
               ? -E2BIG : concat_strings(run, a, b, out);
}

int
expr_search(struct expr_run *run, enum expr_op op,
            const struct intent_value *a, const struct intent_value *b,
            struct intent_value *out)
{
    const char *from;
    bool found;

    if (expr_charge(run, ((size_t) a->len + b->len) / STEP_BYTES) != 0) {
        return -E2BIG;
    }

    if (b->len == 0 || b->len > a->len) {
        found = b->len == 0;
    } else if (op == EXPR_OP_CONTAINS) {
        found = memmem(a->as.s, a->len, b->as.s, b->len) != NULL;
    } else {
        from = op == EXPR_OP_STARTS ? a->as.s : a->as.s + a->len - b->len;
        found = memcmp(from, b->as.s, b->len) == 0;
    }
    expr_set_bool(out, found);
    return 0;
}

int
expr_size(struct expr_run *run, enum expr_op op, const struct intent_value *a,
          const struct intent_value *b, struct intent_value *out)
{
    int64_t size = a->len;
    uint32_t i;

    (void) op;
    (void) b;
    if (a->kind == INTENT_STRING) {
        if (expr_charge(run, a->len / STEP_BYTES) != 0) {
            return -E2BIG;
        }
        for (i = 0; i < a->len; i++) {
            size -= ((unsigned char) a->as.s[i] & 0xc0) == 0x80;
        }
    }
    expr_set_int(out, size);
    return 0;
}

/* --- conversions --- */

/* A text that is no such number or value is a matter of its value, not of
 * its type. */
static int
to_int(const struct intent_value *a, struct intent_value *out)
{
    /* -2^63 fits, but CEL excludes it, as a double next to it may have been
     * rounded. */
    const double bound = 9223372036854775808.0;
    int64_t i;

    switch (a->kind) {
    case INTENT_STRING:
        if (expr_parse_int(a->as.s, a->len, &i) != 0) {
            return expr_set_error(out, -EDOM);
        }
        break;
    case INTENT_DOUBLE:
        if (!(a->as.d > -bound && a->as.d < bound)) {
            return expr_set_error(out, -EDOM);
        }
        i = (int64_t) a->as.d;
        break;
    default:
        i = a->as.i;
        break;
    }
    expr_set_int(out, i);
    return 0;
}

static int
to_double(const struct intent_value *a, struct intent_value *out)
{
    double d;

    switch (a->kind) {
    case INTENT_STRING:
        if (expr_parse_double(a->as.s, a->len, &d) != 0) {
            return expr_set_error(out, -EDOM);
        }
        break;
    case INTENT_INT:
        d = (double) a->as.i;
        break;
    default:
        d = a->as.d;
        break;
    }
    expr_set_double(out, d);
    return 0;
}

static int
to_bool(const struct intent_value *a, struct intent_value *out)
{
    static const char *const words[] = {
        "1", "t", "true", "TRUE", "True", "0", "f", "false", "FALSE", "False",
    };
    size_t i;

    if (a->kind == INTENT_BOOL) {
        *out = *a;
        return 0;
    }
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == a->len
            && memcmp(words[i], a->as.s, a->len) == 0)
        {
            expr_set_bool(out, i < 5);
            return 0;
        }
    }
    return expr_set_error(out, -EDOM);
}

static int
to_string(struct expr_run *run, const struct intent_value *a,
          struct intent_value *out)
{
    struct expr_scratch *s = run->scratch;
    char buf[EXPR_NUM_TEXT];
    size_t len;

    switch (a->kind) {
    case INTENT_STRING:
        *out = *a;
        return 0;
    case INTENT_BOOL:
        expr_set_string(out, a->as.b ? "true" : "false", a->as.b ? 4 : 5);
        return 0;
    case INTENT_INT:
        len = expr_print_int(buf, a->as.i);
        break;
    default:
        len = expr_print_double(buf, a->as.d);
        break;
    }

    if (len > s->size - s->used) {
        return -ENOSPC;
    }
    memcpy(s->base + s->used, buf, len);
    expr_set_string(out, s->base + s->used, len);
    s->used += len;
    return 0;
}

int
expr_convert(struct expr_run *run, enum expr_op op,
             const struct intent_value *a, const struct intent_value *b,
             struct intent_value *out)
{
    (void) b;
    switch (op) {
    case EXPR_OP_TO_INT:
        return to_int(a, out);
    case EXPR_OP_TO_DOUBLE:
        return to_double(a, out);
    case EXPR_OP_TO_STRING:
        return to_string(run, a, out);
    default:
        return to_bool(a, out);
    }
}
