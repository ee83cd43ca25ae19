/*
 * Where mails go: to an SMTP server, into a folder as .eml files, or (in development, without
 * either) nowhere but the log, which shows the link.
 */
#ifndef GH_APP_MAILER_H
#define GH_APP_MAILER_H

#include "identity/outbox.h"
#include "obs/log.h"

struct gh_mail_way {
    const struct gh_identity_settings *settings;
    struct gh_log_ring *ring; /* of the thread that sends */
    const atomic_bool *stop;  /* true: give up; may be NULL */
};

/* A struct gh_mailer's `send` with a struct gh_mail_way as context. */
enum gh_err gh_mailer_send(void *context, struct gh_arena *arena, struct gh_str recipient,
                           struct gh_str message_id, struct gh_str message, struct gh_str link);

#endif
