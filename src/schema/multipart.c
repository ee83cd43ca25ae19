#include "schema/multipart.h"

#include "base/assert.h"
#include "base/num.h"
#include "base/utf8.h"

const struct gh_multipart_limits gh_multipart_usual = {.bytes_max = 16 * 1024 * 1024,
                                                       .part_bytes_max = 8 * 1024 * 1024,
                                                       .parts_max = 64,
                                                       .head_bytes_max = 1024,
                                                       .name_bytes_max = 255};

enum state {
    STATE_FAILED,
    STATE_FIRST,     /* in the first boundary line */
    STATE_BOUNDARY,  /* behind a boundary */
    STATE_LINE_LF,   /* behind the CR of its line */
    STATE_LAST_DASH, /* behind the first '-' of the last one */
    STATE_HEAD,
    STATE_PART, /* the head was read, PART is to be told */
    STATE_DATA,
    STATE_PART_END,  /* the delimiter was read, PART_END is to be told */
    STATE_LAST_READ, /* the last boundary was read, END is to be told */
    STATE_CLOSED,    /* behind the last boundary */
    STATE_CLOSED_LF, /* behind the CR that may follow it */
    STATE_ENDED,
};

static bool refuse(struct gh_multipart *m, enum gh_multipart_status status, uint64_t offset)
{
    m->state = STATE_FAILED;
    m->status = status;
    m->offset = offset;
    return false;
}

/* ---- Values with parameters: of Content-Type and Content-Disposition ---- */

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (gh_ascii_lower(c) >= 'a' && gh_ascii_lower(c) <= 'z');
}

