/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool against torn, flipped, missing and foreign files.
 */
#define _GNU_SOURCE
#include <time.h>

#include "spool_rig.h"

static char image[128];           /* a copy of the folder */

static long
size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (long) st.st_size : -1;
}

/* Cut at every byte of the last three records. */
static void
torn(void)
{
    struct spool *spool;
    struct spool_mark mark;
    uint64_t next, found;
    long size, at, whole, n;
    int wrong = 0, cuts = 0;

    make_few();
    copy_folder(folder, image);
    size = size_of(newest());
    at = size;
    for (n = FEW - 3; n < FEW; n++) {
        at -= (long) segment_record_size((uint32_t) length_of((uint64_t) n));
    }

    for (; at < size; at++) {
        copy_folder(image, folder);
        if (truncate(newest(), at) != 0) {
            wrong++;
        }

        spool = open_new(&found);
        next = 0;
        whole = drain(spool, &next, 1000);
        wrong += whole < FEW - 3 || whole >= FEW || found != (uint64_t) whole
                 || spool_skipped(spool) != 0;
        spool_close(spool, 0);

        /* The account knows that there were 40. */
        spool = open_sized(BIG, SPOOL_OFF);
        mark = (struct spool_mark) {
            .id = NEW_ID, .read = 0, .end = FEW, .boot = BOOT
        };
        wrong += spool_reconcile(spool, &mark) != 0;
        wrong += fill(spool, FEW, FEW + 3, 3) != 0;
        next = 0;
        n = drain(spool, &next, 1000);
        wrong += n != whole + 3
                 || spool_skipped(spool) != (uint64_t) (FEW - whole);
        spool_close(spool, 0);
        cuts++;
    }

    is_int(wrong, 0, "%d cuts: the whole records are read, the rest counted, "
           "and new ones go in behind", cuts);
}

static void
flip(const char *path, long bit)
{
    int fd = open(path, O_RDWR);
    char byte = 0;

    if (fd < 0 || pread(fd, &byte, 1, bit / 8) != 1) {
        ok(false, "flip");
    }
    byte = (char) (byte ^ 1 << bit % 8);
    syscall(SYS_pwrite64, fd, &byte, 1, bit / 8);
    close(fd);
}

/* Random bits: each costs at most the record that it is in. The tail of the
 * segment must be judged by the account, since an end that is gone has no
 * successor to tell. */
static void
flipped(int times)
{
    struct spool *spool;
    struct spool_mark mark = {
        .id = NEW_ID, .read = 0, .end = FEW, .boot = BOOT
    };
    uint64_t next, random = 1;
    long size, bit, n, lost = 0;
    int i, wrong = 0, kept = 0;

    make_few();
    size = size_of(newest());

    for (i = 0; i < times; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        bit = (long) (random >> 33) % (size * 8);
        flip(newest(), bit);

        spool = open_sized(BIG, SPOOL_OFF);
        spool_reconcile(spool, &mark);
        next = 0;
        n = drain(spool, &next, 1000);
        wrong += n < FEW - 1 || n > FEW
                 || spool_skipped(spool) != (uint64_t) (FEW - n);
        lost += FEW - n;

        /* Not saved, not cleaned: the next round reads it again. */
        if (i == 0) {
            kept = spool_damaged(spool) == (uint64_t) (n < FEW);
        }
        spool_close(spool, 0);
        flip(newest(), bit);
    }

    is_int(wrong, 0, "%d flips: at most one record lost by each, and counted",
           times);
    ok(lost > times / 2, "%ld records were hit", lost);
    ok(kept, "damage is counted by segment");
}

static void
quarantine(void)
{
    struct spool *spool;
    uint64_t next = 0, found;
    char *path;

    make_few();
    path = newest();
    flip(path, 8 * (64 + 56 + 3));
    spool = open_new(&found);
    is_int(found, FEW, "one byte is wrong in a record of 40");
    is_int(drain(spool, &next, 1000), FEW - 1, "39 are delivered");
    is_int(spool_skipped(spool), 1, "one is counted");
    spool_advance(spool);
    is_int(spool_clean(spool, 0), 0, "cleaned");
    is_int(files(".corrupt", NULL, 0), 1, "the segment is kept for a look");
    is_int(files(".seg", NULL, 0), 0, "under another name");
    ok(spool_bytes(spool) > 0, "and counts as used");
    spool_close(spool, 0);

    spool = open_sized(SPOOL_SEGMENT_MIN * 4, SPOOL_OFF);
    ok(spool_bytes(spool) > 0, "after a start too");
    fill(spool, 0, 3000, 100);
    while (spool_over(spool)) {
        spool_give_way(spool);
        spool_clean(spool, 0);
    }
    is_int(files(".corrupt", NULL, 0), 0,
           "it goes first when room is needed");
    spool_close(spool, 0);
}

