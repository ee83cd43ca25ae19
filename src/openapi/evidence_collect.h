/*
 * Collecting evidence (evidence.h) from the requests that are judged: how long, large and many the
 * values at each place were. Values are not kept, and places are named by what the document
 * declares: a name that it does not declare is "*", whatever a caller wrote.
 *
 * A fixed table for each document, shared by threads. Who finds it in use goes on without noting:
 * it is a sample, and no request ever waits for it.
 */
#ifndef GH_OPENAPI_EVIDENCE_COLLECT_H
#define GH_OPENAPI_EVIDENCE_COLLECT_H

#include "openapi/check.h"
#include "openapi/evidence.h"

#define GH_EVIDENCE_PLACES_MAX 4096
/* Of one operation: a schema that contains itself must not take the room of all others. */
#define GH_EVIDENCE_OPERATION_PLACES_MAX 1024
/* Deeper values are not noted, nor those behind so many of one document. */
#define GH_EVIDENCE_DEPTH_MAX  12
#define GH_EVIDENCE_VALUES_MAX 4096

/* A value that was found good, until the whole request is. */
struct gh_evidence_note {
    const struct gh_evidence_note *next;
    enum gh_input_part part;
    struct gh_str name; /* of the parameter */
    uint32_t schema;
    struct gh_json_doc doc;
};

/* Lives in `arena`, as long as the document. NULL: no memory. */
struct gh_evidence_collector *gh_evidence_collector_new(struct gh_arena *arena,
                                                        const struct gh_openapi *openapi);
/* The values of one request. Takes no memory. From any thread. */
void gh_evidence_note(struct gh_evidence_collector *collector,
                      const struct gh_openapi_operation *operation,
                      const struct gh_evidence_note *notes);

/* What was noted since the last time. */
struct gh_evidence_taken {
    struct gh_evidence_counts *counts; /* by place */
    size_t count;                      /* 0: nothing */
};
/* Room for the counts of all places, in `arena`. NULL: no memory. */
struct gh_evidence_counts *gh_evidence_counts_new(struct gh_arena *arena);
/* Moves what was noted into `room`. False: a request is being noted, try again. */
GH_MUST_USE bool gh_evidence_take(struct gh_evidence_collector *collector,
                                  struct gh_evidence_counts *room,
                                  struct gh_evidence_taken *out_taken);
/* As lines, in `arena`; their texts live as long as both. GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_evidence_lines_of(const struct gh_evidence_collector *collector,
                                             const struct gh_evidence_taken *taken,
                                             struct gh_arena *arena,
                                             struct gh_evidence *out_evidence);
/* It could not be written: it is taken again next time. False as above. */
GH_MUST_USE bool gh_evidence_give_back(struct gh_evidence_collector *collector,
                                       const struct gh_evidence_taken *taken);
/* Values that were not noted because there was no room for their places, since the start. */
uint64_t gh_evidence_without_room(const struct gh_evidence_collector *collector);

#endif
