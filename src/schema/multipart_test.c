/*
 * multipart/form-data: the plain form passes, whole, byte by byte and cut anywhere; everything that
 * two readers are known to read in two ways is refused, with the reason beside it.
 */
#include "schema/multipart.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "schema/multipart_cuts.h"

#define TYPE "multipart/form-data; boundary=xyz"
/* A part named "a" up to its data. */
#define HEAD_A "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"
#define END    "\r\n--xyz--\r\n"
/* A body of one empty part with these lines as its head. */
#define HEAD(lines)        "--xyz\r\n" lines "\r\n\r\n" END
#define DISPOSITION(value) HEAD("Content-Disposition: " value)
#define FIELD(line)        HEAD("Content-Disposition: form-data; name=\"a\"\r\n" line)
/* Where the head's first and second line stand. */
#define LINE_1 7
#define LINE_2 49
/* Where the data of HEAD_A begins. */
#define DATA_A (sizeof(HEAD_A) - 1)

static const struct gh_multipart_limits LIMITS = {.bytes_max = 4096,
                                                  .part_bytes_max = 1024,
                                                  .parts_max = 3,
                                                  .head_bytes_max = 200,
                                                  .name_bytes_max = 20};

static int open_arena(void **state)
{
    static struct gh_arena arena;
    gh_arena_init(&arena, 1 << 16, 1 << 26);
    *state = &arena;
    return 0;
}

static int close_arena(void **state)
{
    gh_arena_done(*state);
    return 0;
}

/* Whole, byte by byte, and in two at every place. */
static struct gh_multipart_result read_all_ways(struct gh_arena *arena, const char *type,
                                                struct gh_str body,
                                                const struct gh_multipart_limits *limits)
{
    struct gh_str content_type = gh_str_from_c(type);
    struct gh_multipart_result whole =
        gh_multipart_read_cut(arena, content_type, body, limits, body.len, 1);
    struct gh_multipart_result cut = gh_multipart_read_cut(arena, content_type, body, limits, 1, 1);
    gh_multipart_assert_same(&whole, &cut);
    for (size_t i = 1; i < body.len; i++) {
        cut = gh_multipart_read_cut(arena, content_type, body, limits, i, body.len);
        gh_multipart_assert_same(&whole, &cut);
    }
    return whole;
}

struct good {
    struct gh_str body;
    const char *parts;
};

static void reads_parts(void **state)
{
    static const struct good CASES[] = {
        {GH_STR_INIT("--xyz--"), ""},
        {GH_STR_INIT("--xyz--\r\n"), ""}, /* browsers' empty form */
        {GH_STR_INIT(HEAD_A "1" END), "[a|-|-:1]"},
        {GH_STR_INIT(HEAD_A "1\r\n--xyz--"), "[a|-|-:1]"},
        {GH_STR_INIT(HEAD_A END), "[a|-|-:]"},
        {GH_STR_INIT(HEAD_A "1\r\n" HEAD_A "2" END), "[a|-|-:1][a|-|-:2]"},
        {GH_STR_INIT("--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x y.txt\"\r\n"
                     "Content-Type: text/plain; charset=UTF-8\r\n\r\nhello" END),
         "[f|x y.txt|text/plain:hello]"},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"f\"; filename=\"\"\r\n"
                                 "Content-Type: application/octet-stream")),
         "[f||application/octet-stream:]"}, /* no file was chosen */
        {GH_STR_INIT(DISPOSITION("form-data; filename=x; name=f")), "[f|x|-:]"},
        {GH_STR_INIT(HEAD("content-disposition:form-data;name=\"f\"")), "[f|-|-:]"},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"\xc3\xa9; x=1%22\"")),
         "[\xc3\xa9; x=1%22|-|-:]"},
        {GH_STR_INIT(FIELD("Content-Transfer-Encoding: Binary\r\nContent-Length: 0")), "[a|-|-:]"},
        {GH_STR_INIT(FIELD("Content-Type: message/rfc822; x=\"y\"; charset=\"utf-8\"")),
         "[a|-|message/rfc822:]"},
        /* what nearly is a delimiter is data */
        {GH_STR_INIT(HEAD_A "\r\n--xy" END), "[a|-|-:\r\n--xy]"},
        {GH_STR_INIT(HEAD_A "\r\n\r\n\r\r\n-\r\n--\r--x\n--xy\r\n-xyz" END),
         "[a|-|-:\r\n\r\n\r\r\n-\r\n--\r--x\n--xy\r\n-xyz]"},
        {GH_STR_INIT(HEAD_A "\r" END), "[a|-|-:\r]"},
        {GH_STR_INIT(HEAD_A "\r\n" END), "[a|-|-:\r\n]"},
        {GH_STR_INIT(HEAD_A "-----xy-\n" END), "[a|-|-:-----xy-\n]"},
        {GH_STR_INIT(HEAD_A "XYZ --XYZ\r\n--XYZ--" END), "[a|-|-:XYZ --XYZ\r\n--XYZ--]"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_multipart_result result = read_all_ways(*state, TYPE, CASES[i].body, &LIMITS);
        assert_int_equal(result.status, GH_MULTIPART_OK);
        assert_true(gh_str_eq(gh_buf_str(&result.parts), gh_str_from_c(CASES[i].parts)));
        assert_int_equal(result.offset, CASES[i].body.len);
    }
}

