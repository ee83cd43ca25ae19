#include "schema/uri.h"

#include "base/buf.h"
#include "base/num.h"

/* RFC 3986, appendix B. */
struct gh_uri gh_uri_split(struct gh_str text)
{
    struct gh_uri uri = {0};
    size_t hash = gh_str_find_char(text, '#');
    if (hash < text.len)
        uri.fragment = gh_str_skip(text, hash + 1);
    text = gh_str_first(text, hash);
    size_t mark = gh_str_find_char(text, '?');
    if (mark < text.len)
        uri.query = gh_str_skip(text, mark + 1);
    text = gh_str_first(text, mark);
    size_t colon = gh_str_find_char(text, ':');
    if (colon > 0 && colon < text.len && gh_str_find_char(text, '/') > colon) {
        uri.scheme = gh_str_first(text, colon);
        text = gh_str_skip(text, colon + 1);
    }
    if (gh_str_starts_with(text, GH_STR("//"))) {
        text = gh_str_skip(text, 2);
        uri.authority = gh_str_first(text, gh_str_find_char(text, '/'));
        text = gh_str_skip(text, uri.authority.len);
    }
    uri.path = text;
    return uri;
}

/* RFC 3986 section 5.2.4, on the bytes of `buf` from `start` on. */
static void remove_dot_segments(struct gh_buf *buf, size_t start)
{
    char *path = buf->ptr + start;
    size_t len = buf->len - start, out = 0, at = 0;
    while (at < len) {
        size_t end = at + 1; /* a segment with the slash before it */
        while (end < len && path[end] != '/')
            end++;
        struct gh_str segment = gh_str_of(path + at, end - at);
        bool is_last = end == len;
        if (gh_str_eq(segment, GH_STR("/..")) || gh_str_eq(segment, GH_STR("/."))) {
            if (segment.len == 3)
                while (out > 0 && path[--out] != '/')
                    ;
            if (is_last)
                path[out++] = '/';
        } else {
            memmove(path + out, segment.ptr, segment.len);
            out += segment.len;
        }
        at = end;
    }
    buf->len = start + out;
}

static void put_path(struct gh_buf *buf, const struct gh_uri *base, const struct gh_uri *reference)
{
    size_t start = buf->len;
    if (reference->path.len == 0 || reference->path.ptr[0] != '/') {
        size_t keep = base->path.len; /* up to and with the last slash */
        while (keep > 0 && base->path.ptr[keep - 1] != '/')
            keep--;
        if (keep == 0 && base->authority.ptr)
            gh_buf_put_char(buf, '/');
        gh_buf_put(buf, gh_str_first(base->path, keep));
    }
    gh_buf_put(buf, reference->path);
    if (buf->len > start && buf->ptr[start] == '/')
        remove_dot_segments(buf, start);
}

struct gh_str gh_uri_resolve(struct gh_arena *arena, struct gh_str base_text,
                             struct gh_str reference_text)
{
    struct gh_uri base = gh_uri_split(base_text), reference = gh_uri_split(reference_text);
    size_t cap = base_text.len + reference_text.len + 8;
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return (struct gh_str){0};
    struct gh_buf buf = gh_buf_over(memory, cap);
    bool own_scheme = reference.scheme.ptr, own_authority = own_scheme || reference.authority.ptr;
    struct gh_str scheme = own_scheme ? reference.scheme : base.scheme;
    struct gh_str authority = own_authority ? reference.authority : base.authority;
    bool same_document = !own_authority && reference.path.len == 0;
    if (scheme.ptr) {
        gh_buf_put(&buf, scheme);
        gh_buf_put_char(&buf, ':');
    }
    if (authority.ptr) {
        gh_buf_put(&buf, GH_STR("//"));
        gh_buf_put(&buf, authority);
    }
    if (same_document)
        gh_buf_put(&buf, base.path);
    else
        put_path(&buf, own_authority ? &(struct gh_uri){0} : &base, &reference);
    struct gh_str query = same_document && !reference.query.ptr ? base.query : reference.query;
    if (query.ptr) {
        gh_buf_put_char(&buf, '?');
        gh_buf_put(&buf, query);
    }
    return gh_buf_str(&buf);
}

struct gh_str gh_uri_decode(struct gh_arena *arena, struct gh_str text)
{
    char *memory = gh_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    if (!memory)
        return (struct gh_str){0};
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = text.len - i > 2 ? gh_num_hex_digit(text.ptr[i + 1]) : -1;
            int low = text.len - i > 2 ? gh_num_hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return (struct gh_str){0};
            c = (char)(high << 4 | low);
            i += 2;
        }
        memory[len++] = c;
    }
    return gh_str_of(memory, len);
}
