#include "audit/format.h"

#include "base/ip.h"
#include "base/utf8.h"

#define REPLACEMENT    GH_STR("\xef\xbf\xbd") /* U+FFFD */
#define FACILITY_AUDIT 13
#define HOST_BYTES_MAX 255
/* RFC 5612 keeps this number for use without one of one's own. */
#define STRUCTURED_ID "gatehouse@32473"

bool gh_audit_format_parse(struct gh_str name, enum gh_audit_format *out_format)
{
    static const struct gh_str NAMES[] = {
        [GH_AUDIT_JSONL] = GH_STR_INIT("jsonl"),
        [GH_AUDIT_CEF] = GH_STR_INIT("cef"),
        [GH_AUDIT_SYSLOG] = GH_STR_INIT("syslog"),
    };
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (!gh_str_eq(NAMES[i], name))
            continue;
        *out_format = (enum gh_audit_format)i;
        return true;
    }
    return false;
}

/* ---- Texts ---- */

/* C0, DEL, C1 and the two separators that some readers take for the end of a line. */
static bool is_control(struct gh_str c)
{
    unsigned char first = (unsigned char)c.ptr[0];
    if (c.len == 1)
        return first < 0x20 || first == 0x7f;
    if (c.len == 2)
        return first == 0xc2 && (unsigned char)c.ptr[1] < 0xa0;
    return gh_str_eq(c, GH_STR("\xe2\x80\xa8")) || gh_str_eq(c, GH_STR("\xe2\x80\xa9"));
}

/* `text` with a backslash before each of `escaped`. */
static void put_text(struct gh_buf *buf, struct gh_str text, const char *escaped)
{
    while (text.len) {
        size_t len = gh_utf8_sequence_len(text);
        struct gh_str c = gh_str_first(text, len ? len : 1);
        if (!len || is_control(c)) {
            gh_buf_put(buf, REPLACEMENT);
        } else {
            if (len == 1 && strchr(escaped, c.ptr[0]))
                gh_buf_put_char(buf, '\\');
            gh_buf_put(buf, c);
        }
        text = gh_str_skip(text, c.len);
    }
}

static bool is_failure(const struct gh_audit_record *record)
{
    return record->outcome == GH_AUDIT_FAILURE;
}

/* ---- CEF (ArcSight Common Event Format, "Header" and "Extension") ---- */

/* 0 to 10. */
static unsigned severity(const struct gh_audit_record *record)
{
    if (record->event == GH_AUDIT_ANOMALY_DETECTED)
        return 8;
    if (is_failure(record))
        return 6;
    return gh_audit_event_facts(record->event)->privileged ? 5 : 3;
}

static void put_member(struct gh_buf *buf, const char *key, struct gh_str value)
{
    if (!value.len)
        return;
    gh_buf_format(buf, " %s=", key);
    put_text(buf, value, "\\=");
}

static void put_labelled(struct gh_buf *buf, const char *key, const char *label,
                         struct gh_str value)
{
    if (!value.len)
        return;
    put_member(buf, key, value);
    gh_buf_format(buf, " %sLabel=%s", key, label);
}

/* `src` is for IPv4 alone. */
static void put_address(struct gh_buf *buf, struct gh_str address)
{
    struct gh_ip ip;
    if (!gh_ip_parse(address, &ip))
        return;
    if (ip.family == GH_IP_V4)
        put_member(buf, "src", address);
    else
        put_labelled(buf, "c6a2", "Source IPv6 Address", address);
}

static void put_extension(struct gh_buf *buf, const struct gh_audit_row *row,
                          const struct gh_audit_record *clear)
{
    const struct gh_audit_record *record = &row->record;
    gh_buf_format(buf, "rt=%llu externalId=%llu outcome=%.*s",
                  (unsigned long long)(record->time_us / 1000), (unsigned long long)record->seq,
                  GH_STR_ARG(gh_audit_outcome_name(record->outcome)));
    put_member(buf, "suid", record->actor_id);
    put_member(buf, "duid", record->user_id);
    if (clear) {
        put_address(buf, clear->ip_address);
        put_member(buf, "requestClientApplication", clear->user_agent);
    }
    put_labelled(buf, "cs1", "session", record->session);
    put_labelled(buf, "cs2", "requestId", record->request_id);
    put_labelled(buf, "cs3", "metadata", clear ? clear->metadata : record->metadata);
    gh_buf_put(buf, GH_STR(" cs4="));
    gh_buf_put_hex_bytes(buf, row->hash, sizeof(row->hash));
    gh_buf_put(buf, GH_STR(" cs4Label=hash"));
    if (gh_audit_chain_of(record) > 1)
        gh_buf_format(buf, " cn1=%u cn1Label=chain", (unsigned)record->chain);
}

