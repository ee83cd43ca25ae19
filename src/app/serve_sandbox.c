#include "app/serve_sandbox.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "app/private_files.h"
#include "app/store_open.h"
#include "net/fetch.h"
#include "sandbox/system.h"
#include "store/postgres.h"

#define RULES_BLOCK_BYTES (64u * 1024)
#define RULES_BYTES_MAX   (4u * 1024 * 1024)
#define LOOK_MS           10000

/* ---- What is loaded before ---- */

static bool has_webhook(const struct gh_audit_settings *audit)
{
    const struct gh_str *checkpoints = audit->checkpoint.exports.items;
    const struct gh_audit_export_settings *exports = audit->exports.items;
    for (size_t i = 0; i < audit->checkpoint.exports.count; i++)
        if (gh_str_starts_with(checkpoints[i], GH_STR("http")))
            return true;
    for (size_t i = 0; i < audit->exports.count; i++)
        if (gh_str_starts_with(exports[i].to, GH_STR("http")))
            return true;
    return false;
}

static bool needs_fetch(const struct gh_root_settings *settings)
{
    const struct gh_identity_settings *identity = &settings->identity;
    return identity->enabled && (identity->mail.smtp.len || identity->passwords.breach.len ||
                                 identity->hooks.export.len || identity->hooks.delete.len ||
                                 identity->issuers.count || has_webhook(&settings->audit));
}

static void load_libraries(struct gh_serve_sandbox *sandbox,
                           const struct gh_root_settings *settings)
{
    gh_sandbox_load_name_services();
    sandbox->has_fetch = needs_fetch(settings) && gh_fetch_load();
    if (settings->identity.enabled && gh_store_setting_is_shared(settings->store.url))
        (void)gh_postgres_load(); /* opening the store says what is wrong */
}

/* ---- Beginning ---- */

static bool refuse(struct gh_arena *arena, const char *what, int error, struct gh_str *out_message)
{
    *out_message = gh_arena_format(arena, "sandbox: %s%s%s", what, error ? ": " : "",
                                   error ? strerror(error) : "");
    return false;
}

static bool hold_files(struct gh_serve_sandbox *sandbox, bool required, struct gh_arena *arena,
                       struct gh_str *out_message)
{
    enum gh_err err = gh_sandbox_hold_files(&sandbox->rules, &sandbox->ports_held);
    int error = errno;
    sandbox->files_held = err == GH_OK;
    if (err == GH_ERR_NOT_FOUND && required)
        return refuse(arena, "required, and this kernel offers no Landlock", 0, out_message);
    if (err == GH_OK && !sandbox->ports_held && required)
        return refuse(arena, "required, and Landlock of this kernel holds no TCP ports", 0,
                      out_message);
    if (err != GH_OK && err != GH_ERR_NOT_FOUND)
        return refuse(arena, "files can't be held", error, out_message);
    return true;
}

/* With the rules made. */
static bool begin(struct gh_serve_sandbox *sandbox, bool required, struct gh_arena *arena,
                  struct gh_str *out_message)
{
    if (sandbox->rules.out_of_memory)
        return refuse(arena, "the list of what is named does not fit into memory", 0, out_message);
    return sandbox->mode != GH_SANDBOX_ENFORCE || hold_files(sandbox, required, arena, out_message);
}

bool gh_serve_sandbox_begin(struct gh_serve_sandbox *sandbox, const struct gh_loaded *loaded,
                            const char *config_file, struct gh_arena *arena,
                            struct gh_str *out_message)
{
    const struct gh_sandbox_settings *settings = &loaded->settings.sandbox;
    *sandbox = (struct gh_serve_sandbox){.mode = settings->mode};
    gh_arena_init(&sandbox->arena, RULES_BLOCK_BYTES, RULES_BYTES_MAX);
    if (settings->mode == GH_SANDBOX_OFF)
        return true;
    load_libraries(sandbox, &loaded->settings);
    gh_sandbox_rules_make_all(&sandbox->rules, &loaded->settings, config_file, &sandbox->arena);
    return begin(sandbox, settings->required, arena, out_message);
}

