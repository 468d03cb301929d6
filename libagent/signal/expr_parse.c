/* SPDX-License-Identifier: Apache-2.0
 *
 * Recursive descent with one token of lookahead. A function that fails
 * returns NULL, with the failure noted in the compilation; callers pass NULL
 * on, and expr_node_add() ignores it.
 */
#include "expr_parse.h"

#include <errno.h>
#include <string.h>

#include "expr_lex.h"

struct parser {
    struct expr_compilation *c;
    struct expr_token token;
    size_t pos;                    /* behind the token */
    int depth;
};

static struct expr_node *parse_expr(struct parser *p);
static struct expr_node *parse_unary(struct parser *p);

/* --- tokens --- */

static int
advance(struct parser *p)
{
    return expr_lex(p->c, &p->pos, &p->token);
}

/* Says what was found where `expected` should stand. */
static int
unexpected(struct parser *p, const char *expected)
{
    return expr_unexpected(p->c, &p->token, expected);
}

/* Steps over a token that must come now; `text` names it for people. */
static int
expect(struct parser *p, int kind, const char *text)
{
    return p->token.kind == kind ? advance(p) : unexpected(p, text);
}

/* Counts the nesting of the text, which parentheses deepen though they leave
 * nothing in the tree. */
static int
enter(struct parser *p)
{
    if (++p->depth > EXPR_MAX_DEPTH + 1) {
        return expr_fail(p->c, p->token.pos, "nested more than %d deep",
                         EXPR_MAX_DEPTH);
    }
    return 0;
}

/* --- literals --- */

static struct expr_node *
constant(struct parser *p, size_t pos, struct intent_value value)
{
    struct expr_node *node = expr_node_new(p->c, EXPR_N_CONST, pos);

    if (node == NULL || advance(p) != 0) {
        return NULL;
    }
    expr_node_const(node, value);
    return node;
}

/* An int literal with its sign, since -9223372036854775808 is one. */
static struct expr_node *
parse_int(struct parser *p, size_t pos, bool negative)
{
    uint64_t magnitude = (uint64_t) p->token.value.as.i;
    struct intent_value value;

    if (magnitude > (uint64_t) INT64_MAX + negative) {
        expr_fail(p->c, pos, "int out of range: from -9223372036854775808 "
                  "to 9223372036854775807");
        return NULL;
    }
    expr_set_int(&value, (int64_t) (negative ? 0 - magnitude : magnitude));
    return constant(p, pos, value);
}

static struct expr_node *
parse_double(struct parser *p, size_t pos, bool negative)
{
    struct intent_value value = p->token.value;

    if (negative) {
        value.as.d = -value.as.d;
    }
    return constant(p, pos, value);
}

/* Items up to the closing bracket; pairs for a map. A comma may end them. */
static struct expr_node *
parse_items(struct parser *p, enum expr_node_kind kind, int close)
{
    struct expr_node *node = expr_node_new(p->c, kind, p->token.pos);
    const char *what = close == '}' ? "\",\" or \"}\"" : "\",\" or \"]\"";

    if (node == NULL || advance(p) != 0) {
        return NULL;
    }

    while (p->token.kind != close) {
        expr_node_add(p->c, node, parse_expr(p));
        if (p->c->rc == 0 && kind == EXPR_N_MAP) {
            expect(p, ':', "\":\" after the key");
            if (p->c->rc == 0) {
                expr_node_add(p->c, node, parse_expr(p));
            }
        }
        if (p->c->rc != 0) {
            return NULL;
        }
        if (p->token.kind != ',' && p->token.kind != close) {
            unexpected(p, what);
            return NULL;
        }
        if (p->token.kind == ',' && advance(p) != 0) {
            return NULL;
        }
    }

    return advance(p) == 0 ? node : NULL;
}

/* --- names and calls --- */

/* Arguments from the opening parenthesis to the closing one. */
static int
parse_arguments(struct parser *p, struct expr_node *call)
{
    if (expect(p, '(', "\"(\"") != 0) {
        return p->c->rc;
    }
    if (p->token.kind == ')') {
        return advance(p);
    }
    for (;;) {
        if (expr_node_add(p->c, call, parse_expr(p)) != 0) {
            return p->c->rc;
        }
        if (p->token.kind != ',') {
            return expect(p, ')', "\",\" or \")\"");
        }
        if (advance(p) != 0) {
            return p->c->rc;
        }
    }
}

