/* SPDX-License-Identifier: Apache-2.0
 *
 * The zone file: made once, attached to by everyone, refused when it is not
 * what was asked for, with a word on what to do.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "../../libagent/base/atomic.h"
#include "../../libagent/state/lane.h"
#include "zone_case.h"

enum { SIZE = 8 << 20 };

static struct zone_params params;

static int
open_zone(struct zone *zone, const char *path, bool create,
          struct intent_error *err)
{
    memset(err, 0, sizeof(*err));

    return zone_open(zone, path, &params, create, 1234567, err);
}

static int
files_in_folder(void)
{
    DIR *dir = opendir(case_folder);
    struct dirent *entry;
    int n = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        n += entry->d_name[0] != '.';
    }
    closedir(dir);

    return n;
}

static void
test_create(void)
{
    const char *path = case_path("new");
    struct intent_error err;
    struct zone a, b;
    struct stat st, folder;
    uint64_t size, i, total = 0;
    char *popular;

    is_int(open_zone(&a, path, false, &err), -ENOENT, "no zone yet");
    ok(strstr(err.text, path) != NULL && strstr(err.text, "does not exist"),
       "says so: %s", err.text);
    is_int(files_in_folder(), 0, "and makes none");

    is_int(open_zone(&a, path, true, &err), 0, "made");
    is_int(open_zone(&b, path, true, &err), 0, "attached to");
    is_int(files_in_folder(), 1, "nothing else is left");
    ok(a.header->boot == b.header->boot && a.header != b.header,
       "it is the same one");
    is_int(a.header->created_ms, 1234567, "dated");
    ok(a.header->hash_key[0] != 0 && a.header->stream_key[0] != 0
       && a.header->hash_key[0] != a.header->stream_key[0], "with keys");

    stat(path, &st);
    stat(case_folder, &folder);
    is_int(st.st_mode & 07777, 0660, "for its owner and group");
    ok(st.st_uid == folder.st_uid && st.st_gid == folder.st_gid,
       "those of the folder");
    ok((uint64_t) st.st_blocks * 512 >= SIZE, "with all its memory");

    popular = zone_popularity(&a, &size);
    for (i = 0; i < size; i++) {
        total += popular[i] != 0;
    }
    is_int(total, 0, "the popularity section is all zero");
    is_int(size, params.popularity_size, "and as large as asked");
    is_int(zone_now(&a), INT64_MIN, "no event yet");

    zone_close(&a);
    zone_close(&a);
    zone_close(&b);
    is_int(open_zone(&a, path, false, &err), 0, "it stays");
    zone_close(&a);
    unlink(path);
}

static void
test_sizes(void)
{
    struct zone_params p = case_params(0, 0);
    struct intent_error err;
    struct zone zone;
    uint64_t min;
    int rc, lanes, wrong = 0;

    for (lanes = 0; lanes <= 64; lanes = lanes * 2 + (lanes == 0)) {
        p = (struct zone_params) { .lanes = (uint32_t) lanes,
                                   .horizon_ms = 3600000 };
        min = zone_min_size(&p);
        p.size = min;
        rc = zone_open(&zone, case_path("min"), &p, true, 0, &err);
        wrong += rc != 0;
        if (rc == 0) {
            wrong += zone.header->n_shards < 1;
            zone_close(&zone);
        }
        unlink(case_path("min"));
        p.size = min - (1 << 20);
        rc = zone_open(&zone, case_path("min"), &p, true, 0, &err);
        wrong += rc >= 0 || strstr(err.text, "too small") == NULL;
        wrong += p.size != 0 && strstr(err.text, "at least") == NULL;
    }
    is_int(wrong, 0, "the smallest size works, less is refused with it");
    is_int(files_in_folder(), 0, "and leaves nothing");

    p.size = min - (1 << 20);
    is_int(zone_check(case_path("min"), &p, &err), -EINVAL,
           "a check refuses it too");
}

/* --- files that are something else ---------------------------------------- */

static void
refused(const char *path, const char *says, const char *what)
{
    struct intent_error err;
    struct zone zone;
    int rc = open_zone(&zone, path, true, &err);

    if (!ok(rc == -EINVAL && strstr(err.text, says) != NULL
            && strstr(err.text, path) != NULL
            && strstr(err.text, "remove the file") != NULL
            && zone.header == NULL && zone.fd == -1, "refused: %s", what))
    {
        printf("#   %d: %s\n", rc, err.text);
    }
    rc = zone_check(path, &params, &err);
    ok(rc == -EINVAL, "by a check too: %d", rc);
}

