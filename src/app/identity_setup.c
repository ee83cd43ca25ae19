/* The setup token: how the first admin comes to a new installation (SPEC section 4). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "app/identity_state.h"
#include "identity/admin.h"

#define WORK_BYTES_BLOCK (16u * 1024)
#define WORK_BYTES_MAX   (1024u * 1024)
#define RENEW_US         (12ull * 3600 * 1000000) /* a token is good for a day */

static bool write_token(const char *path, struct gh_str token)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool written = write(fd, token.ptr, token.len) == (ssize_t)token.len && write(fd, "\n", 1) == 1;
    return close(fd) == 0 && written;
}

void gh_identity_setup_token(struct gh_identity_host *host,
                             const struct gh_identity_settings *settings)
{
    struct gh_arena arena;
    struct gh_identity_call call;
    struct gh_str token = {NULL, 0};
    const char *path = host->setup_path;
    host->setup_at_us = gh_wall_now_us() + RENEW_US;
    host->setup_waits = false;
    if (!path)
        return;
    gh_arena_init(&arena, WORK_BYTES_BLOCK, WORK_BYTES_MAX);
    gh_identity_host_call(host, settings, &arena, &call);
    if (gh_setup_token(&call, &token) == GH_IDENTITY_OK) {
        if (!token.ptr)
            unlink(path);
        else if ((host->setup_waits = write_token(path, token)))
            gh_log_message(
                host->ring, GH_LOG_INFO,
                "there is no admin yet: the token in %s makes one (POST %.*s/auth/setup)", path,
                GH_STR_ARG(settings->base_path));
        else
            gh_log_message(host->ring, GH_LOG_ERROR, "can't write %s: %s", path, strerror(errno));
    }
    gh_identity_host_keys_give(host, call.keys);
    gh_arena_done(&arena); /* wipes the token */
}

static enum gh_err count_admins(struct gh_tx *tx, void *args)
{
    return tx->ops->account_count(tx, GH_STR("admin"), args);
}

bool gh_identity_setup_is_over(struct gh_identity_host *host, struct gh_arena *arena)
{
    struct gh_store *store = host->identity.store;
    uint64_t admins = 0;
    if (!host->setup_waits)
        return false;
    gh_arena_reset(arena);
    return store->ops->read(store, count_admins, &admins, arena) == GH_OK && admins > 0;
}
