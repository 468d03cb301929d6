/* SPDX-License-Identifier: Apache-2.0
 *
 * Every node leaves its value in a place: a variable or constant where it is
 * one, else the temporary `dst` that its parent names; it may use those above
 * as it likes. A macro takes two: dst is its result, dst + 1 its variable.
 */
#include "expr_gen.h"

#include <errno.h>
#include <string.h>

struct gen {
    struct expr_compilation *c;
    struct expr_insn *code;        /* one more than n_max, which takes what
                                      does not fit */
    struct intent_value *consts;   /* likewise */
    size_t n_code, n_consts, n_max;
    uint8_t *uses;
    size_t variables[EXPR_MAX_LOOPS];        /* temporaries of the macros */
};

/* Where a value is. */
struct place {
    enum expr_place in;
    size_t at;
};

static struct place gen(struct gen *g, const struct expr_node *node,
                        size_t dst);

static struct place
temp(size_t at)
{
    return (struct place) {EXPR_TEMP, at};
}

/* Appends an instruction and returns its index. */
static size_t
emit(struct gen *g, enum expr_op op, size_t dst, struct place a,
     struct place b)
{
    struct expr_insn *in;
    size_t at = g->n_code;

    if (g->n_code == g->n_max || dst >= EXPR_MAX_TEMPS) {
        expr_fail(g->c, 0, "the expression is too complex");
    } else {
        g->n_code++;
    }
    in = &g->code[at];
    in->op = (uint8_t) op;
    in->dst = (uint16_t) dst;
    in->a_in = (uint8_t) a.in;
    in->a = (uint16_t) a.at;
    in->b_in = (uint8_t) b.in;
    in->b = (uint16_t) b.at;
    return at;
}

/* Makes the instruction jump to what comes next. */
static void
land(struct gen *g, size_t insn)
{
    g->code[insn].to = (uint16_t) g->n_code;
}

static struct place
add_const(struct gen *g, const struct intent_value *value)
{
    size_t at = g->n_consts;

    if (g->n_consts == g->n_max) {
        expr_fail(g->c, 0, "the expression is too complex");
    } else {
        g->n_consts++;
    }
    g->consts[at] = *value;
    return (struct place) {EXPR_CONST, at};
}

/* Makes sure that the value is in dst, where branches meet. */
static void
gen_into(struct gen *g, const struct expr_node *node, size_t dst)
{
    struct place p = gen(g, node, dst);

    if (p.in != EXPR_TEMP || p.at != dst) {
        emit(g, EXPR_OP_MOVE, dst, p, temp(0));
    }
}

static struct place
gen_chain(struct gen *g, const struct expr_node *node, size_t dst)
{
    const struct expr_node *kid = node->first;
    struct place left = gen(g, kid, dst), right;

    for (kid = kid->next; kid != NULL; kid = kid->next) {
        bool taken = left.in == EXPR_TEMP && left.at == dst;

        right = gen(g, kid, dst + taken);
        emit(g, kid->join, dst, left, right);
        left = temp(dst);
    }
    return temp(dst);
}

/* Each child may end it; until the end is known, `to` of each jump holds the
 * index of the one before. */
static struct place
gen_logic(struct gen *g, const struct expr_node *node, size_t dst)
{
    bool and = node->kind == EXPR_N_AND;
    const struct expr_node *kid = node->first;
    struct place p = gen(g, kid, dst);
    size_t before, at;

    at = emit(g, and ? EXPR_OP_AND_BEGIN : EXPR_OP_OR_BEGIN, dst, p, temp(0));
    g->code[at].to = UINT16_MAX;
    for (kid = kid->next; kid != NULL; kid = kid->next) {
        before = at;
        p = gen(g, kid, dst + 1);
        at = emit(g, and ? EXPR_OP_AND : EXPR_OP_OR, dst, temp(dst), p);
        g->code[at].to = (uint16_t) before;
    }

    for (; at != UINT16_MAX; at = before) {
        before = g->code[at].to;
        land(g, at);
    }
    return temp(dst);
}

