/* SPDX-License-Identifier: Apache-2.0
 *
 * Lanes: every record once and in order, around the ring's end, when it is
 * full, after the death of the producer at any step, and when it is damaged.
 */
#include <sys/wait.h>

#include "../../libagent/state/account.h"
#include "../../libagent/state/lane.h"
#include "zone_case.h"

static struct zone zone;
static uint64_t rng = 11;

static uint64_t
dead_word(void)
{
    uint64_t word;
    pid_t pid = fork();

    if (pid == 0) {
        pause();
        _exit(0);
    }
    word = owner_of(pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);

    return word;
}

static void
consumed(uint32_t lane, uint64_t tail, uint64_t records)
{
    struct account_copy *account = account_edit(&zone);

    account->lane[lane].tail = tail;
    account->lane[lane].taken += records;
    account->delivered += records;
    account_commit(&zone);
}

static uint64_t
tail_of(uint32_t lane)
{
    const struct account *account = zone_account(&zone);

    return account->copy[account->current & 1].lane[lane].tail;
}

static bool
balanced(void)
{
    struct account_totals t;
    uint64_t sum = 0;
    int i;

    account_read(&zone, &t);
    for (i = 0; i < DROP_COUNT; i++) {
        sum += t.dropped[i];
    }

    return t.captured == t.delivered + t.queued + t.spooled + sum;
}

/* A record whose bytes follow from its seq. */
static bool
put(uint32_t lane, uint32_t max, uint32_t len, uint64_t *seq)
{
    char *room = lane_reserve(&zone, lane, max, seq);
    uint32_t i;

    if (room == NULL) {
        return false;
    }
    for (i = 0; i < len; i++) {
        room[i] = (char) (*seq * 31 + i);
    }
    lane_commit(&zone, lane, room, len, *seq ^ 0x55);

    return true;
}

/* The next record, its seq or -1: none, -2: damage or the wrong bytes. */
static int64_t
take(uint32_t lane, uint64_t *pos, uint32_t *len)
{
    const struct lane_record *record;
    const char *bytes;
    uint64_t next;
    uint32_t i;
    int rc;

    rc = lane_read(&zone, lane, *pos, &record, &bytes, &next);
    *pos = next;
    if (rc <= 0) {
        return rc == 0 ? -1 : -2;
    }
    *len = record->len;
    if (record->key != (record->seq ^ 0x55)) {
        return -2;
    }
    for (i = 0; i < record->len; i++) {
        if (bytes[i] != (char) (record->seq * 31 + i)) {
            return -2;
        }
    }

    return (int64_t) record->seq;
}

static void
fresh(uint32_t lanes, uint64_t lane_size)
{
    struct zone_params params = case_params(8 << 20, lanes);

    if (zone.header != NULL) {
        zone_close(&zone);
    }
    params.lane_size = lane_size;
    if (!case_zone(&zone, NULL, &params)) {
        exit(2);
    }
}

static void
test_claim(void)
{
    uint64_t self = owner_self(), other = owner_of(getppid()), dead;

    fresh(3, 0);
    is_int(lane_claim(&zone, self), 0, "the first lane");
    is_int(lane_claim(&zone, other), 1, "the next");
    is_int(lane_claim(&zone, self), 2, "a process may have two");
    is_int(lane_claim(&zone, self), -EAGAIN, "then there is none");
    lane_release(&zone, 1);
    is_int(lane_claim(&zone, self), 1, "a released one");

    dead = dead_word();
    zone_lane(&zone, 2)->owner.word = dead;
    is_int(lane_claim(&zone, self), 2, "one of the dead");
    zone_lane(&zone, 0)->owner.word = dead;
    lane_reap(&zone, 0, self);
    is_int(zone_lane(&zone, 0)->owner.word, 0, "or it is freed");
    lane_reap(&zone, 1, other);
    ok(zone_lane(&zone, 1)->owner.word == self, "not that of the living");
}

