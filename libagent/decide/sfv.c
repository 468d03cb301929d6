/* SPDX-License-Identifier: Apache-2.0 */
#include "sfv.h"

#include <math.h>
#include <string.h>

#include "../base/utf8.h"

/* RFC 9651 3.3.1 and 3.3.2. */
#define MAX_INTEGER 999999999999999ll
#define MAX_DECIMAL 1e12

void
sfv_bytes(struct sfv *w, const char *bytes, size_t len)
{
    if (w->full || len > w->size - w->len) {
        w->full = true;
        return;
    }

    memcpy(w->buf + w->len, bytes, len);
    w->len += len;
}

static inline void
put(struct sfv *w, char c)
{
    if (w->full || w->len == w->size) {
        w->full = true;
        return;
    }

    w->buf[w->len++] = c;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

bool
sfv_key(struct sfv *w, const char *name)
{
    size_t i;
    char c;

    for (i = 0; name[i] != '\0'; i++) {
        c = name[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char) (c - 'A' + 'a');
        }

        if (!is_lower(c) && c != '*'
            && (i == 0 || (!is_digit(c) && c != '_' && c != '-' && c != '.')))
        {
            return false;
        }

        put(w, c);
    }

    return i != 0;
}

/* Bytes at the front that a String may hold. */
static size_t
printable(const char *s, size_t len)
{
    size_t i = 0;

    while (i < len && s[i] >= 0x20 && s[i] <= 0x7e) {
        i++;
    }

    return i;
}

static void
display_string(struct sfv *w, const char *s, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    char code[3] = { '%' };
    unsigned char c;
    size_t i;

    sfv_bytes(w, "%\"", 2);

    for (i = 0; i < len; i++) {
        c = (unsigned char) s[i];
        if (c == '%' || c == '"' || c < 0x20 || c > 0x7e) {
            code[1] = hex[c >> 4];
            code[2] = hex[c & 15];
            sfv_bytes(w, code, sizeof(code));
        } else {
            put(w, s[i]);
        }
    }

    put(w, '"');
}

bool
sfv_string(struct sfv *w, const char *s, size_t len)
{
    size_t i;

    if (printable(s, len) != len) {
        if (!utf8_valid(s, len)) {
            return false;
        }
        display_string(w, s, len);
        return true;
    }

    put(w, '"');
    for (i = 0; i < len; i++) {
        if (s[i] == '"' || s[i] == '\\') {
            put(w, '\\');
        }
        put(w, s[i]);
    }
    put(w, '"');

    return true;
}

static void
put_digits(struct sfv *w, uint64_t n)
{
    char text[20];
    size_t at = sizeof(text);

    do {
        text[--at] = (char) ('0' + n % 10);
        n /= 10;
    } while (n != 0);

    sfv_bytes(w, text + at, sizeof(text) - at);
}

bool
sfv_integer(struct sfv *w, int64_t n)
{
    if (n > MAX_INTEGER || n < -MAX_INTEGER) {
        return false;
    }

    if (n < 0) {
        put(w, '-');
    }
    put_digits(w, (uint64_t) (n < 0 ? -n : n));

    return true;
}

/* x * 1000 to the nearest integer, half to even, for |x| <= MAX_DECIMAL. The
 * product is below 2^52, so its own rounding error is less than its distance
 * to any half that it does not equal: only an apparent tie needs the error,
 * which fma() gives exactly. */
static double
thousandths(double x)
{
    double product = x * 1000.0;
    double error = fma(x, 1000.0, -product);
    double below = floor(product), rest = product - below;

    if (rest != 0.5) {
        return rest < 0.5 ? below : below + 1.0;
    }

    if (error != 0.0) {
        return error < 0.0 ? below : below + 1.0;
    }

    return fmod(below, 2.0) == 0.0 ? below : below + 1.0;
}

bool
sfv_decimal(struct sfv *w, double d)
{
    uint64_t n, fraction;

    if (!(fabs(d) <= MAX_DECIMAL)) {
        return false;
    }

    n = (uint64_t) thousandths(fabs(d));
    if (n / 1000 >= (uint64_t) MAX_DECIMAL) {
        return false;
    }

    if (d < 0.0 && n != 0) {
        put(w, '-');
    }
    put_digits(w, n / 1000);
    put(w, '.');

    fraction = n % 1000;
    put(w, (char) ('0' + fraction / 100));
    if (fraction % 100 != 0) {
        put(w, (char) ('0' + fraction / 10 % 10));
    }
    if (fraction % 10 != 0) {
        put(w, (char) ('0' + fraction % 10));
    }

    return true;
}

static bool
put_item(struct sfv *w, const struct intent_value *value)
{
    switch (value->kind) {

    case INTENT_BOOL:
        sfv_bytes(w, value->as.b ? "?1" : "?0", 2);
        return true;

    case INTENT_INT:
        return sfv_integer(w, value->as.i);

    case INTENT_DOUBLE:
        return sfv_decimal(w, value->as.d);

    case INTENT_STRING:
        return sfv_string(w, value->as.s, value->len);

    default:
        return false;
    }
}

static void
put_inner_list(struct sfv *w, const struct intent_value *list)
{
    bool first = true;
    size_t mark;
    uint32_t i;

    put(w, '(');

    for (i = 0; i < list->len; i++) {
        mark = w->len;
        if (!first) {
            put(w, ' ');
        }
        if (put_item(w, &list->as.items[i])) {
            first = false;
        } else {
            w->len = mark;
        }
    }

    put(w, ')');
}

bool
sfv_member(struct sfv *w, const struct intent_value *value)
{
    if (value->kind == INTENT_BOOL && value->as.b) {
        return true;
    }

    put(w, '=');

    if (value->kind == INTENT_LIST) {
        put_inner_list(w, value);
        return true;
    }

    return put_item(w, value);
}
