/*
 * The file of the SQLite adapter before SQLite opens it: its name, its mode, and the lock that
 * keeps a second writing process out. The lock is the kernel's (an open file description lock on
 * PATH.lock), so that it goes with the process, however that ends.
 */
#ifndef GH_STORE_SQLITE_FILE_H
#define GH_STORE_SQLITE_FILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* A path that SQLite can't take for something else (":memory:", "file:..."), ended by a NUL, in
   `arena`; NULL: empty, with a NUL inside, or no memory. */
const char *gh_sqlite_file_path(struct gh_arena *arena, struct gh_str setting);

/* GH_ERR_EXISTS: another process has it; GH_ERR_IO. *out_descriptor holds it until closed. */
GH_MUST_USE enum gh_err gh_sqlite_file_lock(const char *path, struct gh_arena *arena,
                                            int *out_descriptor, struct gh_str *out_message);

/* Makes it when it is not there, and takes rights of group and others away. GH_ERR_INVALID: not a
   file; GH_ERR_IO. */
GH_MUST_USE enum gh_err gh_sqlite_file_prepare(const char *path, struct gh_arena *arena,
                                               struct gh_str *out_message);
bool gh_sqlite_file_is_there(const char *path);

#endif
