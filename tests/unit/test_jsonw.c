/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/base/jsonw.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include <jansson.h>

#include "tap.h"

#define STR(s) s, sizeof(s) - 1

static char out[4096];

static const char *
text_of(struct jsonw *w)
{
    memcpy(out, w->buf, w->len);
    out[w->len] = '\0';

    return out;
}

static const char *
double_text(double d)
{
    static char buf[64];
    struct jsonw w;

    jsonw_init(&w, buf, sizeof(buf));
    jsonw_double(&w, d);

    return text_of(&w);
}

static void
write_event(struct jsonw *w)
{
    jsonw_open(w, '{');
    jsonw_name(w, "id");
    jsonw_string(w, STR("e\"1\""));
    jsonw_name(w, "n");
    jsonw_int(w, -42);
    jsonw_name(w, "list");
    jsonw_open(w, '[');
    jsonw_null(w);
    jsonw_bool(w, true);
    jsonw_bool(w, false);
    jsonw_open(w, '{');
    jsonw_close(w, '}');
    jsonw_double(w, 16);
    jsonw_close(w, ']');
    jsonw_name(w, "raw");
    jsonw_raw(w, STR("{\"a\":1}"));
    jsonw_name(w, "u");
    jsonw_uint(w, UINT64_MAX);
    jsonw_close(w, '}');
}

static const char event_text[] =
    "{\"id\":\"e\\\"1\\\"\",\"n\":-42,\"list\":[null,true,false,{},16.0],"
    "\"raw\":{\"a\":1},\"u\":18446744073709551615}";

static void
test_structure(void)
{
    char buf[512];
    struct jsonw w;

    jsonw_init(&w, buf, sizeof(buf));
    write_event(&w);
    is_str(text_of(&w), event_text, "an object with everything");

    jsonw_init(&w, buf, sizeof(buf));
    jsonw_open(&w, '[');
    jsonw_close(&w, ']');
    jsonw_bytes(&w, "\n", 1);
    jsonw_open(&w, '{');
    jsonw_close(&w, '}');
    jsonw_bytes(&w, "\n", 1);
    is_str(text_of(&w), "[]\n{}\n", "lines have no commas between them");
}

/* At every size: full exactly when it does not fit, nothing past the end. */
static void
test_full(void)
{
    size_t len = sizeof(event_text) - 1, size;
    int bad = 0;

    for (size = 0; size <= len + 1; size++) {
        char *buf = malloc(size + 1);
        struct jsonw w;

        buf[size] = '#';
        jsonw_init(&w, buf, size);
        write_event(&w);
        bad += w.full != (size < len) || buf[size] != '#' || w.len > size;
        bad += memcmp(buf, event_text, w.full ? 0 : len) != 0;
        free(buf);
    }
    is_int(bad, 0, "buffers of every size");
}

