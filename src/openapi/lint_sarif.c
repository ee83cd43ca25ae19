/* Findings for programs: JSON of our own, and SARIF 2.1.0 (OASIS). A value each fits a line. */
#include "json/writer.h"
#include "openapi/lint_write.h"
#include "schema/pointer.h"

#define LINE_BYTES_MAX    (16u * 1024)
#define POINTER_BYTES_MAX 1024

struct out {
    FILE *file;
    char memory[LINE_BYTES_MAX];
    struct gh_buf buf;
};

/* Texts of documents are cut, so that a line has room for them. */
static void put_text(struct gh_buf *buf, const char *name, struct gh_str text)
{
    gh_json_put_member(buf, gh_str_from_c(name), gh_str_first(text, 512));
}

static void begin(struct out *out, FILE *file)
{
    out->file = file;
    out->buf = gh_buf_over(out->memory, sizeof(out->memory));
}

static void flush(struct out *out, const char *end)
{
    if (!out->buf.overflow)
        fwrite(out->memory, 1, out->buf.len, out->file);
    fputs(end, out->file);
    out->buf = gh_buf_over(out->memory, sizeof(out->memory));
}

static void put_operation(struct gh_buf *buf, const struct gh_lint_record *record,
                          uint32_t operation)
{
    char memory[GH_LINT_OPERATION_BYTES_MAX];
    struct gh_buf name = gh_buf_over(memory, sizeof(memory));
    if (operation == GH_LINT_NO_OPERATION)
        return;
    gh_lint_put_operation(&name, record->openapi, operation);
    put_text(buf, "operation", gh_buf_str(&name));
}

static void put_pointer(struct gh_buf *buf, const struct gh_lint_finding *finding)
{
    char memory[POINTER_BYTES_MAX];
    struct gh_buf pointer = gh_buf_over(memory, sizeof(memory));
    const struct gh_json_doc *doc = &finding->at.file->doc;
    gh_json_pointer_put(&pointer, doc, (uint32_t)(finding->at.value - doc->values));
    gh_json_put_member(buf, GH_STR("pointer"), gh_buf_str(&pointer));
}

/* ---- JSON ---- */

static void put_finding(struct gh_buf *buf, const struct gh_lint_record *record,
                        const struct gh_lint_finding *finding)
{
    const struct gh_lint_rule_facts *facts = gh_lint_rule_facts(finding->rule);
    gh_buf_put_char(buf, '{');
    put_text(buf, "rule", gh_str_from_c(facts->id));
    put_text(buf, "severity", gh_str_from_c(gh_lint_severity_name(facts->severity)));
    put_text(buf, "file", finding->at.file->path);
    gh_json_put_member_u64(buf, GH_STR("line"), finding->line);
    gh_json_put_member_u64(buf, GH_STR("column"), finding->column);
    put_pointer(buf, finding);
    put_operation(buf, record, finding->operation);
    gh_json_put_member_u64(buf, GH_STR("operations"), finding->operation_count);
    put_text(buf, "where", finding->where);
    put_text(buf, "message", finding->message);
    gh_json_put_member_bool(buf, GH_STR("fixable"), finding->fixable);
    gh_buf_put_char(buf, '}');
}

static void put_tally(struct gh_buf *buf, const struct gh_lint_tally *tally)
{
    gh_json_put_member_u64(buf, GH_STR("checked"), tally->checked);
    gh_json_put_member_u64(buf, GH_STR("errors"), tally->errors);
    gh_json_put_member_u64(buf, GH_STR("warnings"), tally->warnings);
}

static void write_operations(struct out *out, const struct gh_lint_record *record)
{
    const struct gh_lint_report *report = record->report;
    flush(out, "],\n\"operations\":[");
    for (size_t i = 0; i < report->operation_count; i++) {
        gh_buf_put(&out->buf, i ? GH_STR(",\n{") : GH_STR("\n{"));
        put_operation(&out->buf, record, (uint32_t)i);
        put_tally(&out->buf, &report->operations[i]);
        gh_buf_put_char(&out->buf, '}');
        flush(out, "");
    }
    flush(out, "]}\n");
}

void gh_lint_write_json(FILE *file, const struct gh_lint_record *record)
{
    const struct gh_lint_report *report = record->report;
    struct out out;
    bool any = false;
    begin(&out, file);
    gh_buf_put_char(&out.buf, '{');
    put_text(&out.buf, "file", record->file);
    put_text(&out.buf, "date", record->date);
    put_text(&out.buf, "sha256", record->digest);
    gh_json_put_member_u64(&out.buf, GH_STR("score"), report->score);
    gh_json_put_member_u64(&out.buf, GH_STR("score_security"), report->score_security);
    gh_json_put_member_u64(&out.buf, GH_STR("score_data"), report->score_data);
    put_tally(&out.buf, &report->all);
    gh_json_put_member_bool(&out.buf, GH_STR("complete"), !report->is_cut);
    flush(&out, ",\n\"findings\":[");
    for (size_t i = 0; i < report->count; i++) {
        if (!gh_lint_is_told(record, &report->findings[i]))
            continue;
        gh_buf_put(&out.buf, any ? GH_STR(",\n") : GH_STR("\n"));
        put_finding(&out.buf, record, &report->findings[i]);
        flush(&out, "");
        any = true;
    }
    write_operations(&out, record);
}

