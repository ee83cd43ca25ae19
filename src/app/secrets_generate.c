/* Fresh secrets for what a configuration needs: printed, and never written over anything. */
#include "base/base64.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "app/secrets.h"
#include "json/writer.h"

#define SECRET_BYTES 32

/* 32 random bytes, in base64url. */
struct fresh {
    char text[GH_BASE64URL_LEN(SECRET_BYTES) + 1];
};

static struct fresh make(void)
{
    uint8_t bytes[SECRET_BYTES];
    struct fresh fresh = {{0}};
    struct gh_buf buf = gh_buf_over(fresh.text, sizeof(fresh.text) - 1);
    gh_random_bytes(bytes, sizeof(bytes));
    gh_base64url_put(&buf, bytes, sizeof(bytes));
    gh_wipe(bytes, sizeof(bytes));
    return fresh;
}

static bool print_json(FILE *out, struct gh_str name, const struct fresh *fresh)
{
    char memory[GH_SECRET_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, name, gh_str_from_c(fresh->text));
    gh_buf_put(&buf, GH_STR("}\n"));
    bool fits = !buf.overflow;
    if (fits)
        fwrite(buf.ptr, 1, buf.len, out);
    gh_wipe(memory, sizeof(memory));
    return fits;
}

/* What is the backend's is not ours to make. */
static void print_required(FILE *out, const struct gh_secrets_settings *settings,
                           struct gh_str root)
{
    const struct gh_str *names = settings->required.items;
    for (size_t i = 0; i < settings->required.count; i++)
        if (!gh_str_eq(names[i], root))
            fprintf(out, "# %.*s= is needed too: it is the backend's\n", GH_STR_ARG(names[i]));
}

bool gh_secrets_generate(const struct gh_secrets_settings *settings, enum gh_secrets_form form,
                         FILE *out)
{
    static const struct gh_str ENV = GH_STR_INIT("env:");
    struct fresh fresh = make();
    bool is_variable = gh_str_starts_with(settings->root, ENV);
    struct gh_str name = is_variable ? gh_str_skip(settings->root, ENV.len) : settings->root;
    bool fits = true;
    switch (form) {
    case GH_SECRETS_ENV_FILE:
        if (is_variable)
            fprintf(out, "%.*s=%s\n", GH_STR_ARG(name), fresh.text);
        else
            fprintf(out, "# for %.*s, alone in it:\n%s\n", GH_STR_ARG(name), fresh.text);
        print_required(out, settings, name);
        break;
    case GH_SECRETS_JSON:
        fits = print_json(out, name, &fresh);
        break;
    case GH_SECRETS_RAW:
        fprintf(out, "%s\n", fresh.text);
        break;
    }
    gh_wipe(&fresh, sizeof(fresh));
    return fflush(out) == 0 && fits && !ferror(out);
}
