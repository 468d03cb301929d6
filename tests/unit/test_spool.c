/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool as it is meant to be used: in and out in order, bounded, shared by
 * nobody; and a disk that fills up or goes away.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/resource.h>

#include "spool_rig.h"

static int syncs;

int
fdatasync(int fd)
{
    (void) fd;
    syncs++;

    return 0;
}

static void
in_and_out(void)
{
    struct spool *spool;
    struct spool_mark mark;
    uint64_t next = 0;
    long n;
    int rc;

    fresh();
    spool = open_new(NULL);
    is_int(spool_count(spool), 0, "a new spool is empty");
    is_int(spool_id(spool), NEW_ID, "it has the id that it was given");
    is_int(fill(spool, 0, 100000, 137), 0, "100,000 records go in");
    is_int(spool_count(spool), 100000, "they are counted");
    ok(files(".seg", NULL, 0) >= 2, "in several segments");

    n = drain(spool, &next, 60000);
    is_int(n, 60000, "60,000 come out in order");
    is_int(spool_count(spool), 100000, "not counted out before they are done");
    is_int(spool_unread(spool), 40000, "but handed out");
    spool_advance(spool);
    rc = spool_clean(spool, 0);
    is_int(rc, 0, "what is done with is removed");
    mark = mark_of(spool);
    spool_close(spool, 0);

    spool = open_sized(BIG, SPOOL_OFF);
    is_int(spool_reconcile(spool, &mark), 0, "opened again: nothing unknown");
    is_int(spool_count(spool), 40000, "40,000 left");
    is_int(fill(spool, 100000, 100500, 7), 0, "500 more");
    n = drain(spool, &next, 1000000);
    is_int(n, 40500, "all come out, the new ones last");
    is_int(spool_skipped(spool), 0, "none was lost");
    spool_advance(spool);
    is_int(spool_clean(spool, 0), 0, "cleaned");
    is_int(files(".seg", NULL, 0), 0, "no segment is left");
    is_int(spool_bytes(spool), 0, "no bytes");
    is_int(fill(spool, 100500, 100501, 1), 0, "one more");
    is_int(drain(spool, &next, 10), 1, "comes out");
    spool_close(spool, 0);
}

static void
once_more(void)
{
    struct spool *spool;
    uint64_t next = 0;

    fresh();
    spool = open_new(NULL);
    fill(spool, 0, 90000, 500);
    drain(spool, &next, 60000);
    spool_advance(spool);
    drain(spool, &next, 20000);
    spool_rewind(spool);
    is_int(spool_unread(spool), 30000, "what was handed out comes again");
    next = 60000;
    is_int(drain(spool, &next, 100000), 30000, "from the first of it");
    is_int(spool_skipped(spool), 0, "none lost");
    spool_close(spool, 0);
}

/* A steady trickle: written and read in turn, the active segment too. */
static void
in_turn(void)
{
    struct spool *spool;
    uint64_t next = 0, seq = 0;
    long n, got = 0;

    fresh();
    spool = open_new(NULL);
    while (seq < 20000) {
        if (fill(spool, seq, seq + seq % 7 + 1, 3) != 0) {
            break;
        }
        seq += seq % 7 + 1;
        n = drain(spool, &next, (long) (seq % 11));
        if (n < 0) {
            break;
        }
        got += n;
        if (seq % 3 == 0) {
            spool_advance(spool);
            spool_clean(spool, 0);
        }
    }
    got += drain(spool, &next, 100000);
    is_int(got, seq, "written and read in turn: all, in order");
    is_int(spool_skipped(spool), 0, "none lost");
    spool_close(spool, 0);
}

static void
one_at_a_time(void)
{
    struct spool *first, *second;
    struct spool_options options = {
        .path = folder, .size = BIG, .sync = SPOOL_OFF, .new_id = 1
    };

    fresh();
    first = open_new(NULL);
    is_int(spool_open(&options, 0, &second), -EBUSY,
           "a second process does not get the folder");
    spool_close(first, 0);
    is_int(spool_open(&options, 0, &second), 0, "until the first is gone");
    is_int(spool_id(second), NEW_ID, "the spool keeps its id");
    spool_close(second, 0);
}

static void
how_often_synced(void)
{
    static const struct {
        enum spool_sync sync;
        int flushes, seconds;
        const char *what;
    } cases[] = {
        { SPOOL_ALWAYS, 10, 0, "always: with every flush" },
        { SPOOL_EVERYSEC, 0, 5, "everysec: once a second" },
        { SPOOL_OFF, 0, 0, "off: never" }
    };
    struct spool *spool;
    size_t i;
    int n;

    for (i = 0; i < 3; i++) {
        fresh();
        spool = open_sized(BIG, cases[i].sync);
        syncs = 0;
        fill(spool, 0, 10, 1);
        is_int(syncs, cases[i].flushes, "%s", cases[i].what);
        syncs = 0;
        for (n = 0; n <= 50; n++) {
            if (cases[i].sync != SPOOL_ALWAYS) {
                fill(spool, (uint64_t) n, (uint64_t) n + 1, 1);
            }
            spool_tick(spool, n * 100);
        }
        is_int(syncs, cases[i].seconds, "%s, over 5 s", cases[i].what);
        spool_close(spool, 6000);
    }
}

