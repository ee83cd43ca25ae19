#include "store/postgres_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "store/postgres_libpq.h"

#define START_SECONDS 30
#define ADMIN_URL     "postgresql:///postgres?user=gatehouse&host=%s"

/* ---- The server's processes ---- */

static bool find_programs(struct gh_postgres_fixture *fixture)
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) != 0)
        return false;
    const char *last = found.gl_pathv[found.gl_pathc - 1];
    snprintf(fixture->programs, sizeof(fixture->programs), "%.*s",
             (int)(strlen(last) - strlen("/initdb")), last);
    globfree(&found);
    return true;
}

/* PostgreSQL does not run as root. */
static const struct passwd *server_user(void)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    return user || geteuid() != 0 ? user : getpwnam("nobody");
}

static void become_server(const struct gh_postgres_fixture *fixture)
{
    const struct passwd *user = server_user();
    char log[96];
    snprintf(log, sizeof(log), "%s/log", fixture->directory);
    if (chdir(fixture->directory) != 0 ||
        (user &&
         (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)))
        _exit(126);
    int output = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (output < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        _exit(126);
    setpgid(0, 0); /* a Ctrl-C is for the test, which then ends us */
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
}

static pid_t start(const struct gh_postgres_fixture *fixture, const char *name,
                   const char *const *arguments)
{
    char path[192];
    snprintf(path, sizeof(path), "%s/%s", fixture->programs, name);
    pid_t child = fork();
    GH_ASSERT(child >= 0);
    if (child)
        return child;
    become_server(fixture);
    execv(path, (char *const *)arguments); /* does not change them */
    _exit(127);
}

static void make_cluster(const struct gh_postgres_fixture *fixture)
{
    const char *const arguments[] = {
        "initdb", "-D",   "data",       "-U",        "gatehouse",         "-A", "trust",
        "-E",     "UTF8", "--locale=C", "--no-sync", "--no-instructions", NULL};
    int status;
    pid_t child = start(fixture, "initdb", arguments);
    GH_ASSERT(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "initdb failed: see %s/log\n", fixture->directory);
        abort();
    }
}

static bool answers(const struct gh_postgres_fixture *fixture)
{
    const struct gh_libpq *lib = gh_libpq_get();
    char url[128];
    snprintf(url, sizeof(url), ADMIN_URL, fixture->directory);
    const char *const keywords[] = {"dbname", NULL}, *const values[] = {url, NULL};
    PGconn *connection = lib->connectdbParams(keywords, values, 1);
    bool is_fine = lib->status(connection) == CONNECTION_OK;
    lib->finish(connection);
    return is_fine;
}

void gh_postgres_fixture_restart(struct gh_postgres_fixture *fixture)
{
    const char *const arguments[] = {"postgres",
                                     "-D",
                                     "data",
                                     "-k",
                                     fixture->directory,
                                     "-c",
                                     "listen_addresses=",
                                     "-c",
                                     "fsync=off",
                                     "-c",
                                     "full_page_writes=off",
                                     "-c",
                                     "max_connections=120",
                                     "-c",
                                     "shared_buffers=32MB",
                                     "-c",
                                     "autovacuum=off",
                                     "-c",
                                     "max_wal_size=256MB",
                                     NULL};
    const struct timespec pause = {.tv_nsec = 10000000};
    GH_ASSERT(!fixture->server);
    fixture->server = start(fixture, "postgres", arguments);
    for (int i = 0; !answers(fixture); i++) {
        if (i == START_SECONDS * 100 || waitpid(fixture->server, NULL, WNOHANG) != 0) {
            fprintf(stderr, "postgres does not start: see %s/log\n", fixture->directory);
            abort();
        }
        nanosleep(&pause, NULL);
    }
}

void gh_postgres_fixture_stop(struct gh_postgres_fixture *fixture, int signal_number)
{
    if (!fixture->server)
        return;
    kill(fixture->server, signal_number);
    GH_ASSERT(waitpid(fixture->server, NULL, 0) == fixture->server);
    fixture->server = 0;
}

/* ---- Databases ---- */

