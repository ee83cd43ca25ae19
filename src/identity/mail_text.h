/*
 * The mails themselves: subject and text of each kind, as a message of RFC 5322 with plain text in
 * it. Nothing that a stranger has chosen stands in a text but the recipient's own address.
 */
#ifndef GH_IDENTITY_MAIL_TEXT_H
#define GH_IDENTITY_MAIL_TEXT_H

#include "base/arena.h"
#include "identity/outbox.h"

struct gh_mail_parts {
    enum gh_mail_kind kind;
    struct gh_str from;       /* as in the settings */
    struct gh_str recipient;  /* an address */
    struct gh_str message_id; /* without brackets */
    struct gh_str site;       /* the host that it is about */
    struct gh_str link;       /* empty: none */
    uint64_t time_us;
};
/* In `arena`; ptr NULL: it is full, or a part has a control byte. */
struct gh_str gh_mail_write(struct gh_arena *arena, const struct gh_mail_parts *parts);

/* Names that rows keep: "reset". False: none of ours. */
struct gh_str gh_mail_kind_name(enum gh_mail_kind kind);
bool gh_mail_kind_parse(struct gh_str name, enum gh_mail_kind *out_kind);
/* True: the mail is there for its link. */
bool gh_mail_kind_has_link(enum gh_mail_kind kind);

#endif