/* Lengths of every kind, the reader at every distance. */
static void
test_ring(void)
{
    uint64_t pos = 0, seq, want = 0, n = 0, wraps;
    long wrong = 0, lengths = 0, drops = 0;
    uint32_t len, max, got, queue[20000];
    size_t head = 0, tail = 0;
    int64_t s;
    int i;

    fresh(2, 128 << 10);
    for (i = 0; i < 400000; i++) {
        /* The writer is now the faster one, now the reader. */
        if (case_below(&rng, 10) < (i / 3000 % 2 == 0 ? 7 : 3)) {
            max = case_below(&rng, 50) == 0
                  ? (uint32_t) case_below(&rng, LANE_MAX_RECORD + 1)
                  : (uint32_t) case_below(&rng, 600);
            len = (uint32_t) case_below(&rng, max + 1u);
            if (put(0, max, len, &seq)) {
                queue[head++ % 20000] = len;
                n++;
            } else {
                drops++;
            }
        } else {
            s = take(0, &pos, &got);
            if (s >= 0) {
                wrong += (uint64_t) s < want;
                want = (uint64_t) s + 1;
                lengths += got != queue[tail++ % 20000];
                if (case_below(&rng, 3) == 0) {
                    consumed(0, pos, tail - zone_account(&zone)->copy[
                             zone_account(&zone)->current & 1].lane[0].taken);
                }
            } else {
                wrong += s == -2;
            }
        }
        if (i % 1000 == 0) {
            wrong += !balanced();
        }
    }
    while ((s = take(0, &pos, &got)) >= 0) {
        tail++;
        wrong += (uint64_t) s < want;
        want = (uint64_t) s + 1;
    }
    wraps = zone_lane(&zone, 0)->head / zone.layout.lane_size;

    is_int(wrong, 0, "%llu records, %llu times around: in order, as they were",
           (unsigned long long) n, (unsigned long long) wraps);
    is_int(lengths, 0, "as long as they were");
    is_int(tail, n, "every one");
    ok(drops > 0, "and %ld had no room", drops);
    is_int(zone_lane(&zone, 0)->dropped, drops, "which is counted");
    is_int(zone_lane(&zone, 0)->published, n, "as those with");
    ok(balanced(), "the account balances");
}

/* seq is dense: what is missing between two records was dropped. */
static void
test_full(void)
{
    uint64_t seq, pos = 0, last, missing = 0, dropped = 0, i;
    uint32_t len;
    int64_t s, before = -1;

    fresh(2, 0);
    for (i = 0; i < 3; i++) {
        while (put(0, 1000, 1000, &seq)) {
            /* void */
        }
        last = seq;
        put(0, 1000, 1000, &seq);
        is_int(seq, last + 1, "full: each drop uses up a seq");
        dropped += 2;
        while ((s = take(0, &pos, &len)) >= 0) {
            missing += (uint64_t) (s - before - 1);
            before = s;
        }
        consumed(0, pos, zone_lane(&zone, 0)->published
                 - zone_account(&zone)->copy[zone_account(&zone)->current
                                             & 1].lane[0].taken);
        is_int(s, -1, "drained");
    }
    put(0, 10, 10, &seq);
    s = take(0, &pos, &len);
    missing += (uint64_t) (s - before - 1);
    is_int(missing, dropped, "the gaps are the drops");
    is_int(zone_lane(&zone, 0)->dropped, dropped, "and counted");
    ok(balanced(), "the account balances");

    put(0, 10, 10, &seq);
    lane_reserve(&zone, 0, 100, &seq);
    lane_refuse(&zone, 0);
    put(0, 10, 10, &last);
    is_int(last, seq + 1, "a refused event uses up a seq");
    is_int(zone_lane(&zone, 0)->refused, 1, "and is counted");
    ok(lane_reserve(&zone, 0, LANE_MAX_RECORD + 1, &seq) == NULL,
       "one that is too large for any lane");
    is_int(zone_lane(&zone, 0)->refused, 2, "is refused");
    ok(balanced(), "the account balances");
}

/* The largest record fits the smallest ring wherever that stands. */
static void
test_largest(void)
{
    uint64_t seq, pos = 0, size, stuck = 0;
    uint32_t len, i;

    fresh(2, 128 << 10);
    size = zone.layout.lane_size;
    is_int(size, 128 << 10, "the smallest ring");
    for (i = 0; i < size; i += 8) {
        /* An empty ring that stands at i. */
        zone_lane(&zone, 0)->head = size + i;
        zone_lane(&zone, 0)->last = size + i - 8;
        consumed(0, size + i, 0);
        pos = size + i;
        if (!put(0, LANE_MAX_RECORD, LANE_MAX_RECORD, &seq)
            || take(0, &pos, &len) != (int64_t) seq
            || len != LANE_MAX_RECORD || take(0, &pos, &len) != -1)
        {
            stuck++;
        }
    }
    is_int(stuck, 0, "takes the largest record at each of %u places", i / 8);
}

/* --- death ---------------------------------------------------------------- */

enum step { WRITTEN, LAST, COUNTED, SHOWN };

/* What a producer that died there leaves. */
static void
die_at(enum step step, uint32_t len)
{
    struct lane_slot *slot = zone_lane(&zone, 0), before = *slot;
    uint64_t seq;

    put(0, len, len, &seq);
    if (step < SHOWN) {
        slot->head = before.head;
    }
    if (step < COUNTED) {
        slot->published = before.published;
    }
    if (step < LAST) {
        slot->last = before.last;
    }
}