static void data_may_be_any_bytes(void **state)
{
    char memory[512];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&buf, GH_STR(HEAD_A));
    size_t from = buf.len;
    for (int c = 0; c < 256; c++)
        gh_buf_put_char(&buf, (char)c);
    struct gh_str data = gh_str_of(memory + from, 256);
    gh_buf_put(&buf, GH_STR(END));
    struct gh_multipart_result result = read_all_ways(*state, TYPE, gh_buf_str(&buf), &LIMITS);
    assert_int_equal(result.status, GH_MULTIPART_OK);
    assert_int_equal(result.parts.len, 256 + strlen("[a|-|-:]"));
    assert_memory_equal(result.parts.ptr + strlen("[a|-|-:"), data.ptr, data.len);
}

static void boundaries_that_overlap_themselves_are_found(void **state)
{
    const char *type = "multipart/form-data; boundary=----a----a";
    struct gh_str good = GH_STR("------a----a\r\nContent-Disposition: form-data; name=a\r\n\r\n"
                                "\r\n------a---\r\n-------a\r\n------a----a--");
    struct gh_multipart_result result = read_all_ways(*state, type, good, &LIMITS);
    assert_int_equal(result.status, GH_MULTIPART_OK);
    assert_true(gh_str_eq(gh_buf_str(&result.parts), GH_STR("[a|-|-:\r\n------a---\r\n-------a]")));
    struct gh_str bad = GH_STR("------a----a\r\nContent-Disposition: form-data; name=a\r\n\r\n"
                               "\r\n------a------a----a");
    result = read_all_ways(*state, type, bad, &LIMITS);
    assert_int_equal(result.status, GH_MULTIPART_BOUNDARY);
    assert_int_equal(result.offset, bad.len - 1);
}

static void boundaries_are_those_of_rfc_2046(void **state)
{
    static const char *const GOOD[] = {
        "multipart/form-data; boundary=xyz",
        "Multipart/Form-Data;boundary=xyz",
        "multipart/form-data; Boundary=\"xyz\"",
        "multipart/form-data;  boundary=\"xyz\"",
    };
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
        assert_int_equal(read_all_ways(*state, GOOD[i], GH_STR(HEAD_A "1" END), &LIMITS).status,
                         GH_MULTIPART_OK);
    struct gh_multipart_result result =
        read_all_ways(*state, "multipart/form-data; boundary=\"A a'()+_,-./:=?0\"",
                      GH_STR("--A a'()+_,-./:=?0--"), &LIMITS);
    assert_int_equal(result.status, GH_MULTIPART_OK);
    char type[200], body[200];
    for (int len = 70; len <= 71; len++) {
        int n = snprintf(type, sizeof(type), "multipart/form-data; boundary=%0*d", len, 7);
        assert_true(n > 0);
        n = snprintf(body, sizeof(body), "--%0*d--", len, 7);
        assert_true(n > 0);
        assert_int_equal(read_all_ways(*state, type, gh_str_from_c(body), &LIMITS).status,
                         len == 70 ? GH_MULTIPART_OK : GH_MULTIPART_TYPE);
    }
}

