/*
 * Writes the evidence that requests give (openapi/evidence_collect.h) into the files that routes
 * name: what stands in a file already stays and is added to, so it adds up over restarts. A thread
 * does it each half minute; there is none where no route asks for it.
 */
#ifndef GH_APP_EVIDENCE_KEEPER_H
#define GH_APP_EVIDENCE_KEEPER_H

#include "app/evidence_files.h"
#include "gateway/snapshot.h"
#include "obs/log.h"

struct gh_evidence_keeper;

/* NULL: no memory. */
struct gh_evidence_keeper *gh_evidence_keeper_new(struct gh_log *log);
/* The snapshot that holds from now on (a reference is taken). What came under the one before is
   written; requests of that one that are still under way are not counted. */
GH_MUST_USE enum gh_err gh_evidence_keeper_adopt(struct gh_evidence_keeper *keeper,
                                                 struct gh_snapshot *snapshot);
/* Writes what is there and ends the thread; NULL is fine. */
void gh_evidence_keeper_close(struct gh_evidence_keeper *keeper);

/* One turn for one file, for tests: adds to it what was collected since. GH_ERR_INVALID: the file
   is no evidence and is left alone, GH_ERR_FULL, GH_ERR_IO, GH_ERR_TIMEOUT, GH_ERR_MEMORY: what was
   collected is kept for the next turn. */
GH_MUST_USE enum gh_err gh_evidence_file_write(const struct gh_evidence_file *file,
                                               struct gh_arena *scratch);

#endif
