/*
 * The table of `identity:` (SPEC section 2): what can be written, its defaults and its text in the
 * reference. What settings must be to one another is settings_finish.c's.
 */
#include "identity/settings.h"

#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define MIB    ((uint64_t)1024 * 1024)

#define COUNT(array)     (sizeof(array) / sizeof((array)[0]))
#define IDENTITY(member) .offset = offsetof(struct gh_identity_settings, member)
/* A member of a struct that has no name of its own. */
#define WITHIN(outer, member)                                                                      \
    .offset = offsetof(struct gh_identity_settings, outer.member) -                                \
              offsetof(struct gh_identity_settings, outer)
#define SIZE_OF(member) sizeof(((struct gh_identity_settings *)0)->member)

static const struct gh_config_field STRING_ITEM = {.type = GH_CONFIG_TYPE_STRING};

static const char *const TRANSPORT_NAMES[] = {"cookie", "bearer", NULL};
static const char *const VERIFICATION_NAMES[] = {"", "required", "off", NULL};
static const char *const ALGORITHM_NAMES[] = {"EdDSA", "ES256", "RS256", "HS256", NULL};
static const char *const HASH_NAMES[] = {"argon2id", "bcrypt", NULL};
static const char *const FORWARD_NAMES[] = {"headers", "bearer", "both", NULL};
static const char *const SAME_SITE_NAMES[] = {"lax", "strict", "none", NULL};

/* ---- tokens ---- */

static const struct gh_config_field TOKEN_FIELDS[] = {
    {.name = "algorithm",
     .type = GH_CONFIG_TYPE_ENUM,
     WITHIN(tokens, algorithm),
     .default_yaml = "EdDSA",
     .names = ALGORITHM_NAMES,
     .doc = "What tokens that leave the gateway are signed with (bearer transport, and those for "
            "the backend). HS256 keys are not in the JWK set: only the gateway can verify them."},
    {.name = "access",
     .type = GH_CONFIG_TYPE_DURATION,
     WITHIN(tokens, access_ms),
     .default_yaml = "15m",
     .min = SECOND,
     .max = GH_ACCESS_MS_MAX,
     .doc = "How long an access token is good."},
    {.name = "refresh_grace",
     .type = GH_CONFIG_TYPE_DURATION,
     WITHIN(tokens, refresh_grace_ms),
     .default_yaml = "10s",
     .max = MINUTE,
     .doc = "How long a refresh token that was just rotated may still come (parallel tabs, lost "
            "answers); later it counts as stolen."},
    {.name = "rotate_after",
     .type = GH_CONFIG_TYPE_DURATION,
     WITHIN(tokens, rotate_after_ms),
     .default_yaml = "30d",
     .min = HOUR,
     .max = 365 * DAY,
     .doc = "The age at which a signing key is replaced."},
    {.name = "audience",
     .type = GH_CONFIG_TYPE_STRING,
     WITHIN(tokens, audience),
     .default_yaml = "api",
     .doc = "`aud` of the tokens."},
};
static const struct gh_config_table TOKENS_TABLE = {
    .name = "tokens",
    .doc = "Access and refresh tokens.",
    .size = SIZE_OF(tokens),
    .fields = TOKEN_FIELDS,
    .field_count = COUNT(TOKEN_FIELDS),
};

/* ---- sessions ---- */

static const struct gh_config_field ADMIN_SESSION_FIELDS[] = {
    {.name = "idle",
     .type = GH_CONFIG_TYPE_DURATION,
     WITHIN(sessions.admin, idle_ms),
     .default_yaml = "15m",
     .min = SECOND,
     .max = 365 * DAY,
     .doc = "Unused for so long, an admin's session ends."},
    {.name = "absolute",
     .type = GH_CONFIG_TYPE_DURATION,
     WITHIN(sessions.admin, absolute_ms),
     .default_yaml = "8h",
     .min = SECOND,
     .max = 365 * DAY,
     .doc = "An admin's session ends then, used or not."},
};
static const struct gh_config_table ADMIN_SESSIONS_TABLE = {
    .name = "sessions.admin",
    .doc = "Sessions of those who have the role `admin`; they are never remembered for longer.",
    .size = SIZE_OF(sessions.admin),
    .fields = ADMIN_SESSION_FIELDS,
    .field_count = COUNT(ADMIN_SESSION_FIELDS),
};

