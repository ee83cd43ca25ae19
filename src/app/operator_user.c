/* The command `user`: accounts from the shell (SPEC section 1). */
#include <stdlib.h>
#include <string.h>

#include "app/operator.h"
#include "identity/admin.h"
#include "identity/privacy.h"
#include "json/writer.h"

#define PASSWORD_BYTES_MAX 1024
#define LINE_BYTES_MAX     (16 * 1024)
#define ROW_BYTES_MAX      4096
#define PAGE_ROWS          200

struct user_options {
    const char *who;    /* e-mail or id */
    const char *detail; /* the roles of `role` */
    const char *role;
    bool admin, password_stdin, json;
};

static const char HELP[] =
    "Usage: gatehouse user VERB [--config FILE] ...\n"
    "\n"
    "  add EMAIL [--admin | --role ROLE] [--password-stdin]\n"
    "                        a confirmed account; prints a link to set the password, or\n"
    "                        reads the password from standard input\n"
    "  list [--role ROLE] [--json]\n"
    "  role EMAIL ROLE[,ROLE]   the roles it has from now on\n"
    "  disable EMAIL, enable EMAIL\n"
    "  unlock EMAIL          forgets failed sign-ins\n"
    "  reset-2fa EMAIL       takes the second factor away\n"
    "  import FILE           JSON Lines: email, password_hash, totp_secret, roles, name,\n"
    "                        email_verified; - reads standard input\n"
    "  export EMAIL          everything held on a person, as JSON\n"
    "  delete EMAIL\n"
    "\n"
    "An id may stand for EMAIL. While the gateway serves, it carries the command out\n"
    "(over PostgreSQL the command does it itself).\n";

/* ---- One account as text ---- */

static void put_roles(const struct gh_operator *op, gh_roles roles, struct gh_buf *buf)
{
    const struct gh_role_names *names = &op->settings->role_names;
    bool first = true;
    for (size_t i = 0; i < names->count; i++) {
        if (!(roles & ((gh_roles)1 << i)))
            continue;
        if (!first)
            gh_buf_put_char(buf, ',');
        gh_buf_put(buf, names->names[i]);
        first = false;
    }
}

static void put_date(struct gh_buf *buf, uint64_t time_us)
{
    if (!time_us) {
        gh_buf_put(buf, GH_STR("never"));
        return;
    }
    char text[GH_AUDIT_TIME_LEN + 1];
    struct gh_buf date = gh_buf_over(text, sizeof(text));
    gh_audit_put_time(&date, time_us);
    gh_buf_put(buf, gh_str_first(gh_buf_str(&date), 10));
}

static void print_user(struct gh_operator *op, const struct gh_account_view *user, bool json)
{
    char memory[ROW_BYTES_MAX], roles_memory[512];
    struct gh_buf row = gh_buf_over(memory, sizeof(memory));
    struct gh_buf roles = gh_buf_over(roles_memory, sizeof(roles_memory));
    put_roles(op, user->roles, &roles);
    if (json) {
        gh_buf_put_char(&row, '{');
        gh_json_put_member(&row, GH_STR("id"), gh_id_str(&user->id));
        gh_json_put_member(&row, GH_STR("email"), user->email);
        gh_json_put_member(&row, GH_STR("roles"), gh_buf_str(&roles));
        gh_json_put_member_bool(&row, GH_STR("email_verified"), user->email_verified);
        gh_json_put_member_bool(&row, GH_STR("two_factor"), user->two_factor_enabled);
        gh_json_put_member_bool(&row, GH_STR("disabled"), user->disabled);
        gh_json_put_member_u64(&row, GH_STR("created"), user->created_us / 1000000);
        gh_json_put_member_u64(&row, GH_STR("last_login"), user->last_login_us / 1000000);
        gh_buf_put_char(&row, '}');
    } else {
        gh_buf_format(&row, "%s  %-32.*s  %-16.*s  %-4s  %-8s  ", user->id.text,
                      GH_STR_ARG(user->email), GH_STR_ARG(gh_buf_str(&roles)),
                      user->two_factor_enabled ? "2fa" : "-",
                      user->disabled         ? "disabled"
                      : user->email_verified ? "active"
                                             : "unproven");
        put_date(&row, user->last_login_us);
    }
    fprintf(op->out, "%.*s\n", GH_STR_ARG(gh_buf_str(&row)));
}

/* ---- Verbs ---- */

/* False: a name that is no role of the configuration; it was told. */
static bool read_roles(struct gh_operator *op, const char *text, gh_roles *out_roles)
{
    *out_roles = 0;
    for (struct gh_str rest = gh_str_from_c(text); rest.ptr;) {
        struct gh_str name = gh_str_split(&rest, ',');
        gh_roles bit = gh_role_bit(&op->settings->role_names, name);
        if (!bit) {
            fprintf(op->err, "gatehouse: identity.roles has no \"%.*s\"\n", GH_STR_ARG(name));
            return false;
        }
        *out_roles |= bit;
    }
    return true;
}

