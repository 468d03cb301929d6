/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool against every failing system call, against images of its folder
 * as a crash at any step would leave it, and without memory.
 */
#define _GNU_SOURCE
#include "oom.h"
#include "spool_rig.h"

static char image[128];           /* a copy of the folder */

/* --- system calls that fail on demand ----------------------------------- */

static long faults_left = -1;      /* calls until one fails; -1: never */
static int fault_errno;

static bool
fails(void)
{
    if (faults_left < 0 || faults_left-- > 0) {
        return false;
    }
    errno = fault_errno;

    return true;
}

ssize_t
pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return fails() ? -1 : syscall(SYS_pwrite64, fd, buf, n, offset);
}

/* The disk itself is not under test: these only count. */
int
fdatasync(int fd)
{
    (void) fd;

    return fails() ? -1 : 0;
}

int
fsync(int fd)
{
    (void) fd;

    return fails() ? -1 : 0;
}

int
ftruncate(int fd, off_t size)
{
    return fails() ? -1 : (int) syscall(SYS_ftruncate, fd, size);
}

int
renameat(int a, const char *from, int b, const char *to)
{
    return fails() ? -1 : (int) syscall(SYS_renameat, a, from, b, to);
}

int
unlinkat(int dir, const char *name, int flags)
{
    return fails() ? -1 : (int) syscall(SYS_unlinkat, dir, name, flags);
}

/* One run of everything with the n-th call failing, and what the account
 * would have been told. Returns what went wrong. */
static int
run_with_fault(long n, int error, enum spool_sync sync)
{
    struct spool_mark mark = { .boot = BOOT };
    struct spool *spool;
    struct spool_item item;
    uint64_t seq = 0, next = 0, delivered = 0, lost = 0;
    int i, wrong = 0;

    fresh();
    spool = open_sized(BIG, sync);
    spool_reconcile(spool, &mark);
    faults_left = n;
    fault_errno = error;

    for (i = 0; i < 60; i++) {
        /* As the forwarder does: what failed is put again. */
        put(spool, seq, length_of(seq));
        put(spool, seq + 1, length_of(seq + 1));
        if (spool_flush(spool, 0) == 0) {
            seq += 2;
        }
        if (i % 3 == 2) {
            while (spool_next(spool, &item) == 1) {
                wrong += !sound(&item) || item.seq != next;
                next = item.seq + 1;
                delivered++;
            }
            lost += spool_skipped(spool);
            spool_advance(spool);
            spool_clean(spool, i * 100);
        }
        spool_tick(spool, i * 100);
        if (i == 31) {
            mark = mark_of(spool);
            spool_close(spool, 3200);
            spool = open_sized(BIG, sync);
            if (spool == NULL) {
                return 1;
            }
            wrong += spool_reconcile(spool, &mark) != 0;
        }
    }
    wrong += faults_left >= 0 ? 1000000 : 0;
    faults_left = -1;
    wrong += spool_count(spool) + delivered + lost != seq;
    wrong += lost != 0 || seq < 116;
    spool_clean(spool, 0);
    spool_close(spool, 0);

    return wrong;
}

static void
every_call_fails(void)
{
    static const int errors[] = { EIO, ENOSPC, EROFS };
    static const enum spool_sync syncs_of[] = {
        SPOOL_ALWAYS, SPOOL_EVERYSEC, SPOOL_OFF
    };
    size_t e, s;
    long n;
    int wrong, bad = 0, runs = 0;

    for (e = 0; e < 3; e++) {
        for (s = 0; s < 3; s++) {
            for (n = 0; ; n++) {
                wrong = run_with_fault(n, errors[e], syncs_of[s]);
                if (wrong >= 1000000) {
                    bad += wrong != 1000000;
                    break;
                }
                if (wrong != 0) {
                    printf("# call %ld, %s, sync %d: %d\n", n,
                           strerror(errors[e]), (int) s, wrong);
                }
                bad += wrong != 0;
                runs++;
            }
        }
    }
    faults_left = -1;
    is_int(bad, 0, "%d runs, each with another system call failing: nothing "
           "lost, nothing twice", runs);
}

/* --- crashes ------------------------------------------------------------ */

/* After each step the folder is copied as a crash would leave it, and opened
 * with the account as it was then. */
static int
check_image(const struct spool_mark *mark)
{
    char kept[128];
    struct spool *spool;
    uint64_t next = mark->read;
    long n;
    int wrong;

    memcpy(kept, folder, sizeof(kept));
    copy_folder(folder, image);
    memcpy(folder, image, sizeof(folder));

    spool = open_sized(1 << 20, SPOOL_OFF);
    wrong = spool_reconcile(spool, mark) != 0;
    n = drain(spool, &next, 100000);
    wrong += n != (long) (mark->end - mark->read)
             || spool_skipped(spool) != 0 || next != mark->end;
    spool_close(spool, 0);

    memcpy(folder, kept, sizeof(folder));

    return wrong;
}

static void
crash_images(void)
{
    struct spool_mark mark;
    struct spool *spool;
    uint64_t seq = 0, next = 0, random = 5;
    int step, wrong = 0;

    fresh();
    spool = open_sized(1 << 20, SPOOL_OFF);
    mark = (struct spool_mark) { .boot = BOOT };
    spool_reconcile(spool, &mark);
    mark = mark_of(spool);

    for (step = 0; step < 120; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;

        fill(spool, seq, seq + (random >> 40) % 700 + 1, 1000);
        wrong += check_image(&mark);           /* written, not committed */
        seq = spool_end_index(spool);
        mark = mark_of(spool);
        wrong += check_image(&mark);           /* committed */

        drain(spool, &next, (long) ((random >> 20) % 800));
        spool_advance(spool);
        mark = mark_of(spool);
        wrong += check_image(&mark);           /* delivered, not removed */
        spool_clean(spool, step * 1000);
        wrong += check_image(&mark);           /* removed */
        spool_tick(spool, step * 1000);
        wrong += check_image(&mark);           /* position saved */
    }

    is_int(wrong, 0, "600 crash images: each holds exactly what the account "
           "says");
    is_int(spool_skipped(spool), 0, "after %" PRIu64 " records", seq);
    spool_close(spool, 0);
}

/* --- memory that is not there ------------------------------------------- */

static void
no_memory(void)
{
    struct spool_options options = {
        .path = folder, .size = BIG, .sync = SPOOL_OFF, .new_id = 1
    };
    struct spool *spool = NULL;
    int n, rc = -ENOMEM, failed = 0;

    if (!oom_works()) {
        ok(true, "# SKIP allocations cannot be made to fail here");
        return;
    }

    make_few();
    for (n = 1; rc != 0 && n < 100; n++) {
        oom_at(n);
        rc = spool_open(&options, 0, &spool);
        oom_at(0);
        failed += rc == -ENOMEM;
    }
    ok(rc == 0 && failed == n - 2 && failed > 3,
       "%d allocations failed, each as -ENOMEM", failed);
    is_int(spool_count(spool), FEW, "and then it opens");
    spool_close(spool, 0);
}

int
main(void)
{
    if (!begin()) {
        return 1;
    }
    snprintf(image, sizeof(image), "%s/image", root);

    every_call_fails();
    crash_images();
    no_memory();

    return end();
}
