/* SPDX-License-Identifier: Apache-2.0
 *
 * Times, durations and sizes as users write them. The whole text must match;
 * nothing depends on the locale or the machine's time zone. All return 0, or
 * -EINVAL for what is not of the form, -ERANGE for what is too large for the
 * result; *out is then unchanged.
 */
#ifndef INTENT_BASE_TIMEPARSE_H
#define INTENT_BASE_TIMEPARSE_H

#include <stddef.h>
#include <stdint.h>

/* The years 0000 to 9999, which is what RFC 3339 can say. Within, adding or
 * subtracting a window cannot overflow. */
#define TIME_MIN_MS (-62167219200000LL)
#define TIME_MAX_MS 253402300799999LL

/* RFC 3339 to ms since 1970 UTC: "2026-03-01T12:00:00Z", "T" and "Z" in either
 * case, any fraction (truncated to ms), any offset. A leap second (:60) is
 * taken at 23:59 UTC on the last day of a month, the only place where there
 * can be one, and read as the second after it, as POSIX counts. */
int time_rfc3339(const char *text, size_t len, int64_t *ms);

/* One number and one unit: ms, s, m, h or d. To ms. */
int time_duration(const char *text, size_t len, int64_t *ms);

/* Bytes, or a number with k, m or g (either case; of 1024), as nginx has. */
int time_size(const char *text, size_t len, uint64_t *bytes);

#endif