/* RFC 9110 section 5.6.2, which is RFC 2045's token without braces. */
static bool is_token_char(char c)
{
    return is_alphanumeric(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* RFC 2046 section 5.1.1. */
static bool is_boundary_char(char c)
{
    return is_alphanumeric(c) || (c && strchr("'()+_,-./:=? ", c));
}

/* Cuts a token off the start of `rest`; it may be empty. */
static struct gh_str take_token(struct gh_str *rest)
{
    size_t len = 0;
    while (len < rest->len && is_token_char(rest->ptr[len]))
        len++;
    struct gh_str token = gh_str_first(*rest, len);
    *rest = gh_str_skip(*rest, len);
    return token;
}

static bool take_char(struct gh_str *rest, char c)
{
    if (!rest->len || rest->ptr[0] != c)
        return false;
    *rest = gh_str_skip(*rest, 1);
    return true;
}

struct parameter {
    struct gh_str name, value;
};

/* `; name=value` or `; name="value"`. False: malformed, or a backslash. */
static bool take_parameter(struct gh_str *rest, struct parameter *out)
{
    if (!take_char(rest, ';'))
        return false;
    while (take_char(rest, ' '))
        ;
    out->name = take_token(rest);
    if (!out->name.len || !take_char(rest, '='))
        return false;
    if (!take_char(rest, '"')) {
        out->value = take_token(rest);
        return out->value.len > 0;
    }
    out->value = gh_str_first(*rest, gh_str_find_char(*rest, '"'));
    *rest = gh_str_skip(*rest, out->value.len);
    return take_char(rest, '"') && gh_str_find_char(out->value, '\\') == out->value.len;
}

/* ---- The boundary ---- */

static bool is_boundary(struct gh_str text)
{
    if (!text.len || text.len > GH_MULTIPART_BOUNDARY_BYTES_MAX || text.ptr[text.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_boundary_char(text.ptr[i]))
            return false;
    }
    return true;
}

static bool find_boundary(struct gh_str content_type, bool any_charset, struct gh_str *out_boundary)
{
    const struct gh_str type = GH_STR("multipart/form-data");
    struct gh_str rest = gh_str_skip(content_type, type.len), boundary = {0};
    bool has_charset = false;
    if (!gh_str_ieq(gh_str_first(content_type, type.len), type))
        return false;
    while (rest.len) {
        struct parameter parameter;
        if (!take_parameter(&rest, &parameter))
            return false;
        if (gh_str_ieq(parameter.name, GH_STR("boundary")) && !boundary.ptr)
            boundary = parameter.value;
        else if (gh_str_ieq(parameter.name, GH_STR("charset")) && any_charset && !has_charset)
            has_charset = true;
        else
            return false;
    }
    *out_boundary = boundary;
    return is_boundary(boundary);
}

/* "--" boundary, how the delimiter goes on behind its CRLF. */
static struct gh_str dash_boundary(const struct gh_multipart *m)
{
    return gh_str_of(m->delimiter + 2, m->delimiter_len - 2u);
}

/* Bytes of dash_boundary that a text ends with, of one that ended with `matched` of them and got
   one byte more (Knuth, Morris, Pratt). */
static uint8_t match_boundary(const struct gh_multipart *m, uint8_t matched, char c)
{
    const char *pattern = m->delimiter + 2;
    while (matched && pattern[matched] != c)
        matched = m->fallback[matched - 1];
    return (uint8_t)(matched + (pattern[matched] == c));
}

static void set_boundary(struct gh_multipart *m, struct gh_str boundary)
{
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.ptr, boundary.len);
    m->delimiter_len = (uint8_t)(4 + boundary.len);
    for (size_t i = 1; i < dash_boundary(m).len; i++)
        m->fallback[i] = match_boundary(m, m->fallback[i - 1], dash_boundary(m).ptr[i]);
}

enum gh_multipart_status gh_multipart_init(struct gh_multipart *multipart,
                                           struct gh_str content_type,
                                           const struct gh_multipart_limits *limits)
{
    GH_ASSERT(limits->head_bytes_max <= GH_MULTIPART_HEAD_BYTES_MAX);
    struct gh_str boundary;
    *multipart = (struct gh_multipart){.limits = *limits, .state = STATE_FIRST, .held = 2};
    if (!find_boundary(content_type, limits->any_charset, &boundary)) {
        (void)refuse(multipart, GH_MULTIPART_TYPE, 0);
        return GH_MULTIPART_TYPE;
    }
    set_boundary(multipart, boundary);
    return GH_MULTIPART_OK;
}

/* ---- A part's head ---- */

static enum gh_multipart_status read_name(const struct gh_multipart *m, struct gh_str name)
{
    if (!name.len || gh_str_ieq(name, GH_STR("_charset_")))
        return GH_MULTIPART_NAME;
    return name.len > m->limits.name_bytes_max ? GH_MULTIPART_NAME_TOO_LONG : GH_MULTIPART_OK;
}

static enum gh_multipart_status read_filename(const struct gh_multipart *m, struct gh_str name)
{
    if (gh_str_find_char(name, '/') < name.len || gh_str_eq(name, GH_STR(".")) ||
        gh_str_eq(name, GH_STR("..")))
        return GH_MULTIPART_NAME;
    return name.len > m->limits.name_bytes_max ? GH_MULTIPART_NAME_TOO_LONG : GH_MULTIPART_OK;
}

static enum gh_multipart_status read_disposition(struct gh_multipart *m, struct gh_str value)
{
    struct gh_str rest = value;
    if (!gh_str_eq(take_token(&rest), GH_STR("form-data")))
        return GH_MULTIPART_DISPOSITION;
    while (rest.len) {
        struct parameter parameter;
        if (!take_parameter(&rest, &parameter))
            return GH_MULTIPART_DISPOSITION;
        bool is_name = gh_str_eq(parameter.name, GH_STR("name"));
        struct gh_str *part = is_name ? &m->part.name : &m->part.filename;
        if ((!is_name && !gh_str_eq(parameter.name, GH_STR("filename"))) || part->ptr)
            return GH_MULTIPART_DISPOSITION;
        *part = parameter.value;
        enum gh_multipart_status status = is_name ? read_name(m, *part) : read_filename(m, *part);
        if (status != GH_MULTIPART_OK)
            return status;
    }
    return m->part.name.ptr ? GH_MULTIPART_OK : GH_MULTIPART_DISPOSITION;
}

static enum gh_multipart_status read_type(struct gh_multipart *m, struct gh_str value)
{
    struct gh_str rest = value, type = take_token(&rest);
    if (!type.len || !take_char(&rest, '/') || !take_token(&rest).len ||
        gh_str_ieq(type, GH_STR("multipart")))
        return GH_MULTIPART_PART_TYPE;
    m->part.content_type = gh_str_first(value, value.len - rest.len);
    while (rest.len) {
        struct parameter parameter;
        if (!take_parameter(&rest, &parameter))
            return GH_MULTIPART_PART_TYPE;
        if (!gh_str_ieq(parameter.name, GH_STR("charset")))
            continue;
        if (m->part.charset.ptr ||
            !(m->limits.any_charset || gh_str_ieq(parameter.value, GH_STR("utf-8"))))
            return GH_MULTIPART_CHARSET;
        m->part.charset = parameter.value;
    }
    return GH_MULTIPART_OK;
}

static enum gh_multipart_status read_encoding(struct gh_multipart *m, struct gh_str value)
{
    (void)m;
    return gh_str_ieq(value, GH_STR("binary")) || gh_str_ieq(value, GH_STR("8bit"))
               ? GH_MULTIPART_OK
               : GH_MULTIPART_ENCODING;
}

static enum gh_multipart_status read_length(struct gh_multipart *m, struct gh_str value)
{
    m->has_declared_bytes = gh_num_parse_u64(value, INT64_MAX, &m->declared_bytes);
    return m->has_declared_bytes ? GH_MULTIPART_OK : GH_MULTIPART_LENGTH;
}

enum { DISPOSITION_BIT = 1 };

static const struct {
    struct gh_str name;
    enum gh_multipart_status (*read)(struct gh_multipart *m, struct gh_str value);
    unsigned bit;
} FIELDS[] = {
    {GH_STR_INIT("Content-Disposition"), read_disposition, DISPOSITION_BIT},
    {GH_STR_INIT("Content-Type"), read_type, 2},
    {GH_STR_INIT("Content-Transfer-Encoding"), read_encoding, 4},
    {GH_STR_INIT("Content-Length"), read_length, 8},
};

static enum gh_multipart_status read_field(struct gh_multipart *m, struct gh_str line,
                                           unsigned *seen)
{
    if (!gh_utf8_is_valid(line))
        return GH_MULTIPART_BYTE;
    struct gh_str name = take_token(&line);
    if (!take_char(&line, ':'))
        return GH_MULTIPART_HEADER;
    while (take_char(&line, ' '))
        ;
    for (size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]); i++) {
        if (!gh_str_ieq(name, FIELDS[i].name))
            continue;
        if (*seen & FIELDS[i].bit)
            return GH_MULTIPART_HEADER;
        *seen |= FIELDS[i].bit;
        return FIELDS[i].read(m, line);
    }
    return GH_MULTIPART_HEADER;
}

