/* SPDX-License-Identifier: Apache-2.0
 *
 * From the values of a featureset to a score, a band and a call to action.
 * Pure: no state, no clock, no allocation.
 */
#ifndef INTENT_DECIDE_POLICY_H
#define INTENT_DECIDE_POLICY_H

#include "../signal/model.h"

struct policy_result {
    const char *band;              /* never NULL; borrowed from the config */
    const char *cta;               /* NULL: none applies; borrowed */
    int items;                     /* that the CTA carries */
    bool has_score;
    double score;                  /* finite */
    unsigned errors;               /* expressions that failed: read as null,
                                      as false where a condition */
};

/* Decides by the config's policy. vars[] are the values of the policy's
 * featureset in order, as expressions see them, or NULL: all are null. Without
 * a policy the band is `low` and there is no CTA. Uses about 4 KiB of stack,
 * half of it for what one expression makes: more fails with -ENOSPC and is
 * counted. */
void policy_decide(const struct intent_config *config,
                   const struct intent_value *vars,
                   struct policy_result *result);

#endif
