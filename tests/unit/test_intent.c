/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "../../libagent/engine.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../libagent/state/account.h"
#include "../../libagent/state/lock.h"
#include "../../libagent/state/shard.h"
#include "tap.h"

#define T INT64_C(1773500000000)

static char folder[] = "/tmp/intent-test-XXXXXX";
static struct intent_answer answer;

static const char *
path_of(const char *name)
{
    static char path[4][256];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);

    return path[turn];
}

/* A configuration with a count over 1h and what `more` adds to aggregates. */
static struct intent_config *
load(const char *zone, const char *more, const char *forward)
{
    const char *path = path_of("intent.json");
    struct intent_config *config = NULL;
    struct intent_error err = { 0, 0, "" };
    FILE *f = fopen(path, "w");

    fprintf(f, "{\"zone\":{\"path\":\"%s\",\"size\":\"8m\"},\"datasets\":"
            "{\"D\":{\"key\":\"user_id\",\"timestamp\":\"timestamp\","
            "\"fields\":{\"item\":\"string\",\"dwell\":\"double\"}}},"
            "\"pipelines\":{\"P\":{\"from\":\"D\",\"group_by\":\"user_id\","
            "\"aggregate\":{\"n\":{\"op\":\"count\",\"window\":\"1h\"}%s}}},"
            "\"featuresets\":{\"F\":{\"entity\":\"user_id\",\"features\":"
            "{\"n\":{\"ref\":\"P.n\"}}}},"
            "\"popularity\":{\"item\":\"item\",\"half_life\":\"1h\"},"
            "\"policy\":{\"featureset\":\"F\",\"bands\":[{\"id\":\"high\","
            "\"when\":\"n > 2.0\"}],\"ctas\":[{\"id\":\"popular\",\"when\":"
            "\"true\",\"items\":2}]}%s}", zone, more, forward);
    fclose(f);

    if (intent_config_load(path, &config, &err) != 0) {
        printf("# %s\n", err.text);
    }

    return config;
}

static struct intent *
opened(const struct intent_config *config, unsigned flags)
{
    struct intent_error err = { 0, 0, "" };
    struct intent *intent;

    if (intent_open(config, flags, &intent, &err) != 0) {
        printf("# %s\n", err.text);
    }

    return intent;
}

static int
click(struct intent *intent, const char *user, int64_t time_ms, int64_t now_ms,
      unsigned flags, unsigned wait_us)
{
    struct intent_value fields[INTENT_MAX_FIELDS];
    struct intent_who who = { user, strlen(user), NULL, 0 };
    struct intent_event event;

    intent_event_init(intent->config, &event, 0, fields, time_ms);
    intent_event_set(intent->config, &event, 1, "e1", 2);

    return intent_record(intent, &event, &who, now_ms, flags, wait_us);
}

static int64_t
count_of(struct intent *intent, const char *user, int64_t time_ms)
{
    int rc = intent_read(intent, 0, user, strlen(user), time_ms, 1000,
                         &answer);

    return rc != 0 ? rc : answer.values[1].as.i;
}

static uint64_t
counter(const struct intent *intent, enum intent_counter c)
{
    return intent->zone.counters[c];
}

static void
test_times(struct intent *intent)
{
    is_int(click(intent, "a", T, T, INTENT_RECORD_LIVE, 0), 0, "in time");
    is_int(click(intent, "a", T + 300000, T, INTENT_RECORD_LIVE, 0), 0,
           "five minutes ahead is not yet the future");
    is_int(click(intent, "a", T + 300001, T, INTENT_RECORD_LIVE, 0),
           INTENT_DID_FUTURE, "a millisecond more is");
    is_int(click(intent, "a", T + 300000 - 3600000, T, INTENT_RECORD_LIVE, 0),
           0, "an hour behind the watermark is in time");
    is_int(click(intent, "a", T + 299999 - 3600000, T, INTENT_RECORD_LIVE, 0),
           INTENT_DID_LATE, "a millisecond more is late");
    is_int(count_of(intent, "a", T + 300000), 3, "what entered the window,"
           " both of its edges");
    is_int(count_of(intent, "a", T + 300000 - 3600001), -ERANGE,
           "no read that the watermark cannot answer for");
    is_int(intent_oldest_read(intent, 0), T + 300000 - 3600000,
           "the oldest that it can");
    is_int(count_of(intent, "nobody", T), 0, "an unknown key reads zero");

    is_int(click(intent, "", T, T, 0, 0), -EINVAL, "no key");
    is_int((long long) counter(intent, INTENT_C_LATE), 1, "late is counted");
    is_int((long long) counter(intent, INTENT_C_FUTURE), 1, "so is future");
}

