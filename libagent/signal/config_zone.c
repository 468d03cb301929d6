/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "config_zone.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "../base/utf8.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* Below, lanes and one shard do not fit; above, nobody has the memory and a
 * misplaced unit is likelier. */
#define MIN_ZONE (4 * MIB)
#define MAX_ZONE (1024 * GIB)

/* A ring holds at least two of the largest records. */
#define MIN_LANE (128 * KIB)
#define MAX_LANE (1 * GIB)

#define MIN_SPOOL (1 * MIB)
#define MAX_SPOOL (1024 * 1024 * GIB)
#define DEFAULT_SPOOL (1 * GIB)

enum {
    MAX_LANES = 256,
    MAX_HOST = 255,                /* of a DNS name */
    MAX_STREAM = 128,              /* of Kinesis */
    MAX_REGION = 64,
    MAX_ENDPOINT = 1024
};

/* A path of a file, relative to the configuration's folder. */
static int
read_path(const struct config_node *node, const char *expected,
          const char **out)
{
    const struct config_source *source = node->source;
    const char *slash = strrchr(source->file, '/'), *path = NULL;
    size_t folder = slash == NULL ? 0 : (size_t) (slash - source->file) + 1;
    size_t len;
    char *joined;
    int rc;

    rc = config_string(node, PATH_MAX - 1, expected, &path);
    if (rc != 0) {
        return rc;
    }

    len = strlen(path);
    if (path[len - 1] == '/') {
        return config_expected(node, expected);
    }
    if (path[0] == '/') {
        *out = path;
        return 0;
    }
    if (folder + len >= PATH_MAX) {
        return config_fail(node, "found %zu bytes with the folder of this "
                           "file; expected at most %d", folder + len,
                           PATH_MAX - 1);
    }

    joined = model_alloc(source->config, folder + len + 1);
    if (joined == NULL) {
        return -ENOMEM;
    }
    memcpy(joined, source->file, folder);
    memcpy(joined + folder, path, len + 1);
    *out = joined;

    return 0;
}

int
config_zone(const struct config_node *node)
{
    static const char *const keys[] = { "path", "size", "lanes", "lane_size",
                                        NULL };
    static const char a_path[] = "the path of a file, such as "
                                 "\"/run/intent/zone\"";
    struct intent_config *config = node->source->config;
    struct config_node path, size, lanes, lane_size;
    int rc;

    if ((rc = config_object(node, keys)) != 0
        || (rc = config_required(node, "path", a_path, &path)) != 0
        || (rc = read_path(&path, a_path, &config->zone_path)) != 0
        || (rc = config_required(node, "size", "a size, such as \"64m\"",
                                 &size)) != 0
        || (rc = config_size(&size, MIN_ZONE, MAX_ZONE,
                             &config->zone_size)) != 0)
    {
        return rc;
    }

    lanes = config_member(node, "lanes");
    lane_size = config_member(node, "lane_size");
    if ((rc = config_int(&lanes, 1, MAX_LANES, &config->lanes)) != 0
        || (rc = config_size(&lane_size, MIN_LANE, MAX_LANE,
                             &config->lane_size)) != 0)
    {
        return rc;
    }

    if (config->lane_size * (uint64_t) (config->lanes + (config->lanes == 0))
        >= config->zone_size)
    {
        return config_fail(&lane_size, "the lanes alone take the whole zone; "
                           "expected lanes times lane_size well below "
                           "zone.size");
    }

    return 0;
}

int
config_host(const struct config_node *node)
{
    struct intent_config *config = node->source->config;
    char name[HOST_NAME_MAX + 1] = "";
    size_t len;

    if (node->json != NULL) {
        return config_string(node, MAX_HOST, "a name for this machine",
                             &config->host);
    }

    if (gethostname(name, sizeof(name)) != 0) {
        name[0] = '\0';
    }
    name[sizeof(name) - 1] = '\0';
    len = strlen(name);
    config->host = len == 0 || !utf8_valid(name, len) ? "localhost"
                   : config_copy(node->source, name, len);

    return config->host == NULL ? -ENOMEM : 0;
}