static void
test_death(void)
{
    static const char *const names[] = { "written", "noted", "counted",
                                         "shown" };
    uint64_t self = owner_self(), dead = dead_word(), seq, pos, published;
    struct lane_slot *slot;
    int step, then, lead, n, s;
    uint32_t len;

    for (step = WRITTEN; step <= SHOWN; step++) {
        int wrong = 0;

        for (then = 0; then < 5; then++) {
            for (lead = 0; lead < 3; lead++) {
                fresh(1, 0);
                slot = zone_lane(&zone, 0);
                for (n = 0; n < lead; n++) {
                    put(0, 40, 33, &seq);
                }
                die_at((enum step) step, 100);
                slot->owner.word = dead;
                wrong += lane_claim(&zone, self) != 0;
                published = slot->published;
                wrong += published != (uint64_t) lead + (step >= COUNTED);

                /* The next owner's first event is whatever it may be; then
                 * it dies as well. */
                switch (then) {

                case 0:
                    break;

                case 1:
                    wrong += !put(0, 70, 70, &seq);
                    break;

                case 2:
                    wrong += lane_reserve(&zone, 0, LANE_MAX_RECORD + 1, &seq)
                             != NULL;
                    break;

                case 3:
                    slot->dropped++;
                    break;

                case 4:
                    wrong += lane_reserve(&zone, 0, 500, &seq) == NULL;
                    lane_refuse(&zone, 0);
                    break;
                }
                slot->owner.word = dead;
                lane_reap(&zone, 0, self);
                wrong += slot->owner.word != 0;
                published += then == 1;
                wrong += slot->published != published;

                for (pos = 0, n = 0; (s = (int) take(0, &pos, &len)) >= 0;
                     n++)
                {
                    /* void */
                }
                wrong += s != -1 || (uint64_t) n != published;
                consumed(0, pos, (uint64_t) n);
                wrong += !balanced();
                wrong += !put(0, 10, 10, &seq)
                         || take(0, &pos, &len) != (int64_t) seq;
            }
        }
        is_int(wrong, 0, "death with the record %s: what is counted is there "
               "once, and nothing else", names[step]);
    }
}

/* --- damage --------------------------------------------------------------- */

static void
test_damage(void)
{
    const uint64_t size = 128 << 10;
    uint64_t seq, pos, at, i, head;
    char *ring;
    uint32_t len;
    long seen = 0, silent = 0, steps = 0;
    int round;

    for (round = 0; round < 3000; round++) {
        if (round % 500 == 0) {
            fresh(2, size);
        }
        ring = (char *) zone.header + zone.layout.rings_at;
        pos = tail_of(0);
        for (i = 0; i < 20; i++) {
            put(0, 200, (uint32_t) case_below(&rng, 200), &seq);
        }
        head = zone_lane(&zone, 0)->head;
        at = pos + case_below(&rng, head - pos);
        ring[at % size] ^= (char) (1u << case_below(&rng, 8));

        for (i = 0; i < 100; i++) {
            int64_t s = take(0, &pos, &len);

            if (s == -2) {
                seen++;
                break;
            }
            if (s == -1) {
                /* The bit was padding, or in the key that the check leaves
                 * to what it is for. */
                silent++;
                break;
            }
        }
        steps += i >= 100;
        consumed(0, head, 0);
    }
    is_int(steps, 0, "a damaged ring is read to its end");
    ok(seen > silent, "%ld bits found out, %ld were padding", seen, silent);

    /* Positions that make no sense. */
    for (round = 0; round < 20000; round++) {
        struct lane_slot *slot = zone_lane(&zone, 0);

        slot->head = case_random(&rng) >> case_below(&rng, 64);
        slot->last = case_below(&rng, 2) ? slot->head : case_random(&rng);
        consumed(0, case_below(&rng, 3) ? slot->head - case_below(&rng, size)
                                        : case_random(&rng), 0);
        for (i = 0; i < 5; i++) {
            put(0, 300, 299, &seq);
        }
        pos = tail_of(0);
        for (i = 0; i < 100000 && take(0, &pos, &len) != -1; i++) {
            if (pos == zone_lane(&zone, 0)->head) {
                break;
            }
        }
        steps += i == 100000;
        slot->owner.word = 1ull << 63;
        lane_reap(&zone, 0, zone.self);
    }
    is_int(steps, 0, "whatever the positions say, readers end");
}

int
main(void)
{
    test_claim();
    test_ring();
    test_full();
    test_largest();
    test_death();
    test_damage();
    zone_close(&zone);

    return done_testing();
}
