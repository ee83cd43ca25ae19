/* The public cases of JSON's grammar ("Parsing JSON is a Minefield"): y_ is JSON, n_ is not, i_ is
   left open. Skipped where they are not there. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>

#include "json/parse_cuts.h"

#define FOLDER GH_SOURCE_ROOT "/../shared/conformance/json-test-suite/test_parsing"

static const struct gh_json_limits LIMITS = {
    .bytes_max = 1 << 20, .depth_max = 1024, .values_max = 1 << 20, .members_max = 1000};

static struct gh_str read_case(struct gh_arena *arena, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), FOLDER "/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = gh_arena_alloc(arena, LIMITS.bytes_max);
    assert_non_null(bytes);
    size_t len = fread(bytes, 1, LIMITS.bytes_max, file);
    fclose(file);
    /* In memory of its own size, so that the sanitizer sees a step behind it. */
    return gh_arena_dup(arena, gh_str_of(bytes, len));
}

static void check_case(const char *name)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 1 << 16, 1 << 28);
    struct gh_str text = read_case(&arena, name);
    struct gh_json_result whole = {0};
    whole.status = gh_json_parse(&arena, text, &LIMITS, &whole.doc, &whole.offset);
    if ((name[0] == 'y' && whole.status != GH_JSON_OK) ||
        (name[0] == 'n' && whole.status == GH_JSON_OK))
        fail_msg("%s: %s at %zu", name, gh_json_status_text(whole.status).ptr, whole.offset);
    struct gh_json_result bytewise = gh_json_parse_cut(&arena, text, &LIMITS, 1, 1);
    gh_json_assert_same(&whole, &bytewise);
    gh_arena_done(&arena);
}

/* Names that stand for a repeated member, which we refuse on purpose. */
static bool repeats_a_name(const char *name)
{
    return strcmp(name, "y_object_duplicated_key.json") == 0 ||
           strcmp(name, "y_object_duplicated_key_and_value.json") == 0;
}

static void agrees_with_every_public_case(void **state)
{
    DIR *folder = opendir(FOLDER);
    if (!folder) {
        print_message("skipped: no %s\n", FOLDER);
        skip();
        return;
    }
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder)); count++) {
        if (entry->d_name[0] != '.' && !repeats_a_name(entry->d_name))
            check_case(entry->d_name);
    }
    closedir(folder);
    assert_true(count > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_every_public_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