/* All of the head is there, with the empty line that ends it. */
static bool read_head(struct gh_multipart *m)
{
    unsigned seen = 0;
    uint64_t start = m->offset - m->head_len;
    struct gh_str rest = gh_str_of(m->head, m->head_len - 2);
    m->part = (struct gh_multipart_part){0};
    m->has_declared_bytes = false;
    size_t boundary = gh_str_find(rest, dash_boundary(m));
    if (boundary < rest.len)
        return refuse(m, GH_MULTIPART_BOUNDARY, start + boundary);
    while (rest.len) {
        struct gh_str line = gh_str_first(rest, gh_str_find_char(rest, '\r'));
        enum gh_multipart_status status = read_field(m, line, &seen);
        if (status != GH_MULTIPART_OK)
            return refuse(m, status, start + (uint64_t)(line.ptr - m->head));
        rest = gh_str_skip(rest, line.len + 2);
    }
    if (!(seen & DISPOSITION_BIT))
        return refuse(m, GH_MULTIPART_DISPOSITION, start);
    m->state = STATE_PART;
    m->part_start = m->offset;
    m->part_bytes = 0;
    m->held = m->misplaced = 0;
    return true;
}

/* The byte at m->offset - 1. */
static bool add_to_head(struct gh_multipart *m, char c)
{
    uint64_t at = m->offset - 1;
    char before = m->head_len ? m->head[m->head_len - 1] : '\n';
    if ((c == '\n') != (before == '\r') || (c == ' ' && before == '\n'))
        return refuse(m, GH_MULTIPART_LINE, at);
    if (((uint8_t)c < ' ' && c != '\r' && c != '\n') || c == 0x7f)
        return refuse(m, GH_MULTIPART_BYTE, at);
    if (m->head_len == m->limits.head_bytes_max)
        return refuse(m, GH_MULTIPART_HEAD_TOO_LONG, at);
    m->head[m->head_len++] = c;
    bool is_end = c == '\n' && (m->head_len == 2 || m->head[m->head_len - 3] == '\n');
    return !is_end || read_head(m);
}

/* ---- Between parts ---- */

static bool begin_head(struct gh_multipart *m)
{
    if (m->part_count == m->limits.parts_max)
        return refuse(m, GH_MULTIPART_TOO_MANY_PARTS, m->offset - 1);
    m->part_count++;
    m->head_len = 0;
    m->state = STATE_HEAD;
    return true;
}

