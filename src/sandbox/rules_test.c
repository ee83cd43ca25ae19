/* The list of what stays in reach, without holding anything: sandbox_hold_test.c of app does. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/rules.h"

struct fixture {
    struct gh_arena arena;
    struct gh_sandbox_rules held, wanted;
    char directory[PATH_MAX];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char name[] = "/tmp/gh-sandbox-XXXXXX";
    assert_non_null(fixture);
    assert_non_null(mkdtemp(name));
    assert_non_null(realpath(name, fixture->directory));
    gh_arena_init(&fixture->arena, 4096, 1024 * 1024);
    gh_sandbox_rules_init(&fixture->held, &fixture->arena);
    gh_sandbox_rules_init(&fixture->wanted, &fixture->arena);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    static const char *const MADE[] = {"live/link.pem", "archive/one.pem", "live", "archive", "a"};
    for (size_t i = 0; i < sizeof(MADE) / sizeof(MADE[0]); i++)
        remove(gh_arena_format(&fixture->arena, "%s/%s", fixture->directory, MADE[i]).ptr);
    rmdir(fixture->directory);
    gh_arena_done(&fixture->arena);
    free(fixture);
    return 0;
}

static struct gh_str below(struct fixture *fixture, const char *name)
{
    return gh_arena_format(&fixture->arena, "%s/%s", fixture->directory, name);
}

static bool covers(struct fixture *fixture, const char **out_what)
{
    struct gh_str what = GH_STR("");
    bool covered = gh_sandbox_rules_cover(&fixture->held, &fixture->wanted, &fixture->arena, &what);
    *out_what = what.ptr;
    return covered;
}

static void what_lies_below_a_held_directory_is_covered(void **state)
{
    struct fixture *fixture = *state;
    const char *what;
    mkdir(below(fixture, "a").ptr, 0700);
    gh_sandbox_allow_directory(&fixture->held, GH_SANDBOX_READ, gh_str_from_c(fixture->directory),
                               "all");
    gh_sandbox_allow_directory(&fixture->wanted, GH_SANDBOX_READ, below(fixture, "a"), "a");
    assert_true(covers(fixture, &what));
}

static void a_file_alone_is_asked_for(void **state)
{
    struct fixture *fixture = *state;
    mkdir(below(fixture, "a").ptr, 0700);
    gh_sandbox_allow_directory(&fixture->held, GH_SANDBOX_READ, below(fixture, "a"), "a");
    struct gh_str inside = below(fixture, "a/key"), beside = below(fixture, "key");
    assert_true(
        gh_sandbox_rules_cover_file(&fixture->held, GH_SANDBOX_READ, inside, &fixture->arena));
    assert_false(
        gh_sandbox_rules_cover_file(&fixture->held, GH_SANDBOX_WRITE, inside, &fixture->arena));
    assert_false(
        gh_sandbox_rules_cover_file(&fixture->held, GH_SANDBOX_READ, beside, &fixture->arena));
}

static void a_directory_that_only_begins_alike_is_another(void **state)
{
    struct fixture *fixture = *state;
    const char *what;
    gh_sandbox_allow_directory(&fixture->held, GH_SANDBOX_READ, below(fixture, "live"), "x");
    gh_sandbox_allow_directory(&fixture->wanted, GH_SANDBOX_READ, below(fixture, "liveliness"),
                               "documents");
    assert_false(covers(fixture, &what));
    assert_non_null(strstr(what, "reading "));
    assert_non_null(strstr(what, "liveliness (documents)"));
}

static void what_may_be_read_may_not_be_written(void **state)
{
    struct fixture *fixture = *state;
    struct gh_str directory = gh_str_from_c(fixture->directory);
    const char *what;
    gh_sandbox_allow_directory(&fixture->held, GH_SANDBOX_READ, directory, "x");
    gh_sandbox_allow_directory(&fixture->wanted, GH_SANDBOX_WRITE, directory, "evidence");
    assert_false(covers(fixture, &what));
    assert_non_null(strstr(what, "writing "));
    gh_sandbox_allow_directory(&fixture->held, GH_SANDBOX_WRITE, directory, "x");
    assert_true(covers(fixture, &what));
}

static void a_file_that_is_replaced_stands_for_its_directory(void **state)
{
    struct fixture *fixture = *state;
    const char *what;
    gh_sandbox_allow_replaced(&fixture->held, GH_SANDBOX_READ, below(fixture, "one.pem"), "x");
    gh_sandbox_allow_replaced(&fixture->wanted, GH_SANDBOX_READ, below(fixture, "two.pem"), "x");
    assert_true(covers(fixture, &what));
}

/* As certbot has it: live/link.pem leads to archive/one.pem, and later to another one there. */
static void where_a_link_leads_is_allowed_as_well(void **state)
{
    struct fixture *fixture = *state;
    const char *what;
    mkdir(below(fixture, "live").ptr, 0700);
    mkdir(below(fixture, "archive").ptr, 0700);
    FILE *file = fopen(below(fixture, "archive/one.pem").ptr, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(symlink("../archive/one.pem", below(fixture, "live/link.pem").ptr), 0);
    gh_sandbox_allow_replaced(&fixture->held, GH_SANDBOX_READ, below(fixture, "live/link.pem"),
                              "x");
    gh_sandbox_allow_file(&fixture->wanted, GH_SANDBOX_READ, below(fixture, "archive/two.pem"),
                          "x");
    gh_sandbox_allow_file(&fixture->wanted, GH_SANDBOX_READ, below(fixture, "live/link.pem"), "x");
    assert_true(covers(fixture, &what));
    gh_sandbox_allow_file(&fixture->wanted, GH_SANDBOX_READ, below(fixture, "other.pem"), "x");
    assert_false(covers(fixture, &what));
}

static void a_file_in_a_directory_of_the_system_stands_for_itself(void **state)
{
    struct fixture *fixture = *state;
    const char *what;
    gh_sandbox_allow_replaced(&fixture->held, GH_SANDBOX_READ, GH_STR("/etc/gatehouse.yaml"),
                              "the configuration");
    gh_sandbox_allow_file(&fixture->wanted, GH_SANDBOX_READ, GH_STR("/etc/gatehouse.yaml"), "x");
    assert_true(covers(fixture, &what));
    gh_sandbox_allow_file(&fixture->wanted, GH_SANDBOX_READ, GH_STR("/etc/passwd"), "x");
    assert_false(covers(fixture, &what));
}

static void a_file_alone_that_was_replaced_is_not_covered(void **state)
{
    struct fixture *fixture = *state;
    const char *what;
    struct gh_str path = below(fixture, "a");
    fclose(fopen(path.ptr, "w"));
    gh_sandbox_allow_file(&fixture->held, GH_SANDBOX_READ, path, "x");
    fclose(fopen(below(fixture, "b").ptr, "w"));
    assert_int_equal(rename(below(fixture, "b").ptr, path.ptr), 0);
    gh_sandbox_allow_file(&fixture->wanted, GH_SANDBOX_READ, path, "a list");
    assert_false(covers(fixture, &what));
    assert_non_null(strstr(what, "/a (a list)"));
}

/* The kernel holds the directory that was there, and not its name. */
static void a_directory_that_was_made_again_is_not_covered(void **state)
{
    struct fixture *fixture = *state;
    const char *what;
    struct gh_str path = below(fixture, "a");
    mkdir(path.ptr, 0700);
    gh_sandbox_allow_directory(&fixture->held, GH_SANDBOX_READ, path, "x");
    gh_sandbox_allow_directory(&fixture->wanted, GH_SANDBOX_READ, path, "documents");
    assert_true(covers(fixture, &what));
    assert_int_equal(rename(path.ptr, below(fixture, "b").ptr), 0); /* keeps its number taken */
    assert_false(covers(fixture, &what));
    mkdir(path.ptr, 0700);
    assert_false(covers(fixture, &what));
    assert_non_null(strstr(what, "/a (documents)"));
    rmdir(below(fixture, "b").ptr);
}

static void a_directory_that_came_later_is_not_covered(void **state)
{
    struct fixture *fixture = *state;
    const char *what;
    struct gh_sandbox_rules later;
    struct gh_str path = below(fixture, "a");
    gh_sandbox_rules_init(&later, &fixture->arena);
    gh_sandbox_allow_directory(&fixture->held, GH_SANDBOX_READ, path, "x");
    gh_sandbox_allow_directory(&fixture->wanted, GH_SANDBOX_READ, path, "x");
    assert_true(covers(fixture, &what)); /* nothing there, nothing missed */
    mkdir(path.ptr, 0700);
    gh_sandbox_allow_directory(&later, GH_SANDBOX_READ, path, "x");
    fixture->wanted = later;
    assert_false(covers(fixture, &what));
}

static void a_directory_that_others_remake_is_held_from_above(void **state)
{
    struct fixture *fixture = *state;
    const char *what;
    struct gh_str path = below(fixture, "a/.well-known/acme-challenge/");
    mkdir(below(fixture, "a").ptr, 0700);
    gh_sandbox_allow_remade(&fixture->held, GH_SANDBOX_READ, path, "x");
    assert_string_equal(fixture->held.paths->path, below(fixture, "a").ptr);
    mkdir(below(fixture, "a/.well-known").ptr, 0700);
    mkdir(path.ptr, 0700);
    gh_sandbox_allow_remade(&fixture->wanted, GH_SANDBOX_READ, path, "x");
    assert_true(covers(fixture, &what));
    rmdir(path.ptr);
    rmdir(below(fixture, "a/.well-known").ptr);
}

static void nothing_is_held_from_a_directory_of_the_system(void **state)
{
    struct fixture *fixture = *state;
    gh_sandbox_allow_remade(&fixture->held, GH_SANDBOX_READ, GH_STR("/srv/gh-not-there"), "x");
    gh_sandbox_allow_remade(&fixture->held, GH_SANDBOX_READ, GH_STR("/tmp/gh-none/below"), "x");
    assert_string_equal(fixture->held.paths->path, "/srv/gh-not-there");
    assert_string_equal(fixture->held.paths->next->path, "/tmp/gh-none/below");
    assert_null(fixture->held.paths->next->next);
}

static void private_keys_of_the_system_are_not_opened_by_a_file_beside_them(void **state)
{
    struct fixture *fixture = *state;
    gh_sandbox_allow_replaced(&fixture->held, GH_SANDBOX_READ, GH_STR("/etc/ssl/own.pem"), "x");
    assert_string_equal(fixture->held.paths->path, "/etc/ssl/own.pem");
    assert_null(fixture->held.paths->next);
}

static void a_path_that_is_not_named_adds_nothing(void **state)
{
    struct fixture *fixture = *state;
    gh_sandbox_allow_directory(&fixture->held, GH_SANDBOX_WRITE, GH_STR(""), "x");
    gh_sandbox_allow_replaced(&fixture->held, GH_SANDBOX_WRITE, GH_STR(""), "x");
    assert_null(fixture->held.paths);
    assert_false(fixture->held.out_of_memory);
}

static void ports_are_held_by_direction(void **state)
{
    struct fixture *fixture = *state;
    const char *what;
    gh_sandbox_allow_port(&fixture->held, GH_SANDBOX_CONNECT, 5432);
    gh_sandbox_allow_port(&fixture->wanted, GH_SANDBOX_CONNECT, 5432);
    assert_true(covers(fixture, &what));
    gh_sandbox_allow_port(&fixture->wanted, GH_SANDBOX_LISTEN, 5432);
    assert_false(covers(fixture, &what));
    assert_string_equal(what, "listening on port 5432");
    gh_sandbox_allow_port(&fixture->held, GH_SANDBOX_LISTEN, 5432);
    gh_sandbox_allow_port(&fixture->wanted, GH_SANDBOX_CONNECT, 65535);
    assert_false(covers(fixture, &what));
    assert_string_equal(what, "connecting to port 65535");
}

static void a_list_that_does_not_fit_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct gh_arena small;
    struct gh_sandbox_rules rules;
    gh_arena_init(&small, 64, 128);
    gh_sandbox_rules_init(&rules, &small);
    assert_true(rules.out_of_memory);
    gh_sandbox_allow_port(&rules, GH_SANDBOX_CONNECT, 1);
    gh_sandbox_allow_directory(&rules, GH_SANDBOX_READ, gh_str_from_c(fixture->directory), "x");
    assert_true(rules.out_of_memory);
    gh_arena_done(&small);
}