static void refuses_other_content_types(void **state)
{
    static const struct gh_str CASES[] = {
        GH_STR_INIT(""),
        GH_STR_INIT("multipart/form-data"),
        GH_STR_INIT("multipart/form-data;"),
        GH_STR_INIT("multipart/form-data; boundary"),
        GH_STR_INIT("multipart/form-data; boundary="),
        GH_STR_INIT("multipart/form-data; boundary=\"\""),
        GH_STR_INIT("multipart/mixed; boundary=xyz"),
        GH_STR_INIT("multipart/form-data2; boundary=xyz"),
        GH_STR_INIT("application/x-www-form-urlencoded; boundary=xyz"),
        /* the first to some, the last to others, and PHP looks for the word anywhere */
        GH_STR_INIT("multipart/form-data; boundary=xyz; boundary=abc"),
        GH_STR_INIT("multipart/form-data; x=boundary=abc; boundary=xyz"),
        GH_STR_INIT("multipart/form-data; charset=utf-8; boundary=xyz"),
        GH_STR_INIT("multipart/form-data; boundary=xyz; charset=utf-16"),
        GH_STR_INIT("multipart/form-data; boundary*=utf-8''xyz"), /* RFC 2231 */
        GH_STR_INIT("multipart/form-data; boundary*0=x; boundary*1=yz"),
        /* cut at the comma, at the space or nowhere */
        GH_STR_INIT("multipart/form-data; boundary=xyz,abc"),
        GH_STR_INIT("multipart/form-data, text/plain; boundary=xyz"),
        GH_STR_INIT("multipart/form-data; boundary=xyz abc"),
        GH_STR_INIT("multipart/form-data; boundary=xyz;"),
        GH_STR_INIT("multipart/form-data; boundary=xyz "),
        GH_STR_INIT("multipart/form-data ; boundary=xyz"),
        GH_STR_INIT("multipart/form-data; boundary =xyz"),
        GH_STR_INIT("multipart/form-data; boundary= xyz"),
        GH_STR_INIT("multipart/form-data;\tboundary=xyz"),
        GH_STR_INIT("multipart/form-data;; boundary=xyz"),
        GH_STR_INIT("multipart/form-data boundary=xyz"),
        /* trimmed by some */
        GH_STR_INIT("multipart/form-data; boundary=\"xyz \""),
        /* unescaped, kept, or the end */
        GH_STR_INIT("multipart/form-data; boundary=\"x\\yz\""),
        GH_STR_INIT("multipart/form-data; boundary=\"xyz"),
        GH_STR_INIT("multipart/form-data; boundary=\"xyz\"abc"),
        GH_STR_INIT("multipart/form-data; boundary='x y'"),
        /* no boundary characters, or none without quotes */
        GH_STR_INIT("multipart/form-data; boundary=x=yz"),
        GH_STR_INIT("multipart/form-data; boundary=x/yz"),
        GH_STR_INIT("multipart/form-data; boundary=x!yz"),
        GH_STR_INIT("multipart/form-data; boundary=\"x!yz\""),
        GH_STR_INIT("multipart/form-data; boundary=\"x\xc3\xa9z\""),
        GH_STR_INIT("multipart/form-data; boundary=\"x\0z\""),
        GH_STR_INIT("multipart/form-data; boundary=\"x\r\nz\""),
    };
    struct gh_multipart multipart;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_str body = GH_STR(HEAD_A "1" END), data;
        assert_int_equal(gh_multipart_init(&multipart, CASES[i], &LIMITS), GH_MULTIPART_TYPE);
        assert_int_equal(gh_multipart_read(&multipart, &body, &data), GH_MULTIPART_REFUSED);
        assert_int_equal(gh_multipart_finish(&multipart), GH_MULTIPART_TYPE);
    }
    (void)state;
}

