/* Inside fix: putting keywords into the text of a schema object. */
#ifndef GH_OPENAPI_FIX_EDIT_H
#define GH_OPENAPI_FIX_EDIT_H

#include "openapi/openapi.h"

/* What is put in, or takes the place of something. */
struct gh_fix_edit {
    const struct gh_openapi_file *file;
    size_t offset, removed; /* bytes of the file's text */
    struct gh_str text;
    size_t object; /* where the schema object stands: two of one key are one */
    const char *key;
    size_t order;
};

struct gh_fix_edits {
    struct gh_arena *arena;
    struct gh_fix_edit *items;
    size_t count, room;
    bool no_memory;
};

/* `key: literal` into the object; nothing where its text is not understood. The literal is valid in
   JSON. */
void gh_fix_put(struct gh_fix_edits *edits, struct gh_openapi_at object, const char *key,
                struct gh_str literal);
/* Writes another scalar over a value. */
void gh_fix_replace(struct gh_fix_edits *edits, struct gh_openapi_at value, struct gh_str literal);
/* The file with its edits; ptr NULL: no memory. Sorts the edits. */
struct gh_str gh_fix_text_of(struct gh_fix_edits *edits, const struct gh_openapi_file *file,
                             size_t *out_count);

#endif