struct told {
    char text[1024];
};

static void note(void *context, const char *text)
{
    struct told *told = context;
    size_t len = strlen(told->text);
    snprintf(told->text + len, sizeof(told->text) - len, "%s\n", text);
}

static void the_list_is_told_with_runs_of_ports_together(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {""};
    gh_sandbox_allow_file(&fixture->held, GH_SANDBOX_READ, GH_STR("/etc/hosts"), "names");
    for (uint16_t port = 8000; port < 8003; port++)
        gh_sandbox_allow_port(&fixture->held, GH_SANDBOX_CONNECT, port);
    gh_sandbox_allow_port(&fixture->held, GH_SANDBOX_CONNECT, 65535);
    gh_sandbox_allow_port(&fixture->held, GH_SANDBOX_LISTEN, 443);
    gh_sandbox_rules_tell(&fixture->held, note, &told);
    assert_string_equal(told.text, "may read /etc/hosts (names)\n"
                                   "may connect to ports 8000 to 8002\n"
                                   "may connect to port 65535\n"
                                   "may listen on port 443\n");
}

static void what_is_missed_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {""};
    gh_sandbox_allow_directory(&fixture->held, GH_SANDBOX_READ, gh_str_from_c("/tmp"), "there");
    gh_sandbox_allow_directory(&fixture->held, GH_SANDBOX_READ, GH_STR("/srv/gh-none"), "answers");
    fixture->held.optional = true;
    gh_sandbox_allow_directory(&fixture->held, GH_SANDBOX_READ, GH_STR("/srv/gh-other"), "x");
    gh_sandbox_rules_tell_absent(&fixture->held, note, &told);
    assert_string_equal(told.text, "/srv/gh-none (answers)\n");
}

