/*
 * What tests of rotation stand on: people with something in every sealed column, over the store in
 * memory or SQLite, and a way in between that lets others in and fails when it is told to.
 */
#ifndef GH_IDENTITY_ROTATION_FIXTURE_H
#define GH_IDENTITY_ROTATION_FIXTURE_H

#include "identity/rotation.h"

#define NOW_US  1800000000000000ull
#define OLD     GH_STR("the old root secret of the tests")
#define NEW     GH_STR("the new root secret of the tests")
#define THIRD   GH_STR("the third root secret of the tests")
#define NO_ROOT ((struct gh_str){NULL, 0})

struct gh_rotation_toys {
    struct gh_store store; /* first: what the units of a rotation go through */
    struct gh_store *inner;
    struct gh_arena arena, work;
    struct gh_vault *vault;
    char directory[32];
    unsigned writes_left; /* the one after them fails */
    void (*after_read)(struct gh_rotation_toys *toys);
};

/* *state not NULL: over SQLite. Afterwards it is the toys, the vault open under OLD. */
int gh_rotation_toys_open(void **state);
int gh_rotation_toys_close(void **state);
void gh_rotation_open_vault(struct gh_rotation_toys *toys, struct gh_str root,
                            struct gh_str previous);
bool gh_rotation_opens_with(struct gh_rotation_toys *toys, struct gh_str root);

struct gh_id gh_rotation_id_of(unsigned number);
void gh_rotation_hash_of(unsigned number, uint8_t out[GH_SHA256_BYTES]);
/* People `from` and following, each with one row of everything; each value says where it belongs.
 */
void gh_rotation_fill(struct gh_rotation_toys *toys, unsigned from, unsigned count);

struct gh_rotation_count {
    size_t rows, under; /* sealed values in all columns; those under the key asked for */
};
/* Opens and compares all. */
struct gh_rotation_count gh_rotation_count(struct gh_rotation_toys *toys, uint32_t id);
struct gh_rotation_keys {
    size_t fields, retired;
};
struct gh_rotation_keys gh_rotation_keys_of(struct gh_rotation_toys *toys);
/* Records of secret_rotated with these metadata. */
size_t gh_rotation_audited(struct gh_rotation_toys *toys, const char *metadata);

#endif
