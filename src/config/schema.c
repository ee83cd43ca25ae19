/*
 * JSON Schema (2020-12) from the field tables, for editors. A hand-written file may have an
 * environment reference wherever a scalar stands, so every scalar that is no string also takes a
 * string with "${".
 */
#include "config/reference.h"

#include <stdlib.h>

#include "base/assert.h"
#include "json/writer.h"

#define STRING_BYTES_MAX 4096

static void write_field(FILE *out, const struct gh_config_field *field, bool is_item);

static void write_string(FILE *out, struct gh_str text)
{
    char memory[STRING_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof memory);
    gh_json_put_string(&buf, text);
    GH_ASSERT(!buf.overflow);
    fwrite(buf.ptr, 1, buf.len, out);
}

#define REFERENCE "{\"$ref\":\"#/$defs/reference\"}"

static void write_integer(FILE *out, const struct gh_config_field *field)
{
    fprintf(out, "\"anyOf\":[{\"type\":\"integer\",\"minimum\":%llu",
            (unsigned long long)field->min);
    if (field->max)
        fprintf(out, ",\"maximum\":%llu", (unsigned long long)field->max);
    fputs("}," REFERENCE "]", out);
}

static void write_enum(FILE *out, const struct gh_config_field *field)
{
    fputs("\"anyOf\":[{\"enum\":[", out);
    bool first = true;
    for (const char *const *name = field->names; *name; name++) {
        if (!**name)
            continue;
        if (!first)
            fputc(',', out);
        first = false;
        write_string(out, gh_str_from_c(*name));
        /* Editors with YAML 1.1 in mind read a bare off as false. */
        if (strcmp(*name, "off") == 0)
            fputs(",false", out);
    }
    fputs("]}," REFERENCE "]", out);
}

static void write_list(FILE *out, const struct gh_config_field *field)
{
    if (field->one_or_list) {
        fputs("\"anyOf\":[", out);
        write_field(out, field->item, true);
        fputs(",{", out);
    }
    fputs("\"type\":\"array\",\"items\":", out);
    write_field(out, field->item, true);
    if (field->one_or_list)
        fputs("}]", out);
}

static void write_object(FILE *out, const struct gh_config_table *table)
{
    bool has_required = false;
    fputs("\"type\":\"object\",\"additionalProperties\":false,\"properties\":{", out);
    for (size_t i = 0; i < table->field_count; i++) {
        if (i)
            fputc(',', out);
        fputc('\n', out);
        write_string(out, gh_str_from_c(table->fields[i].name));
        fputc(':', out);
        write_field(out, &table->fields[i], false);
    }
    fputc('}', out);
    for (size_t i = 0; i < table->field_count; i++) {
        if (!table->fields[i].required)
            continue;
        fputs(has_required ? "," : ",\"required\":[", out);
        write_string(out, gh_str_from_c(table->fields[i].name));
        has_required = true;
    }
    if (has_required)
        fputc(']', out);
}

static void write_table(FILE *out, const struct gh_config_table *table)
{
    const struct gh_config_field *brief = NULL;
    for (size_t i = 0; table->short_form && i < table->field_count; i++) {
        if (strcmp(table->fields[i].name, table->short_form) == 0)
            brief = &table->fields[i];
    }
    if (!brief) {
        write_object(out, table);
        return;
    }
    fputs("\"anyOf\":[", out);
    write_field(out, brief, true);
    fputs(",{", out);
    write_object(out, table);
    fputs("}]", out);
}

static void write_type(FILE *out, const struct gh_config_field *field)
{
    switch (field->type) {
    case GH_CONFIG_TYPE_BOOL:
        fputs("\"anyOf\":[{\"type\":\"boolean\"}," REFERENCE "]", out);
        return;
    case GH_CONFIG_TYPE_STRING:
        fputs("\"type\":[\"string\",\"number\",\"boolean\"]", out);
        return;
    case GH_CONFIG_TYPE_INTEGER:
        write_integer(out, field);
        return;
    case GH_CONFIG_TYPE_DURATION:
        fputs("\"$ref\":\"#/$defs/duration\"", out);
        return;
    case GH_CONFIG_TYPE_SIZE:
        fputs("\"$ref\":\"#/$defs/size\"", out);
        return;
    case GH_CONFIG_TYPE_RATE:
        fputs("\"$ref\":\"#/$defs/rate\"", out);
        return;
    case GH_CONFIG_TYPE_ENUM:
        write_enum(out, field);
        return;
    case GH_CONFIG_TYPE_TABLE:
        write_table(out, field->table);
        return;
    case GH_CONFIG_TYPE_LIST:
        write_list(out, field);
        return;
    case GH_CONFIG_TYPE_MAP:
        fputs("\"type\":\"object\",\"additionalProperties\":", out);
        write_field(out, field->item, true);
        return;
    case GH_CONFIG_TYPE_CUSTOM:
        fprintf(out, "\"allOf\":[%s]", field->custom_schema ? field->custom_schema : "true");
        return;
    case GH_CONFIG_TYPE_LATER:
        fputs("\"deprecated\":true,\"anyOf\":[{\"type\":\"null\"}," REFERENCE "]", out);
        return;
    }
}

static void write_description(FILE *out, const struct gh_config_field *field)
{
    char memory[STRING_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof memory);
    gh_buf_put(&buf, gh_str_from_c(field->doc));
    if (field->type == GH_CONFIG_TYPE_LATER)
        gh_buf_put(&buf, GH_STR(" Not available yet."));
    if (field->default_yaml)
        gh_buf_format(&buf, " Default: %s", field->default_yaml);
    if (field->env)
        gh_buf_format(&buf, " (environment: %s)", field->env);
    GH_ASSERT(!buf.overflow);
    fputs("\"description\":", out);
    write_string(out, gh_buf_str(&buf));
    fputc(',', out);
}

/* `is_item`: an item of a list or map, or a short form; those have no text of their own. */
static void write_field(FILE *out, const struct gh_config_field *field, bool is_item)
{
    fputc('{', out);
    if (!is_item)
        write_description(out, field);
    write_type(out, field);
    fputc('}', out);
}

void gh_config_write_schema(FILE *out, const struct gh_config_table *root)
{
    fputs("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\n\"title\":\"gatehouse "
          "configuration\",\n\"$defs\":{\n"
          "\"reference\":{\"type\":\"string\",\"pattern\":\"\\\\$\\\\{\"},\n"
          "\"duration\":{\"type\":\"string\",\"pattern\":\"^[0-9]+(ms|s|m|h|d)$|\\\\$\\\\{\"},\n"
          "\"size\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},{\"type\":\"string\","
          "\"pattern\":\"^[0-9]+(KiB|MiB|GiB)?$|\\\\$\\\\{\"}]},\n"
          "\"rate\":{\"type\":\"string\",\"pattern\":\"^[1-9][0-9]*/(second|minute|hour|day)$|"
          "\\\\$\\\\{\"}},\n",
          out);
    write_object(out, root);
    fputs("}\n", out);
}
