/* The setup token: how the first admin comes to a new installation (SPEC section 4). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "app/identity_state.h"
#include "app/store_open.h"
#include "identity/admin.h"

#define WORK_BYTES_BLOCK (16u * 1024)
#define WORK_BYTES_MAX   (1024u * 1024)

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
                             const struct gh_identity_settings *settings, struct gh_str store)
{
    struct gh_arena arena;
    struct gh_identity_call call;
    struct gh_str token = {NULL, 0};
    gh_arena_init(&arena, WORK_BYTES_BLOCK, WORK_BYTES_MAX);
    gh_identity_host_call(host, settings, &arena, &call);
    struct gh_str directory = gh_store_setting_directory(&arena, store);
    struct gh_str path = gh_arena_format(&arena, "%.*ssetup-token", GH_STR_ARG(directory));
    if (directory.len && path.ptr && gh_setup_token(&call, &token) == GH_IDENTITY_OK) {
        if (!token.ptr)
            unlink(path.ptr);
        else if (write_token(path.ptr, token))
            gh_log_message(
                host->ring, GH_LOG_INFO,
                "there is no admin yet: the token in %s makes one (POST %.*s/auth/setup)", path.ptr,
                GH_STR_ARG(settings->base_path));
        else
            gh_log_message(host->ring, GH_LOG_ERROR, "can't write %s: %s", path.ptr,
                           strerror(errno));
    }
    gh_identity_host_keys_give(host, call.keys);
    gh_arena_done(&arena); /* wipes the token */
}