static void
test_decision(struct intent *intent)
{
    struct intent_decision d;
    int i;

    for (i = 0; i < 3; i++) {
        click(intent, "b", T, T, 0, 0);
    }
    intent_read(intent, 0, "b", 1, T, 0, &answer);
    is_int(intent_decide(intent, &answer, INTENT_REASON_NONE, "", 0, T, 0, &d),
           0, "decides");
    is_str(d.band, "high", "by the features");
    ok(d.personal && d.reason == INTENT_REASON_NONE, "personally");
    ok(d.n_items == 1 && d.items[0].len == 2
       && memcmp(d.items[0].id, "e1", 2) == 0, "with what is popular");

    intent_decide(intent, NULL, INTENT_REASON_CONSENT, "", 0, T, 0, &d);
    is_str(d.band, "low", "knows nothing of a visitor");
    is_str(d.cta, "popular", "and falls back");
    ok(!d.personal && d.reason == INTENT_REASON_CONSENT && d.n_items == 1,
       "to the popular, and says why");
}

/* Holds all shard locks as another living process. */
static void
set_locks(struct intent *intent, uint64_t word)
{
    uint32_t i;

    for (i = 0; i < intent->zone.header->n_shards; i++) {
        zone_shard(&intent->zone, i)->lock.word = word;
    }
}

static void
test_deferral(struct intent *intent)
{
    uint64_t other = owner_of(getppid());
    int i, deferred = 0, lost = 0;

    set_locks(intent, other);
    for (i = 0; i < ENGINE_DEFERRED + 10; i++) {
        deferred += click(intent, "c", T, T, 0, 0) == INTENT_DID_DEFER;
    }
    is_int(deferred, ENGINE_DEFERRED, "busy locks defer updates");
    lost = (int) counter(intent, INTENT_C_UNAPPLIED);
    is_int(lost, 10, "and what has no room is counted");
    is_int(count_of(intent, "c", T), -EBUSY, "a read says that it is busy");

    set_locks(intent, 0);
    is_int(intent_tick(intent, T), 0, "a tick");
    is_int(count_of(intent, "c", T), ENGINE_DEFERRED, "applies them all");
    is_int((long long) counter(intent, INTENT_C_DEFERRED), ENGINE_DEFERRED,
           "once");
    intent_tick(intent, T);
    is_int(count_of(intent, "c", T), ENGINE_DEFERRED, "and not again");

    set_locks(intent, other);
    click(intent, "d", T, T, 0, 0);
    set_locks(intent, 0);
    intent_worker_stop(intent);
    is_int(count_of(intent, "d", T), 1, "a worker that stops applies its own");
}

static void
test_dead_owner(struct intent *intent)
{
    uint64_t word;
    pid_t pid = fork();

    if (pid == 0) {
        pause();
        _exit(0);
    }
    word = owner_of(pid);
    kill(pid, SIGKILL);

    /* Killed and not yet waited for: the usual state of a killed worker. */
    while (owner_alive(word)) {
        usleep(1000);
    }
    set_locks(intent, word);
    is_int(click(intent, "e", T, T, 0, 1000), 0, "a zombie's lock is taken");
    ok(counter(intent, INTENT_C_LOCKS_RECOVERED) > 0, "and counted");
    waitpid(pid, NULL, 0);
    set_locks(intent, 0);
}

static void
test_forget(struct intent *intent)
{
    struct account_totals before, after;
    bool forwarded;

    click(intent, "f", T, T, 0, 0);
    account_read(&intent->zone, &before);
    is_int(intent_forget(intent, "f", 1, T, &forwarded), 1, "forgets");
    ok(forwarded, "tells those downstream");
    account_read(&intent->zone, &after);
    is_int((long long) (after.captured - before.captured), 1, "by an event");
    is_int(count_of(intent, "f", T), 0, "nothing is left");
    is_int(intent_forget(intent, "f", 1, T, &forwarded), 0, "of nobody");
}

static void
test_status(struct intent *intent)
{
    json_t *json;
    char *text = NULL;
    size_t len = 0;

    is_int(intent_status_json(intent, T, &text, &len), 0, "status");
    json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    ok(json != NULL && json_object_get(json, "delivery") != NULL,
       "is JSON with a delivery account");
    json_decref(json);
    intent_text_free(text);

    is_int(intent_metrics(intent, T, &text, &len), 0, "metrics");
    ok(strlen(text) == len && strstr(text, "\nintent_events_total ") != NULL,
       "are text");
    intent_text_free(text);
}

