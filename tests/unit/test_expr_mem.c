/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory runs out at every point of a compilation in turn. All that the
 * engine allocates it allocates in expr_mem.c, which is compiled in here with
 * functions that count and fail.
 */
#include <malloc.h>
#include <stdlib.h>

#include "expr_kit.h"

static long live;                  /* blocks not yet freed */
static long calls;
static long fail_at;               /* the call that fails; -1: none */

static void *
counting_calloc(size_t n, size_t size)
{
    void *p = NULL;

    if (calls++ != fail_at) {
        p = calloc(n, size);
        live += p != NULL;
    }
    return p;
}

static void
counting_free(void *p)
{
    live -= p != NULL;
    free(p);
}

#define EXPR_CHUNK_SIZE 1
#define calloc counting_calloc
#define free counting_free
#include "../../libagent/signal/expr_mem.c"
#undef calloc
#undef free

static const char *const texts[] = {
    "1",
    "c1",
    "c1 / math.greatest(c24 / 24.0, 1.0)",
    "c1 > 2.0 && default(avg, 0.0) >= 30.0 || !flag",
    "category in ['a', 'b', \"c\\n\"] ? 'x' + 'y' + category : string(n)",
    "{'a': [1, 2, {'b': 3}]}.a[2].b == m.k",
    "[1, n, 3].map(x, x > 1, [x, x]).exists(y, y[0] in [1, 2, 3])",
    "{category: n, 'a': tags[0]}",
    "has(inventory.stock) && has(m.k) && inventory.stock > -(-3)",
    "tags.filter(t, t.contains('a')).size() == size('abc') - 2",
    /* what is refused takes memory as well */
    "c1 / (1 + 2 * 3)",
    "[1, 2, 'three'].map(x, x + undefined_name)",
    "'unfinished",
    "f(1, 2)",
};

static int
compile(const char *text, struct expr **expr)
{
    struct intent_error err;

    calls = 0;
    return expr_compile(text, strlen(text), kit_vars, KIT_VARS, expr, &err);
}

static void
test_failures(const char *text)
{
    struct expr *expr;
    long n, total, left = 0, wrong = 0;
    int rc;

    fail_at = -1;
    rc = compile(text, &expr);
    total = calls;
    expr_free(expr);
    left += live;

    for (n = 0; n < total; n++) {
        fail_at = n;
        wrong += compile(text, &expr) != -ENOMEM || expr != NULL;
        left += live;
    }

    fail_at = -1;
    wrong += compile(text, &expr) != rc;
    expr_free(expr);
    ok(total > 0 && wrong == 0 && left == 0 && live == 0,
       "%ld allocations, each may fail: %s", total, text);
}

/* The whole process's allocations, where its allocator tells. */
static size_t
in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void
test_eval(const char *text)
{
    char memory[KIT_SCRATCH];
    struct expr_scratch scratch;
    struct intent_value out;
    struct expr *expr;
    size_t before;
    int i, rc = 0;

    fail_at = -1;
    if (compile(text, &expr) != 0) {
        return;
    }
    calls = 0;
    before = in_use();
    for (i = 0; i < 100; i++) {
        scratch = (struct expr_scratch) {memory, sizeof(memory), 0};
        rc = expr_eval(expr, kit_values, &scratch, &out);
    }
    ok(calls == 0 && in_use() == before && rc == 0,
       "nothing is allocated to evaluate %s", text);
    expr_free(expr);
}

int
main(void)
{
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        test_failures(texts[i]);
    }
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        test_eval(texts[i]);
    }
    is_int(live, 0, "nothing is left");
    return done_testing();
}
