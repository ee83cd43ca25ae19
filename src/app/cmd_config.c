/* `gatehouse config`: what is generated from the tables of the configuration. */
#include "app/commands.h"

#include <stdio.h>
#include <string.h>

#include "app/root_config.h"
#include "config/reference.h"

static const char HELP[] =
    "Usage: gatehouse config schema|reference\n"
    "\n"
    "  schema      writes the JSON Schema of the configuration file, for editors\n"
    "  reference   writes the reference page of all settings, in Markdown\n"
    "  --help      this text\n"
    "\n"
    "Exit status: 0; 2 for wrong usage.\n";

static int finish(void)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 2;
}

int gh_cmd_config(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "schema") == 0) {
        gh_config_write_schema(stdout, &gh_root_table);
        return finish();
    }
    if (argc == 2 && strcmp(argv[1], "reference") == 0) {
        gh_config_write_reference(stdout, &gh_root_table);
        return finish();
    }
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(HELP, stdout);
        return finish();
    }
    fputs(HELP, stderr);
    return 2;
}
