/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "../../libagent/signal/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../libagent/signal/plan.h"
#include "config_case.h"
#include "oom.h"

static const struct bad_config bad_json[] = {
    { "",
      "1:1: the file is empty; expected a JSON object: config/intent.json is "
      "an example" },
    { "  \n ",
      "1:1: the file is empty; expected a JSON object: config/intent.json is "
      "an example" },
    { "\357\273\277{}",
      "1:1: a byte order mark; expected the file to begin with {: save it as "
      "UTF-8 without one" },
    { "{\n  'zone': }",
      "2:11: zone: not JSON: unexpected token; found \"}\"" },
    { "{'zone':{'path':'z','size':'4m',}}",
      "1:33: zone: not JSON: string or '}' expected; found \"}\"" },
    { "{'zone' {}}",
      "1:9: zone: not JSON: ':' expected; found \"{\"" },
    { "{'zone':{'path':'z' 'size':'4m'}}",
      "1:21: zone.path: not JSON: '}' expected; found \"size\"" },
    { "{zone:1}",
      "1:2: not JSON: string or '}' expected; found \"zone\"" },
    { "{'zone':tru}",
      "1:9: zone: not JSON: invalid token; found \"tru\"" },
    { "{'zone':{'path':'z','path':'y'}}",
      "1:21: zone.path: the key is there twice; expected it once" },
    { "{\r\n\t'a':1,\r\n\t'b':2,\r\n\t'a':3}",
      "4:2: a: the key is there twice; expected it once" },
    { "{'zone':{'path':'z\n'}}",
      "1:17: zone.path: not JSON: unexpected newline; found \"z" },
    { "{'zone':{'path':'z",
      "1:17: zone.path: not JSON: premature end of input; found \"z" },
    { "{'zone':{'path':'a\\u0000b'}}",
      "1:17: zone.path: not JSON: a NUL character is not allowed; found "
      "\"a\\u0000b\"" },
    { "{'a\\u0000':1}",
      "1:2: not JSON: a NUL character is not allowed; found \"a\\u0000\"" },
    { "{'zone':1e999}",
      "1:9: zone: not JSON: real number overflow; found \"1e999\"" },
    { "{'zone':99999999999999999999}",
      "1:9: zone: not JSON: too big integer; found \"99999999999999999999\"" },
    { "{'zone':'\\q'}",
      "1:9: zone: not JSON: invalid escape; found \"\\q" },
    { "{'zone':'\\ud800'}",
      "1:9: zone: not JSON: invalid Unicode '\\uD800'; found \"\\ud800\"" },
    { "// no comments\n{}",
      "1:1: not JSON: '[' or '{' expected; found \"/\"" },
    { "{} x",
      "1:4: not JSON: end of file expected; found \"x\"" },
    { "'x'",
      "1:1: not JSON: '[' or '{' expected; found \"x\"" },
    { "17",
      "1:1: not JSON: '[' or '{' expected; found \"17\"" },
    { "{'zone':01}",
      "1:9: zone: not JSON: invalid token; found \"0\"" },
    { "{'zone':NaN}",
      "1:9: zone: not JSON: invalid token; found \"NaN\"" },
    { "{'zone':{'path':'z'}",
      "1:21: zone: not JSON: '}' expected; found the end of the file" },
    { "{'policy':{'bands':[{'id':'a'},{'id':'b' 1}]}}",
      "1:42: policy.bands[1].id: not JSON: '}' expected; found \"1\"" },
    { "{'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
      "kk':1,'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
      "kkkkkkk':1}",
      "1:77: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
      "kkkk...: the key is there twice; expected it once" },
    { "{'\033[31m\\u001b':1}",
      "1:2: not JSON: control character 0x1b; found \"" },
    { "{'a':1, 'caf\303\251\342\202\254' 2}",
      "1:20: caf\303\251\342\202\254: not JSON: ':' expected; found \"2\"" },
};

