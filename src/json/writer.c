/* Writing JSON (RFC 8259) by hand: our documents are small and flat, a tree would be waste. */
#include "json/writer.h"

#include "base/span.h"
#include "base/utf8.h"

/* Bytes that stand for themselves inside a string; the rest needs a look. */
static const struct gh_span_class PLAIN = {0x20, 0x7e, "\"\\<>&"};
/* The same in a text that is JSON already. */
static const struct gh_span_class TAME = {0, 0x7e, ""};

static void put_unicode_escape(struct gh_buf *buf, unsigned unit)
{
    uint8_t bytes[2] = {(uint8_t)(unit >> 8), (uint8_t)unit};
    gh_buf_put(buf, GH_STR("\\u"));
    gh_buf_put_hex_bytes(buf, bytes, sizeof(bytes));
}

static void put_escaped_ascii(struct gh_buf *buf, char c)
{
    switch (c) {
    case '"':
    case '\\':
        gh_buf_put_char(buf, '\\');
        gh_buf_put_char(buf, c);
        return;
    case '\n':
        gh_buf_put(buf, GH_STR("\\n"));
        return;
    case '\r':
        gh_buf_put(buf, GH_STR("\\r"));
        return;
    case '\t':
        gh_buf_put(buf, GH_STR("\\t"));
        return;
    }
    put_unicode_escape(buf, (unsigned char)c);
}

/* What begins with a byte above 127; returns how many bytes of `text` it stands for. */
static size_t put_non_ascii(struct gh_buf *buf, struct gh_str text)
{
    size_t len = gh_utf8_sequence_len(text);
    struct gh_str sequence = gh_str_first(text, len);
    if (len == 0) {
        put_unicode_escape(buf, 0xfffd);
        return 1;
    }
    /* Line ends in JavaScript, though not in JSON; C1, of which terminals obey some and others take
       one for the end of a line. */
    if (len == 2 && text.ptr[0] == '\xc2' && (unsigned char)text.ptr[1] < 0xa0)
        put_unicode_escape(buf, (unsigned char)text.ptr[1]);
    else if (gh_str_eq(sequence, GH_STR("\xe2\x80\xa8")))
        put_unicode_escape(buf, 0x2028);
    else if (gh_str_eq(sequence, GH_STR("\xe2\x80\xa9")))
        put_unicode_escape(buf, 0x2029);
    else
        gh_buf_put(buf, sequence);
    return len;
}

void gh_json_put_tame(struct gh_buf *buf, struct gh_str json)
{
    while (json.len) {
        size_t plain = gh_span(json, TAME);
        gh_buf_put(buf, gh_str_first(json, plain));
        json = gh_str_skip(json, plain);
        if (json.len == 0)
            break;
        size_t used = 1;
        if (json.ptr[0] == 0x7f)
            put_unicode_escape(buf, 0x7f);
        else
            used = put_non_ascii(buf, json);
        json = gh_str_skip(json, used);
    }
}

void gh_json_put_string(struct gh_buf *buf, struct gh_str text)
{
    gh_buf_put_char(buf, '"');
    while (text.len) {
        size_t plain = gh_span(text, PLAIN);
        gh_buf_put(buf, gh_str_first(text, plain));
        text = gh_str_skip(text, plain);
        if (text.len == 0)
            break;
        size_t used = 1;
        if ((unsigned char)text.ptr[0] < 0x80)
            put_escaped_ascii(buf, text.ptr[0]);
        else
            used = put_non_ascii(buf, text);
        text = gh_str_skip(text, used);
    }
    gh_buf_put_char(buf, '"');
}

void gh_json_put_name(struct gh_buf *buf, struct gh_str name)
{
    char last = buf->len ? buf->ptr[buf->len - 1] : '{';
    if (last != '{' && last != '[')
        gh_buf_put_char(buf, ',');
    gh_json_put_string(buf, name);
    gh_buf_put_char(buf, ':');
}

void gh_json_put_member(struct gh_buf *buf, struct gh_str name, struct gh_str value)
{
    gh_json_put_name(buf, name);
    gh_json_put_string(buf, value);
}

void gh_json_put_member_u64(struct gh_buf *buf, struct gh_str name, uint64_t value)
{
    gh_json_put_name(buf, name);
    gh_buf_put_u64(buf, value);
}

void gh_json_put_member_bool(struct gh_buf *buf, struct gh_str name, bool value)
{
    gh_json_put_name(buf, name);
    gh_buf_put(buf, value ? GH_STR("true") : GH_STR("false"));
}
