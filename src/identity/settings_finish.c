/* The settings of identity among themselves: what can't be, what is seldom meant, what follows. */
#include "identity/settings.h"

#include "identity/url.h"

#define PATH_BYTES_MAX        256
#define ROLE_BYTES_MAX        64
#define ISSUERS_MAX           8 /* each is asked for its keys all the time */
#define HEADER_NAME_BYTES_MAX 64
#define SENDER_BYTES_MAX      320
#define AUDIENCE_BYTES_MAX    256
#define ARGON2_FLOOR_BYTES    (19ull * 1024 * 1024) /* OWASP's least, with two passes */

#define USER  GH_STR("user")
#define ADMIN GH_STR("admin")

static void add_error(struct gh_config_load *load, const void *field, const char *remedy,
                      const char *what)
{
    gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, field), remedy, "%s", what);
}

/* About one value: `what` holds a "%.*s" for it. */
static void add_error_about(struct gh_config_load *load, const struct gh_str *value,
                            const char *remedy, const char *what)
{
    struct gh_str shown = gh_config_show(load->arena, *value);
    gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, value), remedy,
                          "\"%.*s\" %s", GH_STR_ARG(shown), what);
}

static void add_warning(struct gh_config_load *load, const void *field, const char *remedy,
                        const char *what)
{
    gh_config_problem_add(load, GH_CONFIG_WARNING, gh_config_where(load, field), remedy, "%s",
                          what);
}

static bool is_written(const struct gh_config_load *load, const void *field)
{
    return gh_config_where(load, field).line > 0;
}

static bool is_alnum(char c)
{
    char lower = gh_ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

/* Only letters, digits and `others`. */
static bool consists_of(struct gh_str text, const char *others)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_alnum(text.ptr[i]) && (!text.ptr[i] || !strchr(others, text.ptr[i])))
            return false;
    return true;
}

static bool contains(const struct gh_config_list *list, struct gh_str text)
{
    const struct gh_str *items = list->items;
    for (size_t i = 0; i < list->count; i++)
        if (gh_str_eq(items[i], text))
            return true;
    return false;
}

/* ---- Roles ---- */

/* The names of the file, then `user` and `admin` where they are missing. */
static bool name_roles(struct gh_config_load *load, struct gh_identity_settings *settings)
{
    size_t count =
        settings->roles.count < GH_ROLES_MAX - 2 ? settings->roles.count : GH_ROLES_MAX - 2;
    struct gh_str *names = gh_arena_zalloc(load->arena, count + 2, sizeof(*names));
    if (!names) {
        add_error(load, &settings->roles, NULL, "the configuration is too large");
        return false;
    }
    if (count)
        memcpy(names, settings->roles.items, count * sizeof(*names));
    if (!contains(&settings->roles, USER))
        names[count++] = USER;
    if (!contains(&settings->roles, ADMIN))
        names[count++] = ADMIN;
    settings->role_names = (struct gh_role_names){names, count};
    settings->admin = gh_role_bit(&settings->role_names, ADMIN);
    settings->default_roles = gh_role_bit(&settings->role_names, names[0]);
    return true;
}

static void check_roles(struct gh_config_load *load, const struct gh_identity_settings *settings)
{
    const struct gh_str *roles = settings->roles.items;
    if (settings->roles.count > GH_ROLES_MAX - 2)
        add_error(load, &settings->roles, "use at most 62 beside `user` and `admin`",
                  "identity.roles names too many roles");
    for (size_t i = 0; i < settings->roles.count; i++) {
        struct gh_config_list before = {settings->roles.items, i};
        if (!roles[i].len || roles[i].len > ROLE_BYTES_MAX || !consists_of(roles[i], "_-.:"))
            add_error_about(load, &roles[i],
                            "use up to 64 letters, digits and _ - . :", "is no name for a role");
        else if (contains(&before, roles[i]))
            add_error_about(load, &roles[i], "keep one of them", "stands in identity.roles twice");
    }
    if (settings->roles.count && gh_str_eq(roles[0], ADMIN))
        add_error(load, &settings->roles, "put the role of new accounts first: [user, admin]",
                  "the first of identity.roles is given to new accounts, and it is admin");
}

