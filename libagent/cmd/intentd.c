/* SPDX-License-Identifier: Apache-2.0
 *
 * intentd: everything off the request path. Holds the AWS credentials, talks
 * to Kinesis, writes the spool. If it dies, nginx goes on, the lanes fill,
 * and the next one catches up.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../deliver/forwarder.h"
#include "../deliver/uplink.h"
#include "../engine.h"
#include "log.h"

enum {
    STOP_MS = 8000,                /* for the last events; systemd gives 90 s */
    TAKE_OVER_MS = 3000,           /* for an earlier intentd to end */
    RETRY_MS = 1000,
    IDLE_MS = 200
};

/* Kinds of log lines beyond the forwarder's notes. */
enum {
    LINE_ZONE = NOTE_COUNT,
    LINE_ZONE_CHANGED,
    LINE_CONFIG
};
_Static_assert((int) LINE_CONFIG < (int) LOG_KINDS,
               "room for every kind of line");

struct daemon {
    const char *path;              /* of the configuration */
    struct intent_config *config, *next;       /* next: to change over to */
    struct intent *intent;
    struct uplink *uplink;
    struct forwarder *forwarder;
    bool stopping;                 /* the forwarder was told to */
    bool failed;                   /* exit status 1 */
    int64_t started_ms, retry_ms, checked_ms;
};

static volatile sig_atomic_t want_stop, want_reload;

static void
on_signal(int signo)
{
    if (signo == SIGHUP) {
        want_reload = 1;
    } else {
        want_stop = 1;
    }
}

static struct forwarder_time
now_both(void)
{
    struct timespec mono, wall;

    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);

    return (struct forwarder_time) {
        .mono_ms = (int64_t) mono.tv_sec * 1000 + mono.tv_nsec / 1000000,
        .wall_ms = (int64_t) wall.tv_sec * 1000 + wall.tv_nsec / 1000000
    };
}

static uint64_t
random_word(void)
{
    uint64_t word = 0;

    if (getrandom(&word, sizeof(word), 0) != sizeof(word) || word == 0) {
        word = (uint64_t) now_both().wall_ms << 20 | (uint64_t) getpid();
    }

    return word;
}

static void
idle(int64_t ms)
{
    struct timespec ts = { .tv_sec = ms / 1000,
                           .tv_nsec = ms % 1000 * 1000000 };

    nanosleep(&ts, NULL);
}

/* --- the forwarder ------------------------------------------------------ */

static void
on_note(void *arg, enum forwarder_note note, const char *text)
{
    static const enum log_level levels[] = {
#define LEVEL(id, level) [NOTE_##id] = level,
        FORWARDER_NOTES(LEVEL)
#undef LEVEL
    };

    (void) arg;
    log_line((int) note, levels[note], "%s", text);
}

/* Where only a spool is configured, it is all that takes events. */
static int
nowhere_start(void *arg, unsigned slot, const char *body, size_t len,
              int64_t wall_ms, const char **why)
{
    (void) arg, (void) slot, (void) body, (void) len, (void) wall_ms;
    *why = "forward.kinesis is not configured";

    return -ENOTSUP;
}

static int
nowhere_poll(void *arg, struct forwarder_result *result)
{
    (void) arg, (void) result;

    return 0;
}

static void
nowhere_cancel(void *arg, unsigned slot)
{
    (void) arg, (void) slot;
}

static int
nowhere_refresh(void *arg, enum kinesis_class class, int64_t wall_ms)
{
    (void) arg, (void) class, (void) wall_ms;

    return -ENOTSUP;
}

static const struct forwarder_link nowhere = {
    .start = nowhere_start,
    .poll = nowhere_poll,
    .cancel = nowhere_cancel,
    .refresh = nowhere_refresh
};

static int
make_uplink(const struct intent_config *config, struct uplink **out,
            char *why, size_t size)
{
    struct uplink_options options = {
        .region = config->forward.region,
        .endpoint = config->forward.endpoint,
        .user_agent = "intentd/" INTENT_VERSION
    };

    return uplink_new(&options, out, why, size);
}

static enum spool_sync
sync_of(enum model_sync sync)
{
    return sync == MODEL_SYNC_ALWAYS ? SPOOL_ALWAYS
           : sync == MODEL_SYNC_OFF ? SPOOL_OFF : SPOOL_EVERYSEC;
}

static int
make_forwarder(struct daemon *d)
{
    const struct model_forward *forward = &d->config->forward;
    struct zone *zone = intent_zone(d->intent);
    struct forwarder_options options = {
        .stream = forward->kinesis ? forward->stream : "",
        .spool = {
            .path = forward->spool ? forward->spool_path : NULL,
            .size = forward->spool_size,
            .sync = sync_of(forward->sync),
            .new_id = random_word()
        },
        .self = zone->self,
        .random = random_word(),
        .note = on_note
    };
    struct forwarder_link link = d->uplink != NULL ? uplink_link(d->uplink)
                                                   : nowhere;

    return forwarder_new(&options, &link, zone, now_both(), &d->forwarder);
}

/* 0, or nothing yet. An intentd that has the zone may be about to end, after
 * a restart; one that stays makes this one useless. */
