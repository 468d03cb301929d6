/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of a file or of stdin, plain or compressed by zstd or gzip, which is
 * seen from the first bytes (of a pipe: from the name). Decompression is a
 * child process of its own, without a shell.
 */
#ifndef INTENT_CMD_CTL_INPUT_H
#define INTENT_CMD_CTL_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { INPUT_MAX_LINE = 1 << 20 };

enum input_result {
    INPUT_LINE,
    INPUT_LONG,                    /* over INPUT_MAX_LINE: was skipped */
    INPUT_END,
    INPUT_FAILED                   /* reported */
};

struct input {
    const char *name;              /* for messages; borrowed */
    int file;
    int fd;                        /* what is read: file, or the pipe */
    pid_t child;                   /* 0: none */
    char *tool;                    /* that unpacks; NULL: none */
    off_t size;                    /* of the file; 0: unknown */
    char *buf;
    size_t begin, end;             /* bytes not yet given out */
    bool ended;
};

/* path NULL or "-": stdin. CTL_OK or CTL_FAILED, reported. */
int input_open(struct input *in, const char *path);
void input_close(struct input *in);

/* The next line without its newline, valid until the next call. */
enum input_result input_next(struct input *in, const char **line, size_t *len);

/* The part of the file that has been read, 0 to 1; negative: unknown. */
double input_part(const struct input *in);

#endif
