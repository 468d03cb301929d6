/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/signal/config_zone.h"

#include <limits.h>
#include <unistd.h>

#include "config_case.h"

#define EVENTS ",'datasets':{'D':{'key':'u'}}}"

static const struct bad_config bad_zones[] = {
    { "1",
      "2:9: zone: found the number 1; expected an object { ... }" },
    { "null",
      "2:9: zone: found null; expected an object { ... }" },
    { "[]",
      "2:9: zone: found an empty list; expected an object { ... }" },
    { "{}",
      "2:9: zone.path: missing; expected the path of a file, such as "
      "\"/run/intent/zone\"" },
    { "{'path':'z'}",
      "2:9: zone.size: missing; expected a size, such as \"64m\"" },
    { "{'path':5,'size':'1g'}",
      "2:17: zone.path: found the number 5; expected the path of a file, "
      "such as \"/run/intent/zone\"" },
    { "{'path':'','size':'1g'}",
      "2:17: zone.path: found \"\"; expected the path of a file, such as "
      "\"/run/intent/zone\"" },
    { "{'path':'a/','size':'1g'}",
      "2:17: zone.path: found \"a/\"; expected the path of a file, such as "
      "\"/run/intent/zone\"" },
    { "{'path':'a\\u0007','size':'1g'}",
      "2:19: zone.path: a control character; expected the path of a file, "
      "such as \"/run/intent/zone\"" },
    { "{'path':'z','size':1073741824}",
      "2:28: zone.size: found the number 1073741824; expected a size such as "
      "\"64m\": digits and one of k, m, g, or bytes" },
    { "{'path':'z','size':'1gb'}",
      "2:28: zone.size: found \"1gb\"; expected a size such as \"64m\": "
      "digits and one of k, m, g, or bytes" },
    { "{'path':'z','size':''}",
      "2:28: zone.size: found \"\"; expected a size such as \"64m\": digits "
      "and one of k, m, g, or bytes" },
    { "{'path':'z','size':'4095k'}",
      "2:28: zone.size: found \"4095k\"; expected at least 4m, at most 1024g" },
    { "{'path':'z','size':'1025g'}",
      "2:28: zone.size: found \"1025g\"; expected at least 4m, at most 1024g" },
    { "{'path':'z','size':'99999999999999999999g'}",
      "2:28: zone.size: found \"99999999999999999999g\"; expected at least "
      "4m, at most 1024g" },
    { "{'path':'z','sise':'1g'}",
      "2:21: zone.sise: unknown key; expected path, size, lanes or "
      "lane_size; did you mean \"size\"?" },
    { "{'path':'z','size':'1g','zzz':1}",
      "2:33: zone.zzz: unknown key; expected path, size, lanes or lane_size" },
    { "{'path':'z','size':'1g','lanes':0}",
      "2:41: zone.lanes: found the number 0; expected an integer from 1 to "
      "256" },
    { "{'path':'z','size':'1g','lanes':257}",
      "2:41: zone.lanes: found the number 257; expected an integer from 1 to "
      "256" },
    { "{'path':'z','size':'1g','lanes':2.5}",
      "2:41: zone.lanes: found the number 2.5; expected an integer from 1 to "
      "256" },
    { "{'path':'z','size':'1g','lanes':1e300}",
      "2:41: zone.lanes: found the number 1e+300; expected an integer from 1 "
      "to 256" },
    { "{'path':'z','size':'1g','lanes':'2'}",
      "2:41: zone.lanes: found \"2\"; expected an integer from 1 to 256" },
    { "{'path':'z','size':'1g','lane_size':'127k'}",
      "2:45: zone.lane_size: found \"127k\"; expected at least 128k, at most "
      "1g" },
    { "{'path':'z','size':'4g','lane_size':'1025m'}",
      "2:45: zone.lane_size: found \"1025m\"; expected at least 128k, at "
      "most 1g" },
    { "{'path':'z','size':'8m','lanes':8,'lane_size':'1m'}",
      "2:55: zone.lane_size: the lanes alone take the whole zone; expected "
      "lanes times lane_size well below zone.size" },
};

