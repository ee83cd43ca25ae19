#include "app/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

/* Of a message, beside the names of secrets. */
#define MESSAGE_BYTES 512
/* Bits that a root key must be able to hold, judged by its length and its variety of characters:
   under what 32 random bytes reach in any usual form, over what words and short keys do. */
#define ROOT_BITS_MIN 190.0

/* ---- Settings ---- */

static const struct gh_config_field STRING_ITEM = {.type = GH_CONFIG_TYPE_STRING};

static const struct gh_config_field FIELDS[] = {
    {.name = "root",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = offsetof(struct gh_secrets_settings, root),
     .default_yaml = "\"env:APP_SECRET_KEY\"",
     .doc = "The key that everything else derives from, as `env:NAME` or `file:PATH`: 32 random "
            "bytes, as `gatehouse secrets generate` prints them. Needed when identity is on."},
    {.name = "previous",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = offsetof(struct gh_secrets_settings, previous),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "Earlier root keys, which still open what they sealed. One that is not set is passed "
            "over."},
    {.name = "required",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = offsetof(struct gh_secrets_settings, required),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "Environment variables that must be set before anything is served, for the backend's "
            "sake."},
    {.name = "rotate_after",
     .type = GH_CONFIG_TYPE_DURATION,
     .offset = offsetof(struct gh_secrets_settings, rotate_after_ms),
     .default_yaml = "90d",
     .min = 24ull * 3600 * 1000,
     .doc = "When the root key, and what is sealed under it, is due to be replaced: "
            "`secrets status` says so."},
    {.name = "fernet",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = offsetof(struct gh_secrets_settings, fernet),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "Keys of an existing system's Fernet tokens, the newest first: `user import` reads its "
            "values with them. Nothing is ever sealed under them; take them out afterwards."},
};

const struct gh_config_table gh_secrets_table = {
    .name = "secrets",
    .doc = "Keys and required variables. All are checked together before the gateway listens.",
    .size = sizeof(struct gh_secrets_settings),
    .fields = FIELDS,
    .field_count = sizeof(FIELDS) / sizeof(FIELDS[0]),
};

/* ---- Values ---- */

static const struct gh_str ENV = GH_STR_INIT("env:");
static const struct gh_str FILE_ = GH_STR_INIT("file:");

/* What messages call it: the variable, or the file as it was written. */
static struct gh_str name_of(struct gh_str reference)
{
    return gh_str_starts_with(reference, ENV) ? gh_str_skip(reference, ENV.len) : reference;
}

static struct gh_str without_line_end(struct gh_str text)
{
    while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
        text.len--;
    return text;
}

