/* Records of any texts as CEF and syslog stay one line of clean UTF-8; the scan ends. */
#include "audit/format.h"
#include "audit/review_scan.h"
#include "base/assert.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct gh_buf *buf)
{
    struct gh_str text = gh_buf_str(buf);
    GH_ASSERT(gh_utf8_is_valid(text));
    for (size_t i = 0; i < text.len; i++)
        GH_ASSERT((unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char memory[GH_AUDIT_FORMATTED_BYTES_MAX];
    struct gh_str text = gh_str_of((const char *)data, size < 8000 ? size : 8000);
    struct gh_str first = gh_str_first(text, text.len / 2), rest = gh_str_skip(text, text.len / 2);
    struct gh_audit_record clear = {
        .event = size ? (enum gh_audit_event)(data[0] % GH_AUDIT_EVENT_COUNT) : GH_AUDIT_LOGIN,
        .user_id = first,
        .ip_address = rest,
        .user_agent = text,
        .session = rest,
        .metadata = first,
    };
    struct gh_audit_row row = {.record = clear};
    struct gh_audit_syslog_origin origin = {first, size};
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    GH_ASSERT(gh_audit_put_cef(&buf, &row, &clear) == GH_OK);
    check(&buf);
    buf = gh_buf_over(memory, sizeof(memory));
    GH_ASSERT(gh_audit_put_syslog(&buf, &row, &origin, text) == GH_OK);
    check(&buf);
    buf = gh_buf_over(memory, sizeof(memory));
    GH_ASSERT(gh_audit_put_syslog_cef(&buf, &row, &clear, &origin) == GH_OK);
    check(&buf);
    uint64_t counts[GH_SCAN_KIND_COUNT] = {0};
    gh_scan_text(text, counts);
    return 0;
}