/* Two zones in turn on one spool: neither takes the other's for its own. */
static void
two_zones(void)
{
    struct spool_mark a = { .boot = 1 }, b = { .boot = 2 };
    struct spool *spool;
    uint64_t next = 0;

    fresh();
    spool = open_sized(BIG, SPOOL_OFF);
    spool_reconcile(spool, &a);
    fill(spool, 0, 100, 10);
    a = mark_of(spool);
    a.boot = 1;
    spool_close(spool, 0);

    spool = open_sized(BIG, SPOOL_OFF);
    is_int(spool_reconcile(spool, &b), 100, "the second zone inherits");
    fill(spool, 100, 150, 10);
    spool_close(spool, 0);

    spool = open_sized(BIG, SPOOL_OFF);
    is_int(spool_reconcile(spool, &a), 50, "the first one finds 50 more");
    is_int(drain(spool, &next, 1000), 150, "all are delivered");
    spool_close(spool, 0);
}

/* --- size --------------------------------------------------------------- */

static void
bounded(void)
{
    enum { CAP = 1 << 20 };
    struct spool *spool;
    uint64_t seq, gone = 0, next = 0, most = 0, lost;
    long n;

    fresh();
    spool = open_sized(CAP, SPOOL_OFF);
    for (seq = 0; seq < 30000; seq++) {
        put(spool, seq, length_of(seq));
        if (seq % 100 == 99) {
            while (spool_over(spool)) {
                lost = spool_give_way(spool);
                gone += lost;
                spool_clean(spool, 0);
            }
            spool_flush(spool, 0);
            most = spool_bytes(spool) > most ? spool_bytes(spool) : most;
        }
    }
    ok(gone > 10000, "%" PRIu64 " records gave way", gone);
    ok(most <= CAP, "never more than the size on disk: %" PRIu64, most);
    is_int(spool_count(spool), 30000 - gone, "the others are counted");

    next = gone;
    n = drain(spool, &next, 100000);
    is_int(n, 30000 - (long) gone, "and come, from the oldest left on");
    is_int(next, 30000, "to the last");
    is_int(spool_skipped(spool), 0, "without a gap");
    spool_close(spool, 0);

    spool = open_sized(CAP, SPOOL_OFF);
    ok(spool_bytes(spool) > CAP / 2, "the use is known after a start");
    spool_close(spool, 0);
}

/* The oldest segment goes while some of it is on its way to Kinesis. */
static void
gives_way_in_flight(void)
{
    struct spool *spool;
    struct spool_mark mark;
    uint64_t next = 0, lost, before;

    fresh();
    spool = open_sized(1 << 20, SPOOL_OFF);
    fill(spool, 0, 3000, 100);
    drain(spool, &next, 100);
    before = spool_count(spool);
    lost = spool_give_way(spool);
    is_int(spool_count(spool), before - lost, "what goes is counted");
    is_int(spool_cursor(spool) - spool_read_index(spool), 100,
           "what is in flight stays");
    mark = mark_of(spool);
    spool_clean(spool, 0);
    next += lost;
    is_int(drain(spool, &next, 50), 50, "reading goes on behind the gap");
    is_int(next, 150 + lost, "with the right one");
    spool_advance(spool);
    is_int(spool_count(spool), before - lost - 150, "and all is counted");
    is_int(spool_skipped(spool), 0, "nothing is counted twice");
    spool_close(spool, 0);

    /* A crash before the flight landed: its 100 are gone with the file. */
    spool = open_sized(1 << 20, SPOOL_OFF);
    spool_reconcile(spool, &mark);
    next = 0;
    drain(spool, &next, 100000);
    is_int(spool_skipped(spool), 100, "after a crash the flight is counted "
           "as lost");
    spool_close(spool, 0);

    fresh();
    spool = open_sized(1 << 20, SPOOL_OFF);
    fill(spool, 0, 100, 100);
    lost = spool_give_way(spool);
    is_int(lost, 100, "the segment that is written can give way");
    is_int(spool_clean(spool, 0), 0, "its file goes");
    is_int(fill(spool, 100, 110, 10), 0, "and writing goes on");
    next = 100;
    is_int(drain(spool, &next, 100), 10, "in a new one");
    spool_close(spool, 0);
}

/* --- trouble with the disk ---------------------------------------------- */

static void
file_limit(void)
{
    struct rlimit old, small;
    struct spool *spool;
    uint64_t next = 0;
    int rc;

    fresh();
    spool = open_new(NULL);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 10000;

    is_int(fill(spool, 0, 10, 10), 0, "10 records fit");
    setrlimit(RLIMIT_FSIZE, &small);
    rc = fill(spool, 10, 310, 300);
    setrlimit(RLIMIT_FSIZE, &old);
    is_int(rc, -EFBIG, "300 do not: the file would be too large");
    is_int(spool_count(spool), 10, "nothing of them counts");
    is_int(fill(spool, 10, 310, 300), 0, "later they do");
    is_int(drain(spool, &next, 1000), 310, "each of them once");
    is_int(spool_skipped(spool), 0, "none lost");
    spool_close(spool, 0);
}

static void
vanishes(void)
{
    struct spool *spool;

    fresh();
    spool = open_new(NULL);
    fill(spool, 0, 10, 10);
    is_int(spool_tick(spool, 5000), 0, "the folder is there");
    shell("rm -rf %s", folder);
    is_int(spool_tick(spool, 6000), -ENOENT, "the folder is gone");
    spool_close(spool, 0);
    shell("mkdir -p %s", folder);
    spool = open_new(NULL);
    ok(spool != NULL, "a new one can be opened there");
    spool_close(spool, 0);

    shell("rm -rf %s && touch %s", folder, folder);
    ok(open_new(NULL) == NULL, "a file in its place is no spool");
    shell("rm -f %s", folder);
}

int
main(void)
{
    if (!begin()) {
        return 1;
    }

    in_and_out();
    once_more();
    in_turn();
    one_at_a_time();
    how_often_synced();
    bounded();
    gives_way_in_flight();
    file_limit();
    vanishes();
    two_zones();

    return end();
}