static struct place
gen_cond(struct gen *g, const struct expr_node *node, size_t dst)
{
    const struct expr_node *yes = node->first->next;
    struct place p = gen(g, node->first, dst);
    size_t cond, jump;

    cond = emit(g, EXPR_OP_COND, dst, p, temp(0));
    gen_into(g, yes, dst);
    jump = emit(g, EXPR_OP_JUMP, dst, temp(0), temp(0));
    land(g, cond);
    gen_into(g, yes->next, dst);
    land(g, jump);
    g->code[cond].n = (uint16_t) g->n_code;
    return temp(dst);
}

static struct place
gen_default(struct gen *g, const struct expr_node *node, size_t dst)
{
    struct place p = gen(g, node->first, dst);
    size_t jump = emit(g, EXPR_OP_DEFAULT, dst, p, temp(0));

    gen_into(g, node->first->next, dst);
    land(g, jump);
    return temp(dst);
}

/* An item that is an error makes an error of the whole. As with conditions,
 * the jumps are chained until the end is known. */
static struct place
gen_literal(struct gen *g, const struct expr_node *node, size_t dst)
{
    bool map = node->kind == EXPR_N_MAP;
    const struct expr_node *kid;
    size_t before, at, i = 0;

    at = emit(g, map ? EXPR_OP_MAP : EXPR_OP_LIST, dst, temp(0), temp(0));
    g->code[at].n = (uint16_t) (map ? node->n / 2 : node->n);
    at = UINT16_MAX;
    for (kid = node->first; kid != NULL; kid = kid->next, i++) {
        struct place p = gen(g, kid, dst + 1);

        before = at;
        at = emit(g, map && i % 2 == 0 ? EXPR_OP_KEY : EXPR_OP_ITEM, dst, p,
                  temp(0));
        g->code[at].n = (uint16_t) i;
        g->code[at].to = (uint16_t) before;
    }

    for (; at != UINT16_MAX; at = before) {
        before = g->code[at].to;
        land(g, at);
    }
    return temp(dst);
}

static struct place
gen_macro(struct gen *g, const struct expr_node *node, size_t dst)
{
    const struct expr_node *body = node->first->next;
    struct place p = gen(g, node->first, dst);
    size_t begin, next, skip, jump, when = SIZE_MAX;

    g->variables[node->index] = dst + 1;
    begin = emit(g, node->op, dst, p, temp(0));
    g->code[begin].loop = (uint8_t) node->index;

    if (body->next != NULL) {      /* map(x, condition, body) */
        p = gen(g, body, dst + 2);
        when = emit(g, EXPR_OP_WHEN, dst, p, temp(0));
        body = body->next;
    }
    p = gen(g, body, dst + 2);
    next = emit(g, EXPR_OP_NEXT, dst, p, temp(0));
    g->code[next].loop = (uint8_t) node->index;
    g->code[next].to = (uint16_t) (begin + 1);

    if (when != SIZE_MAX) {
        jump = emit(g, EXPR_OP_JUMP, dst, temp(0), temp(0));
        land(g, when);
        skip = emit(g, EXPR_OP_SKIP, dst, temp(0), temp(0));
        g->code[skip].loop = (uint8_t) node->index;
        g->code[skip].to = (uint16_t) (begin + 1);
        land(g, jump);
        g->code[when].n = (uint16_t) g->n_code;
    }
    land(g, begin);
    return temp(dst);
}

static struct place
gen(struct gen *g, const struct expr_node *node, size_t dst)
{
    struct place p;

    switch (node->kind) {
    case EXPR_N_CONST:
        return add_const(g, &node->value);
    case EXPR_N_VAR:
        g->uses[node->index / 8] |= (uint8_t) (1u << node->index % 8);
        return (struct place) {EXPR_VAR, (size_t) node->index};
    case EXPR_N_LOCAL:
        return temp(g->variables[node->index]);
    case EXPR_N_UNARY:
        p = gen(g, node->first, dst);
        emit(g, node->op, dst, p, temp(0));
        return temp(dst);
    case EXPR_N_CHAIN:
        return gen_chain(g, node, dst);
    case EXPR_N_AND:
    case EXPR_N_OR:
        return gen_logic(g, node, dst);
    case EXPR_N_COND:
        return gen_cond(g, node, dst);
    case EXPR_N_DEFAULT:
        return gen_default(g, node, dst);
    case EXPR_N_LIST:
    case EXPR_N_MAP:
        return gen_literal(g, node, dst);
    case EXPR_N_MACRO:
        return gen_macro(g, node, dst);
    default:                       /* gone since the check */
        expr_fail(g->c, node->pos, "unexpected expression");
        return temp(dst);
    }
}

