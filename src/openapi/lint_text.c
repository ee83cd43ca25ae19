/* Findings for people: a line each, then a table of the operations and the score. */
#include "openapi/lint_write.h"

const char *gh_lint_severity_name(enum gh_lint_severity severity)
{
    return severity == GH_LINT_ERROR ? "error" : "warning";
}

bool gh_lint_is_told(const struct gh_lint_record *record, const struct gh_lint_finding *finding)
{
    return gh_lint_rule_facts(finding->rule)->severity >= record->threshold;
}

void gh_lint_put_operation(struct gh_buf *buf, const struct gh_openapi *openapi, uint32_t operation)
{
    if (operation == GH_LINT_NO_OPERATION) {
        gh_buf_put(buf, GH_STR("the document"));
        return;
    }
    gh_buf_put(buf, openapi->operations[operation].method);
    gh_buf_put_char(buf, ' ');
    gh_buf_put(buf, gh_str_first(openapi->operations[operation].path, buf->cap - buf->len));
}

void gh_lint_write_tame(FILE *out, struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        putc(c < 0x20 || c == 0x7f ? '?' : c, out);
    }
}

static void write_finding(FILE *out, const struct gh_lint_record *record,
                          const struct gh_lint_finding *finding)
{
    const struct gh_lint_rule_facts *facts = gh_lint_rule_facts(finding->rule);
    char memory[GH_LINT_OPERATION_BYTES_MAX];
    struct gh_buf operation = gh_buf_over(memory, sizeof(memory));
    gh_lint_put_operation(&operation, record->openapi, finding->operation);
    gh_lint_write_tame(out, finding->at.file->path);
    fprintf(out, ":%u:%u: %s: ", finding->line, finding->column,
            gh_lint_severity_name(facts->severity));
    gh_lint_write_tame(out, gh_buf_str(&operation));
    if (finding->where.len)
        fputs(", ", out);
    gh_lint_write_tame(out, finding->where);
    fputs(": ", out);
    gh_lint_write_tame(out, finding->message);
    fprintf(out, " [%s]", facts->id);
    if (finding->operation_count > 1)
        fprintf(out, " (%u operations)", finding->operation_count);
    putc('\n', out);
}

static void write_row(FILE *out, struct gh_str name, const struct gh_lint_tally *tally, int width)
{
    fputs("  ", out);
    gh_lint_write_tame(out, name);
    fprintf(out, "%*s %7u %6u %8u\n", width > (int)name.len ? width - (int)name.len : 0, "",
            tally->checked, tally->errors, tally->warnings);
}

static void write_table(FILE *out, const struct gh_lint_record *record)
{
    const struct gh_lint_report *report = record->report;
    enum { WIDTH = 44 };
    fprintf(out, "\n  %-*s %7s %6s %8s\n", WIDTH, "operation", "checked", "errors", "warnings");
    write_row(out, GH_STR("the document"), &report->document, WIDTH);
    for (size_t i = 0; i < report->operation_count; i++) {
        char memory[GH_LINT_OPERATION_BYTES_MAX];
        struct gh_buf name = gh_buf_over(memory, sizeof(memory));
        gh_lint_put_operation(&name, record->openapi, (uint32_t)i);
        write_row(out, gh_buf_str(&name), &report->operations[i], WIDTH);
    }
}

void gh_lint_write_text(FILE *out, const struct gh_lint_record *record)
{
    const struct gh_lint_report *report = record->report;
    for (size_t i = 0; i < report->count; i++)
        if (gh_lint_is_told(record, &report->findings[i]))
            write_finding(out, record, &report->findings[i]);
    write_table(out, record);
    fprintf(out,
            "\n%u checks, %u errors, %u warnings. Score %u of 100: security %u of 30, data "
            "validation %u of 70.\n",
            report->all.checked, report->all.errors, report->all.warnings, report->score,
            report->score_security, report->score_data);
    if (report->is_cut)
        fputs("The document is too big: not all of it was looked at.\n", out);
}
