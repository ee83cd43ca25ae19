#include "identity/mail_text.h"

#include "audit/record.h"
#include "base/num.h"

#define MESSAGE_BYTES_MAX (8u * 1024)
/* Of an encoded word, with what surrounds it (RFC 2047 section 2). */
#define WORD_CHARS_MAX 75
#define US_PER_DAY     ((uint64_t)24 * 60 * 60 * 1000000)

struct text {
    const char *name, *subject;
    const char *before; /* the link; "@" stands for the site */
    const char *after;
    bool has_link;
};

static const struct text TEXTS[] = {
    [GH_MAIL_CONFIRM] =
        {"confirm", "Confirm your e-mail address",
         "Somebody, most likely you, has made an account at @ with this address.\r\n"
         "To confirm the address, open this link within 15 minutes:\r\n",
         "If it was not you, do nothing: an account that is not confirmed can't be used.\r\n",
         true},
    [GH_MAIL_ALREADY] =
        {"already", "You have an account already",
         "Somebody, most likely you, has tried to make an account at @ with this\r\n"
         "address. There is one already: sign in with it, or reset its password if you\r\n"
         "have forgotten it.\r\n",
         "If it was not you, nothing has to be done: your account is as it was.\r\n", false},
    [GH_MAIL_CHANGE_CONFIRM] =
        {"change_confirm", "Confirm your new e-mail address",
         "An account at @ shall use this address from now on.\r\n"
         "To confirm it, open this link within 15 minutes:\r\n",
         "If it was not you, do nothing: the account keeps its old address.\r\n", true},
    [GH_MAIL_CHANGE_NOTICE] =
        {"change_notice", "Your e-mail address is about to change",
         "Somebody who knows your password has asked for another e-mail address for your\r\n"
         "account at @. It holds as soon as that address is confirmed.\r\n",
         "If it was not you, change your password at once.\r\n", false},
    [GH_MAIL_RESET] = {"reset", "Set a new password",
                       "A new password can be set for your account at @.\r\n"
                       "To choose it, open this link within 15 minutes:\r\n",
                       "If you did not ask for it, do nothing: your password is as it was.\r\n",
                       true},
    [GH_MAIL_PASSWORD_CHANGED] =
        {"password_changed", "Your password was changed",
         "The password of your account at @ was changed, and all other sessions\r\n"
         "were ended.\r\n",
         "If it was not you, reset your password at once.\r\n", false},
    [GH_MAIL_TWO_FACTOR_ON] =
        {"two_factor_on", "Two-factor sign-in is on",
         "Your account at @ now asks for a code from your app when you sign in.\r\n"
         "Keep the recovery codes where you find them without that device.\r\n",
         "If it was not you, change your password and ask an administrator for help.\r\n", false},
    [GH_MAIL_TWO_FACTOR_OFF] =
        {"two_factor_off", "Two-factor sign-in is off",
         "Your account at @ no longer asks for a code when you sign in.\r\n",
         "If it was not you, change your password and switch it on again.\r\n", false},
    [GH_MAIL_RECOVERY_USED] =
        {"recovery_used", "A recovery code was used",
         "One of the recovery codes of your account at @ was used in place of a\r\n"
         "code from your app. It can't be used again.\r\n",
         "If it was not you, change your password and make new recovery codes.\r\n", false},
    [GH_MAIL_SESSION_REUSED] =
        {"session_reused", "A session was ended for safety",
         "A sign-in of your account at @ was used from two places, as happens\r\n"
         "when it is stolen. That session was ended; sign in again to go on.\r\n",
         "If you see sign-ins that you don't know, change your password.\r\n", false},
    [GH_MAIL_DELETED] = {"deleted", "Your account was deleted",
                         "Your account at @ was deleted, with what was held about you.\r\n",
                         "This is the last mail about it.\r\n", false},
};
#define KIND_COUNT (sizeof(TEXTS) / sizeof(TEXTS[0]))

struct gh_str gh_mail_kind_name(enum gh_mail_kind kind)
{
    return gh_str_from_c(TEXTS[kind].name);
}

bool gh_mail_kind_parse(struct gh_str name, enum gh_mail_kind *out_kind)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (gh_str_eq(name, gh_str_from_c(TEXTS[i].name))) {
            *out_kind = (enum gh_mail_kind)i;
            return true;
        }
    }
    return false;
}

bool gh_mail_kind_has_link(enum gh_mail_kind kind)
{
    return TEXTS[kind].has_link;
}

/* ---- Header fields ---- */

static bool has_control(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return true;
    return false;
}

static bool is_ascii(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] > 0x7e)
            return false;
    return true;
}

/* "Sat, 31 Jan 2026 23:59:59 +0000" (RFC 5322 section 3.3), over the calendar of the audit log. */
static void put_date(struct gh_buf *buf, uint64_t time_us)
{
    static const char DAYS[] = "ThuFriSatSunMonTueWed"; /* 1970 began on a Thursday */
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char memory[GH_AUDIT_TIME_LEN + 1]; /* with the NUL that formatting writes */
    struct gh_buf time = gh_buf_over(memory, sizeof(memory));
    gh_audit_put_time(&time, time_us);
    if (time.overflow || time.len != GH_AUDIT_TIME_LEN) {
        buf->overflow = true;
        return;
    }
    size_t month = (size_t)(memory[5] - '0') * 10 + (size_t)(memory[6] - '0') - 1;
    gh_buf_put(buf, gh_str_of(DAYS + time_us / US_PER_DAY % 7 * 3, 3));
    gh_buf_put(buf, GH_STR(", "));
    gh_buf_put(buf, gh_str_of(memory + 8, 2));
    gh_buf_put_char(buf, ' ');
    gh_buf_put(buf, gh_str_of(MONTHS + month % 12 * 3, 3));
    gh_buf_put_char(buf, ' ');
    gh_buf_put(buf, gh_str_of(memory, 4));
    gh_buf_put_char(buf, ' ');
    gh_buf_put(buf, gh_str_of(memory + 11, 8));
    gh_buf_put(buf, GH_STR(" +0000"));
}

