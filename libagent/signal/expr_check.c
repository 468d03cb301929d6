/* SPDX-License-Identifier: Apache-2.0 */
#include "expr_check.h"

#include <errno.h>
#include <stdio.h>

#include "../base/error.h"
#include "expr_name.h"
#include "expr_type.h"

#define NULL_T ((unsigned) EXPR_T_NULL)

struct check {
    struct expr_compilation *c;
    const struct expr_scope *scope;
};

/* What is known of a value before it is there. */
struct shape {
    unsigned types, items;
};

static int check_node(struct check *k, struct expr_node *node,
                      const struct expr_node *path);

static int
check(struct check *k, struct expr_node *node)
{
    return check_node(k, node, node);
}

/* Of what has children. */
static int
check_kids(struct check *k, const struct expr_node *node)
{
    struct expr_node *kid = node->first;

    do {
        if (check(k, kid) != 0) {
            return k->c->rc;
        }
        kid = kid->next;
    } while (kid != NULL);
    return 0;
}

static struct shape
shape(const struct expr_node *node)
{
    return (struct shape) {node->types, node->items};
}

/* --- operators --- */

/* The int literal of a mixed pair: it is what its author can mend. */
static const struct expr_node *
int_literal(const struct expr_node *left, const struct expr_node *right)
{
    if (right->kind == EXPR_N_CONST && right->value.kind == INTENT_INT) {
        return right;
    }
    if (left->next == right && left->kind == EXPR_N_CONST
        && left->value.kind == INTENT_INT)
    {
        return left;
    }
    return NULL;
}

/* What to write instead, for the mistakes that everyone makes. */
static void
operator_hint(char *buf, size_t size, const struct expr_node *left, unsigned a,
              const struct expr_node *right)
{
    const struct expr_node *literal = int_literal(left, right);
    unsigned both = (a | right->types) & ~NULL_T;
    bool unsure = (a & EXPR_T_NUMBER) == EXPR_T_NUMBER
                  || (right->types & EXPR_T_NUMBER) == EXPR_T_NUMBER;
    enum expr_op op = right->join;

    buf[0] = '\0';
    if (op == EXPR_OP_MOD && (both & EXPR_T_DOUBLE) != 0) {
        snprintf(buf, size, ": %% is for ints, convert with int(x)");
    } else if (both == EXPR_T_NUMBER && unsure) {
        snprintf(buf, size, ": int and double do not mix, and it may be "
                 "either; write 1.0 for 1 in it, or convert with double(x)");
    } else if (both == EXPR_T_NUMBER && literal != NULL) {
        snprintf(buf, size, ": int and double do not mix, write %lld.0",
                 (long long) literal->value.as.i);
    } else if (both == EXPR_T_NUMBER) {
        snprintf(buf, size, ": int and double do not mix, convert with "
                 "double(x) or int(x)");
    } else if (op == EXPR_OP_EQ || op == EXPR_OP_NE) {
        snprintf(buf, size, ": they are never equal");
    } else if (op == EXPR_OP_ADD && (both & EXPR_T_STRING) != 0) {
        snprintf(buf, size, ": convert with string(x)");
    }
}

static int
fail_operator(struct check *k, const struct expr_node *left, unsigned a,
              const struct expr_node *right)
{
    char left_text[EXPR_TYPE_TEXT], right_text[EXPR_TYPE_TEXT], hint[128];

    operator_hint(hint, sizeof(hint), left, a, right);
    return expr_fail(k->c, right->join_pos, "no such overload: %s %s %s%s",
                     expr_type_text(left_text, a),
                     expr_op_info(right->join)->text,
                     expr_type_text(right_text, right->types), hint);
}

/* Of a call or index: the first operand is wrong. */
static int
fail_first(struct check *k, enum expr_op op, const struct expr_node *operand,
           unsigned types)
{
    const struct expr_op_info *info = expr_op_info(op);
    char expected[EXPR_TYPE_TEXT], found[EXPR_TYPE_TEXT];

    return expr_fail(k->c, operand->pos, "%s: expected %s, found %s",
                     op == EXPR_OP_INDEX ? "index" : info->text,
                     expr_type_text(expected, info->a),
                     expr_type_text(found, types));
}

