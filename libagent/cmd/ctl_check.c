/* SPDX-License-Identifier: Apache-2.0
 *
 * intentctl check: whether a configuration is valid.
 */
#include "ctl.h"

static const struct option options[] = { { NULL, 0, NULL, 0 } };

static int
run(const struct ctl_command *command, int argc, char **argv)
{
    struct intent_config *config;

    if (ctl_option(command, argc, argv) != -1) {
        return CTL_USAGE;
    }

    config = ctl_load(argv[optind]);
    intent_config_free(config);

    return config == NULL ? CTL_FAILED : CTL_OK;
}

const struct ctl_command ctl_check = {
    .name = "check",
    .synopsis = "CONFIG",
    .summary = "say what is wrong with a configuration, or nothing",
    .help = "Reads the configuration as nginx and intentd do and prints "
            "nothing where it is\n"
            "valid; else file:line:column, what is wrong and what was "
            "expected. Touches\n"
            "neither the zone nor the spool.",
    .options = options, .min = 1, .max = 1, .run = run
};
