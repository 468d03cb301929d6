/* SPDX-License-Identifier: Apache-2.0
 *
 * intentctl status: the status document for people.
 */
#include "ctl.h"

#include <jansson.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct option options[] = {
    { "json", no_argument, NULL, 'j' },
    { NULL, 0, NULL, 0 }
};

enum { TEXT = 64 };

/* 0 where the document has no such number. */
static json_int_t
number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static const char *
text(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));

    return s == NULL ? "?" : s;
}

static const char *
count(char buf[static CTL_COUNT], json_int_t n)
{
    return ctl_count(buf, n < 0 ? 0 : (uint64_t) n);
}

static const char *
bytes(char buf[static TEXT], json_int_t n)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double x = (double) n;
    int unit = 0;

    while (x >= 1024 && unit < 4) {
        x /= 1024;
        unit++;
    }
    snprintf(buf, TEXT, unit == 0 ? "%.0f %s" : "%.1f %s", x, units[unit]);

    return buf;
}

static const char *
duration(char buf[static TEXT], json_int_t ms)
{
    double s = (double) ms / 1000;

    if (s < 100) {
        snprintf(buf, TEXT, "%.1f s", s);
    } else if (s < 7200) {
        snprintf(buf, TEXT, "%.0f min", s / 60);
    } else if (s < 172800) {
        snprintf(buf, TEXT, "%.1f h", s / 3600);
    } else {
        snprintf(buf, TEXT, "%.1f days", s / 86400);
    }

    return buf;
}

/* RFC 3339 in UTC. */
static const char *
moment(char buf[static TEXT], json_int_t ms)
{
    time_t seconds = (time_t) (ms / 1000);
    struct tm tm;
    size_t len;

    if (ms < 0 || gmtime_r(&seconds, &tm) == NULL) {
        return "?";
    }
    len = strftime(buf, TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + len, TEXT - len, ".%03dZ", (int) (ms % 1000));

    return buf;
}

static double
percent(json_int_t part, json_int_t whole)
{
    return whole <= 0 ? 0.0 : 100.0 * (double) part / (double) whole;
}

static void
print_zone(const json_t *zone)
{
    char a[TEXT], b[TEXT], n[CTL_COUNT], m[CTL_COUNT];
    json_int_t heap = number(zone, "heap_bytes");
    json_int_t used = heap - number(zone, "heap_free_bytes");
    json_int_t records = number(zone, "records");
    json_int_t entries = number(zone, "index_entries");

    printf("zone        %s, %s, made %s ago\n", text(zone, "path"),
           bytes(a, number(zone, "size")),
           duration(b, number(zone, "uptime_ms")));
    printf("  records   %s of %s (%.1f%%)\n", count(n, records),
           count(m, entries), percent(records, entries));
    printf("  heap      %s of %s (%.1f%%)\n", bytes(a, used), bytes(b, heap),
           percent(used, heap));
    printf("  lanes     %d of %d in use, %s each\n",
           (int) number(zone, "lanes_used"), (int) number(zone, "lanes"),
           bytes(a, number(zone, "lane_size")));
}

static void
print_datasets(json_t *datasets, json_int_t now)
{
    const json_t *mark;
    const char *name;
    char at[TEXT], ago[TEXT];
    json_t *dataset;

    puts("newest event");
    json_object_foreach(datasets, name, dataset) {
        mark = json_object_get(dataset, "watermark");
        if (!json_is_integer(mark)) {
            printf("  %-24s none yet\n", name);
            continue;
        }
        printf("  %-24s %s, %s %s\n", name,
               moment(at, json_integer_value(mark)),
               duration(ago, llabs(now - json_integer_value(mark))),
               json_integer_value(mark) <= now ? "ago" : "ahead");
    }
}

