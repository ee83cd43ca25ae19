/*
 * Numbers that the fast reader of parse.c leaves: with an exponent, malformed, or not
 * over where the text so far is (RFC 8259 section 6). A state machine, so that it can go on.
 */
#include "json/parse_state.h"

enum state {
    STATE_START,
    STATE_MINUS,
    STATE_ZERO, /* no digit may follow */
    STATE_INTEGER,
    STATE_POINT,
    STATE_FRACTION,
    STATE_E,
    STATE_E_SIGN,
    STATE_EXPONENT,
    STATE_OVER, /* the byte is not part of the number */
};

static enum state digit_after(enum state state, char digit)
{
    switch (state) {
    case STATE_START:
    case STATE_MINUS:
        return digit == '0' ? STATE_ZERO : STATE_INTEGER;
    case STATE_INTEGER:
        return STATE_INTEGER;
    case STATE_POINT:
    case STATE_FRACTION:
        return STATE_FRACTION;
    case STATE_E:
    case STATE_E_SIGN:
    case STATE_EXPONENT:
        return STATE_EXPONENT;
    case STATE_ZERO:
    case STATE_OVER:
        return STATE_OVER;
    }
    return STATE_OVER;
}

static bool is_integer(enum state state)
{
    return state == STATE_ZERO || state == STATE_INTEGER;
}

static bool may_end(enum state state)
{
    return is_integer(state) || state == STATE_FRACTION || state == STATE_EXPONENT;
}

static enum state step(enum state state, char c)
{
    if (c >= '0' && c <= '9')
        return digit_after(state, c);
    if (c == '-' && state == STATE_START)
        return STATE_MINUS;
    if (c == '.' && is_integer(state))
        return STATE_POINT;
    if ((c == 'e' || c == 'E') && (is_integer(state) || state == STATE_FRACTION))
        return STATE_E;
    if ((c == '-' || c == '+') && state == STATE_E)
        return STATE_E_SIGN;
    return STATE_OVER;
}

const char *gh_json_read_number(struct gh_json_parser *parser, const char *start,
                                bool *out_is_integer)
{
    const char *at = start + parser->token.seen;
    enum state state = (enum state)parser->token.number_state;
    while (at < parser->end) {
        enum state next = step(state, *at);
        if (next == STATE_OVER)
            break;
        state = next;
        at++;
    }
    if (at == parser->end && !parser->is_whole) {
        parser->token.seen = (size_t)(at - start);
        parser->token.number_state = (uint8_t)state;
        return gh_json_suspend(parser, start);
    }
    if (!may_end(state)) {
        enum gh_json_status status = at == parser->end ? GH_JSON_INCOMPLETE : GH_JSON_SYNTAX;
        return gh_json_stop(parser, status, at);
    }
    *out_is_integer = is_integer(state);
    parser->token = (struct gh_json_token){0};
    return at;
}
