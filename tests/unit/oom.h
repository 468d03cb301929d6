/* SPDX-License-Identifier: Apache-2.0
 *
 * Lets the n-th allocation of the process fail, libraries' included. Include
 * in one file of a test; leaks are for the sanitizer or valgrind to find.
 *
 * Left alone are allocations of libjansson whose size is a power of two from
 * 32 on: its token buffer grows so, and ignores that it could not, which
 * ends in a wrong token or outside of the buffer.
 */
#ifndef INTENT_OOM_H
#define INTENT_OOM_H

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE first: RTLD_NEXT"
#endif

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define OOM_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define OOM_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OOM_ASAN 1
#elif __has_feature(thread_sanitizer)
#define OOM_TSAN 1
#endif
#endif

/* Allocations until one fails; 0: never. volatile: to the compiler malloc()
 * reads nothing. */
static volatile long oom_left;
static volatile bool oom_hit;      /* it did */

/* From here on the n-th fails, and no other; 0 ends it, and oom_hit tells. */
static void
oom_at(long n)
{
    oom_left = n;
    oom_hit = n == 0 && oom_hit;
}

__attribute__((unused))
static bool
oom_now(size_t size, const void *caller)
{
    extern const char __executable_start[], etext[];
    const char *at = caller;
    bool ours = at >= __executable_start && at < etext;

    if (oom_left == 0
        || (!ours && size >= 32 && (size & (size - 1)) == 0))
    {
        return false;
    }
    if (--oom_left > 0) {
        return false;
    }
    oom_hit = true;
    errno = ENOMEM;

    return true;
}

#ifndef OOM_TSAN                   /* it allocates before it can be called */

#ifdef OOM_ASAN

void *__interceptor_malloc(size_t size);
void *__interceptor_calloc(size_t n, size_t size);
void *__interceptor_realloc(void *p, size_t size);

#define OOM_REAL(name) __interceptor_##name

#else

/* dlsym() itself may allocate, once, before it has answered. */
static char oom_early[4096];
static size_t oom_early_used;

static void *
oom_next(const char *name)
{
    static bool asking;
    void *found;

    if (asking) {
        return NULL;
    }
    asking = true;
    found = dlsym(RTLD_NEXT, name);
    asking = false;

    return found;
}

static void *
oom_bump(size_t size)
{
    char *at = oom_early + oom_early_used;

    size = (size + 15) / 16 * 16;
    if (size > sizeof(oom_early) - oom_early_used) {
        abort();
    }
    oom_early_used += size;

    return at;
}

static void *
oom_real_malloc(size_t size)
{
    static void *(*real)(size_t);

    if (real == NULL) {
        *(void **) &real = oom_next("malloc");
    }

    return real == NULL ? oom_bump(size) : real(size);
}

static void *
oom_real_calloc(size_t n, size_t size)
{
    static void *(*real)(size_t, size_t);

    if (real == NULL) {
        *(void **) &real = oom_next("calloc");
    }

    return real == NULL ? oom_bump(n * size) : real(n, size);
}

static void *
oom_real_realloc(void *p, size_t size)
{
    static void *(*real)(void *, size_t);

    if (real == NULL) {
        *(void **) &real = oom_next("realloc");
    }

    return real == NULL ? NULL : real(p, size);
}

#define OOM_REAL(name) oom_real_##name

#endif

void *
malloc(size_t size)
{
    return oom_now(size, __builtin_return_address(0))
           ? NULL : OOM_REAL(malloc)(size);
}

void *
calloc(size_t n, size_t size)
{
    return oom_now(n * size, __builtin_return_address(0))
           ? NULL : OOM_REAL(calloc)(n, size);
}

void *
realloc(void *p, size_t size)
{
    return oom_now(size, __builtin_return_address(0))
           ? NULL : OOM_REAL(realloc)(p, size);
}

#endif

/* Whether all this has any effect: valgrind brings its own malloc(), and
 * ThreadSanitizer is left its own. */
static bool
oom_works(void)
{
    void *volatile p;

    oom_at(1);
    p = malloc(1);
    oom_at(0);
    free(p);

    return p == NULL;
}

#endif
