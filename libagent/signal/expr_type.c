/* SPDX-License-Identifier: Apache-2.0 */
#include "expr_type.h"

#include <string.h>

#define B EXPR_T_BOOL
#define I EXPR_T_INT
#define D EXPR_T_DOUBLE
#define S EXPR_T_STRING
#define L EXPR_T_LIST
#define M EXPR_T_MAP
#define NUMBER EXPR_T_NUMBER
#define ANY EXPR_T_ANY
#define STAYS EXPR_NULL_STAYS
#define FALSE EXPR_NULL_FALSE
#define VALUE EXPR_NULL_VALUE

static const struct expr_op_info info[EXPR_OP_VALUES] = {
    [EXPR_OP_ADD] = {"+", true, true, STAYS, NUMBER | S | L, NUMBER | S | L},
    [EXPR_OP_SUB] = {"-", true, true, STAYS, NUMBER, NUMBER},
    [EXPR_OP_MUL] = {"*", true, true, STAYS, NUMBER, NUMBER},
    [EXPR_OP_DIV] = {"/", true, true, STAYS, NUMBER, NUMBER},
    [EXPR_OP_MOD] = {"%", true, true, STAYS, I, I},
    [EXPR_OP_EQ] = {"==", true, true, VALUE, ANY, ANY},
    [EXPR_OP_NE] = {"!=", true, true, VALUE, ANY, ANY},
    [EXPR_OP_LT] = {"<", true, true, FALSE, B | NUMBER | S, B | NUMBER | S},
    [EXPR_OP_LE] = {"<=", true, true, FALSE, B | NUMBER | S, B | NUMBER | S},
    [EXPR_OP_GT] = {">", true, true, FALSE, B | NUMBER | S, B | NUMBER | S},
    [EXPR_OP_GE] = {">=", true, true, FALSE, B | NUMBER | S, B | NUMBER | S},
    [EXPR_OP_IN] = {"in", true, true, VALUE, ANY, L | M},
    [EXPR_OP_INDEX] = {"[]", true, false, STAYS, L | M, B | NUMBER | S},
    [EXPR_OP_SELECT] = {".", true, false, STAYS, M, S},
    [EXPR_OP_HAS] = {"has()", true, false, FALSE, M, S},
    [EXPR_OP_GREATEST] = {"math.greatest()", true, false, STAYS, NUMBER,
                          NUMBER},
    [EXPR_OP_LEAST] = {"math.least()", true, false, STAYS, NUMBER, NUMBER},
    [EXPR_OP_CONTAINS] = {"contains()", true, false, STAYS, S, S},
    [EXPR_OP_STARTS] = {"startsWith()", true, false, STAYS, S, S},
    [EXPR_OP_ENDS] = {"endsWith()", true, false, STAYS, S, S},
    [EXPR_OP_NEG] = {"-", false, true, STAYS, NUMBER, 0},
    [EXPR_OP_NOT] = {"!", false, true, STAYS, B, 0},
    [EXPR_OP_PRESENT] = {"has()", false, false, VALUE, ANY, 0},
    [EXPR_OP_SIZE] = {"size()", false, false, STAYS, S | L | M, 0},
    [EXPR_OP_TO_INT] = {"int()", false, false, STAYS, NUMBER | S, 0},
    [EXPR_OP_TO_DOUBLE] = {"double()", false, false, STAYS, NUMBER | S, 0},
    [EXPR_OP_TO_STRING] = {"string()", false, false, STAYS, B | NUMBER | S, 0},
    [EXPR_OP_TO_BOOL] = {"bool()", false, false, STAYS, B | S, 0},
    [EXPR_OP_GREATEST_OF] = {"math.greatest()", false, false, STAYS,
                             NUMBER | L, 0},
    [EXPR_OP_LEAST_OF] = {"math.least()", false, false, STAYS, NUMBER | L, 0},
};

