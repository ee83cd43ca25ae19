/*
 * Any bytes as a JSON string. Properties: the result is one string in valid UTF-8 without control
 * bytes and markup, and reads back as what went in, U+FFFD for each byte that was no UTF-8.
 */
#include "base/assert.h"
#include "base/num.h"
#include "base/utf8.h"
#include "json/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_BYTES_MAX = 1024 };

/* The code unit of a \u escape as UTF-8 (the writer makes none above U+FFFF, no surrogates). */
static void put_code_unit(struct gh_buf *out, unsigned unit)
{
    GH_ASSERT(unit < 0xd800 || unit > 0xdfff);
    if (unit < 0x80) {
        gh_buf_put_char(out, (char)unit);
        return;
    }
    if (unit < 0x800) {
        gh_buf_put_char(out, (char)(0xc0 | unit >> 6));
    } else {
        gh_buf_put_char(out, (char)(0xe0 | unit >> 12));
        gh_buf_put_char(out, (char)(0x80 | (unit >> 6 & 63)));
    }
    gh_buf_put_char(out, (char)(0x80 | (unit & 63)));
}

/* Puts what an escape stands for; its length. */
static size_t read_escape(struct gh_str s, struct gh_buf *out)
{
    static const char NAMES[] = "\"\\nrt", BYTES[] = "\"\\\n\r\t";
    GH_ASSERT(s.len >= 2);
    if (s.ptr[1] != 'u') {
        const char *name = strchr(NAMES, s.ptr[1]);
        GH_ASSERT(name && *name);
        gh_buf_put_char(out, BYTES[name - NAMES]);
        return 2;
    }
    GH_ASSERT(s.len >= 6);
    unsigned unit = 0;
    for (size_t i = 2; i < 6; i++) {
        GH_ASSERT(gh_num_hex_digit(s.ptr[i]) >= 0);
        unit = unit << 4 | (unsigned)gh_num_hex_digit(s.ptr[i]);
    }
    put_code_unit(out, unit);
    return 6;
}

static void read_back(struct gh_str json, struct gh_buf *out)
{
    GH_ASSERT(json.len >= 2 && json.ptr[0] == '"' && json.ptr[json.len - 1] == '"');
    struct gh_str s = gh_str_of(json.ptr + 1, json.len - 2);
    while (s.len) {
        if (s.ptr[0] == '\\') {
            s = gh_str_skip(s, read_escape(s, out));
            continue;
        }
        size_t len = gh_utf8_sequence_len(s);
        GH_ASSERT(len > 0 && (unsigned char)s.ptr[0] >= 0x20 && !strchr("\"<>&\x7f", s.ptr[0]));
        gh_buf_put(out, gh_str_first(s, len));
        s = gh_str_skip(s, len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT_BYTES_MAX)
        return 0;
    static char json_memory[6 * TEXT_BYTES_MAX + 2], back_memory[3 * TEXT_BYTES_MAX],
        expected_memory[3 * TEXT_BYTES_MAX];
    struct gh_str text = gh_str_of((const char *)data, size);
    struct gh_buf json = gh_buf_over(json_memory, sizeof(json_memory));
    struct gh_buf back = gh_buf_over(back_memory, sizeof(back_memory));
    struct gh_buf expected = gh_buf_over(expected_memory, sizeof(expected_memory));
    gh_json_put_string(&json, text);
    GH_ASSERT(!json.overflow);
    read_back(gh_buf_str(&json), &back);
    while (text.len) {
        size_t len = gh_utf8_sequence_len(text);
        gh_buf_put(&expected, len ? gh_str_first(text, len) : GH_STR("\xef\xbf\xbd"));
        text = gh_str_skip(text, len ? len : 1);
    }
    GH_ASSERT(gh_str_eq(gh_buf_str(&back), gh_buf_str(&expected)));
    return 0;
}