static const struct bad_config bad_tops[] = {
    { "{}",
      "1:1: zone: missing; expected an object with path and size" },
    { "[]",
      "1:1: found an empty list; expected an object { ... }" },
    { "[{}]",
      "1:1: found a list; expected an object { ... }" },
    { "{'zone':1,'datasets':{}}",
      "1:9: zone: found the number 1; expected an object { ... }" },
    { HEAD "'sone':1}",
      "2:1: sone: unknown key; expected zone, datasets, pipelines, "
      "featuresets, popularity, policy, forward, host or $schema; did you "
      "mean \"zone\"?" },
    { HEAD "'pipeline':{}}",
      "2:1: pipeline: unknown key; expected zone, datasets, pipelines, "
      "featuresets, popularity, policy, forward, host or $schema; did you "
      "mean \"pipelines\"?" },
    { HEAD "'$schema':1}",
      "2:11: $schema: found the number 1; expected the URL of a JSON Schema" },
    { HEAD "'host':''}",
      "2:8: host: found \"\"; expected a name for this machine" },
    { HEAD "'host':'a\\nb'}",
      "2:10: host: a control character; expected a name for this machine" },
    { HEAD "'host':5}",
      "2:8: host: found the number 5; expected a name for this machine" },
    { HEAD "'\\u007a\\u006fne\\n':5}",
      "2:1: zone\\x0a: unknown key; expected zone, datasets, pipelines, "
      "featuresets, popularity, policy, forward, host or $schema; did you "
      "mean \"zone\"?" },
    { "{'zone':{'path':'z','size':'1g'}}",
      "1:1: datasets: missing; expected an object that says what events look "
      "like" },
};

/* One of everything. */
static const char everything[] =
    "{'$schema':'intent.schema.json','host':'h','zone':{'path':'z','size':"
    "'64m','lanes':4,'lane_size':'1m'},"
    "'datasets':{'D':{'key':'u','timestamp':'at','max_lateness':'2h',"
    "'max_future':'1m','fields':{'t':'string','n':'double','i':'int',"
    "'b':'bool'}},'E':{'key':'u'}},"
    "'pipelines':{'P':{'from':'D','group_by':'u','max_events':64,"
    "'aggregate':{'c':{'op':'count','window':'1h','where':'b && n > 1.0'},"
    "'s':{'op':'sum','of':'n','window':'7d'},"
    "'k':{'op':'last_k','of':'t','window':'1d','k':5}}},"
    "'Q':{'from':'E','group_by':'u','exact':true,'aggregate':{'c':{'op':"
    "'count','window':'1h'}}}},"
    "'featuresets':{'F':{'entity':'u','features':{'y':{'expr':'x > 2.0'},"
    "'c':{'ref':'P.c'},'k':{'ref':'P.k'},'e':{'ref':'Q.c'},"
    "'x':{'expr':'c / 2.0'}}}},"
    "'popularity':{'dataset':'D','item':'t','by':'u'},"
    "'policy':{'featureset':'F','score':'x','bands':[{'id':'a','when':"
    "'score > 1.0'}],'ctas':[{'id':'b','when':'band == `a`','items':3}]},"
    "'forward':{'spool':{'path':'s'},'kinesis':{'stream':'s','region':'r',"
    "'endpoint':'https://localhost'}}}";

static void
test_everything(void)
{
    struct intent_config *c = good_config("", everything, "");

    is_str(c->path, "c.json", "path");
    is_str(c->host, "h", "host");
    is_int(c->n_datasets, 2, "datasets");
    is_int(c->n_pipelines, 2, "pipelines");
    is_int(c->n_featuresets, 1, "featuresets");
    is_int(c->n_tables, 2, "tables");
    is_int(c->featuresets[0].plan->n_steps, 2, "steps of a read");
    ok(c->popularity.enabled && c->policy.enabled && c->forward.enabled,
       "sections");
    intent_config_free(c);
    intent_config_free(NULL);
}

/* Deep enough to overflow the stack of a parser that has no bound. */
static void
test_depth(void)
{
    static char text[400000];
    struct intent_config *config;
    struct intent_error err;

    memset(text, '[', sizeof(text));
    is_int(config_parse("c.json", text, sizeof(text), &config, &err), -EINVAL,
           "deep lists");
    is_str(err.text, "c.json:1:2049: nested too deeply; expected the few "
           "levels of a configuration", "say so");
}

