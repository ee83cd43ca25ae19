/*
 * YAML text -> tree -> struct -> nothing but what the table allows. Properties: no crash, no
 * unbounded memory, what binds without errors is inside its ranges, every problem has a text, and
 * no message has a control byte or a password in it.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct inner {
    struct gh_config_list allow;
    enum gh_mode mode;
};

struct sample {
    bool on;
    struct gh_str text;
    uint64_t number, wait_ms, bytes;
    struct gh_config_rate rate;
    struct inner inner;
    struct gh_config_list inners;
    struct gh_config_map named;
};

static const struct gh_config_field WORD = {.type = GH_CONFIG_TYPE_STRING};
static const struct gh_config_field INNER_FIELDS[] = {
    {.name = "allow",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = offsetof(struct inner, allow),
     .item = &WORD,
     .one_or_list = true,
     .default_yaml = "[localhost]"},
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = offsetof(struct inner, mode),
     .names = gh_mode_names},
};
static const struct gh_config_table INNER = {.name = "inner",
                                             .size = sizeof(struct inner),
                                             .fields = INNER_FIELDS,
                                             .field_count = 2,
                                             .short_form = "allow"};
static const struct gh_config_field INNER_ITEM = {.type = GH_CONFIG_TYPE_TABLE, .table = &INNER};

#define FIELD(member) .offset = offsetof(struct sample, member)
static const struct gh_config_field FIELDS[] = {
    {.name = "on", .type = GH_CONFIG_TYPE_BOOL, FIELD(on)},
    {.name = "text", .type = GH_CONFIG_TYPE_STRING, FIELD(text)},
    {.name = "number",
     .type = GH_CONFIG_TYPE_INTEGER,
     FIELD(number),
     .default_yaml = "7",
     .min = 1,
     .max = 65535,
     .env = "NUMBER"},
    {.name = "wait",
     .type = GH_CONFIG_TYPE_DURATION,
     FIELD(wait_ms),
     .default_yaml = "10s",
     .min = 1000,
     .max = 86400000},
    {.name = "bytes",
     .type = GH_CONFIG_TYPE_SIZE,
     FIELD(bytes),
     .default_yaml = "1MiB",
     .min = 1,
     .max = 1 << 30},
    {.name = "rate", .type = GH_CONFIG_TYPE_RATE, FIELD(rate), .default_yaml = "5/minute"},
    {.name = "inner", .type = GH_CONFIG_TYPE_TABLE, FIELD(inner), .table = &INNER},
    {.name = "inners", .type = GH_CONFIG_TYPE_LIST, FIELD(inners), .item = &INNER_ITEM},
    {.name = "named", .type = GH_CONFIG_TYPE_MAP, FIELD(named), .item = &INNER_ITEM},
    {.name = "redis", .type = GH_CONFIG_TYPE_LATER},
};
static const struct gh_config_table SAMPLE = {.name = "",
                                              .size = sizeof(struct sample),
                                              .fields = FIELDS,
                                              .field_count = sizeof FIELDS / sizeof FIELDS[0]};

static const char *environment(void *context, const char *name)
{
    (void)context;
    if (strcmp(name, "A") == 0)
        return "80";
    return strcmp(name, "URL") == 0 ? "redis://u:hunter2@h" : NULL;
}

static void check_problems(const struct gh_config_load *load, bool secret_in_text)
{
    for (const struct gh_config_problem *p = load->problems; p; p = p->next) {
        GH_ASSERT(p->what.len > 0);
        GH_ASSERT(secret_in_text || gh_str_find(p->what, GH_STR("hunter2")) == p->what.len);
        for (size_t i = 0; i < p->what.len; i++)
            GH_ASSERT((unsigned char)p->what.ptr[i] >= 0x20);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena arena;
    struct gh_config_load load;
    struct sample sample = {0};
    gh_arena_init(&arena, 4096, 64 * 1024 * 1024);
    gh_config_load_init(&load, &arena, "fuzz.yaml", environment, NULL);
    const struct gh_config_node *node = gh_config_parse(&load, gh_str_of((const char *)data, size));
    GH_ASSERT(node || load.error_count > 0);
    if (node)
        gh_config_bind(&load, &SAMPLE, node, &sample);
    if (load.error_count == 0) {
        GH_ASSERT(sample.number >= 1 && sample.number <= 65535);
        GH_ASSERT(sample.wait_ms >= 1000 && sample.wait_ms <= 86400000);
        GH_ASSERT(sample.bytes >= 1 && sample.bytes <= 1 << 30);
        GH_ASSERT(sample.rate.count > 0 && sample.rate.window_ms > 0);
        GH_ASSERT(sample.inner.allow.count > 0 || gh_config_get(node, "inner"));
    }
    gh_config_problems_sort(&load);
    struct gh_str text = gh_str_of((const char *)data, size);
    check_problems(&load, gh_str_find(text, GH_STR("hunter2")) < text.len);
    gh_arena_done(&arena);
    return 0;
}
