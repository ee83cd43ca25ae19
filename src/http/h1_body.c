#include "http/h1_body.h"

#include "base/assert.h"
#include "base/num.h"
#include "http/byte_class.h"

/* Sixteen hexadecimal digits are 64 bits; more can only be padding or an overflow. */
#define SIZE_DIGITS_MAX 16

/* Where a decoder stands. Those with a byte of their own read exactly one byte. */
enum state {
    STATE_FAILED,
    STATE_DATA,            /* bytes of the body, `left` of them (CLOSE: without end) */
    STATE_SIZE,            /* a digit of the chunk size, or what follows the digits */
    STATE_EXTENSION_FIRST, /* behind ';' */
    STATE_EXTENSION,
    STATE_SIZE_LF, /* behind the CR of the size line */
    STATE_DATA_CR, /* behind the last byte of a chunk */
    STATE_DATA_LF,
    STATE_TRAILER_FIRST, /* the first byte of a trailer line, or the CR of the empty line */
    STATE_TRAILER_NAME,
    STATE_TRAILER_VALUE,
    STATE_TRAILER_LF,
    STATE_END_LF, /* behind the CR of the empty line */
    STATE_DONE,
};

void gh_h1_body_init(struct gh_h1_body *body, enum gh_body_kind kind, uint64_t content_length)
{
    *body = (struct gh_h1_body){.kind = kind};
    switch (kind) {
    case GH_BODY_NONE:
        body->state = STATE_DONE;
        break;
    case GH_BODY_LENGTH:
        body->left = content_length;
        body->state = content_length ? STATE_DATA : STATE_DONE;
        break;
    case GH_BODY_CHUNKED:
        body->state = STATE_SIZE;
        break;
    case GH_BODY_CLOSE:
        body->state = STATE_DATA;
        break;
    }
}

static enum state after_size(const struct gh_h1_body *body, char c)
{
    if (body->digits == 0)
        return STATE_FAILED;
    if (c == ';')
        return STATE_EXTENSION_FIRST;
    return c == '\r' ? STATE_SIZE_LF : STATE_FAILED;
}

static enum state read_size(struct gh_h1_body *body, char c)
{
    int digit = gh_num_hex_digit(c);
    if (digit < 0)
        return after_size(body, c);
    if (body->digits == SIZE_DIGITS_MAX)
        return STATE_FAILED;
    body->digits++;
    body->left = body->left << 4 | (unsigned)digit;
    return body->left > INT64_MAX ? STATE_FAILED : STATE_SIZE;
}

/* True while the bytes of this part, with one more, are within `max`. */
static bool count_byte(struct gh_h1_body *body, uint32_t max)
{
    return ++body->line_bytes <= max;
}

/* Inside an extension only the line's end matters; a quoted CR or LF is refused like any other. */
static enum state read_extension(struct gh_h1_body *body, char c)
{
    if (c == '\r')
        return STATE_SIZE_LF;
    bool ok =
        count_byte(body, GH_H1_CHUNK_EXTENSION_BYTES_MAX) && gh_byte_is(c, GH_BYTE_FIELD_VALUE);
    return ok ? STATE_EXTENSION : STATE_FAILED;
}

/* An extension has a name (RFC 9112 section 7.1.1), right behind its ';', which counts too. */
static enum state read_extension_first(struct gh_h1_body *body, char c)
{
    body->line_bytes = 2;
    return gh_byte_is(c, GH_BYTE_TOKEN) ? STATE_EXTENSION : STATE_FAILED;
}

static enum state end_size_line(struct gh_h1_body *body, char c)
{
    if (c != '\n')
        return STATE_FAILED;
    body->digits = 0;
    body->line_bytes = 0;
    return body->left ? STATE_DATA : STATE_TRAILER_FIRST;
}

static enum state read_trailer(struct gh_h1_body *body, char c)
{
    if (!count_byte(body, GH_H1_TRAILER_BYTES_MAX))
        return STATE_FAILED;
    switch (body->state) {
    case STATE_TRAILER_FIRST:
        if (c == '\r')
            return STATE_END_LF;
        return gh_byte_is(c, GH_BYTE_TOKEN) ? STATE_TRAILER_NAME : STATE_FAILED;
    case STATE_TRAILER_NAME:
        if (c == ':')
            return STATE_TRAILER_VALUE;
        return gh_byte_is(c, GH_BYTE_TOKEN) ? STATE_TRAILER_NAME : STATE_FAILED;
    case STATE_TRAILER_VALUE:
        if (c == '\r')
            return STATE_TRAILER_LF;
        return gh_byte_is(c, GH_BYTE_FIELD_VALUE) ? STATE_TRAILER_VALUE : STATE_FAILED;
    case STATE_TRAILER_LF:
        return c == '\n' ? STATE_TRAILER_FIRST : STATE_FAILED;
    default: /* `state` is a number; END_LF is all that is left of what step() sends here */
        return c == '\n' ? STATE_DONE : STATE_FAILED;
    }
}

/* The state after one byte of the framing. */
static enum state step(struct gh_h1_body *body, char c)
{
    switch ((enum state)body->state) {
    case STATE_SIZE:
        return read_size(body, c);
    case STATE_EXTENSION_FIRST:
        return read_extension_first(body, c);
    case STATE_EXTENSION:
        return read_extension(body, c);
    case STATE_SIZE_LF:
        return end_size_line(body, c);
    case STATE_DATA_CR:
        return c == '\r' ? STATE_DATA_LF : STATE_FAILED;
    case STATE_DATA_LF:
        return c == '\n' ? STATE_SIZE : STATE_FAILED;
    case STATE_TRAILER_FIRST:
    case STATE_TRAILER_NAME:
    case STATE_TRAILER_VALUE:
    case STATE_TRAILER_LF:
    case STATE_END_LF:
        return read_trailer(body, c);
    case STATE_FAILED:
    case STATE_DATA:
    case STATE_DONE:
        break;
    }
    GH_ASSERT(!"a state without framing bytes");
    return STATE_FAILED;
}

static enum gh_h1_body_status read_data(struct gh_h1_body *body, struct gh_str *input,
                                        struct gh_str *out_data)
{
    if (body->kind == GH_BODY_CLOSE) {
        *out_data = *input;
    } else {
        *out_data = body->left < input->len ? gh_str_first(*input, (size_t)body->left) : *input;
        body->left -= out_data->len;
        if (body->left == 0)
            body->state = body->kind == GH_BODY_CHUNKED ? STATE_DATA_CR : STATE_DONE;
    }
    *input = gh_str_skip(*input, out_data->len);
    return GH_H1_BODY_DATA;
}

enum gh_h1_body_status gh_h1_body_read(struct gh_h1_body *body, struct gh_str *input,
                                       struct gh_str *out_data)
{
    for (;;) {
        if (body->state == STATE_FAILED)
            return GH_H1_BODY_ERROR;
        if (body->state == STATE_DONE)
            return GH_H1_BODY_DONE;
        if (input->len == 0)
            return GH_H1_BODY_MORE;
        if (body->state == STATE_DATA)
            return read_data(body, input, out_data);
        body->state = step(body, input->ptr[0]);
        *input = gh_str_skip(*input, 1);
    }
}

bool gh_h1_body_is_complete(const struct gh_h1_body *body)
{
    return body->state == STATE_DONE;
}
