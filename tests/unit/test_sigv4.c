/* SPDX-License-Identifier: Apache-2.0
 *
 * Every case of the AWS signing suite that is present, in its header variant:
 * canonical request, string to sign, Authorization; then bounds, and memory
 * that is not there.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "../../libagent/deliver/sigv4.h"
#include "oom.h"
#include "tap.h"

/* The parsed request.txt: headers of "Name:value", which may be folded. */
struct wire {
    char text[8192], body[2048];
    const char *method, *path, *query;
    struct sigv4_header headers[SIGV4_MAX_HEADERS];
    size_t n;
};

static bool
slurp(const char *folder, const char *name, char *buf, size_t size)
{
    char path[1024];
    FILE *file;
    size_t n;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    n = fread(buf, 1, size - 1, file);
    fclose(file);
    buf[n] = '\0';

    return true;
}

static void
parse_headers(struct wire *wire, char *line)
{
    char *end, *colon;

    while (line != NULL && *line != '\0' && *line != '\n') {
        end = strchr(line, '\n');
        while (end != NULL && (end[1] == ' ' || end[1] == '\t')) {
            end = strchr(end + 1, '\n');
        }
        if (end != NULL) {
            *end = '\0';
        }
        colon = strchr(line, ':');
        *colon = '\0';
        wire->headers[wire->n].name = line;
        wire->headers[wire->n++].value = colon + 1;
        line = end == NULL ? NULL : end + 1;
    }

    wire->body[0] = '\0';
    if (line != NULL && *line == '\n') {
        snprintf(wire->body, sizeof(wire->body), "%s", line + 1);
    }
}

/* "GET /a path?query HTTP/1.1": the path may hold spaces. */
static void
parse(struct wire *wire)
{
    char *end = strchr(wire->text, '\n'), *path, *query;

    wire->n = 0;
    if (end != NULL) {
        *end = '\0';
    }
    path = strchr(wire->text, ' ');
    *path++ = '\0';
    *strrchr(path, ' ') = '\0';
    query = strchr(path, '?');
    if (query != NULL) {
        *query++ = '\0';
    }

    wire->method = wire->text;
    wire->path = path;
    wire->query = query;
    parse_headers(wire, end == NULL ? NULL : end + 1);
}

static const char *
string_at(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s == NULL ? "" : s;
}

static void
run_case(const char *folder, const char *name)
{
    char context_text[8192], expected[SIGV4_MAX_CANONICAL], canonical[16384];
    char to_sign[SIGV4_MAX_AUTHORIZATION];
    static struct wire wire;
    struct sigv4_signature signature;
    struct credentials credentials = { .expires_ms = 0 };
    struct sigv4_request request;
    struct sigv4_scope scope;
    const json_t *keys;
    json_t *context;
    struct tm tm = { .tm_sec = 0 };
    int64_t now_ms;

    if (!ok(slurp(folder, "context.json", context_text, sizeof(context_text))
            && slurp(folder, "request.txt", wire.text, sizeof(wire.text)),
            "%s: readable", name))
    {
        return;
    }
    context = json_loads(context_text, 0, NULL);
    keys = json_object_get(context, "credentials");
    strcpy(credentials.key_id, string_at(keys, "access_key_id"));
    strcpy(credentials.secret, string_at(keys, "secret_access_key"));
    strcpy(credentials.token, string_at(keys, "token"));
    strptime(string_at(context, "timestamp"), "%Y-%m-%dT%H:%M:%SZ", &tm);
    now_ms = (int64_t) timegm(&tm) * 1000;

    parse(&wire);
    request = (struct sigv4_request) {
        .method = wire.method, .path = wire.path, .query = wire.query,
        .headers = wire.headers, .n_headers = wire.n,
        .body = wire.body, .body_len = strlen(wire.body),
        .normalize = json_is_true(json_object_get(context, "normalize")),
        .sign_body = json_is_true(json_object_get(context, "sign_body")),
        .omit_token = json_is_true(json_object_get(context,
                                                   "omit_session_token"))
    };
    scope.region = string_at(context, "region");
    scope.service = string_at(context, "service");

    is_int(sigv4_canonical_request(&request, &credentials, now_ms, canonical),
           0, "%s: canonical request made", name);
    slurp(folder, "header-canonical-request.txt", expected, sizeof(expected));
    is_str(canonical, expected, "%s: canonical request", name);

    is_int(sigv4_string_to_sign(&request, &scope, &credentials, now_ms,
                                to_sign), 0, "%s: string made", name);
    slurp(folder, "header-string-to-sign.txt", expected, sizeof(expected));
    is_str(to_sign, expected, "%s: string to sign", name);

    is_int(sigv4_sign(&request, &scope, &credentials, now_ms, &signature), 0,
           "%s: signed", name);
    slurp(folder, "header-signature.txt", expected, sizeof(expected));
    ok(strlen(signature.authorization) > 64
       && strcmp(signature.authorization + strlen(signature.authorization)
                 - 64, expected) == 0, "%s: signature", name);
    slurp(folder, "header-signed-request.txt", expected, sizeof(expected));
    ok(strstr(expected, signature.authorization) != NULL,
       "%s: Authorization is in the signed request", name);

    json_decref(context);
}

