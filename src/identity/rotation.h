/*
 * Rotation of the keys at rest: a new root wraps the data keys, a new field key is made, and every
 * sealed value is sealed anew under it, in slices, while all goes on. What is left to do is told by
 * the key ids in the sealed values, so that it can end anywhere and begin again. A retired field
 * key goes when nothing can be sealed under it any more. The index key never changes: rows are
 * found by what it made.
 */
#ifndef GH_IDENTITY_ROTATION_H
#define GH_IDENTITY_ROTATION_H

#include "identity/vault.h"

/* What was sealed just before a key was retired is stored by then; in a store that is shared also
   by a process that stood still for long. */
#define GH_ROTATION_SETTLE_US        (3600 * 1000000ull)
#define GH_ROTATION_SETTLE_SHARED_US (24 * GH_ROTATION_SETTLE_US)
/* How long to wait behind gh_rotation_announce: others look each second. */
#define GH_ROTATION_ANNOUNCE_MS 5000
/* And behind gh_rotation_begin then, before a pass: until that long others go on sealing under the
   key of before. */
#define GH_ROTATION_FOLLOW_MS 2000

/* One pass over all sealed columns. */
struct gh_rotation {
    struct gh_vault *vault;
    struct gh_store *store;
    bool count_only; /* looks, and changes nothing */
    bool over;
    uint64_t begun_us;
    enum gh_sealed_column column; /* the next slice begins behind this key of it */
    char after[64];
    size_t after_len;

    uint64_t renewed;    /* sealed anew; with count_only: would have been */
    uint64_t unreadable; /* no key of ours opens them */
};

/*
 * Comes first. In a store that is shared, what is about to wrap and seal is shown to all who use
 * it: *out_waits, then GH_ROTATION_ANNOUNCE_MS are to pass before gh_rotation_begin, so that
 * everybody can open what is sealed then, or say that they can't. GH_ERR_EXISTS: somebody else is
 * at it, with another root.
 */
GH_MUST_USE enum gh_err gh_rotation_announce(struct gh_vault *vault, struct gh_store *store,
                                             struct gh_str root, uint64_t now_us,
                                             struct gh_arena *arena, bool *out_waits);
/*
 * Makes the keys new: `root` (ptr NULL: it stays; in a store that is shared the one that this
 * process was started with) wraps from now on, and a new field key seals, unless an earlier
 * rotation under this root has not come to its end: that goes on. What is left is the work of the
 * steps. Resets the arena. *out_root_changed: it was another one. GH_ERR_REFUSED: a process that
 * uses the store does not know the root, and nothing was changed.
 */
GH_MUST_USE enum gh_err gh_rotation_begin(struct gh_vault *vault, struct gh_store *store,
                                          struct gh_str root, uint64_t now_us,
                                          struct gh_arena *arena, bool *out_root_changed);

void gh_rotation_init(struct gh_rotation *rotation, struct gh_vault *vault, struct gh_store *store,
                      uint64_t now_us);
/* One slice: reads, opens and seals outside of any unit, then writes what is still as it was read,
   behind the units of others. What changed meanwhile was sealed by the one who changed it. Resets
   the arena. After a failure it may be called again. */
GH_MUST_USE enum gh_err gh_rotation_step(struct gh_rotation *rotation, struct gh_arena *arena);

/* Is there a retired field key? */
GH_MUST_USE enum gh_err gh_rotation_has_retired(struct gh_store *store, struct gh_arena *arena,
                                                bool *out_has);
/* Deletes the retired field keys that nothing is sealed under, as a pass has shown that is over,
   found nothing, and began when what was under way had settled. */
GH_MUST_USE enum gh_err gh_rotation_drop_retired(const struct gh_rotation *rotation,
                                                 struct gh_arena *arena, unsigned *out_dropped);

/* Retires the key that signs checkpoints: the next one who needs one makes it (audit_key.h). What
   it signed is still verified with it. Audits secret_rotated. *out_retired: there was one. */
GH_MUST_USE enum gh_err gh_rotation_retire_audit_key(struct gh_store *store, uint64_t now_us,
                                                     struct gh_arena *arena, bool *out_retired);

/*
 * What a keeper does once a second: goes on with what a rotation has left (its process ended, or a
 * value was sealed under the old key while it ran), a few slices at a time, and drops retired keys.
 * Zeroed at first. Costs one read every ten minutes when there is nothing to do. Of several
 * processes one is at it at a time.
 */
struct gh_rotation_keeper {
    struct gh_rotation pass;
    bool busy;
    uint64_t next_us;
};
GH_MUST_USE enum gh_err gh_rotation_keep(struct gh_rotation_keeper *keeper, struct gh_vault *vault,
                                         struct gh_store *store, uint64_t now_us,
                                         struct gh_arena *arena);

#endif
