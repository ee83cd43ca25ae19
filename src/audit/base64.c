#include "audit/base64.h"

#include "base/base64.h"

/* Bytes are handled in groups that are whole in both alphabets. */
enum { GROUP_BYTES = 48, GROUP_CHARS = 64 };

static void translate(char *text, size_t len, const char from[2], const char to[2])
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == from[0])
            text[i] = to[0];
        else if (text[i] == from[1])
            text[i] = to[1];
    }
}

void gh_base64_put(struct gh_buf *buf, const uint8_t *bytes, size_t count)
{
    for (size_t done = 0; done < count; done += GROUP_BYTES) {
        char memory[GROUP_CHARS];
        struct gh_buf group = gh_buf_over(memory, sizeof(memory));
        gh_base64url_put(&group, bytes + done,
                         count - done < GROUP_BYTES ? count - done : GROUP_BYTES);
        translate(memory, group.len, "-_", "+/");
        while (group.len % 4)
            gh_buf_put_char(&group, '=');
        gh_buf_put(buf, gh_buf_str(&group));
    }
}

/* One group; `text` without padding. */
static bool decode_group(struct gh_str text, uint8_t *out, size_t cap, size_t *out_len)
{
    char memory[GROUP_CHARS];
    if (gh_str_find_char(text, '-') < text.len || gh_str_find_char(text, '_') < text.len)
        return false;
    memcpy(memory, text.ptr, text.len);
    translate(memory, text.len, "+/", "-_");
    return gh_base64url_decode(gh_str_of(memory, text.len), out, cap, out_len);
}

bool gh_base64_decode(struct gh_str text, uint8_t *out, size_t cap, size_t *out_len)
{
    if (text.len % 4)
        return false;
    for (unsigned i = 0; i < 2 && text.len && text.ptr[text.len - 1] == '='; i++)
        text.len--;
    size_t total = 0;
    while (text.len) {
        size_t count;
        if (!decode_group(gh_str_first(text, GROUP_CHARS), out + total, cap - total, &count))
            return false;
        total += count;
        text = gh_str_skip(text, GROUP_CHARS);
    }
    *out_len = total;
    return true;
}
