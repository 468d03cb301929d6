/* SPDX-License-Identifier: Apache-2.0
 *
 * libintent: purchase intent from clicks, in shared memory.
 *
 * The only public header. Handles are opaque. Functions that can fail return
 * 0 or a negative errno; where a user's input may be at fault they also fill
 * a struct intent_error with text for people. The library never prints,
 * exits, or changes signal handlers.
 *
 * Units: every time is event time in integer milliseconds since 1970-01-01
 * UTC and is an argument; every length is in bytes and excludes a trailing
 * NUL, which is never required of the caller.
 *
 * Concurrency: a struct intent_config is immutable and may be shared by any
 * number of threads. A struct intent belongs to one thread; threads and
 * processes share state by opening the same zone, each with its own handle
 * (or, in a forked child, with the handle that it inherited, after
 * intent_worker_start()).
 */
#ifndef INTENT_H
#define INTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define INTENT_VERSION "0.1.0"

#define INTENT_API __attribute__((visibility("default")))

/* Bounds of what users can give; past them input is refused and counted. */
enum {
    INTENT_MAX_KEY = 256,          /* bytes of an entity id */
    INTENT_MAX_STRING = 1024,      /* bytes of a string field of an event */
    INTENT_MAX_FIELDS = 32,        /* fields of a dataset */
    INTENT_MAX_FEATURES = 128,     /* features of a featureset */
    INTENT_MAX_ITEM = 64,          /* bytes of an item's or category's id */
    INTENT_MAX_ITEMS = 32,         /* items of a decision */
    INTENT_MAX_BODY = 65536,       /* bytes of a beacon */
    INTENT_MAX_BATCH = 100,        /* events of a beacon */
    INTENT_MAX_DEPTH = 8           /* nesting of a beacon's JSON */
};

struct intent_config;
struct intent;

/* What is wrong with a user's input. `text` is a whole sentence that starts
 * with "file:line:column: " where a file is at fault. line and column count
 * from 1, columns in bytes; 0 where they do not apply. */
struct intent_error {
    int line;
    int column;
    char text[512];
};

enum intent_kind {
    INTENT_NULL,
    INTENT_BOOL,
    INTENT_INT,
    INTENT_DOUBLE,
    INTENT_STRING,
    INTENT_LIST,
    INTENT_MAP
};

/* A value. Strings and items are borrowed: from the caller on the way in,
 * from the config or from the answer's own scratch memory on the way out. */
struct intent_value {
    enum intent_kind kind;
    uint32_t len;                  /* string: bytes; list: items; map: pairs */
    union {
        bool b;
        int64_t i;
        double d;
        const char *s;
        const struct intent_value *items;    /* map: key, value, key, ... */
    } as;
};

/* --- configuration ------------------------------------------------------ */

/* Reads, checks and compiles intent.json. The caller frees *out. -EINVAL with
 * err filled where the file is at fault; -errno where it cannot be read. */
INTENT_API int intent_config_load(const char *path, struct intent_config **out,
                                  struct intent_error *err);
INTENT_API void intent_config_free(struct intent_config *config);

/* Index of a dataset, field or featureset by name, or -ENOENT. An empty name
 * stands for the only dataset, or for the policy's featureset (else the only
 * one); -EINVAL where that is ambiguous. */
INTENT_API int intent_dataset_find(const struct intent_config *config,
                                   const char *name, size_t len);
INTENT_API int intent_field_find(const struct intent_config *config,
                                 int dataset, const char *name, size_t len);
INTENT_API int intent_featureset_find(const struct intent_config *config,
                                      const char *name, size_t len);

/* Names for enumeration; NULL past the end. Borrowed from the config. */
INTENT_API const char *intent_featureset_name(
    const struct intent_config *config, int featureset);
INTENT_API const char *intent_feature_name(const struct intent_config *config,
                                           int featureset, int feature);
/* Whether the feature is the entity's key itself (left out of headers). */
INTENT_API bool intent_feature_is_key(const struct intent_config *config,
                                      int featureset, int feature);
