/* SPDX-License-Identifier: Apache-2.0 */
#include "expr_mem.h"

#include <stdalign.h>
#include <stdlib.h>

/* A typical expression compiles within one chunk. A test sets 1, so that each
 * allocation is a call of its own that can fail. */
#ifndef EXPR_CHUNK_SIZE
#define EXPR_CHUNK_SIZE 8192
#endif

struct expr_chunk {
    struct expr_chunk *next;
    alignas(max_align_t) char data[];
};

void *
expr_arena_alloc(struct expr_arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct expr_chunk *chunk;
    void *p;

    size = size == 0 ? align : (size + align - 1) / align * align;
    if (size > arena->left) {
        size_t room = size > EXPR_CHUNK_SIZE ? size : EXPR_CHUNK_SIZE;

        chunk = calloc(1, sizeof(*chunk) + room);
        if (chunk == NULL) {
            return NULL;
        }
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        arena->at = chunk->data;
        arena->left = room;
    }

    p = arena->at;
    arena->at += size;
    arena->left -= size;
    return p;
}

void
expr_arena_free(struct expr_arena *arena)
{
    while (arena->chunks != NULL) {
        struct expr_chunk *next = arena->chunks->next;

        free(arena->chunks);
        arena->chunks = next;
    }
    arena->at = NULL;
    arena->left = 0;
}

void *
expr_block_alloc(size_t size)
{
    return calloc(1, size);
}

void
expr_block_free(void *block)
{
    free(block);
}
