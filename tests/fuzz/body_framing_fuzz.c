/* Body framing: however the input is cut, the same body comes out and ends at the same byte. */
#include <stdlib.h>

#include "base/assert.h"
#include "http/h1_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    char *body; /* as large as the input */
    size_t body_len, taken;
    enum gh_h1_body_status status;
};

static void append(struct result *result, struct gh_str data, struct gh_str piece)
{
    GH_ASSERT(data.len > 0 && data.ptr >= piece.ptr &&
              data.ptr + data.len <= piece.ptr + piece.len);
    memcpy(result->body + result->body_len, data.ptr, data.len);
    result->body_len += data.len;
}

static struct result decode(struct gh_str bytes, enum gh_body_kind kind, uint64_t length,
                            size_t step)
{
    struct result result = {.body = malloc(bytes.len + 1), .status = GH_H1_BODY_MORE};
    struct gh_h1_body body;
    GH_ASSERT(result.body);
    gh_h1_body_init(&body, kind, length);
    while (result.taken < bytes.len && result.status == GH_H1_BODY_MORE) {
        struct gh_str piece = gh_str_first(gh_str_skip(bytes, result.taken), step), rest = piece;
        struct gh_str data;
        while ((result.status = gh_h1_body_read(&body, &rest, &data)) == GH_H1_BODY_DATA)
            append(&result, data, piece);
        GH_ASSERT(result.status != GH_H1_BODY_MORE || rest.len == 0);
        result.taken += piece.len - rest.len;
    }
    GH_ASSERT((result.status == GH_H1_BODY_DONE) <= gh_h1_body_is_complete(&body));
    return result;
}

/* An independent, plain reading of chunks that are known to be well-formed. */
static size_t body_len_by_hand(struct gh_str bytes)
{
    size_t total = 0;
    for (;;) {
        char *end;
        char digits[17] = {0};
        memcpy(digits, bytes.ptr, bytes.len < 16 ? bytes.len : 16);
        size_t size = strtoul(digits, &end, 16);
        if (size == 0)
            return total;
        total += size;
        bytes = gh_str_skip(bytes, gh_str_find(bytes, GH_STR("\r\n")) + 2 + size + 2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    static const enum gh_body_kind KINDS[] = {GH_BODY_CHUNKED, GH_BODY_CHUNKED, GH_BODY_LENGTH,
                                              GH_BODY_CLOSE};
    enum gh_body_kind kind = KINDS[data[0] % 4];
    uint64_t length = data[1];
    struct gh_str bytes = gh_str_of((const char *)data + 2, size - 2);
    struct result whole = decode(bytes, kind, length, size);
    for (size_t step = 1; step<12; step += step> 2 ? 5 : 1) {
        struct result pieces = decode(bytes, kind, length, step);
        GH_ASSERT(pieces.status == whole.status && pieces.taken == whole.taken);
        GH_ASSERT(gh_str_eq(gh_str_of(pieces.body, pieces.body_len),
                            gh_str_of(whole.body, whole.body_len)));
        free(pieces.body);
    }
    if (kind == GH_BODY_CHUNKED && whole.status == GH_H1_BODY_DONE)
        GH_ASSERT(whole.body_len == body_len_by_hand(bytes));
    if (kind == GH_BODY_LENGTH)
        GH_ASSERT(whole.body_len == (bytes.len < length ? bytes.len : length));
    free(whole.body);
    return 0;
}