static bool read_password(struct gh_operator *op, char *memory, struct gh_str *out_password)
{
    if (!fgets(memory, PASSWORD_BYTES_MAX, op->in))
        return false;
    size_t len = strcspn(memory, "\r\n");
    *out_password = gh_str_of(memory, len);
    return len > 0;
}

static int add(struct gh_operator *op, const struct user_options *options)
{
    char memory[PASSWORD_BYTES_MAX];
    struct gh_str password = {NULL, 0}, link = {NULL, 0};
    gh_roles roles = op->settings->default_roles;
    if (options->role && !read_roles(op, options->role, &roles))
        return 2;
    if (options->admin)
        roles |= op->settings->admin;
    if (options->password_stdin && !read_password(op, memory, &password)) {
        fprintf(op->err, "gatehouse: there is no password on standard input\n");
        return 2;
    }
    struct gh_identity_call call;
    struct gh_account_view user;
    gh_operator_call(op, &call);
    enum gh_identity_result result =
        gh_user_add(&call, gh_str_from_c(options->who), password, roles, &user);
    gh_wipe(memory, sizeof(memory));
    if (result == GH_IDENTITY_OK && !password.ptr)
        result = gh_user_setup_link(&call, gh_id_str(&user.id), &link);
    int status = 0;
    if (result != GH_IDENTITY_OK)
        status = gh_operator_refused(op, &call, result, options->who);
    else if (link.ptr)
        fprintf(op->out, "%s added as %s\nSet the password within 24 hours:\n  %.*s\n",
                options->who, user.id.text, GH_STR_ARG(link));
    else
        fprintf(op->out, "%s added as %s\n", options->who, user.id.text);
    gh_operator_call_end(op, &call);
    return status;
}

static int list(struct gh_operator *op, const struct user_options *options)
{
    struct gh_id after = {{0}};
    size_t count = 0;
    enum gh_identity_result result;
    do {
        struct gh_identity_call call;
        struct gh_account_view *users;
        struct gh_user_query query = {
            .role = gh_str_from_c(options->role), .after = gh_id_str(&after), .limit = PAGE_ROWS};
        gh_operator_call(op, &call);
        result = gh_users_page(&call, &query, &users, &count);
        for (size_t i = 0; result == GH_IDENTITY_OK && i < count; i++) {
            print_user(op, &users[i], options->json);
            after = users[i].id;
        }
        if (result != GH_IDENTITY_OK)
            gh_operator_refused(op, &call, result, NULL);
        gh_operator_call_end(op, &call);
    } while (result == GH_IDENTITY_OK && count == PAGE_ROWS);
    return result == GH_IDENTITY_OK ? 0 : 1;
}

typedef enum gh_identity_result one_account(struct gh_identity_call *call, struct gh_str id);

static int change(struct gh_operator *op, const struct user_options *options, one_account *fn,
                  const char *done)
{
    struct gh_identity_call call;
    struct gh_account_view user;
    gh_operator_call(op, &call);
    enum gh_identity_result result = gh_operator_find(&call, options->who, &user);
    if (result == GH_IDENTITY_OK)
        result = fn(&call, gh_id_str(&user.id));
    int status = 0;
    if (result == GH_IDENTITY_OK)
        fprintf(op->out, "%s %s\n", options->who, done);
    else
        status = gh_operator_refused(op, &call, result, options->who);
    gh_operator_call_end(op, &call);
    return status;
}

static int role(struct gh_operator *op, const struct user_options *options)
{
    gh_roles roles;
    struct gh_identity_call call;
    struct gh_account_view user;
    if (!read_roles(op, options->detail, &roles))
        return 2;
    gh_operator_call(op, &call);
    enum gh_identity_result result = gh_operator_find(&call, options->who, &user);
    if (result == GH_IDENTITY_OK)
        result = gh_user_set_roles(&call, gh_id_str(&user.id), roles, &user);
    int status = 0;
    if (result == GH_IDENTITY_OK)
        fprintf(op->out, "%s has the roles %s\n", options->who, options->detail);
    else
        status = gh_operator_refused(op, &call, result, options->who);
    gh_operator_call_end(op, &call);
    return status;
}

/* False: it was told. */
static bool import_line(struct gh_operator *op, struct gh_str line, unsigned number)
{
    struct gh_identity_call call;
    struct gh_user_import user = {0};
    struct gh_account_view view;
    char where[32];
    gh_operator_call(op, &call);
    enum gh_identity_result result = gh_user_import_parse(&call, line, &user);
    if (result == GH_IDENTITY_OK)
        result = gh_user_import(&call, &user, &view);
    snprintf(where, sizeof(where), "line %u", number);
    if (result != GH_IDENTITY_OK)
        gh_operator_refused(op, &call, result, where);
    gh_operator_call_end(op, &call);
    return result == GH_IDENTITY_OK;
}

/* Reads up to the end of a line or of the file; what is over LINE_BYTES_MAX is passed over, for a
   file may have no line ends at all. False: nothing is left. */
static bool read_line(FILE *in, char line[LINE_BYTES_MAX], size_t *out_len)
{
    size_t len = 0;
    int c;
    while ((c = getc(in)) != EOF && c != '\n') {
        if (len < LINE_BYTES_MAX)
            line[len] = (char)c;
        len++;
    }
    *out_len = len;
    return c != EOF || len > 0;
}

