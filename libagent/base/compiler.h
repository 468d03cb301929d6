/* SPDX-License-Identifier: Apache-2.0
 *
 * What one compiler knows and another may not.
 */
#ifndef INTENT_BASE_COMPILER_H
#define INTENT_BASE_COMPILER_H

/* For large arrays on the request path that are written before they are read:
 * hardened builds (-ftrivial-auto-var-init=zero) would clear all of them at
 * every call, which costs more than what is done with them. */
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#else
#define UNINITIALIZED
#endif

#endif