INTENT_API const char *intent_zone_path(const struct intent_config *config);
INTENT_API bool intent_has_policy(const struct intent_config *config);

/* --- zone --------------------------------------------------------------- */

enum {
    INTENT_OPEN_CREATE = 1,        /* make the zone file where it is missing */
    INTENT_OPEN_PRIVATE = 2,       /* no file: private memory that grows and
                                      never evicts (replay) */
    INTENT_OPEN_CHECK = 4          /* change nothing: would it open? */
};

/* Attaches to the zone of the config, which must outlive the handle. -EINVAL
 * with err filled where the file is foreign, of another version or size, or
 * damaged; -errno with err filled where it cannot be made or mapped. With
 * INTENT_OPEN_CHECK *out stays NULL. */
INTENT_API int intent_open(const struct intent_config *config, unsigned flags,
                           struct intent **out, struct intent_error *err);
INTENT_API void intent_close(struct intent *intent);

/* The one service (nginx master) that owns the zone, so that a second one is
 * refused. check: 0, or -EBUSY with err filled when another living process
 * owns it that is neither `self` nor `parent` (a binary upgrade's old master
 * is the parent of the new one). claim: writes the owner. */
INTENT_API int intent_owner_check(struct intent *intent, int32_t self,
                                  int32_t parent, struct intent_error *err);
INTENT_API void intent_owner_claim(struct intent *intent, int32_t pid);

/* Per process that records: call after the last fork. Claims a lane, without
 * which events still count but are dropped from delivery by the reason
 * `no_lane`: -EAGAIN then, and a later intent_tick() tries again. */
INTENT_API int intent_worker_start(struct intent *intent);
INTENT_API void intent_worker_stop(struct intent *intent);

/* Housekeeping, to be called about every 100 ms by a process that records:
 * applies deferred updates, tries for a lane, sees whether the zone file was
 * cut short (then the handle fails open: -EIO from then on). */
INTENT_API int intent_tick(struct intent *intent, int64_t now_ms);

/* --- events ------------------------------------------------------------- */

struct intent_who {
    const char *user;              /* known id; NULL or empty: not logged in */
    size_t user_len;
    const char *visitor;           /* anonymous id; NULL or empty: none */
    size_t visitor_len;
};

/* One event. fields[] has one value per field of the dataset, in the order of
 * the config, and is the caller's memory (INTENT_MAX_FIELDS always suffice). */
struct intent_event {
    int dataset;
    int64_t time_ms;
    struct intent_value *fields;
};

/* All fields null. */
INTENT_API void intent_event_init(const struct intent_config *config,
                                  struct intent_event *event, int dataset,
                                  struct intent_value *fields,
                                  int64_t time_ms);

/* Sets a field from text as nginx has it, converted to the field's type; an
 * empty text leaves it absent. -E2BIG over INTENT_MAX_STRING, -EINVAL when
 * the text is not of the type, not UTF-8 or has a NUL: it then stays absent.
 * The bytes are borrowed until the event was recorded. */
INTENT_API int intent_event_set(const struct intent_config *config,
                                struct intent_event *event, int field,
                                const char *text, size_t len);

/* A time as users write it: digits (with a leading `-` perhaps) are ms since
 * 1970, else RFC 3339 ("2026-03-01T12:00:00Z"), cut to ms. -EINVAL when it is
 * neither, -ERANGE outside of the years 0000 to 9999; *ms is then unchanged. */
INTENT_API int intent_time_parse(const char *text, size_t len, int64_t *ms);

/* A parsed body: an array of events that owns all its memory. */
struct intent_batch {
    size_t n;
    struct intent_event *events;
    void *memory;
};

/* Reads one JSON object or an array of them (at most INTENT_MAX_BATCH, depth
 * INTENT_MAX_DEPTH, INTENT_MAX_BODY bytes). A member "dataset" names the
 * dataset where there are several. Members that are no fields of the dataset
 * are ignored, the entity's key among them: identity never comes from a body.
 * An event without its timestamp takes now_ms. All or nothing: -EINVAL (or
 * -E2BIG, -EOVERFLOW for too many bytes or events) with err->line = 1-based
 * number of the first bad event (0: the whole body) and err->text the reason.
 * Allocates; free with intent_batch_free(). */
