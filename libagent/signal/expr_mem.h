/* SPDX-License-Identifier: Apache-2.0
 *
 * All memory of the expression engine comes from here and from nowhere else,
 * and only while an expression is compiled: the syntax tree lives in an arena
 * that is dropped at the end, the compiled form is one block.
 */
#ifndef INTENT_SIGNAL_EXPR_MEM_H
#define INTENT_SIGNAL_EXPR_MEM_H

#include <stddef.h>

struct expr_chunk;

/* All zero is an empty arena. */
struct expr_arena {
    struct expr_chunk *chunks;
    char *at;
    size_t left;
};

/* Zeroed memory, aligned for anything; NULL when memory is out. */
void *expr_arena_alloc(struct expr_arena *arena, size_t size);
void expr_arena_free(struct expr_arena *arena);

/* A zeroed block; NULL when memory is out. */
void *expr_block_alloc(size_t size);
void expr_block_free(void *block);

#endif