bool gh_serve_sandbox_begin_consume(struct gh_serve_sandbox *sandbox,
                                    const struct gh_root_settings *settings, struct gh_arena *arena,
                                    struct gh_str *out_message)
{
    *sandbox = (struct gh_serve_sandbox){.mode = settings->sandbox.mode};
    gh_arena_init(&sandbox->arena, RULES_BLOCK_BYTES, RULES_BYTES_MAX);
    if (sandbox->mode == GH_SANDBOX_OFF)
        return true;
    gh_sandbox_load_name_services();
    (void)gh_postgres_load(); /* opening it says what is wrong */
    gh_sandbox_rules_make_for_consume(&sandbox->rules, settings, &sandbox->arena);
    return begin(sandbox, settings->sandbox.required, arena, out_message);
}

/* ---- Finishing ---- */

static void log_rule(void *context, const char *text)
{
    gh_log_message(context, GH_LOG_INFO, "sandbox: enforce would hold files and ports: %s", text);
    gh_log_flush(context);
}

static void log_absent(void *context, const char *text)
{
    gh_log_message(
        context, GH_LOG_WARNING,
        "sandbox: %s is not there, and out of reach for this process when it comes: that "
        "needs a restart",
        text);
}

static const char *what_is_free(const struct gh_serve_sandbox *sandbox)
{
    if (!sandbox->files_held)
        return sandbox->calls_held ? "no Landlock: files and TCP ports are"
                                   : "neither Landlock nor seccomp: files, TCP ports and system "
                                     "calls are";
    if (!sandbox->calls_held)
        return sandbox->ports_held ? "no seccomp: system calls are"
                                   : "neither seccomp nor Landlock for ports: system calls and TCP "
                                     "ports are";
    return sandbox->ports_held ? NULL : "Landlock for files only: TCP ports are";
}

static void tell(const struct gh_serve_sandbox *sandbox, struct gh_log_ring *ring)
{
    const char *is_free = what_is_free(sandbox);
    if (sandbox->files_held)
        gh_sandbox_rules_tell_absent(&sandbox->rules, log_absent, ring);
    if (sandbox->mode == GH_SANDBOX_LOG) {
        gh_log_message(ring, GH_LOG_WARNING, "sandbox: log: nothing is held; %s",
                       sandbox->calls_held ? "the kernel logs system calls that would be stopped"
                                           : "this kernel has no seccomp to log with");
        gh_sandbox_rules_tell(&sandbox->rules, log_rule, ring);
    } else if (is_free) {
        gh_log_message(ring, GH_LOG_WARNING, "sandbox: this kernel offers %s not held", is_free);
    } else {
        gh_log_message(ring, GH_LOG_INFO, "sandbox: files, TCP ports and system calls are held");
    }
}

bool gh_serve_sandbox_finish(struct gh_serve_sandbox *sandbox,
                             const struct gh_sandbox_settings *settings, struct gh_log_ring *ring,
                             struct gh_arena *arena, struct gh_str *out_message)
{
    if (sandbox->mode == GH_SANDBOX_OFF)
        return true;
    enum gh_err err = gh_sandbox_hold_calls(sandbox->mode);
    int error = errno;
    bool required = settings->required && sandbox->mode == GH_SANDBOX_ENFORCE;
    sandbox->calls_held = err == GH_OK;
    if (err == GH_ERR_NOT_FOUND && required)
        return refuse(arena, "required, and this kernel allows no seccomp filter", 0, out_message);
    if (err != GH_OK && err != GH_ERR_NOT_FOUND)
        return refuse(arena, "system calls can't be held", error, out_message);
    tell(sandbox, ring);
    return true;
}

static bool can_read(const struct gh_serve_sandbox *sandbox, struct gh_str path)
{
    struct gh_arena arena;
    gh_arena_init(&arena, RULES_BLOCK_BYTES, RULES_BYTES_MAX);
    struct gh_str name = gh_arena_dup(&arena, path);
    bool can = name.ptr && access(name.ptr, R_OK) == 0 &&
               gh_sandbox_rules_cover_file(&sandbox->rules, GH_SANDBOX_READ, path, &arena);
    gh_arena_done(&arena);
    return can;
}