INTENT_API int intent_batch_parse(const struct intent_config *config,
                                  const char *body, size_t len, int64_t now_ms,
                                  struct intent_batch *out,
                                  struct intent_error *err);
INTENT_API void intent_batch_free(struct intent_batch *batch);

/* One line of an archive: an event, or a query (a line with "featureset" and
 * "entity_id"). Borrowed parts live until intent_line_free(). */
struct intent_line {
    bool query;
    struct intent_event event;     /* with its key field; fields[] is owned */
    int featureset;
    const char *key;
    size_t key_len;
    int64_t time_ms;
    void *memory;
};

/* -EINVAL with err->text the reason. */
INTENT_API int intent_line_parse(const struct intent_config *config,
                                 const char *line, size_t len,
                                 struct intent_line *out,
                                 struct intent_error *err);
INTENT_API void intent_line_free(struct intent_line *line);

/* A hint that the visitor's state is wanted soon: to be given as early as the
 * id is known, so that memory answers while other work is done. */
INTENT_API void intent_prefetch(struct intent *intent,
                                const struct intent_who *who);

enum {
    INTENT_RECORD_LIVE = 1,        /* apply the future rule against now_ms */
    INTENT_RECORD_FORWARD = 2      /* put it in this process's lane */
};

enum {
    INTENT_DID_LATE = 1,
    INTENT_DID_FUTURE = 2,
    INTENT_DID_DEFER = 4           /* lock busy: applied at a later call */
};

/* Records one event: watermark, windows, popularity, lane. The state's key is
 * who's user, else who's visitor (live), else the event's key field (replay:
 * who == NULL). `wait_us` bounds the wait for a lock; past it the update is
 * deferred, not lost. Returns INTENT_DID_* bits, or a negative errno:
 * -EINVAL without any key, -E2BIG for a too long one, -ENOSPC only on a
 * private zone that cannot grow, -EIO when the zone is unusable. Never
 * allocates on a shared zone. */
INTENT_API int intent_record(struct intent *intent,
                             const struct intent_event *event,
                             const struct intent_who *who, int64_t now_ms,
                             unsigned flags, unsigned wait_us);

/* --- answers ------------------------------------------------------------ */

/* Values of one featureset for one entity. Reusable; about 12 KiB, so keep
 * one per process. values[] point into scratch[], the config, or the key. */
struct intent_answer {
    int featureset;
    int n;
    int64_t time_ms;
    bool approx;                   /* some window holds coalesced events */
    unsigned errors;               /* expressions that failed and read null */
    struct intent_value values[INTENT_MAX_FEATURES];
    size_t scratch_used;
    char scratch[8192];
};

/* Reads a featureset as of time_ms. The key is borrowed by the answer.
 * -ERANGE when time_ms < watermark - max_lateness, -EBUSY when the lock was
 * not free within wait_us, -EIO when the zone is unusable. */
INTENT_API int intent_read(struct intent *intent, int featureset,
                           const char *key, size_t key_len, int64_t time_ms,
                           unsigned wait_us, struct intent_answer *answer);

/* The oldest time that intent_read() takes now; INT64_MIN: any. */
INTENT_API int64_t intent_oldest_read(struct intent *intent, int featureset);

/* The answer as JSON, the object of GET features. Returns the bytes written,
 * or -ENOSPC. */
INTENT_API int intent_answer_json(const struct intent_config *config,
                                  const struct intent_answer *answer,
                                  const char *key, size_t key_len, char *buf,
                                  size_t size);

/* The answer as an RFC 9651 dictionary for Intent-Signals: without the key
 * feature, decimals rounded to three digits, nulls left out. Returns the
 * bytes written, or -ENOSPC. */
INTENT_API int intent_answer_signals(const struct intent_config *config,
                                     const struct intent_answer *answer,
                                     char *buf, size_t size);

