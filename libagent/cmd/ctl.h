/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands of intentctl share. Results go to stdout, everything for
 * the operator to stderr; each command returns an exit status.
 */
#ifndef INTENT_CMD_CTL_H
#define INTENT_CMD_CTL_H

#include <getopt.h>

#include "../intent.h"

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

/* How long a command waits for a lock of the zone: people can wait. */
enum { CTL_WAIT_US = 500000 };

struct ctl_command {
    const char *name;
    const char *synopsis;          /* arguments, as in the usage line */
    const char *summary;           /* one line for the list of commands */
    const char *help;              /* the rest of --help */
    const struct option *options;  /* without --help; ends with zeros */
    int min, max;                  /* of arguments that are no options */
    int (*run)(const struct ctl_command *command, int argc, char **argv);
};

extern const struct ctl_command ctl_check, ctl_replay, ctl_get, ctl_status,
                                ctl_keygen, ctl_forget;

/* The next option by its `val`, or -1 past the last: argv[optind..argc) are
 * then the arguments, as many as the command takes. `?` for a wrong one, which
 * was reported: return CTL_USAGE. --help is printed and ends the program. */
int ctl_option(const struct ctl_command *command, int argc, char **argv);

/* Both print "intentctl: " and the text; they return CTL_FAILED, and, with a
 * hint at --help, CTL_USAGE. */
__attribute__((format(printf, 1, 2)))
int ctl_fail(const char *format, ...);
__attribute__((format(printf, 2, 3)))
int ctl_usage(const struct ctl_command *command, const char *format, ...);

/* Prints what the library said, alone where it begins with a place in a file,
 * else what -rc means. Returns CTL_FAILED. */
int ctl_fail_error(const struct intent_error *err, int rc);

/* Ends output: CTL_FAILED where it could not all be written. */
int ctl_flush(void);

/* A configuration, and its live zone, or NULL after printing why not. */
struct intent_config *ctl_load(const char *path);
struct intent *ctl_open(const struct intent_config *config);

int64_t ctl_now_ms(void);

/* "1234567" as "1,234,567". Returns buf. */
enum { CTL_COUNT = 32 };
const char *ctl_count(char buf[static CTL_COUNT], uint64_t n);

#endif