static const struct gh_config_field SESSION_FIELDS[] = {
    {.name = "idle",
     .type = GH_CONFIG_TYPE_DURATION,
     WITHIN(sessions, idle_ms),
     .default_yaml = "30m",
     .min = SECOND,
     .max = 365 * DAY,
     .doc = "Unused for so long, a session ends."},
    {.name = "absolute",
     .type = GH_CONFIG_TYPE_DURATION,
     WITHIN(sessions, absolute_ms),
     .default_yaml = "12h",
     .min = SECOND,
     .max = 365 * DAY,
     .doc = "A session ends then, used or not."},
    {.name = "remember",
     .type = GH_CONFIG_TYPE_DURATION,
     WITHIN(sessions, remember_ms),
     .default_yaml = "30d",
     .min = SECOND,
     .max = 365 * DAY,
     .doc = "The same for those who ask to be remembered."},
    {.name = "admin",
     .type = GH_CONFIG_TYPE_TABLE,
     WITHIN(sessions, admin),
     .table = &ADMIN_SESSIONS_TABLE,
     .doc = "Shorter bounds for admins."},
    {.name = "fresh",
     .type = GH_CONFIG_TYPE_DURATION,
     WITHIN(sessions, fresh_ms),
     .default_yaml = "10m",
     .min = SECOND,
     .max = DAY,
     .doc = "How long after a password or code a session counts as fresh."},
};
static const struct gh_config_table SESSIONS_TABLE = {
    .name = "sessions",
    .doc = "How long somebody stays signed in.",
    .size = SIZE_OF(sessions),
    .fields = SESSION_FIELDS,
    .field_count = COUNT(SESSION_FIELDS),
};

/* ---- passwords ---- */

static const struct gh_config_field PASSWORD_FIELDS[] = {
    {.name = "hash",
     .type = GH_CONFIG_TYPE_ENUM,
     WITHIN(passwords, hash),
     .default_yaml = "argon2id",
     .names = HASH_NAMES,
     .doc = "How new passwords are hashed; hashes of the other kind go on to verify and are "
            "replaced at the next sign-in."},
    {.name = "memory",
     .type = GH_CONFIG_TYPE_SIZE,
     WITHIN(passwords, memory_bytes),
     .default_yaml = "64MiB",
     .min = 8 * MIB,
     .max = 512 * MIB,
     .doc = "Memory of one argon2id hash."},
    {.name = "passes",
     .type = GH_CONFIG_TYPE_INTEGER,
     WITHIN(passwords, passes),
     .default_yaml = "2",
     .min = 1,
     .max = 10,
     .doc = "Passes of argon2id over that memory."},
    {.name = "rounds",
     .type = GH_CONFIG_TYPE_INTEGER,
     WITHIN(passwords, log_rounds),
     .default_yaml = "12",
     .min = 10,
     .max = 16,
     .doc = "Cost of bcrypt, as a power of two."},
    {.name = "min_length",
     .type = GH_CONFIG_TYPE_INTEGER,
     WITHIN(passwords, min_length),
     .default_yaml = "12",
     .min = 8,
     .max = 64,
     .doc = "The shortest password that is taken, in characters."},
    {.name = "max_length",
     .type = GH_CONFIG_TYPE_INTEGER,
     WITHIN(passwords, max_length),
     .default_yaml = "128",
     .min = 16,
     .max = 1024,
     .doc = "The longest, in characters; nothing is ever cut. Under bcrypt 72 bytes are the end in "
            "any case."},
    {.name = "breach",
     .type = GH_CONFIG_TYPE_STRING,
     WITHIN(passwords, breach),
     .default_yaml = "off",
     .doc = "The URL of a range API that knows passwords from breaches; the first five digits of a "
            "hash are appended to it. `off`: none is asked. When it can't be reached, passwords "
            "are taken."},
};
static const struct gh_config_table PASSWORDS_TABLE = {
    .name = "passwords",
    .doc = "Which passwords are taken, and how they are kept.",
    .size = SIZE_OF(passwords),
    .fields = PASSWORD_FIELDS,
    .field_count = COUNT(PASSWORD_FIELDS),
};

