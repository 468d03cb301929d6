#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# tap.sh LOGDIR COMMAND...: runs the command for prove(1) and keeps a copy of
# what it printed, from which run.sh counts.
log=$1/$(basename "$(eval "echo \${$#}")").tap
shift
{ "$@"; echo $? >"$log.status"; } | tee "$log"
exit "$(cat "$log.status")"