static void tells_any_charset_to_those_who_ask_for_it(void **state)
{
    struct gh_multipart_limits limits = LIMITS;
    limits.any_charset = true;
    const struct gh_str whole = GH_STR(FIELD("Content-Type: text/plain; Charset=\"iso-8859-1\""));
    static const char *const TYPES[] = {"multipart/form-data; boundary=xyz; charset=UTF-8",
                                        "multipart/form-data;charset=\"x\";boundary=xyz"};
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++)
        assert_int_equal(read_all_ways(*state, TYPES[i], whole, &limits).status, GH_MULTIPART_OK);
    struct gh_multipart multipart;
    struct gh_str body = whole, data;
    (void)gh_multipart_init(&multipart, GH_STR(TYPE), &limits);
    assert_int_equal(gh_multipart_read(&multipart, &body, &data), GH_MULTIPART_PART);
    assert_true(gh_str_eq(multipart.part.charset, GH_STR("iso-8859-1")));
    static const struct gh_str BAD[] = {
        GH_STR_INIT("multipart/form-data; charset=utf-8"),
        GH_STR_INIT("multipart/form-data; boundary=xyz; charset=utf-8; charset=utf-8"),
        GH_STR_INIT("multipart/form-data; boundary=xyz; charset=utf-8; boundary=xyz"),
        GH_STR_INIT("multipart/form-data; boundary=xyz; charset=utf-8; x=y"),
        GH_STR_INIT("multipart/form-data; boundary=xyz; charset"),
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_int_equal(gh_multipart_init(&multipart, BAD[i], &limits), GH_MULTIPART_TYPE);
    assert_int_equal(
        read_all_ways(*state, TYPE,
                      GH_STR(FIELD("Content-Type: text/plain; charset=utf-8; charset=utf-8")),
                      &limits)
            .status,
        GH_MULTIPART_CHARSET);
}

struct bad {
    struct gh_str body;
    enum gh_multipart_status status;
    uint64_t offset;
};

static void assert_refused(void **state, const struct bad *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct gh_multipart_result result = read_all_ways(*state, TYPE, cases[i].body, &LIMITS);
        assert_int_equal(result.status, cases[i].status);
        assert_int_equal(result.offset, cases[i].offset);
        assert_true(gh_multipart_status_text(result.status).len > 0);
    }
}
#define ASSERT_REFUSED(cases) assert_refused(state, cases, sizeof(cases) / sizeof((cases)[0]))

static void refuses_boundaries_that_are_not_exact(void **state)
{
    static const struct bad CASES[] = {
        /* a preamble: skipped by RFC 2046's readers, an error or the first part to others */
        {GH_STR_INIT("\r\n" HEAD_A "1" END), GH_MULTIPART_BOUNDARY, 0},
        {GH_STR_INIT("hello\r\n" HEAD_A "1" END), GH_MULTIPART_BOUNDARY, 0},
        {GH_STR_INIT("-" HEAD_A "1" END), GH_MULTIPART_BOUNDARY, 2},
        {GH_STR_INIT("--XYZ\r\n"), GH_MULTIPART_BOUNDARY, 2},
        /* white space behind it: RFC 2046 allows it, PHP and Go's older versions do not see it */
        {GH_STR_INIT("--xyz \r\n"), GH_MULTIPART_BOUNDARY, 5},
        {GH_STR_INIT("--xyz\t\r\n"), GH_MULTIPART_BOUNDARY, 5},
        {GH_STR_INIT(HEAD_A "1\r\n--xyz \r\n"), GH_MULTIPART_BOUNDARY, DATA_A + 8},
        {GH_STR_INIT(HEAD_A "1\r\n--xyz-- "), GH_MULTIPART_EPILOGUE, DATA_A + 10},
        {GH_STR_INIT(HEAD_A "1\r\n--xyz --"), GH_MULTIPART_BOUNDARY, DATA_A + 8},
        /* a longer line: data to Go, a boundary to readers that compare its beginning */
        {GH_STR_INIT(HEAD_A "1\r\n--xyzzy\r\n"), GH_MULTIPART_BOUNDARY, DATA_A + 8},
        {GH_STR_INIT(HEAD_A "1\r\n--xyz-\r\n"), GH_MULTIPART_BOUNDARY, DATA_A + 9},
        {GH_STR_INIT(HEAD_A "1\r\n--xyz-x"), GH_MULTIPART_BOUNDARY, DATA_A + 9},
        /* behind a bare LF or CR: one to PHP, which looks for LF, and data to others */
        {GH_STR_INIT(HEAD_A "1\n--xyz--\r\n"), GH_MULTIPART_BOUNDARY, DATA_A + 6},
        {GH_STR_INIT(HEAD_A "1\r--xyz--\r\n"), GH_MULTIPART_BOUNDARY, DATA_A + 6},
        {GH_STR_INIT(HEAD_A "1\n\r--xyz--\r\n"), GH_MULTIPART_BOUNDARY, DATA_A + 7},
        /* within a line: one to readers that split the body at it */
        {GH_STR_INIT(HEAD_A "1--xyz" END), GH_MULTIPART_BOUNDARY, DATA_A + 5},
        {GH_STR_INIT(HEAD_A "\r\n---xyz" END), GH_MULTIPART_BOUNDARY, DATA_A + 7},
        {GH_STR_INIT(HEAD_A "\r\n----xyz" END), GH_MULTIPART_BOUNDARY, DATA_A + 8},
        {GH_STR_INIT(HEAD_A "--x--xyz" END), GH_MULTIPART_BOUNDARY, DATA_A + 7},
        {GH_STR_INIT(HEAD_A "\r\n--xy--xyz" END), GH_MULTIPART_BOUNDARY, DATA_A + 10},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"--xyz\"")), GH_MULTIPART_BOUNDARY, 45},
        /* right behind the head: a part without a body by RFC 2046, data to most */
        {GH_STR_INIT(HEAD_A "--xyz--\r\n"), GH_MULTIPART_BOUNDARY, DATA_A + 4},
        /* the head is not over */
        {GH_STR_INIT("--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n--xyz--\r\n"),
         GH_MULTIPART_INCOMPLETE, 58},
    };
    ASSERT_REFUSED(CASES);
}

