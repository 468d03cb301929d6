/* SPDX-License-Identifier: Apache-2.0
 *
 * intent_answer_json(), intent_answer_signals() and intent_items_header() of
 * intent.h live in render.c. Beyond what is said there:
 *
 * - Intent-Signals: a feature's name is its key, in lower case; one that then
 *   is no key of RFC 9651 (it begins with '_', say) is left out, as are
 *   numbers of more digits than the RFC has (15, or 12 before a point),
 *   infinities, NaN, maps, lists in lists, and strings that are not UTF-8.
 * - Strings that are not printable ASCII, in both headers, become Display
 *   Strings: %"caf%c3%a9". No byte of a visitor reaches a header raw.
 * - An answer that is not one of the config is refused with -EINVAL.
 */
#ifndef INTENT_DECIDE_RENDER_H
#define INTENT_DECIDE_RENDER_H

#include "../intent.h"

#endif
