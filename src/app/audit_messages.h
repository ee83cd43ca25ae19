/* Rows of the audit log as messages for one second place: what gh_audit_deliver takes. */
#ifndef GH_APP_AUDIT_MESSAGES_H
#define GH_APP_AUDIT_MESSAGES_H

#include "app/audit_destination.h"
#include "app/audit_settings.h"
#include "identity/store.h"

#define GH_AUDIT_MESSAGES_MAX 128

/* What goes to that place. */
struct gh_audit_message_form {
    enum gh_audit_place place;
    bool checkpoints; /* else records */
    enum gh_audit_export_format format;
    struct gh_str host; /* of this machine */
};

/* A page of one chain. */
struct gh_audit_message_page {
    struct gh_audit_row *rows;
    size_t count;
    struct gh_audit_passed passed;
};

struct gh_audit_messages {
    struct gh_str items[GH_AUDIT_MESSAGES_MAX];
    size_t count;
    uint64_t through; /* the last record that is in them, or left out */
    uint64_t left_out, left_out_seq;
};
/*
 * The rows, at most GH_AUDIT_MESSAGES_MAX, in `buf`, as many as find room; a webhook gets one array
 * of them. A row that can't be written for this place is left out: those behind it must not wait
 * for ever. `out->through` is where the page begins. GH_ERR_MEMORY.
 */
GH_MUST_USE enum gh_err gh_audit_messages_put(const struct gh_audit_message_form *form,
                                              const struct gh_audit_message_page *page,
                                              struct gh_arena *arena, struct gh_buf *buf,
                                              struct gh_audit_messages *out);

#endif