static void
run_suite(void)
{
    const char *data = getenv("INTENT_TEST_DATA");
    char folder[512], path[1024];
    struct dirent *entry;
    int cases = 0;
    DIR *dir;

    snprintf(folder, sizeof(folder), "%s/sigv4",
             data != NULL ? data : "../shared/data");
    dir = opendir(folder);
    if (dir == NULL) {
        ok(true, "# SKIP the signing cases: %s is not there", folder);
        return;
    }

    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
            run_case(path, entry->d_name);
            cases++;
        }
    }
    closedir(dir);
    ok(cases >= 12, "%d cases", cases);
}

/* --- what the suite does not have --------------------------------------- */

static const struct credentials some = {
    .key_id = "AKIDEXAMPLE",
    .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    .token = "a/token=="
};
static const struct sigv4_scope scope_of_ours = { "us-east-1", "kinesis" };
static const struct sigv4_header host = { "Host", "localhost:1" };

static void
canonical_is(const struct sigv4_request *request, const char *begins,
             const char *what)
{
    char canonical[SIGV4_MAX_CANONICAL];

    is_int(sigv4_canonical_request(request, &some, 0, canonical), 0, "%s",
           what);
    canonical[strlen(begins)] = '\0';
    is_str(canonical, begins, "%s: canonical request", what);
}

static void
paths(void)
{
    static const struct {
        const char *path, *canonical;
    } cases[] = {
        { "/", "/" }, { "", "/" }, { "/a/b", "/a/b" }, { "/a/", "/a/" },
        { "/a/../b", "/b" }, { "/..", "/" }, { "/../../a", "/a" },
        { "/a/./b", "/a/b" }, { "/a/..", "/" }, { "/a/b/..", "/a/" },
        { "//a", "/a" }, { "/a//b/", "/a/b/" }, { "/a/.", "/a/" },
        { "/...", "/..." }, { "/%41", "/%2541" }, { "/a b", "/a%20b" }
    };
    struct sigv4_request request = {
        .method = "POST", .headers = &host, .n_headers = 1, .normalize = true
    };
    char expected[128];
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        request.path = cases[i].path;
        snprintf(expected, sizeof(expected), "POST\n%s\n\nhost:localhost:1\n",
                 cases[i].canonical);
        canonical_is(&request, expected, cases[i].path);
    }
}

static void
queries(void)
{
    struct sigv4_request request = {
        .method = "GET", .path = "/", .headers = &host, .n_headers = 1
    };

    request.query = "b=2&a=1&a=0&c&=e&%7e=%7E&x=%zz&&p=+";
    canonical_is(&request, "GET\n/\n=e&a=0&a=1&b=2&c=&p=%2B&x=%25zz&~=~\n",
                 "query: sorted, decoded, encoded");
}

static void
bounds(void)
{
    struct sigv4_header headers[SIGV4_MAX_HEADERS + 1];
    struct sigv4_request request = {
        .method = "GET", .path = "/", .headers = headers, .n_headers = 1
    };
    static char text[SIGV4_MAX_CANONICAL];
    struct sigv4_signature signature;
    size_t i;

    for (i = 0; i < SIGV4_MAX_HEADERS + 1; i++) {
        headers[i] = host;
    }
    request.n_headers = SIGV4_MAX_HEADERS + 1;
    is_int(sigv4_sign(&request, &scope_of_ours, &some, 0, &signature), -E2BIG,
           "too many headers");
    request.n_headers = 1;

    memset(text, 'a', sizeof(text) - 1);
    request.path = text;
    is_int(sigv4_sign(&request, &scope_of_ours, &some, 0, &signature), -E2BIG,
           "too long a path");
    request.path = "/";
    request.query = text;
    is_int(sigv4_sign(&request, &scope_of_ours, &some, 0, &signature), -E2BIG,
           "too long a query");
    for (i = 0; i + 1 < sizeof(text); i += 2) {
        memcpy(text + i, "a&", 2);
    }
    text[(SIGV4_MAX_PARAMS + 1) * 2] = '\0';
    is_int(sigv4_sign(&request, &scope_of_ours, &some, 0, &signature), -E2BIG,
           "too many parameters");

    request.query = NULL;
    is_int(sigv4_sign(&request, &scope_of_ours, &some, -1, &signature),
           -EINVAL, "a time before 1970");
    is_int(sigv4_sign(&request, &scope_of_ours, &some, 253402300800000,
                      &signature), -EINVAL, "a time after 9999");
    is_int(sigv4_sign(&request, &scope_of_ours, &some, 253402300799999,
                      &signature), 0, "the last second of 9999");
    is_str(signature.date, "99991231T235959Z", "its date");
}

/* --- memory that is not there ------------------------------------------- */

static void
no_memory(void)
{
    struct sigv4_request request = {
        .method = "GET", .path = "/", .headers = &host, .n_headers = 1
    };
    struct sigv4_signature signature;
    int rc = -ENOMEM, n, failed = 0;

    if (!oom_works()) {
        ok(true, "# SKIP allocations cannot be made to fail here");
        return;
    }

    for (n = 1; rc == -ENOMEM && n < 1000; n++) {
        oom_at(n);
        rc = sigv4_sign(&request, &scope_of_ours, &some, 0, &signature);
        oom_at(0);
        failed += rc == -ENOMEM;
    }

    is_int(rc, 0, "signs once there is memory");
    ok(failed > 0, "fails by -ENOMEM before that, %d times", failed);
}

int
main(void)
{
    run_suite();
    paths();
    queries();
    bounds();
    no_memory();

    return done_testing();
}