/* A row holds for any pair out of a and b. */
static const struct overload {
    enum expr_op op;
    unsigned a, b, result;
} overloads[] = {
    {EXPR_OP_ADD, I, I, I},
    {EXPR_OP_ADD, D, D, D},
    {EXPR_OP_ADD, S, S, S},
    {EXPR_OP_ADD, L, L, L},
    {EXPR_OP_SUB, I, I, I},
    {EXPR_OP_SUB, D, D, D},
    {EXPR_OP_MUL, I, I, I},
    {EXPR_OP_MUL, D, D, D},
    {EXPR_OP_DIV, I, I, I},
    {EXPR_OP_DIV, D, D, D},
    {EXPR_OP_MOD, I, I, I},
    {EXPR_OP_IN, ANY, L, B},
    {EXPR_OP_IN, B | NUMBER | S, M, B},
    {EXPR_OP_INDEX, L, NUMBER, ANY},
    {EXPR_OP_INDEX, M, B | NUMBER | S, ANY},
    {EXPR_OP_SELECT, M, S, ANY},
    {EXPR_OP_HAS, M, S, B},
    {EXPR_OP_GREATEST, NUMBER, I, I},
    {EXPR_OP_GREATEST, NUMBER, D, D},
    {EXPR_OP_GREATEST, I, NUMBER, I},
    {EXPR_OP_GREATEST, D, NUMBER, D},
    {EXPR_OP_CONTAINS, S, S, B},
    {EXPR_OP_STARTS, S, S, B},
    {EXPR_OP_ENDS, S, S, B},
    {EXPR_OP_NEG, I, 0, I},
    {EXPR_OP_NEG, D, 0, D},
    {EXPR_OP_NOT, B, 0, B},
    {EXPR_OP_PRESENT, ANY, 0, B},
    {EXPR_OP_SIZE, S | L | M, 0, I},
    {EXPR_OP_TO_INT, NUMBER | S, 0, I},
    {EXPR_OP_TO_DOUBLE, NUMBER | S, 0, D},
    {EXPR_OP_TO_STRING, B | NUMBER | S, 0, S},
    {EXPR_OP_TO_BOOL, B | S, 0, B},
    {EXPR_OP_GREATEST_OF, I, 0, I},
    {EXPR_OP_GREATEST_OF, D, 0, D},
    {EXPR_OP_GREATEST_OF, L, 0, NUMBER | EXPR_T_NULL},
    /* EQ compares anything, but two things of different types are never
     * equal, so comparing them is a mistake. */
    {EXPR_OP_EQ, B, B, B},
    {EXPR_OP_EQ, NUMBER, NUMBER, B},
    {EXPR_OP_EQ, S, S, B},
    {EXPR_OP_EQ, L, L, B},
    {EXPR_OP_EQ, M, M, B},
    {EXPR_OP_LT, B, B, B},
    {EXPR_OP_LT, NUMBER, NUMBER, B},
    {EXPR_OP_LT, S, S, B},
};

const struct expr_op_info *
expr_op_info(enum expr_op op)
{
    return &info[op];
}

/* The operator that has the same rows in the table. */
static enum expr_op
like(enum expr_op op)
{
    switch (op) {
    case EXPR_OP_NE:
        return EXPR_OP_EQ;
    case EXPR_OP_LE:
    case EXPR_OP_GT:
    case EXPR_OP_GE:
        return EXPR_OP_LT;
    case EXPR_OP_LEAST:
        return EXPR_OP_GREATEST;
    case EXPR_OP_LEAST_OF:
        return EXPR_OP_GREATEST_OF;
    default:
        return op;
    }
}

/* Results of the pairs that a table's row holds for, null aside. */
static unsigned
match(enum expr_op op, unsigned a, unsigned b)
{
    unsigned result = 0;
    size_t i;

    op = like(op);
    for (i = 0; i < sizeof(overloads) / sizeof(overloads[0]); i++) {
        if (overloads[i].op == op && (overloads[i].a & a) != 0
            && (!info[op].binary || (overloads[i].b & b) != 0))
        {
            result |= overloads[i].result;
        }
    }
    return result;
}

/* Whether some overload takes these, where a null fits anywhere. A set that
 * holds null and something else has to fit by the something: nearly every
 * field may be null, and the check should find mistakes all the same. */
static bool
fits(enum expr_op op, unsigned a, unsigned b)
{
    const struct expr_op_info *o = &info[op];

    if (a != 0 && (b != 0 || !o->binary)) {
        return match(op, a, b) != 0;
    }
    return (a == 0 || (a & o->a) != 0) && (b == 0 || (b & o->b) != 0);
}

unsigned
expr_op_result(enum expr_op op, unsigned a, unsigned b)
{
    const unsigned null = EXPR_T_NULL;
    unsigned result;

    if (!info[op].binary) {
        b = 0;
    }
    if (!fits(op, a & ~null, b & ~null)) {
        return 0;
    }

    if (op == EXPR_OP_IN) {        /* null is looked for, but not in null */
        return (b & null) | ((b & ~null) != 0 ? B : 0);
    }
    if (info[op].null == EXPR_NULL_VALUE) {
        return B;
    }
    result = match(op, a & ~null, b & ~null);
    if (((a | b) & null) != 0) {
        result |= info[op].null == EXPR_NULL_STAYS ? null : B;
    }
    return result;
}

unsigned
expr_op_second(enum expr_op op, unsigned a)
{
    unsigned kind, second = 0;

    for (kind = EXPR_T_BOOL; kind <= EXPR_T_MAP; kind <<= 1) {
        if (match(op, a, kind) != 0) {
            second |= kind;
        }
    }
    return second != 0 ? second : info[op].b;
}

const char *
expr_type_text(char buf[static EXPR_TYPE_TEXT], unsigned types)
{
    static const char *const names[] = {"null", "bool", "int", "double",
                                        "string", "list", "map"};
    unsigned kind, left;
    size_t at = 0, n;

    left = types == EXPR_T_NULL ? types : types & ~(unsigned) EXPR_T_NULL;
    if (left == (EXPR_T_ANY & ~EXPR_T_NULL)) {
        memcpy(buf, "any value", sizeof("any value"));
        return buf;
    }

    for (kind = 0; kind <= INTENT_MAP; kind++) {
        if ((left & 1u << kind) == 0) {
            continue;
        }
        left &= ~(1u << kind);
        n = strlen(names[kind]);
        memcpy(buf + at, names[kind], n + 1);
        at += n;
        if (left != 0) {
            const char *comma = (left & (left - 1)) == 0 ? " or " : ", ";

            memcpy(buf + at, comma, strlen(comma) + 1);
            at += strlen(comma);
        }
    }
    return buf;
}