static void refuses_line_ends_that_are_not_crlf(void **state)
{
    static const struct bad CASES[] = {
        {GH_STR_INIT("--xyz\nContent-Disposition: form-data; name=\"a\"\n\n1\n--xyz--\n"),
         GH_MULTIPART_LINE, 5},
        {GH_STR_INIT("--xyz\rContent-Disposition: x"), GH_MULTIPART_LINE, 6},
        {GH_STR_INIT("--xyz\r\r\n"), GH_MULTIPART_LINE, 6},
        {GH_STR_INIT(HEAD("Content-Disposition: form-data; name=\"a\"\n")), GH_MULTIPART_LINE, 47},
        {GH_STR_INIT(HEAD("A: b\rContent-Disposition: form-data; name=\"a\"")), GH_MULTIPART_LINE,
         12},
        {GH_STR_INIT("--xyz\r\n\n"), GH_MULTIPART_LINE, 7},
        /* a value in quotes over two lines */
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\n\"")), GH_MULTIPART_LINE, 46},
        /* folded: one line to mail readers, two or an error to others */
        {GH_STR_INIT(DISPOSITION("form-data;\r\n name=\"a\"")), GH_MULTIPART_LINE, 40},
        {GH_STR_INIT(DISPOSITION("form-data;\r\n\tname=\"a\"")), GH_MULTIPART_BYTE, 40},
        {GH_STR_INIT("--xyz\r\n Content-Disposition: form-data; name=\"a\"\r\n\r\n"),
         GH_MULTIPART_LINE, 7},
    };
    ASSERT_REFUSED(CASES);
}

static void refuses_a_body_without_its_end(void **state)
{
    struct gh_str whole = GH_STR(HEAD_A "1" END);
    for (size_t len = 0; len < whole.len - 3; len++) { /* Busboy and Go fail, PHP takes the part */
        struct gh_multipart_result result =
            read_all_ways(*state, TYPE, gh_str_first(whole, len), &LIMITS);
        if (len + 2 == whole.len)
            assert_int_equal(result.status, GH_MULTIPART_OK);
        else
            assert_int_equal(result.status, GH_MULTIPART_INCOMPLETE);
        assert_int_equal(result.offset, len);
    }
    /* between "--" and the line end: a stray CR */
    struct gh_str stray = gh_str_first(whole, whole.len - 1);
    assert_int_equal(read_all_ways(*state, TYPE, stray, &LIMITS).status, GH_MULTIPART_INCOMPLETE);
}

static void refuses_an_epilogue(void **state)
{
    static const struct bad CASES[] = {
        {GH_STR_INIT("--xyz--\n"), GH_MULTIPART_EPILOGUE, 7},
        {GH_STR_INIT("--xyz--\r\r"), GH_MULTIPART_EPILOGUE, 8},
        {GH_STR_INIT("--xyz---"), GH_MULTIPART_EPILOGUE, 7},
        {GH_STR_INIT("--xyz--\r\n\r\n"), GH_MULTIPART_EPILOGUE, 9},
        {GH_STR_INIT("--xyz--\r\nx"), GH_MULTIPART_EPILOGUE, 9},
        {GH_STR_INIT("--xyz--\r\n\0"), GH_MULTIPART_EPILOGUE, 9},
        /* parts behind the end: read by readers that split, not by those that stop */
        {GH_STR_INIT(HEAD_A "1" END HEAD_A "2" END), GH_MULTIPART_EPILOGUE, 63},
    };
    ASSERT_REFUSED(CASES);
}

