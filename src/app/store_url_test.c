#include "app/store_url.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static int set_up(void **state)
{
    static struct gh_arena arena;
    gh_arena_init(&arena, 4096, 65536);
    *state = &arena;
    return 0;
}

static int tear_down(void **state)
{
    gh_arena_done(*state);
    return 0;
}

static void assert_text(struct gh_str actual, const char *expected)
{
    assert_int_equal(actual.len, strlen(expected));
    assert_memory_equal(actual.ptr ? actual.ptr : "", expected, actual.len);
}

static void tells_user_password_and_host_apart(void **state)
{
    struct gh_store_url url = gh_store_url_read(
        *state, GH_STR("postgresql://gate%40house:p%3aw%2F@db.example:5433/gate"));
    assert_true(url.is_valid);
    assert_text(url.user, "gate@house");
    assert_text(url.password, "p:w/");
    assert_text(url.remote, "db.example");
    assert_false(url.verified);
}

static void takes_what_stands_among_the_parameters(void **state)
{
    struct gh_store_url url = gh_store_url_read(
        *state,
        GH_STR("postgres:///gate?host=10.0.0.7&user=u&password=changeme&sslmode=verify-ca"));
    assert_true(url.is_valid);
    assert_text(url.user, "u");
    assert_text(url.password, "changeme");
    assert_text(url.remote, "10.0.0.7");
    assert_true(url.verified);
}

static void takes_parameters_however_they_are_written(void **state)
{
    struct gh_store_url url = gh_store_url_read(
        *state, GH_STR("postgresql:///gate?h%6Fst=db&p%61ssword=chang%65me&sslm%6fde=verify-full"));
    assert_true(url.is_valid);
    assert_text(url.password, "changeme");
    assert_text(url.remote, "db");
    assert_true(url.verified);
    url = gh_store_url_read(*state, GH_STR("postgresql://u:one@/gate?password=two&host=%40gate"));
    assert_true(url.is_valid);
    assert_text(url.password, "two");
    assert_text(url.remote, "");
}

static void knows_what_is_on_this_machine(void **state)
{
    static const char *const HERE[] = {
        "postgresql:///gate",
        "postgresql://",
        "postgresql://localhost/gate",
        "postgresql://LOCALHOST:5433,127.0.0.1,[::1]:5432/gate",
        "postgresql://%2Frun%2Fpostgresql/gate",
        "postgresql:///gate?host=/run/postgresql",
        "postgresql://u@127.8.9.1/gate",
    };
    for (size_t i = 0; i < sizeof(HERE) / sizeof(HERE[0]); i++) {
        struct gh_store_url url = gh_store_url_read(*state, gh_str_from_c(HERE[i]));
        assert_true(url.is_valid);
        assert_text(url.remote, "");
    }
}

static void finds_the_one_of_several_hosts_that_is_elsewhere(void **state)
{
    static const char *const ELSEWHERE[] = {
        "postgresql://localhost,db/gate",
        "postgresql://localhost:1,db:2/gate",
        "postgresql:///gate?host=localhost,db",
        "postgresql://localhost/gate?hostaddr=db",
        "postgresql://[::1]:5432,db/gate?sslmode=require",
    };
    for (size_t i = 0; i < sizeof(ELSEWHERE) / sizeof(ELSEWHERE[0]); i++) {
        struct gh_store_url url = gh_store_url_read(*state, gh_str_from_c(ELSEWHERE[i]));
        assert_true(url.is_valid);
        assert_text(url.remote, "db");
        assert_false(url.verified);
    }
}

static void takes_no_mode_that_trusts_any_server(void **state)
{
    static const char *const MODES[] = {"disable", "allow", "prefer", "require", "verify-ful", ""};
    char text[96];
    for (size_t i = 0; i < sizeof(MODES) / sizeof(MODES[0]); i++) {
        snprintf(text, sizeof(text), "postgresql://db/gate?sslmode=%s", MODES[i]);
        assert_false(gh_store_url_read(*state, gh_str_from_c(text)).verified);
    }
    assert_true(
        gh_store_url_read(*state, GH_STR("postgresql://db/g?sslmode=verify-full")).verified);
    assert_false(
        gh_store_url_read(*state, GH_STR("postgresql://db/g?sslmode=verify-full&sslmode=disable"))
            .verified);
}

