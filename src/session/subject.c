/* See subject.h. */
#include "session/subject.h"

#include "base/assert.h"
#include "base/buf.h"

static bool is_dash_place(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

struct gh_id gh_id_make(const uint8_t random[16])
{
    struct gh_id id;
    struct gh_buf buf = gh_buf_over(id.text, sizeof(id.text));
    uint8_t bytes[16];
    memcpy(bytes, random, sizeof(bytes));
    bytes[6] = (uint8_t)(0x40 | (bytes[6] & 0x0f)); /* version 4 */
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f)); /* the variant of RFC 9562 */
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (is_dash_place(buf.len))
            gh_buf_put_char(&buf, '-');
        gh_buf_put_hex_bytes(&buf, &bytes[i], 1);
    }
    gh_buf_put_char(&buf, '\0');
    GH_ASSERT(!buf.overflow && buf.len == sizeof(id.text));
    return id;
}

static bool fits_place(size_t at, char c)
{
    if (is_dash_place(at))
        return c == '-';
    if (at == 14)
        return c == '4';
    if (at == 19)
        return c == '8' || c == '9' || c == 'a' || c == 'b';
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool gh_id_parse(struct gh_str text, struct gh_id *out_id)
{
    if (text.len != GH_ID_LEN)
        return false;
    for (size_t i = 0; i < GH_ID_LEN; i++)
        if (!fits_place(i, text.ptr[i]))
            return false;
    memcpy(out_id->text, text.ptr, GH_ID_LEN);
    out_id->text[GH_ID_LEN] = '\0';
    return true;
}

gh_roles gh_role_bit(const struct gh_role_names *names, struct gh_str name)
{
    GH_ASSERT(names->count <= GH_ROLES_MAX);
    for (size_t i = 0; i < names->count; i++)
        if (gh_str_eq(names->names[i], name))
            return (gh_roles)1 << i;
    return 0;
}

struct gh_str gh_roles_text(struct gh_arena *arena, const struct gh_role_names *names,
                            gh_roles roles)
{
    size_t len = 0;
    GH_ASSERT(names->count <= GH_ROLES_MAX);
    for (size_t i = 0; i < names->count; i++)
        len += names->names[i].len + 1;
    char *memory = gh_arena_alloc(arena, len + 1);
    if (!memory)
        return (struct gh_str){NULL, 0};
    struct gh_buf buf = gh_buf_over(memory, len + 1);
    for (size_t i = 0; i < names->count; i++) {
        if (!(roles >> i & 1))
            continue;
        if (buf.len)
            gh_buf_put_char(&buf, ',');
        gh_buf_put(&buf, names->names[i]);
    }
    GH_ASSERT(!buf.overflow);
    return gh_buf_str(&buf);
}
