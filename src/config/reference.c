/* The reference page in Markdown, from the field tables: a section per table, a row per field. */
#include "config/reference.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/buf.h"
#include "config/bind_scalar.h"

#define PATH_BYTES_MAX 128

static void write_section(FILE *out, const struct gh_config_table *table, const char *path);

/* Text inside a cell: a bar would end it. */
static void write_cell(FILE *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
}

static void write_names(FILE *out, const char *const *names)
{
    bool first = true;
    for (; *names; names++) {
        if (!**names)
            continue;
        fprintf(out, "%s`%s`", first ? "" : ", ", *names);
        first = false;
    }
}

static void write_type(FILE *out, const struct gh_config_field *field)
{
    switch (field->type) {
    case GH_CONFIG_TYPE_BOOL:
        fputs("`true`, `false`", out);
        break;
    case GH_CONFIG_TYPE_STRING:
        fputs("text", out);
        break;
    case GH_CONFIG_TYPE_INTEGER:
        fputs("number", out);
        break;
    case GH_CONFIG_TYPE_DURATION:
        fputs("duration", out);
        break;
    case GH_CONFIG_TYPE_SIZE:
        fputs("size", out);
        break;
    case GH_CONFIG_TYPE_RATE:
        fputs("rate", out);
        break;
    case GH_CONFIG_TYPE_ENUM:
        write_names(out, field->names);
        break;
    case GH_CONFIG_TYPE_TABLE:
        fputs("table", out);
        break;
    case GH_CONFIG_TYPE_LIST:
        fputs(field->one_or_list ? "one or a list of: " : "list of: ", out);
        write_type(out, field->item);
        break;
    case GH_CONFIG_TYPE_MAP:
        fputs("map of: ", out);
        write_type(out, field->item);
        break;
    case GH_CONFIG_TYPE_CUSTOM:
        fputs("see text", out);
        break;
    case GH_CONFIG_TYPE_LATER:
        fputs("not available yet", out);
        break;
    }
}

static void write_range(FILE *out, const struct gh_config_field *field)
{
    bool has_range = field->type == GH_CONFIG_TYPE_INTEGER ||
                     field->type == GH_CONFIG_TYPE_DURATION || field->type == GH_CONFIG_TYPE_SIZE;
    if (!has_range || (field->min == 0 && field->max == 0))
        return;
    struct gh_arena arena;
    gh_arena_init(&arena, 1024, 4096);
    struct gh_str min = gh_config_format_number(&arena, field->type, field->min);
    struct gh_str max = gh_config_format_number(&arena, field->type, field->max);
    if (field->max == field->min)
        fprintf(out, ", %.*s", GH_STR_ARG(min));
    else if (field->max)
        fprintf(out, ", %.*s to %.*s", GH_STR_ARG(min), GH_STR_ARG(max));
    else
        fprintf(out, ", at least %.*s", GH_STR_ARG(min));
    gh_arena_done(&arena);
}

static void write_row(FILE *out, const struct gh_config_field *field)
{
    fprintf(out, "| `%s` | ", field->name);
    write_type(out, field);
    write_range(out, field);
    fputs(" | ", out);
    if (field->required) {
        fputs("required", out);
    } else if (field->default_yaml) {
        fputc('`', out);
        write_cell(out, field->default_yaml);
        fputc('`', out);
    } else if (field->type == GH_CONFIG_TYPE_ENUM && field->names[0][0]) {
        fprintf(out, "`%s`", field->names[0]);
    } else if (field->type == GH_CONFIG_TYPE_BOOL) {
        fputs("`false`", out);
    }
    fputs(" | ", out);
    write_cell(out, field->doc);
    if (field->env)
        fprintf(out, " Environment: `%s`%s.", field->env,
                field->env_is_comma_list ? " (comma-separated)" : "");
    fputs(" |\n", out);
}

/* The tables that hang below a field: its own, or that of its items. */
static void write_below(FILE *out, const struct gh_config_field *field, const char *path)
{
    char below[PATH_BYTES_MAX];
    const char *step = "";
    const struct gh_config_field *inner = field;
    for (; inner->type == GH_CONFIG_TYPE_LIST || inner->type == GH_CONFIG_TYPE_MAP;
         inner = inner->item)
        step = inner->type == GH_CONFIG_TYPE_LIST ? "[]" : ".NAME";
    if (inner->type != GH_CONFIG_TYPE_TABLE)
        return;
    int len =
        snprintf(below, sizeof below, "%s%s%s%s", path, path[0] ? "." : "", field->name, step);
    GH_ASSERT(len > 0 && (size_t)len < sizeof below);
    write_section(out, inner->table, below);
}

static void write_section(FILE *out, const struct gh_config_table *table, const char *path)
{
    fprintf(out, "\n## %s\n\n", path[0] ? path : "The file");
    if (table->doc)
        fprintf(out, "%s\n\n", table->doc);
    if (table->short_form)
        fprintf(out, "Short form: the value of `%s` may stand in place of the whole table.\n\n",
                table->short_form);
    fputs("| key | value | default | meaning |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < table->field_count; i++)
        write_row(out, &table->fields[i]);
    for (size_t i = 0; i < table->field_count; i++)
        write_below(out, &table->fields[i], path);
}

void gh_config_write_reference(FILE *out, const struct gh_config_table *root)
{
    fputs("# Configuration reference\n\n"
          "<!-- Made by `gatehouse config reference`; do not edit. -->\n\n"
          "One YAML file. Unknown keys are errors. In any value `${NAME}` is replaced by that\n"
          "environment variable and `${NAME:-default}` has a default for when it is unset or\n"
          "empty; `$${` is a literal `${`. Variables named below win over the file. A key\n"
          "without a value counts as left out.\n\n"
          "Durations are `500ms`, `10s`, `15m`, `12h`, `30d`; sizes are bytes or `64KiB`,\n"
          "`1MiB`, `2GiB`; rates are `100/second`, `5/minute`, `3/hour`, `50/day`.\n",
          out);
    write_section(out, root, "");
}
