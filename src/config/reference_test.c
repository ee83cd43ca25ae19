#include "config/reference.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

static const char *const SHADES[] = {"", "dark", "off", NULL};
static const struct gh_config_field WORD = {.type = GH_CONFIG_TYPE_STRING};
static const struct gh_config_field INNER_FIELDS[] = {
    {.name = "allow",
     .type = GH_CONFIG_TYPE_LIST,
     .item = &WORD,
     .one_or_list = true,
     .env = "ALLOWED",
     .env_is_comma_list = true,
     .doc = "Who may | come."},
    {.name = "shade", .type = GH_CONFIG_TYPE_ENUM, .names = SHADES, .default_yaml = "dark"},
};
static const struct gh_config_table INNER = {.name = "inner",
                                             .doc = "The inner part.",
                                             .fields = INNER_FIELDS,
                                             .field_count = 2,
                                             .short_form = "allow"};
static const struct gh_config_field INNER_ITEM = {.type = GH_CONFIG_TYPE_TABLE, .table = &INNER};
static const struct gh_config_field FIELDS[] = {
    {.name = "version",
     .type = GH_CONFIG_TYPE_INTEGER,
     .min = 1,
     .max = 1,
     .required = true,
     .doc = "Of the file."},
    {.name = "wait",
     .type = GH_CONFIG_TYPE_DURATION,
     .min = 1000,
     .max = 60000,
     .default_yaml = "10s",
     .doc = "How long."},
    {.name = "on", .type = GH_CONFIG_TYPE_BOOL, .doc = "Whether."},
    {.name = "rate", .type = GH_CONFIG_TYPE_RATE, .doc = "How often."},
    {.name = "inners", .type = GH_CONFIG_TYPE_LIST, .item = &INNER_ITEM, .doc = "Some."},
    {.name = "named", .type = GH_CONFIG_TYPE_MAP, .item = &INNER_ITEM, .doc = "By name."},
    {.name = "own",
     .type = GH_CONFIG_TYPE_CUSTOM,
     .custom_schema = "{\"const\":\"x\"}",
     .doc = "Custom."},
    {.name = "redis", .type = GH_CONFIG_TYPE_LATER, .doc = "Redis."},
};
static const struct gh_config_table ROOT = {
    .name = "", .fields = FIELDS, .field_count = sizeof FIELDS / sizeof FIELDS[0]};

static char *written(void (*write)(FILE *, const struct gh_config_table *))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    write(out, &ROOT);
    fclose(out);
    return text;
}

static void writes_a_section_per_table_and_a_row_per_field(void **state)
{
    (void)state;
    char *page = written(gh_config_write_reference);
    static const char *const parts[] = {
        "\n## The file\n",
        "| `version` | number, 1 | required | Of the file. |\n",
        "| `wait` | duration, 1s to 1m | `10s` | How long. |\n",
        "| `on` | `true`, `false` | `false` | Whether. |\n",
        "| `inners` | list of: table |  | Some. |\n",
        "| `named` | map of: table |  | By name. |\n",
        "| `redis` | not available yet |  | Redis. |\n",
        "\n## inners[]\n\nThe inner part.\n\nShort form: the value of `allow`",
        "\n## named.NAME\n",
        "| `allow` | one or a list of: text |  | Who may \\| come.",
        " Environment: `ALLOWED` (comma-separated). |\n",
        "| `shade` | `dark`, `off` | `dark` |",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(page, parts[i]))
            fail_msg("missing: %s", parts[i]);
    }
    free(page);
}

/* Brackets match and commas stand right; a full reader checks the real schema end to end. */
static void expect_balanced(const char *text)
{
    char open[64];
    size_t depth = 0;
    bool in_string = false;
    for (; *text; text++) {
        if (in_string) {
            if (*text == '\\')
                text++;
            else if (*text == '"')
                in_string = false;
            continue;
        }
        in_string = *text == '"';
        if (*text == '{' || *text == '[')
            open[depth++] = *text;
        assert_true(depth < sizeof open);
        if (*text == '}' || *text == ']') {
            assert_true(depth > 0);
            depth--;
            assert_int_equal(open[depth], *text == '}' ? '{' : '[');
        }
        assert_false(*text == ',' && (text[1] == '}' || text[1] == ']' || text[1] == ','));
    }
    assert_int_equal(depth, 0);
}

static void writes_a_schema_that_takes_what_the_binder_takes(void **state)
{
    (void)state;
    char *schema = written(gh_config_write_schema);
    static const char *const parts[] = {
        "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"",
        "\"required\":[\"version\"]",
        "\"additionalProperties\":false",
        "\"minimum\":1,\"maximum\":1",
        "{\"enum\":[\"dark\",\"off\",false]}",
        "\"allOf\":[{\"const\":\"x\"}]",
        "\"pattern\":\"\\\\$\\\\{\"",
        "\"description\":\"How long. Default: 10s\"",
        "\"description\":\"Redis. Not available yet.\",\"deprecated\":true",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(schema, parts[i]))
            fail_msg("missing: %s", parts[i]);
    }
    expect_balanced(schema);
    free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_a_section_per_table_and_a_row_per_field),
        cmocka_unit_test(writes_a_schema_that_takes_what_the_binder_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
