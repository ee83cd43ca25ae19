/*
 * The migrations of the SQLite schema: src/store/migrations/NNNN_name.sql, built in. Forward only;
 * a file that was released never changes again.
 */
#ifndef GH_STORE_MIGRATIONS_H
#define GH_STORE_MIGRATIONS_H

struct gh_migration {
    unsigned number; /* 1, 2, ...: the version of the schema behind it */
    const char *name, *sql;
};
extern const struct gh_migration gh_migrations[];
extern const unsigned gh_migration_count;

#endif
