/* The table of a route's `input`. */
#include "policy/settings.h"

static const char *const UNDECLARED_NAMES[] = {"refuse", "report", "ignore", NULL};
static const char *const RESPONSES_NAMES[] = {"off", "observe", NULL};
static const char *const FORMATS_NAMES[] = {"assert", "annotate", NULL};

/* ---- undeclared: one word, or a map ---- */

#define UNDECLARED(key, text)                                                                      \
    {                                                                                              \
        .name = #key, .type = GH_CONFIG_TYPE_ENUM,                                                 \
        .offset = offsetof(struct gh_undeclared_settings, key), .names = UNDECLARED_NAMES,         \
        .doc = text                                                                                \
    }

static const struct gh_config_field UNDECLARED_FIELDS[] = {
    UNDECLARED(paths, "Paths that the document does not have: answered 404."),
    UNDECLARED(methods, "Methods that a path does not have: answered 405."),
    UNDECLARED(query, "Names in the query that no parameter declares: answered 422."),
    UNDECLARED(content_types, "Content types that an operation does not take: answered 415."),
};
static const struct gh_config_table UNDECLARED_TABLE = {
    .name = "undeclared",
    .doc = "What becomes of what the document does not declare.",
    .size = sizeof(struct gh_undeclared_settings),
    .fields = UNDECLARED_FIELDS,
    .field_count = sizeof(UNDECLARED_FIELDS) / sizeof(UNDECLARED_FIELDS[0]),
};

static const struct gh_config_field ONE_WORD = {
    .name = "undeclared", .type = GH_CONFIG_TYPE_ENUM, .names = UNDECLARED_NAMES};

static void read_undeclared(struct gh_config_load *load, const struct gh_config_node *node,
                            void *out)
{
    struct gh_undeclared_settings *undeclared = out;
    if (node->kind != GH_CONFIG_SCALAR) {
        gh_config_bind(load, &UNDECLARED_TABLE, node, undeclared);
        return;
    }
    enum gh_undeclared all = GH_UNDECLARED_REFUSE;
    gh_config_bind_value(load, &ONE_WORD, node, &all);
    *undeclared = (struct gh_undeclared_settings){all, all, all, all};
}

#define UNDECLARED_WORD "{\"enum\":[\"refuse\",\"report\",\"ignore\"]}"
#define UNDECLARED_SCHEMA                                                                          \
    "{\"oneOf\":[" UNDECLARED_WORD ",{\"type\":\"object\",\"additionalProperties\":false,"         \
    "\"properties\":{\"paths\":" UNDECLARED_WORD ",\"methods\":" UNDECLARED_WORD                   \
    ",\"query\":" UNDECLARED_WORD ",\"content_types\":" UNDECLARED_WORD "}}]}"

/* ---- base_path: "" is another thing than none ---- */

static void read_base_path(struct gh_config_load *load, const struct gh_config_node *node,
                           void *out)
{
    static const struct gh_config_field path = {.name = "base_path", .type = GH_CONFIG_TYPE_STRING};
    struct gh_input_settings *settings =
        (void *)((char *)out - offsetof(struct gh_input_settings, base_path));
    settings->base_path_given = true;
    gh_config_bind_value(load, &path, node, out);
}

/* ---- The table ---- */

#define INPUT(member) .offset = offsetof(struct gh_input_settings, member)

static const struct gh_config_field PATH_ITEM = {.type = GH_CONFIG_TYPE_STRING};

static const struct gh_config_field INPUT_FIELDS[] = {
    {.name = "openapi",
     .type = GH_CONFIG_TYPE_STRING,
     INPUT(openapi),
     .doc = "An OpenAPI document, 3.0 or 3.1, YAML or JSON; relative to the configuration file."},
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     INPUT(mode),
     .names = gh_mode_names,
     .default_yaml = "enforce",
     .doc = "`observe` counts and logs what would be refused, and lets it pass."},
    {.name = "responses",
     .type = GH_CONFIG_TYPE_ENUM,
     INPUT(responses),
     .names = RESPONSES_NAMES,
     .default_yaml = "off",
     .doc = "`observe` checks JSON answers of up to 256 KiB after they were sent: counted, logged, "
            "never changed."},
    {.name = "schemas",
     .type = GH_CONFIG_TYPE_MAP,
     INPUT(schemas),
     .item = &PATH_ITEM,
     .doc = "Files for the URIs that the document refers to; nothing is ever fetched."},
    {.name = "undeclared",
     .type = GH_CONFIG_TYPE_CUSTOM,
     INPUT(undeclared),
     .custom = read_undeclared,
     .custom_schema = UNDECLARED_SCHEMA,
     .doc = "What the document does not declare: `refuse` (the default), `report` (counted and "
            "logged) or `ignore`; or a map of `paths`, `methods`, `query`, `content_types`."},
    {.name = "base_path",
     .type = GH_CONFIG_TYPE_CUSTOM,
     INPUT(base_path),
     .custom = read_base_path,
     .custom_schema = "{\"type\":\"string\"}",
     .doc = "What stands before the document's paths. Default: the path of its first server."},
    {.name = "formats",
     .type = GH_CONFIG_TYPE_ENUM,
     INPUT(formats),
     .names = FORMATS_NAMES,
     .default_yaml = "assert",
     .doc = "Whether `format` is checked (`assert`) or only a remark (`annotate`)."},
    {.name = "violations",
     .type = GH_CONFIG_TYPE_INTEGER,
     INPUT(violations),
     .default_yaml = "20",
     .min = 1,
     .max = 100,
     .doc = "Most violations that one answer tells; no more are looked for."},
    {.name = "body",
     .type = GH_CONFIG_TYPE_SIZE,
     INPUT(body),
     .default_yaml = "1MiB",
     .min = 1,
     .max = 64ULL * 1024 * 1024,
     .doc = "Largest JSON, form or text body, which is held until it is judged; more is answered "
            "413. Files of multipart bodies flow by: `request_body` bounds them."},
    {.name = "depth",
     .type = GH_CONFIG_TYPE_INTEGER,
     INPUT(depth),
     .default_yaml = "64",
     .min = 1,
     .max = 512,
     .doc = "How deep JSON may be nested."},
    {.name = "evidence",
     .type = GH_CONFIG_TYPE_STRING,
     INPUT(evidence),
     .doc = "A file that is written with the bounds of what requests hold, never with values: for "
            "`gatehouse openapi lint --fix --evidence`. Relative to the configuration file."},
};

const struct gh_config_table gh_input_table = {
    .name = "input",
    .doc = "Requests are checked by an OpenAPI document before they go on.",
    .size = sizeof(struct gh_input_settings),
    .fields = INPUT_FIELDS,
    .field_count = sizeof(INPUT_FIELDS) / sizeof(INPUT_FIELDS[0]),
    .short_form = "openapi",
};
