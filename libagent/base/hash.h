/* SPDX-License-Identifier: Apache-2.0
 *
 * Keyed hashing: SipHash-2-4 with 128-bit output (Aumasson and Bernstein,
 * 2012). Keys of users are stored and spread under a key that is random per
 * zone, so nobody outside can make them collide.
 */
#ifndef INTENT_BASE_HASH_H
#define INTENT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

void hash_128(const uint64_t key[static 2], const void *data, size_t len,
              uint64_t out[static 2]);

/* The first half of hash_128(). */
uint64_t hash_64(const uint64_t key[static 2], const void *data, size_t len);

/* Fixed-key hash_64() for names and definitions, not for users' input. */
uint64_t hash_name(const void *data, size_t len);

/* A fast checksum against accidents, not against people. */
uint64_t hash_check(uint64_t seed, const void *data, size_t len);

#endif
