/* The entry point: finds the command and calls it. */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "app/process.h"
#include "crypto/hash.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

static const struct command COMMANDS[] = {
    {"serve", gh_cmd_serve, "run the gateway"},
    {"check", gh_cmd_check, "check a configuration and print the effective policy"},
    {"explain", gh_cmd_explain, "say what would happen to a request, and why"},
    {"user", gh_cmd_operator, "manage accounts"},
    {"access", gh_cmd_operator, "review who holds which role"},
    {"audit", gh_cmd_audit, "read, prove, review and export the audit log"},
    {"secrets", gh_cmd_secrets, "make, judge and rotate secrets"},
    {"consume", gh_cmd_consume, "entries of Redis streams become rows of PostgreSQL"},
    {"store", gh_cmd_store, "move a deployment from SQLite to PostgreSQL"},
    {"openapi", gh_cmd_openapi, "audit an OpenAPI document, and write a constrained copy"},
    {"config", gh_cmd_config, "print the reference page or the JSON Schema of the configuration"},
};

static void print_help(FILE *out)
{
    fputs("gatehouse " GH_VERSION ": the hardened front door of a web API\n"
          "\n"
          "Usage: gatehouse COMMAND [OPTIONS]\n"
          "\n",
          out);
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
        fprintf(out, "  %-8s  %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    fputs("\n"
          "gatehouse COMMAND --help says more. To try it in front of a running backend:\n"
          "\n"
          "  gatehouse serve --upstream http://127.0.0.1:8000\n",
          out);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    gh_process_hide_memory();
    gh_crypto_init();
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
        if (strcmp(name, COMMANDS[i].name) == 0)
            return COMMANDS[i].run(argc - 1, argv + 1);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        puts("gatehouse " GH_VERSION);
        return 0;
    }
    if (*name)
        fprintf(stderr, "gatehouse: there is no command \"%s\"\n\n", name);
    print_help(stderr);
    return 2;
}
