/* SPDX-License-Identifier: Apache-2.0
 *
 * intentctl replay: an archive through the same windows as the live traffic,
 * in private memory.
 */
#include "ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ctl_input.h"
#include "ctl_progress.h"

enum {
    JSON_SIZE = 1 << 17,           /* more than an answer's scratch can make */
    LINES_PER_LOOK = 512           /* at the clock, which costs a little */
};

static const struct option options[] = {
    { "skip-bad", no_argument, NULL, 's' },
    { "stats", no_argument, NULL, 't' },
    { NULL, 0, NULL, 0 }
};

struct replay {
    const struct intent_config *config;
    struct intent *intent;
    struct input input;
    struct progress progress;
    bool skip_bad, stats;
    bool to_terminal;              /* answers are */
    uint64_t lines, events, late, queries, bad;
    struct intent_answer answer;
    char json[JSON_SIZE];
};

/* A line that cannot be used: 0 where such lines are only counted. */
__attribute__((format(printf, 2, 3)))
static int
bad_line(struct replay *r, const char *format, ...)
{
    va_list args;

    r->bad++;
    if (r->skip_bad) {
        return 0;
    }

    progress_clear(&r->progress);
    fflush(stdout);
    fprintf(stderr, "%s:%" PRIu64 ": ", r->input.name, r->lines);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\n(--skip-bad counts such lines and goes on)\n", stderr);

    return -EINVAL;
}

static int
broken(struct replay *r, int rc)
{
    progress_clear(&r->progress);
    ctl_fail("%s:%" PRIu64 ": %s", r->input.name, r->lines, strerror(-rc));

    return rc;
}

static int
replay_query(struct replay *r, const struct intent_line *line)
{
    int rc;

    rc = intent_read(r->intent, line->featureset, line->key, line->key_len,
                     line->time_ms, 0, &r->answer);
    if (rc == -ERANGE) {
        return bad_line(r, "timestamp %" PRId64 " is too far back: here the "
                        "oldest time that can be read is %" PRId64 " (the "
                        "newest event's less max_lateness)", line->time_ms,
                        intent_oldest_read(r->intent, line->featureset));
    }
    if (rc == -E2BIG) {
        return bad_line(r, "entity_id has more than %d bytes",
                        INTENT_MAX_KEY);
    }
    if (rc != 0) {
        return broken(r, rc);
    }

    rc = intent_answer_json(r->config, &r->answer, line->key, line->key_len,
                            r->json, sizeof(r->json) - 1);
    if (rc < 0) {
        return broken(r, rc);
    }

    if (r->to_terminal) {
        progress_clear(&r->progress);
    }
    r->json[rc] = '\n';
    fwrite(r->json, 1, (size_t) rc + 1, stdout);
    r->queries++;

    return ferror(stdout) ? -EIO : 0;
}

static int
replay_event(struct replay *r, const struct intent_line *line)
{
    int rc;

    rc = intent_record(r->intent, &line->event, NULL, line->time_ms, 0, 0);
    if (rc == -EINVAL) {
        return bad_line(r, "the event has no key");
    }
    if (rc == -E2BIG) {
        return bad_line(r, "the event's key has more than %d bytes",
                        INTENT_MAX_KEY);
    }
    if (rc < 0) {
        return broken(r, rc);
    }

    r->events++;
    r->late += (rc & INTENT_DID_LATE) != 0;

    return 0;
}

static bool
is_blank(const char *line, size_t len)
{
    size_t i = 0;

    while (i < len && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r')) {
        i++;
    }

    return i == len;
}

static int
replay_line(struct replay *r, const char *text, size_t len)
{
    struct intent_error err = { 0 };
    struct intent_line line;
    int rc;

    if (is_blank(text, len)) {
        return 0;
    }

    rc = intent_line_parse(r->config, text, len, &line, &err);
    if (rc == -EINVAL) {
        return bad_line(r, "%s", err.text);
    }
    if (rc != 0) {
        return broken(r, rc);
    }

    rc = line.query ? replay_query(r, &line) : replay_event(r, &line);
    intent_line_free(&line);

    return rc;
}

