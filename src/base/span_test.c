#include "base/span.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ANY      ((struct gh_span_class){0, 0xff, ""})
#define NONE     ((struct gh_span_class){'b', 'b', "b"})
#define VISIBLE  ((struct gh_span_class){0x21, 0x7e, "\",;\\"})
#define HIGH     ((struct gh_span_class){0x80, 0xff, "\xe9"})
#define LONGEST  80
#define IN_CLASS 'a'

/* The end of a page behind which nothing may be read. */
static char *end_of_memory(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    return pages + page;
}

static void assert_forms_agree(struct gh_str text)
{
    assert_int_equal(gh_span(text, ANY), gh_span_scalar(text, ANY));
    assert_int_equal(gh_span(text, NONE), gh_span_scalar(text, NONE));
    assert_int_equal(gh_span(text, VISIBLE), gh_span_scalar(text, VISIBLE));
    assert_int_equal(gh_span(text, HIGH), gh_span_scalar(text, HIGH));
}

static void stops_at_the_first_byte_of_another_class(void **state)
{
    char text[40];
    memset(text, IN_CLASS, sizeof(text));
    assert_int_equal(gh_span(gh_str_of(text, 40), VISIBLE), 40);
    for (size_t at = 0; at < sizeof(text); at++) {
        static const char OTHERS[] = {' ', '\0', '\x7f', '"', ',', ';', '\\', '\x80', '\xff'};
        text[at] = OTHERS[at % sizeof(OTHERS)];
        assert_int_equal(gh_span(gh_str_of(text, 40), VISIBLE), at);
        text[at] = IN_CLASS;
    }
}

static void knows_the_ends_of_a_range(void **state)
{
    assert_int_equal(gh_span(GH_STR("!!!!~~~~"), VISIBLE), 8);
    assert_int_equal(gh_span(GH_STR("!!!! ~~~"), VISIBLE), 4);
    assert_int_equal(gh_span(GH_STR("\x80\xff\x80\xff\x7f"), HIGH), 4);
    assert_int_equal(gh_span(GH_STR("\x80\xff\xe9\xff"), HIGH), 2);
    assert_int_equal(gh_span(GH_STR(""), ANY), 0);
}

/* Each byte at each place of texts of each length, at the end of what may be read. */
static void every_byte_at_every_place_is_judged_as_by_the_scalar_form(void **state)
{
    char *end = end_of_memory();
    for (size_t len = 0; len <= LONGEST; len++) {
        memset(end - LONGEST, IN_CLASS, LONGEST);
        for (size_t at = 0; at < len; at++) {
            for (int byte = 0; byte < 256; byte++) {
                end[at - len] = (char)byte;
                assert_forms_agree(gh_str_of(end - len, len));
            }
            end[at - len] = IN_CLASS;
        }
    }
}

static void random_texts_are_judged_as_by_the_scalar_form(void **state)
{
    char *end = end_of_memory();
    unsigned seed = 20261121;
    for (int round = 0; round < 20000; round++) {
        size_t len = (size_t)rand_r(&seed) % (LONGEST + 1);
        int rare = rand_r(&seed) % 20 + 1;
        for (size_t i = 0; i < len; i++)
            end[i - len] = rand_r(&seed) % rare ? IN_CLASS : (char)rand_r(&seed);
        assert_forms_agree(gh_str_of(end - len, len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_at_the_first_byte_of_another_class),
        cmocka_unit_test(knows_the_ends_of_a_range),
        cmocka_unit_test(every_byte_at_every_place_is_judged_as_by_the_scalar_form),
        cmocka_unit_test(random_texts_are_judged_as_by_the_scalar_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