static void
test_owner(struct intent *intent)
{
    struct intent_error err;
    int32_t self = getpid(), other = getppid();

    is_int(intent_owner_check(intent, self, 0, &err), 0, "nobody's zone");
    intent_owner_claim(intent, other);
    is_int(intent_owner_check(intent, self, 0, &err), -EBUSY, "another's");
    ok(strstr(err.text, "another nginx") != NULL, "says whose: %s", err.text);
    is_int(intent_owner_check(intent, self, other, &err), 0, "the parent's");
    intent_owner_claim(intent, self);
    is_int(intent_owner_check(intent, self, 0, &err), 0, "our own");
}

/* What a changed configuration may do to a zone that is in use. */
static void
test_changed_definition(struct intent *intent)
{
    struct intent_config *wider, *other;
    struct intent *a, *b;

    click(intent, "g", T, T, 0, 0);

    wider = load("zone", ",\"n24\":{\"op\":\"count\",\"window\":\"24h\"}", "");
    a = opened(wider, 0);
    is_int(count_of(a, "g", T), 1, "another window: the history stays");

    other = load("zone", ",\"s\":{\"op\":\"sum\",\"of\":\"dwell\","
                 "\"window\":\"1h\"}", "");
    b = opened(other, 0);
    is_int(count_of(b, "g", T), 0, "another column: the table starts empty");
    click(b, "g", T, T, 0, 0);
    is_int(count_of(b, "g", T), 1, "on its own");
    is_int(count_of(intent, "g", T), 1, "and does not disturb the old one");

    intent_close(a);
    intent_close(b);
    intent_config_free(wider);
    intent_config_free(other);
}

/* A private zone takes whatever comes and loses nothing. */
static void
test_growth(void)
{
    struct intent_config *config = load("zone", "", "");
    struct intent *intent = opened(config, INTENT_OPEN_PRIVATE);
    enum { USERS = 600000 };
    char user[16];
    uint64_t size = intent->zone.size;
    int i, bad = 0;

    for (i = 0; i < USERS; i++) {
        snprintf(user, sizeof(user), "u%d", i);
        bad += click(intent, user, T, T, 0, 0) != 0;
    }
    is_int(bad, 0, "%d users", USERS);
    ok(intent->zone.size > size, "the zone grew");

    for (i = 0; i < USERS; i++) {
        snprintf(user, sizeof(user), "u%d", i);
        bad += count_of(intent, user, T) != 1;
    }
    is_int(bad, 0, "each with its one event");
    is_int((long long) counter(intent, INTENT_C_EVICTED_FULL), 0,
           "nobody was evicted");
    intent_close(intent);
    intent_config_free(config);
}

static void
test_cut_short(struct intent *intent)
{
    is_int(truncate(path_of("zone"), 4096), 0, "cut the file");
    is_int(intent_tick(intent, T), -EIO, "a tick notices");
    is_int(click(intent, "a", T, T, 0, 0), -EIO, "then nothing is touched");
    is_int(count_of(intent, "a", T), -EIO, "not by reads either");
    intent_count(intent, INTENT_C_REQUESTS, 1);
}

int
main(void)
{
    struct intent_config *config;
    struct intent_error err;
    struct intent *intent;

    if (mkdtemp(folder) == NULL) {
        return 1;
    }

    config = load("zone", "", ",\"forward\":{\"kinesis\":{\"stream\":\"s\","
                  "\"region\":\"us-east-1\"}}");
    is_int(intent_open(config, 0, &intent, &err), -ENOENT, "no zone yet");
    is_int(intent_open(config, INTENT_OPEN_CHECK, &intent, &err), 0,
           "one can be made");
    ok(access(path_of("zone"), F_OK) != 0, "checking makes none");

    intent = opened(config, INTENT_OPEN_CREATE);
    is_int(intent_worker_start(intent), 0, "takes a lane");

    test_times(intent);
    test_decision(intent);
    test_forget(intent);
    test_status(intent);
    test_dead_owner(intent);
    test_deferral(intent);
    test_owner(intent);
    test_changed_definition(intent);
    test_growth();
    test_cut_short(intent);

    intent_close(intent);
    intent_config_free(config);
    unlink(path_of("zone"));
    unlink(path_of("intent.json"));
    rmdir(folder);

    return done_testing();
}