/* 0 at the end of the input, negative after what stopped it was said. */
static int
replay_all(struct replay *r)
{
    enum input_result result;
    const char *line;
    size_t len;
    int rc = 0;

    while (rc == 0) {
        result = input_next(&r->input, &line, &len);
        if (result == INPUT_END) {
            return 0;
        }
        if (result == INPUT_FAILED) {
            return -EIO;
        }

        r->lines++;
        rc = result == INPUT_LINE ? replay_line(r, line, len)
             : bad_line(r, "the line has more than %d bytes", INPUT_MAX_LINE);

        if (r->lines % LINES_PER_LOOK == 0 && progress_due(&r->progress)) {
            progress_show(&r->progress, r->lines, input_part(&r->input));
        }
    }

    return rc;
}

static void
print_stats(const struct replay *r)
{
    double seconds = progress_seconds(&r->progress);
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    fprintf(stderr, "events       %12" PRIu64 "\n"
                    "late         %12" PRIu64 "\n"
                    "queries      %12" PRIu64 "\n"
                    "bad lines    %12" PRIu64 "\n"
                    "seconds      %12.3f\n"
                    "lines/s      %12.0f\n"
                    "peak memory  %12.1f MiB\n",
            r->events, r->late, r->queries, r->bad, seconds,
            (double) r->lines / seconds, (double) usage.ru_maxrss / 1024);
}

static int
replay(struct replay *r, const char *file)
{
    struct intent_error err = { 0 };
    int rc;

    rc = intent_open(r->config, INTENT_OPEN_PRIVATE, &r->intent, &err);
    if (rc != 0) {
        return ctl_fail_error(&err, rc);
    }

    rc = input_open(&r->input, file);
    if (rc == CTL_OK) {
        r->to_terminal = isatty(STDOUT_FILENO) == 1;
        progress_begin(&r->progress);
        rc = replay_all(r) == 0 ? CTL_OK : CTL_FAILED;
        progress_clear(&r->progress);
        if (ctl_flush() != CTL_OK) {
            rc = CTL_FAILED;
        }
        if (r->skip_bad && r->bad != 0 && !r->stats) {
            fprintf(stderr, "%" PRIu64 " bad line%s skipped\n", r->bad,
                    r->bad == 1 ? "" : "s");
        }
        if (r->stats) {
            print_stats(r);
        }
    }

    input_close(&r->input);
    intent_close(r->intent);

    return rc;
}

static int
run(const struct ctl_command *command, int argc, char **argv)
{
    struct intent_config *config;
    struct replay *r;
    int option, status = CTL_FAILED;

    r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return ctl_fail("out of memory");
    }

    while ((option = ctl_option(command, argc, argv)) != -1) {
        if (option == 's') {
            r->skip_bad = true;
        } else if (option == 't') {
            r->stats = true;
        } else {
            free(r);
            return CTL_USAGE;
        }
    }

    config = ctl_load(argv[optind]);
    if (config != NULL) {
        r->config = config;
        status = replay(r, argv[optind + 1]);
    }

    intent_config_free(config);
    free(r);

    return status;
}

const struct ctl_command ctl_replay = {
    .name = "replay",
    .synopsis = "CONFIG [FILE] [--skip-bad] [--stats]",
    .summary = "run an archive through the windows and answer its queries",
    .help = "Reads JSON lines in order of arrival from FILE, or from "
            "stdin; what zstd or\n"
            "gzip packed is unpacked. A line with \"featureset\" and "
            "\"entity_id\" is a query as\n"
            "of its \"timestamp\" and is answered on stdout with one JSON "
            "line; any other is\n"
            "an event, of the dataset that its \"dataset\" names where "
            "there are several.\n"
            "Touches no zone.\n"
            "\n"
            "  --skip-bad  count lines that cannot be used instead of "
            "stopping at the first\n"
            "  --stats     at the end, print counts, time and peak memory "
            "on stderr",
    .options = options, .min = 1, .max = 2, .run = run
};
