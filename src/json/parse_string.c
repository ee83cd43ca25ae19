/*
 * Strings with something in them that doesn't stand for itself: escapes and what is not ASCII (RFC
 * 8259 section 7). They are checked byte by byte as they come and decoded when they are over.
 */
#include "base/num.h"
#include "base/utf8.h"
#include "json/parse_scan.h"
#include "json/parse_state.h"

/* What stands behind the backslash of a two-byte escape, and what it means; 0: no such escape. */
static char simple_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    }
    return 0;
}

/* Four hexadecimal digits; -1: they are not. */
static int32_t hex_unit(const char *digits)
{
    int32_t unit = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = gh_num_hex_digit(digits[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static bool is_high_surrogate(int32_t unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low_surrogate(int32_t unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

enum piece_status { PIECE_GOOD, PIECE_BAD, PIECE_SHORT };

/* The second half of a pair, of which `len` bytes are there. */
static enum piece_status check_low_half(const char *at, size_t len)
{
    if ((len > 0 && at[0] != '\\') || (len > 1 && at[1] != 'u'))
        return PIECE_BAD;
    if (len < 6)
        return PIECE_SHORT;
    return is_low_surrogate(hex_unit(at + 2)) ? PIECE_GOOD : PIECE_BAD;
}

/* The escape at `at`, of which `len` bytes are there. */
static enum piece_status check_escape(const char *at, size_t len, size_t *out_len)
{
    *out_len = 2;
    if (len < 2)
        return PIECE_SHORT;
    if (at[1] != 'u')
        return simple_escape(at[1]) ? PIECE_GOOD : PIECE_BAD;
    *out_len = 6;
    if (len < 6)
        return PIECE_SHORT;
    int32_t unit = hex_unit(at + 2);
    if (unit < 0 || is_low_surrogate(unit))
        return PIECE_BAD;
    if (!is_high_surrogate(unit))
        return PIECE_GOOD;
    *out_len = 12;
    return check_low_half(at + 6, len - 6);
}

/* How many bytes the sequence at `at` has by its first; 1 for what can't begin one. */
static size_t wanted_utf8_len(char first)
{
    unsigned char byte = (unsigned char)first;
    if (byte < 0xc2 || byte > 0xf4)
        return 1;
    return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
}

static enum piece_status check_utf8(const char *at, size_t len, size_t *out_len)
{
    if (len < wanted_utf8_len(*at))
        return PIECE_SHORT;
    *out_len = gh_utf8_sequence_len(gh_str_of(at, len));
    return *out_len ? PIECE_GOOD : PIECE_BAD;
}

static char *put_code_point(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (c & 0x3f));
    return to;
}

/* Decodes the escape at *at, which was checked, and moves behind it. */
static char *put_escape(char *to, const char **at)
{
    const char *escape = *at;
    *at += 2;
    if (escape[1] != 'u') {
        *to++ = simple_escape(escape[1]);
        return to;
    }
    uint32_t unit = (uint32_t)hex_unit(escape + 2);
    *at += 4;
    if (!is_high_surrogate((int32_t)unit))
        return put_code_point(to, unit);
    uint32_t low = (uint32_t)hex_unit(escape + 8);
    *at += 6;
    return put_code_point(to, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
}

/* No escape decodes to more bytes than it has. */
static bool decode(struct gh_arena *arena, struct gh_str raw, struct gh_str *out_text)
{
    char *decoded = gh_arena_alloc(arena, raw.len);
    if (!decoded)
        return false;
    char *to = decoded;
    const char *at = raw.ptr, *end = raw.ptr + raw.len;
    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((backslash ? backslash : end) - at);
        memcpy(to, at, plain);
        to += plain;
        at += plain;
        if (backslash)
            to = put_escape(to, &at);
    }
    *out_text = gh_str_of(decoded, (size_t)(to - decoded));
    return true;
}

static const char *end_string(struct gh_json_parser *parser, const char *start, const char *quote,
                              struct gh_str *out_text)
{
    struct gh_str raw = gh_str_of(start + 1, (size_t)(quote - start) - 1);
    if (!parser->token.escaped)
        *out_text = raw;
    else if (!decode(parser->arena, raw, out_text))
        return gh_json_stop(parser, GH_JSON_MEMORY, start);
    parser->token = (struct gh_json_token){0};
    return quote + 1;
}

const char *gh_json_read_string(struct gh_json_parser *parser, const char *start, const char *at,
                                struct gh_str *out_text)
{
    const char *end = parser->end;
    for (;;) {
        at = gh_json_skip_plain(at, end);
        size_t len = (size_t)(end - at), used = 0;
        enum piece_status piece = PIECE_SHORT;
        enum gh_json_status trouble = GH_JSON_SYNTAX;
        if (len && *at == '"')
            return end_string(parser, start, at, out_text);
        if (len && *at == '\\') {
            parser->token.escaped = true;
            trouble = GH_JSON_ESCAPE;
            piece = check_escape(at, len, &used);
        } else if (len && (unsigned char)*at >= 0x80) {
            trouble = GH_JSON_UTF8;
            piece = check_utf8(at, len, &used);
        } else if (len) {
            piece = PIECE_BAD; /* a control byte */
        }
        if (piece == PIECE_BAD)
            return gh_json_stop(parser, trouble, at);
        if (piece == PIECE_SHORT) {
            parser->token.seen = (size_t)(at - start);
            return gh_json_suspend(parser, start);
        }
        at += used;
    }
}