static bool import_text(struct gh_operator *op, char *line, size_t len, unsigned number)
{
    if (len <= LINE_BYTES_MAX && !memchr(line, 0, len))
        return import_line(op, gh_str_of(line, len), number);
    fprintf(op->err, "gatehouse: line %u: it is no line of JSON\n", number);
    return false;
}

static int import(struct gh_operator *op, const struct user_options *options)
{
    (void)options; /* the caller has made the file its standard input */
    char *line = malloc(LINE_BYTES_MAX);
    size_t len;
    unsigned number = 0, taken = 0, refused = 0;
    while (line && read_line(op->in, line, &len)) {
        number++;
        if (len > 0 && len <= LINE_BYTES_MAX && line[len - 1] == '\r')
            len--;
        if (len == 0)
            continue;
        bool good = import_text(op, line, len, number);
        taken += good;
        refused += !good;
    }
    bool whole = line && !ferror(op->in);
    if (!whole)
        fprintf(op->err, "gatehouse: the file could not be read to its end\n");
    if (line)
        gh_wipe(line, LINE_BYTES_MAX);
    free(line);
    fprintf(op->out, "%u imported, %u refused\n", taken, refused);
    return refused || !whole ? 1 : 0;
}

static int export(struct gh_operator *op, const struct user_options *options)
{
    struct gh_identity_call call;
    struct gh_account_view user;
    struct gh_str json;
    uint64_t records;
    gh_operator_call(op, &call);
    enum gh_identity_result result = gh_operator_find(&call, options->who, &user);
    struct gh_subject subject = {.id = gh_id_str(&user.id)};
    if (result == GH_IDENTITY_OK) {
        call.subject = &subject;
        result = gh_privacy_export(&call, &json, &records);
    }
    int status = 0;
    if (result == GH_IDENTITY_OK)
        fprintf(op->out, "%.*s\n", GH_STR_ARG(json));
    else
        status = gh_operator_refused(op, &call, result, options->who);
    gh_operator_call_end(op, &call);
    return status;
}

static int disable(struct gh_operator *op, const struct user_options *options)
{
    return change(op, options, gh_user_disable, "can't sign in any more");
}

static int enable(struct gh_operator *op, const struct user_options *options)
{
    return change(op, options, gh_user_enable, "may sign in again");
}

static int unlock(struct gh_operator *op, const struct user_options *options)
{
    return change(op, options, gh_user_unlock, "is not delayed any more");
}

static int reset_two_factor(struct gh_operator *op, const struct user_options *options)
{
    return change(op, options, gh_user_reset_two_factor, "has no second factor any more");
}

static int delete_user(struct gh_operator *op, const struct user_options *options)
{
    return change(op, options, gh_user_delete, "is deleted");
}

/* ---- The command line ---- */

static const struct {
    const char *name;
    int operands;
    int (*run)(struct gh_operator *op, const struct user_options *options);
} VERBS[] = {
    {"add", 1, add},       {"list", 0, list},
    {"role", 2, role},     {"disable", 1, disable},
    {"enable", 1, enable}, {"unlock", 1, unlock},
    {"import", 1, import}, {"reset-2fa", 1, reset_two_factor},
    {"export", 1, export}, {"delete", 1, delete_user},
};

static int wrong_usage(struct gh_operator *op, const char *what)
{
    fprintf(op->err, "gatehouse user: %s; see gatehouse user --help\n", what);
    return 2;
}

/* Reads what stands behind the verb. NULL, or what is wrong. getopt keeps globals, and this may run
   in a server: so by hand. */
static const char *read_options(int argc, char **argv, struct user_options *options, int *operands)
{
    *operands = 0;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--admin") == 0)
            options->admin = true;
        else if (strcmp(argv[i], "--password-stdin") == 0)
            options->password_stdin = true;
        else if (strcmp(argv[i], "--json") == 0)
            options->json = true;
        else if (strcmp(argv[i], "--role") == 0 && i + 1 < argc)
            options->role = argv[++i];
        else if (argv[i][0] == '-' && argv[i][1])
            return "an unknown option";
        else if (*operands == 0)
            options->who = argv[i], (*operands)++;
        else if (*operands == 1)
            options->detail = argv[i], (*operands)++;
        else
            return "too many words";
    }
    return options->admin && options->role ? "--admin and --role exclude each other" : NULL;
}

int gh_operator_user(struct gh_operator *op, int argc, char **argv)
{
    struct user_options options = {0};
    int operands;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(HELP, argc < 2 ? op->err : op->out);
        return argc < 2 ? 2 : 0;
    }
    const char *wrong = read_options(argc, argv, &options, &operands);
    if (wrong)
        return wrong_usage(op, wrong);
    for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
        if (strcmp(argv[1], VERBS[i].name) != 0)
            continue;
        if (operands != VERBS[i].operands)
            return wrong_usage(op, "a word is missing or too many");
        return VERBS[i].run(op, &options);
    }
    return wrong_usage(op, "there is no such verb");
}