static int
read_spool(const struct config_node *node, struct model_forward *forward)
{
    static const char *const keys[] = { "path", "size", "sync", NULL };
    static const char *const syncs[] = {
        [MODEL_SYNC_ALWAYS] = "always", [MODEL_SYNC_EVERYSEC] = "everysec",
        [MODEL_SYNC_OFF] = "off"
    };
    static const char a_path[] = "the path of a folder, such as "
                                 "\"/var/lib/intent/spool\"";
    struct config_node path, size, sync;
    int choice = MODEL_SYNC_EVERYSEC, rc;

    if (node->json == NULL) {
        return 0;
    }
    if ((rc = config_object(node, keys)) != 0
        || (rc = config_required(node, "path", a_path, &path)) != 0
        || (rc = read_path(&path, a_path, &forward->spool_path)) != 0)
    {
        return rc;
    }

    forward->spool_size = DEFAULT_SPOOL;
    size = config_member(node, "size");
    sync = config_member(node, "sync");
    if ((rc = config_size(&size, MIN_SPOOL, MAX_SPOOL,
                          &forward->spool_size)) != 0
        || (rc = config_choice(&sync, "sync", CONFIG_NAMES(syncs),
                               &choice)) != 0)
    {
        return rc;
    }
    forward->sync = (enum model_sync) choice;
    forward->spool = true;

    return 0;
}

/* A string of these characters only: it goes into a request as it is. */
static int
read_chars(const struct config_node *node, size_t max, const char *chars,
           const char *expected, const char **out)
{
    size_t good;
    int rc;

    rc = config_string(node, max, expected, out);
    if (rc != 0 || node->json == NULL) {
        return rc;
    }
    good = strspn(*out, chars);

    return (*out)[good] == '\0' ? 0
           : config_fail_in(node, good, "a character that cannot stand here; "
                            "expected %s", expected);
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static int
read_endpoint(const struct config_node *node, const char **out)
{
    static const char expected[] = "null, or an http:// or https:// URL";
    int rc;

    if (json_is_null(node->json)) {
        return 0;
    }
    rc = read_chars(node, MAX_ENDPOINT, LOWER UPPER DIGITS "-._~:/[]%",
                    expected, out);
    if (rc != 0 || node->json == NULL) {
        return rc;
    }
    if ((strncmp(*out, "http://", 7) != 0 || (*out)[7] == '\0')
        && (strncmp(*out, "https://", 8) != 0 || (*out)[8] == '\0'))
    {
        return config_expected(node, expected);
    }

    return 0;
}

static int
read_kinesis(const struct config_node *node, struct model_forward *forward)
{
    static const char *const keys[] = { "stream", "region", "endpoint", NULL };
    static const char a_stream[] = "a stream's name: letters, digits and "
                                   "_ - .";
    static const char a_region[] = "a region, such as \"us-east-1\"";
    struct config_node stream, region, endpoint;
    int rc;

    if (node->json == NULL) {
        return 0;
    }
    if ((rc = config_object(node, keys)) != 0
        || (rc = config_required(node, "stream", a_stream, &stream)) != 0
        || (rc = read_chars(&stream, MAX_STREAM, LOWER UPPER DIGITS "_-.",
                            a_stream, &forward->stream)) != 0
        || (rc = config_required(node, "region", a_region, &region)) != 0
        || (rc = read_chars(&region, MAX_REGION, LOWER DIGITS "-", a_region,
                            &forward->region)) != 0)
    {
        return rc;
    }

    endpoint = config_member(node, "endpoint");
    rc = read_endpoint(&endpoint, &forward->endpoint);
    forward->kinesis = rc == 0;

    return rc;
}

int
config_forward(const struct config_node *node)
{
    static const char *const keys[] = { "spool", "kinesis", NULL };
    struct model_forward *forward = &node->source->config->forward;
    struct config_node spool, kinesis;
    int rc;

    if (node->json == NULL) {
        return 0;
    }
    rc = config_object(node, keys);
    if (rc != 0) {
        return rc;
    }

    spool = config_member(node, "spool");
    kinesis = config_member(node, "kinesis");
    if (spool.json == NULL && kinesis.json == NULL) {
        return config_expected(node, "\"kinesis\", \"spool\", or both");
    }
    if ((rc = read_spool(&spool, forward)) != 0
        || (rc = read_kinesis(&kinesis, forward)) != 0)
    {
        return rc;
    }
    forward->enabled = true;

    return 0;
}