static void
write_file(const char *path, const void *data, size_t len, off_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0660);

    if (write(fd, data, len) != (ssize_t) len || ftruncate(fd, size) != 0) {
        perror(path);
    }
    close(fd);
}

static void
test_foreign(void)
{
    const char *path = case_path("other");
    static char text[SIZE];
    struct intent_error err;
    struct zone zone;
    int fd;

    write_file(path, "", 0, 0);
    refused(path, "0 bytes, zone.size asks for", "an empty file");
    write_file(path, "", 0, SIZE);
    refused(path, "not an intent zone", "a file of zeros");
    memset(text, 'x', sizeof(text));
    write_file(path, text, sizeof(text), SIZE);
    refused(path, "not an intent zone", "a text");
    unlink(path);

    open_zone(&zone, path, true, &err);
    zone_close(&zone);
    params.size = SIZE * 2;
    refused(path, "zone.size asks for 16777216", "a zone of another size");
    params.size = SIZE;

    fd = open(path, O_RDWR);
    if (ftruncate(fd, SIZE / 2) != 0) {
        perror("ftruncate");
    }
    close(fd);
    refused(path, "has 4194304 bytes", "one that was cut short");
    unlink(path);

    mkdir(path, 0700);
    ok(open_zone(&zone, path, true, &err) < 0 && err.text[0] != '\0',
       "a folder: %s", err.text);
    rmdir(path);
    mkfifo(path, 0600);
    refused(path, "not a regular file", "a pipe");
    unlink(path);
}

/* One field of the header (or of the first shard) at a time. */
static void
test_damaged(void)
{
    static const struct {
        const char *name;
        size_t at, size;
        const char *says;
    } fields[] = {
#define FIELD(f, says)                                                        \
        { #f, offsetof(struct zone_header, f),                                \
          sizeof(((struct zone_header *) 0)->f), says }
        FIELD(magic, "not an intent zone"),
        FIELD(ready, "never finished"),
        FIELD(version, "another version"),
        FIELD(header_size, "damaged"), FIELD(size, "damaged"),
        FIELD(stamp_ms, "damaged"), FIELD(shard_size, "damaged"),
        FIELD(n_lanes, "damaged"), FIELD(n_shards, "damaged"),
        FIELD(lane_size, "damaged"), FIELD(slots_at, "damaged"),
        FIELD(rings_at, "damaged"), FIELD(popularity_at, "damaged"),
        FIELD(popularity_size, "damaged"), FIELD(shards_at, "damaged"),
        FIELD(account_at, "damaged")
#undef FIELD
    };
    static const uint64_t values[] = {
        0, 1, 7, 63, 4095, 4097, 0x7fffffff, 0xffffffff, 1ull << 40,
        1ull << 63, UINT64_MAX - 4095, UINT64_MAX
    };
    const char *path = case_path("damaged");
    struct intent_error err;
    struct zone zone, again;
    uint64_t good, value;
    size_t i, v, refusals;
    unsigned char *at;
    uint32_t saved;
    int rc, wrong = 0;

    open_zone(&zone, path, true, &err);

    for (i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        at = (unsigned char *) zone.header + fields[i].at;
        good = 0;
        memcpy(&good, at, fields[i].size);

        for (v = 0, refusals = 0; v < sizeof(values) / sizeof(*values); v++) {
            value = values[v];
            memcpy(at, &value, fields[i].size);
            rc = open_zone(&again, path, true, &err);
            if (rc == 0) {
                /* A value may happen to do; then nothing lies outside. */
                wrong += zone_shard(&again, again.header->n_shards - 1)
                         ->n_pages == 0;
                zone_close(&again);
            } else {
                refusals++;
                wrong += rc != -EINVAL
                         || strstr(err.text, fields[i].says) == NULL;
            }
        }
        memcpy(at, &good, fields[i].size);
        ok(refusals * 2 >= sizeof(values) / sizeof(*values),
           "%s: %zu damaged values refused", fields[i].name, refusals);
    }
    is_int(wrong, 0, "each with its reason");

    is_int(open_zone(&again, path, true, &err), 0, "whole again");
    zone_close(&again);

    at = (unsigned char *) zone_shard(&zone, 0)
         + offsetof(struct shard, n_buckets);
    memcpy(&saved, at, sizeof(saved));
    memset(at, 0xff, sizeof(saved));
    refused(path, "damaged", "a shard that is laid out otherwise");
    memcpy(at, &saved, sizeof(saved));

    zone_close(&zone);
    unlink(path);
}

