/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/utf8.h"
#include "config_dataset.h"
#include "config_feature.h"
#include "config_locate.h"
#include "config_pipeline.h"
#include "config_policy.h"
#include "config_read.h"
#include "config_zone.h"
#include "plan.h"

/* --- the file ------------------------------------------------------------ */

static int
system_error(void)
{
    return errno > 0 ? -errno : -EIO;
}

/* Reads up to one byte more than is allowed, so that too much shows. */
static int
read_all(int fd, size_t hint, char **text, size_t *len)
{
    size_t size = hint < CONFIG_MAX_SIZE ? hint + 1 : CONFIG_MAX_SIZE + 1;
    size_t at = 0;
    char *buf, *more;
    ssize_t n;
    int rc;

    buf = malloc(size);
    if (buf == NULL) {
        return -ENOMEM;
    }

    for (;;) {
        n = read(fd, buf + at, size - at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = system_error();
            goto fail;
        }
        at += (size_t) n;
        if (n == 0 || at > CONFIG_MAX_SIZE) {
            break;
        }
        if (at == size) {
            size = size < CONFIG_MAX_SIZE / 2 ? size * 2
                                              : CONFIG_MAX_SIZE + 1;
            more = realloc(buf, size);
            if (more == NULL) {
                rc = -ENOMEM;
                goto fail;
            }
            buf = more;
        }
    }
    *text = buf;
    *len = at;

    return 0;

fail:
    free(buf);

    return rc;
}

/* The file's bytes, to be freed; or NULL, *rc and the error. */
static char *
read_file(const char *path, size_t *len, int *rc, struct intent_error *err)
{
    struct stat st;
    char *text = NULL;
    int fd;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        *rc = system_error();
    } else if (S_ISDIR(st.st_mode)) {
        *rc = -EISDIR;
    } else {
        *rc = read_all(fd, st.st_size > 0 ? (size_t) st.st_size : 4096, &text,
                       len);
    }
    if (fd >= 0) {
        close(fd);
    }

    if (*rc == -EISDIR) {
        error_at(err, path, 0, 0, "is a directory; expected a file");
    } else if (*rc != 0) {
        error_at(err, path, 0, 0, "cannot be read: %s", strerror(-*rc));
    } else if (*len > CONFIG_MAX_SIZE) {
        error_at(err, path, 0, 0, "is larger than %d MiB; expected a "
                 "configuration", CONFIG_MAX_SIZE >> 20);
        free(text);
        text = NULL;
        *rc = -EINVAL;
    }

    return text;
}

/* --- the JSON ------------------------------------------------------------ */

__attribute__((format(printf, 3, 4)))
static int
fail_at(const struct config_source *source, size_t offset, const char *format,
        ...)
{
    char text[sizeof(source->err->text)];
    va_list args;
    int line, column;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    locate_line(source->text, offset, &line, &column);
    error_at(source->err, source->file, line, column, "%s", text);

    return -EINVAL;
}

/* What the parser would take, or not explain. */
static int
check_text(const struct config_source *source)
{
    const char *text = source->text, *nul;
    size_t len = source->len, good, i;

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        return fail_at(source, 0, "a byte order mark; expected the file to "
                       "begin with {: save it as UTF-8 without one");
    }
    nul = memchr(text, '\0', len);
    if (nul != NULL) {
        return fail_at(source, (size_t) (nul - text), "a NUL byte; expected "
                       "text: save the file as UTF-8");
    }
    good = utf8_span(text, len);
    if (good < len) {
        return fail_at(source, good, "the byte 0x%02x, which is not UTF-8; "
                       "expected UTF-8", (unsigned char) text[good]);
    }
    for (i = 0; i < len && strchr(" \t\r\n", text[i]) != NULL; i++) {
        /* void */
    }
    if (i == len) {
        return fail_at(source, 0, "the file is empty; expected a JSON object: "
                       "config/intent.json is an example");
    }

    return 0;
}

/* The parser has no words of its own for a lack of memory: it says nothing, or
 * that a string, which it could not copy, is no token. */
static bool
is_memory(const struct config_source *source, const json_error_t *error,
          size_t start)
{
    return error->text[0] == '\0'
           || json_error_code(error) == json_error_out_of_memory
           || (start < source->len && source->text[start] == '"'
               && (strncmp(error->text, "invalid token", 13) == 0
                   || strncmp(error->text, "string or '}'", 13) == 0));
}

/* The parser's words up to what they are near, which is found anew: it stops
 * quoting when that is long. */
static const char *
words_of(const json_error_t *error, char buf[JSON_ERROR_TEXT_LENGTH])
{
    char *near;

    if (json_error_code(error) == json_error_null_character
        || json_error_code(error) == json_error_null_byte_in_key)
    {
        return "a NUL character is not allowed";
    }

    snprintf(buf, JSON_ERROR_TEXT_LENGTH, "%s", error->text);
    near = strstr(buf, " near ");
    if (near != NULL) {
        *near = '\0';
    }

    return buf;
}

