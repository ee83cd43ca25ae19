/*
 * See password.h. The estimate is zxcvbn's (Wheeler, "zxcvbn: Low-Budget Password Strength
 * Estimation", USENIX Security 2016). Its time grows faster than the fourth power of the length for
 * texts like "2121..." (4 ms at 32 bytes, 27 ms at 48, 107 ms at 64), so it sees only the head of a
 * password; what comes behind it can only make it better.
 */
#include <zxcvbn.h>

#include "crypto/hash.h"
#include "crypto/password.h"

enum {
    LOOKED_AT_BYTES_MAX = 32,
    WORDS_MAX = 16,
    WORD_BYTES_MIN = 3, /* shorter ones are found in everything */
    WORD_BYTES_MAX = 40,
};

/* Words that are easy to guess for this user. */
struct words {
    const char *list[WORDS_MAX + 1]; /* ends with NULL, as zxcvbn wants it */
    char memory[WORDS_MAX][WORD_BYTES_MAX + 1];
    size_t count;
};

static void copy_text(char *out, struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) /* a NUL would end the text for zxcvbn */
        out[i] = text.ptr[i] ? text.ptr[i] : '\x01';
    out[text.len] = '\0';
}

static void add_word(struct words *words, struct gh_str word)
{
    word = gh_str_first(word, WORD_BYTES_MAX);
    if (word.len < WORD_BYTES_MIN || words->count == WORDS_MAX)
        return;
    char *memory = words->memory[words->count];
    copy_text(memory, word);
    words->list[words->count++] = memory;
}

static bool is_separator(char c)
{
    return c != '\0' && strchr("@.-_+ /:", c) != NULL;
}

/* A word, and what it is put together from: of an address its user, domain and their parts. */
static void add_word_and_parts(struct words *words, struct gh_str word)
{
    add_word(words, word);
    for (size_t at = 0; at < word.len;) {
        size_t end = at;
        while (end < word.len && !is_separator(word.ptr[end]))
            end++;
        if (end - at < word.len)
            add_word(words, gh_str_of(word.ptr + at, end - at));
        at = end + 1;
    }
}

/* One match with a word of the list, letters perhaps replaced by the usual digits, is all of it. */
static bool is_one_word(const ZxcMatch_t *match, size_t len)
{
    return match && !match->Next && match->Begin == 0 && (size_t)match->Length == len &&
           (match->Type == DICTIONARY_MATCH || match->Type == DICT_LEET_MATCH);
}

struct gh_password_strength gh_password_strength(struct gh_str password,
                                                 const struct gh_str *own_words,
                                                 size_t own_word_count)
{
    static const double LOG10_OF_2 = 0.30102999566398120;
    char text[LOOKED_AT_BYTES_MAX + 1];
    struct words words = {.count = 0};
    ZxcMatch_t *matches = NULL;
    for (size_t i = 0; i < own_word_count; i++)
        add_word_and_parts(&words, own_words[i]);
    copy_text(text, gh_str_first(password, LOOKED_AT_BYTES_MAX));
    double bits = ZxcvbnMatch(text, words.list, &matches);
    struct gh_password_strength strength = {.guesses_log10 = bits * LOG10_OF_2,
                                            .is_common = is_one_word(matches, password.len)};
    ZxcvbnFreeInfo(matches);
    gh_wipe(text, sizeof(text));
    return strength;
}
