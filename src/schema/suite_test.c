/*
 * The JSON-Schema-Test-Suite for draft 2020-12, all of it that is there: every group of every file
 * under tests/draft2020-12, the optional ones too but those named below. Without the suite the
 * tests are skipped. An argument names another folder that has tests/ and remotes/, such as a
 * checkout of the suite with the optional tests.
 *
 * Left out of the optional ones, in LEFT_OUT: schemas of other drafts; look behind of a variable
 * length, which PCRE2 doesn't have; the rule for names of two directions (RFC 5893), whose tables
 * we don't carry; Punycode that isn't in its shortest form.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "schema/schema.h"

#define FILE_BYTES_MAX (1u << 20)
#define PATH_BYTES_MAX 1024
#define ARENA_BYTES    (64u << 20)
#define DEPTH_MAX      6
#define REMOTES_URI    "http://localhost:1234/"

static const char *const FOLDERS[] = {
    GH_SOURCE_ROOT "/../shared/conformance/json-schema-2020-12",
};

/* Optional tests whose answer doesn't count: of a file, those with this description. */
static const struct {
    const char *file, *description;
} LEFT_OUT[] = {
    {"cross-draft.json", NULL}, /* all of them */
    {"ecmascript-regex.json", "a variable-width lookbehind (ES2018)"},
    {"idn-hostname.json", "Bidi domain name with a digit-first label is invalid"},
    {"idn-hostname.json", "label starting with a digit before a right-to-left letter is invalid"},
    {"idn-hostname.json", "left-to-right label containing a right-to-left letter is invalid"},
    {"idn-hostname.json", "right-to-left label mixing both digit types is invalid"},
    {"idn-hostname.json", "A-label that decodes to a Bidi rule violation is invalid"},
    {"idn-hostname.json", "non-canonical Punycode that does not re-encode to itself is invalid"},
};

static const struct gh_json_limits LIMITS = {
    .bytes_max = FILE_BYTES_MAX, .depth_max = 128, .values_max = 1 << 18, .members_max = 1 << 14};

struct suite {
    const char *folder;
    struct gh_arena arena; /* of one file */
    struct gh_json_doc remotes[256];
    char remote_uris[256][256];
    size_t remote_count;
    unsigned passed, failed, left_out;
    bool assert_formats;
    struct gh_str text; /* of the file */
};

static const char *chosen_folder;

static bool read_json(struct gh_arena *arena, const char *path, struct gh_json_doc *doc,
                      struct gh_str *out_text)
{
    FILE *file = fopen(path, "rb");
    char *text = gh_arena_alloc(arena, FILE_BYTES_MAX);
    if (!file || !text) {
        if (file)
            fclose(file);
        return false;
    }
    size_t len = fread(text, 1, FILE_BYTES_MAX, file);
    fclose(file);
    *out_text = gh_str_of(text, len);
    return gh_json_parse(arena, *out_text, &LIMITS, doc, NULL) == GH_JSON_OK;
}

/* Calls `each` for the files of a folder and its folders, in the order of their names. */
static void walk(const char *folder, unsigned depth, void (*each)(const char *path, void *context),
                 void *context)
{
    struct dirent **entries = NULL;
    int count = depth < DEPTH_MAX ? scandir(folder, &entries, NULL, alphasort) : -1;
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES_MAX];
        struct stat info;
        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && stat(path, &info) == 0) {
            if (S_ISDIR(info.st_mode))
                walk(path, depth + 1, each, context);
            else if (strstr(path, ".json"))
                each(path, context);
        }
        free(entries[i]);
    }
    free(entries);
}

static void add_remote(const char *path, void *context)
{
    struct suite *suite = context;
    struct gh_str text;
    const char *name = strstr(path, "/remotes/") + strlen("/remotes/");
    /* Other drafts have files of their own, which none of ours refers to. */
    if (strncmp(name, "draft", 5) == 0 && strncmp(name, "draft2020-12", 12) != 0)
        return;
    if (suite->remote_count == 256 ||
        !read_json(&suite->arena, path, &suite->remotes[suite->remote_count], &text))
        return;
    snprintf(suite->remote_uris[suite->remote_count++], 256, REMOTES_URI "%s", name);
}

static enum gh_err compile(struct suite *suite, struct gh_arena *arena,
                           const struct gh_json_value *schema, struct gh_schemas **out_schemas,
                           uint32_t *out_schema, struct gh_schema_error *error)
{
    struct gh_schema_options options = {.assert_formats = suite->assert_formats};
    struct gh_schemas *schemas = gh_schemas_new(arena, &options);
    *out_schemas = schemas;
    assert_non_null(schemas);
    for (size_t i = 0; i < suite->remote_count; i++) {
        enum gh_err err = gh_schemas_add(schemas, gh_str_from_c(suite->remote_uris[i]),
                                         &suite->remotes[i], GH_SCHEMA_IS_SCHEMA, error);
        if (err != GH_OK)
            return err;
    }
    /* The schema is part of the file; a document is a text of its own. */
    struct gh_json_doc *own = gh_arena_alloc(arena, sizeof(*own));
    struct gh_str text = gh_str_of(suite->text.ptr + schema->start, schema->end - schema->start);
    assert_int_equal(gh_json_parse(arena, text, &LIMITS, own, NULL), GH_JSON_OK);
    enum gh_err err =
        gh_schemas_add(schemas, GH_STR("test:/schema"), own, GH_SCHEMA_IS_SCHEMA, error);
    if (err == GH_OK)
        err = gh_schemas_compile(schemas, GH_STR("test:/schema"), out_schema, error);
    return err;
}