static int
fail_json(const struct config_source *source, const json_error_t *error)
{
    char words[JSON_ERROR_TEXT_LENGTH], path[256], shown[ERROR_SHOW];
    size_t end = error->position > 0 ? (size_t) error->position : 0, start;
    const char *quote, *found;

    end = end < source->len ? end : source->len;
    start = strstr(error->text, "near end of file") != NULL ? end
            : locate_token(source->text, source->len, end);
    if (is_memory(source, error, start)) {
        return -ENOMEM;
    }

    if (json_error_code(error) == json_error_duplicate_key) {
        locate_path(source->text, end, path, sizeof(path));
        return fail_at(source, start, "%s: the key is there twice; expected "
                       "it once", path);
    }
    if (json_error_code(error) == json_error_stack_overflow) {
        return fail_at(source, start, "nested too deeply; expected the few "
                       "levels of a configuration");
    }

    locate_path(source->text, start, path, sizeof(path));
    found = start == end ? "the end of the file"
            : error_show(shown, source->text + start, end - start);
    quote = start == end || found[0] == '"' ? "" : "\"";

    return fail_at(source, start, "%s%snot JSON: %s; found %s%s%s", path,
                   path[0] == '\0' ? "" : ": ", words_of(error, words), quote,
                   found, quote);
}

static int
parse_json(const struct config_source *source, json_t **json)
{
    json_error_t error;
    int rc;

    rc = check_text(source);
    if (rc != 0) {
        return rc;
    }
    *json = json_loadb(source->text, source->len, JSON_REJECT_DUPLICATES,
                       &error);
    if (*json != NULL) {
        return 0;
    }
    return fail_json(source, &error);
}

/* --- the model ----------------------------------------------------------- */

static int
build_plan(const struct config_node *pipelines)
{
    const char *what = "";
    int rc;

    rc = plan_build(pipelines->source->config, &what);
    if (rc != -E2BIG) {
        return rc;
    }

    return config_fail(pipelines, "too many different %s in the pipelines of "
                       "one dataset and group_by; expected at most %d", what,
                       PLAN_MAX_WINDOWS);
}

_Static_assert(PLAN_MAX_WINDOWS == PLAN_MAX_COLUMNS
               && PLAN_MAX_WINDOWS == PLAN_MAX_WHERES,
               "the message names one bound for all");

/* In the order in which the sections build on each other, which need not be
 * the file's. */
static int
build(const struct config_node *root)
{
    static const char *const keys[] = {
        "zone", "datasets", "pipelines", "featuresets", "popularity", "policy",
        "forward", "host", "$schema", NULL
    };
    struct config_node zone, datasets, schema, host, forward, pipelines;
    struct config_node featuresets, popularity, policy;
    const char *ignored;
    int rc;

    schema = config_member(root, "$schema");
    host = config_member(root, "host");
    pipelines = config_member(root, "pipelines");
    featuresets = config_member(root, "featuresets");
    popularity = config_member(root, "popularity");
    policy = config_member(root, "policy");
    forward = config_member(root, "forward");

    if ((rc = config_object(root, keys)) != 0
        || (rc = config_string(&schema, 4096, "the URL of a JSON Schema",
                               &ignored)) != 0
        || (rc = config_required(root, "zone", "an object with path and size",
                                 &zone)) != 0
        || (rc = config_zone(&zone)) != 0
        || (rc = config_host(&host)) != 0
        || (rc = config_required(root, "datasets", "an object that says what "
                                 "events look like", &datasets)) != 0
        || (rc = config_datasets(&datasets)) != 0
        || (rc = config_pipelines(&pipelines)) != 0
        || (rc = config_featuresets(&featuresets)) != 0
        || (rc = config_popularity(&popularity)) != 0
        || (rc = config_policy(&policy)) != 0
        || (rc = config_forward(&forward)) != 0)
    {
        return rc;
    }

    return build_plan(&pipelines);
}

int
config_parse(const char *path, const char *text, size_t len,
             struct intent_config **out, struct intent_error *err)
{
    struct config_source source = { .file = path, .text = text, .len = len,
                                    .err = err };
    struct config_node root = { .source = &source };
    struct intent_config *config;
    int rc = -ENOMEM;

    *out = NULL;
    config = source.config = calloc(1, sizeof(*config));
    if (config != NULL) {
        config->path = config_copy(&source, path, strlen(path));
    }
    if (config != NULL && config->path != NULL) {
        rc = parse_json(&source, &root.json);
    }
    if (rc == 0) {
        rc = build(&root);
    }
    json_decref(root.json);

    if (rc == 0) {
        *out = config;
        return 0;
    }
    intent_config_free(config);
    if (rc == -ENOMEM) {
        error_at(err, path, 0, 0, "out of memory");
    }

    return rc;
}

int
intent_config_load(const char *path, struct intent_config **out,
                   struct intent_error *err)
{
    size_t len = 0;
    char *text;
    int rc;

    *out = NULL;
    text = read_file(path, &len, &rc, err);
    if (text == NULL) {
        return rc;
    }
    rc = config_parse(path, text, len, out, err);
    free(text);

    return rc;
}
