/* SPDX-License-Identifier: Apache-2.0
 *
 * intentctl get: the features of a key in the live zone.
 */
#include "ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "featureset", required_argument, NULL, 'f' },
    { "at", required_argument, NULL, 't' },
    { NULL, 0, NULL, 0 }
};

struct request {
    const char *featureset;        /* NULL: by the configuration */
    int64_t time_ms;
    const char *key;
};

static int
find_featureset(const struct intent_config *config, const char *name)
{
    const char *text = name == NULL ? "" : name;
    int found = intent_featureset_find(config, text, strlen(text));

    if (found >= 0) {
        return found;
    }

    if (name != NULL) {
        ctl_fail("there is no featureset \"%s\"", name);
    } else {
        ctl_fail("which featureset? Use --featureset");
    }

    return -1;
}

static int
get(const struct intent_config *config, struct intent *intent,
    const struct request *request)
{
    static struct intent_answer answer;
    static char json[1 << 17];     /* more than an answer's scratch can make */
    size_t key_len = strlen(request->key);
    int featureset, rc;

    featureset = find_featureset(config, request->featureset);
    if (featureset < 0) {
        return CTL_FAILED;
    }

    rc = intent_read(intent, featureset, request->key, key_len,
                     request->time_ms, CTL_WAIT_US, &answer);
    if (rc == -ERANGE) {
        return ctl_fail("%" PRId64 " is too far back: the oldest time that "
                        "can be read now is %" PRId64 " (the newest event's "
                        "less max_lateness)", request->time_ms,
                        intent_oldest_read(intent, featureset));
    }
    if (rc == -E2BIG) {
        return ctl_fail("the key has more than %d bytes", INTENT_MAX_KEY);
    }
    if (rc != 0) {
        return ctl_fail("cannot read the features: %s", strerror(-rc));
    }

    rc = intent_answer_json(config, &answer, request->key, key_len, json,
                            sizeof(json));
    if (rc < 0) {
        return ctl_fail("cannot print the features: %s", strerror(-rc));
    }
    fwrite(json, 1, (size_t) rc, stdout);
    putchar('\n');

    return ctl_flush();
}

static int
run(const struct ctl_command *command, int argc, char **argv)
{
    struct request request = { .time_ms = ctl_now_ms() };
    struct intent_config *config;
    struct intent *intent = NULL;
    int option, status = CTL_FAILED;

    while ((option = ctl_option(command, argc, argv)) != -1) {
        if (option == 'f') {
            request.featureset = optarg;
        } else if (option != 't') {
            return CTL_USAGE;
        } else if (intent_time_parse(optarg, strlen(optarg),
                                     &request.time_ms) != 0)
        {
            return ctl_usage(command, "\"%s\" is no time: expected "
                             "milliseconds since 1970, or RFC 3339 as in "
                             "2026-03-01T12:00:00Z", optarg);
        }
    }
    request.key = argv[optind + 1];

    config = ctl_load(argv[optind]);
    if (config != NULL) {
        intent = ctl_open(config);
    }
    if (intent != NULL) {
        status = get(config, intent, &request);
    }

    intent_close(intent);
    intent_config_free(config);

    return status;
}

const struct ctl_command ctl_get = {
    .name = "get",
    .synopsis = "CONFIG KEY [--featureset NAME] [--at TIME]",
    .summary = "print the features of a key from the live zone",
    .help = "Prints one JSON object, the same that the features endpoint "
            "gives. A key of\n"
            "which nothing is known reads 0 and null.\n"
            "\n"
            "  --featureset NAME  default: the policy's, or the only one\n"
            "  --at TIME          as of then instead of now; ms since "
            "1970, or RFC 3339\n"
            "                     (2026-03-01T12:00:00Z)",
    .options = options, .min = 2, .max = 2, .run = run
};
