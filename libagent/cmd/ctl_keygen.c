/* SPDX-License-Identifier: Apache-2.0
 *
 * intentctl keygen: a new line for the cookie key file.
 */
#include "ctl.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = { { NULL, 0, NULL, 0 } };

static int
run(const struct ctl_command *command, int argc, char **argv)
{
    char line[65];
    int rc;

    if (ctl_option(command, argc, argv) != -1) {
        return CTL_USAGE;
    }

    rc = intent_keys_generate(line);
    if (rc != 0) {
        return ctl_fail("the system has no random bytes: %s", strerror(-rc));
    }
    puts(line);

    return ctl_flush();
}

const struct ctl_command ctl_keygen = {
    .name = "keygen",
    .synopsis = "",
    .summary = "print a new cookie key",
    .help = "Prints one line of 64 hex digits for intent_cookie_key_file. "
            "The first key in\n"
            "that file signs, all verify. To begin:\n"
            "\n"
            "  (umask 077; intentctl keygen > /etc/nginx/intent.keys)\n"
            "\n"
            "To rotate, put a new line first and reload nginx; remove the "
            "old one when the\n"
            "cookies that it signed have expired.",
    .options = options, .min = 0, .max = 0, .run = run
};
