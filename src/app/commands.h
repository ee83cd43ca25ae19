/* The commands: one file each (cmd_<verb>.c), called with argv[0] = the command's name. Exit
   status: 0 success, 1 "the answer is no", 2 wrong usage or can't start. */
#ifndef GH_APP_COMMANDS_H
#define GH_APP_COMMANDS_H

int gh_cmd_serve(int argc, char **argv);
int gh_cmd_check(int argc, char **argv);
int gh_cmd_explain(int argc, char **argv);
int gh_cmd_config(int argc, char **argv);
int gh_cmd_audit(int argc, char **argv);
/* `audit events`, of which argv[0] is "audit" */
int gh_cmd_audit_events(int argc, char **argv);
int gh_cmd_consume(int argc, char **argv);
int gh_cmd_openapi(int argc, char **argv);
int gh_cmd_secrets(int argc, char **argv);
int gh_cmd_store(int argc, char **argv);
/* `user` and `access` */
int gh_cmd_operator(int argc, char **argv);

#endif
