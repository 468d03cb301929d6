/* SPDX-License-Identifier: Apache-2.0
 *
 * The atomic operations that the zone uses, by Concurrency Kit; under
 * ThreadSanitizer, which cannot see into ck's assembly, by the compiler, so
 * that our protocols, not ck's instructions, are what is checked.
 *
 * atomic_release() publishes: all earlier loads and stores happen before it.
 * atomic_acquire() receives: all later ones happen after it.
 */
#ifndef INTENT_BASE_ATOMIC_H
#define INTENT_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__SANITIZE_THREAD__)
#define ATOMIC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ATOMIC_TSAN 1
#endif
#endif

#ifdef ATOMIC_TSAN

static inline uint64_t
atomic_load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void
atomic_store(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline uint64_t
atomic_acquire(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void
atomic_release(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline bool
atomic_cas(uint64_t *p, uint64_t expected, uint64_t v)
{
    return __atomic_compare_exchange_n(p, &expected, v, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static inline void
atomic_add(uint64_t *p, uint64_t v)
{
    __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}

/* The sanitizer does not know fences: what they order is atomic anyway. */
static inline void
atomic_fence_load(void)
{
    __asm__ __volatile__("" ::: "memory");
}

static inline void
atomic_fence_store(void)
{
    __asm__ __volatile__("" ::: "memory");
}

static inline void
atomic_pause(void)
{
}

#else

#include <ck_pr.h>

static inline uint64_t
atomic_load(const uint64_t *p)
{
    return ck_pr_load_64(p);
}

static inline void
atomic_store(uint64_t *p, uint64_t v)
{
    ck_pr_store_64(p, v);
}

static inline uint64_t
atomic_acquire(const uint64_t *p)
{
    uint64_t v;

    v = ck_pr_load_64(p);
    ck_pr_fence_acquire();

    return v;
}

static inline void
atomic_release(uint64_t *p, uint64_t v)
{
    ck_pr_fence_release();
    ck_pr_store_64(p, v);
}

static inline bool
atomic_cas(uint64_t *p, uint64_t expected, uint64_t v)
{
    bool won;

    won = ck_pr_cas_64(p, expected, v);
    ck_pr_fence_acquire();

    return won;
}

static inline void
atomic_add(uint64_t *p, uint64_t v)
{
    ck_pr_add_64(p, v);
}

/* Loads before it are done before loads after it. */
static inline void
atomic_fence_load(void)
{
    ck_pr_fence_load();
}

/* Stores before it are seen before stores after it. */
static inline void
atomic_fence_store(void)
{
    ck_pr_fence_store();
}

static inline void
atomic_pause(void)
{
    ck_pr_stall();
}

#endif

/* Keeps the compiler from moving memory accesses across: enough between
 * stores that only a crash, not another processor, may separate. */
#define atomic_order() __asm__ __volatile__("" ::: "memory")

#endif