static void
test_strings(void)
{
    static const struct {
        const char *text;
        size_t len;
        const char *json;
    } rows[] = {
        { STR(""), "\"\"" },
        { STR("plain"), "\"plain\"" },
        { STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"" },
        { STR("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"" },
        { STR("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"" },
        { STR("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
          "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"" },
        { STR("a\xff" "b"), "\"a\xef\xbf\xbd" "b\"" },
        { STR("cut \xe2\x82"), "\"cut \xef\xbf\xbd\xef\xbf\xbd\"" },
        { STR("\xed\xa0\x80"),
          "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
    };
    char buf[256];
    struct jsonw w;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        jsonw_init(&w, buf, sizeof(buf));
        jsonw_string(&w, rows[i].text, rows[i].len);
        is_str(text_of(&w), rows[i].json, "string %zu", i);
    }
}

/* Each byte at each place of a long string, read back by another parser. */
static void
test_string_round_trip(void)
{
    int bad = 0, c;
    size_t at;

    for (c = 1; c < 0x80; c++) {
        for (at = 0; at < 20; at++) {
            char text[21], buf[128];
            struct jsonw w;
            json_t *json;

            memset(text, 'x', 20);
            text[20] = '\0';
            text[at] = (char) c;
            jsonw_init(&w, buf, sizeof(buf));
            jsonw_string(&w, text, 20);
            json = json_loadb(buf, w.len, JSON_DECODE_ANY, NULL);
            bad += json == NULL || strcmp(json_string_value(json), text) != 0;
            json_decref(json);
        }
    }
    is_int(bad, 0, "every ASCII character at every place reads back");
}

static void
test_integers(void)
{
    static const struct {
        int64_t n;
        const char *text;
    } rows[] = {
        { 0, "0" }, { 7, "7" }, { -7, "-7" }, { 10, "10" }, { 99, "99" },
        { 100, "100" }, { 12345, "12345" },
        { INT64_MAX, "9223372036854775807" },
        { INT64_MIN, "-9223372036854775808" },
    };
    char buf[64], text[64];
    struct jsonw w;
    size_t i;
    int64_t n;
    int bad = 0;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        jsonw_init(&w, buf, sizeof(buf));
        jsonw_int(&w, rows[i].n);
        is_str(text_of(&w), rows[i].text, "int %lld",
               (long long) rows[i].n);
    }
    for (n = -100000; n <= 100000; n++) {
        jsonw_init(&w, buf, sizeof(buf));
        jsonw_int(&w, n);
        snprintf(text, sizeof(text), "%lld", (long long) n);
        bad += strcmp(text_of(&w), text) != 0;
    }
    is_int(bad, 0, "all integers of up to five digits");
}

static void
test_doubles(void)
{
    static const struct {
        double d;
        const char *text;
    } rows[] = {
        { 0.0, "0.0" }, { -0.0, "-0.0" }, { 16.0, "16.0" }, { -1.5, "-1.5" },
        { 0.1, "0.1" }, { 0.001, "0.001" }, { -0.001, "-0.001" },
        { 0.12, "0.12" }, { 30.125, "30.125" }, { 999.999, "999.999" },
        { 1e12, "1000000000000.0" }, { 999999999999.999, "999999999999.999" },
        { 1772366400000.0, "1772366400000.0" },
        { 999999999999999.0, "999999999999999.0" },
        { 1e15, "1000000000000000.0" },
        { 9007199254740991.0, "9007199254740991.0" },
        { 12345678901234567.0, "12345678901234568.0" },
        { 1e16, "10000000000000000.0" }, { 1e17, "1e17" }, { 1e22, "1e22" },
        { 1.5e300, "1.5e300" }, { 0.1 + 0.2, "0.30000000000000004" },
        { 1.0 / 3, "0.3333333333333333" }, { 0.0001, "0.0001" },
        { 0.00001, "0.00001" }, { 0.000001, "1e-6" },
        { 1.25e-7, "1.25e-7" }, { 2.0 / 3 * 100, "66.66666666666666" },
        { DBL_MAX, "1.7976931348623157e308" },
        { DBL_MIN, "2.2250738585072014e-308" }, { 5e-324, "5e-324" },
        { NAN, "null" }, { INFINITY, "null" }, { -INFINITY, "null" },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_str(double_text(rows[i].d), rows[i].text, "double %.17g",
               rows[i].d);
    }
}

static bool
reads_back(double d)
{
    const char *text = double_text(d);
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    double back = json_real_value(json);
    bool same = json_is_real(json) && memcmp(&back, &d, sizeof(d)) == 0;

    json_decref(json);
    if (!same) {
        printf("#   %.17g was written as %s\n", d, text);
    }

    return same;
}

/* No shorter text than %.{1..17}g gives reads back, so ours has no more
 * digits than the first of those that does. */
static bool
is_shortest(double d)
{
    const char *p = double_text(d);
    char text[64];
    int precision, n = 0, zeros = 0;

    for (precision = 1; precision < 17; precision++) {
        snprintf(text, sizeof(text), "%.*g", precision, d);
        if (strtod(text, NULL) == d) {
            break;
        }
    }
    for (; *p != '\0' && *p != 'e'; p++) {
        if (*p == '0') {
            zeros += n > 0;
        } else if (*p != '.' && *p != '-') {
            n += zeros + 1;
            zeros = 0;
        }
    }

    return n <= precision;
}

static void
test_double_round_trip(void)
{
    uint64_t state = 88172645463325252u, bits;
    int bad = 0, longer = 0, i;
    double d;

    for (i = 0; i < 200000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bits = state;
        if (i % 2 != 0) {
            memcpy(&d, &bits, sizeof(d));
        } else {
            d = (double) (bits % 1000000007) / (double) (1 + (bits >> 52));
        }
        if (isfinite(d)) {
            bad += !reads_back(d);
            longer += !is_shortest(d);
        }
    }
    for (i = -200000; i < 200000; i++) {
        bad += !reads_back(i / 1000.0);
    }
    is_int(bad, 0, "doubles read back as they were");
    is_int(longer, 0, "and are not longer than need be");
}

static void
test_locale(void)
{
    static const char *const names[] = { "de_DE.UTF-8", "fr_FR.UTF-8",
                                         "de_DE", "ps_AF.UTF-8" };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (setlocale(LC_ALL, names[i]) != NULL) {
            is_str(double_text(1.0 / 3), "0.3333333333333333",
                   "a point in the locale %s", names[i]);
            setlocale(LC_ALL, "C");
            return;
        }
    }
    ok(true, "a point in other locales # SKIP none with a comma is installed");
}

static void
test_values(void)
{
    struct intent_value items[] = {
        { .kind = INTENT_STRING, .len = 1, .as.s = "a" },
        { .kind = INTENT_NULL },
        { .kind = INTENT_INT, .as.i = 5 },
        { .kind = INTENT_DOUBLE, .as.d = 2.5 },
        { .kind = INTENT_BOOL, .as.b = true },
        { .kind = INTENT_INT, .as.i = -1 },
    };
    struct intent_value pair[] = {
        { .kind = INTENT_LIST, .len = 6, .as.items = items },
        { .kind = INTENT_MAP, .len = 3, .as.items = items },
        { .kind = INTENT_LIST },
    };
    struct intent_value all = { .kind = INTENT_LIST, .len = 3,
                                .as.items = pair };
    char buf[256];
    struct jsonw w;

    jsonw_init(&w, buf, sizeof(buf));
    jsonw_value(&w, &all);
    is_str(text_of(&w),
           "[[\"a\",null,5,2.5,true,-1],{\"a\":null,\"5\":2.5,\"true\":-1},[]]",
           "lists, maps and all kinds of values");
}

int
main(void)
{
    test_structure();
    test_full();
    test_strings();
    test_string_round_trip();
    test_integers();
    test_doubles();
    test_double_round_trip();
    test_locale();
    test_values();

    return done_testing();
}
