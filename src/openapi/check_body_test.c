/* Bodies of each kind, as a whole and in pieces. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "openapi/check_cases.h"

struct body_case {
    const char *type, *body, *want;
};

static void run_bodies(const char *method, const char *path, const struct body_case *cases,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(
            &(struct gh_test_request){
                .method = method, .path = path, .type = cases[i].type, .body = cases[i].body},
            cases[i].want);
}

#define RUN_BODIES(method, path, cases)                                                            \
    run_bodies(method, path, cases, sizeof(cases) / sizeof((cases)[0]))

static void bodies_go_by_their_content_type(void **state)
{
    (void)state;
    static const struct body_case CASES[] = {
        {JSON_TYPE, "{\"name\":\"ada\"}", "ok"},
        {"Application/JSON; charset=UTF-8", "{\"name\":\"ada\"}", "ok"},
        {"application/json;charset=\"utf-8\" ; v=1", "{\"name\":\"ada\"}", "ok"},
        {"image/png", "\x89PNG", "ok"},
        {"text/plain", "four", "ok"},
        {"text/plain; charset=utf-8", "four", "ok"},
        {NULL, "{\"name\":\"ada\"}", "415 body:: content_type"},
        {"application/xml", "<a/>", "415 body:: content_type"},
        {"application/json+x", "{}", "415 body:: content_type"},
        {"application/jsonx", "{}", "415 body:: content_type"},
        {"application/vnd.a+json", "{}", "415 body:: content_type"},
        {"json", "{}", "415 body:: content_type"},
        {"application/", "{}", "415 body:: content_type"},
        {"/json", "{}", "415 body:: content_type"},
        {"*/*", "{}", "415 body:: content_type"},
        {"text/*", "four", "415 body:: content_type"},
        {"", "{}", "415 body:: content_type"},
        {"application/json; charset=utf-16", "{}", "415 body:: content_type"},
        {"application/json; charset=utf-8; charset=utf-16", "{}", "415 body:: content_type"},
        {"application/json; charset", "{}", "415 body:: content_type"},
        {"application/json;", "{}", "415 body:: content_type"},
        {"application/json; charset=\"utf-8", "{}", "415 body:: content_type"},
        {"application/json, text/plain", "{}", "415 body:: content_type"},
        {"application/json x", "{}", "415 body:: content_type"},
        {"text/html; charset=latin1", "four", "415 body:: content_type"},
        {"text/html", "longer", "body:: maxLength"},
        {"text/html", "\xff", "body:: syntax"},
        {JSON_TYPE, NULL, "body:: required"},
        {NULL, NULL, "body:: required"},
        {JSON_TYPE, "", "body:: required"},
    };
    RUN_BODIES("POST", "/json", CASES);
    static const struct body_case RANGES[] = {
        {NULL, NULL, "ok"},
        {JSON_TYPE, "", "ok"},
        {JSON_TYPE, "{}", "ok"},
        {JSON_TYPE, "{", "body:: syntax"},
        {"application/problem+json", "{", "body:: syntax"},
        {JSON_TYPE, "[]", "body:: type"},
        {JSON_TYPE, "{\"a\":[1,1e400]}", "body::/a/1 range"},
        {JSON_TYPE, "{\"a\":-1e309}", "body::/a range"},
        {JSON_TYPE, "{\"a\":1.8e308}", "body::/a range"},
        {JSON_TYPE, "{\"a\":1.7e308,\"b\":-1.7e308,\"c\":1e-400,\"d\":-1}", "ok"},
        {"text/plain", "x", "body:: type"},
        {FORM_TYPE, "a=1", "ok"},
        {"application/zip", "[]", "ok"},
    };
    RUN_BODIES("PUT", "/json", RANGES);
    static const struct body_case NONE[] = {
        {NULL, "x",
         "path:id: required, path:tags: required, query:need: required, "
         "body:: undeclared"},
    };
    RUN_BODIES("GET", "/pets/{id}/{tags}", NONE);
}

