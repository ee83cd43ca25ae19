#include "base/base64.h"

enum { INVALID = 0xff };

static const char URL_DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char BASE32_DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static uint8_t url_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0' + 52);
    return c == '-' ? 62 : c == '_' ? 63 : INVALID;
}

static uint8_t base32_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(c - 'a');
    return c >= '2' && c <= '7' ? (uint8_t)(c - '2' + 26) : INVALID;
}

/* Writes `count` bytes as digits of `width` bits, the last one filled up with zero bits. */
static void put_digits(struct gh_buf *buf, const char *digits, unsigned width, const uint8_t *bytes,
                       size_t count, size_t len)
{
    if (len > buf->cap - buf->len) {
        buf->overflow = true;
        return;
    }
    char *at = buf->ptr + buf->len;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < count; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= width; held -= width)
            *at++ = digits[bits >> (held - width) & ((1u << width) - 1)];
    }
    if (held)
        *at++ = digits[bits << (width - held) & ((1u << width) - 1)];
    buf->len += len;
}

/* The reverse; `out` holds text.len * width / 8 bytes. The bits left over must be zero and fewer
   than a digit: more would be a digit that carries nothing. */
static bool read_digits(struct gh_str text, uint8_t (*value_of)(uint8_t), unsigned width,
                        uint8_t *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t value = value_of((uint8_t)text.ptr[i]);
        if (value == INVALID)
            return false;
        bits = bits << width | value;
        held += width;
        if (held >= 8) {
            held -= 8;
            *out++ = (uint8_t)(bits >> held);
        }
    }
    return held < width && (bits & ((1u << held) - 1)) == 0;
}

void gh_base64url_put(struct gh_buf *buf, const uint8_t *bytes, size_t count)
{
    put_digits(buf, URL_DIGITS, 6, bytes, count, GH_BASE64URL_LEN(count));
}

bool gh_base64url_decode(struct gh_str text, uint8_t *out, size_t cap, size_t *out_len)
{
    size_t len = text.len / 4 * 3 + text.len % 4 * 3 / 4;
    if (len > cap || !read_digits(text, url_value, 6, out))
        return false;
    *out_len = len;
    return true;
}

void gh_base32_put(struct gh_buf *buf, const uint8_t *bytes, size_t count)
{
    put_digits(buf, BASE32_DIGITS, 5, bytes, count, GH_BASE32_LEN(count));
}

/* Takes '=' off the end; false: there are some, but not as many as fill up the last group. */
static bool cut_padding(struct gh_str *text)
{
    size_t len = text->len;
    while (len && text->ptr[len - 1] == '=')
        len--;
    bool ok = len == text->len || (text->len % 8 == 0 && text->len - len < 8);
    text->len = len;
    return ok;
}

bool gh_base32_decode(struct gh_str text, uint8_t *out, size_t cap, size_t *out_len)
{
    if (!cut_padding(&text))
        return false;
    size_t len = text.len / 8 * 5 + text.len % 8 * 5 / 8;
    if (len > cap || !read_digits(text, base32_value, 5, out))
        return false;
    *out_len = len;
    return true;
}