static struct expr_node *
named(struct parser *p, enum expr_node_kind kind, size_t pos)
{
    struct expr_node *node = expr_node_new(p->c, kind, pos);

    if (node != NULL) {
        node->name_pos = p->token.pos;
        node->name = p->token.text;
        node->name_len = p->token.text_len;
    }
    return node;
}

/* has(x.a): the field must not be read, or its absence would be an error. */
static struct expr_node *
parse_has(struct parser *p, struct expr_node *call)
{
    struct expr_node *field = call->first;

    if (call->n != 1 || field->kind != EXPR_N_SELECT) {
        expr_fail(p->c, field == NULL ? call->pos : field->pos,
                  "has() asks for a field, as in has(a.b)");
        return NULL;
    }
    field->kind = EXPR_N_HAS;
    field->pos = call->pos;
    return field;
}

static struct expr_node *
parse_name(struct parser *p, bool rooted, size_t pos)
{
    struct expr_node *node = named(p, EXPR_N_NAME, pos);

    if (node == NULL || advance(p) != 0) {
        return NULL;
    }
    node->rooted = rooted;
    if (p->token.kind != '(') {
        return node;
    }

    node->kind = EXPR_N_CALL;
    if (parse_arguments(p, node) != 0) {
        return NULL;
    }
    if (node->name_len == 3 && memcmp(node->name, "has", 3) == 0) {
        return parse_has(p, node);
    }
    return node;
}

/* --- macros --- */

struct macro {
    const char *name;
    enum expr_op op;
    size_t min, max;               /* arguments */
};

static const struct macro *
find_macro(const struct parser *p)
{
    static const struct macro macros[] = {
        {"all", EXPR_OP_ALL, 2, 2},
        {"exists", EXPR_OP_EXISTS, 2, 2},
        {"exists_one", EXPR_OP_EXISTS_ONE, 2, 2},
        {"map", EXPR_OP_MAP_ITEMS, 2, 3},
        {"filter", EXPR_OP_FILTER, 2, 2},
    };
    size_t i;

    for (i = 0; i < sizeof(macros) / sizeof(macros[0]); i++) {
        if (expr_token_is(&p->token, macros[i].name)) {
            return &macros[i];
        }
    }
    return NULL;
}

/* The token is the macro's name, behind it an opening parenthesis. */
static struct expr_node *
parse_macro(struct parser *p, const struct macro *macro,
            struct expr_node *range)
{
    struct expr_node *node = expr_node_new(p->c, EXPR_N_MACRO, range->pos);
    size_t pos = p->token.pos;

    if (node == NULL || expr_node_add(p->c, node, range) != 0
        || advance(p) != 0 || advance(p) != 0)
    {
        return NULL;
    }

    if (p->token.kind != EXPR_TOK_NAME) {
        expr_fail(p->c, p->token.pos, "%s() takes a name first, as in "
                  "list.%s(x, ...x...)", macro->name, macro->name);
        return NULL;
    }
    node->op = macro->op;
    node->name = p->token.text;
    node->name_len = p->token.text_len;
    node->name_pos = p->token.pos;
    if (advance(p) != 0) {
        return NULL;
    }

    while (p->token.kind == ',') {
        if (advance(p) != 0 || expr_node_add(p->c, node, parse_expr(p)) != 0) {
            return NULL;
        }
    }
    if (expect(p, ')', "\",\" or \")\"") != 0) {
        return NULL;
    }
    if (node->n < macro->min || node->n > macro->max) {
        expr_fail(p->c, pos, "%s() takes a name and %s", macro->name,
                  macro->max == 2 ? "an expression"
                                  : "one or two expressions");
        return NULL;
    }
    return node;
}

/* --- what may follow a value --- */

