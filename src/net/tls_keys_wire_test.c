/* What may be signed, and messages that are none. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/tls_keys_wire.h"

static const char PREFIX[] = "                                                                "
                             "TLS 1.3, server CertificateVerify";

struct text {
    char bytes[512];
    size_t len;
};

static struct text certificate_verify(size_t hash_len)
{
    struct text text = {.len = sizeof PREFIX + hash_len};
    memset(text.bytes, 0xa5, sizeof text.bytes);
    memcpy(text.bytes, PREFIX, sizeof PREFIX);
    return text;
}

static struct text key_exchange(uint16_t group, size_t point_len, char first)
{
    struct text text = {.len = 64 + 4 + point_len};
    memset(text.bytes, 0x5a, sizeof text.bytes);
    char head[] = {3, (char)(group >> 8), (char)group, (char)point_len, first};
    memcpy(text.bytes + 64, head, sizeof head);
    return text;
}

static enum gh_tls_shape shape(const struct text *text)
{
    return gh_tls_shape_of(gh_str_of(text->bytes, text->len));
}

static void knows_what_tls_1_3_signs(void **state)
{
    (void)state;
    struct text text = certificate_verify(32);
    assert_int_equal(shape(&text), GH_TLS_SHAPE_CERTIFICATE_VERIFY);
    text = certificate_verify(48);
    assert_int_equal(shape(&text), GH_TLS_SHAPE_CERTIFICATE_VERIFY);
}

static void refuses_what_only_resembles_it(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 20, 31, 33, 47, 49, 64};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct text text = certificate_verify(lengths[i]);
        assert_int_equal(shape(&text), GH_TLS_SHAPE_NONE);
    }
    for (size_t i = 0; i < sizeof PREFIX; i++) {
        struct text text = certificate_verify(32);
        text.bytes[i] ^= 1;
        assert_int_equal(shape(&text), GH_TLS_SHAPE_NONE);
    }
    struct text client = certificate_verify(32);
    memcpy(client.bytes + 64, "TLS 1.3, client", 15);
    assert_int_equal(shape(&client), GH_TLS_SHAPE_NONE);
}

static const struct {
    uint16_t group;
    size_t point_len;
    char first;
} CURVES[] = {{23, 65, 4}, {24, 97, 4}, {25, 133, 4}, {29, 32, 9}, {30, 56, 9}};

static void knows_what_tls_1_2_signs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CURVES / sizeof *CURVES; i++) {
        struct text text = key_exchange(CURVES[i].group, CURVES[i].point_len, CURVES[i].first);
        assert_int_equal(shape(&text), GH_TLS_SHAPE_KEY_EXCHANGE);
        assert_true(text.len <= GH_TLS_TO_SIGN_BYTES_MAX);
    }
}

static void refuses_other_parameters(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CURVES / sizeof *CURVES; i++) {
        struct text whole = key_exchange(CURVES[i].group, CURVES[i].point_len, CURVES[i].first);
        for (size_t len = 0; len < sizeof whole.bytes; len++) {
            struct text text = whole;
            text.len = len;
            assert_int_equal(shape(&text) == GH_TLS_SHAPE_NONE, len != whole.len);
        }
        for (size_t at = 64; at < 68; at++) {
            struct text text = whole;
            text.bytes[at] ^= 0x40;
            assert_int_equal(shape(&text), GH_TLS_SHAPE_NONE);
        }
    }
    struct text compressed = key_exchange(23, 65, 2);
    assert_int_equal(shape(&compressed), GH_TLS_SHAPE_NONE);
    struct text explicit_prime = key_exchange(23, 65, 4);
    explicit_prime.bytes[64] = 1;
    assert_int_equal(shape(&explicit_prime), GH_TLS_SHAPE_NONE);
    struct text unknown = key_exchange(26, 65, 4);
    assert_int_equal(shape(&unknown), GH_TLS_SHAPE_NONE);
}

static bool may(enum gh_tls_key_kind kind, uint16_t code, const struct text *text)
{
    const struct gh_tls_scheme *scheme = gh_tls_scheme_find(code);
    return scheme && gh_tls_may_sign(kind, scheme, gh_str_of(text->bytes, text->len));
}

static void a_key_signs_by_its_own_schemes_only(void **state)
{
    (void)state;
    struct text tls13 = certificate_verify(32), tls12 = key_exchange(29, 32, 1);
    static const struct {
        enum gh_tls_key_kind kind;
        uint16_t code;
        bool in_tls12, in_tls13;
    } rows[] = {
        {GH_TLS_KEY_RSA, 0x0401, true, false},      {GH_TLS_KEY_RSA, 0x0601, true, false},
        {GH_TLS_KEY_RSA, 0x0804, true, true},       {GH_TLS_KEY_RSA, 0x0806, true, true},
        {GH_TLS_KEY_RSA, 0x0403, false, false},     {GH_TLS_KEY_RSA, 0x0807, false, false},
        {GH_TLS_KEY_RSA, 0x0201, false, false},     {GH_TLS_KEY_RSA, 0x0301, false, false},
        {GH_TLS_KEY_RSA, 0x0809, false, false},     {GH_TLS_KEY_RSA, 0, false, false},
        {GH_TLS_KEY_P256, 0x0403, true, true},      {GH_TLS_KEY_P256, 0x0503, true, false},
        {GH_TLS_KEY_P384, 0x0403, true, false},     {GH_TLS_KEY_P384, 0x0503, true, true},
        {GH_TLS_KEY_P521, 0x0603, true, true},      {GH_TLS_KEY_P256, 0x0804, false, false},
        {GH_TLS_KEY_P256, 0x0203, false, false},    {GH_TLS_KEY_ED25519, 0x0807, true, true},
        {GH_TLS_KEY_ED25519, 0x0808, false, false}, {GH_TLS_KEY_ED25519, 0x0403, false, false},
        {GH_TLS_KEY_ED448, 0x0808, true, true},     {GH_TLS_KEY_NONE, 0x0804, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(may(rows[i].kind, rows[i].code, &tls12), rows[i].in_tls12);
        assert_int_equal(may(rows[i].kind, rows[i].code, &tls13), rows[i].in_tls13);
    }
}

static void finds_the_scheme_of_a_key_and_digest(void **state)
{
    (void)state;
    assert_int_equal(gh_tls_scheme_for(GH_TLS_KEY_RSA, "SHA256", true)->code, 0x0804);
    assert_int_equal(gh_tls_scheme_for(GH_TLS_KEY_RSA, "sha512", false)->code, 0x0601);
    assert_int_equal(gh_tls_scheme_for(GH_TLS_KEY_P384, "SHA256", false)->code, 0x0403);
    assert_int_equal(gh_tls_scheme_for(GH_TLS_KEY_ED25519, NULL, false)->code, 0x0807);
    assert_null(gh_tls_scheme_for(GH_TLS_KEY_ED25519, "SHA512", false));
    assert_null(gh_tls_scheme_for(GH_TLS_KEY_RSA, NULL, true));
    assert_null(gh_tls_scheme_for(GH_TLS_KEY_RSA, "SHA1", false));
    assert_null(gh_tls_scheme_for(GH_TLS_KEY_P256, "SHA256", true));
    assert_null(gh_tls_scheme_for(GH_TLS_KEY_NONE, "SHA256", false));
}

static void reads_sign_requests_of_one_length_only(void **state)
{
    (void)state;
    struct gh_tls_sign_request request = {.sequence = 7, .len = GH_TLS_TO_SIGN_BYTES_MAX}, read;
    char bytes[sizeof request + 1] = {0};
    memcpy(bytes, &request, sizeof request);
    assert_true(gh_tls_sign_request_read(gh_str_of(bytes, sizeof request), &read));
    assert_int_equal(read.sequence, 7);
    assert_false(gh_tls_sign_request_read(gh_str_of(bytes, sizeof request - 1), &read));
    assert_false(gh_tls_sign_request_read(gh_str_of(bytes, sizeof request + 1), &read));
    assert_false(gh_tls_sign_request_read(gh_str_of(bytes, 0), &read));
    request.len++;
    memcpy(bytes, &request, sizeof request);
    assert_false(gh_tls_sign_request_read(gh_str_of(bytes, sizeof request), &read));
}

static void reads_sign_answers_whose_length_is_true(void **state)
{
    (void)state;
    static struct gh_tls_sign_answer answer, read;
    char bytes[sizeof answer + 1] = {0};
    answer.sequence = 3;
    answer.len = 10;
    memcpy(bytes, &answer, sizeof answer);
    for (size_t len = 0; len <= sizeof bytes; len++)
        assert_int_equal(gh_tls_sign_answer_read(gh_str_of(bytes, len), &read), len == 18);
    answer.len = sizeof answer.signature;
    memcpy(bytes, &answer, sizeof answer);
    assert_true(gh_tls_sign_answer_read(gh_str_of(bytes, sizeof answer), &read));
    answer.len = UINT32_MAX - 3;
    memcpy(bytes, &answer, sizeof answer);
    assert_false(gh_tls_sign_answer_read(gh_str_of(bytes, sizeof answer), &read));
}

static bool control(struct gh_tls_control_head head, struct gh_str paths,
                    struct gh_tls_control *out)
{
    static char bytes[GH_TLS_CONTROL_BYTES_MAX + 16];
    memcpy(bytes, &head, sizeof head);
    if (paths.len)
        memcpy(bytes + sizeof head, paths.ptr, paths.len);
    return gh_tls_control_read(gh_str_of(bytes, sizeof head + paths.len), out);
}

static void reads_orders(void **state)
{
    (void)state;
    struct gh_tls_control out;
    struct gh_tls_control_head load = {GH_TLS_CONTROL_LOAD, {0, 0}, 3, 2};
    assert_true(control(load, GH_STR("abcde"), &out));
    assert_true(gh_str_eq(out.certificate_path, GH_STR("abc")));
    assert_true(gh_str_eq(out.key_path, GH_STR("de")));
    assert_true(
        control((struct gh_tls_control_head){.kind = GH_TLS_CONTROL_SEAL}, GH_STR(""), &out));
    assert_true(
        control((struct gh_tls_control_head){GH_TLS_CONTROL_DROP, {1, 2}, 0, 0}, GH_STR(""), &out));
    assert_int_equal(out.key.number, 2);
}

static void refuses_orders_that_do_not_hold(void **state)
{
    (void)state;
    struct gh_tls_control out;
    static const struct {
        struct gh_tls_control_head head;
        struct gh_str paths;
    } rows[] = {
        {{GH_TLS_CONTROL_LOAD, {0, 0}, 3, 2}, GH_STR_INIT("abcd")},
        {{GH_TLS_CONTROL_LOAD, {0, 0}, 3, 2}, GH_STR_INIT("abcdef")},
        {{GH_TLS_CONTROL_LOAD, {0, 0}, 0, 5}, GH_STR_INIT("abcde")},
        {{GH_TLS_CONTROL_LOAD, {0, 0}, 5, 0}, GH_STR_INIT("abcde")},
        {{GH_TLS_CONTROL_LOAD, {0, 0}, UINT32_MAX, 6}, GH_STR_INIT("abcde")},
        {{GH_TLS_CONTROL_LOAD, {0, 0}, 3, UINT32_MAX}, GH_STR_INIT("ab")},
        {{GH_TLS_CONTROL_LOAD, {0, 0}, 3, 2}, GH_STR_INIT("a\0cde")},
        {{GH_TLS_CONTROL_LOAD, {0, 0}, 3, 2}, GH_STR_INIT("abcd\0")},
        {{GH_TLS_CONTROL_LOAD, {1, 0}, 3, 2}, GH_STR_INIT("abcde")},
        {{GH_TLS_CONTROL_SEAL, {0, 0}, 0, 1}, GH_STR_INIT("a")},
        {{GH_TLS_CONTROL_SEAL, {0, 1}, 0, 0}, GH_STR_INIT("")},
        {{GH_TLS_CONTROL_DROP, {0, 1}, 1, 0}, GH_STR_INIT("a")},
        {{GH_TLS_CONTROL_NONE, {0, 0}, 0, 0}, GH_STR_INIT("")},
        {{4, {0, 0}, 0, 0}, GH_STR_INIT("")},
        {{UINT32_MAX, {0, 0}, 0, 0}, GH_STR_INIT("")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_false(control(rows[i].head, rows[i].paths, &out));
    assert_false(gh_tls_control_read(GH_STR("\1"), &out));
    static char path[GH_TLS_PATH_BYTES_MAX + 1];
    memset(path, 'x', sizeof path);
    struct gh_tls_control_head head = {GH_TLS_CONTROL_LOAD, {0, 0}, 1, GH_TLS_PATH_BYTES_MAX};
    assert_false(control(head, gh_str_of(path, sizeof path), &out));
    head.key_len--;
    assert_true(control(head, gh_str_of(path, sizeof path - 1), &out));
}

static void bounds_what_an_answer_announces(void **state)
{
    (void)state;
    struct gh_tls_control_answer answer = {1, {0, 1}, GH_TLS_CONTROL_BODY_BYTES_MAX}, read;
    struct gh_str bytes = gh_str_of((const char *)&answer, sizeof answer);
    assert_true(gh_tls_control_answer_read(bytes, &read));
    assert_false(gh_tls_control_answer_read(gh_str_first(bytes, bytes.len - 1), &read));
    answer.body_len++;
    assert_false(gh_tls_control_answer_read(bytes, &read));
    answer.body_len = 0;
    answer.done = 2;
    assert_false(gh_tls_control_answer_read(bytes, &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_tls_1_3_signs),
        cmocka_unit_test(refuses_what_only_resembles_it),
        cmocka_unit_test(knows_what_tls_1_2_signs),
        cmocka_unit_test(refuses_other_parameters),
        cmocka_unit_test(a_key_signs_by_its_own_schemes_only),
        cmocka_unit_test(finds_the_scheme_of_a_key_and_digest),
        cmocka_unit_test(reads_sign_requests_of_one_length_only),
        cmocka_unit_test(reads_sign_answers_whose_length_is_true),
        cmocka_unit_test(reads_orders),
        cmocka_unit_test(refuses_orders_that_do_not_hold),
        cmocka_unit_test(bounds_what_an_answer_announces),
    };
    return cmocka_run_group_tests_name("net/tls_keys_wire", tests, NULL, NULL);
}
