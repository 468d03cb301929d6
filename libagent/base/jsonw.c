/* SPDX-License-Identifier: Apache-2.0 */
#include "jsonw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* Of each byte: 0 as it is; 1 by \u00xx; 0x80 by its UTF-8 sequence; else the
 * letter after the backslash. */
static const unsigned char escapes[256] = {
    [0x00 ... 0x07] = 1, ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n',
    [0x0b] = 1, ['\f'] = 'f', ['\r'] = 'r', [0x0e ... 0x1f] = 1,
    ['"'] = '"', ['\\'] = '\\',
    [0x80 ... 0xff] = 0x80
};

static const char digit_pairs[200] =
    "00010203040506070809101112131415161718192021222324"
    "25262728293031323334353637383940414243444546474849"
    "50515253545556575859606162636465666768697071727374"
    "75767778798081828384858687888990919293949596979899";

static void
put(struct jsonw *w, char c)
{
    if (w->full || w->len == w->size) {
        w->full = true;
        return;
    }
    w->buf[w->len++] = c;
}

void
jsonw_bytes(struct jsonw *w, const char *bytes, size_t len)
{
    if (w->full || len > w->size - w->len) {
        w->full = true;
        return;
    }
    memcpy(w->buf + w->len, bytes, len);
    w->len += len;
}

static void
comma(struct jsonw *w)
{
    if (w->len == 0) {
        return;
    }
    switch (w->buf[w->len - 1]) {
    case '{': case '[': case ':': case ',': case '\n':
        return;
    default:
        put(w, ',');
    }
}

void
jsonw_raw(struct jsonw *w, const char *json, size_t len)
{
    comma(w);
    jsonw_bytes(w, json, len);
}

void
jsonw_open(struct jsonw *w, char bracket)
{
    comma(w);
    put(w, bracket);
}

void
jsonw_close(struct jsonw *w, char bracket)
{
    put(w, bracket);
}

/* Bytes that need no escape, looked at eight at a time: some bit 7 is set
 * exactly when a byte is not ASCII, is below 0x20 (it borrows), or is a quote
 * or a backslash (zero after the xor, so it borrows). */
static size_t
clean_span(const char *s, size_t len)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t x, quote, slash;
    size_t i = 0;

    for (; len - i >= sizeof(x); i += sizeof(x)) {
        memcpy(&x, s + i, sizeof(x));
        quote = x ^ ones * '"';
        slash = x ^ ones * '\\';
        if (((x | (x - ones * 0x20) | (quote - ones) | (slash - ones)) & high)
            != 0)
        {
            break;
        }
    }
    while (i < len && escapes[(unsigned char) s[i]] == 0) {
        i++;
    }

    return i;
}

/* Writes the first character of s, which is not clean: bytes used. */
static size_t
escape(struct jsonw *w, const char *s, size_t len)
{
    unsigned char c = (unsigned char) s[0], how = escapes[c];
    char text[6] = { '\\', 'u', '0', '0', (char) ('0' + (c >> 4)),
                     "0123456789abcdef"[c & 15] };
    size_t n;

    if (how == 0x80) {
        n = utf8_next(s, len);
        if (n == 0) {
            jsonw_bytes(w, REPLACEMENT, sizeof(REPLACEMENT) - 1);
            return 1;
        }
        jsonw_bytes(w, s, n);
        return n;
    }
    if (how != 1) {
        text[1] = (char) how;
        jsonw_bytes(w, text, 2);
    } else {
        jsonw_bytes(w, text, sizeof(text));
    }

    return 1;
}

static void
quoted(struct jsonw *w, const char *s, size_t len)
{
    size_t i = 0, n;

    put(w, '"');
    while (i < len) {
        n = clean_span(s + i, len - i);
        jsonw_bytes(w, s + i, n);
        i += n;
        if (i < len) {
            i += escape(w, s + i, len - i);
        }
    }
    put(w, '"');
}

void
jsonw_string(struct jsonw *w, const char *s, size_t len)
{
    comma(w);
    quoted(w, s, len);
}

void
jsonw_key(struct jsonw *w, const char *key, size_t len)
{
    comma(w);
    quoted(w, key, len);
    put(w, ':');
}

/* Decimal digits of n before `end`: where they begin. */
static char *
digits(char *end, uint64_t n)
{
    while (n >= 100) {
        end -= 2;
        memcpy(end, digit_pairs + n % 100 * 2, 2);
        n /= 100;
    }
    if (n >= 10) {
        end -= 2;
        memcpy(end, digit_pairs + n * 2, 2);
    } else {
        *--end = (char) ('0' + n);
    }

    return end;
}

void
jsonw_uint(struct jsonw *w, uint64_t n)
{
    char text[20], *end = text + sizeof(text), *p = digits(end, n);

    jsonw_raw(w, p, (size_t) (end - p));
}

void
jsonw_int(struct jsonw *w, int64_t n)
{
    char text[20], *end = text + sizeof(text), *p;

    p = digits(end, n < 0 ? 0 - (uint64_t) n : (uint64_t) n);
    if (n < 0) {
        *--p = '-';
    }
    jsonw_raw(w, p, (size_t) (end - p));
}