struct intent_item {
    double score;                  /* decayed weight as of the read */
    uint32_t len;
    char id[INTENT_MAX_ITEM];
};

/* The k most popular items of a category (empty: of all), best first.
 * Returns how many, or -ENOTSUP without `popularity` in the config, -EBUSY,
 * -EIO. */
INTENT_API int intent_popular(struct intent *intent, const char *category,
                              size_t len, int64_t now_ms, unsigned wait_us,
                              int k, struct intent_item *items);

/* Why a decision is not the personal one. */
enum intent_reason {
    INTENT_REASON_NONE,
    INTENT_REASON_BUSY,            /* lock not free in time */
    INTENT_REASON_BUDGET,          /* intent_budget used up */
    INTENT_REASON_ZONE,            /* zone missing or damaged */
    INTENT_REASON_CONSENT,         /* no consent, or Sec-GPC with all_off */
    INTENT_REASON_IDENTITY,        /* no usable id */
    INTENT_REASON_COUNT
};
INTENT_API const char *intent_reason_name(enum intent_reason reason);

struct intent_decision {
    const char *band;              /* never NULL: `low` by default */
    const char *cta;               /* NULL: none applies */
    bool has_score;
    double score;
    bool personal;                 /* made from a visitor's own features */
    enum intent_reason reason;
    int n_items;                   /* of the CTA; 0 where it carries none */
    struct intent_item items[INTENT_MAX_ITEMS];
};

/* Decides from an answer. answer == NULL: nothing is known of the visitor
 * (every feature reads null), the decision is the popular one and `reason`
 * says why. `category` (may be empty) narrows popular items. */
INTENT_API int intent_decide(struct intent *intent,
                             const struct intent_answer *answer,
                             enum intent_reason reason, const char *category,
                             size_t len, int64_t now_ms, unsigned wait_us,
                             struct intent_decision *decision);

/* The category of an event by the config's popularity.by; empty if none. */
INTENT_API struct intent_value intent_event_category(
    const struct intent_config *config, const struct intent_event *event);

/* Items as an RFC 9651 list of strings. Bytes written, or -ENOSPC. */
INTENT_API int intent_items_header(const struct intent_decision *decision,
                                   char *buf, size_t size);

/* --- erasure, counters, status ------------------------------------------ */

/* Erases the key's windows in this zone and forwards a tombstone event;
 * *forwarded says whether that is in a lane. Returns the number of records
 * erased (0: it had none), or -errno. */
INTENT_API int intent_forget(struct intent *intent, const char *key,
                             size_t len, int64_t now_ms, bool *forwarded);

/* Counters that hosts increment; each is exported as
 * intent_NAME_total. X(enum suffix, name, help) */
