#include "schema/pointer.h"

#include "base/num.h"

/* Is the token with its escapes the name? */
static bool is_name(struct gh_str token, struct gh_str name)
{
    size_t at = 0;
    for (size_t i = 0; i < token.len; i++, at++) {
        char c = token.ptr[i];
        if (c == '~')
            c = token.ptr[++i] == '0' ? '~' : '/';
        if (at >= name.len || name.ptr[at] != c)
            return false;
    }
    return at == name.len;
}

static bool has_good_escapes(struct gh_str token)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] == '~' &&
            (i + 1 >= token.len || (token.ptr[i + 1] != '0' && token.ptr[i + 1] != '1')))
            return false;
    }
    return true;
}

static const struct gh_json_value *child_named(const struct gh_json_doc *doc,
                                               const struct gh_json_value *parent,
                                               struct gh_str token)
{
    uint64_t ordinal = 0;
    if (parent->kind == GH_JSON_ARRAY && !gh_num_parse_u64(token, UINT32_MAX, &ordinal))
        return NULL;
    const struct gh_json_value *child = gh_json_first(doc, parent);
    for (; child; child = gh_json_after(doc, parent, child)) {
        if (parent->kind == GH_JSON_ARRAY ? ordinal-- == 0 : is_name(token, child->name))
            return child;
    }
    return NULL;
}

const struct gh_json_value *gh_json_pointer_find(const struct gh_json_doc *doc,
                                                 const struct gh_json_value *root,
                                                 struct gh_str pointer)
{
    const struct gh_json_value *value = root;
    if (pointer.len == 0)
        return value;
    if (pointer.ptr[0] != '/')
        return NULL;
    for (struct gh_str rest = gh_str_skip(pointer, 1); rest.ptr && value;) {
        struct gh_str token = gh_str_split(&rest, '/');
        value = has_good_escapes(token) ? child_named(doc, value, token) : NULL;
    }
    return value;
}

static void put_token(struct gh_buf *buf, struct gh_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '~')
            gh_buf_put(buf, GH_STR("~0"));
        else if (name.ptr[i] == '/')
            gh_buf_put(buf, GH_STR("~1"));
        else
            gh_buf_put_char(buf, name.ptr[i]);
    }
}

void gh_json_pointer_put_name(struct gh_buf *buf, struct gh_str name)
{
    gh_buf_put_char(buf, '/');
    put_token(buf, name);
}

bool gh_json_pointer_put(struct gh_buf *buf, const struct gh_json_doc *doc, uint32_t index)
{
    const struct gh_json_value *values = doc->values;
    uint32_t at = 0;
    while (at != index) {
        uint64_t ordinal = 0;
        bool in_array = values[at].kind == GH_JSON_ARRAY;
        struct gh_buf before = *buf;
        for (at++; index >= values[at].next; at = values[at].next)
            ordinal++;
        gh_buf_put_char(buf, '/');
        if (in_array)
            gh_buf_put_u64(buf, ordinal);
        else
            put_token(buf, values[at].name);
        if (buf->overflow) {
            *buf = before;
            return false;
        }
    }
    return true;
}
