#include "app/problem_print.h"

#include <stdlib.h>
#include <unistd.h>

#include "json/writer.h"

#define JSON_BYTES_MAX 16384 /* a message has 1 KiB at most, and JSON makes six bytes of one */

static const char RED[] = "\x1b[31m", YELLOW[] = "\x1b[33m", PLAIN[] = "\x1b[0m";

static const char *severity_name(enum gh_config_severity severity)
{
    return severity == GH_CONFIG_ERROR ? "error" : "warning";
}

static bool ends_sentence(struct gh_str text)
{
    return text.len > 0 && (text.ptr[text.len - 1] == '.' || text.ptr[text.len - 1] == '?');
}

static void print_problem(FILE *out, const struct gh_config_load *load,
                          const struct gh_config_problem *problem, bool colour)
{
    const char *tint = problem->severity == GH_CONFIG_ERROR ? RED : YELLOW;
    if (problem->file.len)
        fprintf(out, "%.*s:", GH_STR_ARG(problem->file));
    else
        fprintf(out, "%s:", load->file_name);
    if (problem->place.line)
        fprintf(out, "%u:%u:", problem->place.line, problem->place.column);
    fprintf(out, " %s%s%s: %.*s", colour ? tint : "", severity_name(problem->severity),
            colour ? PLAIN : "", GH_STR_ARG(problem->what));
    if (problem->remedy.len)
        fprintf(out, "%s %.*s", ends_sentence(problem->what) ? "" : ".",
                GH_STR_ARG(problem->remedy));
    fputc('\n', out);
}

void gh_problems_print(FILE *out, struct gh_config_load *load, bool colour)
{
    unsigned printed = 0;
    gh_config_problems_sort(load);
    for (const struct gh_config_problem *p = load->problems; p; p = p->next, printed++)
        print_problem(out, load, p, colour);
    unsigned all = load->error_count + load->warning_count;
    if (all > printed)
        fprintf(out, "%s: and %u more\n", load->file_name, all - printed);
}

static void log_problem(struct gh_log_ring *ring, const struct gh_config_load *load,
                        const struct gh_config_problem *problem)
{
    bool is_error = problem->severity == GH_CONFIG_ERROR;
    char place[32] = ""; /* what is missing has none */
    if (problem->place.line)
        snprintf(place, sizeof place, ":%u:%u", problem->place.line, problem->place.column);
    const char *stop = !problem->remedy.len ? "" : ends_sentence(problem->what) ? " " : ". ";
    gh_log_message(ring, is_error ? GH_LOG_ERROR : GH_LOG_WARNING, "%.*s%s: %.*s%s%.*s",
                   GH_STR_ARG(problem->file.len ? problem->file : gh_str_from_c(load->file_name)),
                   place, GH_STR_ARG(problem->what), stop, GH_STR_ARG(problem->remedy));
}

void gh_problems_log(struct gh_log_ring *ring, struct gh_config_load *load)
{
    gh_config_problems_sort(load);
    for (const struct gh_config_problem *p = load->problems; p; p = p->next)
        log_problem(ring, load, p);
}

void gh_problems_print_summary(FILE *out, const struct gh_config_load *load, bool colour)
{
    const char *tint = load->error_count ? RED : load->warning_count ? YELLOW : "";
    fprintf(out, "%s: %s%u error%s, %u warning%s%s\n", load->file_name, colour ? tint : "",
            load->error_count, load->error_count == 1 ? "" : "s", load->warning_count,
            load->warning_count == 1 ? "" : "s", colour ? PLAIN : "");
}

static void print_problem_json(FILE *out, const struct gh_config_problem *problem)
{
    char memory[JSON_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof memory);
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("severity"), gh_str_from_c(severity_name(problem->severity)));
    if (problem->file.len)
        gh_json_put_member(&buf, GH_STR("file"), problem->file);
    if (problem->place.line) {
        gh_json_put_member_u64(&buf, GH_STR("line"), problem->place.line);
        gh_json_put_member_u64(&buf, GH_STR("column"), problem->place.column);
    }
    gh_json_put_member(&buf, GH_STR("message"), problem->what);
    gh_json_put_member(&buf, GH_STR("remedy"), problem->remedy);
    gh_buf_put_char(&buf, '}');
    if (!buf.overflow)
        fwrite(buf.ptr, 1, buf.len, out);
    else
        fputs("{}", out);
}

void gh_problems_print_json(FILE *out, struct gh_config_load *load)
{
    fputc('[', out);
    gh_config_problems_sort(load);
    for (const struct gh_config_problem *p = load->problems; p; p = p->next) {
        print_problem_json(out, p);
        if (p->next)
            fputc(',', out);
    }
    fputc(']', out);
}

bool gh_colour_wanted(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");
    return isatty(fileno(out)) && !(no_colour && no_colour[0]);
}
