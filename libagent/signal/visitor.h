/* SPDX-License-Identifier: Apache-2.0
 *
 * The visitor cookie: intent_keys_*(), intent_cookie_sign() and
 * intent_cookie_verify() of intent.h live in visitor.c. The value is
 *
 *     v1.PAYLOAD.MAC
 *
 * both base64url without padding. PAYLOAD: 16 bytes of id, 8 bytes of the time
 * of issue (ms, big-endian), 1 byte of flags (0, reserved). MAC: the first 16
 * bytes of HMAC-SHA-256 over "v1.PAYLOAD" as text, under a key derived from
 * the one in the file by HMAC with a label, so that the file's keys can serve
 * other purposes one day without their tags being worth anything here.
 *
 * The MAC is compared as text, so nothing that a client sent is decoded
 * before it has proved to be ours, and each cookie has one spelling only.
 * 16 bytes: a forger would need 2^127 requests.
 */
#ifndef INTENT_SIGNAL_VISITOR_H
#define INTENT_SIGNAL_VISITOR_H

#include "../intent.h"

enum {
    VISITOR_MAX_KEYS = 16,         /* a forged cookie is tried with each */
    VISITOR_PAYLOAD = 25,          /* bytes */
    VISITOR_MAC = 16,
    VISITOR_PAYLOAD_TEXT = 34,     /* base64url digits */
    VISITOR_MAC_TEXT = 22,
    VISITOR_COOKIE = 3 + VISITOR_PAYLOAD_TEXT + 1 + VISITOR_MAC_TEXT
};

#endif
