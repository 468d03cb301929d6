/* SPDX-License-Identifier: Apache-2.0
 *
 * The popularity section below categories: geometry, slots and their locks.
 * For popularity.c alone; popularity.h has the format and the rules. `slot`
 * arguments are at most p->categories.
 */
#ifndef INTENT_DECIDE_POPULARITY_SECTION_H
#define INTENT_DECIDE_POPULARITY_SECTION_H

#include "popularity.h"

/* Times beyond are refused: differences then never overflow. */
#define POPULARITY_MAX_TIME (1ll << 52)

struct slot {
    uint32_t name_len;
    uint32_t reserved;
    char name[INTENT_MAX_ITEM];
    uint64_t list[];               /* a toplist */
};

struct slot *section_slot(const struct popularity *p, uint32_t slot);
void section_view(const struct popularity *p, uint32_t slot,
                  struct toplist *list);

/* What the directory knows a category by; never 0. */
uint64_t section_hash(const char *name, size_t len);

/* Takes the lock of a slot, repairing what a dead owner left. -EBUSY; -EIO:
 * there is no geometry; -ESTALE: it was another and has just been adopted,
 * begin again. */
int section_enter(struct popularity *p, uint64_t self, uint32_t slot,
                  unsigned wait_us);
void section_leave(struct popularity *p, uint32_t slot);

/* Both under the slot's lock: whether it is the category's; and giving it,
 * emptied, to a category. */
bool section_is_named(const struct popularity *p, uint32_t slot,
                      const char *name, size_t len);
void section_rename(struct popularity *p, uint32_t slot, uint64_t hash,
                    const char *name, size_t len);

#endif
