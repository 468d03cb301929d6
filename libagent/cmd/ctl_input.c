/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "ctl_input.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl.h"

extern char **environ;

/* The longest line and as much again, so that reads stay large. */
enum { BUFFER = 2 * INPUT_MAX_LINE };

static bool
ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);

    return n >= m && strcmp(name + n - m, end) == 0;
}

/* The program that unpacks the file, or NULL. */
static char *
tool_for(const struct input *in)
{
    static char zstd[] = "zstd", gzip[] = "gzip";
    unsigned char magic[4];
    ssize_t n = pread(in->file, magic, sizeof(magic),
                      lseek(in->file, 0, SEEK_CUR));

    if (n < 0) {
        return ends_with(in->name, ".zst") ? zstd
               : ends_with(in->name, ".gz") ? gzip : NULL;
    }

    if (n == 4 && memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0) {
        return zstd;
    }

    return n >= 2 && memcmp(magic, "\x1f\x8b", 2) == 0 ? gzip : NULL;
}

/* Starts TOOL -dc between the file and a pipe. 0 or an errno. */
static int
spawn_tool(struct input *in)
{
    char unpack[] = "-dc", *argv[] = { in->tool, unpack, NULL };
    posix_spawn_file_actions_t actions;
    int ends[2], rc;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }

    rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0) {
        goto failed;
    }

    rc = posix_spawn_file_actions_adddup2(&actions, in->file, 0);
    if (rc == 0) {
        rc = posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    }
    if (rc == 0) {
        rc = posix_spawnp(&in->child, in->tool, &actions, NULL, argv,
                          environ);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0) {
        in->child = 0;
        goto failed;
    }

    close(ends[1]);
    in->fd = ends[0];

    return 0;

failed:

    close(ends[0]);
    close(ends[1]);

    return rc;
}

int
input_open(struct input *in, const char *path)
{
    struct stat st;
    int rc;

    memset(in, 0, sizeof(*in));
    in->name = path;
    if (path == NULL || strcmp(path, "-") == 0) {
        in->name = "stdin";
        in->file = in->fd = 0;
    } else {
        in->file = in->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (in->file < 0) {
            return ctl_fail("cannot open %s: %s", path, strerror(errno));
        }
    }

    in->buf = malloc(BUFFER);
    if (in->buf == NULL) {
        return ctl_fail("out of memory");
    }

    if (fstat(in->file, &st) == 0 && S_ISREG(st.st_mode)) {
        in->size = st.st_size;
    }

    in->tool = tool_for(in);
    rc = in->tool == NULL ? 0 : spawn_tool(in);
    if (rc == ENOENT) {
        return ctl_fail("%s is compressed and the program %s, which unpacks "
                        "it, is not installed: install it, or unpack the "
                        "file first", in->name, in->tool);
    }
    if (rc != 0) {
        return ctl_fail("cannot run %s: %s", in->tool, strerror(rc));
    }

    return CTL_OK;
}

/* Waits for the tool. False when it failed. */
static bool
reap(struct input *in)
{
    int status = 0;
    pid_t pid;

    do {
        pid = waitpid(in->child, &status, 0);
    } while (pid < 0 && errno == EINTR);
    in->child = 0;

    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void
input_close(struct input *in)
{
    if (in->fd > 0 && in->fd != in->file) {
        close(in->fd);
    }

    /* Without a reader the tool has nothing left to do. */
    if (in->child != 0) {
        kill(in->child, SIGTERM);
        reap(in);
    }

    if (in->file > 0) {
        close(in->file);
    }
    free(in->buf);
    in->buf = NULL;
}

/* Reads what fits behind the bytes that are left. */
static enum input_result
fill(struct input *in)
{
    ssize_t n;

    if (in->begin != 0) {
        memmove(in->buf, in->buf + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }

    do {
        n = read(in->fd, in->buf + in->end, BUFFER - in->end);
    } while (n < 0 && errno == EINTR);

    if (n < 0) {
        ctl_fail("cannot read %s: %s", in->name, strerror(errno));
        return INPUT_FAILED;
    }

    if (n == 0 && in->child != 0 && !reap(in)) {
        ctl_fail("%s could not unpack %s: what it gave before was read",
                 in->tool, in->name);
        return INPUT_FAILED;
    }

    in->ended = n == 0;
    in->end += (size_t) n;

    return INPUT_LINE;
}

enum input_result
input_next(struct input *in, const char **line, size_t *len)
{
    bool skipping = false;
    size_t looked = 0;
    char *start, *newline;

    for ( ;; ) {
        start = in->buf + in->begin;
        newline = memchr(start + looked, '\n', in->end - in->begin - looked);
        looked = in->end - in->begin;

        if (newline != NULL) {
            *line = start;
            *len = (size_t) (newline - start);
            in->begin += *len + 1;
            return skipping || *len > INPUT_MAX_LINE ? INPUT_LONG
                                                     : INPUT_LINE;
        }

        if (in->ended) {
            *line = start;
            *len = looked;
            in->begin = in->end;
            return skipping ? INPUT_LONG : looked == 0 ? INPUT_END
                   : looked > INPUT_MAX_LINE ? INPUT_LONG : INPUT_LINE;
        }

        if (looked > INPUT_MAX_LINE) {
            skipping = true;
            in->begin = in->end;
            looked = 0;
        }

        if (fill(in) == INPUT_FAILED) {
            return INPUT_FAILED;
        }
    }
}

double
input_part(const struct input *in)
{
    off_t at = lseek(in->file, 0, SEEK_CUR);

    return in->size <= 0 || at < 0 ? -1.0 : (double) at / (double) in->size;
}