static bool is_left_out(const char *path, struct gh_str description)
{
    for (size_t i = 0; i < sizeof(LEFT_OUT) / sizeof(LEFT_OUT[0]); i++) {
        const char *wanted = LEFT_OUT[i].description;
        if (strstr(path, "/optional/") && strstr(path, LEFT_OUT[i].file) &&
            (!wanted || gh_str_eq(description, gh_str_from_c(wanted))))
            return true;
    }
    return false;
}

static void complain(struct suite *suite, const char *path, struct gh_str group, struct gh_str test,
                     struct gh_str why)
{
    suite->failed++;
    fprintf(stderr, "%s: %.*s: %.*s: %.*s\n", strrchr(path, '/') + 1, GH_STR_ARG(group),
            GH_STR_ARG(test), GH_STR_ARG(why));
}

static void run_group(struct suite *suite, const char *path, const struct gh_json_doc *doc,
                      const struct gh_json_value *group)
{
    struct gh_arena arena;
    struct gh_schemas *schemas;
    struct gh_schema_error error = {0};
    uint32_t schema = 0;
    struct gh_str title = gh_json_string(gh_json_get(doc, group, GH_STR("description")));
    const struct gh_json_value *tests = gh_json_get(doc, group, GH_STR("tests"));
    gh_arena_init(&arena, 256 * 1024, ARENA_BYTES);
    enum gh_err err = compile(suite, &arena, gh_json_get(doc, group, GH_STR("schema")), &schemas,
                              &schema, &error);
    for (const struct gh_json_value *test = gh_json_first(doc, tests); test;
         test = gh_json_after(doc, tests, test)) {
        struct gh_str name = gh_json_string(gh_json_get(doc, test, GH_STR("description")));
        const struct gh_json_value *data = gh_json_get(doc, test, GH_STR("data"));
        bool wanted = gh_json_get(doc, test, GH_STR("valid"))->boolean;
        struct gh_schema_report report;
        if (is_left_out(path, name)) {
            suite->left_out++;
            continue;
        }
        if (err != GH_OK) {
            complain(suite, path, title, name, error.text);
            continue;
        }
        enum gh_schema_outcome outcome =
            gh_schema_check(schemas, schema, doc, data, &gh_schema_check_usual, &arena, &report);
        if (outcome == (wanted ? GH_SCHEMA_VALID : GH_SCHEMA_INVALID) &&
            (report.count > 0) == !wanted)
            suite->passed++;
        else
            complain(suite, path, title, name,
                     report.count ? report.violations[0].message : GH_STR("accepted"));
    }
    gh_arena_done(&arena);
}

static void run_file(const char *path, void *context)
{
    struct suite *suite = context;
    struct gh_json_doc doc;
    struct gh_arena arena;
    gh_arena_init(&arena, 2 * FILE_BYTES_MAX, ARENA_BYTES);
    /* The suite's format tests are for implementations that assert. */
    suite->assert_formats = strstr(path, "/optional/format/");
    if (!read_json(&arena, path, &doc, &suite->text))
        fail_msg("%s can't be read", path);
    const struct gh_json_value *groups = gh_json_root(&doc);
    for (const struct gh_json_value *group = gh_json_first(&doc, groups); group;
         group = gh_json_after(&doc, groups, group))
        run_group(suite, path, &doc, group);
    gh_arena_done(&arena);
}

static void passes_the_suite_of_draft_2020_12(void **state)
{
    static struct suite suite;
    char path[PATH_BYTES_MAX];
    struct stat info;
    (void)state;
    if (chosen_folder)
        suite.folder = chosen_folder;
    for (size_t i = 0; i < sizeof(FOLDERS) / sizeof(FOLDERS[0]) && !suite.folder; i++) {
        snprintf(path, sizeof(path), "%s/tests/draft2020-12", FOLDERS[i]);
        if (stat(path, &info) == 0)
            suite.folder = FOLDERS[i];
    }
    if (!suite.folder) {
        printf("no JSON-Schema-Test-Suite with draft2020-12 here\n");
        skip();
    }
    gh_arena_init(&suite.arena, 1 << 20, 256u << 20);
    snprintf(path, sizeof(path), "%s/remotes", suite.folder);
    walk(path, 0, add_remote, &suite);
    snprintf(path, sizeof(path), "%s/tests/draft2020-12", suite.folder);
    walk(path, 0, run_file, &suite);
    gh_arena_done(&suite.arena);
    printf("%u of %u tests passed, %u left out\n", suite.passed, suite.passed + suite.failed,
           suite.left_out);
    assert_int_equal(suite.failed, 0);
    assert_true(suite.passed > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_the_suite_of_draft_2020_12),
    };
    if (argc > 1)
        chosen_folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
