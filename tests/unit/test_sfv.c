/* SPDX-License-Identifier: Apache-2.0
 *
 * Structured field values against RFC 9651 and, for decimals, against the
 * exact decimal expansion of random doubles.
 */
#include <stdlib.h>

#include "../../libagent/decide/sfv.h"
#include "tap.h"

static char buf[512];
static struct sfv w;

static void
begin(void)
{
    w = (struct sfv) { buf, sizeof(buf) - 1, 0, false };
}

static const char *
text(bool said)
{
    if (!said) {
        return "(cannot be said)";
    }
    buf[w.len] = '\0';

    return buf;
}

static const char *
decimal(double d)
{
    begin();

    return text(sfv_decimal(&w, d));
}

static const char *
string(const char *s, size_t len)
{
    begin();

    return text(sfv_string(&w, s, len));
}

static const char *
key(const char *name)
{
    begin();

    return text(sfv_key(&w, name));
}

static void
test_decimals(void)
{
    is_str(decimal(16.0), "16.0", "a whole number has one digit");
    is_str(decimal(0.0), "0.0", "zero");
    is_str(decimal(-0.0), "0.0", "minus zero has no sign");
    is_str(decimal(-0.0004), "0.0", "nor has what rounds to zero");
    is_str(decimal(-0.0006), "-0.001", "but what does not has");
    is_str(decimal(0.05), "0.05", "zeros after the point stay");
    is_str(decimal(0.005), "0.005", "two of them");
    is_str(decimal(1.10), "1.1", "zeros at the end go");
    is_str(decimal(123.4567), "123.457", "rounded to three digits");
    is_str(decimal(0.9996), "1.0", "rounding carries");
    is_str(decimal(0.0625), "0.062", "a tie goes to the even digit, down");
    is_str(decimal(0.1875), "0.188", "and up");
    is_str(decimal(-2.0625), "-2.062", "below zero too");
    is_str(decimal(1.0005), "1.0", "1.0005 is less than the tie it looks");
    is_str(decimal(1.0015), "1.002", "1.0015 is more");
    is_str(decimal(999999999999.0), "999999999999.0", "twelve digits");
    is_str(decimal(-999999999999.999), "-999999999999.999", "and three");
    is_str(decimal(999999999999.9999), "(cannot be said)",
           "rounding must not make a thirteenth");
    is_str(decimal(1e12), "(cannot be said)", "thirteen digits");
    is_str(decimal(1e300), "(cannot be said)", "many");
    is_str(decimal(INFINITY), "(cannot be said)", "infinity");
    is_str(decimal(NAN), "(cannot be said)", "NaN");
}

/* printf("%.3f") rounds the exact value, half to even; what is left is to
 * drop zeros and the sign of zero. */
static const char *
expected_decimal(double d, char out[static 64])
{
    size_t len = (size_t) snprintf(out, 64, "%.3f", d);

    while (out[len - 1] == '0' && out[len - 2] != '.') {
        out[--len] = '\0';
    }

    return strcmp(out, "-0.0") == 0 ? out + 1 : out;
}

static void
test_random_decimals(void)
{
    char expected[64];
    int i, bad = 0;
    double d;

    srand48(1);
    for (i = 0; i < 300000; i++) {
        d = (drand48() - 0.5) * pow(10, drand48() * 15 - 3);
        if (i % 3 == 0) {
            d = (floor(d * 1000) + 0.5) / 1000;
        } else if (i % 3 == 1) {
            d = floor(d * 16384) / 16384;
        }
        if (fabs(d) < 999999999999.0
            && strcmp(decimal(d), expected_decimal(d, expected)) != 0
            && bad++ == 0)
        {
            printf("# %.20g: got %s, expected %s\n", d, decimal(d),
                   expected_decimal(d, expected));
        }
    }

    is_int(bad, 0, "300,000 random doubles and near ties");
}

static void
test_strings(void)
{
    is_str(string("e17", 3), "\"e17\"", "a string");
    is_str(string("", 0), "\"\"", "an empty one");
    is_str(string("a\"b\\c", 5), "\"a\\\"b\\\\c\"", "quotes are escaped");
    is_str(string("a\r\nSet-Cookie: x", 16),
           "%\"a%0d%0aSet-Cookie: x\"", "a line break is no line break");
    is_str(string("a\0b", 3), "%\"a%00b\"", "nor is NUL an end");
    is_str(string("caf\xc3\xa9 100% \"x\"", 14),
           "%\"caf%c3%a9 100%25 %22x%22\"", "UTF-8 is a Display String");
    is_str(string("\x7f", 1), "%\"%7f\"", "as is DEL");
    is_str(string("\xff\xfe", 2), "(cannot be said)", "no UTF-8");
}

static void
test_keys(void)
{
    is_str(key("event_count_1h"), "event_count_1h", "a key");
    is_str(key("AvgDwell"), "avgdwell", "keys are lower case");
    is_str(key("*x-1.y"), "*x-1.y", "all characters of a key");
    is_str(key("_x"), "(cannot be said)", "not at the beginning");
    is_str(key("1x"), "(cannot be said)", "nor a digit");
    is_str(key(""), "(cannot be said)", "nor nothing");
    is_str(key("a b"), "(cannot be said)", "nor a space");
}

static const char *
member(struct intent_value value)
{
    begin();

    return text(sfv_member(&w, &value));
}

static struct intent_value
str(const char *s)
{
    return (struct intent_value) { .kind = INTENT_STRING,
                                   .len = (uint32_t) strlen(s), .as.s = s };
}

static void
test_members(void)
{
    struct intent_value items[5] = {
        str("a"), { .kind = INTENT_NULL }, { .kind = INTENT_INT, .as.i = 7 },
        { .kind = INTENT_BOOL, .as.b = true }, { .kind = INTENT_LIST }
    };
    struct intent_value value = { .kind = INTENT_BOOL, .as.b = true };

    is_str(member(value), "", "true is the key alone");
    value.as.b = false;
    is_str(member(value), "=?0", "false");
    value = (struct intent_value) { .kind = INTENT_INT, .as.i = -20 };
    is_str(member(value), "=-20", "an integer");
    value.as.i = 999999999999999;
    is_str(member(value), "=999999999999999", "of 15 digits");
    value.as.i++;
    is_str(member(value), "(cannot be said)", "of 16");
    value.as.i = INT64_MIN;
    is_str(member(value), "(cannot be said)", "the least");
    is_str(member(str("x")), "=\"x\"", "a string");
    value = (struct intent_value) { .kind = INTENT_NULL };
    is_str(member(value), "(cannot be said)", "null");
    value = (struct intent_value) { .kind = INTENT_LIST, .len = 5,
                                    .as.items = items };
    is_str(member(value), "=(\"a\" 7 ?1)",
           "a list, without what cannot be in one");
    value.len = 0;
    is_str(member(value), "=()", "an empty list");
}

static void
test_room(void)
{
    size_t size;

    for (size = 0; size < 5; size++) {
        w = (struct sfv) { buf, size, 0, false };
        memset(buf, '#', sizeof(buf));
        sfv_string(&w, "abc", 3);
        ok(w.full && w.len <= size && buf[size] == '#',
           "%zu bytes are too few", size);
    }

    w = (struct sfv) { buf, 5, 0, false };
    sfv_string(&w, "abc", 3);
    ok(!w.full && w.len == 5, "five suffice");
}

int
main(void)
{
    test_decimals();
    test_random_decimals();
    test_strings();
    test_keys();
    test_members();
    test_room();

    return done_testing();
}