/* A NUL and bytes that are no UTF-8 cannot stand in the rows above. */
static void
test_bytes(void)
{
    static const struct {
        const char *text;
        size_t len;
        const char *says;
    } rows[] = {
        { "{\n \"a\0\":1}", 10, "c.json:2:4: a NUL byte; expected text: save "
          "the file as UTF-8" },
        { "{\n \"a\xff\":1}", 10, "c.json:2:4: the byte 0xff, which is not "
          "UTF-8; expected UTF-8" },
        { "\xff\xfe{\0}\0", 6, "c.json:1:4: a NUL byte; expected text: save "
          "the file as UTF-8" },
        { "{}\xed\xa0\x80", 5, "c.json:1:3: the byte 0xed, which is not "
          "UTF-8; expected UTF-8" },
    };
    struct intent_config *config;
    struct intent_error err;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_int(config_parse("c.json", rows[i].text, rows[i].len, &config,
                            &err), -EINVAL, "bytes %zu", i);
        is_str(err.text, rows[i].says, "say what and where");
    }
}

static void
test_no_error(void)
{
    struct intent_config *config;

    is_int(config_parse("c.json", "{}", 2, &config, NULL), -EINVAL,
           "nobody asks for the text");
    is_int(intent_config_load("/nonexistent", &config, NULL), -ENOENT,
           "nor for that of a file");
}

/* --- files --------------------------------------------------------------- */

static void
load_says(const char *path, int code, const char *says)
{
    struct intent_config *config = (struct intent_config *) path;
    struct intent_error err = { .line = 9 };
    char text[sizeof(err.text)];

    is_int(intent_config_load(path, &config, &err), code, "code of %s", says);
    ok(config == NULL, "no config");
    snprintf(text, sizeof(text), "%s: %s", path, says);
    is_str(err.text, text, "text");
    is_int(err.line, 0, "no line");
}

static void
test_files(void)
{
    char path[] = "/tmp/intent-test-XXXXXX", missing[64];
    struct intent_config *config;
    struct intent_error err;
    int fd = mkstemp(path);

    snprintf(missing, sizeof(missing), "%s/x", path);
    load_says(missing, -ENOTDIR, "cannot be read: Not a directory");
    snprintf(missing, sizeof(missing), "%s.json", path);
    load_says(missing, -ENOENT, "cannot be read: No such file or directory");
    load_says("/tmp", -EISDIR, "is a directory; expected a file");

    is_int(intent_config_load(path, &config, &err), -EINVAL, "an empty file");
    ok(err.line == 1 && err.column == 1, "has its place");

    /* Sparse, and never a configuration: but read, up to the bound. */
    is_int(ftruncate(fd, CONFIG_MAX_SIZE), 0, "a file as large as may be");
    is_int(intent_config_load(path, &config, &err), -EINVAL, "is read");
    ok(strstr(err.text, ":1:1: a NUL byte") != NULL, "%s", err.text);
    is_int(ftruncate(fd, CONFIG_MAX_SIZE + 1), 0, "a byte more");
    load_says(path, -EINVAL, "is larger than 10 MiB; expected a "
              "configuration");
    close(fd);
    unlink(path);

    is_int(intent_config_load("/dev/zero", &config, &err), -EINVAL,
           "a file without an end");
    ok(strstr(err.text, "/dev/zero: is larger") != NULL, "%s", err.text);
    is_int(intent_config_load("/dev/null", &config, &err), -EINVAL,
           "a file that is always empty");
}

