/*
 * The watch over the log and the traffic: feeds the anomaly rules, keeps what they find until it is
 * in the log, and puts the sanctions that the settings ask for. Used by one thread, the one that
 * reads the log; the sanctions are everybody's. Knows no store: who feeds it appends what it found.
 *
 * At a start the last day is replayed (quiet true): that restores counts and the sanctions that
 * still hold, and finds nothing anew. Histories of longer than a day begin anew with the process.
 */
#ifndef GH_APP_ANOMALY_WATCH_H
#define GH_APP_ANOMALY_WATCH_H

#include "app/anomaly_settings.h"
#include "limit/sanction.h"

struct gh_anomaly_watch;

/* How much of the log is replayed. */
#define GH_ANOMALY_REPLAY_US (24ull * 3600 * 1000000)
/* Findings that wait for the log; more are counted, not kept. */
#define GH_ANOMALY_WAITING_MAX 256

/* `sanctions` outlives the watch; NULL for one that is never fed (a command's, beside no server).
   NULL without memory. */
struct gh_anomaly_watch *gh_anomaly_watch_new(const struct gh_anomaly_config *config,
                                              struct gh_sanctions *sanctions,
                                              struct gh_hash_key key);
void gh_anomaly_watch_free(struct gh_anomaly_watch *watch); /* NULL is fine */
/* After a reload. Sanctions end where an action was taken back. */
void gh_anomaly_watch_set(struct gh_anomaly_watch *watch, const struct gh_anomaly_config *config);

/* A record of the log in clear, in order. */
void gh_anomaly_watch_record(struct gh_anomaly_watch *watch, const struct gh_audit_record *record,
                             bool quiet);
/* Of several processes that read one log all find the same in it and put their sanctions, and one
   alone keeps it for the log (anomaly_claims.h). What traffic tells each finds for itself and
   keeps. `place`: in line, 0 until it is told. Before the records of a turn. */
void gh_anomaly_watch_turn(struct gh_anomaly_watch *watch, uint64_t now_us, unsigned place);
/* All records that are there were told of: what others should have recorded by now, and did not, is
   kept for the log. `last`: all that waits for them. */
void gh_anomaly_watch_claim(struct gh_anomaly_watch *watch, bool last);
/* All that was there at the start has been replayed; a record that is not quiet says so, too. */
void gh_anomaly_watch_caught_up(struct gh_anomaly_watch *watch);
/* Traffic is of now: while older records are still being replayed it is passed over. */
void gh_anomaly_watch_traffic(struct gh_anomaly_watch *watch,
                              const struct gh_anomaly_requests *traffic);

/*
 * What waits for the log, as records of anomaly_detected; they live until the next call of this
 * watch. `gh_anomaly_watch_written` forgets them once they are there; else they come again.
 */
const struct gh_audit_record *gh_anomaly_watch_findings(struct gh_anomaly_watch *watch,
                                                        size_t *out_count);
void gh_anomaly_watch_written(struct gh_anomaly_watch *watch, size_t count);

/* For metrics: findings by rule since the start that were to be kept, those that found no room to
 * wait, and those that another process has recorded. */
struct gh_anomaly_watch_counts {
    uint64_t found[GH_ANOMALY_RULE_COUNT], lost, muted;
};
struct gh_anomaly_watch_counts gh_anomaly_watch_counts(const struct gh_anomaly_watch *watch);

#endif