/* The token is what follows the dot. */
static struct expr_node *
parse_member(struct parser *p, struct expr_node *target)
{
    const struct macro *macro = find_macro(p);
    struct parser ahead = *p;
    struct expr_node *node;

    if (p->token.kind != EXPR_TOK_NAME && p->token.kind != EXPR_TOK_RESERVED
        && p->token.kind != EXPR_TOK_QUOTED)
    {
        unexpected(p, "a name after the \".\"");
        return NULL;
    }
    if (advance(&ahead) != 0) {
        return NULL;
    }

    if (ahead.token.kind != '(' || p->token.kind == EXPR_TOK_QUOTED) {
        node = named(p, EXPR_N_SELECT, target->pos);
        *p = ahead;
        expr_node_add(p->c, node, target);
        return p->c->rc == 0 ? node : NULL;
    }
    if (macro != NULL) {
        return parse_macro(p, macro, target);
    }

    node = named(p, EXPR_N_CALL, target->pos);
    *p = ahead;
    if (node == NULL || expr_node_add(p->c, node, target) != 0
        || parse_arguments(p, node) != 0)
    {
        return NULL;
    }
    node->method = true;
    return node;
}

static struct expr_node *
parse_index(struct parser *p, struct expr_node *target)
{
    struct expr_node *node = expr_node_new(p->c, EXPR_N_CHAIN, target->pos);
    struct expr_node *index;
    size_t pos = p->token.pos;

    if (node == NULL || expr_node_add(p->c, node, target) != 0
        || advance(p) != 0)
    {
        return NULL;
    }

    index = parse_expr(p);
    if (expr_node_add(p->c, node, index) != 0
        || expect(p, ']', "\"]\"") != 0)
    {
        return NULL;
    }
    index->join = EXPR_OP_INDEX;
    index->join_pos = pos;
    return node;
}

static struct expr_node *
parse_primary(struct parser *p)
{
    size_t pos = p->token.pos;
    struct intent_value value;
    struct expr_node *node;

    switch (p->token.kind) {
    case EXPR_TOK_NULL:
        expr_set_null(&value);
        return constant(p, pos, value);
    case EXPR_TOK_TRUE:
    case EXPR_TOK_FALSE:
        expr_set_bool(&value, p->token.kind == EXPR_TOK_TRUE);
        return constant(p, pos, value);
    case EXPR_TOK_INT:
        return parse_int(p, pos, false);
    case EXPR_TOK_DOUBLE:
    case EXPR_TOK_STRING:
        return constant(p, pos, p->token.value);
    case '[':
        return parse_items(p, EXPR_N_LIST, ']');
    case '{':
        return parse_items(p, EXPR_N_MAP, '}');
    case EXPR_TOK_NAME:
        return parse_name(p, false, pos);
    case '.':
        if (advance(p) != 0) {
            return NULL;
        }
        if (p->token.kind == EXPR_TOK_NAME) {
            return parse_name(p, true, pos);
        }
        break;
    case '(':
        if (advance(p) != 0) {
            return NULL;
        }
        node = parse_expr(p);
        if (node == NULL || expect(p, ')', "\")\"") != 0) {
            return NULL;
        }
        return node;
    default:
        break;
    }

    unexpected(p, p->token.kind == EXPR_TOK_END && p->token.pos == 0
                      ? "an expression" : "a value");
    return NULL;
}

static struct expr_node *
parse_postfix(struct parser *p)
{
    struct expr_node *node = parse_primary(p);

    while (node != NULL) {
        if (p->token.kind == '.') {
            node = advance(p) == 0 ? parse_member(p, node) : NULL;
        } else if (p->token.kind == '[') {
            node = parse_index(p, node);
        } else {
            break;
        }
    }
    return node;
}

/* --- operators --- */

static struct expr_node *
parse_prefix(struct parser *p)
{
    size_t pos = p->token.pos;
    enum expr_op op = p->token.kind == '-' ? EXPR_OP_NEG : EXPR_OP_NOT;
    struct expr_node *node;

    if (advance(p) != 0) {
        return NULL;
    }
    if (op == EXPR_OP_NEG && p->token.kind == EXPR_TOK_INT) {
        return parse_int(p, pos, true);
    }
    if (op == EXPR_OP_NEG && p->token.kind == EXPR_TOK_DOUBLE) {
        return parse_double(p, pos, true);
    }

    node = expr_node_new(p->c, EXPR_N_UNARY, pos);
    if (node == NULL || enter(p) != 0) {
        return NULL;
    }
    node->op = op;
    expr_node_add(p->c, node, parse_unary(p));
    p->depth--;
    return p->c->rc == 0 ? node : NULL;
}