static void check_required_for(struct gh_config_load *load, struct gh_identity_settings *settings)
{
    const struct gh_str *roles = settings->two_factor.required_for.items;
    bool admins = false;
    for (size_t i = 0; i < settings->two_factor.required_for.count; i++) {
        gh_roles bit = gh_role_bit(&settings->role_names, roles[i]);
        if (!bit)
            add_error_about(load, &roles[i], "name roles of identity.roles",
                            "is not a role, but two_factor.required_for names it");
        settings->required_for |= bit;
        admins |= bit == settings->admin;
    }
    if (!admins && settings->production)
        add_warning(load, &settings->two_factor.required_for, "add admin",
                    "admins may do without a second factor");
}

/* ---- Paths and names ---- */

static bool is_canonical_path(struct gh_str path)
{
    if (path.len < 2 || path.len > PATH_BYTES_MAX || path.ptr[0] != '/')
        return false;
    for (struct gh_str rest = gh_str_skip(path, 1); rest.ptr;) {
        struct gh_str segment = gh_str_split(&rest, '/');
        if (!segment.len || gh_str_eq(segment, GH_STR(".")) || gh_str_eq(segment, GH_STR("..")) ||
            !consists_of(segment, "-._~"))
            return false;
    }
    return true;
}

/* "//host" and "/\host" lead to another origin; a query and a fragment are the return path's. */
static bool is_app_path(struct gh_str path)
{
    if (!path.len || path.len > PATH_BYTES_MAX || path.ptr[0] != '/' ||
        gh_str_starts_with(path, GH_STR("//")))
        return false;
    return consists_of(path, "/-._~!$&'()*+,;=:@");
}

static void check_paths(struct gh_config_load *load, const struct gh_identity_settings *settings)
{
    if (!is_canonical_path(settings->base_path))
        add_error_about(load, &settings->base_path, "write it like /api/v1",
                        "can't be identity.base_path");
    if (!is_app_path(settings->login_url))
        add_error_about(load, &settings->login_url,
                        "write a path of the same origin like /login, without query",
                        "can't be identity.login_url");
}

static bool is_reserved_header(struct gh_str name)
{
    static const char *const NAMES[] = {
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "origin",
        "proxy-connection",
        "referer",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-request-id",
        "traceparent",
    };
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (gh_str_ieq(name, gh_str_from_c(NAMES[i])))
            return true;
    return false;
}

static void check_headers(struct gh_config_load *load, const struct gh_identity_settings *settings)
{
    const struct gh_str *names[] = {
        &settings->forward_headers.user_id,
        &settings->forward_headers.user_email,
        &settings->forward_headers.user_roles,
        &settings->forward_headers.session_id,
    };
    for (size_t i = 0; i < 4; i++) {
        if (!names[i]->len || names[i]->len > HEADER_NAME_BYTES_MAX ||
            !consists_of(*names[i], "-") || is_reserved_header(*names[i]))
            add_error_about(load, names[i], "use letters, digits and -, as in X-User-Id",
                            "can't be the name of an identity header");
        for (size_t k = 0; k < i; k++)
            if (gh_str_ieq(*names[i], *names[k]))
                add_error_about(load, names[i], "give each header a name of its own",
                                "names two identity headers");
    }
}

/* ---- Tokens, sessions, passwords ---- */

static void check_tokens(struct gh_config_load *load, const struct gh_identity_settings *settings)
{
    const struct gh_str *audience = &settings->tokens.audience;
    if (!audience->len || audience->len > AUDIENCE_BYTES_MAX || !consists_of(*audience, "-._~:/@+"))
        add_error_about(load, audience, "use letters, digits and - . _ ~ : / @ +",
                        "can't be identity.tokens.audience");
    if (settings->tokens.refresh_grace_ms >= settings->tokens.access_ms)
        add_error(load, &settings->tokens.refresh_grace_ms, "write 10s",
                  "refresh_grace is not shorter than the life of access tokens");
    bool sends_tokens = settings->forward != GH_IDENTITY_HEADERS || settings->hooks.export.len ||
                        settings->hooks.delete.len;
    if (settings->tokens.algorithm == GH_TOKEN_HS256 && sends_tokens)
        add_warning(load, &settings->tokens.algorithm, "use EdDSA or ES256",
                    "the backend can't verify its bearer tokens: HS256 keys are not published");
}

