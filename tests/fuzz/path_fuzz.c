/*
 * Paths and queries. Properties: a normalised path is normal (normalising it again gives the same),
 * never longer, has no dot or empty segments, no bytes or escapes that the grammar refuses, and is
 * what a second, naive implementation makes of the same bytes.
 */
#include "base/assert.h"
#include "base/num.h"
#include "base/utf8.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATH_BYTES_MAX = 1024 };

static bool is_unreserved(char c)
{
    char lower = gh_ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c) != NULL);
}

static int escaped_byte(struct gh_str s)
{
    GH_ASSERT(s.len >= 3);
    return gh_num_hex_digit(s.ptr[1]) << 4 | gh_num_hex_digit(s.ptr[2]);
}

/* What the result must look like, whatever went in. */
static void check_form(struct gh_str path)
{
    char decoded[PATH_BYTES_MAX];
    size_t len = 0;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        GH_ASSERT(is_unreserved(c) || (c && strchr("/%!$&'()*+,;=:@", c)));
        if (c == '%') {
            int byte = escaped_byte(gh_str_skip(path, i));
            GH_ASSERT(byte > 0 && byte != '\\' && !is_unreserved((char)byte));
            GH_ASSERT(path.ptr[i + 1] < 'a' && path.ptr[i + 2] < 'a');
            c = (char)byte;
            i += 2;
        }
        decoded[len++] = c;
    }
    GH_ASSERT(gh_utf8_is_valid(gh_str_of(decoded, len)));
    struct gh_str rest = gh_str_skip(path, 1);
    while (rest.ptr) {
        struct gh_str segment = gh_str_split(&rest, '/');
        GH_ASSERT(segment.len || !rest.ptr);
        GH_ASSERT(!gh_str_eq(segment, GH_STR(".")) && !gh_str_eq(segment, GH_STR("..")));
    }
}

/* Decodes all first, then resolves over the whole text; for paths that are not refused. */
static void check_against_naive(struct gh_str path, struct gh_str result)
{
    char text[PATH_BYTES_MAX + 1], out[PATH_BYTES_MAX + 1];
    size_t len = 0, out_len = 0;
    for (size_t i = 0; i < path.len; i++) {
        int byte = path.ptr[i] == '%' ? escaped_byte(gh_str_skip(path, i)) : 0;
        if (byte && is_unreserved((char)byte)) {
            text[len++] = (char)byte;
            i += 2;
        } else {
            bool in_escape =
                (i >= 1 && path.ptr[i - 1] == '%') || (i >= 2 && path.ptr[i - 2] == '%');
            bool lower = in_escape && path.ptr[i] >= 'a' && path.ptr[i] <= 'f';
            text[len++] = lower ? (char)(path.ptr[i] - 'a' + 'A') : path.ptr[i];
        }
    }
    struct gh_str segments[PATH_BYTES_MAX];
    size_t count = 0;
    bool slash_at_end = false;
    for (struct gh_str rest = gh_str_of(text + 1, len - 1); rest.ptr;) {
        struct gh_str segment = gh_str_split(&rest, '/');
        bool up = gh_str_eq(segment, GH_STR(".."));
        slash_at_end = up || segment.len == 0 || gh_str_eq(segment, GH_STR("."));
        GH_ASSERT(!up || count > 0);
        if (up)
            count--;
        else if (!slash_at_end)
            segments[count++] = segment;
    }
    for (size_t i = 0; i < count; i++) {
        out[out_len++] = '/';
        memcpy(out + out_len, segments[i].ptr, segments[i].len);
        out_len += segments[i].len;
    }
    if (slash_at_end)
        out[out_len++] = '/';
    GH_ASSERT(gh_str_eq(result, gh_str_of(out, out_len)));
}

static void check_path(struct gh_str path)
{
    char memory[PATH_BYTES_MAX], again_memory[PATH_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, path.len);
    struct gh_path_traits traits, again_traits;
    enum gh_path_status status = gh_path_normalise(path, &buf, &traits);
    GH_ASSERT(status != GH_PATH_TOO_LONG);
    if (status != GH_PATH_OK) {
        GH_ASSERT(buf.len == 0);
        return;
    }
    struct gh_str result = gh_buf_str(&buf);
    GH_ASSERT(result.len > 0 && result.ptr[0] == '/');
    check_form(result);
    check_against_naive(path, result);
    struct gh_buf again = gh_buf_over(again_memory, result.len);
    GH_ASSERT(gh_path_normalise(result, &again, &again_traits) == GH_PATH_OK);
    GH_ASSERT(gh_str_eq(gh_buf_str(&again), result));
    GH_ASSERT(traits.encoded_slash >= again_traits.encoded_slash);
    GH_ASSERT(traits.encoded_percent >= again_traits.encoded_percent);
    GH_ASSERT(traits.semicolon >= again_traits.semicolon);
    GH_ASSERT(traits.semicolon || gh_str_find_char(result, ';') == result.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str text = gh_str_of((const char *)data, size);
    if (size > PATH_BYTES_MAX)
        return 0;
    check_path(text);
    if (gh_query_is_valid(text)) {
        for (size_t i = 0; i < size; i++)
            GH_ASSERT(data[i] > 0x20 && data[i] < 0x7f && data[i] != '#' && data[i] != '\\');
    }
    return 0;
}