static uint64_t run_sql(const char *url, const char *sql)
{
    const struct gh_libpq *lib = gh_libpq_get();
    const char *const keywords[] = {"dbname", NULL}, *const values[] = {url, NULL};
    PGconn *connection = lib->connectdbParams(keywords, values, 1);
    PGresult *result = lib->exec(connection, sql);
    ExecStatusType status = lib->resultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s: %s\n", sql, lib->errorMessage(connection));
        abort();
    }
    uint64_t number =
        lib->ntuples(result) > 0 ? strtoull(lib->getvalue(result, 0, 0), NULL, 10) : 0;
    lib->clear(result);
    lib->finish(connection);
    return number;
}

uint64_t gh_postgres_fixture_sql(struct gh_postgres_fixture *fixture, const char *sql)
{
    return run_sql(fixture->url, sql);
}

static void use_database(struct gh_postgres_fixture *fixture, const char *name)
{
    snprintf(fixture->url, sizeof(fixture->url), "postgresql:///%s?user=gatehouse&host=%s", name,
             fixture->directory);
}

static void make_database(struct gh_postgres_fixture *fixture, const char *name)
{
    char admin[128], sql[128];
    snprintf(admin, sizeof(admin), ADMIN_URL, fixture->directory);
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
    run_sql(admin, sql);
    use_database(fixture, name);
}

void gh_postgres_fixture_bare(struct gh_postgres_fixture *fixture)
{
    char name[32];
    snprintf(name, sizeof(name), "test%u", fixture->databases++);
    make_database(fixture, name);
}

/* Emptying is much faster than making one. */
void gh_postgres_fixture_fresh(struct gh_postgres_fixture *fixture)
{
    static const char EMPTY[] =
        "DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || "
        "' RESTART IDENTITY' FROM pg_tables WHERE schemaname = 'public' AND tablename <> "
        "'schema_version'); END $$; INSERT INTO key_number (last) VALUES (0)";
    use_database(fixture, "ours");
    gh_postgres_fixture_sql(fixture, EMPTY);
}

enum gh_err gh_postgres_fixture_try(struct gh_postgres_fixture *fixture,
                                    const struct gh_postgres_options *options,
                                    struct gh_store **out_store)
{
    struct gh_postgres_options of_url = *options;
    of_url.url = gh_str_from_c(fixture->url);
    fixture->message = GH_STR("");
    return gh_postgres_open(&of_url, &fixture->arena, out_store, &fixture->message);
}

struct gh_store *gh_postgres_fixture_open(struct gh_postgres_fixture *fixture)
{
    const struct gh_postgres_options options = {.writes = true};
    struct gh_store *store = NULL;
    enum gh_err err = gh_postgres_fixture_try(fixture, &options, &store);
    if (err != GH_OK)
        fprintf(stderr, "%s: %.*s\n", gh_err_text(err), GH_STR_ARG(fixture->message));
    return err == GH_OK ? store : NULL;
}

/* ---- Beginning and end ---- */

/* Migrated once. */
static void make_ours(struct gh_postgres_fixture *fixture)
{
    make_database(fixture, "ours");
    struct gh_store *store = gh_postgres_fixture_open(fixture);
    if (!store)
        abort();
    store->ops->close(store);
}

bool gh_postgres_fixture_start(struct gh_postgres_fixture *fixture)
{
    gh_crypto_init();
    *fixture = (struct gh_postgres_fixture){.server = 0};
    if (!gh_libpq_get() || !find_programs(fixture)) {
        printf("skipped: PostgreSQL is not installed\n");
        return false;
    }
    const struct passwd *user = server_user();
    snprintf(fixture->directory, sizeof(fixture->directory), "%s/gatehouse-postgres-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    GH_ASSERT(mkdtemp(fixture->directory));
    GH_ASSERT(!user || chown(fixture->directory, user->pw_uid, user->pw_gid) == 0);
    gh_arena_init(&fixture->arena, 4096, 4 << 20);
    make_cluster(fixture);
    gh_postgres_fixture_restart(fixture);
    make_ours(fixture);
    return true;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void gh_postgres_fixture_done(struct gh_postgres_fixture *fixture)
{
    gh_postgres_fixture_stop(fixture, SIGQUIT);
    nftw(fixture->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    gh_arena_done(&fixture->arena);
}
