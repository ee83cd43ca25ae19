/* Findings for the record, in Markdown: what was checked, found and fixed, and by which standards.
 */
#include "openapi/lint_write.h"

/* Of documents: no line ends, no markup, no end of a cell. */
static void write_cell(FILE *out, struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            c = ' ';
        if (strchr("\\`*_|<>[]&#!", c))
            putc('\\', out);
        putc(c, out);
    }
}

static void write_code(FILE *out, struct gh_str text)
{
    putc('`', out);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f || c == '`')
            c = '?';
        if (c == '|')
            putc('\\', out);
        putc(c, out);
    }
    putc('`', out);
}

static void write_head(FILE *out, const struct gh_lint_record *record)
{
    const struct gh_lint_report *report = record->report;
    fputs("# Input validation audit\n\n| | |\n|---|---|\n| document | ", out);
    write_code(out, record->file);
    fputs(" |\n| title | ", out);
    write_cell(out, record->openapi->title);
    fputs(" |\n| version | ", out);
    write_cell(out, record->openapi->version);
    fprintf(out,
            " |\n| SHA-256 | `%.*s` |\n| date | %.*s |\n| checked by | gatehouse " GH_VERSION
            ", %u rules |\n",
            GH_STR_ARG(record->digest), GH_STR_ARG(record->date), (unsigned)GH_LINT_RULE_COUNT);
    fprintf(out, "| score | %u of 100 (security %u of 30, data validation %u of 70) |\n",
            report->score, report->score_security, report->score_data);
    if (record->fixed)
        fprintf(out, "| score of the constrained copy | %u of 100 (%u and %u) |\n",
                record->fixed->score, record->fixed->score_security, record->fixed->score_data);
    fprintf(out, "| checks | %u |\n| errors | %u |\n| warnings | %u |\n", report->all.checked,
            report->all.errors, report->all.warnings);
    if (report->is_cut)
        fputs("| complete | no: the document is too big |\n", out);
}

static uint32_t found(const struct gh_lint_tally *tally)
{
    return tally->errors + tally->warnings;
}

static void write_row(FILE *out, struct gh_str name, const struct gh_lint_tally *before,
                      const struct gh_lint_tally *after)
{
    uint32_t remaining = after ? found(after) : found(before);
    fputs("| ", out);
    write_code(out, name);
    fprintf(out, " | %u | %u | %u | %u |\n", before->checked, found(before),
            found(before) > remaining ? found(before) - remaining : 0, remaining);
}

static void write_operations(FILE *out, const struct gh_lint_record *record)
{
    const struct gh_lint_report *report = record->report, *fixed = record->fixed;
    fputs("\n## Operations\n\n| operation | checked | found | fixed | open |\n|---|---|---|---|---|"
          "\n",
          out);
    write_row(out, GH_STR("the document"), &report->document, fixed ? &fixed->document : NULL);
    for (size_t i = 0; i < report->operation_count; i++) {
        char memory[GH_LINT_OPERATION_BYTES_MAX];
        struct gh_buf name = gh_buf_over(memory, sizeof(memory));
        gh_lint_put_operation(&name, record->openapi, (uint32_t)i);
        write_row(out, gh_buf_str(&name), &report->operations[i],
                  fixed && i < fixed->operation_count ? &fixed->operations[i] : NULL);
    }
    fputs("\nWhat several operations share is counted for each of them.\n", out);
}

/* Is it in the constrained copy too? Its findings stand in the same order: *next is where to look
   from. */
static bool is_left(const struct gh_lint_report *fixed, const struct gh_lint_finding *finding,
                    size_t *next)
{
    for (size_t i = *next; i < fixed->count; i++) {
        const struct gh_lint_finding *other = &fixed->findings[i];
        if (other->rule != finding->rule || other->operation != finding->operation ||
            !gh_str_eq(other->where, finding->where))
            continue;
        *next = i + 1;
        return true;
    }
    return false;
}

