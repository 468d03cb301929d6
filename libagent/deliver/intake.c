/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"

#include <errno.h>
#include <string.h>

#include "../base/atomic.h"
#include "../state/lane.h"

static const struct account_copy *
in_force(const struct zone *zone)
{
    const struct account *account = zone_account(zone);

    return &account->copy[account->current & 1];
}

void
intake_begin(struct intake *intake, struct zone *zone)
{
    uint32_t i;

    memset(intake, 0, sizeof(*intake));
    intake->zone = zone;
    intake->n = zone->header->n_lanes;
    if (intake->n > ZONE_MAX_LANES) {
        intake->n = ZONE_MAX_LANES;
    }

    for (i = 0; i < intake->n; i++) {
        intake_rewind(intake, i);
    }
}

void
intake_rewind(struct intake *intake, uint32_t lane)
{
    const struct account_copy *account = in_force(intake->zone);

    intake->lane[lane].pos = account->lane[lane].tail;
    intake->lane[lane].taken = account->lane[lane].taken;
}

int
intake_peek(const struct intake *intake, uint32_t lane, struct event *event)
{
    const struct lane_record *record;
    uint64_t next;
    int rc;

    rc = lane_read(intake->zone, lane, intake->lane[lane].pos, &record,
                   &event->bytes, &next);
    if (rc != 1) {
        return rc;
    }

    event->len = record->len;
    event->lane = lane;
    event->seq = record->seq;
    event->key = record->key;
    event->after = next;

    return 1;
}

void
intake_pass(struct intake *intake, const struct event *event)
{
    intake->lane[event->lane].pos = event->after;
    intake->lane[event->lane].taken++;
}

int
intake_skip(struct intake *intake, uint32_t lane, uint64_t *lost)
{
    struct lane_slot *slot = zone_lane(intake->zone, lane);
    uint64_t head, published, last;

    /* The producer stores `last`, `published`, `head`, in this order. When
     * `last` lies before a head that has not moved meanwhile, no step was
     * under way, and `published` belongs to that head. */
    head = atomic_acquire(&slot->head);
    published = atomic_acquire(&slot->published);
    last = atomic_acquire(&slot->last);
    if (last >= head || atomic_acquire(&slot->head) != head) {
        return -EAGAIN;
    }

    *lost = published > intake->lane[lane].taken
            ? published - intake->lane[lane].taken : 0;
    intake->lane[lane].pos = head;
    intake->lane[lane].taken += *lost;

    return 0;
}

uint64_t
intake_waiting(const struct intake *intake)
{
    uint64_t published, waiting = 0;
    uint32_t i;

    for (i = 0; i < intake->n; i++) {
        published = atomic_load(&zone_lane(intake->zone, i)->published);
        if (!intake->lane[i].held && published > intake->lane[i].taken) {
            waiting += published - intake->lane[i].taken;
        }
    }

    return waiting;
}

uint64_t
intake_head(const struct intake *intake, uint32_t lane)
{
    return atomic_load(&zone_lane(intake->zone, lane)->head);
}

unsigned
intake_fullness(const struct intake *intake)
{
    const struct account_copy *account = in_force(intake->zone);
    uint64_t used, most = 0, size = intake->zone->header->lane_size;
    uint32_t i;

    for (i = 0; i < intake->n; i++) {
        used = intake_head(intake, i) - account->lane[i].tail;
        most = used > most && used <= size ? used : most;
    }

    return size == 0 ? 0 : (unsigned) (most * 100 / size);
}
