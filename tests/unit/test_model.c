/* SPDX-License-Identifier: Apache-2.0 */
#include "../../libagent/signal/model.h"

#include <stdint.h>

#include "config_case.h"

#define STR(s) s, sizeof(s) - 1

static void
test_alloc(void)
{
    struct intent_config *c = calloc(1, sizeof(*c));
    unsigned char *last = NULL, *p;
    int bad = 0, i;
    size_t size;

    for (i = 0; i < 2000; i++) {
        size = (size_t) (i * 7 % 300);
        p = model_alloc(c, size);
        bad += p == NULL || (uintptr_t) p % 16 != 0 || p == last;
        if (size > 0) {
            bad += p[0] != 0 || p[size - 1] != 0;
            memset(p, 0xff, size);
            last = p;
        }
    }
    is_int(bad, 0, "memory is zeroed, aligned and nobody else's");

    p = model_alloc(c, 1 << 20);
    ok(p != NULL && p[(1 << 20) - 1] == 0, "more than a chunk");
    ok(model_alloc(c, SIZE_MAX) == NULL, "more than there is");
    ok(model_alloc(c, SIZE_MAX - 40) == NULL, "nearly as much");
    intent_config_free(c);
}

static void
test_names(void)
{
    struct intent_config *c = good_config(HEAD PIPE FEATURES, "'host':'h'",
                                          "}");

    is_int(intent_dataset_find(c, STR("D")), 0, "a dataset");
    is_int(intent_dataset_find(c, STR("")), 0, "the only dataset");
    is_int(intent_dataset_find(c, STR("d")), -ENOENT, "no dataset");
    is_int(intent_dataset_find(c, STR("DD")), -ENOENT, "a longer name");

    is_int(intent_field_find(c, 0, STR("u")), 0, "the key");
    is_int(intent_field_find(c, 0, STR("b")), 4, "a field");
    is_int(intent_field_find(c, 0, "bool", 1), 4, "a name without its NUL");
    is_int(intent_field_find(c, 0, STR("x")), -ENOENT, "no field");
    is_int(intent_field_find(c, 0, STR("")), -ENOENT, "no name");
    is_int(intent_field_find(c, 1, STR("u")), -EINVAL, "no such dataset");
    is_int(intent_field_find(c, -1, STR("u")), -EINVAL, "nor that");

    is_int(intent_featureset_find(c, STR("F")), 0, "a featureset");
    is_int(intent_featureset_find(c, STR("")), 0, "the only featureset");
    is_int(intent_featureset_find(c, STR("G")), -ENOENT, "no featureset");
    is_str(intent_featureset_name(c, 0), "F", "its name");
    ok(intent_featureset_name(c, 1) == NULL, "past the end");
    ok(intent_featureset_name(c, -1) == NULL, "before the start");

    is_str(intent_feature_name(c, 0, 0), "u", "the key's name");
    is_str(intent_feature_name(c, 0, 3), "x", "the last feature's name");
    ok(intent_feature_name(c, 0, 4) == NULL, "past the end");
    ok(intent_feature_name(c, 1, 0) == NULL, "of no featureset");
    ok(intent_feature_is_key(c, 0, 0), "the key");
    ok(!intent_feature_is_key(c, 0, 1), "not the key");
    ok(!intent_feature_is_key(c, 0, 9), "nothing");
    ok(!intent_has_policy(c), "no policy");
    is_str(intent_zone_path(c), "z", "the zone's path");
    intent_config_free(c);
}

/* What an empty name stands for. */
static void
test_defaults(void)
{
    struct intent_config *c;

    c = good_config("{'zone':{'path':'z','size':'4m'},'datasets':{'D':{'key':"
                    "'u'},'E':{'key':'u'}},", "'host':'h'", "}");
    is_int(intent_dataset_find(c, STR("")), -EINVAL, "one of two datasets");
    is_int(intent_dataset_find(c, STR("E")), 1, "the second of them");
    is_int(intent_featureset_find(c, STR("")), -ENOENT, "no featureset");
    intent_config_free(c);

    c = good_config(HEAD PIPE, "'featuresets':{'F':{'entity':'u','features':"
                    "{'c':{'ref':'P.c'}}},'G':{'entity':'u','features':"
                    "{'c':{'ref':'P.c'}}}}", "}");
    is_int(intent_featureset_find(c, STR("")), -EINVAL,
           "one of two featuresets");
    intent_config_free(c);

    c = good_config(HEAD PIPE, "'featuresets':{'F':{'entity':'u','features':"
                    "{'c':{'ref':'P.c'}}},'G':{'entity':'u','features':"
                    "{'c':{'ref':'P.c'}}}},'policy':{'featureset':'G'}", "}");
    is_int(intent_featureset_find(c, STR("")), 1, "the policy's");
    intent_config_free(c);
}

int
main(void)
{
    test_alloc();
    test_names();
    test_defaults();

    return done_testing();
}
