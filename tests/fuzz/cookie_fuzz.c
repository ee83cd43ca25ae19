/*
 * One cookie among any bytes. Properties: a value that is found is a slice of the line and holds
 * nothing that could end it; one more cookie of the name is found where there was none, and makes
 * ambiguous what was found.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "http/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE_BYTES_MAX = 1024 };

static enum gh_cookie_find find(struct gh_str first, struct gh_str second, struct gh_str *out_value)
{
    struct gh_field items[2];
    struct gh_fields fields;
    gh_fields_init(&fields, items, 2);
    GH_ASSERT(gh_fields_add(&fields, GH_STR("Cookie"), first));
    if (second.ptr)
        GH_ASSERT(gh_fields_add(&fields, GH_STR("Cookie"), second));
    return gh_cookie_find(&fields, GH_STR("sid"), out_value);
}

static void check_value(struct gh_str line, struct gh_str value)
{
    GH_ASSERT(value.ptr >= line.ptr && value.ptr + value.len <= line.ptr + line.len);
    for (size_t i = 0; i < value.len; i++)
        GH_ASSERT(value.ptr[i] > 0x20 && value.ptr[i] < 0x7f && !strchr("\",;\\", value.ptr[i]));
    GH_ASSERT(gh_str_eq(gh_str_of(value.ptr - 4, 4), GH_STR("sid=")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > LINE_BYTES_MAX)
        return 0;
    char memory[LINE_BYTES_MAX + 16];
    struct gh_str line = gh_str_of((const char *)data, size), more = GH_STR("; sid=x"), value,
                  other;
    struct gh_buf longer = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&longer, line);
    gh_buf_put(&longer, more);
    enum gh_cookie_find found = find(line, (struct gh_str){0}, &value);
    if (found == GH_COOKIE_FOUND)
        check_value(line, value);
    enum gh_cookie_find expected =
        found == GH_COOKIE_ABSENT ? GH_COOKIE_FOUND : GH_COOKIE_AMBIGUOUS;
    GH_ASSERT(find(gh_buf_str(&longer), (struct gh_str){0}, &other) == expected);
    GH_ASSERT(find(line, more, &other) == expected);
    GH_ASSERT(find(more, line, &other) == expected);
    return 0;
}
