#include "ballot.h"

#include <string.h>

#include <jansson.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* jansson takes only UTF-8 as a text: the same judge as for what voters send. */
static bool is_name(const char *name, size_t bytes)
{
    if (bytes == 0 || bytes > BALLOT_OPTION_BYTES_MAX)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return false;
    }
    json_t *text = json_stringn(name, bytes);
    bool is_utf8 = text != NULL;
    json_decref(text);
    return is_utf8;
}

static bool add(struct ballot *ballot, const char *name, size_t bytes)
{
    while (bytes > 0 && is_blank(name[0]))
        name++, bytes--;
    while (bytes > 0 && is_blank(name[bytes - 1]))
        bytes--;
    if (ballot->count == BALLOT_OPTIONS_MAX || !is_name(name, bytes))
        return false;
    char *slot = ballot->options[ballot->count];
    memcpy(slot, name, bytes);
    slot[bytes] = '\0';
    if (ballot_find(ballot, slot) < ballot->count)
        return false;
    ballot->count++;
    return true;
}

bool ballot_parse(const char *list, struct ballot *out)
{
    struct ballot ballot = {.count = 0};
    for (const char *rest = list; rest;) {
        const char *comma = strchr(rest, ',');
        if (!add(&ballot, rest, comma ? (size_t)(comma - rest) : strlen(rest)))
            return false;
        rest = comma ? comma + 1 : NULL;
    }
    if (ballot.count < BALLOT_OPTIONS_MIN)
        return false;
    *out = ballot;
    return true;
}

size_t ballot_find(const struct ballot *ballot, const char *option)
{
    size_t i = 0;
    while (i < ballot->count && strcmp(ballot->options[i], option) != 0)
        i++;
    return i;
}

static enum ballot_verdict judge(const struct ballot *ballot, const json_t *vote,
                                 const char **out_option)
{
    const json_t *option = json_object_get(vote, "option");
    if (json_object_size(vote) != 1 || !json_is_string(option))
        return BALLOT_NOT_A_VOTE;
    /* No NUL inside: jansson refuses \u0000 unless told otherwise. */
    size_t index = ballot_find(ballot, json_string_value(option));
    if (index == ballot->count)
        return BALLOT_UNKNOWN_OPTION;
    *out_option = ballot->options[index];
    return BALLOT_VALID;
}

enum ballot_verdict ballot_judge(const struct ballot *ballot, const char *body, size_t body_bytes,
                                 const char **out_option)
{
    json_t *vote = json_loadb(body, body_bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (!vote)
        return BALLOT_NOT_JSON;
    enum ballot_verdict verdict = judge(ballot, vote, out_option);
    json_decref(vote);
    return verdict;
}
