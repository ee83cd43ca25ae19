#include "audit/personal_sealed.h"

#include "base/assert.h"
#include "crypto/seal.h"

#define FORM        1
#define HEAD_BYTES  2 /* role and length of the name */
#define COUNT_BYTES 2 /* length of the box */

struct gh_str gh_audit_role_name(enum gh_audit_role role)
{
    return role == GH_AUDIT_ROLE_ACTOR ? GH_STR("actor") : GH_STR("subject");
}

static bool take(struct gh_str *rest, size_t count, struct gh_str *out)
{
    if (count > rest->len)
        return false;
    *out = gh_str_first(*rest, count);
    *rest = gh_str_skip(*rest, count);
    return true;
}

static bool parse_part(struct gh_str *rest, struct gh_sealed_part parts[GH_AUDIT_ROLE_COUNT],
                       unsigned *next_role)
{
    struct gh_str head, name, count, box;
    if (!take(rest, HEAD_BYTES, &head))
        return false;
    unsigned role = (unsigned char)head.ptr[0], name_len = (unsigned char)head.ptr[1];
    if (role < *next_role || role >= GH_AUDIT_ROLE_COUNT || !name_len ||
        name_len > GH_AUDIT_PERSON_LEN_MAX)
        return false;
    if (!take(rest, name_len, &name) || !take(rest, COUNT_BYTES, &count))
        return false;
    size_t box_len = (size_t)(unsigned char)count.ptr[0] << 8 | (unsigned char)count.ptr[1];
    if (box_len < GH_SEAL_OVERHEAD || !take(rest, box_len, &box))
        return false;
    parts[role] = (struct gh_sealed_part){name, box};
    *next_role = role + 1;
    return true;
}

bool gh_sealed_parse(struct gh_str sealed, struct gh_sealed_part out[GH_AUDIT_ROLE_COUNT])
{
    struct gh_sealed_part parts[GH_AUDIT_ROLE_COUNT] = {{{NULL, 0}, {NULL, 0}}};
    if (sealed.len) {
        struct gh_str rest = gh_str_skip(sealed, 1);
        unsigned next_role = 0;
        if (sealed.ptr[0] != FORM || !rest.len)
            return false;
        while (rest.len)
            if (!parse_part(&rest, parts, &next_role))
                return false;
    }
    memcpy(out, parts, sizeof(parts));
    return true;
}

struct gh_str gh_sealed_write(struct gh_arena *arena,
                              const struct gh_sealed_part parts[GH_AUDIT_ROLE_COUNT])
{
    size_t cap = 1;
    for (size_t i = 0; i < GH_AUDIT_ROLE_COUNT; i++)
        cap += HEAD_BYTES + parts[i].name.len + COUNT_BYTES + parts[i].box.len;
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return (struct gh_str){NULL, 0};
    struct gh_buf buf = gh_buf_over(memory, cap);
    gh_buf_put_char(&buf, FORM);
    for (size_t i = 0; i < GH_AUDIT_ROLE_COUNT; i++) {
        const struct gh_sealed_part *part = &parts[i];
        if (!part->name.ptr)
            continue;
        GH_ASSERT(part->name.len <= GH_AUDIT_PERSON_LEN_MAX && part->box.len <= UINT16_MAX);
        gh_buf_put_char(&buf, (char)i);
        gh_buf_put_char(&buf, (char)part->name.len);
        gh_buf_put(&buf, part->name);
        gh_buf_put_char(&buf, (char)(part->box.len >> 8));
        gh_buf_put_char(&buf, (char)part->box.len);
        gh_buf_put(&buf, part->box);
    }
    return buf.len > 1 ? gh_buf_str(&buf) : GH_STR("");
}

struct gh_str gh_sealed_context(char memory[GH_SEALED_CONTEXT_MAX], enum gh_audit_role role,
                                struct gh_str name)
{
    struct gh_buf buf = gh_buf_over(memory, GH_SEALED_CONTEXT_MAX);
    gh_buf_put(&buf, GH_STR("gatehouse audit 1 "));
    gh_buf_put(&buf, gh_audit_role_name(role));
    gh_buf_put_char(&buf, ' ');
    gh_buf_put(&buf, name);
    GH_ASSERT(!buf.overflow);
    return gh_buf_str(&buf);
}

struct gh_str gh_personal_member_field(struct gh_arena *arena, struct gh_str name)
{
    return gh_arena_format(arena, "metadata.%.*s", GH_STR_ARG(name));
}
