/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* Of the file's name; the rest of the text needs the room more. */
enum { MAX_FILE = 160 };

/* Ends a text that was cut by vsnprintf() visibly, with no half character. */
static void
mark_cut(char *text, size_t size)
{
    size_t end = size - sizeof("...");

    while (end > 0 && ((unsigned char) text[end] & 0xc0) == 0x80) {
        end--;
    }
    memcpy(text + end, "...", sizeof("..."));
}

/* After a vsnprintf() to text + at that returned n. */
static void
finish(struct intent_error *err, size_t at, int n)
{
    if (n < 0) {
        err->text[at] = '\0';
    } else if ((size_t) n >= sizeof(err->text) - at) {
        mark_cut(err->text, sizeof(err->text));
    }
}

void
error_set(struct intent_error *err, const char *format, ...)
{
    va_list args;
    int n;

    if (err == NULL) {
        return;
    }

    err->line = 0;
    err->column = 0;
    va_start(args, format);
    n = vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    finish(err, 0, n);
}

/* "file:line:column: " or "file: "; its length. */
static size_t
start(struct intent_error *err, const char *file)
{
    size_t len = strlen(file);
    const char *cut = "";
    int n;

    if (len > MAX_FILE) {
        file += len - MAX_FILE;
        while (((unsigned char) *file & 0xc0) == 0x80) {
            file++;
        }
        cut = "...";
    }

    if (err->line > 0) {
        n = snprintf(err->text, sizeof(err->text), "%s%s:%d:%d: ", cut, file,
                     err->line, err->column);
    } else {
        n = snprintf(err->text, sizeof(err->text), "%s%s: ", cut, file);
    }

    return n < 0 ? 0 : (size_t) n;
}

void
error_at(struct intent_error *err, const char *file, int line, int column,
         const char *format, ...)
{
    va_list args;
    size_t at;
    int n;

    if (err == NULL) {
        return;
    }

    err->line = line;
    err->column = column;
    at = start(err, file);
    va_start(args, format);
    n = vsnprintf(err->text + at, sizeof(err->text) - at, format, args);
    va_end(args);
    finish(err, at, n);
}

const char *
error_show(char buf[static ERROR_SHOW], const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const size_t room = ERROR_SHOW - sizeof("...");
    size_t i = 0, at = 0, n;

    while (i < len) {
        unsigned char c = (unsigned char) text[i];

        n = utf8_next(text + i, len - i);
        /* C1 controls (c2 80..9f) steer terminals as ESC does. */
        if (c < 0x20 || c == 0x7f || n == 0
            || (c == 0xc2 && (unsigned char) text[i + 1] < 0xa0))
        {
            if (at + 4 > room) {
                break;
            }
            buf[at++] = '\\';
            buf[at++] = 'x';
            buf[at++] = hex[c >> 4];
            buf[at++] = hex[c & 15];
            i++;
            continue;
        }
        if (at + n > room) {
            break;
        }
        memcpy(buf + at, text + i, n);
        at += n;
        i += n;
    }

    memcpy(buf + at, i < len ? "..." : "", i < len ? 4 : 1);

    return buf;
}
