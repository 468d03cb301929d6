/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/base/utf8.h"

#include <stdint.h>
#include <stdlib.h>

#include "tap.h"

/* The definition, from code points: what every valid sequence looks like. */
static size_t
encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char) c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char) (0xc0 | c >> 6);
        out[1] = (char) (0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char) (0xe0 | c >> 12);
        out[1] = (char) (0x80 | (c >> 6 & 0x3f));
        out[2] = (char) (0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char) (0xf0 | c >> 18);
    out[1] = (char) (0x80 | (c >> 12 & 0x3f));
    out[2] = (char) (0x80 | (c >> 6 & 0x3f));
    out[3] = (char) (0x80 | (c & 0x3f));
    return 4;
}

static void
test_code_points(void)
{
    uint32_t c, bad = 0;
    char s[4];

    for (c = 0; c < 0x200000; c++) {
        size_t n = encode(c, s), i;
        int valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

        bad += utf8_next(s, n) != (valid ? n : 0);
        for (i = 0; i < n; i++) {
            bad += utf8_next(s, i) != 0;         /* cut short */
        }
    }
    is_int(bad, 0, "every code point, whole and cut short");
}

/* No sequence is taken that is not the encoding of a code point: the number
 * of valid ones of each length is known. */
static void
test_all_sequences(void)
{
    uint32_t v, two = 0, three = 0;
    char s[4];

    for (v = 0; v < 1u << 24; v++) {
        s[0] = (char) (v >> 16);
        s[1] = (char) (v >> 8);
        s[2] = (char) v;
        three += utf8_next(s, 3) == 3;
        two += (v & 0xff) == 0 && utf8_next(s, 2) == 2;
    }
    is_int(two, 0x800 - 0x80, "as many 2-byte characters as there are");
    is_int(three, 0x10000 - 0x800 - 0x800,
           "as many 3-byte characters as there are");
}

static void
test_span(void)
{
    static const struct {
        const char *text;
        size_t len, span;
    } rows[] = {
        { "", 0, 0 },
        { "plain", 5, 5 },
        { "a\0b", 3, 3 },
        { "gr\xc3\xbc\xc3\x9f" "e", 7, 7 },
        { "\xe2\x82\xac", 3, 3 },
        { "\xf0\x9f\x98\x80", 4, 4 },
        { "exactly8\xff", 9, 8 },
        { "0123456789abcde\xc3", 16, 15 },
        { "\xc0\x80", 2, 0 },                     /* overlong NUL */
        { "\xe0\x80\xaf", 3, 0 },                 /* overlong slash */
        { "ab\xed\xa0\x80", 5, 2 },               /* surrogate */
        { "ab\xf4\x90\x80\x80", 6, 2 },           /* past the end */
        { "\xf5\x80\x80\x80", 4, 0 },
        { "\x80", 1, 0 },
        { "\xfe\xff", 2, 0 },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *copy = malloc(rows[i].len + (rows[i].len == 0));

        memcpy(copy, rows[i].text, rows[i].len);
        is_int(utf8_span(copy, rows[i].len), rows[i].span, "span of row %zu",
               i);
        ok(utf8_valid(copy, rows[i].len) == (rows[i].span == rows[i].len),
           "validity of row %zu", i);
        free(copy);
    }
}

int
main(void)
{
    test_code_points();
    test_all_sequences();
    test_span();

    return done_testing();
}