static void encoded_and_ambiguous_bodies_are_not_taken(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *type, *want;
    } CASES[] = {
        {"Content-Encoding: gzip\n", JSON_TYPE, "415 body:: content_encoding"},
        {"Content-Encoding: identity\nContent-Encoding: br\n", JSON_TYPE,
         "415 body:: content_encoding"},
        {"Content-Encoding: identity, gzip\n", JSON_TYPE, "415 body:: content_encoding"},
        {"Content-Encoding: identity\n", JSON_TYPE, "body::/name required"},
        {"Content-Encoding: gzip\n", "image/png", "ok"},
        {"Content-Type: application/json\n", JSON_TYPE, "415 body:: content_type"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        expect(&(struct gh_test_request){.method = "POST",
                                         .path = "/json",
                                         .fields = CASES[i].fields,
                                         .type = CASES[i].type,
                                         .body = "{}"},
               CASES[i].want);
}

static void json_is_strict_and_judged(void **state)
{
    (void)state;
    static const struct body_case CASES[] = {
        {JSON_TYPE, " {\"name\":\"ada\",\"tags\":[\"a\",\"b\"]} ", "ok"},
        {JSON_TYPE, "{\"name\":\"a\"}", "body::/name minLength"},
        {JSON_TYPE, "{\"name\":\"adalov\"}", "body::/name maxLength"},
        {JSON_TYPE, "{\"name\":1}", "body::/name type"},
        {JSON_TYPE, "{\"name\":\"ada\",\"id\":1}", "body::/id readOnly"},
        {JSON_TYPE, "{\"name\":\"ada\",\"x\":1}", "body::/x additionalProperties"},
        {JSON_TYPE, "{\"name\":\"a\",\"tags\":[\"a\",\"long\"]}",
         "body::/name minLength, body::/tags/1 maxLength"},
        {JSON_TYPE, "{\"name\":\"ada\",\"name\":\"bob\"}", "body:: syntax"},
        {JSON_TYPE, "{\"name\":\"ada\"}{}", "body:: syntax"},
        {JSON_TYPE, "{\"name\":\"ada\"", "body:: syntax"},
        {JSON_TYPE, "\xef\xbb\xbf{\"name\":\"ada\"}", "body:: syntax"},
        {JSON_TYPE, "{\"name\":\"\\ud800\"}", "body:: syntax"},
        {JSON_TYPE, "{\"name\":\"\xff\"}", "body:: syntax"},
        {JSON_TYPE, "{name:1}", "body:: syntax"},
        {JSON_TYPE, "\"\"", "body:: type"},
        {JSON_TYPE, "1e400", "body:: range, body:: type"},
        {JSON_TYPE, " ", "body:: syntax"},
    };
    RUN_BODIES("POST", "/json", CASES);
}

static void forms_become_objects(void **state)
{
    (void)state;
    static const struct body_case CASES[] = {
        {FORM_TYPE, "name=ada", "ok"},
        {FORM_TYPE "; charset=utf-8",
         "name=ada&age=7&tags=1&tags=2&home=%7B%22zip%22:%221%22%7D&csv=a,b&deep[a]=1", "ok"},
        {FORM_TYPE, "name=ada&tags=1", "ok"},
        {FORM_TYPE, "name=ada&extra=1&extra=2", "ok"},
        {FORM_TYPE, "name=7", "ok"},
        {FORM_TYPE, "name=ada&raw=7&raw=8", "body::/raw style"},
        {FORM_TYPE, NULL, "ok"},
        {FORM_TYPE, "", "ok"},
        {FORM_TYPE, "age=1", "body::/name required"},
        {FORM_TYPE, "name=adalove", "body::/name maxLength"},
        {FORM_TYPE, "name=ada&age=-1", "body::/age minimum"},
        {FORM_TYPE, "name=ada&age=x", "body::/age type"},
        {FORM_TYPE, "name=ada&name=bob", "body::/name style"},
        {FORM_TYPE, "name=ada&tags=1&tags=2&tags=3", "body::/tags maxItems"},
        {FORM_TYPE, "name=ada&tags=1&tags=x", "body::/tags/1 type"},
        {FORM_TYPE, "name=ada&home=x", "body::/home syntax"},
        {FORM_TYPE, "name=ada&home=%7B%7D", "body::/home/zip required"},
        {FORM_TYPE, "name=ada&home=%7B%22zip%22:%22123456%22%7D", "body::/home/zip maxLength"},
        {FORM_TYPE, "name=ada&csv=a,b,c", "body::/csv maxItems"},
        {FORM_TYPE, "name=ada&csv=a&csv=b", "body::/csv style"},
        {FORM_TYPE, "name=ada&deep[a]=x", "body::/deep/a type"},
        {FORM_TYPE, "name=ada&deep[b]=x", "body::/deep/b additionalProperties"},
        {FORM_TYPE, "name=ada&deep[a=x", "body::/deep style"},
        {FORM_TYPE, "name=ada&deep[a]=1&deep=1", "body:: style"},
        {FORM_TYPE, "name=%zz", "body:: syntax"},
        {FORM_TYPE, "name=a;b", "body:: syntax"},
        {FORM_TYPE, "_charset_=x&name=a", "body:: syntax"},
        {FORM_TYPE, "name=\xc3\xa9", "body:: syntax"},
    };
    RUN_BODIES("POST", "/form", CASES);
}

#define PART(head, body) "--b\r\nContent-Disposition: form-data; name=" head "\r\n\r\n" body "\r\n"
#define END              "--b--\r\n"
#define TITLE            PART("\"title\"", "abc")
#define PNG              "\r\nContent-Type: image/png"
#define DOC              PART("\"doc\"; filename=\"d.png\"" PNG, "12345")

static void parts_become_objects(void **state)
{
    (void)state;
    static const struct body_case CASES[] = {
        {PARTS_TYPE, TITLE DOC END, "ok"},
        {PARTS_TYPE,
         TITLE DOC PART("\"count\"", "9") PART("\"meta\"", "{\"k\":1}") PART("\"nums\"", "1")
             PART("\"nums\"", "2") PART("\"all\"; filename=\"a\"", "1")
                 PART("\"all\"; filename=\"b\"", "123") END,
         "ok"},
        {PARTS_TYPE, TITLE DOC PART("\"nums\"\r\nContent-Type: application/json", "[1,2]") END,
         "ok"},
        {PARTS_TYPE,
         TITLE DOC PART("\"meta\"; filename=\"blob\"\r\nContent-Type: application/json",
                        "{\"k\":1}") END,
         "ok"},
        {PARTS_TYPE, TITLE DOC PART("\"any\"; filename=\"a\"", "1") PART("\"other\"", "1") END,
         "ok"},
        {PARTS_TYPE, TITLE END, "body::/doc required"},
        {PARTS_TYPE, "", "body:: required"},
        {PARTS_TYPE, NULL, "body:: required"},
        {PARTS_TYPE, PART("\"title\"", "ABC") DOC END, "body::/title pattern"},
        {PARTS_TYPE, PART("\"title\"", "abcdef") DOC END, "body::/title maxLength"},
        {PARTS_TYPE, PART("\"title\"", "\xff") DOC END, "body::/title syntax"},
        {PARTS_TYPE, TITLE TITLE DOC END, "body::/title style"},
        {PARTS_TYPE, PART("\"title\"; filename=\"t\"", "ABC") DOC END, "body::/title style"},
        {PARTS_TYPE, PART("\"title\"\r\nContent-Type: image/png", "abc") DOC END,
         "body::/title content_type"},
        {PARTS_TYPE, PART("\"title\"\r\nContent-Type: application/json", "\"abc\"") DOC END,
         "body::/title content_type"},
        {PARTS_TYPE,
         PART("\"title\"; filename=\"t\"\r\nContent-Type: application/json", "\"abc\"") DOC END,
         "body::/title style"},
        {PARTS_TYPE, TITLE DOC PART("\"other\"\r\nContent-Type: application/json", "\"abc\"") END,
         "body::/other content_type"},
        {PARTS_TYPE, TITLE DOC PART("\"other\"\r\nContent-Type: application/json", "[\"abc\"]") END,
         "body::/other content_type"},
        {PARTS_TYPE,
         TITLE DOC PART("\"other\"\r\nContent-Type: application/json", "{\"a\":\"abc\"}") END,
         "ok"},
        {PARTS_TYPE, TITLE DOC PART("\"count\"", "10") END, "body::/count maximum"},
        {PARTS_TYPE, TITLE DOC PART("\"count\"", "x") END, "body::/count type"},
        {PARTS_TYPE, TITLE PART("\"doc\"; filename=\"d\"" PNG, "1") END, "body::/doc minLength"},
        {PARTS_TYPE, TITLE PART("\"doc\"; filename=\"d\"" PNG, "12345678901") END,
         "body::/doc maxLength"},
        {PARTS_TYPE, TITLE PART("\"doc\"; filename=\"d\"\r\nContent-Type: text/html", "123") END,
         "body::/doc content_type"},
        {PARTS_TYPE, TITLE PART("\"doc\"; filename=\"d\"", "123") END, "body::/doc content_type"},
        {PARTS_TYPE, TITLE DOC DOC END, "body::/doc style"},
        {PARTS_TYPE, TITLE DOC PART("\"meta\"", "{}") END, "body::/meta/k required"},
        {PARTS_TYPE, TITLE DOC PART("\"meta\"", "{\"k\":\"\"}") END, "body::/meta/k type"},
        {PARTS_TYPE, TITLE DOC PART("\"meta\"", "{\"k\":1,\"k\":2}") END, "body::/meta syntax"},
        {PARTS_TYPE, TITLE DOC PART("\"meta\"", "") END, "body::/meta syntax"},
        {PARTS_TYPE, TITLE DOC PART("\"meta\"\r\nContent-Type: text/plain", "{\"k\":1}") END,
         "body::/meta content_type"},
        {PARTS_TYPE, TITLE DOC PART("\"nums\"", "1") PART("\"nums\"", "x") END,
         "body::/nums/1 type"},
        {PARTS_TYPE, TITLE DOC PART("\"all\"; filename=\"a\"", "1234") END,
         "body::/all/0 maxLength"},
        {PARTS_TYPE,
         TITLE DOC PART("\"all\"; filename=\"a\"", "1") PART("\"all\"; filename=\"a\"", "1")
             PART("\"all\"; filename=\"a\"", "1") END,
         "body::/all maxItems"},
    };
    RUN_BODIES("POST", "/parts", CASES);
}

static void uploads_are_read_strictly(void **state)
{
    (void)state;
    static const struct body_case CASES[] = {
        {PARTS_TYPE, TITLE DOC, "body:: syntax"},
        {PARTS_TYPE, TITLE DOC END "x", "body:: syntax"},
        {PARTS_TYPE, TITLE END "x", "body::/doc required, body:: syntax"},
        {PARTS_TYPE, "x" TITLE DOC END, "body:: syntax"},
        {PARTS_TYPE, "{}", "body:: syntax"},
        {"multipart/form-data", TITLE DOC END, "415 body:: content_type"},
        {"multipart/form-data; boundary=", TITLE DOC END, "415 body:: content_type"},
        {"multipart/mixed; boundary=b", TITLE DOC END, "415 body:: content_type"},
    };
    RUN_BODIES("POST", "/parts", CASES);
}

/* A backend that reads as it comes acts on it, though the request is not at its end. */
static void parts_are_judged_with_their_last_boundary(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum gh_input_outcome want;
    } CASES[] = {
        {TITLE DOC "--b-", GH_INPUT_OK},
        {TITLE DOC "--b--", GH_INPUT_OK},
        {PART("\"title\"", "ABC") DOC "--b-", GH_INPUT_OK},
        {PART("\"title\"", "ABC") DOC "--b--", GH_INPUT_VIOLATIONS},
        {TITLE "--b--", GH_INPUT_VIOLATIONS},
    };
    struct gh_fields fields;
    struct gh_field items[1];
    gh_fields_init(&fields, items, 1);
    assert_true(gh_fields_add(&fields, GH_STR("Content-Type"), GH_STR(PARTS_TYPE)));
    const struct gh_input_request request = {
        .openapi = load.openapi,
        .operation = gh_test_operation(load.openapi, "POST", "/parts"),
        .limits = &gh_input_usual,
        .fields = &fields,
        .has_body = true,
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_input_checked checked;
        assert_int_equal(gh_input_check_head(&request, &arena, &checked), GH_INPUT_OK);
        struct gh_input_stream *stream = gh_input_stream_new(&request, &arena, &checked);
        assert_non_null(stream);
        assert_int_equal(gh_input_stream_feed(stream, gh_str_from_c(CASES[i].body)), CASES[i].want);
    }
}