static const struct gh_config_field TWO_FACTOR_FIELDS[] = {
    {.name = "required_for",
     .type = GH_CONFIG_TYPE_LIST,
     WITHIN(two_factor, required_for),
     .default_yaml = "[admin]",
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "Roles whose holders can do nothing but switch on a second factor until it is on."},
    {.name = "drift",
     .type = GH_CONFIG_TYPE_INTEGER,
     WITHIN(two_factor, drift),
     .default_yaml = "1",
     .max = 1,
     .doc = "How many steps of 30 seconds a clock may be off, either way: 0 or 1."},
};
static const struct gh_config_table TWO_FACTOR_TABLE = {
    .name = "two_factor",
    .doc = "The second factor (TOTP, recovery codes).",
    .size = SIZE_OF(two_factor),
    .fields = TWO_FACTOR_FIELDS,
    .field_count = COUNT(TWO_FACTOR_FIELDS),
};

/* ---- what the backend is told, and by whom it may be asked ---- */

static const struct gh_config_field FORWARD_HEADER_FIELDS[] = {
    {.name = "user_id",
     .type = GH_CONFIG_TYPE_STRING,
     WITHIN(forward_headers, user_id),
     .default_yaml = "X-User-Id",
     .doc = "The header with the id of the account."},
    {.name = "user_email",
     .type = GH_CONFIG_TYPE_STRING,
     WITHIN(forward_headers, user_email),
     .default_yaml = "X-User-Email",
     .doc = "The header with the address."},
    {.name = "user_roles",
     .type = GH_CONFIG_TYPE_STRING,
     WITHIN(forward_headers, user_roles),
     .default_yaml = "X-User-Roles",
     .doc = "The header with the roles, separated by commas."},
    {.name = "session_id",
     .type = GH_CONFIG_TYPE_STRING,
     WITHIN(forward_headers, session_id),
     .default_yaml = "X-Session-Id",
     .doc = "The header with the id of the session."},
};
static const struct gh_config_table FORWARD_HEADERS_TABLE = {
    .name = "forward_headers",
    .doc = "Names of the headers that tell the backend who calls; copies that clients send are "
           "always removed.",
    .size = SIZE_OF(forward_headers),
    .fields = FORWARD_HEADER_FIELDS,
    .field_count = COUNT(FORWARD_HEADER_FIELDS),
};

static const struct gh_config_field COOKIE_FIELDS[] = {
    {.name = "same_site",
     .type = GH_CONFIG_TYPE_ENUM,
     .default_yaml = "lax",
     .names = SAME_SITE_NAMES,
     .doc = "SameSite of the session cookies. `none` only where the app is on another site."},
};
static const struct gh_config_table COOKIES_TABLE = {
    .name = "cookies",
    .doc = "Session cookies.",
    .size = SIZE_OF(same_site),
    .fields = COOKIE_FIELDS,
    .field_count = COUNT(COOKIE_FIELDS),
};