static void write_finding(FILE *out, const struct gh_lint_record *record,
                          const struct gh_lint_finding *finding, bool is_open)
{
    const struct gh_lint_rule_facts *facts = gh_lint_rule_facts(finding->rule);
    char memory[GH_LINT_OPERATION_BYTES_MAX];
    struct gh_buf operation = gh_buf_over(memory, sizeof(memory));
    gh_lint_put_operation(&operation, record->openapi, finding->operation);
    fputs("| ", out);
    write_cell(out, finding->at.file->path);
    fprintf(out, ":%u:%u | ", finding->line, finding->column);
    write_code(out, gh_buf_str(&operation));
    fputs(" | ", out);
    if (finding->where.len)
        write_code(out, finding->where);
    fputs(" | ", out);
    write_cell(out, finding->message);
    fprintf(out, " | `%s` | %s | %s |\n", facts->id, gh_lint_severity_name(facts->severity),
            is_open ? "open" : "fixed");
}

static void write_findings(FILE *out, const struct gh_lint_record *record)
{
    const struct gh_lint_report *report = record->report;
    size_t told = 0, next = 0;
    fputs("\n## Findings\n\n", out);
    for (size_t i = 0; i < report->count; i++) {
        const struct gh_lint_finding *finding = &report->findings[i];
        bool is_open = !record->fixed || is_left(record->fixed, finding, &next);
        if (!gh_lint_is_told(record, finding))
            continue;
        if (!told++)
            fputs("| place | operation | value | finding | rule | severity | state |\n"
                  "|---|---|---|---|---|---|---|\n",
                  out);
        write_finding(out, record, finding, is_open);
    }
    if (!told)
        fputs("None.\n", out);
}

static size_t count_of(const struct gh_lint_report *report, enum gh_lint_rule rule)
{
    size_t count = 0;
    for (size_t i = 0; i < report->count; i++)
        count += report->findings[i].rule == rule;
    return count;
}

static void write_standards(FILE *out, const struct gh_lint_record *record)
{
    fputs("\n## Standards applied\n\n"
          "OWASP API Security Top 10 (2023), OWASP Application Security Verification Standard "
          "4.0.3,\n"
          "and the Common Weakness Enumeration, by rule:\n\n"
          "| rule | OWASP | ASVS | CWE | found |\n|---|---|---|---|---|\n",
          out);
    for (unsigned i = 0; i < GH_LINT_RULE_COUNT; i++) {
        const struct gh_lint_rule_facts *facts = gh_lint_rule_facts((enum gh_lint_rule)i);
        fprintf(out, "| `%s` | %s:2023 | %s | %s | ", facts->id, facts->owasp, facts->asvs,
                facts->cwe);
        if (record->options->ignored[i])
            fputs("not applied |\n", out);
        else
            fprintf(out, "%zu |\n", count_of(record->report, (enum gh_lint_rule)i));
    }
}

void gh_lint_write_markdown(FILE *out, const struct gh_lint_record *record)
{
    write_head(out, record);
    write_operations(out, record);
    write_findings(out, record);
    write_standards(out, record);
}

void gh_lint_write_rules(FILE *out)
{
    fputs("| rule | severity | part | fixed | meaning | remedy | OWASP | ASVS | CWE |\n"
          "|---|---|---|---|---|---|---|---|---|\n",
          out);
    for (unsigned i = 0; i < GH_LINT_RULE_COUNT; i++) {
        const struct gh_lint_rule_facts *facts = gh_lint_rule_facts((enum gh_lint_rule)i);
        fprintf(out, "| `%s` | %s | %s | %s | %s | %s | %s:2023 | %s | %s |\n", facts->id,
                gh_lint_severity_name(facts->severity),
                facts->part == GH_LINT_SECURITY ? "security" : "data", facts->fixable ? "yes" : "",
                facts->meaning, facts->remedy, facts->owasp, facts->asvs, facts->cwe);
    }
}