/* Of a call or index: one of the two operands is wrong. */
static int
fail_argument(struct check *k, const struct expr_node *left, unsigned a,
              const struct expr_node *right)
{
    const enum expr_op op = right->join;
    const struct expr_op_info *info = expr_op_info(op);
    char expected[EXPR_TYPE_TEXT], found[EXPR_TYPE_TEXT], show[ERROR_SHOW];

    if (op == EXPR_OP_SELECT || op == EXPR_OP_HAS) {
        return expr_fail(k->c, right->join_pos, "no field \"%s\" here: "
                         "expected map, found %s",
                         error_show(show, right->value.as.s,
                                    right->value.len),
                         expr_type_text(found, a));
    }
    if ((a & ~NULL_T) != 0 && (a & ~NULL_T & info->a) == 0) {
        return fail_first(k, op, left, a);
    }
    return expr_fail(k->c, right->pos, "%s: expected %s, found %s",
                     op == EXPR_OP_INDEX ? "index" : info->text,
                     expr_type_text(expected, expr_op_second(op, a)),
                     expr_type_text(found, right->types));
}

static struct shape
binary_shape(enum expr_op op, struct shape a, struct shape b)
{
    struct shape result = {expr_op_result(op, a.types, b.types), EXPR_T_ANY};

    switch (op) {
    case EXPR_OP_ADD:
        if (result.types & EXPR_T_LIST) {
            result.items = a.items | b.items;
        }
        break;
    case EXPR_OP_INDEX:
    case EXPR_OP_SELECT:
        if (result.types != 0) {
            result.types = (a.types & ~NULL_T) == 0 ? NULL_T : a.items;
            result.types |= (a.types | b.types) & NULL_T;
        }
        break;
    default:
        break;
    }
    return result;
}

/* Arithmetic on what may be an int or a double: CEL finds out at run time,
 * which is when math.greatest(x, 1) gives its 1 for the first time. Nothing
 * else is known to be possible here, so it is a mistake to be shown now. */
static bool
mixes(enum expr_op op, unsigned a, unsigned b)
{
    return op <= EXPR_OP_MOD && ((a | b) & ~NULL_T) == EXPR_T_NUMBER;
}

/* Children that were checked, joined from left to right. */
static int
type_chain(struct check *k, struct expr_node *node)
{
    const struct expr_node *kid;
    struct shape left = shape(node->first), next;

    for (kid = node->first->next; kid != NULL; kid = kid->next) {
        next = binary_shape(kid->join, left, shape(kid));
        if (next.types == 0 || mixes(kid->join, left.types, kid->types)) {
            return expr_op_info(kid->join)->infix
                       ? fail_operator(k, node->first, left.types, kid)
                       : fail_argument(k, node->first, left.types, kid);
        }
        left = next;
    }

    node->types = left.types;
    node->items = left.items;
    return 0;
}

static int
type_unary(struct check *k, struct expr_node *node)
{
    const struct expr_node *kid = node->first;
    char expected[EXPR_TYPE_TEXT], found[EXPR_TYPE_TEXT];

    node->types = expr_op_result(node->op, kid->types, 0);
    if (node->types != 0) {
        return 0;
    }
    if (expr_op_info(node->op)->infix) {
        return expr_fail(k->c, kid->pos, "expected %s, found %s",
                         expr_type_text(expected, expr_op_info(node->op)->a),
                         expr_type_text(found, kid->types));
    }
    return fail_first(k, node->op, kid, kid->types);
}

/* --- conditions --- */

static int
expect_bool(struct check *k, const struct expr_node *node)
{
    unsigned known = node->types & ~NULL_T;
    char found[EXPR_TYPE_TEXT];

    if (known == 0 || (known & EXPR_T_BOOL) != 0) {
        return 0;
    }
    return expr_fail(k->c, node->pos, "expected bool, found %s",
                     expr_type_text(found, node->types));
}

static int
check_logic(struct check *k, struct expr_node *node)
{
    struct expr_node *kid;

    node->types = EXPR_T_BOOL;
    for (kid = node->first; kid != NULL; kid = kid->next) {
        if (check(k, kid) != 0 || expect_bool(k, kid) != 0) {
            return k->c->rc;
        }
        node->types |= kid->types & NULL_T;
    }
    return 0;
}

static int
check_cond(struct check *k, struct expr_node *node)
{
    struct expr_node *cond = node->first, *yes = cond->next, *no = yes->next;

    if (check(k, cond) != 0 || expect_bool(k, cond) != 0 || check(k, yes) != 0
        || check(k, no) != 0)
    {
        return k->c->rc;
    }
    node->types = yes->types | no->types | (cond->types & NULL_T);
    node->items = yes->items | no->items;
    return 0;
}

/* --- fields --- */

