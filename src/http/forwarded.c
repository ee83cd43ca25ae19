/*
 * The walk from the socket towards the client, one hop after another, for as long as the hop that
 * speaks is trusted. Lines are read from the left (a quoted string can be read in that direction
 * only), and the last entries are kept; then the walk goes over these from the right.
 */
#include "http/forwarded.h"

/* The longest address with its port and zone that anyone writes, with room. */
enum { NODE_BYTES_MAX = 128 };

/* The right-most entries of a list; older ones are overwritten. */
struct entries {
    struct gh_str items[GH_FORWARDED_ENTRIES_MAX];
    size_t count; /* of all that were put */
};

static void put_entry(struct entries *entries, struct gh_str entry)
{
    if (entry.len) /* empty elements of a list don't count: RFC 9110 section 5.6.1.2 */
        entries->items[entries->count++ % GH_FORWARDED_ENTRIES_MAX] = entry;
}

/* The n-th entry from the right; false behind the last one kept. */
static bool find_entry(const struct entries *entries, size_t n, struct gh_str *out_entry)
{
    if (n >= entries->count || n >= GH_FORWARDED_ENTRIES_MAX)
        return false;
    *out_entry = entries->items[(entries->count - 1 - n) % GH_FORWARDED_ENTRIES_MAX];
    return true;
}

/*
 * Where `separator` stands outside of quoted strings, else the length. A quoted string without end
 * runs to the end of the line, so that what it swallowed is one entry that does not parse.
 */
static size_t find_unquoted(struct gh_str s, char separator)
{
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '"')
            quoted = !quoted;
        else if (quoted && c == '\\')
            i++;
        else if (!quoted && c == separator)
            return i;
    }
    return s.len;
}

/* Like gh_str_split, but blind inside quoted strings. */
static struct gh_str split_unquoted(struct gh_str *rest, char separator)
{
    size_t at = find_unquoted(*rest, separator);
    struct gh_str piece = gh_str_first(*rest, at);
    *rest = at == rest->len ? (struct gh_str){NULL, 0} : gh_str_skip(*rest, at + 1);
    return gh_str_trim_ows(piece);
}

static void collect_entries(const struct gh_fields *fields, enum gh_field_id id, bool quoting,
                            struct entries *out_entries)
{
    out_entries->count = 0;
    const struct gh_field *line = gh_fields_find(fields, id);
    for (; line; line = gh_fields_find_next(fields, line)) {
        for (struct gh_str rest = line->value; rest.ptr;) {
            struct gh_str entry =
                quoting ? split_unquoted(&rest, ',') : gh_str_trim_ows(gh_str_split(&rest, ','));
            put_entry(out_entries, entry);
        }
    }
}