/* --- what the system refuses ---------------------------------------------- */

/* Runs in a child: what it does to the process does not matter. */
static int
in_child(int (*run)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        _exit(run());
    }
    waitpid(pid, &status, 0);

    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int
without_rights(void)
{
    const char *path = case_path("nobody");
    struct intent_error err;
    struct zone zone;

    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
        return 77;
    }
    if (zone_check(path, &params, &err) != -EACCES
        || strstr(err.text, "write to its folder") == NULL)
    {
        printf("# check: %s\n", err.text);
        return 1;
    }
    if (open_zone(&zone, path, true, &err) != -EACCES
        || strstr(err.text, case_folder) == NULL)
    {
        printf("# open: %s\n", err.text);
        return 2;
    }

    return 0;
}

static int
on_a_full_disk(void)
{
    const char *path = case_path("small/zone");
    struct intent_error err;
    struct stat st;
    struct zone zone;
    char folder[256];
    int rc;

    snprintf(folder, sizeof(folder), "%s", case_path("small"));
    mkdir(folder, 0700);
    if (unshare(CLONE_NEWNS) != 0
        || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
        || mount("none", folder, "tmpfs", 0, "size=3m") != 0)
    {
        return 77;
    }
    rc = open_zone(&zone, case_path("small/zone"), true, &err);
    if (rc != -ENOSPC || strstr(err.text, "allocate its zone.size") == NULL) {
        printf("# %d: %s\n", rc, err.text);
        return 1;
    }
    path = case_path("small/zone");

    return stat(path, &st) == 0 ? 2 : 0;
}

static void
test_refusals(void)
{
    char folder[256];
    int rc;

    snprintf(folder, sizeof(folder), "%s", case_folder);
    chmod(folder, 0555);
    rc = in_child(without_rights);
    chmod(folder, 0700);
    if (rc == 77) {
        ok(true, "a folder that may not be written # SKIP cannot give up "
           "rights");
    } else {
        is_int(rc, 0, "a folder that may not be written");
    }

    rc = in_child(on_a_full_disk);
    if (rc == 77) {
        ok(true, "a full disk # SKIP may not mount");
    } else {
        is_int(rc, 0, "a full disk shows at once and leaves nothing");
    }
    rmdir(case_path("small"));
}

/* A check changes nothing. */
static void
test_check(void)
{
    const char *path = case_path("checked");
    struct intent_error err;
    struct zone zone;

    is_int(zone_check(path, &params, &err), 0, "it could be made");
    is_int(files_in_folder(), 0, "and was not");
    open_zone(&zone, path, true, &err);
    is_int(zone_check(path, &params, &err), 0, "it could be opened");
    zone_close(&zone);
    unlink(path);
}

static void
test_cut_short(void)
{
    const char *path = case_path("cut");
    struct intent_error err;
    struct zone zone;
    int rc;

    open_zone(&zone, path, true, &err);
    ok(zone_intact(&zone), "an intact zone");
    rc = truncate(path, SIZE - 4096);
    ok(rc == 0 && !zone_intact(&zone) && zone.broken, "one cut short");
    rc = truncate(path, SIZE);
    ok(rc == 0 && !zone_intact(&zone), "stays given up");
    zone_close(&zone);
    unlink(path);
}

/* --- several at once ------------------------------------------------------ */

enum { MAKERS = 6, THREADS = 3 };

static uint64_t boots[MAKERS * THREADS];

static void *
make(void *arg)
{
    uint64_t *boot = arg;
    struct intent_error err;
    struct zone zone;

    if (open_zone(&zone, case_path("race"), true, &err) == 0) {
        *boot = zone.header->boot;
        zone_close(&zone);
    } else {
        printf("# %s\n", err.text);
        *boot = 0;
    }

    return NULL;
}

