/*
 * A disk that fails when told: SQLite's default VFS behind one that counts what changes a file
 * (writes, syncs, truncations, growth of the shared index) and lets one, or all from it on, fail.
 */
#ifndef GH_STORE_SQLITE_DISK_FIXTURE_H
#define GH_STORE_SQLITE_DISK_FIXTURE_H

#include <pthread.h>
#include <sqlite3.h>

#include "base/str.h"

enum gh_disk_fault {
    GH_DISK_FULL,   /* writes fail with ENOSPC; syncs and truncations work */
    GH_DISK_BROKEN, /* all fail with EIO */
    GH_DISK_TORN,   /* the same, but of a write the first half gets to the disk */
};

struct gh_disk {
    sqlite3_vfs vfs, *real;
    sqlite3_io_methods methods;
    pthread_mutex_t lock; /* of what follows */
    enum gh_disk_fault fault;
    unsigned left; /* changes up to the one that fails; 0: none will */
    bool stays;    /* all that follow fail too */
    unsigned failed;
};

/* Becomes what SQLite opens files with from now on, and ends being that. */
void gh_disk_init(struct gh_disk *disk);
void gh_disk_done(struct gh_disk *disk);

/* The change number `left` from now fails; with `stays` also those after it. */
void gh_disk_fail(struct gh_disk *disk, enum gh_disk_fault fault, unsigned left, bool stays);
/* All is well again. Returns how many changes failed since gh_disk_fail. */
unsigned gh_disk_mend(struct gh_disk *disk);

#endif
