/* Bodies that rate limits count by: a line of the type, which is the query,
   too, where their size is odd; then the body. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "policy/rate_body.h"
#include "policy/rate_spelling.h"

/* What is trimmed and folded stays so, and only shrinks. */
static void check_spelling(struct gh_arena *arena, struct gh_str text)
{
    struct gh_str trimmed = gh_rate_trim(text);
    struct gh_str folded = gh_rate_fold(arena, text);
    GH_ASSERT(trimmed.len <= text.len && folded.len <= text.len);
    GH_ASSERT(gh_str_eq(gh_rate_trim(trimmed), trimmed));
    GH_ASSERT(gh_rate_name_is(text, text, GH_RATE_NAMES_OF_JSON));
    GH_ASSERT(gh_rate_name_is(text, text, GH_RATE_NAMES_OF_FORM));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str body = gh_str_of((const char *)data, size < 4096 ? size : 4096);
    struct gh_str type = gh_str_split(&body, '\n'), value = {0};
    struct gh_field field = {
        .id = GH_FIELD_CONTENT_TYPE, .name = GH_STR("content-type"), .value = type};
    struct gh_request_head head = {.fields = {.items = &field, .count = 1}};
    struct gh_arena arena;
    struct gh_rate_body read;
    gh_arena_init(&arena, 16 * 1024, 4 * 1024 * 1024);
    struct gh_request request = {
        .head = &head, .arena = &arena, .body = body.ptr ? body : GH_STR("")};
    request.query = size % 2 ? type : (struct gh_str){0};
    gh_rate_body_read(&request, &read);
    if (!read.unreadable &&
        gh_rate_body_find(&read, &arena, GH_STR("email"), &value) == GH_RATE_FOUND) {
        GH_ASSERT(value.len && gh_str_eq(gh_rate_trim(value), value));
        GH_ASSERT(value.len <= 32 || value.len <= size);
    }
    check_spelling(&arena, type);
    GH_ASSERT(!gh_rate_is_plain(type) || gh_utf8_is_valid(type));
    gh_arena_done(&arena);
    return 0;
}
