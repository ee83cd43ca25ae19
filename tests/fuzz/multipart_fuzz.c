/*
 * multipart/form-data: a body whole, byte by byte and in pieces means the same; what is accepted
 * has the form that the header promises, and written again from its parts, it reads the same.
 * Input: a byte for the pieces, the boundary up to a '|', the body.
 */
#include "base/utf8.h"
#include "schema/multipart_cuts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gh_multipart_limits LIMITS = {.bytes_max = 1500,
                                                  .part_bytes_max = 600,
                                                  .parts_max = 4,
                                                  .head_bytes_max = 256,
                                                  .name_bytes_max = 40};

static void check_name(struct gh_str name)
{
    GH_ASSERT(name.len <= LIMITS.name_bytes_max && gh_utf8_is_valid(name));
    for (size_t i = 0; i < name.len; i++)
        GH_ASSERT((uint8_t)name.ptr[i] >= ' ' && !strchr("\"\\\x7f", name.ptr[i]));
}

static void write_head(struct gh_buf *buf, struct gh_str boundary,
                       const struct gh_multipart_part *part)
{
    check_name(part->name);
    gh_buf_put(buf, GH_STR("--"));
    gh_buf_put(buf, boundary);
    gh_buf_put(buf, GH_STR("\r\nContent-Disposition: form-data; name=\""));
    gh_buf_put(buf, part->name);
    gh_buf_put_char(buf, '"');
    if (part->filename.ptr) {
        check_name(part->filename);
        GH_ASSERT(gh_str_find_char(part->filename, '/') == part->filename.len);
        gh_buf_put(buf, GH_STR("; filename=\""));
        gh_buf_put(buf, part->filename);
        gh_buf_put_char(buf, '"');
    }
    if (part->content_type.ptr) {
        gh_buf_put(buf, GH_STR("\r\nContent-Type: "));
        gh_buf_put(buf, part->content_type);
    }
    gh_buf_put(buf, GH_STR("\r\n\r\n"));
}

/* The same parts in the plainest form. */
static struct gh_str write_again(struct gh_arena *arena, struct gh_str type, struct gh_str boundary,
                                 struct gh_str body)
{
    const size_t cap = 8192;
    char *memory = gh_arena_alloc(arena, cap);
    GH_ASSERT(memory);
    struct gh_buf buf = gh_buf_over(memory, cap);
    struct gh_multipart multipart;
    struct gh_str bytes;
    GH_ASSERT(gh_multipart_init(&multipart, type, &LIMITS) == GH_MULTIPART_OK);
    for (;;) {
        enum gh_multipart_event event = gh_multipart_read(&multipart, &body, &bytes);
        GH_ASSERT(event != GH_MULTIPART_REFUSED);
        if (event == GH_MULTIPART_MORE)
            break;
        if (event == GH_MULTIPART_PART)
            write_head(&buf, boundary, &multipart.part);
        if (event == GH_MULTIPART_DATA)
            gh_buf_put(&buf, bytes);
        if (event == GH_MULTIPART_PART_END)
            gh_buf_put(&buf, GH_STR("\r\n"));
    }
    gh_buf_put(&buf, GH_STR("--"));
    gh_buf_put(&buf, boundary);
    gh_buf_put(&buf, GH_STR("--\r\n"));
    GH_ASSERT(!buf.overflow);
    return gh_buf_str(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct gh_str body = gh_str_of((const char *)data + 1, size - 1);
    struct gh_str boundary = gh_str_split(&body, '|');
    if (!body.ptr || gh_str_find_char(boundary, '\0') < boundary.len)
        return 0;
    struct gh_arena arena;
    gh_arena_init(&arena, 1 << 16, 1 << 24);
    struct gh_str type = gh_arena_format(&arena, "multipart/form-data; boundary=\"%.*s\"",
                                         GH_STR_ARG(gh_str_first(boundary, 80)));
    struct gh_multipart_result whole =
        gh_multipart_read_cut(&arena, type, body, &LIMITS, body.len, 1);
    struct gh_multipart_result cut = gh_multipart_read_cut(&arena, type, body, &LIMITS, 1, 1);
    gh_multipart_assert_same(&whole, &cut);
    cut = gh_multipart_read_cut(&arena, type, body, &LIMITS, data[0], body.len);
    gh_multipart_assert_same(&whole, &cut);
    cut = gh_multipart_read_cut(&arena, type, body, &LIMITS, data[0] / 16 + 1u, data[0] % 16 + 1u);
    gh_multipart_assert_same(&whole, &cut);
    GH_ASSERT(whole.offset <= body.len);
    if (whole.status == GH_MULTIPART_OK) {
        const struct gh_multipart_limits wide = {.bytes_max = 8192,
                                                 .part_bytes_max = LIMITS.part_bytes_max,
                                                 .parts_max = LIMITS.parts_max,
                                                 .head_bytes_max = 512,
                                                 .name_bytes_max = LIMITS.name_bytes_max};
        struct gh_str again = write_again(&arena, type, boundary, body);
        cut = gh_multipart_read_cut(&arena, type, again, &wide, again.len, 1);
        GH_ASSERT(cut.status == GH_MULTIPART_OK);
        GH_ASSERT(gh_str_eq(gh_buf_str(&cut.parts), gh_buf_str(&whole.parts)));
    }
    gh_arena_done(&arena);
    return 0;
}
