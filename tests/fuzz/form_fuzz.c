/*
 * Forms: offsets and slices lie in the text; what was read, written again as WHATWG's serialiser
 * writes it, reads the same; so does each value alone.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "schema/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_BYTES_MAX 4096

static const struct gh_form_limits LIMITS = {
    .bytes_max = TEXT_BYTES_MAX, .fields_max = 64, .name_bytes_max = 64};
/* Each byte may become three, and a name without '=' gets one. */
static const struct gh_form_limits WRITTEN_LIMITS = {
    .bytes_max = 3 * TEXT_BYTES_MAX + 64, .fields_max = 64, .name_bytes_max = 64};

/* WHATWG URL section 5.2. */
static void put_encoded(struct gh_buf *buf, struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == ' ')
            gh_buf_put_char(buf, '+');
        else if ((c >= '0' && c <= '9') || (gh_ascii_lower(c) >= 'a' && gh_ascii_lower(c) <= 'z') ||
                 strchr("*-._", c))
            gh_buf_put_char(buf, c);
        else
            gh_buf_format(buf, "%%%02X", (unsigned)(uint8_t)c);
    }
}

static void check_field(struct gh_arena *arena, const struct gh_form *form,
                        const struct gh_form_field *field)
{
    struct gh_str again;
    GH_ASSERT(field->name.len && field->name.len <= LIMITS.name_bytes_max);
    GH_ASSERT(gh_utf8_is_valid(field->name) && gh_utf8_is_valid(field->value));
    GH_ASSERT(gh_str_find_char(field->name, '\0') == field->name.len);
    GH_ASSERT(gh_str_find_char(field->value, '\0') == field->value.len);
    GH_ASSERT(field->raw_value.ptr > form->text.ptr);
    GH_ASSERT(field->raw_value.ptr + field->raw_value.len <= form->text.ptr + form->text.len);
    GH_ASSERT(gh_form_decode(arena, field->raw_value, GH_FORM_PLUS_IS_SPACE, &again, NULL) ==
              GH_FORM_OK);
    GH_ASSERT(gh_str_eq(again, field->value));
}

static void check_written(struct gh_arena *arena, const struct gh_form *form)
{
    char *memory = gh_arena_alloc(arena, WRITTEN_LIMITS.bytes_max);
    GH_ASSERT(memory);
    struct gh_buf buf = gh_buf_over(memory, WRITTEN_LIMITS.bytes_max);
    for (size_t i = 0; i < form->count; i++) {
        if (i)
            gh_buf_put_char(&buf, '&');
        put_encoded(&buf, form->fields[i].name);
        gh_buf_put_char(&buf, '=');
        put_encoded(&buf, form->fields[i].value);
    }
    struct gh_form again;
    GH_ASSERT(!buf.overflow);
    GH_ASSERT(gh_form_parse(arena, gh_buf_str(&buf), &WRITTEN_LIMITS, &again, NULL) == GH_FORM_OK);
    GH_ASSERT(again.count == form->count);
    for (size_t i = 0; i < form->count; i++) {
        GH_ASSERT(gh_str_eq(again.fields[i].name, form->fields[i].name));
        GH_ASSERT(gh_str_eq(again.fields[i].value, form->fields[i].value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str text = gh_str_of((const char *)data, size);
    struct gh_arena arena;
    gh_arena_init(&arena, 1 << 14, 1 << 20);
    struct gh_form form = {0};
    size_t offset = SIZE_MAX;
    enum gh_form_status status = gh_form_parse(&arena, text, &LIMITS, &form, &offset);
    GH_ASSERT(status != GH_FORM_NO_MEMORY);
    GH_ASSERT((status == GH_FORM_OK) == (offset == SIZE_MAX));
    GH_ASSERT(status == GH_FORM_OK || offset <= size);
    if (status == GH_FORM_OK) {
        for (size_t i = 0; i < form.count; i++)
            check_field(&arena, &form, &form.fields[i]);
        check_written(&arena, &form);
    }
    gh_arena_done(&arena);
    return 0;
}