/* --- the block --- */

/* Bytes that a value points to. */
static size_t
value_size(const struct intent_value *value, size_t *n_values)
{
    size_t i, n, size = 0;

    switch (value->kind) {
    case INTENT_STRING:
        return value->len;
    case INTENT_LIST:
    case INTENT_MAP:
        n = value->len * (value->kind == INTENT_MAP ? 2u : 1u);
        *n_values += n;
        for (i = 0; i < n; i++) {
            size += value_size(&value->as.items[i], n_values);
        }
        return size;
    default:
        return 0;
    }
}

static void
copy_value(struct intent_value *to, const struct intent_value *from,
           struct intent_value **values, char **text)
{
    struct intent_value *items = *values;
    size_t i, n;

    *to = *from;
    switch (from->kind) {
    case INTENT_STRING:
        to->as.s = *text;
        if (from->len > 0) {
            memcpy(*text, from->as.s, from->len);
        }
        *text += from->len;
        break;
    case INTENT_LIST:
    case INTENT_MAP:
        n = from->len * (from->kind == INTENT_MAP ? 2u : 1u);
        to->as.items = items;
        *values += n;
        for (i = 0; i < n; i++) {
            copy_value(&items[i], &from->as.items[i], values, text);
        }
        break;
    default:
        break;
    }
}

/* struct expr, constants, their items, code, uses, text: by falling
 * alignment. */
static struct expr *
pack(const struct gen *g, unsigned types)
{
    size_t i, text_size = 0, n_values = g->n_consts;
    size_t uses_size = g->c->n_vars / 8 + 1;
    struct intent_value *consts, *values;
    struct expr_insn *code;
    struct expr *expr;
    uint8_t *uses;
    char *text;

    for (i = 0; i < g->n_consts; i++) {
        text_size += value_size(&g->consts[i], &n_values);
    }
    expr = expr_block_alloc(sizeof(*expr) + n_values * sizeof(*consts)
                            + g->n_code * sizeof(*code) + uses_size
                            + text_size);
    if (expr == NULL) {
        expr_fail_memory(g->c);
        return NULL;
    }

    consts = (struct intent_value *) (expr + 1);
    values = consts + g->n_consts;
    code = (struct expr_insn *) (consts + n_values);
    uses = (uint8_t *) (code + g->n_code);
    text = (char *) uses + uses_size;
    for (i = 0; i < g->n_consts; i++) {
        copy_value(&consts[i], &g->consts[i], &values, &text);
    }
    memcpy(code, g->code, g->n_code * sizeof(*code));
    memcpy(uses, g->uses, uses_size);

    expr->code = code;
    expr->consts = consts;
    expr->uses = uses;
    expr->n_vars = g->c->n_vars;
    expr->types = types;
    return expr;
}

struct expr *
expr_gen(struct expr_compilation *c, struct expr_node *root)
{
    /* No construct makes more instructions, or constants, than it has bytes;
     * what is beyond that is for the end. */
    struct gen g = {.c = c, .n_max = c->len + 16};
    struct place p;

    g.code = expr_arena_alloc(&c->arena, (g.n_max + 1) * sizeof(*g.code));
    g.consts = expr_arena_alloc(&c->arena, (g.n_max + 1) * sizeof(*g.consts));
    g.uses = expr_arena_alloc(&c->arena, c->n_vars / 8 + 1);
    if (g.code == NULL || g.consts == NULL || g.uses == NULL) {
        expr_fail_memory(c);
        return NULL;
    }

    p = gen(&g, root, 0);
    emit(&g, EXPR_OP_RETURN, 0, p, temp(0));
    return c->rc == 0 ? pack(&g, root->types) : NULL;
}