static void check_sessions(struct gh_config_load *load, const struct gh_identity_settings *settings)
{
    if (settings->sessions.idle_ms > settings->sessions.absolute_ms)
        add_error(load, &settings->sessions.idle_ms, "write a shorter one",
                  "sessions.idle is longer than sessions.absolute");
    if (settings->sessions.admin.idle_ms > settings->sessions.admin.absolute_ms)
        add_error(load, &settings->sessions.admin.idle_ms, "write a shorter one",
                  "sessions.admin.idle is longer than sessions.admin.absolute");
    if (settings->sessions.remember_ms < settings->sessions.absolute_ms)
        add_error(load, &settings->sessions.remember_ms, "write a longer one",
                  "sessions.remember is shorter than sessions.absolute");
    if (settings->sessions.idle_ms < settings->tokens.access_ms ||
        settings->sessions.admin.idle_ms < settings->tokens.access_ms)
        add_warning(load, &settings->tokens.access_ms, "make tokens.access the shortest",
                    "access tokens live longer than an idle session may");
    if (settings->sessions.admin.idle_ms > settings->sessions.idle_ms ||
        settings->sessions.admin.absolute_ms > settings->sessions.absolute_ms)
        add_warning(load, &settings->sessions.admin, NULL,
                    "sessions of admins may last longer than those of others");
}

static void check_passwords(struct gh_config_load *load,
                            const struct gh_identity_settings *settings)
{
    bool bcrypt = settings->passwords.hash == GH_PASSWORD_BCRYPT;
    if (settings->passwords.min_length > settings->passwords.max_length)
        add_error(load, &settings->passwords.min_length, "write a smaller one",
                  "passwords.min_length is over passwords.max_length");
    if (bcrypt && settings->passwords.max_length > GH_BCRYPT_PASSWORD_BYTES_MAX &&
        is_written(load, &settings->passwords.max_length))
        add_warning(load, &settings->passwords.max_length, "write 72, or use argon2id",
                    "bcrypt reads 72 bytes: longer passwords are refused, never cut");
    if (!bcrypt && settings->production && settings->passwords.memory_bytes < ARGON2_FLOOR_BYTES)
        add_warning(load, &settings->passwords.memory_bytes, "use 19MiB and 2 passes at least",
                    "password hashes are cheap to guess with so little memory");
}

/* ---- URLs of others ---- */

/* Plain http only where nobody stands between: loopback. */
static bool is_secure_url(struct gh_str text, bool loopback_may_be_plain, struct gh_url *out_url)
{
    if (!gh_url_parse(text, out_url) || out_url->userinfo.ptr || out_url->has_fragment)
        return false;
    return gh_str_eq(out_url->scheme, GH_STR("https")) ||
           (gh_str_eq(out_url->scheme, GH_STR("http")) && loopback_may_be_plain &&
            gh_url_is_loopback(out_url));
}

static void check_algorithms(struct gh_config_load *load, const struct gh_issuer_settings *issuer)
{
    const struct gh_str *names = issuer->algorithms.items;
    if (!issuer->algorithms.count)
        add_error(load, &issuer->algorithms, "name those that it signs with: [RS256]",
                  "an issuer without algorithms");
    for (size_t i = 0; i < issuer->algorithms.count; i++) {
        enum gh_token_alg alg;
        if (!gh_token_alg_parse(names[i], &alg) || alg == GH_TOKEN_HS256)
            add_error_about(load, &names[i], "use EdDSA, ES256 or RS256",
                            "is no algorithm that is taken from another issuer");
    }
}

static void check_issuer(struct gh_config_load *load, const struct gh_identity_settings *settings,
                         const struct gh_issuer_settings *issuer)
{
    struct gh_url url;
    bool development = !settings->production;
    if (!is_secure_url(issuer->issuer, development, &url))
        add_error_about(load, &issuer->issuer, "write its https:// URL",
                        "can't be the issuer of tokens");
    else if (gh_str_eq(issuer->issuer, settings->public_url))
        add_error_about(load, &issuer->issuer, "leave it out: own tokens are known",
                        "is this gateway itself");
    if (!is_secure_url(issuer->jwks, development, &url))
        add_error_about(load, &issuer->jwks, "write its https:// URL",
                        "can't be the place of a key set");
    if (!issuer->audience.len)
        add_error(load, &issuer->audience, "write what its tokens for this API hold as aud",
                  "an issuer without audience");
    check_algorithms(load, issuer);
}

static void check_issuers(struct gh_config_load *load, const struct gh_identity_settings *settings)
{
    const struct gh_issuer_settings *issuers = settings->issuers.items;
    if (settings->issuers.count > ISSUERS_MAX)
        add_error(load, &settings->issuers, NULL, "more than 8 issuers");
    for (size_t i = 0; i < settings->issuers.count; i++) {
        check_issuer(load, settings, &issuers[i]);
        for (size_t k = 0; k < i; k++)
            if (gh_str_eq(issuers[i].issuer, issuers[k].issuer))
                add_error_about(load, &issuers[i].issuer, "keep one of them",
                                "stands in identity.issuers twice");
    }
}