static bool expect(struct gh_multipart *m, bool is_right, enum state next,
                   enum gh_multipart_status otherwise)
{
    if (!is_right)
        return refuse(m, otherwise, m->offset - 1);
    m->state = next;
    return true;
}

/* One byte of what is not data, which was counted. False: refused. */
static bool step(struct gh_multipart *m, char c)
{
    switch ((enum state)m->state) {
    case STATE_FIRST:
        m->held++;
        return expect(m, c == m->delimiter[m->held - 1],
                      m->held < m->delimiter_len ? STATE_FIRST : STATE_BOUNDARY,
                      GH_MULTIPART_BOUNDARY);
    case STATE_BOUNDARY:
        if (c == '-')
            return expect(m, true, STATE_LAST_DASH, GH_MULTIPART_BOUNDARY);
        return expect(m, c == '\r', STATE_LINE_LF,
                      c == '\n' ? GH_MULTIPART_LINE : GH_MULTIPART_BOUNDARY);
    case STATE_LINE_LF:
        return expect(m, c == '\n', STATE_HEAD, GH_MULTIPART_LINE) && begin_head(m);
    case STATE_LAST_DASH:
        return expect(m, c == '-', STATE_LAST_READ, GH_MULTIPART_BOUNDARY);
    case STATE_HEAD:
        return add_to_head(m, c);
    case STATE_CLOSED:
        return expect(m, c == '\r', STATE_CLOSED_LF, GH_MULTIPART_EPILOGUE);
    case STATE_CLOSED_LF:
        return expect(m, c == '\n', STATE_ENDED, GH_MULTIPART_EPILOGUE);
    case STATE_ENDED:
        return refuse(m, GH_MULTIPART_EPILOGUE, m->offset - 1);
    case STATE_FAILED:
    case STATE_PART:
    case STATE_DATA:
    case STATE_PART_END:
    case STATE_LAST_READ:
        break;
    }
    GH_ASSERT(!"a state that takes no byte");
    return false;
}

/* ---- Data ---- */

static enum gh_multipart_event refuse_long_part(struct gh_multipart *m)
{
    (void)refuse(m, GH_MULTIPART_PART_TOO_LONG, m->part_start + m->limits.part_bytes_max);
    return GH_MULTIPART_REFUSED;
}

/* Takes `taken` bytes of the input; the data is `data`, which may have none. */
static enum gh_multipart_event give(struct gh_multipart *m, struct gh_str *input, size_t taken,
                                    struct gh_str data, struct gh_str *out_data)
{
    *input = gh_str_skip(*input, taken);
    *out_data = data;
    m->offset += taken;
    m->part_bytes += data.len;
    return data.len ? GH_MULTIPART_DATA : GH_MULTIPART_MORE;
}

/* First byte from `at` that may begin a delimiter or a misplaced boundary. */
static size_t skip_plain(struct gh_str text, size_t at)
{
    while (at < text.len && text.ptr[at] != '\r' && text.ptr[at] != '-')
        at++;
    return at;
}

/*
 * Data up to the delimiter or the end of the input. Bytes that may begin a delimiter are held back;
 * held bytes of earlier calls are no longer in the input, but they are the delimiter's first ones.
 * MORE here means only that there is no data to tell of.
 */
static enum gh_multipart_event read_data(struct gh_multipart *m, struct gh_str *input,
                                         struct gh_str *out_data)
{
    const struct gh_str text = gh_str_first(*input, m->limits.bytes_max - m->offset);
    const uint64_t room = m->limits.part_bytes_max - m->part_bytes;
    const uint8_t held_before = m->held;
    size_t i = 0;
    while (i < text.len && m->held < m->delimiter_len) {
        char c = text.ptr[i];
        if (m->held && c == m->delimiter[m->held]) {
            m->held++;
            i++;
        } else if (m->held) {
            uint8_t held = m->held;
            m->held = 0;
            m->misplaced = held > 2 ? (uint8_t)(held - 2) : 0;
            if (held_before + i > room) /* what was held is data */
                return refuse_long_part(m);
            if (held_before)
                return give(m, input, i, gh_str_of(m->delimiter, held), out_data);
        } else if (c == '\r') {
            m->held = 1;
            m->misplaced = 0;
            i++;
        } else {
            m->misplaced = match_boundary(m, m->misplaced, c);
            if (m->misplaced == dash_boundary(m).len) {
                (void)refuse(m, GH_MULTIPART_BOUNDARY, m->offset + i);
                return GH_MULTIPART_REFUSED;
            }
            i++;
            if (!m->misplaced)
                i = skip_plain(text, i);
            if (i > room)
                return refuse_long_part(m);
        }
    }
    if (m->held == m->delimiter_len)
        m->state = STATE_PART_END;
    return give(m, input, i, gh_str_first(text, held_before + i - m->held), out_data);
}

