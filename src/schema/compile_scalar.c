/* Keywords for numbers and strings. */
#include "schema/compile.h"

static bool compile_number(struct gh_schema_compiler *compiler, const char *name,
                           enum gh_schema_op_code code)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, name);
    if (!keyword)
        return true;
    if (keyword->kind != GH_JSON_NUMBER)
        return gh_compile_fail(compiler, keyword, "This must be a number.");
    struct gh_schema_op *op = gh_compile_op(compiler, code, keyword);
    op->as.number = gh_decimal_read(keyword->text);
    if (code != GH_OP_MULTIPLE_OF)
        return true;
    if (op->as.number.digit_count == 0 || op->as.number.is_negative)
        return gh_compile_fail(compiler, keyword, "multipleOf must be above 0.");
    if (op->as.number.digit_count > GH_DECIMAL_DIVISOR_DIGITS)
        return gh_compile_fail(compiler, keyword, "multipleOf has more than 18 digits.");
    return true;
}

/* In OpenAPI 3.0 exclusiveMinimum is a boolean beside minimum. Generators that write the number of
   later drafts under that version mean what those do. */
static bool compile_bound_30(struct gh_schema_compiler *compiler, const char *bound,
                             const char *exclusive, enum gh_schema_op_code code,
                             enum gh_schema_op_code exclusive_code)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, exclusive);
    if (keyword && keyword->kind == GH_JSON_NUMBER)
        return compile_number(compiler, bound, code) &&
               compile_number(compiler, exclusive, exclusive_code);
    if (keyword && keyword->kind != GH_JSON_BOOL)
        return gh_compile_fail(compiler, keyword, "In OpenAPI 3.0 this is true or false.");
    return compile_number(compiler, bound, keyword && keyword->boolean ? exclusive_code : code);
}

static bool compile_numbers(struct gh_schema_compiler *compiler)
{
    if (!compile_number(compiler, "multipleOf", GH_OP_MULTIPLE_OF))
        return false;
    if (compiler->vocabularies & GH_VOCABULARY_OPENAPI_30)
        return compile_bound_30(compiler, "minimum", "exclusiveMinimum", GH_OP_MINIMUM,
                                GH_OP_EXCLUSIVE_MINIMUM) &&
               compile_bound_30(compiler, "maximum", "exclusiveMaximum", GH_OP_MAXIMUM,
                                GH_OP_EXCLUSIVE_MAXIMUM);
    return compile_number(compiler, "minimum", GH_OP_MINIMUM) &&
           compile_number(compiler, "maximum", GH_OP_MAXIMUM) &&
           compile_number(compiler, "exclusiveMinimum", GH_OP_EXCLUSIVE_MINIMUM) &&
           compile_number(compiler, "exclusiveMaximum", GH_OP_EXCLUSIVE_MAXIMUM);
}

static bool compile_length(struct gh_schema_compiler *compiler)
{
    struct gh_schema_length length = {.max = UINT64_MAX};
    bool there = false;
    if (!gh_compile_count(compiler, "minLength", &length.min, &length.min_keyword, &there) ||
        !gh_compile_count(compiler, "maxLength", &length.max, &length.max_keyword, &there))
        return false;
    if (there)
        gh_compile_op(compiler, GH_OP_LENGTH, compiler->schema)->as.length = length;
    return true;
}

static bool compile_pattern(struct gh_schema_compiler *compiler)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, "pattern");
    struct gh_str reason;
    const struct gh_pattern *pattern;
    if (!keyword)
        return true;
    if (keyword->kind != GH_JSON_STRING)
        return gh_compile_fail(compiler, keyword, "pattern must be a string.");
    enum gh_err err =
        gh_pattern_compile(compiler->schemas->patterns, keyword->text, &pattern, &reason);
    if (err == GH_ERR_INVALID) {
        struct gh_str text =
            gh_arena_format(compiler->schemas->arena,
                            "This is no regular expression we can use. %.*s", GH_STR_ARG(reason));
        return text.ptr ? gh_compile_fail(compiler, keyword, text.ptr)
                        : gh_compile_no_memory(compiler);
    }
    if (err != GH_OK)
        return gh_compile_no_memory(compiler);
    gh_compile_op(compiler, GH_OP_PATTERN, keyword)->as.pattern = pattern;
    return true;
}

static bool compile_format(struct gh_schema_compiler *compiler)
{
    const struct gh_json_value *keyword = gh_compile_keyword(compiler, "format");
    bool is_asserted = compiler->schemas->options.assert_formats ||
                       (compiler->vocabularies & GH_VOCABULARY_FORMAT_ASSERTION);
    if (!keyword)
        return true;
    if (keyword->kind != GH_JSON_STRING)
        return gh_compile_fail(compiler, keyword, "format must be a string.");
    const struct gh_format *format = gh_format_find(keyword->text);
    if (format && is_asserted)
        gh_compile_op(compiler, GH_OP_FORMAT, keyword)->as.format = format;
    return true;
}

bool gh_compile_scalar(struct gh_schema_compiler *compiler)
{
    if (!compiler->schema)
        return true;
    if ((compiler->vocabularies & GH_VOCABULARY_VALIDATION) &&
        (!compile_numbers(compiler) || !compile_length(compiler) || !compile_pattern(compiler)))
        return false;
    return compile_format(compiler);
}
