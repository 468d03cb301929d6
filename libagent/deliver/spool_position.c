/* SPDX-License-Identifier: Apache-2.0 */
#include "spool_position.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/crash.h"
#include "crc32c.h"

static const char name[] = "position", name_new[] = "position.new";

static int
format(const struct spool_position *position, char *buf, size_t size)
{
    char body[80];
    int len;

    len = snprintf(body, sizeof(body),
                   "intent-spool 1\nid %016" PRIx64 "\nread %" PRIu64 "\n",
                   position->id, position->read);

    return snprintf(buf, size, "%scheck %08" PRIx32 "\n", body,
                    crc32c(0, body, (size_t) len));
}

static bool
parse(const char *text, struct spool_position *position)
{
    static const char head[] = "intent-spool 1\nid ", middle[] = "\nread ";
    char *end;

    if (strncmp(text, head, sizeof(head) - 1) != 0) {
        return false;
    }
    position->id = strtoull(text + sizeof(head) - 1, &end, 16);
    if (strncmp(end, middle, sizeof(middle) - 1) != 0) {
        return false;
    }
    position->read = strtoull(end + sizeof(middle) - 1, NULL, 10);

    return true;
}

int
spool_position_load(int dir, struct spool_position *position)
{
    char buf[128], again[128];
    ssize_t len;
    int fd;

    fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }

    len = read(fd, buf, sizeof(buf) - 1);
    if (len < 0) {
        len = -errno;
    }
    close(fd);
    if (len < 0) {
        return (int) len;
    }
    buf[len] = '\0';

    if (!parse(buf, position)) {
        return -EBADMSG;
    }

    /* What was read must be what such a position is written as. */
    format(position, again, sizeof(again));

    return strcmp(buf, again) == 0 ? 0 : -EBADMSG;
}

static int
write_new(int dir, const char *buf, size_t len, bool sync)
{
    int fd, rc = 0;
    ssize_t n;

    fd = openat(dir, name_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }

    n = write(fd, buf, len);
    if (n < 0) {
        rc = -errno;
    } else if ((size_t) n != len) {
        rc = -ENOSPC;
    } else if (sync && fsync(fd) != 0) {
        rc = -errno;
    }

    if (close(fd) != 0 && rc == 0) {
        rc = -errno;
    }

    return rc;
}

int
spool_position_save(int dir, const struct spool_position *position, bool sync)
{
    char buf[128];
    int len, rc;

    len = format(position, buf, sizeof(buf));
    rc = write_new(dir, buf, (size_t) len, sync);

    CRASH_POINT("spool-position-new");
    if (rc == 0 && renameat(dir, name_new, dir, name) != 0) {
        rc = -errno;
    }
    if (rc == 0 && sync && fsync(dir) != 0) {
        rc = -errno;
    }

    return rc;
}