void gh_serve_sandbox_warn_of_keys(const struct gh_serve_sandbox *sandbox,
                                   const struct gh_root_settings *settings,
                                   struct gh_log_ring *ring)
{
    const struct gh_listener_settings *listeners = settings->listeners.items;
    for (size_t i = 0; i < settings->listeners.count && sandbox->files_held; i++) {
        const struct gh_tls_pair_settings *pairs = listeners[i].tls.items;
        for (size_t p = 0; p < listeners[i].tls.count; p++) {
            if (can_read(sandbox, pairs[p].key))
                gh_log_message(ring, GH_LOG_WARNING,
                               "%.*s: " GH_PRIVATE_KEY_IN_REACH "; " GH_PRIVATE_KEY_REMEDY,
                               GH_STR_ARG(pairs[p].key));
        }
    }
}

static void log_replaced(void *context, const char *text)
{
    gh_log_message(
        context, GH_LOG_ERROR,
        "sandbox: %s was replaced, and the new one is out of reach: that needs a restart", text);
}

/* Landlock holds the file and not its name, and there is no rule for a name: to look is all that
   can be done. */
static void look(struct gh_timer *timer)
{
    struct gh_serve_sandbox *sandbox =
        (struct gh_serve_sandbox *)((char *)timer - offsetof(struct gh_serve_sandbox, timer));
    atomic_store(&sandbox->replaced,
                 gh_sandbox_rules_tell_replaced(&sandbox->rules, log_replaced, sandbox->ring));
    gh_timer_start(sandbox->loop, timer, LOOK_MS, look);
}

void gh_serve_sandbox_watch(struct gh_serve_sandbox *sandbox, struct gh_loop *loop,
                            struct gh_log_ring *ring)
{
    if (!sandbox->files_held)
        return;
    sandbox->loop = loop;
    sandbox->ring = ring;
    gh_timer_start(loop, &sandbox->timer, LOOK_MS, look);
}

void gh_serve_sandbox_write_metrics(void *context, FILE *out)
{
    const struct gh_serve_sandbox *sandbox = context;
    fprintf(out,
            "# HELP gatehouse_sandbox_held What the sandbox holds: 1, or 0.\n"
            "# TYPE gatehouse_sandbox_held gauge\n"
            "gatehouse_sandbox_held{what=\"files\"} %d\n"
            "gatehouse_sandbox_held{what=\"ports\"} %d\n"
            "gatehouse_sandbox_held{what=\"calls\"} %d\n"
            "# HELP gatehouse_sandbox_replaced_files Files that were replaced, and are out of "
            "reach until a restart.\n"
            "# TYPE gatehouse_sandbox_replaced_files gauge\n"
            "gatehouse_sandbox_replaced_files %zu\n",
            sandbox->files_held, sandbox->ports_held,
            sandbox->calls_held && sandbox->mode == GH_SANDBOX_ENFORCE,
            atomic_load(&sandbox->replaced));
}

/* ---- Reloading ---- */

bool gh_serve_sandbox_admits(const struct gh_serve_sandbox *sandbox, const struct gh_loaded *loaded,
                             const char *config_file, struct gh_arena *arena,
                             struct gh_str *out_message)
{
    struct gh_arena scratch;
    struct gh_sandbox_rules wanted;
    struct gh_str what = GH_STR("");
    if (!loaded->settings.version) /* the file could not be read, and that is the message */
        return true;
    /* A mode that could not be read is none. */
    if (!loaded->load.error_count && loaded->settings.sandbox.mode != sandbox->mode)
        what = GH_STR("another mode");
    else if (sandbox->calls_held && needs_fetch(&loaded->settings) && !sandbox->has_fetch)
        what = GH_STR("mail or fetches, where there were none (libcurl)");
    bool admits = !what.len;
    gh_arena_init(&scratch, RULES_BLOCK_BYTES, RULES_BYTES_MAX);
    if (admits && sandbox->files_held) {
        gh_sandbox_rules_make(&wanted, &loaded->settings, config_file, &scratch);
        admits = !wanted.out_of_memory &&
                 gh_sandbox_rules_cover(&sandbox->rules, &wanted, &scratch, &what);
    }
    if (!admits)
        *out_message = gh_arena_format(arena, "sandbox: %.*s needs a restart", GH_STR_ARG(what));
    gh_arena_done(&scratch);
    return admits;
}

void gh_serve_sandbox_done(struct gh_serve_sandbox *sandbox)
{
    gh_arena_done(&sandbox->arena);
}