static enum gh_err read_file(struct gh_arena *arena, struct gh_str path, struct gh_str *out_value)
{
    struct gh_str name = gh_arena_dup(arena, path);
    char *memory = gh_arena_alloc(arena, GH_SECRET_BYTES_MAX);
    if (!name.ptr || !memory)
        return GH_ERR_MEMORY;
    int fd = open(name.ptr, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? GH_ERR_NOT_FOUND : GH_ERR_IO;
    ssize_t len = read(fd, memory, GH_SECRET_BYTES_MAX);
    close(fd);
    if (len < 0 || len == GH_SECRET_BYTES_MAX)
        return GH_ERR_IO;
    *out_value = without_line_end(gh_str_of(memory, (size_t)len));
    return out_value->len ? GH_OK : GH_ERR_NOT_FOUND;
}

static enum gh_err read_variable(struct gh_arena *arena, const struct gh_secret_source *source,
                                 struct gh_str name, struct gh_str *out_value)
{
    struct gh_str copy = gh_arena_dup(arena, name);
    if (!copy.ptr)
        return GH_ERR_MEMORY;
    struct gh_str text = gh_str_from_c(source->getenv(source->context, copy.ptr));
    if (!text.len)
        return GH_ERR_NOT_FOUND;
    *out_value = gh_arena_dup(arena, text);
    return out_value->ptr ? GH_OK : GH_ERR_MEMORY;
}

enum gh_err gh_secret_resolve(struct gh_arena *arena, const struct gh_secret_source *source,
                              struct gh_str reference, struct gh_str *out_value)
{
    if (gh_str_starts_with(reference, ENV))
        return read_variable(arena, source, gh_str_skip(reference, ENV.len), out_value);
    if (gh_str_starts_with(reference, FILE_))
        return read_file(arena, gh_str_skip(reference, FILE_.len), out_value);
    *out_value = reference;
    return reference.len ? GH_OK : GH_ERR_NOT_FOUND;
}

/* ---- Looks and strength ---- */

static bool is_one_of(struct gh_str value, const char *const *words, bool as_beginning)
{
    for (; *words; words++) {
        struct gh_str word = gh_str_from_c(*words);
        if (gh_str_ieq(as_beginning ? gh_str_first(value, word.len) : value, word))
            return true;
    }
    return false;
}

bool gh_secret_looks_default(struct gh_str value)
{
    static const char *const BEGINNINGS[] = {"changeme",
                                             "change-me",
                                             "change_me",
                                             "change this",
                                             "replaceme",
                                             "replace-me",
                                             "replace_me",
                                             "your-",
                                             "your_",
                                             "yoursecret",
                                             "<",
                                             "xxx",
                                             "todo",
                                             "placeholder",
                                             "supersecret",
                                             "super-secret",
                                             "super_secret",
                                             "insecure",
                                             "not-secret",
                                             "not-so-secret",
                                             NULL};
    static const char *const WHOLE[] = {
        "secret", "password", "default", "dummy", "example", "test",    "dev", "admin",
        "12345",  "123456",   "none",    "null",  "demo",    "letmein", "key", NULL};
    return is_one_of(value, BEGINNINGS, true) || is_one_of(value, WHOLE, false);
}

/* "abcabcabc": the text is its own beginning over again. */
static bool is_periodic(struct gh_str value)
{
    for (size_t period = 1; period <= value.len / 2; period++)
        if (memcmp(value.ptr, value.ptr + period, value.len - period) == 0)
            return true;
    return false;
}

bool gh_secret_is_weak(struct gh_str value)
{
    bool seen[256] = {false};
    unsigned distinct = 0;
    for (size_t i = 0; i < value.len; i++) {
        bool *mark = &seen[(unsigned char)value.ptr[i]];
        distinct += !*mark;
        *mark = true;
    }
    if (distinct < 2 || is_periodic(value))
        return true;
    return (double)value.len * log2(distinct) < ROOT_BITS_MIN;
}

/* ---- All together ---- */

struct findings {
    const struct gh_secret_source *source;
    struct gh_arena *arena;
    struct gh_buf missing, defaults, weak, not_fernet; /* each has room for all names */
};

static void add_name(struct gh_buf *buf, struct gh_str name)
{
    if (buf->len)
        gh_buf_put(buf, GH_STR(", "));
    gh_buf_put(buf, name);
}

/* True: there is a value; how it looks is noted. */
static bool judge(struct findings *findings, struct gh_str reference, bool is_root,
                  struct gh_str *out_value)
{
    struct gh_str name = name_of(reference);
    if (gh_secret_resolve(findings->arena, findings->source, reference, out_value) != GH_OK) {
        add_name(&findings->missing, name);
        return false;
    }
    if (gh_secret_looks_default(*out_value))
        add_name(&findings->defaults, name);
    else if (is_root && gh_secret_is_weak(*out_value))
        add_name(&findings->weak, name);
    return true;
}

static void judge_roots(struct findings *findings, const struct gh_secrets_settings *settings,
                        struct gh_secrets *secrets)
{
    struct gh_str value;
    if (judge(findings, settings->root, true, &value))
        secrets->roots[secrets->root_count++] = value;
    const struct gh_str *previous = settings->previous.items;
    for (size_t i = 0; i < settings->previous.count; i++)
        if (secrets->root_count && secrets->root_count < GH_SECRET_ROOTS_MAX &&
            gh_secret_resolve(findings->arena, findings->source, previous[i], &value) == GH_OK)
            secrets->roots[secrets->root_count++] = value;
}

static void judge_required(struct findings *findings, const struct gh_secrets_settings *settings,
                           bool root_needed)
{
    const struct gh_str *names = settings->required.items;
    struct gh_str root = name_of(settings->root), value;
    for (size_t i = 0; i < settings->required.count; i++) {
        struct gh_str reference =
            gh_arena_format(findings->arena, "env:%.*s", GH_STR_ARG(names[i]));
        bool judged = root_needed && gh_str_eq(names[i], root); /* named once */
        if (!judged && reference.ptr)
            judge(findings, reference, false, &value);
    }
}

static void judge_fernet(struct findings *findings, const struct gh_secrets_settings *settings,
                         struct gh_secrets *secrets)
{
    const struct gh_str *references = settings->fernet.items;
    struct gh_str value;
    secrets->fernet =
        gh_arena_zalloc(findings->arena, GH_VAULT_FERNET_MAX, sizeof(*secrets->fernet));
    for (size_t i = 0; i < settings->fernet.count; i++) {
        if (gh_secret_resolve(findings->arena, findings->source, references[i], &value) != GH_OK)
            add_name(&findings->missing, name_of(references[i]));
        else if (secrets->fernet && secrets->fernet_count < GH_VAULT_FERNET_MAX &&
                 gh_fernet_key_parse(value, &secrets->fernet[secrets->fernet_count]))
            secrets->fernet_count++;
        else
            add_name(&findings->not_fernet, name_of(references[i]));
    }
}

static struct gh_str describe(const struct findings *findings, bool missing)
{
    size_t cap = MESSAGE_BYTES + findings->missing.len + findings->defaults.len +
                 findings->weak.len + findings->not_fernet.len;
    char *memory = gh_arena_alloc(findings->arena, cap);
    struct gh_buf buf = gh_buf_over(memory, memory ? cap : 0);
    if (missing && findings->missing.len)
        gh_buf_format(&buf,
                      "Required secrets are missing or empty: %.*s. Set them in the environment "
                      "of this process. ",
                      GH_STR_ARG(gh_buf_str(&findings->missing)));
    if (missing && findings->not_fernet.len)
        gh_buf_format(
            &buf,
            "These are no Fernet keys (32 bytes in base64url), or there are more than %d: "
            "%.*s. ",
            GH_VAULT_FERNET_MAX, GH_STR_ARG(gh_buf_str(&findings->not_fernet)));
    if (findings->defaults.len)
        gh_buf_format(&buf, "Secrets look like an example's: %.*s. Choose values of your own. ",
                      GH_STR_ARG(gh_buf_str(&findings->defaults)));
    if (findings->weak.len)
        gh_buf_format(
            &buf, "Secrets are too weak: %.*s. Make 32 random bytes: gatehouse secrets generate. ",
            GH_STR_ARG(gh_buf_str(&findings->weak)));
    if (!buf.len || buf.overflow)
        return GH_STR("out of memory");
    return gh_str_first(gh_buf_str(&buf), buf.len - 1);
}

static struct gh_buf names_buf(struct gh_arena *arena, const struct gh_secrets_settings *settings)
{
    const struct gh_config_list *lists[] = {&settings->required, &settings->fernet};
    size_t cap = settings->root.len + 2;
    for (size_t list = 0; list < 2; list++)
        for (size_t i = 0; i < lists[list]->count; i++)
            cap += ((const struct gh_str *)lists[list]->items)[i].len + 2; /* and ", " */
    char *memory = gh_arena_alloc(arena, cap);
    return gh_buf_over(memory, memory ? cap : 0);
}

bool gh_secrets_load(const struct gh_secrets_settings *settings, bool root_needed, bool production,
                     const struct gh_secret_source *source, struct gh_arena *arena,
                     struct gh_secrets *out_secrets, struct gh_str *out_message,
                     struct gh_str *out_warning)
{
    struct findings findings = {.source = source, .arena = arena};
    findings.missing = names_buf(arena, settings);
    findings.defaults = names_buf(arena, settings);
    findings.weak = names_buf(arena, settings);
    findings.not_fernet = names_buf(arena, settings);
    *out_secrets = (struct gh_secrets){0};
    *out_message = *out_warning = GH_STR("");
    judge_required(&findings, settings, root_needed);
    if (root_needed) {
        judge_roots(&findings, settings, out_secrets);
        judge_fernet(&findings, settings, out_secrets);
    }
    bool looks_bad = findings.defaults.len || findings.weak.len;
    bool named =
        !findings.missing.overflow && !findings.defaults.overflow && !findings.not_fernet.overflow;
    if (!named || findings.missing.len || findings.not_fernet.len || (production && looks_bad)) {
        *out_message = describe(&findings, true);
        return false;
    }
    if (looks_bad)
        *out_warning = describe(&findings, false);
    return true;
}

/* ---- Forgetting ---- */

static void forget(struct gh_str reference)
{
    char name[256];
    struct gh_buf buf = gh_buf_over(name, sizeof(name));
    if (!gh_str_starts_with(reference, ENV))
        return;
    gh_buf_put(&buf, gh_str_skip(reference, ENV.len));
    gh_buf_put_char(&buf, '\0');
    char *value = buf.overflow ? NULL : getenv(name);
    if (value)
        gh_wipe(value, strlen(value));
}

void gh_secrets_forget_environment(const struct gh_secrets_settings *settings)
{
    const struct gh_config_list *lists[] = {&settings->previous, &settings->fernet};
    forget(settings->root);
    for (size_t list = 0; list < 2; list++)
        for (size_t i = 0; i < lists[list]->count; i++)
            forget(((const struct gh_str *)lists[list]->items)[i]);
}
