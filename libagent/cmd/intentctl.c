/* SPDX-License-Identifier: Apache-2.0
 *
 * intentctl: the operator's tool. Finds the command; each has its own file.
 */
#include "ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct ctl_command *const commands[] = {
    &ctl_check, &ctl_replay, &ctl_get, &ctl_status, &ctl_keygen, &ctl_forget
};

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

/* --- messages ----------------------------------------------------------- */

__attribute__((format(printf, 1, 0)))
static void
complain(const char *format, va_list args)
{
    fflush(stdout);
    fputs("intentctl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int
ctl_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain(format, args);
    va_end(args);

    return CTL_FAILED;
}

int
ctl_usage(const struct ctl_command *command, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain(format, args);
    va_end(args);
    fprintf(stderr, "usage: intentctl %s %s\nSee `intentctl %s --help`.\n",
            command->name, command->synopsis, command->name);

    return CTL_USAGE;
}

int
ctl_fail_error(const struct intent_error *err, int rc)
{
    if (err->text[0] == '\0') {
        return ctl_fail("%s", strerror(-rc));
    }

    if (err->line == 0) {
        return ctl_fail("%s", err->text);
    }

    fflush(stdout);
    fprintf(stderr, "%s\n", err->text);

    return CTL_FAILED;
}

int
ctl_flush(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return ctl_fail("cannot write the output: %s", strerror(errno));
    }

    return CTL_OK;
}

static void
print_help(const struct ctl_command *command)
{
    printf("usage: intentctl %s %s\n\n%s\n", command->name,
           command->synopsis, command->help);
}

static void
print_commands(FILE *out)
{
    int i;

    fputs("usage: intentctl COMMAND ...\n\n", out);
    for (i = 0; i < N_COMMANDS; i++) {
        fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    }
    fputs("\nintentctl COMMAND --help says more; --version prints the "
          "version.\nExit status: 0 done, 1 failed, 2 wrong usage.\n", out);
}

/* --- what commands share ------------------------------------------------ */

int
ctl_option(const struct ctl_command *command, int argc, char **argv)
{
    enum { MAX_OPTIONS = 8, HELP = 256 };
    struct option all[MAX_OPTIONS] = { { "help", no_argument, NULL, HELP } };
    int i, option;

    for (i = 0; i < MAX_OPTIONS - 2 && command->options[i].name != NULL; i++) {
        all[i + 1] = command->options[i];
    }

    opterr = 0;
    option = getopt_long(argc, argv, ":h", all, NULL);

    switch (option) {

    case 'h':
    case HELP:
        print_help(command);
        exit(ctl_flush());

    case ':':
        ctl_usage(command, "%s needs a value", argv[optind - 1]);
        return '?';

    case '?':
        ctl_usage(command, "unknown option \"%s\"", argv[optind - 1]);
        return '?';

    case -1:
        if (argc - optind < command->min || argc - optind > command->max) {
            ctl_usage(command, argc - optind < command->min
                               ? "too few arguments" : "too many arguments");
            return '?';
        }
        return -1;

    default:
        return option;
    }
}

struct intent_config *
ctl_load(const char *path)
{
    struct intent_error err = { 0 };
    struct intent_config *config;
    int rc;

    rc = intent_config_load(path, &config, &err);
    if (rc != 0) {
        ctl_fail_error(&err, rc);
        return NULL;
    }

    return config;
}

struct intent *
ctl_open(const struct intent_config *config)
{
    struct intent_error err = { 0 };
    struct intent *intent;
    int rc;

    rc = intent_open(config, 0, &intent, &err);
    if (rc != 0) {
        ctl_fail_error(&err, rc);
        return NULL;
    }

    return intent;
}

int64_t
ctl_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

const char *
ctl_count(char buf[static CTL_COUNT], uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), i, at = 0;

    for (i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            buf[at++] = ',';
        }
        buf[at++] = digits[i];
    }
    buf[at] = '\0';

    return buf;
}

/* --- finding the command ------------------------------------------------ */

static const struct ctl_command *
find(const char *name)
{
    int i;

    for (i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }

    return NULL;
}

/* Levenshtein's distance. Names longer than any command's are far. */
static size_t
distance(const char *a, const char *b)
{
    enum { LONGEST = 16 };
    size_t row[LONGEST + 1], la = strlen(a), lb = strlen(b), i, j, left, up;

    if (lb > LONGEST) {
        return LONGEST;
    }

    for (j = 0; j <= lb; j++) {
        row[j] = j;
    }

    for (i = 1; i <= la; i++) {
        left = row[0];
        row[0] = i;
        for (j = 1; j <= lb; j++) {
            up = row[j];
            row[j] = left + (a[i - 1] != b[j - 1]);
            if (up + 1 < row[j]) {
                row[j] = up + 1;
            }
            if (row[j - 1] + 1 < row[j]) {
                row[j] = row[j - 1] + 1;
            }
            left = up;
        }
    }

    return row[lb];
}

static int
unknown(const char *name)
{
    const struct ctl_command *best = NULL;
    size_t least = 3, d;
    int i;

    for (i = 0; i < N_COMMANDS; i++) {
        d = distance(name, commands[i]->name);
        if (d < least) {
            least = d;
            best = commands[i];
        }
    }

    if (best != NULL) {
        ctl_fail("unknown command \"%s\"; did you mean \"%s\"?", name,
                 best->name);
    } else {
        ctl_fail("unknown command \"%s\"", name);
        print_commands(stderr);
    }

    return CTL_USAGE;
}

int
main(int argc, char **argv)
{
    const struct ctl_command *command;
    const char *name = argc > 1 ? argv[1] : "";

    if (name[0] == '\0') {
        print_commands(stderr);
        return CTL_USAGE;
    }

    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        puts("intentctl " INTENT_VERSION);
        return ctl_flush();
    }

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0
        || (strcmp(name, "help") == 0 && argc < 3))
    {
        print_commands(stdout);
        return ctl_flush();
    }

    if (strcmp(name, "help") == 0) {
        command = find(argv[2]);
        if (command == NULL) {
            return unknown(argv[2]);
        }
        print_help(command);
        return ctl_flush();
    }

    command = find(name);
    if (command == NULL) {
        return unknown(name);
    }

    return command->run(command, argc - 1, argv + 1);
}