/* The field's name as the second child, where the operator wants it. */
static int
field_to_chain(struct check *k, struct expr_node *node, enum expr_op op)
{
    struct expr_node *name;
    struct intent_value value;

    name = expr_node_new(k->c, EXPR_N_CONST, node->name_pos);
    if (name == NULL) {
        return k->c->rc;
    }
    expr_set_string(&value, node->name, node->name_len);
    expr_node_const(name, value);
    name->join = op;
    name->join_pos = node->name_pos;
    node->kind = EXPR_N_CHAIN;
    return expr_node_add(k->c, node, name) != 0 ? k->c->rc
                                                : type_chain(k, node);
}

static int
check_select(struct check *k, struct expr_node *node,
             const struct expr_node *path)
{
    if (expr_name_resolve(k->c, k->scope, node)) {
        return 0;
    }
    if (check_node(k, node->first, path) != 0) {
        return k->c->rc;
    }
    return field_to_chain(k, node, EXPR_OP_SELECT);
}

/* A dotted name that is a variable is there when it is not null, which is
 * what a joined field without its row is. */
static int
check_has(struct check *k, struct expr_node *node)
{
    struct expr_node *var;

    node->kind = EXPR_N_SELECT;
    if (expr_name_resolve(k->c, k->scope, node)) {
        var = expr_node_new(k->c, EXPR_N_VAR, node->pos);
        if (var == NULL) {
            return k->c->rc;
        }
        var->index = node->index;
        var->types = node->types;
        node->kind = EXPR_N_UNARY;
        node->op = EXPR_OP_PRESENT;
        return expr_node_add(k->c, node, var) != 0 ? k->c->rc
                                                   : type_unary(k, node);
    }

    if (check_node(k, node->first, node) != 0) {
        return k->c->rc;
    }
    return field_to_chain(k, node, EXPR_OP_HAS);
}

static int
check_name(struct check *k, struct expr_node *node,
           const struct expr_node *path)
{
    return expr_name_resolve(k->c, k->scope, node)
               ? 0 : expr_name_undefined(k->c, k->scope, node, path);
}

/* --- calls --- */

static int
call_operator(struct check *k, struct expr_node *node, enum expr_op op)
{
    struct expr_node *kid;

    if (node->n == 1) {
        node->kind = EXPR_N_UNARY;
        node->op = op == EXPR_OP_GREATEST ? EXPR_OP_GREATEST_OF
                   : op == EXPR_OP_LEAST ? EXPR_OP_LEAST_OF : op;
        return type_unary(k, node);
    }

    for (kid = node->first->next; kid != NULL; kid = kid->next) {
        kid->join = op;
        kid->join_pos = node->name_pos;
    }
    node->kind = EXPR_N_CHAIN;
    return type_chain(k, node);
}

/* default(x, 0) of a double x means 0.0: it is our own function, so its
 * literal can be what is meant. */
static int
type_default(struct expr_node *node)
{
    const struct expr_node *x = node->first;
    struct expr_node *y = node->last;
    struct intent_value value;

    if ((x->types & ~NULL_T) == EXPR_T_DOUBLE && y->kind == EXPR_N_CONST
        && y->value.kind == INTENT_INT)
    {
        expr_set_double(&value, (double) y->value.as.i);
        expr_node_const(y, value);
    }

    node->kind = EXPR_N_DEFAULT;
    node->types = x->types;
    node->items = x->items;
    if (x->types & NULL_T) {
        node->types = (x->types & ~NULL_T) | y->types;
        node->items |= y->items;
    }
    return 0;
}

static int
check_call(struct check *k, struct expr_node *node)
{
    const struct expr_function *f = expr_name_function(k->c, node);
    struct expr_node *kid;

    if (f == NULL || check_kids(k, node) != 0) {
        return k->c->rc;
    }

    switch (f->kind) {
    case EXPR_F_OP:
        return call_operator(k, node, f->op);
    case EXPR_F_DYN:
        kid = node->first;
        kid->types = EXPR_T_ANY;
        kid->items = EXPR_T_ANY;
        kid->next = node->next;
        kid->join = node->join;
        kid->join_pos = node->join_pos;
        *node = *kid;
        return 0;
    case EXPR_F_DEFAULT:
        break;
    }

    return type_default(node);
}

/* --- literals of lists and maps --- */

static int
check_list(struct check *k, struct expr_node *node)
{
    struct expr_node *kid;

    node->types = EXPR_T_LIST;
    node->items = 0;
    for (kid = node->first; kid != NULL; kid = kid->next) {
        if (check(k, kid) != 0) {
            return k->c->rc;
        }
        node->items |= kid->types;
    }
    if (node->n == 0) {
        node->items = EXPR_T_ANY;
    }
    return 0;
}