/* What may stand in a quoted-string, behind a backslash or not. */
static bool is_quotable(char c)
{
    return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

/* A whole quoted-string with its quotes: RFC 9110 section 5.6.4. */
static bool is_quoted_string(struct gh_str s)
{
    if (s.len < 2 || s.ptr[0] != '"' || s.ptr[s.len - 1] != '"')
        return false;
    struct gh_str inner = gh_str_of(s.ptr + 1, s.len - 2);
    for (size_t i = 0; i < inner.len; i++) {
        if (inner.ptr[i] == '"' || (inner.ptr[i] == '\\' && ++i == inner.len))
            return false;
        if (!is_quotable(inner.ptr[i]))
            return false;
    }
    return true;
}

/* What a quoted-string says. */
static void unquote(struct gh_str quoted, struct gh_buf *out)
{
    for (size_t i = 1; i < quoted.len - 1; i++) {
        if (quoted.ptr[i] == '\\')
            i++;
        gh_buf_put_char(out, quoted.ptr[i]);
    }
}

/* One element of Forwarded; absent parameters have ptr == NULL, values are raw (maybe quoted). */
struct element {
    struct gh_str node, proto, host;
};

/* Where a parameter's value goes; NULL for one that we have no use for. */
static struct gh_str *place_of(struct element *element, struct gh_str name)
{
    if (gh_str_ieq(name, GH_STR("for")))
        return &element->node;
    if (gh_str_ieq(name, GH_STR("proto")))
        return &element->proto;
    return gh_str_ieq(name, GH_STR("host")) ? &element->host : NULL;
}

/* False: outside the grammar of RFC 7239 section 4, or a parameter twice. */
static bool parse_element(struct gh_str text, struct element *out_element)
{
    *out_element = (struct element){0};
    for (struct gh_str rest = text; rest.ptr;) {
        struct gh_str pair = split_unquoted(&rest, ';');
        if (pair.len == 0)
            continue;
        size_t equals = gh_str_find_char(pair, '=');
        struct gh_str value = gh_str_skip(pair, equals + 1);
        if (!gh_is_token(gh_str_first(pair, equals)) ||
            !(gh_is_token(value) || is_quoted_string(value)))
            return false;
        struct gh_str *place = place_of(out_element, gh_str_first(pair, equals));
        if (place && place->ptr)
            return false;
        if (place)
            *place = value;
    }
    return true;
}

/* RFC 7239 section 6: a port may be hidden ("_" and a name); the address then stands alone. */
static struct gh_str cut_hidden_port(struct gh_str node)
{
    size_t at = gh_str_find(node, GH_STR(":_"));
    return gh_is_token(gh_str_skip(node, at + 2)) ? gh_str_first(node, at) : node;
}

/* The address in a for= parameter. */
static bool parse_node(struct gh_str value, struct gh_ip *out_ip)
{
    char memory[NODE_BYTES_MAX];
    struct gh_buf text = gh_buf_over(memory, sizeof(memory));
    uint16_t port;
    if (value.ptr[0] != '"')
        return gh_ip_parse(value, out_ip); /* a token holds neither ':' nor brackets */
    unquote(value, &text);
    return !text.overflow &&
           gh_ip_parse_with_port(cut_hidden_port(gh_buf_str(&text)), out_ip, &port);
}

static bool parse_entry(struct gh_str entry, enum gh_forwarded_header header, struct gh_ip *out_ip)
{
    if (header == GH_FORWARDED_FORWARDED) {
        struct element element;
        return parse_element(entry, &element) && element.node.ptr &&
               parse_node(element.node, out_ip);
    }
    uint16_t port;
    return gh_ip_parse_with_port(entry, out_ip, &port);
}

static struct gh_ip walk(const struct entries *entries, const struct gh_trusted_proxies *trusted,
                         const struct gh_ip *socket)
{
    struct gh_ip client = *socket, ip;
    struct gh_str entry;
    for (size_t n = 0; find_entry(entries, n, &entry); n++) {
        if (!parse_entry(entry, trusted->header, &ip))
            return client;
        client = ip;
        if (!gh_trusted_proxies_contain(trusted, &ip))
            return client;
    }
    return client;
}

/* A value without its quotes, as a slice of the field; empty when escapes stand in it. */
static struct gh_str plain_value(struct gh_str value)
{
    if (value.len < 2 || value.ptr[0] != '"')
        return value;
    struct gh_str inner = gh_str_of(value.ptr + 1, value.len - 2);
    return gh_str_find_char(inner, '\\') < inner.len ? GH_STR("") : inner;
}

/* The two schemes that mean something to us, in lower case. */
static struct gh_str known_proto(struct gh_str proto)
{
    if (gh_str_ieq(proto, GH_STR("https")))
        return GH_STR("https");
    return gh_str_ieq(proto, GH_STR("http")) ? GH_STR("http") : GH_STR("");
}

/* The last element over all lines of a list without quoted strings. */
static struct gh_str last_value(const struct gh_fields *fields, enum gh_field_id id)
{
    struct gh_str last = GH_STR(""), item;
    const struct gh_field *line = gh_fields_find(fields, id);
    for (; line; line = gh_fields_find_next(fields, line)) {
        struct gh_str rest = line->value;
        while (gh_str_next_list_item(&rest, &item))
            last = item;
    }
    return last;
}

bool gh_trusted_proxies_contain(const struct gh_trusted_proxies *trusted, const struct gh_ip *ip)
{
    for (size_t i = 0; i < trusted->count; i++) {
        if (gh_ip_network_contains(&trusted->networks[i], ip))
            return true;
    }
    return false;
}

struct gh_forwarded_result gh_forwarded_walk(const struct gh_fields *fields,
                                             const struct gh_trusted_proxies *trusted,
                                             const struct gh_ip *socket)
{
    struct gh_forwarded_result result = {.proto = GH_STR(""), .host = GH_STR("")};
    struct entries entries;
    bool forwarded = trusted->header == GH_FORWARDED_FORWARDED;
    collect_entries(fields, forwarded ? GH_FIELD_FORWARDED : GH_FIELD_X_FORWARDED_FOR, forwarded,
                    &entries);
    result.client = walk(&entries, trusted, socket);
    if (!forwarded) {
        result.proto = known_proto(last_value(fields, GH_FIELD_X_FORWARDED_PROTO));
        result.host = last_value(fields, GH_FIELD_X_FORWARDED_HOST);
        return result;
    }
    struct gh_str nearest;
    struct element element;
    if (find_entry(&entries, 0, &nearest) && parse_element(nearest, &element)) {
        result.proto = known_proto(plain_value(element.proto));
        result.host = element.host.ptr ? plain_value(element.host) : GH_STR("");
    }
    return result;
}
