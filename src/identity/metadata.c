#include "identity/metadata.h"

#include "json/writer.h"

#define BY_BYTES_MAX 512

struct gh_str gh_metadata_actor(const struct gh_identity_call *call)
{
    if (call->by.len)
        return call->by;
    return call->subject ? call->subject->id : GH_STR("");
}

struct gh_str gh_metadata_by(const struct gh_identity_call *call)
{
    char memory[BY_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("by"), gh_metadata_actor(call));
    gh_buf_put_char(&buf, '}');
    return buf.overflow ? (struct gh_str){NULL, 0} : gh_arena_dup(call->arena, gh_buf_str(&buf));
}
