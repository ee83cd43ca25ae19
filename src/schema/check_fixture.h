/* For tests: one schema and values, written with ' for ". */
#ifndef GH_SCHEMA_CHECK_FIXTURE_H
#define GH_SCHEMA_CHECK_FIXTURE_H

#include "base/arena.h"
#include "base/assert.h"
#include "schema/schema.h"

struct gh_check_fixture {
    struct gh_arena arena;
    struct gh_schemas *schemas;
    uint32_t schema;
    enum gh_err err;
    struct gh_schema_error error;
    struct gh_json_doc schema_doc, doc;
    struct gh_schema_report report;
};

static const struct gh_json_limits GH_FIXTURE_LIMITS = {
    .bytes_max = 1 << 22, .depth_max = 1000, .values_max = 1 << 18, .members_max = 1 << 16};

static inline struct gh_json_doc gh_fixture_parse(struct gh_arena *arena, struct gh_str text)
{
    struct gh_json_doc doc;
    char *copy = gh_arena_alloc(arena, text.len);
    GH_ASSERT(copy);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = text.ptr[i] == '\'' ? '"' : text.ptr[i];
    enum gh_json_status status =
        gh_json_parse(arena, gh_str_of(copy, text.len), &GH_FIXTURE_LIMITS, &doc, NULL);
    GH_ASSERT(status == GH_JSON_OK);
    return doc;
}

/* fixture->err and ->error say whether it compiled; its document is test:/schema. */
static inline void gh_fixture_open(struct gh_check_fixture *fixture, enum gh_schema_dialect dialect,
                                   const char *schema)
{
    struct gh_schema_options options = {.dialect = dialect, .assert_formats = true};
    *fixture = (struct gh_check_fixture){0};
    gh_arena_init(&fixture->arena, 64 * 1024, 64 << 20);
    fixture->schemas = gh_schemas_new(&fixture->arena, &options);
    fixture->schema_doc = gh_fixture_parse(&fixture->arena, gh_str_from_c(schema));
    fixture->err = gh_schemas_add(fixture->schemas, GH_STR("test:/schema"), &fixture->schema_doc,
                                  GH_SCHEMA_IS_SCHEMA, &fixture->error);
    if (fixture->err == GH_OK)
        fixture->err = gh_schemas_compile(fixture->schemas, GH_STR("test:/schema"),
                                          &fixture->schema, &fixture->error);
}

static inline void gh_fixture_close(struct gh_check_fixture *fixture)
{
    gh_arena_done(&fixture->arena);
}

static inline enum gh_schema_outcome gh_fixture_check(struct gh_check_fixture *fixture,
                                                      struct gh_str value,
                                                      const struct gh_schema_check_options *options)
{
    GH_ASSERT(fixture->err == GH_OK);
    fixture->doc = gh_fixture_parse(&fixture->arena, value);
    return gh_schema_check(fixture->schemas, fixture->schema, &fixture->doc,
                           gh_json_root(&fixture->doc), options, &fixture->arena, &fixture->report);
}

#endif