static void
print_delivery(const json_t *delivery)
{
    static const char *const states[] = { "captured", "delivered", "queued",
                                          "spooled" };
    json_t *dropped = json_object_get(delivery, "dropped"), *n;
    json_int_t total = 0;
    char buf[CTL_COUNT];
    const char *reason;
    size_t i;

    puts("delivery");
    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        printf("  %-10s %18s\n", states[i],
               count(buf, number(delivery, states[i])));
    }

    json_object_foreach(dropped, reason, n) {
        total += json_integer_value(n);
    }
    printf("  %-10s %18s\n", "dropped", count(buf, total));
    json_object_foreach(dropped, reason, n) {
        if (json_integer_value(n) != 0) {
            printf("    %-16s %10s\n", reason,
                   count(buf, json_integer_value(n)));
        }
    }
}

static void
print_forwarder(const json_t *delivery, json_int_t now)
{
    json_int_t age = number(delivery, "forwarder_age_ms");
    json_int_t success = number(delivery, "last_success");
    char buf[TEXT];

    if (json_is_true(json_object_get(delivery, "forwarder_alive"))) {
        printf("intentd     running, last sign of life %s ago\n",
               duration(buf, age < 0 ? 0 : age));
    } else if (age < 0) {
        puts("intentd     has never run on this zone");
    } else {
        printf("intentd     not running, last sign of life %s ago\n",
               duration(buf, age));
    }

    if (success > 0) {
        printf("  delivered last %s ago\n",
               duration(buf, now > success ? now - success : 0));
    }
}

static void
print_counters(json_t *counters)
{
    char buf[CTL_COUNT];
    const char *name;
    json_t *n;
    bool any = false;

    json_object_foreach(counters, name, n) {
        if (json_integer_value(n) != 0) {
            if (!any) {
                puts("counters    (those that are not 0)");
            }
            any = true;
            printf("  %-26s %18s\n", name, count(buf, json_integer_value(n)));
        }
    }
}

static int
print_status(const char *json, size_t len)
{
    json_error_t error;
    json_t *root = json_loadb(json, len, 0, &error), *delivery;
    json_int_t now;

    if (root == NULL) {
        return ctl_fail("the status is no JSON: %s", error.text);
    }

    now = number(root, "time");
    delivery = json_object_get(root, "delivery");

    printf("intent      %s\n", text(root, "version"));
    print_zone(json_object_get(root, "zone"));
    print_datasets(json_object_get(root, "datasets"), now);
    print_delivery(delivery);
    print_forwarder(delivery, now);
    print_counters(json_object_get(root, "counters"));
    json_decref(root);

    return ctl_flush();
}

static int
status(struct intent *intent, bool as_json)
{
    char *json;
    size_t len;
    int rc;

    rc = intent_status_json(intent, ctl_now_ms(), &json, &len);
    if (rc != 0) {
        return ctl_fail("cannot read the status: %s", strerror(-rc));
    }

    if (as_json) {
        puts(json);
        rc = ctl_flush();
    } else {
        rc = print_status(json, len);
    }
    intent_text_free(json);

    return rc;
}

static int
run(const struct ctl_command *command, int argc, char **argv)
{
    struct intent_config *config;
    struct intent *intent = NULL;
    int option, result = CTL_FAILED;
    bool as_json = false;

    while ((option = ctl_option(command, argc, argv)) != -1) {
        if (option != 'j') {
            return CTL_USAGE;
        }
        as_json = true;
    }

    config = ctl_load(argv[optind]);
    if (config != NULL) {
        intent = ctl_open(config);
    }
    if (intent != NULL) {
        result = status(intent, as_json);
    }

    intent_close(intent);
    intent_config_free(config);

    return result;
}

const struct ctl_command ctl_status = {
    .name = "status",
    .synopsis = "CONFIG [--json]",
    .summary = "show how full the zone is and what became of the events",
    .help = "Reads the live zone: its fill, the newest event of each "
            "dataset, the delivery\n"
            "account (captured = delivered + queued + spooled + dropped), "
            "whether intentd\n"
            "runs, and the counters.\n"
            "\n"
            "  --json  the document of the status endpoint",
    .options = options, .min = 1, .max = 1, .run = run
};
