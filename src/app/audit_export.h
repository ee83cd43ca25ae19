/*
 * The log on its way to second places while it is written: checkpoints, and records as they are
 * kept (personal values sealed). Of several processes each brings what it writes: the chain that it
 * has, those that it had and lost, and what it put into those of nobody (checkpoints, and what a
 * killed process left). A thread for each place, so that one that does not answer holds up nothing
 * else. The log itself is the queue: what could not be delivered is tried again, from where it
 * stopped, for as long as the process lives and the records are kept.
 *
 * At a start a file of JSON is gone on with behind its last record; elsewhere delivery begins with
 * the newest checkpoint: records since then may come twice. So it is with a chain that is taken
 * later. A place of checkpoints gets the newest ones of chains of nobody, too. Every record and
 * checkpoint says its chain and number: whoever minds what comes twice goes by these. Records
 * before it that a place had not taken when the process ended do not come again by themselves; the
 * log names the last that came.
 */
#ifndef GH_APP_AUDIT_EXPORT_H
#define GH_APP_AUDIT_EXPORT_H

#include "app/audit_settings.h"
#include "identity/identity.h"
#include "obs/log.h"

struct gh_audit_exporter;

struct gh_audit_exporter_options {
    const struct gh_identity *identity;
    struct gh_log *log;
};

/* Starts the threads. `settings` is read during the call. */
GH_MUST_USE enum gh_err gh_audit_exporter_open(const struct gh_audit_exporter_options *options,
                                               const struct gh_audit_settings *settings,
                                               struct gh_audit_exporter **out_exporter);
/* After a reload, by the thread that opened it or after it: places that stay go on where they are.
 */
void gh_audit_exporter_set(struct gh_audit_exporter *exporter,
                           const struct gh_audit_settings *settings);
/* There is something new. */
void gh_audit_exporter_wake(struct gh_audit_exporter *exporter);
/* Places that did not take what is there: they fail at this moment. From any thread. */
unsigned gh_audit_exporter_failing(struct gh_audit_exporter *exporter);
/* Delivers what is there, within some seconds, and ends. NULL is fine. */
void gh_audit_exporter_close(struct gh_audit_exporter *exporter);

#endif