static int
check_map(struct check *k, struct expr_node *node)
{
    struct expr_node *key, *value;
    char found[EXPR_TYPE_TEXT];

    node->types = EXPR_T_MAP;
    node->items = 0;
    for (key = node->first; key != NULL; key = value->next) {
        value = key->next;
        if (check(k, key) != 0 || check(k, value) != 0) {
            return k->c->rc;
        }
        if ((key->types & EXPR_T_KEY) == 0) {
            return expr_fail(k->c, key->pos, "expected bool, int or string "
                             "as a map's key, found %s",
                             expr_type_text(found, key->types));
        }
        node->items |= value->types;
    }
    if (node->n == 0) {
        node->items = EXPR_T_ANY;
    }
    return 0;
}

/* --- macros --- */

/* What a macro's variable may be: items of a list, keys of a map. */
static unsigned
variable_types(const struct expr_node *range)
{
    unsigned types = 0;

    if (range->types & EXPR_T_LIST) {
        types |= range->items;
    }
    if (range->types & EXPR_T_MAP) {
        types |= EXPR_T_KEY;
    }
    return types != 0 ? types : EXPR_T_ANY;
}

static int
check_range(struct check *k, const struct expr_node *node)
{
    const struct expr_node *range = node->first;
    unsigned known = range->types & ~NULL_T;
    char found[EXPR_TYPE_TEXT];

    if (known == 0 || (known & (EXPR_T_LIST | EXPR_T_MAP)) != 0) {
        return 0;
    }
    return expr_fail(k->c, range->pos, "macros go over a list or map, found "
                     "%s", expr_type_text(found, range->types));
}

static int
check_macro(struct check *k, struct expr_node *node)
{
    struct expr_node *range = node->first, *body = node->last, *cond;
    struct expr_scope scope = {.outer = k->scope, .name = node->name,
                               .len = node->name_len};
    struct check inside = {k->c, &scope};

    if (check(k, range) != 0 || check_range(k, node) != 0) {
        return k->c->rc;
    }
    scope.level = k->scope == NULL ? 0 : k->scope->level + 1;
    scope.types = variable_types(range);
    if (scope.level == EXPR_MAX_LOOPS) {
        return expr_fail(k->c, node->name_pos, "macros nested more than %d "
                         "deep", EXPR_MAX_LOOPS);
    }

    for (cond = range->next; cond != NULL; cond = cond->next) {
        if (check(&inside, cond) != 0) {
            return k->c->rc;
        }
        if ((cond != body || node->op != EXPR_OP_MAP_ITEMS)
            && expect_bool(k, cond) != 0)
        {
            return k->c->rc;
        }
    }

    node->index = scope.level;
    node->types = range->types & NULL_T;
    switch (node->op) {
    case EXPR_OP_MAP_ITEMS:
        node->types |= EXPR_T_LIST;
        node->items = body->types;
        break;
    case EXPR_OP_FILTER:
        node->types |= EXPR_T_LIST;
        node->items = scope.types;
        break;
    default:
        node->types |= EXPR_T_BOOL | (body->types & NULL_T);
        break;
    }
    return 0;
}

/* `path`: the dotted name that the node begins, for the message. */
static int
check_node(struct check *k, struct expr_node *node,
           const struct expr_node *path)
{
    switch (node->kind) {
    case EXPR_N_NAME:
        return check_name(k, node, path);
    case EXPR_N_SELECT:
        return check_select(k, node, path);
    case EXPR_N_HAS:
        return check_has(k, node);
    case EXPR_N_CALL:
        return check_call(k, node);
    case EXPR_N_UNARY:
        return check(k, node->first) != 0 ? k->c->rc : type_unary(k, node);
    case EXPR_N_CHAIN:
        return check_kids(k, node) != 0 ? k->c->rc : type_chain(k, node);
    case EXPR_N_AND:
    case EXPR_N_OR:
        return check_logic(k, node);
    case EXPR_N_COND:
        return check_cond(k, node);
    case EXPR_N_LIST:
        return check_list(k, node);
    case EXPR_N_MAP:
        return check_map(k, node);
    case EXPR_N_MACRO:
        return check_macro(k, node);
    case EXPR_N_CONST:
    case EXPR_N_VAR:
    case EXPR_N_LOCAL:
    case EXPR_N_DEFAULT:
        break;
    }
    return 0;
}

int
expr_check(struct expr_compilation *c, struct expr_node *root)
{
    struct check k = {.c = c};

    return check_node(&k, root, root);
}
