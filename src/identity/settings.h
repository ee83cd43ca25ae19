/* The settings of identity as they are bound from the file (SPEC section 2), and their table. */
#ifndef GH_IDENTITY_SETTINGS_H
#define GH_IDENTITY_SETTINGS_H

#include "config/config.h"
#include "crypto/password.h"
#include "session/cookies.h"
#include "session/subject.h"
#include "token/key.h"

enum gh_transport { GH_TRANSPORT_COOKIE, GH_TRANSPORT_BEARER };
/* UNSET: required in production, off in development. */
enum gh_email_verification { GH_VERIFY_UNSET, GH_VERIFY_REQUIRED, GH_VERIFY_OFF };
/* In the order of enum gh_forward of policy. */
enum gh_identity_forward { GH_IDENTITY_HEADERS, GH_IDENTITY_BEARER, GH_IDENTITY_BOTH };

struct gh_issuer_settings {
    struct gh_str issuer, jwks, audience;
    struct gh_config_list algorithms; /* of struct gh_str */
    struct gh_str roles_claim;        /* empty: its subjects have no roles */
};

/* The longest tokens.access: what was issued under an earlier setting lives no longer either. */
#define GH_ACCESS_MS_MAX (60ull * 60 * 1000)

struct gh_identity_settings {
    bool enabled;
    struct gh_str base_path; /* "/api/v1" */
    enum gh_transport transport;
    enum gh_email_verification email_verification;
    struct {
        enum gh_token_alg algorithm; /* of tokens that leave us */
        uint64_t access_ms, refresh_grace_ms, rotate_after_ms;
        struct gh_str audience;
    } tokens;
    struct {
        uint64_t idle_ms, absolute_ms, remember_ms, fresh_ms;
        struct {
            uint64_t idle_ms, absolute_ms;
        } admin;
    } sessions;
    struct {
        enum gh_password_scheme hash;              /* ARGON2ID or BCRYPT */
        uint64_t memory_bytes, passes, log_rounds; /* 64 MiB, 2, 12 */
        uint64_t min_length, max_length;           /* in characters */
        struct gh_str breach;                      /* URL of a range API; empty: off */
    } passwords;
    struct {
        struct gh_config_list required_for; /* of struct gh_str: roles */
        uint64_t drift;                     /* steps: 0 or 1 */
    } two_factor;
    struct gh_config_list roles; /* of struct gh_str; the first is that of new accounts */
    enum gh_identity_forward forward;
    struct {
        struct gh_str user_id, user_email, user_roles, session_id;
    } forward_headers;
    enum gh_same_site same_site;
    struct gh_str login_url;
    struct gh_config_list issuers;     /* of struct gh_issuer_settings */
    struct gh_config_list authz_peers; /* of struct gh_str */
    struct {
        struct gh_str export, delete; /* URLs; empty: none */
    } hooks;
    struct {
        struct gh_str from;   /* "Example <no-reply@example.com>" */
        struct gh_str smtp;   /* URL, or env:NAME, file:PATH until the app has resolved it */
        struct gh_str folder; /* development: mails are written here */
    } mail;

    /* -- derived, by gh_identity_settings_finish -- */
    bool production;
    bool verify_email;
    bool plain_cookies;       /* development on plain localhost */
    struct gh_str public_url; /* of links in mails and of `iss`; without a path */
    struct gh_role_names role_names;
    gh_roles admin, required_for, default_roles; /* bits */
};

extern const struct gh_config_table gh_identity_table;

/* What the rest of the configuration says. */
struct gh_identity_surroundings {
    bool production;
    bool tls;                 /* a listener with TLS, or a trusted proxy that may do it */
    struct gh_str public_url; /* empty: http://localhost */
};
/* Checks the settings among themselves and fills what is derived; problems go to `load`. `user` and
   `admin` are always roles. */
void gh_identity_settings_finish(struct gh_config_load *load, struct gh_identity_settings *settings,
                                 const struct gh_identity_surroundings *surroundings);

/* What identity.mail.smtp, or what it refers to, must be: smtp://host:587 or smtps://host:465, with
   user name and password percent-encoded. */
bool gh_identity_is_smtp_url(struct gh_str text);

#endif