/* What comes in pieces from a pipe is read like a file. */
static void
test_pipe(void)
{
    struct intent_config *config;
    struct intent_error err = { 0 };
    char text[sizeof(everything)], path[32];
    size_t i, len = sizeof(everything) - 1;
    int fds[2], written = 0;

    for (i = 0; i < len; i++) {
        text[i] = (char) (everything[i] == '\'' ? '"'
                          : everything[i] == '`' ? '\'' : everything[i]);
    }
    if (pipe(fds) != 0) {
        ok(false, "a pipe");
        return;
    }
    for (i = 0; i < len; i += 500) {
        written += (int) write(fds[1], text + i, len - i < 500 ? len - i
                               : 500);
    }
    close(fds[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
    is_int(written, len, "in pieces");
    is_int(intent_config_load(path, &config, &err), 0, "read: %s", err.text);
    intent_config_free(config);
    close(fds[0]);
}

static void
test_examples(void)
{
    const char *data = getenv("INTENT_TEST_DATA");
    char vectors[4096];
    const char *paths[] = { "config/intent.json", vectors };
    size_t i;

    snprintf(vectors, sizeof(vectors), "%s/../vectors/intent.json",
             data != NULL ? data : "../shared/data");

    for (i = 0; i < 2; i++) {
        struct intent_config *c;
        struct intent_error err = { 0 };

        if (access(paths[i], R_OK) != 0) {
            ok(true, "%s # SKIP not there: INTENT_TEST_DATA, or not run from "
               "the root of the tree", paths[i]);
            continue;
        }
        is_int(intent_config_load(paths[i], &c, &err), 0, "%s loads: %s",
               paths[i], err.text);
        is_int(c->featuresets[0].n_features, 15, "with 15 features");
        is_int(c->featuresets[0].n_order, 6, "6 of them computed");
        is_int(c->n_tables, 1, "from one table");
        is_int(c->featuresets[0].plan->steps[0].n_items, 8,
               "that is read once for 8");
        intent_config_free(c);
    }
}

/* --- memory -------------------------------------------------------------- */

/* No allocation may go wrong in any other way than by -ENOMEM. */
static void
out_of_memory(const char *what, const char *json, int good)
{
    struct intent_config *config;
    struct intent_error err;
    size_t len;
    char *text = config_text("", json, "", &len);
    int bad = 0, rc = 0;
    long n;

    for (n = 1; n < 100000; n++) {
        err.text[0] = '\0';
        oom_at(n);
        rc = config_parse("c.json", text, len, &config, &err);
        oom_at(0);
        if (!oom_hit) {
            break;
        }
        if (rc != -ENOMEM || config != NULL
            || strcmp(err.text, "c.json: out of memory") != 0)
        {
            bad++;
            printf("#   %s, allocation %ld: %d %s\n", what, n, rc, err.text);
            intent_config_free(config);
        }
    }
    is_int(bad, 0, "%s: each of %ld allocations may fail", what, n - 1);
    is_int(rc, good, "%s: and then none does", what);
    ok(n > 20, "%s: there are some", what);
    intent_config_free(config);
    free(text);
}

static void
test_load_memory(void)
{
    char path[] = "/tmp/intent-test-XXXXXX";
    struct intent_config *config;
    struct intent_error err;
    int fd = mkstemp(path), rc, bad = 0;
    long n;

    ok(write(fd, "{\"zone\":{\"path\":\"z\",\"size\":\"4m\"},\"datasets\":"
             "{\"D\":{\"key\":\"u\"}}}", 62) == 62, "a file");
    for (n = 1; n < 1000; n++) {
        oom_at(n);
        rc = intent_config_load(path, &config, &err);
        oom_at(0);
        if (!oom_hit) {
            break;
        }
        bad += rc != -ENOMEM;
    }
    is_int(rc, 0, "loads at last");
    is_int(bad, 0, "each of %ld allocations may fail", n - 1);
    intent_config_free(config);
    close(fd);
    unlink(path);
}

static void
test_memory(void)
{
    if (!oom_works()) {
        ok(true, "allocations fail # SKIP malloc() is another's here");
        return;
    }
    out_of_memory("everything", everything, 0);
    out_of_memory("a cycle", HEAD "'featuresets':{'F':{'entity':'u',"
                  "'features':{'x':{'expr':'y'},'y':{'expr':'x'}}}}}",
                  -EINVAL);
    test_load_memory();
}

int
main(void)
{
    BAD_CONFIGS("", bad_json, "");
    BAD_CONFIGS("", bad_tops, "");
    test_everything();
    test_depth();
    test_bytes();
    test_no_error();
    test_files();
    test_pipe();
    test_examples();
    test_memory();

    return done_testing();
}
