/* SPDX-License-Identifier: Apache-2.0
 *
 * One line on a terminal's stderr that says how far a long command is;
 * nothing where stderr is no terminal.
 */
#ifndef INTENT_CMD_CTL_PROGRESS_H
#define INTENT_CMD_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool terminal;
    bool shown;                    /* the cursor's line is ours */
    double began, last;            /* seconds */
};

void progress_begin(struct progress *p);

/* Whether it is time for another progress_show(): a few times a second. */
bool progress_due(const struct progress *p);

/* part: of the whole, 0 to 1; negative: unknown. */
void progress_show(struct progress *p, uint64_t lines, double part);

/* Takes the line away, for other text to come. */
void progress_clear(struct progress *p);

double progress_seconds(const struct progress *p);

#endif