static struct expr_node *
parse_unary(struct parser *p)
{
    return p->token.kind == '-' || p->token.kind == '!' ? parse_prefix(p)
                                                        : parse_postfix(p);
}

/* The operators of each precedence, weakest first. */
static const struct {
    int level;
    int token;
    enum expr_node_kind kind;
    enum expr_op op;
} operators[] = {
    {0, EXPR_TOK_OR, EXPR_N_OR, EXPR_OP_OR},
    {1, EXPR_TOK_AND, EXPR_N_AND, EXPR_OP_AND},
    {2, EXPR_TOK_EQ, EXPR_N_CHAIN, EXPR_OP_EQ},
    {2, EXPR_TOK_NE, EXPR_N_CHAIN, EXPR_OP_NE},
    {2, '<', EXPR_N_CHAIN, EXPR_OP_LT},
    {2, EXPR_TOK_LE, EXPR_N_CHAIN, EXPR_OP_LE},
    {2, '>', EXPR_N_CHAIN, EXPR_OP_GT},
    {2, EXPR_TOK_GE, EXPR_N_CHAIN, EXPR_OP_GE},
    {2, EXPR_TOK_IN, EXPR_N_CHAIN, EXPR_OP_IN},
    {3, '+', EXPR_N_CHAIN, EXPR_OP_ADD},
    {3, '-', EXPR_N_CHAIN, EXPR_OP_SUB},
    {4, '*', EXPR_N_CHAIN, EXPR_OP_MUL},
    {4, '/', EXPR_N_CHAIN, EXPR_OP_DIV},
    {4, '%', EXPR_N_CHAIN, EXPR_OP_MOD},
};
enum { N_OPERATORS = sizeof(operators) / sizeof(operators[0]), N_LEVELS = 5 };

static int
find_operator(const struct parser *p, int level)
{
    int i;

    for (i = 0; i < N_OPERATORS; i++) {
        if (operators[i].level == level
            && operators[i].token == p->token.kind)
        {
            return i;
        }
    }
    return -1;
}

static struct expr_node *
parse_level(struct parser *p, int level)
{
    struct expr_node *first, *kid, *node = NULL;
    size_t pos;
    int i;

    if (level == N_LEVELS) {
        return parse_unary(p);
    }

    first = parse_level(p, level + 1);
    while (first != NULL && (i = find_operator(p, level)) >= 0) {
        if (node == NULL) {
            node = expr_node_new(p->c, operators[i].kind, first->pos);
            expr_node_add(p->c, node, first);
        }
        pos = p->token.pos;
        kid = advance(p) == 0 ? parse_level(p, level + 1) : NULL;
        if (kid == NULL || expr_node_add(p->c, node, kid) != 0) {
            return NULL;
        }
        kid->join = operators[i].op;
        kid->join_pos = pos;
    }
    return node != NULL ? node : first;
}

static struct expr_node *
parse_expr(struct parser *p)
{
    struct expr_node *node, *cond;

    if (enter(p) != 0) {
        return NULL;
    }

    node = parse_level(p, 0);
    if (node != NULL && p->token.kind == '?') {
        cond = node;
        node = expr_node_new(p->c, EXPR_N_COND, cond->pos);
        if (expr_node_add(p->c, node, cond) != 0 || advance(p) != 0
            || expr_node_add(p->c, node, parse_level(p, 0)) != 0
            || expect(p, ':', "\":\" of the conditional") != 0
            || expr_node_add(p->c, node, parse_expr(p)) != 0)
        {
            return NULL;
        }
    }

    p->depth--;
    return node;
}

struct expr_node *
expr_parse(struct expr_compilation *c)
{
    struct parser p = {.c = c};
    struct expr_node *node;

    if (c->len > EXPR_MAX_LEN) {
        expr_fail(c, 0, "the expression has %zu bytes, at most %d are taken",
                  c->len, EXPR_MAX_LEN);
        return NULL;
    }
    if (advance(&p) != 0) {
        return NULL;
    }

    node = parse_expr(&p);
    if (node != NULL && p.token.kind != EXPR_TOK_END) {
        unexpected(&p, "an operator or the end");
        return NULL;
    }
    return c->rc == 0 ? node : NULL;
}
