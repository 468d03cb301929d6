/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool's folder: which segments lie in it, made, opened and removed by
 * name. A segment is named by the index of its first record, in hex.
 *
 *     0000000000000000.seg  0000000000001f40.seg  ...  position  lock
 *     0000000000000fa0.corrupt      kept for a look until room is needed
 */
#ifndef INTENT_DELIVER_SPOOL_FOLDER_H
#define INTENT_DELIVER_SPOOL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spool_segment.h"

struct spool_segment {
    uint64_t first;                /* index of its first record */
    uint64_t bytes;                /* on disk */
    uint64_t boot;                 /* of its header, where that is sound */
    bool sound, damaged;
};

struct spool_folder {
    int dir, lock;
    char *path;
    uint64_t id;                   /* of the spool; 0: no sound header */
    size_t n, room;
    struct spool_segment *segments;    /* oldest first */
    uint64_t bytes;                /* of all files, corrupt ones too */
    uint64_t corrupt;              /* bytes of *.corrupt */
    uint64_t set_aside;            /* segments renamed so far */
};

/* Makes the folder and its parents where they are missing, locks it, lists
 * it. `id` and `read` are the position's, id 0 where there is none. Segments
 * of another spool, and unsound ones whose name makes no sense beside the
 * others, are set aside at once. -EBUSY when it is locked, or -errno. */
int spool_folder_open(struct spool_folder *folder, const char *path);
int spool_folder_list(struct spool_folder *folder, uint64_t id,
                      uint64_t read);
void spool_folder_close(struct spool_folder *folder);

/* Whether the folder is still the one at its path. */
bool spool_folder_here(const struct spool_folder *folder);

/* Makes the newest segment and writes its header: the descriptor to append
 * with, or -errno. Replaces a segment that began at the same index, which
 * then holds nothing that counts. */
int spool_folder_add(struct spool_folder *folder,
                     const struct segment_header *header, bool sync);

/* Opens a segment: descriptor or -errno. */
int spool_folder_open_segment(const struct spool_folder *folder, size_t i,
                              bool write);

/* Removes the oldest segment, or sets it aside if it is damaged. */
int spool_folder_remove_first(struct spool_folder *folder);

/* Removes a file that was set aside: 0, -ENOENT, -errno. */
int spool_folder_free_corrupt(struct spool_folder *folder);

#endif
