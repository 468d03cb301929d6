/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

static bool
is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t
utf8_next(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *) s;

    if (len == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] < 0xc2 || len < 2 || !is_tail(p[1])) {
        return 0;                  /* a tail, or an overlong form */
    }
    if (p[0] < 0xe0) {
        return 2;
    }
    if (len < 3 || !is_tail(p[2])) {
        return 0;
    }
    if (p[0] < 0xf0) {
        return (p[0] == 0xe0 && p[1] < 0xa0)       /* overlong */
               || (p[0] == 0xed && p[1] >= 0xa0)   /* surrogate */
               ? 0 : 3;
    }
    if (len < 4 || !is_tail(p[3]) || p[0] > 0xf4) {
        return 0;
    }

    return (p[0] == 0xf0 && p[1] < 0x90)           /* overlong */
           || (p[0] == 0xf4 && p[1] >= 0x90)       /* past U+10FFFF */
           ? 0 : 4;
}

size_t
utf8_span(const char *s, size_t len)
{
    size_t i = 0, n;
    uint64_t word;

    while (i < len) {
        if (len - i >= sizeof(word)) {
            memcpy(&word, s + i, sizeof(word));
            if ((word & 0x8080808080808080u) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        n = utf8_next(s + i, len - i);
        if (n == 0) {
            return i;
        }
        i += n;
    }

    return len;
}