static void refuses_dispositions_that_are_not_plain(void **state)
{
    static const struct bad CASES[] = {
        {GH_STR_INIT("--xyz\r\n\r\n1" END), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(HEAD("Content-Type: text/plain")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; filename=\"x\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("attachment; name=\"a\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("Form-Data; name=\"a\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("name=\"a\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        /* twice: the first, the last or both */
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\"; name=\"b\"")), GH_MULTIPART_DISPOSITION,
         LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\"; filename=x; filename=y")),
         GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"\"; name=\"b\"")), GH_MULTIPART_NAME, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\"; NAME=\"b\"")), GH_MULTIPART_DISPOSITION,
         LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; Name=\"a\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        /* RFC 8187: forbidden by RFC 7578, preferred to the plain ones by those that know it */
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\"; filename=x; filename*=utf-8''y")),
         GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\"; filename*=utf-8''y")),
         GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name*=utf-8''a")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name*0=\"a\"; name*1=\"b\"")),
         GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\"; size=3")), GH_MULTIPART_DISPOSITION,
         LINE_1},
        /* a backslash: PHP and RFC 2183 unescape, browsers and Busboy do not, IE sent paths */
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\\\"b\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\\\\\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\"; filename=\"C:\\x.txt\"")),
         GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\"; filename=\"x\\\"; name=\\\"b\"")),
         GH_MULTIPART_DISPOSITION, LINE_1},
        /* quotes that don't match */
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=a\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\"b")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\"\"b\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name='a b'")), GH_MULTIPART_DISPOSITION, LINE_1},
        /* separators and white space */
        {GH_STR_INIT(DISPOSITION("form-data; name=a b")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; =a")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data, name=\"a\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data name=\"a\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\",filename=x")), GH_MULTIPART_DISPOSITION,
         LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\";")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data;; name=\"a\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\" ")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data ; name=\"a\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name =\"a\"")), GH_MULTIPART_DISPOSITION, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name= \"a\"")), GH_MULTIPART_DISPOSITION, LINE_1},
    };
    ASSERT_REFUSED(CASES);
}

static void refuses_names_that_mean_more(void **state)
{
    static const struct bad CASES[] = {
        {GH_STR_INIT(DISPOSITION("form-data; name=\"\"")), GH_MULTIPART_NAME, LINE_1},
        /* sets the character set of all other fields for readers that obey it */
        {GH_STR_INIT(DISPOSITION("form-data; name=\"_charset_\"")), GH_MULTIPART_NAME, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=_CHARSET_")), GH_MULTIPART_NAME, LINE_1},
        /* a path: cut at its last slash by some, followed by others */
        {GH_STR_INIT(DISPOSITION("form-data; name=a; filename=\"../x\"")), GH_MULTIPART_NAME,
         LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=a; filename=\"/etc/passwd\"")), GH_MULTIPART_NAME,
         LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=a; filename=..")), GH_MULTIPART_NAME, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=a; filename=.")), GH_MULTIPART_NAME, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\xff\"")), GH_MULTIPART_BYTE, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\xe9\"")), GH_MULTIPART_BYTE, LINE_1},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\0b\"")), GH_MULTIPART_BYTE, 46},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\tb\"")), GH_MULTIPART_BYTE, 46},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"a\x7f\"")), GH_MULTIPART_BYTE, 46},
    };
    ASSERT_REFUSED(CASES);
}

