/* The drawing, read back module by module and held against what libqrencode said. */
#include "api/qr_svg.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define SIDE_MAX 200
#define QUIET    4
#define URI                                                                                        \
    "otpauth://totp/api.example.com:ada%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"     \
    "&issuer=api.example.com&algorithm=SHA1&digits=6&period=30"

struct picture {
    int side;
    bool dark[SIDE_MAX][SIDE_MAX];
};

static int setup(void **state)
{
    static struct gh_arena arena;
    gh_arena_init(&arena, 64 * 1024, 8u << 20);
    *state = &arena;
    return 0;
}

static int teardown(void **state)
{
    gh_arena_done(*state);
    return 0;
}

/* Fails at anything that is not exactly what the writer may write. */
static void read_picture(struct gh_str svg, struct picture *picture)
{
    int side, width, used = 0, end = 0;
    assert_non_null(svg.ptr);
    char *text = strndup(svg.ptr, svg.len);
    *picture = (struct picture){.side = 0};
    assert_int_equal(strlen(text), svg.len);
    assert_int_equal(sscanf(text,
                            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                            "shape-rendering=\"crispEdges\" role=\"img\"><path fill=\"#fff\" "
                            "d=\"M0 0h%*dv%*dH0z\"/><path d=\"%n",
                            &side, &width, &used),
                     2);
    assert_true(used > 0 && side == width && side < SIDE_MAX);
    picture->side = side;
    const char *at = text + used;
    for (int x, y, run, back; sscanf(at, "M%d %dh%dv1h-%dz%n", &x, &y, &run, &back, &end) == 4;
         at += end, end = 0) {
        assert_true(end > 0);
        assert_true(run > 0 && run == back && x >= 0 && y >= 0 && x + run <= side && y < side);
        for (int i = 0; i < run; i++) {
            assert_false(picture->dark[y][x + i]);
            picture->dark[y][x + i] = true;
        }
    }
    assert_string_equal(at, "\"/></svg>");
    free(text);
}

static void assert_same(const struct picture *picture, const char *text)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
    assert_non_null(code);
    assert_int_equal(picture->side, code->width + 2 * QUIET);
    for (int y = 0; y < picture->side; y++)
        for (int x = 0; x < picture->side; x++) {
            bool inside =
                x >= QUIET && y >= QUIET && x < QUIET + code->width && y < QUIET + code->width;
            bool dark = inside && (code->data[(y - QUIET) * code->width + x - QUIET] & 1);
            assert_int_equal(picture->dark[y][x], dark);
        }
    QRcode_free(code);
}

static void draws_every_module_of_an_enrolment_uri(void **state)
{
    static struct picture picture;
    read_picture(gh_qr_svg(*state, GH_STR(URI)), &picture);
    assert_same(&picture, URI);
}

/* What readers look for first (ISO/IEC 18004 section 6.3.3), so that it is no picture mirrored. */
static void has_finder_patterns_in_three_corners(void **state)
{
    static struct picture picture;
    read_picture(gh_qr_svg(*state, GH_STR(URI)), &picture);
    int far = picture.side - QUIET - 7;
    const int corners[3][2] = {{QUIET, QUIET}, {far, QUIET}, {QUIET, far}};
    for (size_t i = 0; i < 3; i++)
        for (int y = 0; y < 7; y++)
            for (int x = 0; x < 7; x++) {
                bool ring = x == 0 || y == 0 || x == 6 || y == 6;
                bool heart = x >= 2 && x <= 4 && y >= 2 && y <= 4;
                assert_int_equal(picture.dark[corners[i][1] + y][corners[i][0] + x], ring || heart);
            }
}

static void is_one_path_without_what_a_strict_policy_refuses(void **state)
{
    static const char *const REFUSED[] = {"style", "script", "on", "href", "url(", "<!", "&", "'"};
    struct gh_str svg = gh_qr_svg(*state, GH_STR(URI));
    for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++)
        assert_int_equal(gh_str_find(svg, gh_str_from_c(REFUSED[i])), svg.len);
}

static void draws_texts_of_all_lengths_up_to_a_kibibyte(void **state)
{
    static struct picture picture;
    char text[1025] = "";
    for (size_t len = 1; len <= 1024; len += len < 32 ? 1 : 31) {
        memset(text, 'x', len);
        text[len] = 0;
        struct gh_str svg = gh_qr_svg(*state, gh_str_of(text, len));
        read_picture(svg, &picture);
        assert_same(&picture, text);
        assert_true(svg.len <= 120 * 1024); /* it has to fit into an answer */
    }
}

static void refuses_what_is_too_long_or_empty(void **state)
{
    char text[1025];
    memset(text, 'x', sizeof(text));
    assert_null(gh_qr_svg(*state, gh_str_of(text, sizeof(text))).ptr);
    assert_null(gh_qr_svg(*state, GH_STR("")).ptr);
}

static void fails_cleanly_when_the_arena_is_full(void **state)
{
    for (size_t max = 0; max < 200 * 1024; max += 8 * 1024) {
        static struct picture picture;
        struct gh_arena small;
        gh_arena_init(&small, 1024, max);
        struct gh_str svg = gh_qr_svg(&small, GH_STR(URI));
        if (svg.ptr)
            read_picture(svg, &picture);
        gh_arena_done(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(draws_every_module_of_an_enrolment_uri, setup, teardown),
        cmocka_unit_test_setup_teardown(has_finder_patterns_in_three_corners, setup, teardown),
        cmocka_unit_test_setup_teardown(is_one_path_without_what_a_strict_policy_refuses, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(draws_texts_of_all_lengths_up_to_a_kibibyte, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_too_long_or_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(fails_cleanly_when_the_arena_is_full, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
