#include "app/private_files.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/process.h"
#include "app/sandbox_rules.h"

#define RULES_BLOCK_BYTES (64u * 1024)
#define RULES_BYTES_MAX   (4u * 1024 * 1024)
#define NOBODY            ((uid_t)-1) /* who owns nothing */

struct check {
    struct gh_config_load *load;
    const struct gh_root_settings *settings;
    struct gh_process_user server;
    bool knows_server;
    struct gh_sandbox_rules rules; /* of the server */
};

/* ---- Rights ---- */

static bool may(const struct gh_process_user *user, const struct stat *status, mode_t others)
{
    if (user->uid == 0)
        return true;
    if (status->st_uid == user->uid)
        return status->st_mode & others << 6;
    if (status->st_gid == user->gid)
        return status->st_mode & others << 3;
    return status->st_mode & others;
}

/* Through all directories to a file, which `real` leads to without links; it is put together
   again. */
static bool can_read(const struct gh_process_user *user, char *real)
{
    struct stat status;
    bool can = stat("/", &status) == 0 && may(user, &status, S_IXOTH);
    for (char *slash = strchr(real + 1, '/'); can && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        can = stat(real, &status) == 0 && may(user, &status, S_IXOTH);
        *slash = '/';
    }
    return can && stat(real, &status) == 0 && may(user, &status, S_IROTH);
}

static bool is_in_reach(struct check *check, struct gh_str path, char *real)
{
    return check->settings->sandbox.mode == GH_SANDBOX_ENFORCE && check->knows_server &&
           can_read(&check->server, real) &&
           gh_sandbox_rules_cover_file(&check->rules, GH_SANDBOX_READ, path, check->rules.arena);
}

/* ---- Warnings ---- */

static void warn(struct check *check, const void *setting, struct gh_str path, const char *what,
                 const char *remedy)
{
    gh_config_problem_add(check->load, GH_CONFIG_WARNING, gh_config_where(check->load, setting),
                          remedy, "%.*s: %s", GH_STR_ARG(path), what);
}

/* False: there is nothing at `path`. */
static bool look_at(struct check *check, const void *setting, struct gh_str path, const char *what,
                    char real[PATH_MAX])
{
    const struct gh_process_user everybody = {NULL, NOBODY, (gid_t)-1};
    struct stat status;
    struct gh_str name = gh_arena_dup(check->load->arena, path);
    if (!name.ptr || !realpath(name.ptr, real) || stat(real, &status) != 0)
        return false;
    struct gh_str said =
        gh_arena_format(check->load->arena, "%s that %s may read (its mode is %04o)", what,
                        can_read(&everybody, real) ? "every user of this machine" : "a group",
                        (unsigned)status.st_mode & 07777);
    if (!said.ptr)
        return true;
    if (can_read(&everybody, real))
        warn(check, setting, path, said.ptr, "take that right away: chmod o= and the file");
    else if (status.st_mode & S_IRGRP && status.st_uid != 0)
        warn(check, setting, path, said.ptr,
             "take that right away: chmod g= and the file, or let it be root's");
    return true;
}

static void check_key(struct check *check, const struct gh_tls_pair_settings *pair)
{
    char real[PATH_MAX];
    if (look_at(check, &pair->key, pair->key, "a private key", real) &&
        is_in_reach(check, pair->key, real))
        warn(check, &pair->key, pair->key, GH_PRIVATE_KEY_IN_REACH, GH_PRIVATE_KEY_REMEDY);
}

/* What env:NAME refers to is in no file. */
static void check_reference(struct check *check, const struct gh_str *reference)
{
    const struct gh_str scheme = GH_STR("file:");
    char real[PATH_MAX];
    if (gh_str_starts_with(*reference, scheme))
        (void)look_at(check, reference, gh_str_skip(*reference, scheme.len), "a secret", real);
}

static void check_references(struct check *check, const struct gh_config_list *list)
{
    const struct gh_str *references = list->items;
    for (size_t i = 0; i < list->count; i++)
        check_reference(check, &references[i]);
}

static void check_all(struct check *check)
{
    const struct gh_root_settings *settings = check->settings;
    const struct gh_listener_settings *listeners = settings->listeners.items;
    for (size_t i = 0; i < settings->listeners.count; i++) {
        const struct gh_tls_pair_settings *pairs = listeners[i].tls.items;
        for (size_t p = 0; p < listeners[i].tls.count; p++)
            check_key(check, &pairs[p]);
    }
    check_reference(check, &settings->redis.url);
    if (!settings->identity.enabled)
        return;
    check_reference(check, &settings->secrets.root);
    check_references(check, &settings->secrets.previous);
    check_references(check, &settings->secrets.fernet);
    check_reference(check, &settings->store.url);
    check_reference(check, &settings->identity.mail.smtp);
}

void gh_private_files_check(struct gh_config_load *load, const struct gh_root_settings *settings,
                            const char *config_file)
{
    struct gh_arena arena;
    struct gh_str message;
    struct check check = {.load = load, .settings = settings};
    gh_arena_init(&arena, RULES_BLOCK_BYTES, RULES_BYTES_MAX);
    gh_sandbox_rules_make_all(&check.rules, settings, config_file, &arena);
    check.knows_server = gh_process_find_user(NULL, &arena, &check.server, &message) == GH_OK;
    if (check.knows_server && !check.server.name)
        check.server = (struct gh_process_user){NULL, geteuid(), getegid()};
    check_all(&check);
    gh_arena_done(&arena);
}