static void check_hook(struct gh_config_load *load, const struct gh_identity_settings *settings,
                       const struct gh_str *hook)
{
    struct gh_url url;
    if (!hook->len)
        return;
    if (!gh_url_parse(*hook, &url) || url.userinfo.ptr || url.has_fragment || !url.path.len ||
        (!gh_str_eq(url.scheme, GH_STR("http")) && !gh_str_eq(url.scheme, GH_STR("https")))) {
        add_error_about(load, hook, "write it like http://127.0.0.1:8000/internal/export",
                        "can't be a hook");
        return;
    }
    bool near = gh_url_is_loopback(&url) ||
                (url.ip.family != GH_IP_NONE && gh_ip_is_private(&url.ip)) ||
                (url.ip.family == GH_IP_NONE && gh_str_find_char(url.host, '.') == url.host.len);
    if (settings->production && !near && gh_str_eq(url.scheme, GH_STR("http")))
        add_warning(load, hook, "use https, or an address of a private network",
                    "a hook carries personal data over plain http");
}

static void check_authz(struct gh_config_load *load, const struct gh_identity_settings *settings)
{
    const struct gh_str *peers = settings->authz_peers.items;
    struct gh_ip_network network;
    for (size_t i = 0; i < settings->authz_peers.count; i++)
        if (!gh_str_eq(peers[i], GH_STR("unix")) && !gh_ip_network_parse(peers[i], &network))
            add_error_about(load, &peers[i], "write it like 10.0.0.0/8 or 127.0.0.1, or unix",
                            "is no network");
}

static void finish_breach(struct gh_config_load *load, struct gh_identity_settings *settings)
{
    struct gh_url url;
    if (gh_str_eq(settings->passwords.breach, GH_STR("off")))
        settings->passwords.breach = GH_STR("");
    else if (settings->passwords.breach.len &&
             !is_secure_url(settings->passwords.breach, true, &url))
        add_error_about(load, &settings->passwords.breach,
                        "write the https:// URL of a range API, or off",
                        "can't be identity.passwords.breach");
}

/* ---- Mail ---- */

bool gh_identity_is_smtp_url(struct gh_str text)
{
    struct gh_url url;
    return gh_url_parse(text, &url) && !url.has_fragment &&
           (url.path.len == 0 || gh_str_eq(url.path, GH_STR("/"))) &&
           (gh_str_eq(url.scheme, GH_STR("smtp")) || gh_str_eq(url.scheme, GH_STR("smtps")));
}

/* The URL may still be a reference to where it stands. */
static bool is_smtp(struct gh_str text)
{
    if (gh_str_starts_with(text, GH_STR("env:")))
        return text.len > 4 && consists_of(gh_str_skip(text, 4), "_");
    if (gh_str_starts_with(text, GH_STR("file:")))
        return text.len > 5;
    return gh_identity_is_smtp_url(text);
}

/* A mailbox (RFC 5322 section 3.4) in the two forms that people write: address, or name and
   <address>. It goes into a header, so no control byte may be in it. */
static bool is_sender(struct gh_str from)
{
    if (!from.len || from.len > SENDER_BYTES_MAX)
        return false;
    for (size_t i = 0; i < from.len; i++)
        if ((unsigned char)from.ptr[i] < ' ' || from.ptr[i] == 0x7f)
            return false;
    struct gh_str address = from;
    size_t open = gh_str_find_char(from, '<');
    if (open < from.len) {
        if (from.ptr[from.len - 1] != '>')
            return false;
        address = gh_str_of(from.ptr + open + 1, from.len - open - 2);
    }
    size_t at = gh_str_find_char(address, '@');
    struct gh_str domain = gh_str_skip(address, at + 1);
    return at > 0 && at < address.len && domain.len > 0 &&
           consists_of(gh_str_first(address, at), "!#$%&'*+-/=?^_`{|}~.") &&
           consists_of(domain, "-.");
}