static void refuses_other_fields_in_a_head(void **state)
{
    static const struct bad CASES[] = {
        /* Python's mail reader decodes it, most do not look */
        {GH_STR_INIT(FIELD("Content-Transfer-Encoding: base64")), GH_MULTIPART_ENCODING, LINE_2},
        {GH_STR_INIT(FIELD("Content-Transfer-Encoding: quoted-printable")), GH_MULTIPART_ENCODING,
         LINE_2},
        {GH_STR_INIT(FIELD("Content-Transfer-Encoding: 7bit")), GH_MULTIPART_ENCODING, LINE_2},
        {GH_STR_INIT(FIELD("Content-Transfer-Encoding:")), GH_MULTIPART_ENCODING, LINE_2},
        {GH_STR_INIT(FIELD("Content-Transfer-Encoding: binary ")), GH_MULTIPART_ENCODING, LINE_2},
        {GH_STR_INIT(FIELD("Content-Encoding: gzip")), GH_MULTIPART_HEADER, LINE_2},
        {GH_STR_INIT(FIELD("X-Other: 1")), GH_MULTIPART_HEADER, LINE_2},
        {GH_STR_INIT(FIELD("Content-Disposition: form-data; name=\"b\"")), GH_MULTIPART_HEADER,
         LINE_2},
        {GH_STR_INIT(FIELD("Content-Type: a/b\r\nContent-Type: a/c")), GH_MULTIPART_HEADER,
         LINE_2 + 19},
        {GH_STR_INIT(FIELD("Content-Type : a/b")), GH_MULTIPART_HEADER, LINE_2},
        {GH_STR_INIT(FIELD("Content-Type")), GH_MULTIPART_HEADER, LINE_2},
        {GH_STR_INIT(FIELD(": x")), GH_MULTIPART_HEADER, LINE_2},
        {GH_STR_INIT(FIELD("Content\xc3\xa9: x")), GH_MULTIPART_HEADER, LINE_2},
        /* a multipart within: parts of their own to some, bytes to others */
        {GH_STR_INIT(FIELD("Content-Type: multipart/mixed; boundary=b")), GH_MULTIPART_PART_TYPE,
         LINE_2},
        {GH_STR_INIT(FIELD("Content-Type: Multipart/form-data")), GH_MULTIPART_PART_TYPE, LINE_2},
        {GH_STR_INIT(FIELD("Content-Type: text")), GH_MULTIPART_PART_TYPE, LINE_2},
        {GH_STR_INIT(FIELD("Content-Type: text/")), GH_MULTIPART_PART_TYPE, LINE_2},
        {GH_STR_INIT(FIELD("Content-Type: /plain")), GH_MULTIPART_PART_TYPE, LINE_2},
        {GH_STR_INIT(FIELD("Content-Type: text/plain,text/html")), GH_MULTIPART_PART_TYPE, LINE_2},
        {GH_STR_INIT(FIELD("Content-Type: text/plain; x")), GH_MULTIPART_PART_TYPE, LINE_2},
        /* the same bytes are other characters */
        {GH_STR_INIT(FIELD("Content-Type: text/plain; charset=utf-7")), GH_MULTIPART_CHARSET,
         LINE_2},
        {GH_STR_INIT(FIELD("Content-Type: text/plain; Charset=\"iso-8859-1\"")),
         GH_MULTIPART_CHARSET, LINE_2},
        {GH_STR_INIT(FIELD("Content-Type: text/plain; charset=utf-8; charset=utf-8")),
         GH_MULTIPART_CHARSET, LINE_2},
        /* no length, or not the true one */
        {GH_STR_INIT(FIELD("Content-Length: -1")), GH_MULTIPART_LENGTH, LINE_2},
        {GH_STR_INIT(FIELD("Content-Length: 00")), GH_MULTIPART_LENGTH, LINE_2},
        {GH_STR_INIT(FIELD("Content-Length: 99999999999999999999")), GH_MULTIPART_LENGTH, LINE_2},
        {GH_STR_INIT(FIELD("Content-Length: 1")), GH_MULTIPART_LENGTH, LINE_2 + 21},
    };
    ASSERT_REFUSED(CASES);
}

