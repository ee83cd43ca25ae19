/*
 * Logging: lines from many threads to one log thread. A writer copies its line into its own ring
 * and goes on; a blocked stdout never blocks an event loop. What does not fit is dropped and
 * counted.
 */
#ifndef GH_OBS_LOG_H
#define GH_OBS_LOG_H

#include "base/err.h"
#include "base/str.h"

/* One access or event line is cut at this many bytes. */
#define GH_LOG_LINE_BYTES_MAX 4096

struct gh_log;      /* the log thread and its rings */
struct gh_log_ring; /* one writer's; single producer */

/* Starts the log thread, which writes lines to `fd` (borrowed). */
GH_MUST_USE enum gh_err gh_log_open(int fd, struct gh_log **out_log);
/* Writes what is queued (waiting at most `timeout_ms` on a blocked fd) and ends the thread. */
void gh_log_close(struct gh_log *log, unsigned timeout_ms);
/* A ring for one writing thread, alive until gh_log_close. */
GH_MUST_USE enum gh_err gh_log_ring_open(struct gh_log *log, struct gh_log_ring **out_ring);
/* Queues one line; the newline is added. Only from the ring's thread. False: dropped, counted. */
bool gh_log_line(struct gh_log_ring *ring, struct gh_str line);
/* Lets the log thread know that lines wait; called once per turn of an event loop, not per line. */
void gh_log_flush(struct gh_log_ring *ring);
uint64_t gh_log_dropped(const struct gh_log *log);

/*
 * An operator's message ("level", "message") as a JSON line with time. From any thread that owns
 * `ring`. Never with secrets in it.
 */
enum gh_log_level { GH_LOG_ERROR, GH_LOG_WARNING, GH_LOG_INFO };
void gh_log_message(struct gh_log_ring *ring, enum gh_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
