/*
 * Base64url and base32. Properties: what decodes is written as the same text again (base32: in
 * upper case, without padding), with a length that follows from the text's; the input as bytes goes
 * there and back; a smaller capacity refuses and leaves what is behind it alone.
 */
#include "base/assert.h"
#include "base/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 1024, GUARD = 0xa5 };

static void check_url_text(struct gh_str text)
{
    uint8_t bytes[INPUT_BYTES_MAX + 1], small[INPUT_BYTES_MAX + 1];
    char again[INPUT_BYTES_MAX];
    size_t len, none;
    if (!gh_base64url_decode(text, bytes, INPUT_BYTES_MAX, &len))
        return;
    GH_ASSERT(len == text.len * 6 / 8);
    struct gh_buf buf = gh_buf_over(again, sizeof(again));
    gh_base64url_put(&buf, bytes, len);
    GH_ASSERT(gh_str_eq(gh_buf_str(&buf), text));
    if (len == 0)
        return;
    small[len - 1] = GUARD;
    GH_ASSERT(!gh_base64url_decode(text, small, len - 1, &none) && small[len - 1] == GUARD);
}

static void check_base32_text(struct gh_str text)
{
    uint8_t bytes[INPUT_BYTES_MAX];
    char again[INPUT_BYTES_MAX];
    size_t len;
    if (!gh_base32_decode(text, bytes, sizeof(bytes), &len))
        return;
    struct gh_buf buf = gh_buf_over(again, sizeof(again));
    gh_base32_put(&buf, bytes, len);
    GH_ASSERT(buf.len <= text.len && gh_str_ieq(gh_buf_str(&buf), gh_str_first(text, buf.len)));
    for (size_t i = buf.len; i < text.len; i++)
        GH_ASSERT(text.ptr[i] == '=');
}

static void check_bytes(const uint8_t *data, size_t size)
{
    char text[GH_BASE32_LEN(INPUT_BYTES_MAX)];
    uint8_t bytes[INPUT_BYTES_MAX];
    size_t len;
    struct gh_buf buf = gh_buf_over(text, GH_BASE64URL_LEN(size));
    gh_base64url_put(&buf, data, size);
    GH_ASSERT(!buf.overflow && buf.len == buf.cap);
    GH_ASSERT(gh_base64url_decode(gh_buf_str(&buf), bytes, size, &len));
    GH_ASSERT(len == size && memcmp(bytes, data, size) == 0);
    buf = gh_buf_over(text, GH_BASE32_LEN(size));
    gh_base32_put(&buf, data, size);
    GH_ASSERT(!buf.overflow && buf.len == buf.cap);
    GH_ASSERT(gh_base32_decode(gh_buf_str(&buf), bytes, size, &len));
    GH_ASSERT(len == size && memcmp(bytes, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_BYTES_MAX)
        return 0;
    struct gh_str text = {(const char *)data, size};
    check_url_text(text);
    check_base32_text(text);
    check_bytes(data, size);
    return 0;
}
