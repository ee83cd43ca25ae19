/* The chains of a store, and texts of cursors. */
#include "identity/audit_chains.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"
#include "store/memory.h"

static struct gh_identity_fixture f;

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    return 0;
}

static int close_fixture(void **state)
{
    gh_identity_fixture_close(&f);
    return 0;
}

static void chains_are_those_of_the_store(void **state)
{
    struct gh_audit_chain *chains;
    size_t count;
    gh_memory_store_hold(f.store, 3);
    gh_memory_store_hold_elsewhere(f.store, 2);
    assert_int_equal(gh_audit_chains_read(f.store, &f.arena, &chains, &count), GH_OK);
    assert_int_equal(count, 3);
    assert_int_equal(chains[0].holder, GH_AUDIT_HELD_BY_NOBODY);
    assert_int_equal(chains[1].holder, GH_AUDIT_HELD_BY_ANOTHER);
    assert_int_equal(chains[2].id, 3);
    assert_int_equal(chains[2].holder, GH_AUDIT_HELD_HERE);
}

struct asked {
    uint32_t chain, found;
};

static enum gh_err ask(struct gh_tx *tx, void *args)
{
    struct asked *asked = args;
    tx->chain = asked->chain;
    return gh_audit_chain_of_unit(tx, &asked->found);
}

static void a_unit_speaks_of_its_chain_or_of_the_own_one(void **state)
{
    struct asked asked = {.chain = 7};
    assert_int_equal(f.store->ops->read(f.store, ask, &asked, &f.arena), GH_OK);
    assert_int_equal(asked.found, 7);
    asked.chain = 0;
    gh_memory_store_hold(f.store, 2);
    assert_int_equal(f.store->ops->read(f.store, ask, &asked, &f.arena), GH_OK);
    assert_int_equal(asked.found, 2);
}

static void cursors_read_back_as_they_were_written(void **state)
{
    static const char *const TEXTS[] = {"1:532,2:77", "2:0", "1:0,7:1,4294967295:9007199254740991"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        char memory[GH_AUDIT_CURSORS_BYTES_MAX(3)];
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        struct gh_audit_cursors cursors;
        assert_true(gh_audit_cursors_parse(&f.arena, gh_str_from_c(TEXTS[i]), 3, &cursors));
        gh_audit_cursors_put(&buf, &cursors);
        assert_true(gh_str_eq(gh_buf_str(&buf), gh_str_from_c(TEXTS[i])));
    }
}

static void a_number_alone_is_of_the_first_chain(void **state)
{
    struct gh_audit_cursors cursors;
    assert_true(gh_audit_cursors_parse(&f.arena, GH_STR("532"), 1, &cursors));
    assert_int_equal(gh_audit_cursor_of(&cursors, 1), 532);
    assert_int_equal(gh_audit_cursor_of(&cursors, 2), 0);
}

static void refuses_texts_that_are_no_cursors(void **state)
{
    static const char *const TEXTS[] = {"",
                                        ":",
                                        "1:",
                                        ":5",
                                        "0:5",
                                        "1:5,",
                                        ",1:5",
                                        "1:5,1:6",
                                        "2:5,1:6",
                                        "1:5 ",
                                        " 1:5",
                                        "1:05",
                                        "01:5",
                                        "-1:5",
                                        "1:-5",
                                        "1:5:6",
                                        "x",
                                        "1;5",
                                        "5,1:6",
                                        "1:5,,2:6",
                                        "1:+5",
                                        "1:5\n",
                                        "1.5",
                                        "1:1e3",
                                        "1:5,2",
                                        "4294967296:1",
                                        "1:9007199254740992",
                                        "1:1,2:2,3:3,4:4"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct gh_audit_cursors cursors = {.count = 77};
        assert_false(gh_audit_cursors_parse(&f.arena, gh_str_from_c(TEXTS[i]), 3, &cursors));
        assert_int_equal(cursors.count, 77);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(chains_are_those_of_the_store),
        TEST(a_unit_speaks_of_its_chain_or_of_the_own_one),
        TEST(cursors_read_back_as_they_were_written),
        TEST(a_number_alone_is_of_the_first_chain),
        TEST(refuses_texts_that_are_no_cursors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