static void refuses_what_is_no_url(void **state)
{
    static const char *const NONE[] = {
        "postgresql:gate",      "postgresql://u:%zz@db/gate", "postgresql://u:%4@db/gate",
        "postgresql://%2/gate", "postgresql://db/gate?user",  "postgresql://db/gate?user=%g0",
        "postgresql://%/gate",
    };
    for (size_t i = 0; i < sizeof(NONE) / sizeof(NONE[0]); i++)
        assert_false(gh_store_url_read(*state, gh_str_from_c(NONE[i])).is_valid);
}

static void refuses_a_password_that_is_not_encoded(void **state)
{
    static const char *const CUT[] = {
        "postgresql://u:q3/x@localhost/gate", "postgresql://u:p@ss@localhost/gate",
        "postgresql://u:12/x@localhost/gate", "postgresql://u:p?x@localhost/gate",
        "postgresql://u:p/@localhost/gate",   "postgresql://u:p@s/s@localhost/gate",
        "postgresql://u:12?x@localhost/gate", "postgresql://u@db:54x/gate",
        "postgresql://u@db:1,db:x/gate",      "postgresql://u@[::1]:x/gate",
        "postgresql://u:12?3=4@db/gate",      "postgresql://u:12?user=4@db/gate",
        "postgresql://u:12?options=4@db",     "postgresql://u:12?host=4%20&user=5@db",
        "postgresql://u%3Ahunter2@db/gate",   "postgresql://u%3a12%40db/gate",
        "postgresql://u:1%40db/gate",         "postgresql://hunter2%40db/gate",
        "postgresql://db/gate?%70%zz=1",      "postgresql://u:p@s?x=s@db/gate",
    };
    for (size_t i = 0; i < sizeof(CUT) / sizeof(CUT[0]); i++)
        if (gh_store_url_read(*state, gh_str_from_c(CUT[i])).is_valid)
            fail_msg("%s", CUT[i]);
    assert_true(
        gh_store_url_read(*state, GH_STR("postgresql://u:q3%2F%40@[::1]:,db:1/g%40te")).is_valid);
}

static void tells_the_ports_and_files_that_it_takes(void **state)
{
    struct gh_store_url url = gh_store_url_read(
        *state,
        GH_STR("postgresql://u@db:5433,[::1]:5434,third/g?port=6000,6001&sslmode=verify-full"
               "&sslrootcert=%2Fetc%2Fca%2Froot.pem&sslkey=/keys/a"));
    static const uint16_t PORTS[] = {5433, 5434, 0, 6000, 6001};
    assert_true(url.is_valid);
    assert_int_equal(url.port_count, sizeof(PORTS) / sizeof(PORTS[0]));
    for (size_t i = 0; i < url.port_count; i++)
        assert_int_equal(url.ports[i], PORTS[i]);
    assert_int_equal(url.file_count, 2);
    assert_text(url.files[0], "/etc/ca/root.pem");
    assert_text(url.files[1], "/keys/a");
}

static void leaves_out_what_there_is_no_room_for(void **state)
{
    struct gh_store_url url = gh_store_url_read(
        *state, GH_STR("postgresql://a:1,b:2,c:3,d:4,e:5,f:6,g:7,h:8,i:9,j:10/g?port=99999"));
    assert_int_equal(url.port_count, GH_STORE_URL_PLACES_MAX);
    assert_int_equal(url.ports[GH_STORE_URL_PLACES_MAX - 1], 8);
    assert_int_equal(url.file_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_user_password_and_host_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_what_stands_among_the_parameters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_parameters_however_they_are_written, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(knows_what_is_on_this_machine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_the_one_of_several_hosts_that_is_elsewhere, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(takes_no_mode_that_trusts_any_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_url, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tells_the_ports_and_files_that_it_takes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaves_out_what_there_is_no_room_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_password_that_is_not_encoded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