static void
start_forwarder(struct daemon *d, struct forwarder_time now)
{
    char why[256];
    int rc = 0;

    if (d->config->forward.kinesis && d->uplink == NULL) {
        rc = make_uplink(d->config, &d->uplink, why, sizeof(why));
        if (rc != 0) {
            log_line(LINE_CONFIG, LOG_LEVEL_ERROR, "%s", why);
        }
    }
    if (rc == 0) {
        rc = make_forwarder(d);
    }
    if (rc == 0) {
        log_line(-1, LOG_LEVEL_NOTICE,
                 "forwarding from zone %s to %s%s%s%s, spool %s",
                 d->config->zone_path,
                 d->uplink != NULL ? "stream " : "the spool alone",
                 d->uplink != NULL ? d->config->forward.stream : "",
                 d->uplink != NULL ? " at " : "",
                 d->uplink != NULL ? uplink_url(d->uplink) : "",
                 d->config->forward.spool ? d->config->forward.spool_path
                                          : "none");
        return;
    }

    d->retry_ms = now.mono_ms + RETRY_MS;
    if (rc == -EBUSY && now.mono_ms - d->started_ms >= TAKE_OVER_MS) {
        log_line(-1, LOG_LEVEL_ERROR,
                 "another intentd (process %d) works on zone %s: stop it, or "
                 "give this one another zone.path",
                 forwarder_owner(intent_zone(d->intent)),
                 d->config->zone_path);
        d->failed = true;
        want_stop = 1;
    }
}

/* --- the zone ----------------------------------------------------------- */

static void
open_zone(struct daemon *d, struct forwarder_time now)
{
    struct intent_error err = { .text = "" };
    int rc;

    rc = intent_open(d->config, INTENT_OPEN_CREATE, &d->intent, &err);
    if (rc != 0) {
        d->retry_ms = now.mono_ms + RETRY_MS;
        log_line(LINE_ZONE, LOG_LEVEL_ERROR, "%s; it is tried again",
                 err.text[0] != '\0' ? err.text : strerror(-rc));
        return;
    }

    if (!d->config->forward.enabled) {
        log_line(-1, LOG_LEVEL_NOTICE,
                 "zone %s is open; nothing is forwarded: the configuration "
                 "has no \"forward\"", d->config->zone_path);
    }
}

static void
close_all(struct daemon *d)
{
    forwarder_free(d->forwarder, now_both());
    d->forwarder = NULL;
    uplink_free(d->uplink);
    d->uplink = NULL;
    intent_close(d->intent);
    d->intent = NULL;
    d->stopping = false;
}

/* Whether the file at the zone's path is the one that is mapped. */
static bool
zone_in_place(struct daemon *d)
{
    const struct zone *zone = intent_zone(d->intent);
    struct stat ours, there;

    return fstat(zone->fd, &ours) != 0
           || (stat(d->config->zone_path, &there) == 0
               && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev);
}

static void
stop_forwarder(struct daemon *d, struct forwarder_time now)
{
    if (d->forwarder == NULL) {
        close_all(d);
    } else if (!d->stopping) {
        forwarder_stop(d->forwarder, now.mono_ms + STOP_MS);
        d->stopping = true;
    }
}

/* About once a second: a zone that was removed or replaced is served as long
 * as someone writes to it, then given up for the one at the path. */
static void
check_zone(struct daemon *d, struct forwarder_time now)
{
    if (now.mono_ms - d->checked_ms < RETRY_MS || d->stopping) {
        return;
    }
    d->checked_ms = now.mono_ms;

    if (!zone_in_place(d)) {
        log_line(LINE_ZONE_CHANGED, LOG_LEVEL_WARNING,
                 "the zone at %s was removed or replaced: the old one is "
                 "served until nobody writes to it any more (restart nginx)",
                 d->config->zone_path);
        if (!forwarder_zone_used(intent_zone(d->intent))) {
            stop_forwarder(d, now);
        }
    }
}

/* --- configuration ------------------------------------------------------ */

/* Loads and checks everything that can be checked without the zone. */
static struct intent_config *
load_config(const char *path, char *why, size_t size)
{
    struct intent_config *config = NULL;
    struct intent_error err = { .text = "" };
    struct uplink *uplink = NULL;
    int rc;

    rc = intent_config_load(path, &config, &err);
    if (rc != 0) {
        snprintf(why, size, "%s", err.text[0] != '\0' ? err.text
                                                       : strerror(-rc));
        return NULL;
    }

    if (config->forward.kinesis) {
        rc = make_uplink(config, &uplink, why, size);
        uplink_free(uplink);
        if (rc != 0) {
            intent_config_free(config);
            return NULL;
        }
    }

    return config;
}

/* Events in the old spool would be forgotten if it were left. */
static bool
leaves_spool(const struct daemon *d, const struct intent_config *next)
{
    const struct model_forward *old = &d->config->forward;

    if (d->intent == NULL || !old->spool
        || (next->forward.spool
            && strcmp(old->spool_path, next->forward.spool_path) == 0))
    {
        return false;
    }

    return forwarder_spooled(intent_zone(d->intent)) > 0;
}