static void refuses_more_than_its_limits(void **state)
{
    static const struct bad CASES[] = {
        {GH_STR_INIT(HEAD_A "12345" END), GH_MULTIPART_OK, 67},
        {GH_STR_INIT(HEAD_A "123456" END), GH_MULTIPART_PART_TOO_LONG, DATA_A + 5},
        {GH_STR_INIT(HEAD_A "1234\r\n" END), GH_MULTIPART_PART_TOO_LONG, DATA_A + 5},
        {GH_STR_INIT(HEAD_A "1234\r\n--xy" END), GH_MULTIPART_PART_TOO_LONG, DATA_A + 5},
        {GH_STR_INIT(HEAD_A "123456--xyz" END), GH_MULTIPART_PART_TOO_LONG, DATA_A + 5},
        {GH_STR_INIT(HEAD_A "1\r\n" HEAD_A "2\r\n--xyz\r\n"), GH_MULTIPART_TOO_MANY_PARTS,
         2 * DATA_A + 12},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"abcd\"")), GH_MULTIPART_OK, 65},
        {GH_STR_INIT(DISPOSITION("form-data; name=\"abcde\"")), GH_MULTIPART_NAME_TOO_LONG, 7},
        {GH_STR_INIT(DISPOSITION("form-data; name=a; filename=abcde")), GH_MULTIPART_NAME_TOO_LONG,
         7},
        {GH_STR_INIT(FIELD("Content-Type: 3456789/1234567")), GH_MULTIPART_OK, 93},
        {GH_STR_INIT(FIELD("Content-Type: 3456789/12345678")), GH_MULTIPART_HEAD_TOO_LONG, 82},
        {GH_STR_INIT(HEAD_A "1\r\n" HEAD_A "2" END "12"), GH_MULTIPART_EPILOGUE, 2 * DATA_A + 15},
        {GH_STR_INIT(HEAD_A "1\r\n" HEAD_A "12345\r\n--xyz--\r\n"), GH_MULTIPART_OK,
         2 * DATA_A + 19},
        {GH_STR_INIT("--xyz\r\nContent-Disposition: form-data; name=\"ab\"\r\n\r\n1\r\n" HEAD_A
                     "12345\r\n--xyz--\r\n"),
         GH_MULTIPART_TOO_LONG, 121},
    };
    const struct gh_multipart_limits limits = {.bytes_max = 121,
                                               .part_bytes_max = 5,
                                               .parts_max = 2,
                                               .head_bytes_max = 75,
                                               .name_bytes_max = 4};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_multipart_result result = read_all_ways(*state, TYPE, CASES[i].body, &limits);
        assert_int_equal(result.status, CASES[i].status);
        assert_int_equal(result.offset, CASES[i].offset);
    }
}

static void stays_refused(void **state)
{
    (void)state;
    struct gh_multipart multipart;
    struct gh_str bad = GH_STR("x"), good = GH_STR(HEAD_A "1" END), data;
    assert_int_equal(gh_multipart_init(&multipart, GH_STR(TYPE), &LIMITS), GH_MULTIPART_OK);
    assert_int_equal(gh_multipart_read(&multipart, &bad, &data), GH_MULTIPART_REFUSED);
    assert_int_equal(gh_multipart_read(&multipart, &good, &data), GH_MULTIPART_REFUSED);
    assert_int_equal(gh_multipart_finish(&multipart), GH_MULTIPART_BOUNDARY);
    assert_int_equal(multipart.offset, 0);
}

static void data_of_one_piece_is_a_slice_of_it(void **state)
{
    (void)state;
    struct gh_multipart multipart;
    struct gh_str whole = GH_STR(HEAD_A "1\r\n--xy2" END), input = whole, data;
    assert_int_equal(gh_multipart_init(&multipart, GH_STR(TYPE), &LIMITS), GH_MULTIPART_OK);
    assert_int_equal(gh_multipart_read(&multipart, &input, &data), GH_MULTIPART_PART);
    assert_int_equal(gh_multipart_read(&multipart, &input, &data), GH_MULTIPART_DATA);
    assert_ptr_equal(data.ptr, whole.ptr + strlen(HEAD_A));
    assert_int_equal(data.len, 8);
    assert_int_equal(gh_multipart_read(&multipart, &input, &data), GH_MULTIPART_PART_END);
    assert_int_equal(gh_multipart_read(&multipart, &input, &data), GH_MULTIPART_END);
    assert_int_equal(input.len, 2); /* before what follows is looked at */
    assert_int_equal(gh_multipart_read(&multipart, &input, &data), GH_MULTIPART_MORE);
    assert_int_equal(gh_multipart_finish(&multipart), GH_MULTIPART_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        TEST(reads_parts),
        TEST(data_may_be_any_bytes),
        TEST(boundaries_that_overlap_themselves_are_found),
        TEST(boundaries_are_those_of_rfc_2046),
        TEST(refuses_other_content_types),
        TEST(tells_any_charset_to_those_who_ask_for_it),
        TEST(refuses_boundaries_that_are_not_exact),
        TEST(refuses_line_ends_that_are_not_crlf),
        TEST(refuses_a_body_without_its_end),
        TEST(refuses_an_epilogue),
        TEST(refuses_dispositions_that_are_not_plain),
        TEST(refuses_names_that_mean_more),
        TEST(refuses_other_fields_in_a_head),
        TEST(refuses_more_than_its_limits),
        TEST(stays_refused),
        TEST(data_of_one_piece_is_a_slice_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
