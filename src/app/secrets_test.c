/* Secrets at start: all named at once, none shown. */
#include "app/secrets.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#define STRONG "pX0h4n1a8vB2mTzq7Lr5WcYk3Jd9SfGe6UiOoPtRy+w="

struct variable {
    const char *name, *value;
};

static const char *look_up(void *context, const char *name)
{
    for (const struct variable *v = context; v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v->value;
    return NULL;
}

static struct {
    struct gh_arena arena;
    struct gh_secrets_settings settings;
    struct gh_secrets secrets;
    struct gh_str message, warning;
    struct gh_str required[4], previous[2];
} t;

static int set_up(void **state)
{
    memset(&t, 0, sizeof(t));
    gh_arena_init(&t.arena, 4096, 1 << 20);
    t.required[0] = GH_STR("SUPABASE_URL");
    t.required[1] = GH_STR("SUPABASE_SERVICE_ROLE_KEY");
    t.required[2] = GH_STR("ANTHROPIC_API_KEY");
    t.required[3] = GH_STR("APP_SECRET_KEY");
    t.settings.root = GH_STR("env:APP_SECRET_KEY");
    t.settings.required = (struct gh_config_list){t.required, 3};
    return 0;
}

static int tear_down(void **state)
{
    gh_arena_done(&t.arena);
    return 0;
}

static bool load(struct variable *variables, bool root_needed, bool production)
{
    struct gh_secret_source source = {look_up, variables};
    return gh_secrets_load(&t.settings, root_needed, production, &source, &t.arena, &t.secrets,
                           &t.message, &t.warning);
}

static bool says(struct gh_str text, const char *part)
{
    return gh_str_find(text, gh_str_from_c(part)) < text.len;
}

static void names_all_that_are_missing_or_empty_in_one_message(void **state)
{
    struct variable variables[] = {{"ANTHROPIC_API_KEY", ""}, {NULL, NULL}};
    assert_false(load(variables, true, false));
    assert_true(says(t.message, "Required secrets are missing or empty: SUPABASE_URL, "
                                "SUPABASE_SERVICE_ROLE_KEY, ANTHROPIC_API_KEY, APP_SECRET_KEY."));
}

static void names_as_many_as_there_are(void **state)
{
    static struct gh_str many[200];
    struct variable variables[] = {{NULL, NULL}};
    for (size_t i = 0; i < 200; i++)
        many[i] = gh_arena_format(&t.arena, "A_SECRET_OF_THE_BACKEND_%03zu", i);
    t.settings.required = (struct gh_config_list){many, 200};
    assert_false(load(variables, true, false));
    for (size_t i = 0; i < 200; i++)
        assert_true(says(t.message, many[i].ptr));
    assert_true(says(t.message, "_199, APP_SECRET_KEY. Set them in the environment"));
}

static void names_the_root_once_when_it_is_required_too(void **state)
{
    struct variable variables[] = {{NULL, NULL}};
    t.settings.required = (struct gh_config_list){&t.required[3], 1};
    assert_false(load(variables, true, false));
    assert_true(says(t.message, "empty: APP_SECRET_KEY."));
}

static void without_identity_the_root_is_not_asked_for(void **state)
{
    struct variable variables[] = {{NULL, NULL}};
    t.settings.required.count = 0;
    assert_true(load(variables, false, true));
    assert_int_equal(t.secrets.root_count, 0);
}

static struct variable with_root[] = {
    {"SUPABASE_URL", "https://abc.supabase.co"}, {"SUPABASE_SERVICE_ROLE_KEY", "eyJhbGciOi"},
    {"ANTHROPIC_API_KEY", "sk-ant-1"},           {"APP_SECRET_KEY", STRONG},
    {"OLD", "an older root key, still used"},    {NULL, NULL}};

static void takes_a_good_set_and_passes_over_a_previous_one_that_is_not_set(void **state)
{
    t.previous[0] = GH_STR("env:NOT_SET");
    t.previous[1] = GH_STR("env:OLD");
    t.settings.previous = (struct gh_config_list){t.previous, 2};
    with_root[3].value = STRONG;
    assert_true(load(with_root, true, true));
    assert_int_equal(t.message.len + t.warning.len, 0);
    assert_int_equal(t.secrets.root_count, 2);
    assert_true(gh_str_eq(t.secrets.roots[0], GH_STR(STRONG)));
    assert_true(gh_str_eq(t.secrets.roots[1], GH_STR("an older root key, still used")));
}

static void refuses_bad_values_in_production_and_warns_in_development(void **state)
{
    static const struct {
        const char *root, *says;
    } CASES[] = {
        {"changeme", "example's: APP_SECRET_KEY"},
        {"Change-Me-please-0123456789abcdefghijkl", "example's: APP_SECRET_KEY"},
        {"your-secret-key-goes-here-and-is-long-enough", "example's: APP_SECRET_KEY"},
        {"correct horse battery staple", "too weak: APP_SECRET_KEY"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "too weak"},
        {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "too weak"},
        {"x7Gd92kQ", "too weak"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        with_root[3].value = CASES[i].root;
        assert_false(load(with_root, true, true));
        assert_true(says(t.message, CASES[i].says));
        assert_false(says(t.message, CASES[i].root));
        assert_true(load(with_root, true, false));
        assert_true(says(t.warning, CASES[i].says));
        assert_false(says(t.warning, CASES[i].root));
    }
}

static void takes_32_random_bytes_in_every_usual_form(void **state)
{
    assert_false(gh_secret_is_weak(GH_STR(STRONG)));
    assert_false(gh_secret_is_weak(
        GH_STR("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")));
    assert_false(gh_secret_is_weak(GH_STR("pX0h4n1a8vB2mTzq7Lr5WcYk3Jd9SfGe6UiOoPtRy-w")));
}

static void ordinary_values_do_not_look_like_defaults(void **state)
{
    static const char *const VALUES[] = {"https://example.com", "admin@example.com",
                                         "testing-bucket", "secretariat.example.com",
                                         "sk_test_4eC39HqLyjWD"};
    for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++)
        assert_false(gh_secret_looks_default(gh_str_from_c(VALUES[i])));
}

static void reads_a_file_without_its_line_end(void **state)
{
    char path[] = "/tmp/gatehouse-secret-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    fputs(STRONG "\r\n", file);
    fclose(file);
    struct gh_secret_source source = {look_up, with_root};
    struct gh_str value;
    struct gh_str reference = gh_arena_format(&t.arena, "file:%s", path);
    assert_int_equal(gh_secret_resolve(&t.arena, &source, reference, &value), GH_OK);
    assert_true(gh_str_eq(value, GH_STR(STRONG)));
    remove(path);
    assert_int_equal(gh_secret_resolve(&t.arena, &source, reference, &value), GH_ERR_NOT_FOUND);
}

/* ---- Keys of another system ---- */

#define FERNET "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="

static void loads_fernet_keys_in_their_order(void **state)
{
    static struct gh_str references[] = {GH_STR_INIT("env:NEW_FERNET"),
                                         GH_STR_INIT("env:OLD_FERNET")};
    struct variable variables[] = {
        {"APP_SECRET_KEY", STRONG}, {"OLD_FERNET", FERNET}, {"NEW_FERNET", STRONG}, {NULL, NULL}};
    t.settings.required.count = 0;
    t.settings.fernet = (struct gh_config_list){references, 2};
    assert_false(load(variables, true, true)); /* Base64 with '+' is not base64url */
    assert_true(says(t.message, "no Fernet keys"));
    assert_true(says(t.message, "NEW_FERNET."));
    assert_false(says(t.message, "OLD_FERNET"));
    assert_false(says(t.message, STRONG));
    variables[2].value = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    assert_true(load(variables, true, true));
    assert_int_equal(t.secrets.fernet_count, 2);
    assert_int_equal(t.secrets.fernet[0].bytes[1], 1);
    assert_int_equal(t.secrets.fernet[1].bytes[0], 0x73);
    variables[1].value = "";
    assert_false(load(variables, true, true));
    assert_true(says(t.message, "missing or empty: OLD_FERNET."));
}

static void overwrites_what_the_environment_holds(void **state)
{
    struct gh_str previous[] = {GH_STR_INIT("env:GH_TEST_PREVIOUS")};
    setenv("GH_TEST_ROOT", STRONG, 1);
    setenv("GH_TEST_PREVIOUS", "another value", 1);
    setenv("GH_TEST_REQUIRED", "of the backend", 1);
    const char *root = getenv("GH_TEST_ROOT"), *before = getenv("GH_TEST_PREVIOUS");
    t.settings.root = GH_STR("env:GH_TEST_ROOT");
    t.settings.previous = (struct gh_config_list){previous, 1};
    gh_secrets_forget_environment(&t.settings);
    for (size_t i = 0; i < sizeof(STRONG); i++)
        assert_int_equal(root[i], 0);
    for (size_t i = 0; i < sizeof("another value"); i++)
        assert_int_equal(before[i], 0);
    assert_string_equal(getenv("GH_TEST_REQUIRED"), "of the backend");
    t.settings.root = GH_STR("env:GH_TEST_IS_NOT_SET");
    gh_secrets_forget_environment(&t.settings);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(names_all_that_are_missing_or_empty_in_one_message),
        T(names_as_many_as_there_are),
        T(names_the_root_once_when_it_is_required_too),
        T(without_identity_the_root_is_not_asked_for),
        T(takes_a_good_set_and_passes_over_a_previous_one_that_is_not_set),
        T(refuses_bad_values_in_production_and_warns_in_development),
        T(takes_32_random_bytes_in_every_usual_form),
        T(ordinary_values_do_not_look_like_defaults),
        T(reads_a_file_without_its_line_end),
        T(loads_fernet_keys_in_their_order),
        T(overwrites_what_the_environment_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