#define ISSUER(member) .offset = offsetof(struct gh_issuer_settings, member)
static const struct gh_config_field ISSUER_FIELDS[] = {
    {.name = "issuer",
     .type = GH_CONFIG_TYPE_STRING,
     ISSUER(issuer),
     .required = true,
     .doc = "`iss` of its tokens, byte for byte."},
    {.name = "jwks",
     .type = GH_CONFIG_TYPE_STRING,
     ISSUER(jwks),
     .required = true,
     .doc = "The URL of its key set."},
    {.name = "audience",
     .type = GH_CONFIG_TYPE_STRING,
     ISSUER(audience),
     .required = true,
     .doc = "What `aud` must hold."},
    {.name = "algorithms",
     .type = GH_CONFIG_TYPE_LIST,
     ISSUER(algorithms),
     .required = true,
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "The algorithms that are taken: EdDSA, ES256, RS256."},
    {.name = "roles_claim",
     .type = GH_CONFIG_TYPE_STRING,
     ISSUER(roles_claim),
     .doc = "The claim with the names of roles; without it such callers have none."},
};
static const struct gh_config_table ISSUER_TABLE = {
    .name = "issuers",
    .doc = "Another issuer whose tokens are taken.",
    .size = sizeof(struct gh_issuer_settings),
    .fields = ISSUER_FIELDS,
    .field_count = COUNT(ISSUER_FIELDS),
};
static const struct gh_config_field ISSUER_ITEM = {.type = GH_CONFIG_TYPE_TABLE,
                                                   .table = &ISSUER_TABLE};

static const struct gh_config_field AUTHZ_FIELDS[] = {
    {.name = "peers",
     .type = GH_CONFIG_TYPE_LIST,
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "Networks of the proxies that may ask; without any, forward-auth is off."},
};
static const struct gh_config_table AUTHZ_TABLE = {
    .name = "authz",
    .doc = "Forward-auth, for those who keep their proxy.",
    .size = SIZE_OF(authz_peers),
    .fields = AUTHZ_FIELDS,
    .field_count = COUNT(AUTHZ_FIELDS),
};

static const struct gh_config_field HOOK_FIELDS[] = {
    {.name = "export",
     .type = GH_CONFIG_TYPE_STRING,
     WITHIN(hooks, export),
     .doc = "Answers with what the backend holds on a person, as JSON."},
    {.name = "delete",
     .type = GH_CONFIG_TYPE_STRING,
     WITHIN(hooks, delete),
     .doc = "Erases what the backend holds on a person."},
};
static const struct gh_config_table HOOKS_TABLE = {
    .name = "hooks",
    .doc = "URLs of the backend that are called by POST with a token of the gateway's.",
    .size = SIZE_OF(hooks),
    .fields = HOOK_FIELDS,
    .field_count = COUNT(HOOK_FIELDS),
};

static const struct gh_config_field MAIL_FIELDS[] = {
    {.name = "from",
     .type = GH_CONFIG_TYPE_STRING,
     WITHIN(mail, from),
     .doc = "The sender: `Example <no-reply@example.com>`. Default: no-reply at the host of "
            "`public_url`."},
    {.name = "smtp",
     .type = GH_CONFIG_TYPE_STRING,
     WITHIN(mail, smtp),
     .doc = "`smtp://user:password@host:587` (STARTTLS is demanded) or `smtps://host:465`, as "
            "`env:NAME` or `file:PATH` when there is a password in it."},
    {.name = "folder",
     .type = GH_CONFIG_TYPE_STRING,
     WITHIN(mail, folder),
     .doc = "In development: mails are written here as `.eml` files."},
};
static const struct gh_config_table MAIL_TABLE = {
    .name = "mail",
    .doc = "How mails leave. Without smtp and folder, development logs their links.",
    .size = SIZE_OF(mail),
    .fields = MAIL_FIELDS,
    .field_count = COUNT(MAIL_FIELDS),
};

/* ---- identity ---- */