enum gh_err gh_audit_put_cef(struct gh_buf *buf, const struct gh_audit_row *row,
                             const struct gh_audit_record *clear)
{
    const struct gh_audit_event_facts *facts = gh_audit_event_facts(row->record.event);
    gh_buf_put(buf, GH_STR("CEF:0|gatehouse|gatehouse|" GH_VERSION "|"));
    put_text(buf, facts->name, "\\|");
    gh_buf_put_char(buf, '|');
    put_text(buf, facts->meaning, "\\|");
    gh_buf_format(buf, "|%u|", severity(&row->record));
    put_extension(buf, row, clear);
    return buf->overflow ? GH_ERR_FULL : GH_OK;
}

/* ---- Syslog (RFC 5424) ---- */

/* Section 6.2.1: 4 warning, 5 notice, 6 informational. */
static unsigned syslog_severity(const struct gh_audit_record *record)
{
    if (is_failure(record) || record->event == GH_AUDIT_ANOMALY_DETECTED)
        return 4;
    return gh_audit_event_facts(record->event)->privileged ? 5 : 6;
}

/* Printable ASCII without spaces (section 6, "PRINTUSASCII"). */
static void put_host(struct gh_buf *buf, struct gh_str host)
{
    host = gh_str_first(host, HOST_BYTES_MAX);
    for (size_t i = 0; i < host.len; i++)
        gh_buf_put_char(buf, host.ptr[i] > ' ' && host.ptr[i] < 0x7f ? host.ptr[i] : '?');
    if (!host.len)
        gh_buf_put_char(buf, '-');
}

/* Section 6.3.3. */
static void put_parameter(struct gh_buf *buf, const char *name, struct gh_str value)
{
    if (!value.len)
        return;
    gh_buf_format(buf, " %s=\"", name);
    put_text(buf, value, "\"\\]");
    gh_buf_put_char(buf, '"');
}

static void put_structured(struct gh_buf *buf, const struct gh_audit_row *row)
{
    const struct gh_audit_record *record = &row->record;
    gh_buf_format(buf, "[" STRUCTURED_ID " seq=\"%llu\" outcome=\"%.*s\"",
                  (unsigned long long)record->seq,
                  GH_STR_ARG(gh_audit_outcome_name(record->outcome)));
    if (gh_audit_chain_of(record) > 1)
        gh_buf_format(buf, " chain=\"%u\"", (unsigned)record->chain);
    put_parameter(buf, "user", record->user_id);
    put_parameter(buf, "actor", record->actor_id);
    put_parameter(buf, "request", record->request_id);
    gh_buf_put(buf, GH_STR(" hash=\""));
    gh_buf_put_hex_bytes(buf, row->hash, sizeof(row->hash));
    gh_buf_put(buf, GH_STR("\"]"));
}

/* Through MSGID, with the space behind it. */
static void put_syslog_header(struct gh_buf *buf, const struct gh_audit_row *row,
                              const struct gh_audit_syslog_origin *origin)
{
    const struct gh_audit_record *record = &row->record;
    gh_buf_format(buf, "<%u>1 ", FACILITY_AUDIT * 8 + syslog_severity(record));
    gh_audit_put_time(buf, record->time_us);
    gh_buf_put_char(buf, ' ');
    put_host(buf, origin->host);
    gh_buf_put(buf, GH_STR(" gatehouse "));
    if (origin->pid)
        gh_buf_put_u64(buf, origin->pid);
    else
        gh_buf_put_char(buf, '-');
    gh_buf_put_char(buf, ' ');
    gh_buf_put(buf, gh_audit_event_facts(record->event)->name);
    gh_buf_put_char(buf, ' ');
}

enum gh_err gh_audit_put_syslog(struct gh_buf *buf, const struct gh_audit_row *row,
                                const struct gh_audit_syslog_origin *origin, struct gh_str line)
{
    while (line.len && line.ptr[line.len - 1] == '\n')
        line.len--;
    put_syslog_header(buf, row, origin);
    put_structured(buf, row);
    gh_buf_put(buf, GH_STR(" \xef\xbb\xbf")); /* the mark of UTF-8 (section 6.4) */
    put_text(buf, line, "");
    return buf->overflow ? GH_ERR_FULL : GH_OK;
}

enum gh_err gh_audit_put_syslog_cef(struct gh_buf *buf, const struct gh_audit_row *row,
                                    const struct gh_audit_record *clear,
                                    const struct gh_audit_syslog_origin *origin)
{
    put_syslog_header(buf, row, origin);
    gh_buf_put(buf, GH_STR("- "));
    return gh_audit_put_cef(buf, row, clear);
}