#define INTENT_COUNTERS(X)                                                    \
    X(REQUESTS, requests, "requests that the module handled")                \
    X(EVENTS, events, "events recorded")                                      \
    X(LATE, events_late, "events older than the lateness bound")              \
    X(FUTURE, events_future, "events too far ahead of the clock")             \
    X(DEFERRED, events_deferred, "updates applied late: lock busy")           \
    X(UNAPPLIED, events_unapplied, "updates that never entered a window")     \
    X(FIELD_LONG, fields_too_long, "fields refused for their length")         \
    X(FIELD_BAD, fields_invalid, "fields refused for their type or encoding") \
    X(KEY_BAD, keys_refused, "ids refused for their length")                  \
    X(COOKIE_NEW, cookies_new, "visitor cookies issued")                      \
    X(COOKIE_OK, cookies_valid, "visitor cookies accepted")                   \
    X(COOKIE_BAD, cookies_invalid, "visitor cookies refused")                 \
    X(NO_CONSENT, requests_without_consent, "requests without consent")       \
    X(GPC, requests_gpc, "requests with Sec-GPC: 1")                          \
    X(NOT_FORWARDED, events_not_forwarded, "events kept back for privacy")    \
    X(DECISIONS, decisions, "personal decisions made")                        \
    X(DEGRADED_BUSY, degraded_busy, "popular answers: lock busy")             \
    X(DEGRADED_BUDGET, degraded_budget, "popular answers: budget used up")    \
    X(DEGRADED_ZONE, degraded_zone, "popular answers: zone unusable")         \
    X(DEGRADED_CONSENT, degraded_consent, "popular answers: no consent")      \
    X(DEGRADED_IDENTITY, degraded_identity, "popular answers: no id")         \
    X(FAIL_OPEN, fail_open, "responses served plain after a failure")         \
    X(EXPR_ERRORS, expression_errors, "expressions that failed, read as null")\
    X(BEACONS, beacons, "beacon requests accepted")                           \
    X(BEACONS_BAD, beacons_refused, "beacon requests refused")                \
    X(EVICTED_QUIET, evicted_quiet, "records dropped: nothing left to read")  \
    X(EVICTED_FULL, evicted_full, "records dropped: zone full")               \
    X(LOCKS_RECOVERED, locks_recovered, "locks taken from dead processes")    \
    X(LOCKS_BUSY, locks_busy, "lock waits that ran out")                      \
    X(RECORDS_DAMAGED, records_damaged, "records dropped as damaged")         \
    X(COALESCED, events_coalesced, "events merged into tiles")                \
    X(POPULAR_FULL, categories_full, "categories beyond the popularity table")\
    X(POPULAR_MISSED, popularity_missed, "events not made popular: lock busy") \
    X(FORGOTTEN, records_forgotten, "records erased on demand")               \
    X(BUSY_US, busy_microseconds, "microseconds spent in the module")

enum intent_counter {
#define INTENT_COUNTER_ENUM(id, name, help) INTENT_C_##id,
    INTENT_COUNTERS(INTENT_COUNTER_ENUM)
#undef INTENT_COUNTER_ENUM
    INTENT_C_COUNT
};

/* Adds to a counter of this process's lane; wait-free. */
INTENT_API void intent_count(struct intent *intent, enum intent_counter counter,
                             uint64_t n);

/* Zone fill, counters, delivery account, versions as JSON or as Prometheus
 * text. *out is malloc'ed, NUL-terminated; free with intent_text_free(). */
INTENT_API int intent_status_json(struct intent *intent, int64_t now_ms,
                                  char **out, size_t *len);
INTENT_API int intent_metrics(struct intent *intent, int64_t now_ms,
                              char **out, size_t *len);
INTENT_API void intent_text_free(char *text);

/* --- visitor cookie ----------------------------------------------------- */

enum { INTENT_VISITOR_LEN = 32, INTENT_COOKIE_MAX = 128 };

struct intent_keys;                /* cookie keys: first signs, all verify */

/* One key a line, 64 hex digits; `#` starts a comment. -EINVAL with err. */
INTENT_API int intent_keys_load(const char *path, struct intent_keys **out,
                                struct intent_error *err);
INTENT_API void intent_keys_free(struct intent_keys *keys);

/* A new key line (64 hex digits and NUL) from the system's randomness. */
INTENT_API int intent_keys_generate(char line[static 65]);

/* Makes a fresh visitor id (lower-case hex). */
INTENT_API int intent_visitor_new(struct intent *intent,
                                  char visitor[static INTENT_VISITOR_LEN]);

/* Signs: writes the cookie's value, returns its length or -errno. */
INTENT_API int intent_cookie_sign(const struct intent_keys *keys,
                                  const char visitor[static INTENT_VISITOR_LEN],
                                  int64_t now_ms,
                                  char out[static INTENT_COOKIE_MAX]);

/* Verifies the MAC, in constant time and before anything is parsed, then the
 * age. 0 and the visitor id; 1 likewise, and it should be issued anew (older
 * key, or past half its life); -EBADMSG for anything else. */
INTENT_API int intent_cookie_verify(const struct intent_keys *keys,
                                    const char *value, size_t len,
                                    int64_t now_ms, int64_t max_age_ms,
                                    char visitor[static INTENT_VISITOR_LEN]);

#ifdef __cplusplus
}
#endif
#endif