static const struct bad_config bad_forwards[] = {
    { "{}",
      "2:11: forward: found an empty object; expected \"kinesis\", \"spool\","
      " or both" },
    { "1",
      "2:11: forward: found the number 1; expected an object { ... }" },
    { "null",
      "2:11: forward: found null; expected an object { ... }" },
    { "{'spol':{}}",
      "2:12: forward.spol: unknown key; expected spool or kinesis; did you "
      "mean \"spool\"?" },
    { "{'spool':{}}",
      "2:20: forward.spool.path: missing; expected the path of a folder, "
      "such as \"/var/lib/intent/spool\"" },
    { "{'spool':{'path':'x/'}}",
      "2:28: forward.spool.path: found \"x/\"; expected the path of a folder,"
      " such as \"/var/lib/intent/spool\"" },
    { "{'spool':{'path':'x','size':'1023k'}}",
      "2:39: forward.spool.size: found \"1023k\"; expected at least 1m, at "
      "most 1048576g" },
    { "{'spool':{'path':'x','sync':'allways'}}",
      "2:39: forward.spool.sync: unknown sync \"allways\"; expected always, "
      "everysec or off; did you mean \"always\"?" },
    { "{'spool':{'path':'x','sync':1}}",
      "2:39: forward.spool.sync: found the number 1; expected a string: the "
      "name of a sync" },
    { "{'kinesis':{}}",
      "2:22: forward.kinesis.stream: missing; expected a stream's name: "
      "letters, digits and _ - ." },
    { "{'kinesis':null}",
      "2:22: forward.kinesis: found null; expected an object { ... }" },
    { "{'kinesis':{'stream':'a b','region':'r'}}",
      "2:34: forward.kinesis.stream: a character that cannot stand here; "
      "expected a stream's name: letters, digits and _ - ." },
    { "{'kinesis':{'stream':'s'}}",
      "2:22: forward.kinesis.region: missing; expected a region, such as "
      "\"us-east-1\"" },
    { "{'kinesis':{'stream':'s','region':'US'}}",
      "2:46: forward.kinesis.region: a character that cannot stand here; "
      "expected a region, such as \"us-east-1\"" },
    { "{'kinesis':{'stream':'s','region':'r','endpoint':'kinesis'}}",
      "2:60: forward.kinesis.endpoint: found \"kinesis\"; expected null, or "
      "an http:// or https:// URL" },
    { "{'kinesis':{'stream':'s','region':'r','endpoint':'https://'}}",
      "2:60: forward.kinesis.endpoint: found \"https://\"; expected null, or "
      "an http:// or https:// URL" },
    { "{'kinesis':{'stream':'s','region':'r','endpoint':'http://a b'}}",
      "2:69: forward.kinesis.endpoint: a character that cannot stand here; "
      "expected null, or an http:// or https:// URL" },
    { "{'kinesis':{'stream':'s','region':'r','endpoint':5}}",
      "2:60: forward.kinesis.endpoint: found the number 5; expected null, or "
      "an http:// or https:// URL" },
};

static void
test_zone(void)
{
    struct intent_config *c;

    c = good_config("", "{'zone':{'path':'z','size':'4m'}", EVENTS);
    is_str(c->zone_path, "z", "a path without a folder");
    is_int(c->zone_size, 4 << 20, "the least size");
    is_int(c->lanes, 0, "lanes by size");
    is_int(c->lane_size, 0, "lane size by size");
    ok(!c->forward.enabled, "nothing is forwarded");
    intent_config_free(c);

    c = good_config("", "{'zone':{'lane_size':'256k','lanes':8.0,"
                    "'size':'1024G','path':'/run/intent/zone'}", EVENTS);
    is_str(c->zone_path, "/run/intent/zone", "an absolute path");
    is_str(intent_zone_path(c), c->zone_path, "and by the public function");
    ok(c->zone_size == 1ull << 40, "the greatest size");
    is_int(c->lanes, 8, "lanes");
    is_int(c->lane_size, 256 << 10, "lane size");
    intent_config_free(c);
}

