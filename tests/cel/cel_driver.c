/* SPDX-License-Identifier: Apache-2.0
 *
 * Evaluates expressions for test_cel_conformance.py: a request a line on
 * stdin, an answer a line on stdout, until the end of stdin.
 *
 *   request  HEX-OF-THE-EXPRESSION { HEX-OF-A-NAME TYPES VALUE }
 *   answer   value VALUE | refused LINE COLUMN HEX-OF-THE-TEXT | error ERRNO
 *   TYPES    EXPR_T_* as a decimal number
 *   VALUE    n | t | f | iDECIMAL | dHEXFLOAT | sHEX
 *            | lCOUNT VALUE... | mPAIRS KEY VALUE...
 *
 * HEX of nothing is "-".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../libagent/signal/expr.h"

enum { MAX_VARS = 16, MAX_VALUES = 4096, SCRATCH = 65536 };

/* One request's memory; the texts lie in the line itself. */
struct request {
    char *rest;
    size_t n_vars, n_values;
    struct expr_var vars[MAX_VARS];
    struct intent_value bound[MAX_VARS];
    struct intent_value values[MAX_VALUES];
};

static void
die(const char *what)
{
    fprintf(stderr, "cel_driver: bad request: %s\n", what);
    exit(2);
}

static char *
word(struct request *r)
{
    char *w = strsep(&r->rest, " \n");

    if (w == NULL || *w == '\0') {
        die("too short");
    }
    return w;
}

/* Decodes in place, with a NUL behind. */
static char *
unhex(char *hex, size_t *len)
{
    unsigned byte;
    size_t i;

    *len = 0;
    if (strcmp(hex, "-") == 0) {
        *hex = '\0';
        return hex;
    }
    for (i = 0; hex[i] != '\0'; i += 2) {
        if (sscanf(hex + i, "%2x", &byte) != 1) {
            die("hex");
        }
        hex[(*len)++] = (char) byte;
    }
    hex[*len] = '\0';
    return hex;
}

static void
put_hex(const char *s, size_t len)
{
    size_t i;

    if (len == 0) {
        putchar('-');
    }
    for (i = 0; i < len; i++) {
        printf("%02x", (unsigned char) s[i]);
    }
}

static struct intent_value
read_value(struct request *r)
{
    struct intent_value v, *items;
    char *w = word(r);
    size_t i, n;

    memset(&v, 0, sizeof(v));
    switch (*w) {
    case 'n':
        break;
    case 't':
    case 'f':
        v.kind = INTENT_BOOL;
        v.as.b = *w == 't';
        break;
    case 'i':
        v.kind = INTENT_INT;
        v.as.i = strtoll(w + 1, NULL, 10);
        break;
    case 'd':
        v.kind = INTENT_DOUBLE;
        v.as.d = strtod(w + 1, NULL);
        break;
    case 's':
        v.kind = INTENT_STRING;
        v.as.s = unhex(w + 1, &n);
        v.len = (uint32_t) n;
        break;
    case 'l':
    case 'm':
        v.kind = *w == 'm' ? INTENT_MAP : INTENT_LIST;
        v.len = (uint32_t) strtoul(w + 1, NULL, 10);
        n = v.len * (*w == 'm' ? 2u : 1u);
        if (n > MAX_VALUES - r->n_values) {
            die("too many values");
        }
        items = r->values + r->n_values;
        r->n_values += n;
        for (i = 0; i < n; i++) {
            items[i] = read_value(r);
        }
        v.as.items = items;
        break;
    default:
        die("value");
    }
    return v;
}

static void
put_value(const struct intent_value *v)
{
    uint32_t i, n;

    switch (v->kind) {
    case INTENT_NULL:
        printf(" n");
        break;
    case INTENT_BOOL:
        printf(v->as.b ? " t" : " f");
        break;
    case INTENT_INT:
        printf(" i%lld", (long long) v->as.i);
        break;
    case INTENT_DOUBLE:
        printf(" d%a", v->as.d);
        break;
    case INTENT_STRING:
        printf(" s");
        put_hex(v->as.s, v->len);
        break;
    case INTENT_LIST:
    case INTENT_MAP:
        n = v->len * (v->kind == INTENT_MAP ? 2u : 1u);
        printf(" %c%u", v->kind == INTENT_MAP ? 'm' : 'l', v->len);
        for (i = 0; i < n; i++) {
            put_value(&v->as.items[i]);
        }
        break;
    }
}

static void
answer(struct request *r)
{
    static char memory[SCRATCH];
    struct expr_scratch scratch = {memory, sizeof(memory), 0};
    struct intent_error err = {0};
    struct intent_value out;
    struct expr *expr;
    char *text;
    size_t len, n;
    int rc;

    text = unhex(word(r), &len);
    while (r->rest != NULL && *r->rest != '\0') {
        if (r->n_vars == MAX_VARS) {
            die("too many variables");
        }
        n = r->n_vars++;
        r->vars[n].name = unhex(word(r), &(size_t) {0});
        r->vars[n].types = (unsigned) strtoul(word(r), NULL, 10);
        r->bound[n] = read_value(r);
    }

    rc = expr_compile(text, len, r->vars, r->n_vars, &expr, &err);
    if (rc == -EINVAL) {
        printf("refused %d %d ", err.line, err.column);
        put_hex(err.text, strlen(err.text));
        putchar('\n');
        return;
    }
    if (rc == 0) {
        rc = expr_eval(expr, r->bound, &scratch, &out);
        if (rc == 0) {
            printf("value");
            put_value(&out);
            putchar('\n');
        }
        expr_free(expr);
    }
    if (rc != 0) {
        printf("error %d\n", rc);
    }
}

int
main(void)
{
    static struct request request;
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        memset(&request, 0, sizeof(request));
        request.rest = line;
        answer(&request);
    }
    free(line);
    return 0;
}
