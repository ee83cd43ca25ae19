/*
 * What the players of tests/transcripts have in common: the escapes for bytes, and names of errors.
 * The includer has included cmocka.
 */
#ifndef GH_HTTP_TRANSCRIPT_TEXT_H
#define GH_HTTP_TRANSCRIPT_TEXT_H

#include "base/buf.h"
#include "base/num.h"
#include "http/codec.h"

static inline void transcript_escape(struct gh_buf *out, struct gh_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.ptr[i];
        if (c == '\r' || c == '\n' || c == '\t')
            gh_buf_format(out, "\\%c", c == '\r' ? 'r' : c == '\n' ? 'n' : 't');
        else if (c < 0x20 || c >= 0x7f || c == '\\')
            gh_buf_format(out, "\\x%02x", c);
        else
            gh_buf_put_char(out, (char)c);
    }
}

/* "{c*count}" behind a backslash; returns how much of `rest` it is. */
static inline size_t transcript_repeat(struct gh_buf *out, struct gh_str rest)
{
    size_t end = gh_str_find_char(rest, '}');
    uint64_t count = 0;
    assert_true(end < rest.len && end >= 4 && rest.ptr[2] == '*');
    assert_true(gh_num_parse_u64(gh_str_of(rest.ptr + 3, end - 3), out->cap, &count));
    while (count--)
        gh_buf_put_char(out, rest.ptr[1]);
    return end + 1;
}

static inline size_t transcript_unescape_one(struct gh_buf *out, struct gh_str rest)
{
    switch (rest.len ? rest.ptr[0] : '\0') {
    case 'r':
        gh_buf_put_char(out, '\r');
        return 1;
    case 'n':
        gh_buf_put_char(out, '\n');
        return 1;
    case 't':
        gh_buf_put_char(out, '\t');
        return 1;
    case '\\':
        gh_buf_put_char(out, '\\');
        return 1;
    case 'x':
        assert_true(rest.len >= 3);
        gh_buf_put_char(out,
                        (char)(gh_num_hex_digit(rest.ptr[1]) * 16 + gh_num_hex_digit(rest.ptr[2])));
        return 3;
    case '{':
        return transcript_repeat(out, rest);
    default:
        fail_msg("unknown escape: \\%.*s", GH_STR_ARG(rest));
        return 0;
    }
}

/* The bytes that `line` stands for, at most `cap`; returns their number. */
static inline size_t transcript_unescape(struct gh_str line, char *bytes, size_t cap)
{
    struct gh_buf out = gh_buf_over(bytes, cap);
    for (size_t i = 0; i < line.len;) {
        if (line.ptr[i] != '\\') {
            gh_buf_put_char(&out, line.ptr[i++]);
            continue;
        }
        i++;
        i += transcript_unescape_one(&out, gh_str_skip(line, i));
    }
    assert_false(out.overflow);
    return out.len;
}

static inline const char *transcript_error_name(enum gh_http_error error)
{
    switch (error) {
    case GH_HTTP_ERROR_MALFORMED:
        return "MALFORMED";
    case GH_HTTP_ERROR_FRAMING:
        return "FRAMING";
    case GH_HTTP_ERROR_HOST:
        return "HOST";
    case GH_HTTP_ERROR_TARGET:
        return "TARGET";
    case GH_HTTP_ERROR_TARGET_TOO_LONG:
        return "TARGET_TOO_LONG";
    case GH_HTTP_ERROR_HEAD_TOO_LARGE:
        return "HEAD_TOO_LARGE";
    case GH_HTTP_ERROR_TOO_MANY_FIELDS:
        return "TOO_MANY_FIELDS";
    case GH_HTTP_ERROR_UNKNOWN_CODING:
        return "UNKNOWN_CODING";
    case GH_HTTP_ERROR_VERSION:
        return "VERSION";
    case GH_HTTP_ERROR_METHOD:
        return "METHOD";
    case GH_HTTP_ERROR_EXPECTATION:
        return "EXPECTATION";
    case GH_HTTP_ERROR_CHUNK:
        return "CHUNK";
    case GH_HTTP_ERROR_MEMORY:
        return "MEMORY";
    case GH_HTTP_ERROR_NONE:
        return "NONE";
    }
    return "?";
}

#endif
