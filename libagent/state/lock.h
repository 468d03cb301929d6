/* SPDX-License-Identifier: Apache-2.0
 *
 * Locks in shared memory that survive the death of their owner. The word
 * names the owner: pid in the high half, low 32 bits of its start time (clock
 * ticks since boot, against reuse of the pid) in the low half; 0 is free.
 *
 * Processes that share a zone must share a pid namespace.
 */
#ifndef INTENT_STATE_LOCK_H
#define INTENT_STATE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "layout.h"

/* The word of a process: of this one, or (for hand-over) of another; 0 when
 * it does not exist. Reads /proc: call once per process, after fork. */
uint64_t owner_self(void);
uint64_t owner_of(pid_t pid);

/* Whether the process that the word names lives. Unknown counts as alive. */
bool owner_alive(uint64_t word);

static inline pid_t
owner_pid(uint64_t word)
{
    return (pid_t) (word >> 32);
}

enum lock_result {
    LOCK_BUSY,                     /* not within wait_us */
    LOCK_TAKEN,
    LOCK_RECOVERED                 /* taken from a dead owner: repair first */
};

/* Takes the lock, waiting at most about wait_us microseconds (0: one try and,
 * if the owner is dead, recovery). A dead owner is noticed within about 50 us
 * of waiting. Reads the clock only when it has to wait. */
enum lock_result lock_take(struct owner_word *lock, uint64_t self,
                           unsigned wait_us);
void lock_drop(struct owner_word *lock);

#endif