static void long_files_are_counted_and_not_kept(void **state)
{
    (void)state;
    static char body[70000];
    static const struct {
        size_t bytes;
        const char *want;
    } CASES[] = {
        {4096, "ok"},
        {4097, "ok"},
        {5000, "ok"},
        {5001, "body::/big maxLength"},
        {60000, "body::/big maxLength"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_buf buf = gh_buf_over(body, sizeof(body));
        gh_buf_put(&buf, GH_STR(TITLE DOC "--b\r\nContent-Disposition: form-data; name=\"big\"; "
                                          "filename=\"x\"\r\n\r\n"));
        for (size_t k = 0; k < CASES[i].bytes; k++)
            gh_buf_put_char(&buf, 'x');
        gh_buf_put(&buf, GH_STR("\r\n" END));
        assert_false(buf.overflow);
        expect(&(struct gh_test_request){.method = "POST",
                                         .path = "/parts",
                                         .type = PARTS_TYPE,
                                         .body = body,
                                         .body_len = buf.len},
               CASES[i].want);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        TEST(bodies_go_by_their_content_type),
        TEST(encoded_and_ambiguous_bodies_are_not_taken),
        TEST(json_is_strict_and_judged),
        TEST(forms_become_objects),
        TEST(parts_become_objects),
        TEST(uploads_are_read_strictly),
        TEST(parts_are_judged_with_their_last_boundary),
        TEST(long_files_are_counted_and_not_kept),
    };
    return cmocka_run_group_tests(tests, open_document, close_document);
}