/* Encoded words in Q (RFC 2047 section 4.2), cut between characters. */
static void put_encoded(struct gh_buf *buf, struct gh_str name)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    static const struct gh_str OPEN = GH_STR_INIT("=?utf-8?Q?"), CLOSE = GH_STR_INIT("?=");
    size_t room = 0;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool begins_character = (c & 0xc0) != 0x80;
        if (begins_character && room < 12) { /* the longest character is =XX four times */
            if (i)
                gh_buf_put(buf, CLOSE);
            gh_buf_put(buf, i ? GH_STR("\r\n ") : GH_STR(""));
            gh_buf_put(buf, OPEN);
            room = WORD_CHARS_MAX - OPEN.len - CLOSE.len;
        }
        char lower = gh_ascii_lower((char)c);
        if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9')) {
            gh_buf_put_char(buf, (char)c);
            room -= 1;
            continue;
        }
        gh_buf_put_char(buf, '=');
        gh_buf_put_char(buf, DIGITS[c >> 4]);
        gh_buf_put_char(buf, DIGITS[c & 15]);
        room -= 3;
    }
    gh_buf_put(buf, CLOSE);
}

static void put_quoted(struct gh_buf *buf, struct gh_str name)
{
    gh_buf_put_char(buf, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"' || name.ptr[i] == '\\')
            gh_buf_put_char(buf, '\\');
        gh_buf_put_char(buf, name.ptr[i]);
    }
    gh_buf_put_char(buf, '"');
}

/* "Name <address>" with the name in a form that may stand in a header. */
static void put_sender(struct gh_buf *buf, struct gh_str from)
{
    size_t open = gh_str_find_char(from, '<');
    struct gh_str name = gh_str_trim_ows(gh_str_first(from, open < from.len ? open : 0));
    if (name.len >= 2 && name.ptr[0] == '"' && name.ptr[name.len - 1] == '"')
        name = gh_str_of(name.ptr + 1, name.len - 2);
    if (!name.len) {
        gh_buf_put(buf, open < from.len ? gh_str_skip(from, open) : from);
        return;
    }
    if (is_ascii(name))
        put_quoted(buf, name);
    else
        put_encoded(buf, name);
    gh_buf_put_char(buf, ' ');
    gh_buf_put(buf, gh_str_skip(from, open));
}

static void put_head(struct gh_buf *buf, const struct gh_mail_parts *parts)
{
    gh_buf_put(buf, GH_STR("From: "));
    put_sender(buf, parts->from);
    gh_buf_put(buf, GH_STR("\r\nTo: "));
    gh_buf_put(buf, parts->recipient);
    gh_buf_put(buf, GH_STR("\r\nSubject: "));
    gh_buf_put(buf, gh_str_from_c(TEXTS[parts->kind].subject));
    gh_buf_put(buf, GH_STR("\r\nDate: "));
    put_date(buf, parts->time_us);
    gh_buf_put(buf, GH_STR("\r\nMessage-ID: <"));
    gh_buf_put(buf, parts->message_id);
    gh_buf_put(buf, GH_STR(">\r\n"
                           "Auto-Submitted: auto-generated\r\n"
                           "MIME-Version: 1.0\r\n"
                           "Content-Type: text/plain; charset=utf-8\r\n"
                           "Content-Transfer-Encoding: 7bit\r\n"
                           "\r\n"));
}

/* ---- Text ---- */

static void put_text(struct gh_buf *buf, const char *text, struct gh_str site)
{
    for (struct gh_str rest = gh_str_from_c(text); rest.ptr;) {
        gh_buf_put(buf, gh_str_split(&rest, '@'));
        if (rest.ptr)
            gh_buf_put(buf, site);
    }
}

struct gh_str gh_mail_write(struct gh_arena *arena, const struct gh_mail_parts *parts)
{
    const struct text *text = &TEXTS[parts->kind];
    const struct gh_str fields[] = {parts->from, parts->recipient, parts->message_id, parts->site,
                                    parts->link};
    char *memory = gh_arena_alloc(arena, MESSAGE_BYTES_MAX);
    if (!memory)
        return (struct gh_str){NULL, 0};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (has_control(fields[i]))
            return (struct gh_str){NULL, 0};
    struct gh_buf buf = gh_buf_over(memory, MESSAGE_BYTES_MAX);
    put_head(&buf, parts);
    put_text(&buf, text->before, parts->site);
    gh_buf_put(&buf, GH_STR("\r\n"));
    if (parts->link.len) {
        gh_buf_put(&buf, parts->link);
        gh_buf_put(&buf, GH_STR("\r\n\r\n"));
    }
    put_text(&buf, text->after, parts->site);
    return buf.overflow ? (struct gh_str){NULL, 0} : gh_buf_str(&buf);
}