static int
parse(const char *path, const char *text, struct intent_config **out,
      struct intent_error *err)
{
    return config_parse(path, text, strlen(text), out, err);
}

static void
test_paths(void)
{
    static const char zone[] = "{\"zone\":{\"path\":\"zone\",\"size\":\"4m\"},"
                               "\"datasets\":{\"D\":{\"key\":\"u\"}}}";
    static const char up[] = "{\"zone\":{\"path\":\"../run/z\",\"size\":"
                             "\"4m\"},\"datasets\":{\"D\":{\"key\":\"u\"}},"
                             "\"forward\":{\"spool\":{\"path\":\"spool\"}}}";
    struct intent_error err = { 0 };
    struct intent_config *c;
    char path[PATH_MAX];

    is_int(parse("/etc/intent/intent.json", zone, &c, &err), 0, "absolute");
    is_str(c->zone_path, "/etc/intent/zone", "in the file's folder");
    is_str(c->path, "/etc/intent/intent.json", "the file's own path");
    intent_config_free(c);

    is_int(parse("../conf/intent.json", up, &c, &err), 0, "relative");
    is_str(c->zone_path, "../conf/../run/z", "from the file's folder");
    is_str(c->forward.spool_path, "../conf/spool", "the spool's likewise");
    intent_config_free(c);

    memset(path, 'x', sizeof(path));
    memcpy(path + sizeof(path) - 4, "/f", 3);
    is_int(parse(path, zone, &c, &err), -EINVAL, "a path that gets too long");
    ok(strstr(err.text, "zone.path: found 4097 bytes with the folder of this "
              "file; expected at most 4095") != NULL, "says so: %s",
       err.text);
}

static void
test_host(void)
{
    struct intent_config *c;
    char name[HOST_NAME_MAX + 1] = "";

    gethostname(name, sizeof(name) - 1);
    c = good_config("", "{'zone':{'path':'z','size':'4m'}", EVENTS);
    is_str(c->host, name, "the system's name");
    intent_config_free(c);

    c = good_config(HEAD, "'host':'web-1 \303\251'", "}");
    is_str(c->host, "web-1 \303\251", "a given name");
    intent_config_free(c);
}

static void
test_forward(void)
{
    struct intent_config *c;

    c = good_config(HEAD, "'forward':{'spool':{'path':'/s'}}", "}");
    ok(c->forward.enabled && c->forward.spool && !c->forward.kinesis,
       "a spool alone");
    is_str(c->forward.spool_path, "/s", "its path");
    ok(c->forward.spool_size == 1u << 30, "its default size");
    is_int(c->forward.sync, MODEL_SYNC_EVERYSEC, "its default sync");
    intent_config_free(c);

    c = good_config(HEAD, "'forward':{'kinesis':{'stream':'a_b-c.1','region':"
                    "'eu-west-1'}}", "}");
    ok(c->forward.enabled && !c->forward.spool && c->forward.kinesis,
       "kinesis alone");
    is_str(c->forward.stream, "a_b-c.1", "the stream");
    is_str(c->forward.region, "eu-west-1", "the region");
    ok(c->forward.endpoint == NULL, "the region's endpoint");
    intent_config_free(c);

    c = good_config(HEAD, "'forward':{'kinesis':{'stream':'s','region':'r',"
                    "'endpoint':'http://[::1]:4567/x'},'spool':{'path':'/s',"
                    "'size':'8g','sync':'always'}}", "}");
    is_str(c->forward.endpoint, "http://[::1]:4567/x", "another endpoint");
    ok(c->forward.spool_size == 8ull << 30, "a size");
    is_int(c->forward.sync, MODEL_SYNC_ALWAYS, "a sync");
    intent_config_free(c);
}

int
main(void)
{
    BAD_CONFIGS("{\n 'zone':", bad_zones, ",\n 'datasets':{'D':{'key':'u'}}}");
    BAD_CONFIGS(HEAD "'forward':", bad_forwards, "}");
    test_zone();
    test_paths();
    test_host();
    test_forward();

    return done_testing();
}
