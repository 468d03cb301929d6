/* SPDX-License-Identifier: Apache-2.0
 *
 * intentctl forget: erases what this host knows of a key.
 */
#include "ctl.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = { { NULL, 0, NULL, 0 } };

static int
forget(struct intent *intent, const char *key)
{
    bool forwarded;
    int erased, lane;

    /* The tombstone is an event and needs a lane to travel in. */
    lane = intent_worker_start(intent);
    erased = intent_forget(intent, key, strlen(key), ctl_now_ms(),
                           &forwarded);
    intent_worker_stop(intent);

    if (erased < 0) {
        return ctl_fail("cannot forget \"%s\": %s", key, strerror(-erased));
    }

    printf("%d record%s erased\n", erased, erased == 1 ? "" : "s");
    if (ctl_flush() != CTL_OK) {
        return CTL_FAILED;
    }

    if (lane != 0) {
        return ctl_fail("no tombstone was queued: all lanes of the zone are "
                        "taken; try again when a worker has ended, or raise "
                        "the number of lanes");
    }

    puts(forwarded ? "tombstone queued"
                   : "no tombstone: the configuration forwards nothing, or "
                     "the lane is full (see intentctl status)");

    return ctl_flush();
}

static int
run(const struct ctl_command *command, int argc, char **argv)
{
    struct intent_config *config;
    struct intent *intent = NULL;
    int status = CTL_FAILED;

    if (ctl_option(command, argc, argv) != -1) {
        return CTL_USAGE;
    }

    config = ctl_load(argv[optind]);
    if (config != NULL) {
        intent = ctl_open(config);
    }
    if (intent != NULL) {
        status = forget(intent, argv[optind + 1]);
    }

    intent_close(intent);
    intent_config_free(config);

    return status;
}

const struct ctl_command ctl_forget = {
    .name = "forget",
    .synopsis = "CONFIG KEY",
    .summary = "erase what is known of a key on this host",
    .help = "Erases the windows of the key (a user id or a visitor id) in "
            "the zone and puts\n"
            "a tombstone event into a lane, so that those downstream can "
            "erase it too.\n"
            "Events of the key that are already in lanes, in the spool or "
            "on the stream are\n"
            "not touched. What the key does from now on counts again.",
    .options = options, .min = 2, .max = 2, .run = run
};
