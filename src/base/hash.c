#include "base/hash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void round_once(struct state *s)
{
    s->v0 += s->v1;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v2 = rotate_left(s->v2, 32);
}

static inline void compress(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    round_once(s);
    round_once(s);
    s->v0 ^= word;
}

static uint64_t finish(struct state *s)
{
    for (int i = 0; i < 4; i++)
        round_once(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static struct state absorb(struct gh_hash_key key, struct gh_str bytes, uint64_t v1_tweak)
{
    struct state s = {
        .v0 = 0x736f6d6570736575u ^ key.k0,
        .v1 = 0x646f72616e646f6du ^ key.k1 ^ v1_tweak,
        .v2 = 0x6c7967656e657261u ^ key.k0,
        .v3 = 0x7465646279746573u ^ key.k1,
    };
    size_t whole = bytes.len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word;
        memcpy(&word, bytes.ptr + i, 8); /* SipHash is little-endian, as all our targets are */
        compress(&s, word);
    }
    uint64_t last = (uint64_t)bytes.len << 56;
    for (size_t i = whole; i < bytes.len; i++)
        last |= (uint64_t)(uint8_t)bytes.ptr[i] << (8 * (i - whole));
    compress(&s, last);
    return s;
}

uint64_t gh_hash64(struct gh_hash_key key, struct gh_str bytes)
{
    struct state s = absorb(key, bytes, 0);
    s.v2 ^= 0xff;
    return finish(&s);
}

struct gh_hash128 gh_hash128(struct gh_hash_key key, struct gh_str bytes)
{
    struct state s = absorb(key, bytes, 0xee);
    struct gh_hash128 out;
    s.v2 ^= 0xee;
    out.lo = finish(&s);
    s.v1 ^= 0xdd;
    out.hi = finish(&s);
    return out;
}
