/* Words of names and what they mean. */
#include "openapi/lint_names.h"

#define WORDS_MAX 2
#define WORD_MAX  24

/* The last two words, lower case; words[0] is the last one. */
struct words {
    char text[WORDS_MAX][WORD_MAX + 1];
    size_t count; /* of all words, at most WORDS_MAX + 1 */
};

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_word_char(char c)
{
    char low = gh_ascii_lower(c);
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9');
}

/* Does a word begin at i? "userID": at U and I; "eMail" is two words. */
static bool begins_word(struct gh_str name, size_t i)
{
    if (i == 0 || !is_word_char(name.ptr[i - 1]))
        return true;
    bool after_lower = is_upper(name.ptr[i]) && !is_upper(name.ptr[i - 1]);
    bool before_lower = i + 1 < name.len && is_upper(name.ptr[i]) && is_upper(name.ptr[i - 1]) &&
                        is_word_char(name.ptr[i + 1]) && !is_upper(name.ptr[i + 1]);
    return after_lower || before_lower;
}

static void take_word(struct words *words, struct gh_str word)
{
    char *at = words->text[words->count < WORDS_MAX ? words->count : 0];
    if (words->count++ >= WORDS_MAX || word.len > WORD_MAX)
        return;
    for (size_t i = 0; i < word.len; i++)
        at[i] = gh_ascii_lower(word.ptr[i]);
}

static struct words words_of(struct gh_str name)
{
    struct words words = {.count = 0};
    size_t end = name.len;
    while (end > 0 && words.count <= WORDS_MAX) {
        if (!is_word_char(name.ptr[end - 1])) {
            end--;
            continue;
        }
        size_t start = end - 1;
        while (start > 0 && !begins_word(name, start))
            start--;
        take_word(&words, gh_str_of(name.ptr + start, end - start));
        end = start;
    }
    return words;
}

static bool is_word(const struct words *words, size_t index, const char *wanted)
{
    return index < words->count && index < WORDS_MAX && strcmp(words->text[index], wanted) == 0;
}

/* `before` NULL: whatever stands before; "": nothing may. */
struct ending {
    const char *before, *last;
    enum gh_lint_meaning meaning;
};

static bool ends_so(const struct words *words, const struct ending *ending)
{
    if (!is_word(words, 0, ending->last))
        return false;
    if (!ending->before)
        return true;
    return *ending->before ? is_word(words, 1, ending->before) : words->count == 1;
}

static const struct ending MEANINGS[] = {
    {"email", "address", GH_MEANS_EMAIL},
    {"mail", "address", GH_MEANS_EMAIL},
    {NULL, "email", GH_MEANS_EMAIL},
    {"e", "mail", GH_MEANS_EMAIL},
    {"", "mail", GH_MEANS_EMAIL},
    {"phone", "number", GH_MEANS_PHONE},
    {"mobile", "number", GH_MEANS_PHONE},
    {"fax", "number", GH_MEANS_PHONE},
    {NULL, "phone", GH_MEANS_PHONE},
    {NULL, "telephone", GH_MEANS_PHONE},
    {"", "mobile", GH_MEANS_PHONE},
    {"", "tel", GH_MEANS_PHONE},
    {NULL, "msisdn", GH_MEANS_PHONE},
    {"", "fax", GH_MEANS_PHONE},
    {NULL, "code", GH_MEANS_CODE},
    {NULL, "postcode", GH_MEANS_CODE},
    {NULL, "zip", GH_MEANS_CODE},
    {NULL, "otp", GH_MEANS_CODE},
    {NULL, "pin", GH_MEANS_CODE},
    {NULL, "iban", GH_MEANS_CODE},
    {NULL, "bic", GH_MEANS_CODE},
    {NULL, "isbn", GH_MEANS_CODE},
    {NULL, "ean", GH_MEANS_CODE},
    {NULL, "sku", GH_MEANS_CODE},
    {NULL, "url", GH_MEANS_URL},
    {NULL, "uri", GH_MEANS_URL},
    {NULL, "link", GH_MEANS_URL},
    {NULL, "href", GH_MEANS_URL},
    {NULL, "description", GH_MEANS_PROSE},
    {NULL, "comment", GH_MEANS_PROSE},
    {NULL, "comments", GH_MEANS_PROSE},
    {NULL, "body", GH_MEANS_PROSE},
    {NULL, "content", GH_MEANS_PROSE},
    {NULL, "text", GH_MEANS_PROSE},
    {NULL, "message", GH_MEANS_PROSE},
    {NULL, "note", GH_MEANS_PROSE},
    {NULL, "notes", GH_MEANS_PROSE},
    {NULL, "bio", GH_MEANS_PROSE},
    {NULL, "summary", GH_MEANS_PROSE},
    {NULL, "password", GH_MEANS_SECRET},
    {NULL, "passphrase", GH_MEANS_SECRET},
    {NULL, "token", GH_MEANS_SECRET},
    {NULL, "secret", GH_MEANS_SECRET},
    {NULL, "jwt", GH_MEANS_SECRET},
    {NULL, "id", GH_MEANS_ID},
    {NULL, "ids", GH_MEANS_ID},
};

static const struct ending TARGETS[] = {
    {"redirect", "uri", GH_MEANS_URL}, {"redirect", "url", GH_MEANS_URL},
    {"callback", "url", GH_MEANS_URL}, {"callback", "uri", GH_MEANS_URL},
    {"return", "to", GH_MEANS_URL},    {"return", "url", GH_MEANS_URL},
    {"target", "url", GH_MEANS_URL},   {"image", "url", GH_MEANS_URL},
    {"webhook", "url", GH_MEANS_URL},  {NULL, "callback", GH_MEANS_URL},
    {"", "redirect", GH_MEANS_URL},    {NULL, "webhook", GH_MEANS_URL},
    {"", "url", GH_MEANS_URL},         {"", "uri", GH_MEANS_URL},
};

static const struct ending CREDENTIALS[] = {
    {"client", "secret", GH_MEANS_SECRET}, {"access", "token", GH_MEANS_SECRET},
    {"refresh", "token", GH_MEANS_SECRET}, {"id", "token", GH_MEANS_SECRET},
    {"api", "key", GH_MEANS_SECRET},       {"", "token", GH_MEANS_SECRET},
    {NULL, "password", GH_MEANS_SECRET},   {NULL, "passwd", GH_MEANS_SECRET},
    {NULL, "secret", GH_MEANS_SECRET},     {"", "apikey", GH_MEANS_SECRET},
    {NULL, "jwt", GH_MEANS_SECRET},        {"session", "id", GH_MEANS_SECRET},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct ending *find(const struct ending *table, size_t count, struct gh_str name)
{
    struct words words = words_of(name);
    for (size_t i = 0; i < count; i++)
        if (ends_so(&words, &table[i]))
            return &table[i];
    return NULL;
}

enum gh_lint_meaning gh_lint_meaning_of(struct gh_str name)
{
    const struct ending *ending = find(MEANINGS, COUNT(MEANINGS), name);
    return ending ? ending->meaning : GH_MEANS_NOTHING;
}

bool gh_lint_is_target(struct gh_str name)
{
    return find(TARGETS, COUNT(TARGETS), name) != NULL;
}

bool gh_lint_is_credential(struct gh_str name)
{
    return find(CREDENTIALS, COUNT(CREDENTIALS), name) != NULL;
}
