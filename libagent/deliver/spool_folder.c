/* SPDX-License-Identifier: Apache-2.0 */
#include "spool_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = 32, HEX = 16 };

static void
name_of(uint64_t first, const char *suffix, char name[static NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%016" PRIx64 ".%s", first, suffix);
}

/* Whether `name` is 16 lower-case hex digits, a dot and the suffix. */
static bool
name_is(const char *name, const char *suffix, uint64_t *first)
{
    if (strspn(name, "0123456789abcdef") != HEX || name[HEX] != '.'
        || strcmp(name + HEX + 1, suffix) != 0)
    {
        return false;
    }
    *first = strtoull(name, NULL, 16);

    return true;
}

/* mkdir -p. What cannot be made shows when the folder is opened. */
static void
make_parents(const char *path)
{
    char part[4096];
    size_t i;

    for (i = 0; i < sizeof(part) - 1 && path[i] != '\0'; i++) {
        if (i > 0 && path[i] == '/') {
            part[i] = '\0';
            (void) mkdir(part, 0755);
        }
        part[i] = path[i];
    }
}

int
spool_folder_open(struct spool_folder *folder, const char *path)
{
    int rc;

    *folder = (struct spool_folder) { .dir = -1, .lock = -1 };

    folder->path = strdup(path);
    if (folder->path == NULL) {
        return -ENOMEM;
    }

    make_parents(path);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        rc = -errno;
        goto fail;
    }

    folder->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->dir < 0) {
        rc = -errno;
        goto fail;
    }

    folder->lock = openat(folder->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC,
                          0600);
    if (folder->lock < 0) {
        rc = -errno;
        goto fail;
    }

    if (flock(folder->lock, LOCK_EX | LOCK_NB) != 0) {
        rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
        goto fail;
    }

    return 0;

fail:

    spool_folder_close(folder);

    return rc;
}

void
spool_folder_close(struct spool_folder *folder)
{
    if (folder->lock >= 0) {
        close(folder->lock);
    }
    if (folder->dir >= 0) {
        close(folder->dir);
    }
    free(folder->segments);
    free(folder->path);
    *folder = (struct spool_folder) { .dir = -1, .lock = -1 };
}

