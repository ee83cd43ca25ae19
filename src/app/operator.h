/*
 * Commands of the operator on what a deployment remembers (accounts, roles): the same code whether
 * it runs in the serving process, called through the control socket, or in the command's own when
 * nothing serves.
 */
#ifndef GH_APP_OPERATOR_H
#define GH_APP_OPERATOR_H

#include <stdio.h>

#include "app/identity_host.h"

struct gh_operator {
    struct gh_identity_host *host;
    const struct gh_identity_settings *settings;
    FILE *in, *out, *err;
    struct gh_arena arena; /* of one call; reset between calls */
};

/* argv[0] is "user", "access", "audit" or "secrets". Returns the exit status: 0, 1 (the answer is
 * no), 2 (usage). */
int gh_operator_run(struct gh_operator *op, int argc, char **argv);

/* Each prints its own help for --help. */
int gh_operator_user(struct gh_operator *op, int argc, char **argv);
int gh_operator_access(struct gh_operator *op, int argc, char **argv);
int gh_operator_audit(struct gh_operator *op, int argc, char **argv);
int gh_operator_secrets(struct gh_operator *op, int argc, char **argv);

/* ---- For the files of operator commands ---- */

/* Starts a call: the arena is reset. End it by gh_operator_call_end. */
void gh_operator_call(struct gh_operator *op, struct gh_identity_call *out_call);
void gh_operator_call_end(struct gh_operator *op, struct gh_identity_call *call);
/* Says why a call failed; returns 1. `who` may be NULL. */
int gh_operator_refused(struct gh_operator *op, const struct gh_identity_call *call,
                        enum gh_identity_result result, const char *who);
/* The account of an e-mail address or an id. */
enum gh_identity_result gh_operator_find(struct gh_identity_call *call, const char *who,
                                         struct gh_account_view *out_user);

#endif