static void a_file_that_was_replaced_is_told_once(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {""};
    struct gh_str path = below(fixture, "a"), other = below(fixture, "b");
    const char *says = gh_arena_format(&fixture->arena, "%s (names)\n", path.ptr).ptr;
    fclose(fopen(path.ptr, "w"));
    gh_sandbox_allow_file(&fixture->held, GH_SANDBOX_READ, path, "names");
    assert_int_equal(gh_sandbox_rules_tell_replaced(&fixture->held, note, &told), 0);
    assert_string_equal(told.text, "");
    assert_int_equal(rename(path.ptr, other.ptr), 0);
    fclose(fopen(path.ptr, "w"));
    assert_int_equal(gh_sandbox_rules_tell_replaced(&fixture->held, note, &told), 1);
    assert_string_equal(told.text, says);
    told.text[0] = '\0';
    assert_int_equal(gh_sandbox_rules_tell_replaced(&fixture->held, note, &told), 1);
    assert_string_equal(told.text, "");
    /* The first one comes back: that is in reach. */
    assert_int_equal(rename(other.ptr, path.ptr), 0);
    assert_int_equal(gh_sandbox_rules_tell_replaced(&fixture->held, note, &told), 0);
    assert_int_equal(unlink(path.ptr), 0);
    assert_int_equal(gh_sandbox_rules_tell_replaced(&fixture->held, note, &told), 1);
    assert_string_equal(told.text, says);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_lies_below_a_held_directory_is_covered),
        TEST(a_file_alone_is_asked_for),
        TEST(a_directory_that_only_begins_alike_is_another),
        TEST(what_may_be_read_may_not_be_written),
        TEST(a_file_that_is_replaced_stands_for_its_directory),
        TEST(where_a_link_leads_is_allowed_as_well),
        TEST(a_file_in_a_directory_of_the_system_stands_for_itself),
        TEST(a_file_alone_that_was_replaced_is_not_covered),
        TEST(a_directory_that_was_made_again_is_not_covered),
        TEST(a_directory_that_came_later_is_not_covered),
        TEST(a_directory_that_others_remake_is_held_from_above),
        TEST(nothing_is_held_from_a_directory_of_the_system),
        TEST(private_keys_of_the_system_are_not_opened_by_a_file_beside_them),
        TEST(a_path_that_is_not_named_adds_nothing),
        TEST(ports_are_held_by_direction),
        TEST(a_list_that_does_not_fit_says_so),
        TEST(the_list_is_told_with_runs_of_ports_together),
        TEST(what_is_missed_is_told),
        TEST(a_file_that_was_replaced_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
