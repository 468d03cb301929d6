/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/base/error.h"

#include "../../libagent/base/utf8.h"
#include "tap.h"

static void
test_set(void)
{
    struct intent_error err = { .line = 7, .column = 8 };

    error_set(&err, "no %s for %d", "room", 3);
    is_str(err.text, "no room for 3", "text");
    is_int(err.line, 0, "no line");
    is_int(err.column, 0, "no column");

    error_at(&err, "a.json", 3, 14, "zone: %s", "missing");
    is_str(err.text, "a.json:3:14: zone: missing", "text with a position");
    is_int(err.line, 3, "line");
    is_int(err.column, 14, "column");

    error_at(&err, "a.json", 0, 0, "is a directory");
    is_str(err.text, "a.json: is a directory", "text with a file alone");

    error_set(NULL, "nobody asks");
    error_at(NULL, "a.json", 1, 1, "nobody asks");
    ok(true, "no error to fill");
}

/* 512 bytes never cut a character in two, at whatever place they end. */
static void
test_cut(void)
{
    struct intent_error err;
    char filler[600], want[16];
    int shift, bad = 0;
    size_t len;

    for (shift = 0; shift < 4; shift++) {
        memset(filler, 'x', sizeof(filler));
        for (len = 500 + (size_t) shift; len + 4 < sizeof(filler); len += 4) {
            memcpy(filler + len, "\xf0\x9f\x98\x80", 4);
        }
        filler[len] = '\0';
        error_set(&err, "%s", filler);
        len = strlen(err.text);
        memcpy(want, err.text + len - 3, 4);
        bad += strcmp(want, "...") != 0 || !utf8_valid(err.text, len)
               || len < sizeof(err.text) - 5;
    }
    is_int(bad, 0, "a long text ends in ... at a character's boundary");

    memset(filler, 'd', sizeof(filler));
    memcpy(filler + sizeof(filler) - 6, "/file", 6);
    error_at(&err, filler, 12, 34, "what to do");
    ok(strncmp(err.text, "...ddd", 6) == 0, "a long file name loses its start");
    ok(strstr(err.text, "ddd/file:12:34: what to do") != NULL,
       "and nothing else is lost");
}

static void
test_show(void)
{
    static const struct {
        const char *text;
        size_t len;
        const char *shown;
    } rows[] = {
        { "", 0, "" },
        { "plain text", 10, "plain text" },
        { "caf\xc3\xa9", 5, "caf\xc3\xa9" },
        { "a\nb\x1b[31m", 8, "a\\x0ab\\x1b[31m" },
        { "a\0b\x7f", 4, "a\\x00b\\x7f" },
        { "\xff\xc3", 2, "\\xff\\xc3" },
        { "\xc2\x9b" "31m", 5, "\\xc2\\x9b31m" },
    };
    char buf[ERROR_SHOW], text[200];
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_str(error_show(buf, rows[i].text, rows[i].len), rows[i].shown,
               "row %zu as shown", i);
    }

    memset(text, 'y', sizeof(text));
    is_int(strlen(error_show(buf, text, 68)), 68, "what fits is whole");
    error_show(buf, text, sizeof(text));
    is_int(strlen(buf), ERROR_SHOW - 1, "a long text is cut");
    ok(strcmp(buf + 65, "yyy...") == 0, "and says so");

    memset(text, 0x1b, sizeof(text));
    ok(strlen(error_show(buf, text, sizeof(text))) < ERROR_SHOW,
       "escapes do not run over");
    for (i = 0; i + 4 <= sizeof(text); i += 4) {
        memcpy(text + i, "\xf0\x9f\x98\x80", 4);
    }
    error_show(buf, text, sizeof(text));
    ok(utf8_valid(buf, strlen(buf)), "characters are not cut in two");
}

int
main(void)
{
    test_set();
    test_cut();
    test_show();

    return done_testing();
}
