/*
 * The exchanges of a connection by their stream ids. Ids of a client are odd and rise, so that the
 * low bits of half an id are as good as a hash of it. The first few places cost no heap.
 */
#ifndef GH_GATEWAY_STREAM_TABLE_H
#define GH_GATEWAY_STREAM_TABLE_H

#include "http/codec.h"

struct gh_exchange;

/* Places without heap; the most that there are, of which three quarters are used. */
#define GH_STREAM_TABLE_FIRST 8
#define GH_STREAM_TABLE_MAX   256

struct gh_stream_place {
    gh_stream_id id;
    struct gh_exchange *exchange; /* NULL: free */
};

/* Zeroed: empty. */
struct gh_stream_table {
    struct gh_stream_place first[GH_STREAM_TABLE_FIRST];
    struct gh_stream_place *heap; /* NULL: `first` is enough */
    size_t places;                /* of heap */
    size_t count;
};

/* False: full, or no memory. The id is not there yet. */
bool gh_stream_table_put(struct gh_stream_table *table, gh_stream_id id,
                         struct gh_exchange *exchange);
/* NULL: not there. */
struct gh_exchange *gh_stream_table_find(const struct gh_stream_table *table, gh_stream_id id);
/* What is not there is no mistake. An empty table holds no heap. */
void gh_stream_table_remove(struct gh_stream_table *table, gh_stream_id id);

#endif