enum gh_multipart_event gh_multipart_read(struct gh_multipart *multipart, struct gh_str *input,
                                          struct gh_str *out_data)
{
    struct gh_multipart *m = multipart;
    for (;;) {
        if (m->state == STATE_FAILED)
            return GH_MULTIPART_REFUSED;
        if (m->state == STATE_PART) {
            m->state = STATE_DATA;
            return GH_MULTIPART_PART;
        }
        if (m->state == STATE_PART_END) {
            m->state = STATE_BOUNDARY;
            if (!m->has_declared_bytes || m->declared_bytes == m->part_bytes)
                return GH_MULTIPART_PART_END;
            (void)refuse(m, GH_MULTIPART_LENGTH, m->part_start + m->part_bytes);
            return GH_MULTIPART_REFUSED;
        }
        if (m->state == STATE_LAST_READ) {
            m->state = STATE_CLOSED;
            return GH_MULTIPART_END;
        }
        if (!input->len)
            return GH_MULTIPART_MORE;
        if (m->offset == m->limits.bytes_max) {
            (void)refuse(m, GH_MULTIPART_TOO_LONG, m->offset);
        } else if (m->state == STATE_DATA) {
            enum gh_multipart_event event = read_data(m, input, out_data);
            if (event != GH_MULTIPART_MORE)
                return event;
        } else {
            char c = input->ptr[0];
            *input = gh_str_skip(*input, 1);
            m->offset++;
            (void)step(m, c);
        }
    }
}

enum gh_multipart_status gh_multipart_finish(const struct gh_multipart *multipart)
{
    if (multipart->state == STATE_CLOSED || multipart->state == STATE_ENDED)
        return GH_MULTIPART_OK;
    return multipart->status;
}

struct gh_str gh_multipart_status_text(enum gh_multipart_status status)
{
    switch (status) {
    case GH_MULTIPART_INCOMPLETE:
        return GH_STR("it ends before its last boundary");
    case GH_MULTIPART_OK:
        return GH_STR("well-formed");
    case GH_MULTIPART_TYPE:
        return GH_STR("the content type is not multipart/form-data with a boundary alone");
    case GH_MULTIPART_BOUNDARY:
        return GH_STR("a boundary is missing or misplaced");
    case GH_MULTIPART_LINE:
        return GH_STR("a line does not end with CRLF, or is folded");
    case GH_MULTIPART_BYTE:
        return GH_STR("a control byte in a part's head, or not UTF-8");
    case GH_MULTIPART_HEADER:
        return GH_STR("a header field that is malformed, repeated or not allowed");
    case GH_MULTIPART_DISPOSITION:
        return GH_STR("a part without a plain Content-Disposition");
    case GH_MULTIPART_NAME:
        return GH_STR("a name or file name that can't be one");
    case GH_MULTIPART_PART_TYPE:
        return GH_STR("the content type of a part is malformed or multipart");
    case GH_MULTIPART_CHARSET:
        return GH_STR("a character set that is not UTF-8, or two");
    case GH_MULTIPART_ENCODING:
        return GH_STR("a transfer encoding");
    case GH_MULTIPART_LENGTH:
        return GH_STR("a part does not have the length that it declares");
    case GH_MULTIPART_EPILOGUE:
        return GH_STR("something follows the last boundary");
    case GH_MULTIPART_TOO_LONG:
        return GH_STR("too long");
    case GH_MULTIPART_TOO_MANY_PARTS:
        return GH_STR("too many parts");
    case GH_MULTIPART_PART_TOO_LONG:
        return GH_STR("a part that is too long");
    case GH_MULTIPART_HEAD_TOO_LONG:
        return GH_STR("a part's head that is too long");
    case GH_MULTIPART_NAME_TOO_LONG:
        return GH_STR("a name that is too long");
    }
    return GH_STR("");
}