static void
test_makers(void)
{
    int round, i, status, wrong = 0, pipes[2];
    pthread_t threads[THREADS];
    uint64_t first, boot;
    pid_t pid[MAKERS];

    for (round = 0; round < 40; round++) {
        case_path("race");
        if (pipe(pipes) != 0) {
            exit(2);
        }
        for (i = 0; i < MAKERS; i++) {
            pid[i] = fork();
            if (pid[i] == 0) {
                for (i = 0; i < THREADS; i++) {
                    pthread_create(&threads[i], NULL, make, &boots[i]);
                }
                for (i = 0; i < THREADS; i++) {
                    pthread_join(threads[i], NULL);
                }
                _exit(write(pipes[1], boots, THREADS * 8) != THREADS * 8);
            }
        }
        close(pipes[1]);
        for (first = 0, i = 0;
             read(pipes[0], &boot, sizeof(boot)) == sizeof(boot); i++)
        {
            first = first == 0 ? boot : first;
            wrong += boot == 0 || boot != first;
        }
        wrong += i != MAKERS * THREADS;
        close(pipes[0]);
        for (i = 0; i < MAKERS; i++) {
            waitpid(pid[i], &status, 0);
            wrong += status != 0;
        }
        wrong += files_in_folder() != 1;
        unlink(case_path("race"));
    }
    is_int(wrong, 0, "of %d who make it at once all have the same one",
           MAKERS * THREADS);
}

static struct zone shared;
static uint64_t found[THREADS][ZONE_MAX_TABLES];

static void *
use_registry(void *arg)
{
    uint64_t *mine = arg, i;
    struct zone zone = shared;

    for (i = 0; i < ZONE_MAX_TABLES; i++) {
        mine[i] = (uint64_t) zone_table(&zone, 1000 + i * 7);
        zone_dataset(&zone, 500 + i % ZONE_MAX_DATASETS);
        zone_watermark_raise(&zone, 3, (int64_t) (i * 1000));
        zone_watermark_raise(&zone, 3, 5);
    }

    return NULL;
}

static void
test_registry(void)
{
    struct zone_dataset *datasets;
    pthread_t threads[THREADS];
    struct intent_error err;
    uint64_t i, j, wrong = 0, seen = 0;
    pid_t pid;

    open_zone(&shared, case_path("registry"), true, &err);
    shared.self = owner_self();
    shared.counters = case_counters;

    is_int(zone_watermark_raise(&shared, 0, -5), -5, "a first watermark");
    is_int(zone_watermark_raise(&shared, 0, -9), -5, "does not fall");
    is_int(zone_watermark(&shared, 0), -5, "as read");

    for (i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, use_registry, found[i]);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (i = 0; i < ZONE_MAX_TABLES; i++) {
        seen |= 1ull << found[0][i];
        for (j = 1; j < THREADS; j++) {
            wrong += found[j][i] != found[0][i];
        }
    }
    is_int(wrong, 0, "everyone finds a table at the same place");
    ok(seen == UINT64_MAX, "each at its own");
    is_int(zone_table(&shared, 3), -ENOSPC, "then there is no more room");
    is_int(zone_table(&shared, 1007), (long long) found[0][1],
           "for others than those");
    is_int(zone_dataset(&shared, 3), -ENOSPC, "nor for datasets");
    datasets = shared.header->datasets;
    for (i = 0, wrong = 0; i < ZONE_MAX_DATASETS; i++) {
        for (j = 0; j < i; j++) {
            wrong += datasets[i].name_hash == datasets[j].name_hash;
        }
    }
    is_int(wrong, 0, "no dataset is there twice");
    is_int(zone_watermark(&shared, 3), (ZONE_MAX_TABLES - 1) * 1000,
           "watermarks only rise");
    is_int(zone_now(&shared), (ZONE_MAX_TABLES - 1) * 1000,
           "and the newest counts");

    pid = fork();
    if (pid == 0) {
        shared.header->registry.word = owner_self();
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, NULL, 0);
    is_int(zone_table(&shared, 1000), (long long) found[0][0],
           "the registry of the dead is free");
    shared.header->registry.word = owner_of(getppid());
    is_int(zone_table(&shared, 1000), -EBUSY, "that of the living is not");

    zone_close(&shared);
    unlink(case_path("registry"));
}

static void
test_private(void)
{
    struct zone_params p = case_params(64 << 20, 0);
    struct zone zone;

    is_int(zone_open_private(&zone, &p), 0, "private memory");
    ok(zone.fd == -1 && zone.grow && zone_intact(&zone), "without a file");
    is_int(zone.header->n_lanes, 0, "or lanes");
    zone_close(&zone);
    p.size = 1ull << 60;
    is_int(zone_open_private(&zone, &p), -ENOMEM, "more than there is");
}

int
main(void)
{
    params = case_params(SIZE, 4);
    params.popularity_size = 100000;

    test_create();
    test_sizes();
    test_foreign();
    test_damaged();
    test_refusals();
    test_check();
    test_cut_short();
    test_makers();
    test_registry();
    test_private();
    case_folder_remove();

    return done_testing();
}
