/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an uplink sends to. How it sends is tested in tests/deliver, against
 * a server.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "../../libagent/deliver/uplink.h"
#include "tap.h"

static char why[256];

static void
environment(const char *name, const char *value)
{
    if (value == NULL) {
        unsetenv(name);
    } else {
        setenv(name, value, 1);
    }
}

static void
goes_to(const char *region, const char *endpoint, const char *url)
{
    struct uplink_options options = {
        .region = region, .endpoint = endpoint, .user_agent = "test"
    };
    struct uplink *uplink;

    is_int(uplink_new(&options, &uplink, why, sizeof(why)), 0, "%s %s",
           region != NULL ? region : "-", endpoint != NULL ? endpoint : "-");
    is_str(uplink == NULL ? why : uplink_url(uplink), url, "goes to %s", url);
    uplink_free(uplink);
}

static void
is_refused(const char *region, const char *endpoint, const char *because)
{
    struct uplink_options options = {
        .region = region, .endpoint = endpoint, .user_agent = "test"
    };
    struct uplink *uplink;

    is_int(uplink_new(&options, &uplink, why, sizeof(why)), -EINVAL,
           "%s %s is refused", region != NULL ? region : "-",
           endpoint != NULL ? endpoint : "-");
    ok(uplink == NULL && strstr(why, because) != NULL, "it says why: %s",
       why);
}

int
main(void)
{
    static const char *const names[] = {
        "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_KINESIS"
    };
    char longest[600];
    size_t i;

    for (i = 0; i < 4; i++) {
        environment(names[i], NULL);
    }

    goes_to("us-east-1", NULL, "https://kinesis.us-east-1.amazonaws.com/");
    goes_to("cn-north-1", NULL,
            "https://kinesis.cn-north-1.amazonaws.com.cn/");
    goes_to("eu-west-1", "http://localhost:4567", "http://localhost:4567/");
    goes_to("eu-west-1", "https://[::1]:4567/", "https://[::1]:4567/");
    goes_to("eu-west-1", "https://vpce-1.kinesis.eu-west-1.vpce.amazonaws.com"
            "/a/b", "https://vpce-1.kinesis.eu-west-1.vpce.amazonaws.com/a/b");

    is_refused(NULL, NULL, "AWS_REGION");
    is_refused("us east", NULL, "is not a region");
    is_refused("US-EAST-1", NULL, "is not a region");
    is_refused("us-east-1", "localhost:4567", "is not an endpoint");
    is_refused("us-east-1", "ftp://localhost", "is not an endpoint");
    is_refused("us-east-1", "http://", "is not an endpoint");
    is_refused("us-east-1", "http://user@host/", "is not an endpoint");
    is_refused("us-east-1", "http://host/?query", "is not an endpoint");
    is_refused("us-east-1", "http://host/#part", "is not an endpoint");
    is_refused("us-east-1", "http://ho st/", "is not an endpoint");
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    memcpy(longest, "http://", 7);
    is_refused("us-east-1", longest, "is not an endpoint");
    is_refused(longest + 7, NULL, "is not a region");

    environment("AWS_DEFAULT_REGION", "ap-south-1");
    goes_to(NULL, NULL, "https://kinesis.ap-south-1.amazonaws.com/");
    environment("AWS_REGION", "sa-east-1");
    goes_to(NULL, NULL, "https://kinesis.sa-east-1.amazonaws.com/");
    environment("AWS_ENDPOINT_URL", "http://localhost:1");
    goes_to("us-east-1", NULL, "http://localhost:1/");
    environment("AWS_ENDPOINT_URL_KINESIS", "http://localhost:2");
    goes_to("us-east-1", NULL, "http://localhost:2/");
    goes_to("us-east-1", "http://localhost:3", "http://localhost:3/");
    environment("AWS_ENDPOINT_URL_KINESIS", "");
    goes_to("us-east-1", NULL, "http://localhost:1/");

    return done_testing();
}
