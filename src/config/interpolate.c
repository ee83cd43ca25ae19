/* Environment references in scalars: `${NAME}`, `${NAME:-default}`, `$${`. */
#include "config/interpolate.h"

#include <stdlib.h>

#include "base/buf.h"

#define NAME_BYTES_MAX 128

struct reference {
    struct gh_str name;
    struct gh_str fallback; /* ptr NULL: none */
    size_t len;             /* of the whole reference */
};

static bool is_name_char(char c, bool first)
{
    char lower = gh_ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* Reads the reference that `text` begins with ("${" is there). */
static bool read_reference(struct gh_str text, struct reference *out_reference)
{
    size_t at = 2;
    while (at < text.len && is_name_char(text.ptr[at], at == 2))
        at++;
    struct reference reference = {.name = gh_str_of(text.ptr + 2, at - 2)};
    if (reference.name.len == 0 || reference.name.len > NAME_BYTES_MAX || at == text.len)
        return false;
    if (gh_str_starts_with(gh_str_skip(text, at), GH_STR(":-"))) {
        struct gh_str rest = gh_str_skip(text, at + 2);
        reference.fallback = gh_str_first(rest, gh_str_find_char(rest, '}'));
        if (gh_str_find(reference.fallback, GH_STR("${")) < reference.fallback.len)
            return false; /* no nesting: it would be unclear which brace closes what */
        at += 2 + reference.fallback.len;
    }
    if (at >= text.len || text.ptr[at] != '}')
        return false;
    reference.len = at + 1;
    *out_reference = reference;
    return true;
}

static const char *value_of(const struct gh_config_load *load, struct gh_str name)
{
    char key[NAME_BYTES_MAX + 1];
    memcpy(key, name.ptr, name.len);
    key[name.len] = '\0';
    return load->getenv ? load->getenv(load->getenv_context, key) : NULL;
}

static bool put_reference(struct gh_config_load *load, struct gh_config_place place,
                          const struct reference *reference, struct gh_buf *buf)
{
    const char *value = value_of(load, reference->name);
    if (reference->fallback.ptr && (!value || value[0] == '\0')) {
        gh_buf_put(buf, reference->fallback);
        return true;
    }
    if (!value) {
        gh_config_problem_add(
            load, GH_CONFIG_ERROR, place, "set it, or write a default: ${NAME:-default}",
            "the environment variable %.*s is not set", GH_STR_ARG(reference->name));
        return false;
    }
    gh_buf_put(buf, gh_str_from_c(value));
    return true;
}

static bool expand(struct gh_config_load *load, struct gh_config_place place, struct gh_str text,
                   struct gh_buf *buf, bool *out_replaced)
{
    while (text.len > 0) {
        size_t plain = gh_str_find_char(text, '$');
        gh_buf_put(buf, gh_str_first(text, plain));
        text = gh_str_skip(text, plain);
        struct reference reference;
        if (gh_str_starts_with(text, GH_STR("$${"))) {
            gh_buf_put(buf, GH_STR("${"));
            text = gh_str_skip(text, 3);
        } else if (!gh_str_starts_with(text, GH_STR("${"))) {
            gh_buf_put(buf, gh_str_first(text, 1));
            text = gh_str_skip(text, 1);
        } else if (read_reference(text, &reference)) {
            if (!put_reference(load, place, &reference, buf))
                return false;
            *out_replaced = true;
            text = gh_str_skip(text, reference.len);
        } else {
            gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                                  "write ${NAME} or ${NAME:-default}; $${ stands for a literal ${",
                                  "malformed environment reference");
            return false;
        }
    }
    return true;
}

bool gh_config_interpolate(struct gh_config_load *load, struct gh_config_place place,
                           struct gh_str text, struct gh_str *out_text, bool *out_replaced)
{
    *out_replaced = false;
    *out_text = text;
    if (gh_str_find(text, GH_STR("${")) == text.len)
        return true;
    char *memory = malloc(GH_CONFIG_SCALAR_BYTES_MAX);
    struct gh_buf buf = gh_buf_over(memory, memory ? GH_CONFIG_SCALAR_BYTES_MAX : 0);
    bool good = expand(load, place, text, &buf, out_replaced);
    *out_text = gh_arena_dup(load->arena, gh_buf_str(&buf));
    if (good && (buf.overflow || !out_text->ptr)) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, NULL,
                              "the value is too long once its environment references are replaced");
        good = false;
    }
    if (memory)
        explicit_bzero(memory, buf.len); /* it may have been a secret */
    free(memory);
    return good;
}