static const struct gh_config_field IDENTITY_FIELDS[] = {
    {.name = "enabled",
     .type = GH_CONFIG_TYPE_BOOL,
     IDENTITY(enabled),
     .doc = "Switches identity on. Default: false."},
    {.name = "base_path",
     .type = GH_CONFIG_TYPE_STRING,
     IDENTITY(base_path),
     .default_yaml = "/api/v1",
     .doc = "The path that the endpoints stand under."},
    {.name = "transport",
     .type = GH_CONFIG_TYPE_ENUM,
     IDENTITY(transport),
     .default_yaml = "cookie",
     .names = TRANSPORT_NAMES,
     .doc = "How clients hold their session: `cookie`, which scripts can't read, or `bearer`, for "
            "clients that are no browsers."},
    {.name = "email_verification",
     .type = GH_CONFIG_TYPE_ENUM,
     IDENTITY(email_verification),
     .names = VERIFICATION_NAMES,
     .doc = "Whether an address must be confirmed before its account can sign in: `required` (the "
            "default in production) or `off` (in development)."},
    {.name = "tokens",
     .type = GH_CONFIG_TYPE_TABLE,
     IDENTITY(tokens),
     .table = &TOKENS_TABLE,
     .doc = "Access and refresh tokens."},
    {.name = "sessions",
     .type = GH_CONFIG_TYPE_TABLE,
     IDENTITY(sessions),
     .table = &SESSIONS_TABLE,
     .doc = "How long somebody stays signed in."},
    {.name = "passwords",
     .type = GH_CONFIG_TYPE_TABLE,
     IDENTITY(passwords),
     .table = &PASSWORDS_TABLE,
     .doc = "Which passwords are taken, and how they are kept."},
    {.name = "two_factor",
     .type = GH_CONFIG_TYPE_TABLE,
     IDENTITY(two_factor),
     .table = &TWO_FACTOR_TABLE,
     .doc = "The second factor."},
    {.name = "roles",
     .type = GH_CONFIG_TYPE_LIST,
     IDENTITY(roles),
     .default_yaml = "[user, admin]",
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "Names of roles. The first is that of new accounts; `user` and `admin` are always "
            "there."},
    {.name = "forward",
     .type = GH_CONFIG_TYPE_ENUM,
     IDENTITY(forward),
     .default_yaml = "headers",
     .names = FORWARD_NAMES,
     .doc = "How the backend learns who calls: by `headers`, a signed `bearer` token, or `both`."},
    {.name = "forward_headers",
     .type = GH_CONFIG_TYPE_TABLE,
     IDENTITY(forward_headers),
     .table = &FORWARD_HEADERS_TABLE,
     .doc = "The names of those headers."},
    {.name = "cookies",
     .type = GH_CONFIG_TYPE_TABLE,
     IDENTITY(same_site),
     .table = &COOKIES_TABLE,
     .doc = "Session cookies."},
    {.name = "login_url",
     .type = GH_CONFIG_TYPE_STRING,
     IDENTITY(login_url),
     .default_yaml = "/login",
     .doc = "Where page loads are sent that need somebody signed in: a path of the app."},
    {.name = "issuers",
     .type = GH_CONFIG_TYPE_LIST,
     IDENTITY(issuers),
     .item = &ISSUER_ITEM,
     .doc = "Other issuers whose tokens are taken."},
    {.name = "authz",
     .type = GH_CONFIG_TYPE_TABLE,
     IDENTITY(authz_peers),
     .table = &AUTHZ_TABLE,
     .doc = "Forward-auth, for those who keep their proxy."},
    {.name = "hooks",
     .type = GH_CONFIG_TYPE_TABLE,
     IDENTITY(hooks),
     .table = &HOOKS_TABLE,
     .doc = "What is asked of the backend for export and erasure."},
    {.name = "mail",
     .type = GH_CONFIG_TYPE_TABLE,
     IDENTITY(mail),
     .table = &MAIL_TABLE,
     .doc = "How mails leave."},
};

const struct gh_config_table gh_identity_table = {
    .name = "identity",
    .doc = "Accounts, sign-in, sessions, roles.",
    .size = sizeof(struct gh_identity_settings),
    .fields = IDENTITY_FIELDS,
    .field_count = COUNT(IDENTITY_FIELDS),
};