static void
change_over(struct daemon *d)
{
    close_all(d);
    if (d->next != NULL) {
        intent_config_free(d->config);
        d->config = d->next;
        d->next = NULL;
    }
}

static void
reload(struct daemon *d, struct forwarder_time now)
{
    struct intent_config *next;
    char why[600];

    want_reload = 0;

    next = load_config(d->path, why, sizeof(why));
    if (next == NULL) {
        log_line(LINE_CONFIG, LOG_LEVEL_ERROR,
                 "%s; the old configuration stays in force", why);
        return;
    }

    if (leaves_spool(d, next)) {
        log_line(LINE_CONFIG, LOG_LEVEL_ERROR,
                 "forward.spool.path was changed while the spool at %s holds "
                 "events; the old configuration stays in force: reload again "
                 "when it is empty", d->config->forward.spool_path);
        intent_config_free(next);
        return;
    }

    log_line(LINE_CONFIG, LOG_LEVEL_NOTICE, "configuration %s is read anew",
             d->path);
    intent_config_free(d->next);
    d->next = next;
    if (d->forwarder == NULL) {
        change_over(d);
    } else {
        stop_forwarder(d, now);
    }
}

/* --- the loop ----------------------------------------------------------- */

/* Opens what is not open yet, one step at a time. */
static void
set_up(struct daemon *d, struct forwarder_time now)
{
    if (now.mono_ms < d->retry_ms || want_stop) {
        return;
    }
    if (d->intent == NULL) {
        open_zone(d, now);
    }
    if (d->intent != NULL && d->config->forward.enabled
        && d->forwarder == NULL)
    {
        start_forwarder(d, now);
    }
}

/* One turn. False: the end. */
static bool
turn(struct daemon *d)
{
    struct forwarder_time now = now_both();
    int64_t wait = IDLE_MS;

    if (want_reload && !d->stopping && !want_stop) {
        reload(d, now);
    }
    if (want_stop) {
        stop_forwarder(d, now);
    }

    set_up(d, now);

    if (d->forwarder != NULL) {
        wait = forwarder_turn(d->forwarder, now);
        if (wait == -EIO) {
            log_line(LINE_ZONE, LOG_LEVEL_ERROR,
                     "the zone at %s was cut short; it is opened anew",
                     d->config->zone_path);
            close_all(d);
            d->retry_ms = now.mono_ms + RETRY_MS;
        } else if (d->stopping && forwarder_stopped(d->forwarder)) {
            change_over(d);
            return !want_stop;
        }
    } else if (want_stop) {
        return false;
    }

    if (d->intent != NULL) {
        check_zone(d, now);
    }

    if (d->uplink != NULL && d->forwarder != NULL) {
        uplink_wait(d->uplink, wait);
    } else {
        idle(wait < 0 ? IDLE_MS : wait);
    }

    return true;
}

/* Secrets shall not end up in a core file; a full disk or file limit and a
 * closed connection are errors, not ends. */
static void
set_up_process(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };

    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_CORE, &none);
}

static int
run(const char *path, struct intent_config *config)
{
    struct daemon d = {
        .path = path,
        .config = config,
        .started_ms = now_both().mono_ms
    };

    set_up_process();
    log_line(-1, LOG_LEVEL_NOTICE, "version %s, process %d, configuration %s",
             INTENT_VERSION, (int) getpid(), path);

    while (turn(&d)) {
        continue;
    }

    close_all(&d);
    intent_config_free(d.next);
    intent_config_free(d.config);
    log_line(-1, LOG_LEVEL_NOTICE, "stopped");

    return d.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const char usage[] =
    "usage: intentd [-t] CONFIG\n"
    "Brings the events that nginx captured to Kinesis. Stays in the\n"
    "foreground, logs to stderr.\n"
    "\n"
    "  -t, --test     check the configuration and exit\n"
    "  -V, --version  print the version and exit\n"
    "  -h, --help     print this and exit\n"
    "\n"
    "Signals: TERM and INT end it, with up to 8 seconds for the last events;\n"
    "HUP makes it read CONFIG again. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY\n"
    "and AWS_SESSION_TOKEN are the credentials; AWS_ENDPOINT_URL_KINESIS,\n"
    "AWS_ENDPOINT_URL and AWS_CA_BUNDLE are honoured.\n";

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        { "test", no_argument, NULL, 't' },
        { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };
    struct intent_config *config;
    bool test = false;
    char why[600];
    int c;

    while ((c = getopt_long(argc, argv, "tVh", options, NULL)) != -1) {
        switch (c) {
        case 't':
            test = true;
            break;
        case 'V':
            printf("intentd " INTENT_VERSION "\n");
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind + 1 != argc) {
        fputs(usage, stderr);
        return 2;
    }

    config = load_config(argv[optind], why, sizeof(why));
    if (config == NULL) {
        fprintf(stderr, "intentd: %s\n", why);
        return EXIT_FAILURE;
    }
    if (test) {
        intent_config_free(config);
        return EXIT_SUCCESS;
    }

    return run(argv[optind], config);
}
