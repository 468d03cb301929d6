/* SPDX-License-Identifier: Apache-2.0
 *
 * kill -9 of the forwarder at its crash points, over and over, while Kinesis
 * behaves in every way it can: afterwards each event is stored, what is there
 * twice was in flight at a death or at a lost answer, and the account has
 * balanced at every instant. Arguments FIRST LAST: other seeds.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>

#include "forwarder_rig.h"

enum { SEEDS = 200, LIVES = 8, IN_FLIGHT = FORWARDER_FLIGHTS * 500 };

/* Where a life may end: everything between two steps that a crash must not
 * tear apart. */
static const char *const points[] = {
    "forwarder-turn", "forwarder-stored", "forwarder-spooled",
    "forwarder-moved", "forwarder-drained", "forwarder-gave-way",
    "spool-segment", "spool-written", "spool-position-new", "spool-position",
    "spool-removed"
};
enum { POINTS = sizeof(points) / sizeof(points[0]) };

static uint64_t random_state;
static const char *chosen;         /* NULL: live */
static uint64_t passes_left;

static uint64_t
dice(uint64_t sides)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;

    return (random_state >> 33) % sides;
}

static void
crash(const char *point)
{
    if (chosen != NULL && strcmp(point, chosen) == 0 && passes_left-- == 0) {
        raise(SIGKILL);
    }
}

void (*intent_crash_hook)(const char *point) = crash;

/* The life of one intentd: some seconds with events coming in and Kinesis
 * changing its mind, ended by kill -9 at some crash point, if by nothing. */
static void
live(void)
{
    static const enum fake_mode modes[] = {
        FAKE_OK, FAKE_OK, FAKE_OK, FAKE_DOWN, FAKE_LOST, FAKE_500,
        FAKE_PARTIAL, FAKE_THROTTLED, FAKE_MISSING, FAKE_COUNT, FAKE_STALL
    };
    int i;

    chosen = points[dice(POINTS)];
    passes_left = dice(strcmp(chosen, "forwarder-turn") == 0 ? 1000 : 12);
    if (start(true) != 0) {
        _exit(1);
    }
    for (i = 0; i < 25; i++) {
        fake_mode = modes[dice(sizeof(modes) / sizeof(modes[0]))];
        capture((uint32_t) dice(LANES), dice(120));
        run((int64_t) dice(1500));
    }
    _exit(unbalanced == 0 ? 0 : 2);
}

/* What went wrong with this seed, as a sentence; NULL: nothing. */
static const char *
one_seed(uint64_t seed, uint64_t *deaths, uint64_t *copies)
{
    static char text[200];
    struct account_totals t;
    uint64_t twice, n, here = 0;
    int life, status;
    pid_t pid;

    fresh_world();
    random_state = seed;

    /* Every other one with a spool that overflows. */
    spool_size = seed % 2 == 0 ? SPOOL : 512 << 10;

    for (life = 0; life < LIVES; life++) {
        capture((uint32_t) dice(LANES), dice(400));
        dice(2);
        pid = fork();
        if (pid == 0) {
            random_state += (uint64_t) life << 32;
            live();
        }
        waitpid(pid, &status, 0);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
            here++;
        } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            snprintf(text, sizeof(text), "a life ended with %x", status);
            return text;
        }
        check_balance();
        now.mono_ms += 100000;
        now.wall_ms += 100000;
    }

    chosen = NULL;
    fake_mode = FAKE_OK;
    if (start(true) != 0) {
        return "the last one does not start";
    }
    run(40000);
    finish();

    t = totals();
    n = stored(&twice);
    *deaths += here;
    *copies += twice;

    if (unbalanced != 0) {
        return "the account did not balance";
    }
    /* What gave way in the spool may have been stored all the same, when
     * its answer was lost. Nothing else may be missing. */
    if (t.queued != 0 || t.spooled != 0 || t.dropped[DROP_REFUSED] != 0
        || t.dropped[DROP_DAMAGED] > here * IN_FLIGHT
        || n < t.delivered
        || n > t.delivered + t.dropped[DROP_SPOOL_FULL]
               + t.dropped[DROP_DAMAGED]
        || (seed % 2 == 0 && n != t.captured - t.dropped[DROP_LANE_FULL]))
    {
        snprintf(text, sizeof(text), "captured %" PRIu64 ", stored %" PRIu64
                 ", delivered %" PRIu64 ", queued %" PRIu64 ", spooled %"
                 PRIu64 ", dropped %" PRIu64 " %" PRIu64 " %" PRIu64 " %"
                 PRIu64, t.captured, n, t.delivered, t.queued, t.spooled,
                 t.dropped[DROP_LANE_FULL], t.dropped[DROP_SPOOL_FULL],
                 t.dropped[DROP_REFUSED], t.dropped[DROP_DAMAGED]);
        return text;
    }
    if (twice > here * IN_FLIGHT + t.rest.duplicates) {
        return "more copies than were in flight";
    }

    return NULL;
}

int
main(int argc, char **argv)
{
    uint64_t seed = 1, last = SEEDS, deaths = 0, copies = 0;
    const char *wrong;
    int bad = 0;

    if (!begin()) {
        return 1;
    }
    if (argc == 3) {
        seed = strtoull(argv[1], NULL, 10);
        last = strtoull(argv[2], NULL, 10);
    }

    for (; seed <= last; seed++) {
        wrong = one_seed(seed, &deaths, &copies);
        if (wrong != NULL) {
            printf("# seed %" PRIu64 ": %s\n", seed, wrong);
            bad++;
        }
    }

    is_int(bad, 0, "every seed: 0 lost");
    ok(deaths > last / 2 || argc == 3, "%" PRIu64 " deaths, %" PRIu64
       " events stored twice", deaths, copies);

    return end();
}
