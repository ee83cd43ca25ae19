/*
 * The migrations of the schemas, built in: src/store/migrations/NNNN_name.sql for SQLite,
 * migrations_postgresql/ for PostgreSQL. Forward only; a file that was released never changes
 * again.
 */
#ifndef GH_STORE_MIGRATIONS_H
#define GH_STORE_MIGRATIONS_H

struct gh_migration {
    unsigned number; /* 1, 2, ...: the version of the schema behind it */
    const char *name, *sql;
};
extern const struct gh_migration gh_migrations[];
extern const unsigned gh_migration_count;
extern const struct gh_migration gh_postgresql_migrations[];
extern const unsigned gh_postgresql_migration_count;

#endif