/* A whole part and thousandths. With at most 15 digits in all they are the
 * shortest that read back as the double nearest to them. */
static void
put_decimal(struct jsonw *w, uint64_t whole, uint64_t thousandths,
            bool negative)
{
    char text[24], *end = text + sizeof(text), *p = end;
    int places = 3;

    while (places > 1 && thousandths % 10 == 0) {
        thousandths /= 10;
        places--;
    }
    while (places-- > 0) {
        *--p = (char) ('0' + thousandths % 10);
        thousandths /= 10;
    }
    *--p = '.';
    p = digits(p, whole);
    if (negative) {
        *--p = '-';
    }
    jsonw_raw(w, p, (size_t) (end - p));
}

/* "d.ddde-xx" of the fewest digits that read back as d, as `n` digits and the
 * exponent of the first. The radix character is the locale's, any length. */
static int
shortest(double d, char out[17], int *exponent)
{
    char text[64];
    int precision, n = 0;
    const char *p;

    /* Subnormals have fewer digits than the 15 that all others keep. */
    precision = d < 2.2250738585072014e-308 ? 1 : 15;
    for (;; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision - 1, d);
        if (precision == 17 || strtod(text, NULL) == d) {
            break;
        }
    }

    for (p = text; *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9') {
            out[n++] = *p;
        }
    }
    *exponent = (int) strtol(p + 1, NULL, 10);
    while (n > 1 && out[n - 1] == '0') {
        n--;
    }

    return n;
}

static void
put_shortest(struct jsonw *w, double d, bool negative)
{
    char text[64], number[17] = "", *p = text;
    int n, exponent, i;

    n = shortest(d, number, &exponent);
    if (negative) {
        *p++ = '-';
    }

    if (exponent < -5 || exponent > 16) {
        *p++ = number[0];
        if (n > 1) {
            *p++ = '.';
            memcpy(p, number + 1, (size_t) n - 1);
            p += n - 1;
        }
        p += snprintf(p, 8, "e%d", exponent);

    } else {
        if (exponent < 0) {
            *p++ = '0';
            *p++ = '.';
            for (i = -1; i > exponent; i--) {
                *p++ = '0';
            }
        }
        for (i = 0; i < n || i <= exponent + 1; i++) {
            if (exponent >= 0 && i == exponent + 1) {
                *p++ = '.';
            }
            if (i < n || exponent >= 0) {
                *p++ = i < n ? number[i] : '0';
            }
        }
    }
    jsonw_raw(w, text, (size_t) (p - text));
}

void
jsonw_double(struct jsonw *w, double d)
{
    bool negative = signbit(d);
    uint64_t n;

    if (!isfinite(d)) {
        jsonw_null(w);
        return;
    }

    d = fabs(d);
    if (d < 1e15) {
        n = (uint64_t) d;
        if ((double) n == d) {
            put_decimal(w, n, 0, negative);
            return;
        }
    }
    if (d < 1e12) {
        n = (uint64_t) (d * 1000.0 + 0.5);
        if ((double) n / 1000.0 == d) {
            put_decimal(w, n / 1000, n % 1000, negative);
            return;
        }
    }
    put_shortest(w, d, negative);
}

void
jsonw_bool(struct jsonw *w, bool b)
{
    jsonw_raw(w, b ? "true" : "false", b ? 4 : 5);
}

void
jsonw_null(struct jsonw *w)
{
    jsonw_raw(w, "null", 4);
}

static void
map_key(struct jsonw *w, const struct intent_value *key)
{
    struct jsonw text;
    char buf[32];

    if (key->kind == INTENT_STRING) {
        jsonw_key(w, key->as.s, key->len);
        return;
    }

    /* CEL's other keys are integers and booleans. */
    jsonw_init(&text, buf, sizeof(buf));
    jsonw_value(&text, key);
    jsonw_key(w, buf, text.len);
}

void
jsonw_value(struct jsonw *w, const struct intent_value *value)
{
    uint32_t i;

    switch (value->kind) {
    case INTENT_NULL:
        jsonw_null(w);
        break;
    case INTENT_BOOL:
        jsonw_bool(w, value->as.b);
        break;
    case INTENT_INT:
        jsonw_int(w, value->as.i);
        break;
    case INTENT_DOUBLE:
        jsonw_double(w, value->as.d);
        break;
    case INTENT_STRING:
        jsonw_string(w, value->as.s, value->len);
        break;
    case INTENT_LIST:
        jsonw_open(w, '[');
        for (i = 0; i < value->len; i++) {
            jsonw_value(w, &value->as.items[i]);
        }
        jsonw_close(w, ']');
        break;
    case INTENT_MAP:
        jsonw_open(w, '{');
        for (i = 0; i < value->len; i++) {
            map_key(w, &value->as.items[2 * i]);
            jsonw_value(w, &value->as.items[2 * i + 1]);
        }
        jsonw_close(w, '}');
        break;
    }
}
