/* SPDX-License-Identifier: Apache-2.0 */
#include "hash.h"

#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotl(uint64_t x, int b)
{
    return (x << b) | (x >> (64 - b));
}

static inline uint64_t
load_le(const unsigned char *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

static inline void
sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static inline void
sip_word(struct sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    sip_round(s);
    s->v0 ^= m;
}

static uint64_t
sip_finish(struct sip *s)
{
    sip_round(s);
    sip_round(s);
    sip_round(s);
    sip_round(s);

    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

void
hash_128(const uint64_t key[static 2], const void *data, size_t len,
         uint64_t out[static 2])
{
    const unsigned char *p = data;
    struct sip s = {
        key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull,
        key[0] ^ 0x6c7967656e657261ull, key[1] ^ 0x7465646279746573ull
    };
    unsigned char tail[8] = { 0 };
    size_t left;

    s.v1 ^= 0xee;

    for (left = len; left >= 8; left -= 8, p += 8) {
        sip_word(&s, load_le(p));
    }

    if (left != 0) {
        memcpy(tail, p, left);
    }
    tail[7] = (unsigned char) len;
    sip_word(&s, load_le(tail));

    s.v2 ^= 0xee;
    out[0] = sip_finish(&s);
    s.v1 ^= 0xdd;
    out[1] = sip_finish(&s);
}

uint64_t
hash_64(const uint64_t key[static 2], const void *data, size_t len)
{
    uint64_t out[2];

    hash_128(key, data, len, out);

    return out[0];
}

uint64_t
hash_name(const void *data, size_t len)
{
    static const uint64_t key[2] = {
        0x696e74656e740001ull, 0x6e616d6573000001ull
    };

    return hash_64(key, data, len);
}

uint64_t
hash_check(uint64_t seed, const void *data, size_t len)
{
    /* An odd 64-bit constant with well spread bits (the golden ratio). */
    const uint64_t k = 0x9e3779b97f4a7c15ull;
    const unsigned char *p = data;
    unsigned char tail[8] = { 0 };
    uint64_t h = (seed ^ len) * k;

    for (/* void */; len >= 8; len -= 8, p += 8) {
        h = (h ^ load_le(p)) * k;
        h ^= h >> 29;
    }

    if (len != 0) {
        memcpy(tail, p, len);
        h = (h ^ load_le(tail)) * k;
    }

    h ^= h >> 32;

    return h * k;
}
