/* SPDX-License-Identifier: Apache-2.0
 *
 * lanes fill CONFIG COUNT [RATE [PREFIX [KEYS]]]: captures COUNT events as a
 * worker of nginx would, at RATE a second (0: at once), of KEYS visitors in
 * turn (7), each with `experience_id` = PREFIX and its number.
 * lanes status CONFIG: the status of the zone as JSON.
 */
#include <intent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t
now_us(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
wait_until(int64_t us)
{
    struct timespec ts = { .tv_sec = us / 1000000,
                           .tv_nsec = us % 1000000 * 1000 };

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int
record(struct intent *intent, const struct intent_config *config, long i,
       const char *prefix, long keys)
{
    struct intent_value fields[INTENT_MAX_FIELDS];
    char user[32], item[64];
    int64_t now_ms = now_us(CLOCK_REALTIME) / 1000;
    struct intent_event event;
    struct intent_who who;
    int field, rc;

    snprintf(user, sizeof(user), "user-%ld", i % keys);
    snprintf(item, sizeof(item), "%s%ld", prefix, i);
    who = (struct intent_who) { .user = user, .user_len = strlen(user) };

    intent_event_init(config, &event, 0, fields, now_ms);
    field = intent_field_find(config, 0, "experience_id", 13);
    rc = intent_event_set(config, &event, field, item, strlen(item));
    if (rc == 0) {
        rc = intent_record(intent, &event, &who, now_ms,
                           INTENT_RECORD_LIVE | INTENT_RECORD_FORWARD, 1000);
    }

    return rc < 0 ? rc : 0;
}

static int
fill(struct intent *intent, const struct intent_config *config, int argc,
     char **argv)
{
    long n = argc > 3 ? atol(argv[3]) : 1, rate = argc > 4 ? atol(argv[4]) : 0;
    const char *prefix = argc > 5 ? argv[5] : "e";
    long keys = argc > 6 ? atol(argv[6]) : 7, i;
    int64_t start = now_us(CLOCK_MONOTONIC);
    int rc;

    rc = intent_worker_start(intent);
    for (i = 0; i < n && rc == 0; i++) {
        if (rate > 0) {
            wait_until(start + i * 1000000 / rate);
        }
        rc = record(intent, config, i, prefix, keys);
    }
    intent_worker_stop(intent);

    return rc;
}

static int
status(struct intent *intent)
{
    size_t len;
    char *text;
    int rc;

    rc = intent_status_json(intent, now_us(CLOCK_REALTIME) / 1000, &text,
                            &len);
    if (rc == 0) {
        printf("%s\n", text);
        intent_text_free(text);
    }

    return rc;
}

int
main(int argc, char **argv)
{
    struct intent_config *config = NULL;
    struct intent *intent = NULL;
    struct intent_error err = { .text = "" };
    int rc = -1;

    if (argc < 3
        || (rc = intent_config_load(argv[2], &config, &err)) != 0
        || (rc = intent_open(config, INTENT_OPEN_CREATE, &intent, &err)) != 0)
    {
        fprintf(stderr, "lanes: %s\n", argc < 3 ? "usage" : err.text);
        return 1;
    }

    rc = strcmp(argv[1], "fill") == 0 ? fill(intent, config, argc, argv)
                                      : status(intent);
    if (rc != 0) {
        fprintf(stderr, "lanes: %s\n", strerror(-rc));
    }
    intent_close(intent);
    intent_config_free(config);

    return rc != 0;
}
