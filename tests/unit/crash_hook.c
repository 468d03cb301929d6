/* SPDX-License-Identifier: Apache-2.0
 *
 * The hook of the crash points for tests that do not bring their own; weak,
 * so that a test's definition wins.
 */
#include <stddef.h>

extern void (*intent_crash_hook)(const char *point);

__attribute__((weak)) void (*intent_crash_hook)(const char *point) = NULL;
