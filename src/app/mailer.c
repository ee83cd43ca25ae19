#include "app/mailer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/fetch.h"

#define SMTP_TIMEOUT_MS (30u * 1000)

/* "no-reply@example.com" of "Example <no-reply@example.com>". */
static struct gh_str address_of(struct gh_str from)
{
    size_t open = gh_str_find_char(from, '<'), close = gh_str_find_char(from, '>');
    return open < close && close < from.len ? gh_str_of(from.ptr + open + 1, close - open - 1)
                                            : from;
}

static enum gh_err send_by_smtp(const struct gh_mail_way *way, struct gh_arena *arena,
                                struct gh_str recipient, struct gh_str message)
{
    struct gh_smtp_options options = {
        .url = way->settings->mail.smtp,
        .from = address_of(way->settings->mail.from),
        .recipient = recipient,
        .timeout_ms = SMTP_TIMEOUT_MS,
        .stop = way->stop,
    };
    struct gh_str detail = GH_STR("");
    enum gh_err err = gh_smtp_send(&options, message, arena, &detail);
    if (err != GH_OK)
        gh_log_message(way->ring, GH_LOG_WARNING, "mail was not taken (%s): %.*s", gh_err_text(err),
                       GH_STR_ARG(detail));
    return err;
}

/* The whole file or none: written under another name first. A second try writes the same file. */
static enum gh_err write_file(const char *folder, struct gh_str name, struct gh_str text,
                              struct gh_arena *arena)
{
    struct gh_str path = gh_arena_format(arena, "%s/%.*s.eml", folder, GH_STR_ARG(name));
    struct gh_str part = gh_arena_format(arena, "%s/.%.*s.part", folder, GH_STR_ARG(name));
    if (!path.ptr || !part.ptr)
        return GH_ERR_MEMORY;
    int fd = open(part.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return GH_ERR_IO;
    bool written = write(fd, text.ptr, text.len) == (ssize_t)text.len;
    written &= close(fd) == 0;
    if (written && rename(part.ptr, path.ptr) == 0)
        return GH_OK;
    unlink(part.ptr);
    return GH_ERR_IO;
}

/* The id is made by us: letters, digits and '-' up to the '@'. */
static struct gh_str file_name_of(struct gh_str message_id)
{
    return gh_str_first(message_id, gh_str_find_char(message_id, '@'));
}

static enum gh_err put_into_folder(const struct gh_mail_way *way, struct gh_arena *arena,
                                   struct gh_str message_id, struct gh_str message)
{
    struct gh_str folder = gh_arena_dup(arena, way->settings->mail.folder);
    if (!folder.ptr)
        return GH_ERR_MEMORY;
    if (mkdir(folder.ptr, 0700) != 0 && errno != EEXIST)
        gh_log_message(way->ring, GH_LOG_ERROR, "can't make the mail folder %s: %s", folder.ptr,
                       strerror(errno));
    enum gh_err err = write_file(folder.ptr, file_name_of(message_id), message, arena);
    if (err != GH_OK)
        gh_log_message(way->ring, GH_LOG_ERROR, "can't write a mail into %s: %s", folder.ptr,
                       strerror(errno));
    return err;
}

enum gh_err gh_mailer_send(void *context, struct gh_arena *arena, struct gh_str recipient,
                           struct gh_str message_id, struct gh_str message, struct gh_str link)
{
    const struct gh_mail_way *way = context;
    const struct gh_identity_settings *settings = way->settings;
    if (!settings->production && link.len)
        gh_log_message(way->ring, GH_LOG_INFO, "mail to %.*s with the link %.*s",
                       GH_STR_ARG(recipient), GH_STR_ARG(link));
    if (settings->mail.smtp.len)
        return send_by_smtp(way, arena, recipient, message);
    if (settings->mail.folder.len)
        return put_into_folder(way, arena, message_id, message);
    if (settings->production)
        gh_log_message(way->ring, GH_LOG_WARNING,
                       "a mail was dropped: identity.mail names no server; set mail.smtp");
    return settings->production ? GH_ERR_REFUSED : GH_OK;
}