bool
spool_folder_here(const struct spool_folder *folder)
{
    struct stat ours, there;

    return fstat(folder->dir, &ours) == 0 && stat(folder->path, &there) == 0
           && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/* --- listing ------------------------------------------------------------ */

static int
append(struct spool_folder *folder, const struct spool_segment *segment)
{
    size_t room = folder->room == 0 ? 64 : folder->room * 2;
    struct spool_segment *more;

    if (folder->n == folder->room) {
        more = realloc(folder->segments, room * sizeof(*more));
        if (more == NULL) {
            return -ENOMEM;
        }
        folder->segments = more;
        folder->room = room;
    }
    folder->segments[folder->n++] = *segment;

    return 0;
}

static int
by_first(const void *a, const void *b)
{
    uint64_t left = ((const struct spool_segment *) a)->first;
    uint64_t right = ((const struct spool_segment *) b)->first;

    return (left > right) - (left < right);
}

static int
set_aside(struct spool_folder *folder, const struct spool_segment *segment)
{
    char from[NAME_SIZE], to[NAME_SIZE];

    name_of(segment->first, "seg", from);
    name_of(segment->first, "corrupt", to);

    if (renameat(folder->dir, from, folder->dir, to) != 0 && errno != ENOENT) {
        return -errno;
    }
    folder->corrupt += segment->bytes;
    folder->set_aside++;

    return 0;
}

/* Reads the header of each segment; one that names another spool is no better
 * than an unsound one. The first sound one names the spool where the position
 * could not. */
static void
read_headers(struct spool_folder *folder)
{
    struct spool_segment *segment;
    struct segment_header header;
    size_t i;
    int fd;

    for (i = 0; i < folder->n; i++) {
        segment = &folder->segments[i];
        fd = spool_folder_open_segment(folder, i, false);
        if (fd < 0) {
            continue;
        }
        if (pread(fd, &header, sizeof(header), 0) == sizeof(header)
            && segment_header_valid(&header)
            && header.first == segment->first)
        {
            folder->id = folder->id == 0 ? header.spool_id : folder->id;
            segment->sound = header.spool_id == folder->id;
            segment->boot = header.boot;
        }
        close(fd);
    }
}

/* Whether a segment can hold the records first..index. */
static bool
reaches(const struct spool_segment *segment, uint64_t index)
{
    return index >= segment->first
           && index - segment->first
              <= segment->bytes / sizeof(struct segment_record);
}

/* A segment without a sound header may still hold sound records. Its name is
 * believed where it fits the position, or a neighbour that is sound. */
static bool
plausible(const struct spool_folder *folder, size_t i, uint64_t id,
          uint64_t read)
{
    const struct spool_segment *segment = &folder->segments[i];

    if (segment->sound) {
        return true;
    }

    return (id != 0 && reaches(segment, read))
           || (i > 0 && segment[-1].sound
               && reaches(&segment[-1], segment->first))
           || (i + 1 < folder->n && segment[1].sound
               && reaches(segment, segment[1].first));
}

static int
scan(struct spool_folder *folder)
{
    struct spool_segment segment = { .first = 0 };
    struct dirent *entry;
    struct stat st;
    DIR *dir;
    int fd, rc = 0;

    fd = openat(folder->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        rc = -errno;
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }

    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        if (fstatat(folder->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0
            || !S_ISREG(st.st_mode))
        {
            continue;
        }
        segment.bytes = (uint64_t) st.st_size;
        if (name_is(entry->d_name, "seg", &segment.first)) {
            folder->bytes += segment.bytes;
            rc = append(folder, &segment);
        } else if (name_is(entry->d_name, "corrupt", &segment.first)) {
            folder->bytes += segment.bytes;
            folder->corrupt += segment.bytes;
        }
    }
    closedir(dir);

    return rc;
}

int
spool_folder_list(struct spool_folder *folder, uint64_t id, uint64_t read)
{
    size_t i, kept = 0;
    bool *keep = NULL;
    int rc;

    rc = scan(folder);
    if (rc != 0 || folder->n == 0) {
        folder->id = id;
        return rc;
    }

    qsort(folder->segments, folder->n, sizeof(folder->segments[0]), by_first);
    folder->id = id;
    read_headers(folder);

    keep = malloc(folder->n);
    if (keep == NULL) {
        return -ENOMEM;
    }
    for (i = 0; i < folder->n; i++) {
        keep[i] = plausible(folder, i, id, read);
    }
    for (i = 0; i < folder->n; i++) {
        if (!keep[i]) {
            set_aside(folder, &folder->segments[i]);
        } else {
            folder->segments[kept] = folder->segments[i];
            folder->segments[kept++].damaged = !folder->segments[i].sound;
        }
    }
    folder->n = kept;
    free(keep);

    return 0;
}

/* --- files -------------------------------------------------------------- */

int
spool_folder_open_segment(const struct spool_folder *folder, size_t i,
                          bool write)
{
    char name[NAME_SIZE];
    int fd;

    name_of(folder->segments[i].first, "seg", name);
    fd = openat(folder->dir, name,
                (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? -errno : fd;
}

int
spool_folder_add(struct spool_folder *folder,
                 const struct segment_header *header, bool sync)
{
    struct spool_segment segment = {
        .first = header->first, .bytes = sizeof(*header), .boot = header->boot,
        .sound = true
    };
    char name[NAME_SIZE];
    int fd, rc;

    name_of(header->first, "seg", name);
    fd = openat(folder->dir, name,
                O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -errno;
    }

    if (folder->n > 0
        && folder->segments[folder->n - 1].first == header->first)
    {
        folder->bytes -= folder->segments[--folder->n].bytes;
    }

    rc = (int) pwrite(fd, header, sizeof(*header), 0);
    rc = rc < 0 ? -errno : rc == sizeof(*header) ? 0 : -ENOSPC;
    if (rc == 0 && sync && fsync(folder->dir) != 0) {
        rc = -errno;
    }
    if (rc == 0) {
        rc = append(folder, &segment);
    }
    if (rc != 0) {
        close(fd);
        (void) unlinkat(folder->dir, name, 0);
        return rc;
    }
    folder->bytes += segment.bytes;

    return fd;
}

int
spool_folder_remove_first(struct spool_folder *folder)
{
    struct spool_segment *first = &folder->segments[0];
    char name[NAME_SIZE];
    int rc;

    if (first->damaged) {
        rc = set_aside(folder, first);
        if (rc != 0) {
            return rc;
        }
    } else {
        name_of(first->first, "seg", name);
        if (unlinkat(folder->dir, name, 0) != 0 && errno != ENOENT) {
            return -errno;
        }
        folder->bytes -= first->bytes;
    }

    folder->n--;
    memmove(first, first + 1, folder->n * sizeof(*first));

    return 0;
}

int
spool_folder_free_corrupt(struct spool_folder *folder)
{
    struct dirent *entry;
    struct stat st;
    uint64_t first;
    DIR *dir;
    int fd, rc = -ENOENT;

    fd = openat(folder->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        rc = -errno;
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }

    while (rc == -ENOENT && (entry = readdir(dir)) != NULL) {
        if (name_is(entry->d_name, "corrupt", &first)
            && fstatat(folder->dir, entry->d_name, &st, 0) == 0)
        {
            rc = unlinkat(folder->dir, entry->d_name, 0) != 0 ? -errno : 0;
        }
    }
    closedir(dir);

    if (rc == 0 && (uint64_t) st.st_size <= folder->corrupt) {
        folder->corrupt -= (uint64_t) st.st_size;
        folder->bytes -= (uint64_t) st.st_size;
    } else if (rc == -ENOENT) {
        folder->bytes -= folder->corrupt;
        folder->corrupt = 0;
    }

    return rc;
}