static void finish_sender(struct gh_config_load *load, struct gh_identity_settings *settings)
{
    if (!settings->mail.from.len) {
        struct gh_str host = gh_url_host_of(settings->public_url);
        settings->mail.from = gh_arena_format(load->arena, "no-reply@%.*s", GH_STR_ARG(host));
        if (!settings->mail.from.ptr)
            add_error(load, &settings->mail.from, NULL, "the configuration is too large");
    } else if (!is_sender(settings->mail.from)) {
        add_error_about(load, &settings->mail.from,
                        "write it like \"Example <no-reply@example.com>\"",
                        "can't be the sender of mails");
    }
}

static void check_mail(struct gh_config_load *load, struct gh_identity_settings *settings)
{
    finish_sender(load, settings);
    if (settings->mail.smtp.len && !is_smtp(settings->mail.smtp))
        add_error_about(load, &settings->mail.smtp,
                        "write smtp://host:587, smtps://host:465, or env:NAME",
                        "can't be identity.mail.smtp");
    if (settings->mail.smtp.len && settings->mail.folder.len)
        add_error(load, &settings->mail.folder, "keep one of them",
                  "mail.smtp and mail.folder are both set");
    if (!settings->production || settings->mail.smtp.len)
        return;
    if (settings->mail.folder.len)
        add_warning(load, &settings->mail.folder, "set mail.smtp",
                    "mails are written into a folder and reach nobody");
    else
        add_warning(load, &settings->mail.smtp, "set identity.mail.smtp: env:SMTP_URL",
                    settings->verify_email
                        ? "links can't be sent: new accounts can't be confirmed, nor passwords "
                          "reset"
                        : "links can't be sent: passwords can't be reset");
}

/* ---- What follows from the rest of the file ---- */

static void derive(struct gh_config_load *load, struct gh_identity_settings *settings,
                   const struct gh_identity_surroundings *surroundings)
{
    struct gh_url url;
    struct gh_str public_url =
        surroundings->public_url.len ? surroundings->public_url : GH_STR("http://localhost");
    bool known = gh_url_parse(public_url, &url);
    if (known) /* links add paths of their own */
        public_url =
            gh_str_first(public_url, (size_t)(url.host.ptr - public_url.ptr) + url.host.len);
    if (known && url.port) {
        struct gh_str with_port =
            gh_arena_format(load->arena, "%.*s:%u", GH_STR_ARG(public_url), (unsigned)url.port);
        public_url = with_port.ptr ? with_port : public_url;
    }
    settings->public_url = public_url;
    settings->production = surroundings->production;
    settings->verify_email = settings->email_verification == GH_VERIFY_UNSET
                                 ? surroundings->production
                                 : settings->email_verification == GH_VERIFY_REQUIRED;
    settings->plain_cookies = !surroundings->production && known &&
                              gh_str_eq(url.scheme, GH_STR("http")) && gh_url_is_loopback(&url);
}

static void check_cookies(struct gh_config_load *load, const struct gh_identity_settings *settings,
                          const struct gh_identity_surroundings *surroundings)
{
    bool https = !settings->plain_cookies && surroundings->tls;
    if (settings->same_site == GH_SAME_SITE_NONE && !https)
        add_error(load, &settings->same_site, "use lax, or serve https",
                  "cookies with same_site none need https");
    else if (settings->transport == GH_TRANSPORT_COOKIE && settings->production && !https)
        add_warning(load, &settings->transport,
                    "add a listener with tls, or the proxy that has it to trusted_proxies",
                    "session cookies go over https only, and nothing here serves it");
    if (settings->production && settings->email_verification == GH_VERIFY_OFF)
        add_warning(load, &settings->email_verification, "use required",
                    "anybody can make an account with the address of somebody else");
    if (settings->production && !surroundings->public_url.len)
        add_warning(load, &settings->enabled, "set public_url",
                    "links in mails lead to localhost: public_url is not set");
}

void gh_identity_settings_finish(struct gh_config_load *load, struct gh_identity_settings *settings,
                                 const struct gh_identity_surroundings *surroundings)
{
    derive(load, settings, surroundings);
    if (!name_roles(load, settings) || !settings->enabled)
        return;
    check_roles(load, settings);
    check_required_for(load, settings);
    check_paths(load, settings);
    check_headers(load, settings);
    check_tokens(load, settings);
    check_sessions(load, settings);
    check_passwords(load, settings);
    finish_breach(load, settings);
    check_issuers(load, settings);
    check_hook(load, settings, &settings->hooks.export);
    check_hook(load, settings, &settings->hooks.delete);
    check_authz(load, settings);
    check_mail(load, settings);
    check_cookies(load, settings, surroundings);
}
