/* SPDX-License-Identifier: Apache-2.0
 *
 * intentd's log: one line per message on stderr, bounded per kind of message
 * whatever happens.
 */
#ifndef INTENT_CMD_LOG_H
#define INTENT_CMD_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4,
                 LOG_LEVEL_NOTICE = 5 };

enum {
    LOG_KINDS = 32,
    LOG_BURST = 5,                 /* lines of a kind at once ... */
    LOG_EVERY_MS = 60000           /* ... then one in this time, which says how
                                      many were left out */
};

/* Writes "TIME intentd: LEVEL: TEXT". Kinds are the caller's numbers, below
 * LOG_KINDS; a kind of -1 is never held back. */
__attribute__((format(printf, 3, 4)))
void log_line(int kind, enum log_level level, const char *format, ...);

#endif
