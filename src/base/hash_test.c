/* SipHash-2-4 against the test vectors that its authors published: key 00 01 .. 0f, inputs 00 01 ..
 */
#include "base/hash.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct gh_hash_key KEY = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

/* By length of input, 0 to 63. */
static const uint64_t VECTORS_64[64] = {
    0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au, 0x85676696d7fb7e2du,
    0xcf2794e0277187b7u, 0x18765564cd99a68du, 0xcbc9466e58fee3ceu, 0xab0200f58b01d137u,
    0x93f5f5799a932462u, 0x9e0082df0ba9e4b0u, 0x7a5dbbc594ddb9f3u, 0xf4b32f46226bada7u,
    0x751e8fbc860ee5fbu, 0x14ea5627c0843d90u, 0xf723ca908e7af2eeu, 0xa129ca6149be45e5u,
    0x3f2acc7f57c29bdbu, 0x699ae9f52cbe4794u, 0x4bc1b3f0968dd39cu, 0xbb6dc91da77961bdu,
    0xbed65cf21aa2ee98u, 0xd0f2cbb02e3b67c7u, 0x93536795e3a33e88u, 0xa80c038ccd5ccec8u,
    0xb8ad50c6f649af94u, 0xbce192de8a85b8eau, 0x17d835b85bbb15f3u, 0x2f2e6163076bcfadu,
    0xde4daaaca71dc9a5u, 0xa6a2506687956571u, 0xad87a3535c49ef28u, 0x32d892fad841c342u,
    0x7127512f72f27cceu, 0xa7f32346f95978e3u, 0x12e0b01abb051238u, 0x15e034d40fa197aeu,
    0x314dffbe0815a3b4u, 0x027990f029623981u, 0xcadcd4e59ef40c4du, 0x9abfd8766a33735cu,
    0x0e3ea96b5304a7d0u, 0xad0c42d6fc585992u, 0x187306c89bc215a9u, 0xd4a60abcf3792b95u,
    0xf935451de4f21df2u, 0xa9538f0419755787u, 0xdb9acddff56ca510u, 0xd06c98cd5c0975ebu,
    0xe612a3cb9ecba951u, 0xc766e62cfcadaf96u, 0xee64435a9752fe72u, 0xa192d576b245165au,
    0x0a8787bf8ecb74b2u, 0x81b3e73d20b49b6fu, 0x7fa8220ba3b2eceau, 0x245731c13ca42499u,
    0xb78dbfaf3a8d83bdu, 0xea1ad565322a1a0bu, 0x60e61c23a3795013u, 0x6606d7e446282b93u,
    0x6ca4ecb15c5f91e1u, 0x9f626da15c9625f3u, 0xe51b38608ef25f57u, 0x958a324ceb064572u,
};

static const struct {
    size_t len;
    struct gh_hash128 hash;
} VECTORS_128[] = {
    {0, {0xe6a825ba047f81a3u, 0x930255c71472f66du}},
    {1, {0x44af996bd8c187dau, 0x45fc229b11597634u}},
    {2, {0xc75da4a48d227781u, 0xe4ff0af6de8ba3fcu}},
    {3, {0x4ea967520cb6709cu, 0x51ed8529b0b6335fu}},
    {4, {0xaf8f9c2dc16481f8u, 0x7955cd7b7c6e0f7du}},
    {5, {0x886f778059876813u, 0x27960e69077a5254u}},
    {6, {0x1386208b33caee14u, 0x5ea1d78f30a05e48u}},
    {7, {0x53c1dbd8beebf1a1u, 0x3982f01fa64ab8c0u}},
    {8, {0x61f55862baa9623bu, 0xb49714f364e2830fu}},
    {9, {0xabbad90a06994426u, 0xed716dbb028b7fc4u}},
    {15, {0x11a8b03399e99354u, 0xd9c3cf970fec087eu}},
    {16, {0xbb54b067caa4e26eu, 0x77052385bf1533fdu}},
    {17, {0x98b88d73e8063d47u, 0x4077e47ac466c054u}},
    {31, {0xfcfa233218b03929u, 0x353dc4524fde2317u}},
    {32, {0x3efcea5eca56397cu, 0x68eb4665559d3e36u}},
    {62, {0xa067f52123545358u, 0xbd5947f0a447d505u}},
    {63, {0x4a83502f77d15051u, 0x7cbd3f979a063e50u}},
};

static struct gh_str counting_bytes(char memory[64], size_t len)
{
    for (size_t i = 0; i < 64; i++)
        memory[i] = (char)i;
    return gh_str_of(memory, len);
}

static void gives_the_published_64_bit_values(void **state)
{
    char memory[64];
    for (size_t len = 0; len < 64; len++)
        assert_true(gh_hash64(KEY, counting_bytes(memory, len)) == VECTORS_64[len]);
}

static void gives_the_published_128_bit_values(void **state)
{
    char memory[64];
    for (size_t i = 0; i < sizeof(VECTORS_128) / sizeof(VECTORS_128[0]); i++) {
        struct gh_hash128 hash = gh_hash128(KEY, counting_bytes(memory, VECTORS_128[i].len));
        assert_true(hash.lo == VECTORS_128[i].hash.lo);
        assert_true(hash.hi == VECTORS_128[i].hash.hi);
    }
}

static void does_not_care_about_alignment(void **state)
{
    char memory[64], shifted[72];
    struct gh_str bytes = counting_bytes(memory, 63);
    for (size_t shift = 0; shift < 8; shift++) {
        memcpy(shifted + shift, bytes.ptr, bytes.len);
        assert_true(gh_hash64(KEY, gh_str_of(shifted + shift, 63)) == VECTORS_64[63]);
    }
}

static void depends_on_the_key(void **state)
{
    struct gh_hash_key other = KEY;
    other.k1 ^= 1;
    assert_true(gh_hash64(KEY, GH_STR("")) != gh_hash64(other, GH_STR("")));
    assert_true(gh_hash128(KEY, GH_STR("a")).lo != gh_hash128(other, GH_STR("a")).lo);
}

static void takes_the_empty_slice_without_memory(void **state)
{
    assert_true(gh_hash64(KEY, gh_str_of(NULL, 0)) == VECTORS_64[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_published_64_bit_values),
        cmocka_unit_test(gives_the_published_128_bit_values),
        cmocka_unit_test(does_not_care_about_alignment),
        cmocka_unit_test(depends_on_the_key),
        cmocka_unit_test(takes_the_empty_slice_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