static void
headers(void)
{
    struct spool *spool;
    uint64_t next, found, bit, wrong = 0;

    make_few();
    for (bit = 0; bit < 64 * 8; bit++) {
        flip(newest(), (long) bit);
        next = 0;
        spool = open_new(&found);
        wrong += found != FEW || drain(spool, &next, 1000) != FEW;
        spool_close(spool, 0);
        flip(newest(), (long) bit);
    }
    is_int(wrong, 0, "any wrong bit in a header costs no record");
}

/* Segments missing, empty, foreign, and other things in the folder. */
static void
odd_folders(void)
{
    struct spool_mark mark;
    struct spool *spool;
    uint64_t next = 0, found, missing;
    char victim[256] = "";

    fresh();
    spool = open_new(NULL);
    fill(spool, 0, 300000, 500);
    mark = mark_of(spool);
    spool_close(spool, 0);
    ok(files(".seg", NULL, 0) >= 4, "a spool of several segments");

    shell("cd %s && touch ffffffffffffffff.seg 00000000000000zz.seg x "
          "position.new 0000000000000001.tmp && mkdir dir.seg && "
          "ln -s x 00000000000f4240.seg && "
          "printf 'ispool\\n\\032' >00ffffffffffffff.seg", folder);
    shell("cd %s && rm $(ls | grep -v zz | grep "
          "'^0.*seg' | sed -n 2p)",
          folder);
    spool = open_sized(BIG, SPOOL_OFF);
    is_int(spool_reconcile(spool, &mark), 0, "one of them is missing");
    is_int(spool_count(spool), 300000, "the account knows of it");
    drain(spool, &next, 1000000);
    missing = spool_skipped(spool);
    ok(next == 300000 && missing > 1000, "%" PRIu64 " are counted as lost, "
       "the others come", missing);
    is_int(files(".corrupt", NULL, 0), 2, "files that make no sense are set "
           "aside");
    spool_close(spool, 0);

    spool = open_new(&found);
    is_int(found, 300000, "a new zone inherits the same");
    spool_close(spool, 0);

    shell("cd %s && echo nonsense >position", folder);
    files(".seg", victim, sizeof(victim));
    spool = open_new(&found);
    is_int(found, 300000, "without a position: all that is there");
    is_int(spool_id(spool), NEW_ID, "the segments know the spool's name");
    spool_close(spool, 0);
}

static void
many_segments(void)
{
    struct spool *spool;
    struct segment_header header;
    struct timespec a, b;
    uint64_t found, i;
    char path[256];
    double took;
    FILE *file;

    fresh();
    spool = open_new(NULL);
    spool_close(spool, 0);
    for (i = 0; i < 10000; i++) {
        snprintf(path, sizeof(path), "%s/%016" PRIx64 ".seg", folder, i);
        segment_header_make(&header, NEW_ID, i, BOOT, 0);
        file = fopen(path, "w");
        fwrite(&header, sizeof(header), 1, file);
        fclose(file);
    }

    clock_gettime(CLOCK_MONOTONIC, &a);
    spool = open_new(&found);
    clock_gettime(CLOCK_MONOTONIC, &b);
    took = (double) (b.tv_sec - a.tv_sec)
           + (double) (b.tv_nsec - a.tv_nsec) / 1e9;
    ok(spool != NULL && took < 5, "10,000 segments open (%.2f s)", took);
    is_int(found, 9999, "with what should be in them");
    spool_close(spool, 0);
}

int
main(void)
{
    if (!begin()) {
        return 1;
    }
    snprintf(image, sizeof(image), "%s/image", root);

    torn();
    flipped(10000);
    quarantine();
    headers();
    odd_folders();
    many_segments();

    return end();
}
