/* SPDX-License-Identifier: Apache-2.0
 *
 * Crash points: places inside critical sections where the crash tests kill
 * the process. Compiled in only with -DINTENT_CRASH_POINTS; otherwise nothing.
 */
#ifndef INTENT_BASE_CRASH_H
#define INTENT_BASE_CRASH_H

#ifdef INTENT_CRASH_POINTS

#include <stddef.h>

/* Provided by the test; called with the point's name on every pass. */
extern void (*intent_crash_hook)(const char *point);

#define CRASH_POINT(name)                                                     \
    do {                                                                      \
        if (intent_crash_hook != NULL) {                                      \
            intent_crash_hook(name);                                          \
        }                                                                     \
    } while (0)

#else

#define CRASH_POINT(name) ((void) 0)

#endif

#endif