/* ---- SARIF ---- */

static void put_message(struct gh_buf *buf, const char *name, struct gh_str text)
{
    gh_json_put_name(buf, gh_str_from_c(name));
    gh_buf_put_char(buf, '{');
    put_text(buf, "text", text);
    gh_buf_put_char(buf, '}');
}

static void put_rule(struct gh_buf *buf, const struct gh_lint_rule_facts *facts)
{
    gh_buf_put_char(buf, '{');
    put_text(buf, "id", gh_str_from_c(facts->id));
    put_message(buf, "shortDescription", gh_str_from_c(facts->meaning));
    put_message(buf, "help", gh_str_from_c(facts->remedy));
    gh_buf_format(buf,
                  ",\"defaultConfiguration\":{\"level\":\"%s\"},\"properties\":{\"tags\":["
                  "\"security\",\"owasp-%s:2023\",\"asvs-4.0.3-%s\",\"%s\"]}}",
                  gh_lint_severity_name(facts->severity), facts->owasp, facts->asvs, facts->cwe);
}

static bool is_plain_in_uri(char c)
{
    char low = gh_ascii_lower(c);
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~/", c));
}

static void put_uri(struct gh_buf *buf, struct gh_str path)
{
    char memory[3 * 512];
    struct gh_buf uri = gh_buf_over(memory, sizeof(memory));
    struct gh_str cut = gh_str_first(path, 512);
    for (size_t i = 0; i < cut.len; i++) {
        if (is_plain_in_uri(cut.ptr[i]))
            gh_buf_put_char(&uri, cut.ptr[i]);
        else
            gh_buf_format(&uri, "%%%02X", (unsigned char)cut.ptr[i]);
    }
    gh_json_put_member(buf, GH_STR("uri"), gh_buf_str(&uri));
}

static void put_result(struct gh_buf *buf, const struct gh_lint_record *record,
                       const struct gh_lint_finding *finding)
{
    const struct gh_lint_rule_facts *facts = gh_lint_rule_facts(finding->rule);
    char memory[GH_LINT_OPERATION_BYTES_MAX + 2048];
    struct gh_buf text = gh_buf_over(memory, sizeof(memory));
    gh_lint_put_operation(&text, record->openapi, finding->operation);
    gh_buf_format(&text, "%s%.*s: %.*s", finding->where.len ? ", " : "",
                  (int)(finding->where.len < 512 ? finding->where.len : 512), finding->where.ptr,
                  GH_STR_ARG(finding->message));
    gh_buf_put_char(buf, '{');
    put_text(buf, "ruleId", gh_str_from_c(facts->id));
    gh_json_put_member_u64(buf, GH_STR("ruleIndex"), (uint64_t)finding->rule);
    put_text(buf, "level", gh_str_from_c(gh_lint_severity_name(facts->severity)));
    gh_json_put_name(buf, GH_STR("message"));
    gh_buf_put_char(buf, '{');
    gh_json_put_member(buf, GH_STR("text"), gh_buf_str(&text));
    gh_buf_put(buf, GH_STR("},\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{"));
    put_uri(buf, finding->at.file->path);
    gh_buf_format(buf, "},\"region\":{\"startLine\":%u,\"startColumn\":%u}}}]}", finding->line,
                  finding->column);
}

void gh_lint_write_sarif(FILE *file, const struct gh_lint_record *record)
{
    const struct gh_lint_report *report = record->report;
    struct out out;
    bool any = false;
    begin(&out, file);
    flush(&out, "{\"version\":\"2.1.0\",\n"
                "\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\n"
                "\"runs\":[{\"tool\":{\"driver\":{\"name\":\"gatehouse openapi lint\",\"version\":"
                "\"" GH_VERSION "\",\"rules\":[");
    for (unsigned i = 0; i < GH_LINT_RULE_COUNT; i++) {
        gh_buf_put(&out.buf, i ? GH_STR(",\n") : GH_STR("\n"));
        put_rule(&out.buf, gh_lint_rule_facts((enum gh_lint_rule)i));
        flush(&out, "");
    }
    flush(&out, "]}},\n\"columnKind\":\"unicodeCodePoints\",\"results\":[");
    for (size_t i = 0; i < report->count; i++) {
        if (!gh_lint_is_told(record, &report->findings[i]))
            continue;
        gh_buf_put(&out.buf, any ? GH_STR(",\n") : GH_STR("\n"));
        put_result(&out.buf, record, &report->findings[i]);
        flush(&out, "");
        any = true;
    }
    flush(&out, "]}]}\n");
}
