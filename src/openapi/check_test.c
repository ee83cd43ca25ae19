/* Requests against a document that has every place an input can stand in. */
#include "openapi/check_fixture.h"
#include "openapi/load_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define JSON_TYPE  "application/json"
#define FORM_TYPE  "application/x-www-form-urlencoded"
#define PARTS_TYPE "multipart/form-data; boundary=b"

static const char DOCUMENT[] =
    "openapi: 3.1.0\n"
    "info: {title: t, version: '1'}\n"
    "paths:\n"
    "  /pets/{id}/{tags}:\n"
    "    get:\n"
    "      parameters:\n"
    "        - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}\n"
    "        - {name: tags, in: path, required: true, style: matrix,\n"
    "           schema: {type: array, items: {type: string, maxLength: 3}}}\n"
    "        - {name: limit, in: query, schema: {type: integer, maximum: 100}}\n"
    "        - {name: need, in: query, required: true, schema: {type: string, minLength: 1}}\n"
    "        - {name: flag, in: query, allowEmptyValue: true, schema: {type: boolean}}\n"
    "        - {name: filter, in: query, style: deepObject, explode: true,\n"
    "           schema: {type: object, additionalProperties: false,\n"
    "                    properties: {min: {type: number}, max: {type: number}}}}\n"
    "        - {name: where, in: query, content: {application/json: {schema:\n"
    "           {type: object, required: [x], properties: {x: {type: integer}}}}}}\n"
    "        - {name: page, in: query, schema: {type: object,\n"
    "           properties: {from: {type: integer}, to: {type: integer}}}}\n"
    "        - {name: X-Trace, in: header, schema: {type: string, pattern: '^[a-f0-9]+$'}}\n"
    "        - {name: X-List, in: header, schema: {type: array, maxItems: 3,\n"
    "           items: {type: integer}}}\n"
    "        - {name: Accept, in: header, schema: {type: integer}}\n"
    "        - {name: theme, in: cookie, schema: {enum: [dark, light]}}\n"
    "        - {name: ids, in: cookie, explode: false, schema: {type: array,\n"
    "           items: {type: integer}}}\n"
    "      responses:\n"
    "        '200': {description: d, content: {application/json: {schema:\n"
    "          {type: object, required: [id, secret], properties: {id: {type: integer},\n"
    "           secret: {type: string, writeOnly: true}, seen: {type: string, readOnly: "
    "true}}}}}}\n"
    "        '204': {description: d}\n"
    "        4XX: {description: d, content: {application/problem+json: {schema:\n"
    "          {type: object, required: [title]}}}}\n"
    "  /json:\n"
    "    post:\n"
    "      requestBody: {required: true, content: {application/json: {schema:\n"
    "        {type: object, required: [name], additionalProperties: false, properties: {\n"
    "          name: {type: string, minLength: 2, maxLength: 5}, id: {type: integer,\n"
    "          readOnly: true}, tags: {type: array, maxItems: 2, items: {type: string,\n"
    "          maxLength: 3}}}}}, 'image/png': {}, 'text/*': {schema: {type: string,\n"
    "          maxLength: 4}}}}\n"
    "      responses: {'200': {description: d}}\n"
    "    put:\n"
    "      requestBody: {content: {'*/*': {schema: {type: object}}}}\n"
    "      responses: {default: {description: d}}\n"
    "  /form:\n"
    "    post:\n"
    "      requestBody: {content: {application/x-www-form-urlencoded: {schema:\n"
    "        {type: object, required: [name], properties: {name: {type: string, maxLength: 5},\n"
    "          age: {type: integer, minimum: 0}, tags: {type: array, maxItems: 2,\n"
    "          items: {type: integer}}, home: {type: object, required: [zip],\n"
    "          properties: {zip: {type: string, maxLength: 5}}}, csv: {type: array,\n"
    "          items: {type: string}, maxItems: 2}, deep: {type: object,\n"
    "          properties: {a: {type: integer}}, additionalProperties: false},\n"
    "          raw: {type: string}}},\n"
    "        encoding: {csv: {style: form, explode: false}, deep: {style: deepObject,\n"
    "          explode: true}}}}}\n"
    "      responses: {'200': {description: d}}\n"
    "  /parts:\n"
    "    post:\n"
    "      requestBody: {required: true, content: {multipart/form-data: {schema:\n"
    "        {type: object, required: [title, doc], properties: {title: {type: string,\n"
    "          maxLength: 5, pattern: '^[a-z]*$'}, count: {type: integer, maximum: 9},\n"
    "          doc: {type: string, format: binary, minLength: 2, maxLength: 10},\n"
    "          big: {type: string, contentMediaType: image/png, maxLength: 5000},\n"
    "          all: {type: array, maxItems: 2, items: {type: string, format: binary,\n"
    "            maxLength: 3}}, any: {}, meta: {type: object, required: [k],\n"
    "          properties: {k: {type: integer}}}, nums: {type: array, items: {type: integer}}}},\n"
    "        encoding: {doc: {contentType: 'image/png, image/*'}}}}}\n"
    "      responses: {'200': {description: d}}\n";

static struct gh_test_load load;
static struct gh_arena arena;

static int open_document(void **state)
{
    static const struct gh_test_text TEXTS[] = {{"api.yaml", DOCUMENT}, {NULL, NULL}};
    (void)state;
    load = (struct gh_test_load){.texts = TEXTS, .options = {.responses = true}};
    gh_test_load(&load);
    if (!load.openapi)
        print_message("%s", gh_test_problems(&load));
    return load.openapi ? 0 : -1;
}

static int close_document(void **state)
{
    (void)state;
    gh_test_load_done(&load);
    return 0;
}

static int open_arena(void **state)
{
    (void)state;
    gh_arena_init(&arena, 1 << 16, 1 << 26);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    gh_arena_done(&arena);
    return 0;
}

static void expect(const struct gh_test_request *request, const char *want)
{
    static const size_t STEPS[] = {0, 1, 7, 100000};
    for (size_t i = 0; i < sizeof(STEPS) / sizeof(STEPS[0]); i++) {
        const char *got = gh_test_check(load.openapi, &arena, request, STEPS[i]);
        if (strcmp(got, want) != 0)
            print_message("query \"%s\" fields \"%s\" body \"%s\" by %zu\n",
                          request->query ? request->query : "",
                          request->fields ? request->fields : "",
                          request->body ? request->body : "", STEPS[i]);
        assert_string_equal(got, want);
    }
}

struct get_case {
    const char *id, *tags, *query, *fields, *want;
};

static void run_gets(const struct get_case *cases, size_t count,
                     struct gh_input_undeclared undeclared)
{
    for (size_t i = 0; i < count; i++)
        expect(&(struct gh_test_request){.method = "GET",
                                         .path = "/pets/{id}/{tags}",
                                         .values = {cases[i].id, cases[i].tags},
                                         .query = cases[i].query,
                                         .fields = cases[i].fields,
                                         .undeclared = undeclared},
               cases[i].want);
}

#define RUN_GETS(cases, ...)                                                                       \
    run_gets(cases, sizeof(cases) / sizeof((cases)[0]), (struct gh_input_undeclared){__VA_ARGS__})

static void parameters_are_checked_in_their_places(void **state)
{
    (void)state;
    static const struct get_case CASES[] = {
        {"1", ";tags=a,b", "need=x", NULL, "ok"},
        {"1", ";tags=a",
         "need=x&limit=100&flag&filter[min]=1&filter[max]=2.5&from=1&to=2"
         "&where=%7B%22x%22:1%7D",
         "X-Trace: ab\nX-List: 1, 2\nX-List: 3\nAccept: text/html\nCookie: theme=dark; a=\"b\"\n"
         "Cookie: ids=1,2\n",
         "ok"},
        {"1", ";tags=a", "need=x&flag=true", NULL, "ok"},
        {"1", ";tags=a", "need=x&flag=", NULL, "ok"},
        {"0", ";tags=a", "need=x", NULL, "path:id: minimum"},
        {"x", ";tags=a", "need=x", NULL, "path:id: type"},
        {"1.5", ";tags=a", "need=x", NULL, "path:id: type"},
        {"%31", ";tags=a", "need=x", NULL, "ok"},
        {"1%", ";tags=a", "need=x", NULL, "path:id: style"},
        {"1", ";tags=a,long", "need=x", NULL, "path:tags:/1 maxLength"},
        {"1", "tags=a", "need=x", NULL, "path:tags: style"},
        {"1", NULL, "need=x", NULL, "path:tags: required"},
        {"1", ";tags=a", NULL, NULL, "query:need: required"},
        {"1", ";tags=a", "", NULL, "query:need: required"},
        {"1", ";tags=a", "need=", NULL, "query:need: minLength"},
        {"1", ";tags=a", "Need=x", NULL, "query:need: required, query:Need: undeclared"},
        {"1", ";tags=a", "need=x&limit=101", NULL, "query:limit: maximum"},
        {"1", ";tags=a", "need=x&limit=ten", NULL, "query:limit: type"},
        {"1", ";tags=a", "need=x&limit=", NULL, "query:limit: type"},
        {"1", ";tags=a", "need=x&limit=1&limit=2", NULL, "query:limit: style"},
        {"1", ";tags=a", "need=x&flag=yes", NULL, "query:flag: type"},
        {"1", ";tags=a", "need=x&flag&flag", NULL, "query:flag: style"},
        {"1", ";tags=a", "need=x&filter[min]=a", NULL, "query:filter:/min type"},
        {"1", ";tags=a", "need=x&filter[mid]=1", NULL, "query:filter:/mid additionalProperties"},
        {"1", ";tags=a", "need=x&filter[min=1", NULL, "query:filter: style"},
        {"1", ";tags=a", "need=x&filter=1", NULL, "query:filter: undeclared"},
        {"1", ";tags=a", "need=x&where={}", NULL, "query:where: required"},
        {"1", ";tags=a", "need=x&where=%7B", NULL, "query:where: syntax"},
        {"1", ";tags=a", "need=x&where=%7B%22x%22:%22%22%7D", NULL, "query:where:/x type"},
        {"1", ";tags=a", "need=x&from=a", NULL, "query:page:/from type"},
        {"1", ";tags=a", "need=x&from=1&from=2", NULL, "query:page: style"},
        {"1", ";tags=a", "need=x&other=1&other=2&a%0a=1", NULL,
         "query:other: undeclared, query:: undeclared"},
        {"1", ";tags=a", "need=x&limit=%zz", NULL, "query:: syntax"},
        {"1", ";tags=a", "need=x;limit=1", NULL, "query:: syntax"},
        {"1", ";tags=a", "need=%c0%af", NULL, "query:: syntax"},
        {"1", ";tags=a", "need=x", "X-Trace: xyz\n", "header:X-Trace: pattern"},
        {"1", ";tags=a", "need=x", "x-trace: ab\nX-TRACE: cd\n", "header:X-Trace: style"},
        {"1", ";tags=a", "need=x", "X-List: 1,a\nX-List: 3\n", "header:X-List:/1 type"},
        {"1", ";tags=a", "need=x", "X-List: 1,2\nX-List: 3,4\n", "header:X-List: maxItems"},
        {"1", ";tags=a", "need=x", "Cookie: theme=blue\n", "cookie:theme: enum"},
        {"1", ";tags=a", "need=x", "Cookie: theme=dark; theme=light\n", "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: theme=dark\nCookie: theme=dark\n",
         "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: theme=\"dark\"\n", "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: theme =dark\n", "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: theme=da%\n", "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: theme\n", "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: ids=1,b\n", "cookie:ids:/1 type"},
        {"0", ";tags=long", "limit=x&z=1", "X-Trace: -\nCookie: theme=x\n",
         "path:id: minimum, path:tags:/0 maxLength, query:limit: type, query:need: required, "
         "query:z: undeclared, header:X-Trace: pattern, cookie:theme: enum"},
    };
    RUN_GETS(CASES, .query = true);
}

static void undeclared_names_are_as_configured(void **state)
{
    (void)state;
    static const struct get_case LENIENT[] = {
        {"1", ";tags=a", "need=x&other=1", "Cookie: sid=x\n", "ok"},
    };
    static const struct get_case STRICT[] = {
        {"1", ";tags=a", "need=x&other=1", "Cookie: sid=x; theme=dark; other\n",
         "cookie:sid: undeclared, cookie:other: undeclared"},
    };
    RUN_GETS(LENIENT, .query = false);
    RUN_GETS(STRICT, .cookies = true);
}

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
        {"Content-Encoding: identity\n", JSON_TYPE, "body:: required"},
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
        {JSON_TYPE, "1e400", "body:: type"},
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
        {FORM_TYPE, "age=1", "body:: required"},
        {FORM_TYPE, "name=adalove", "body::/name maxLength"},
        {FORM_TYPE, "name=ada&age=-1", "body::/age minimum"},
        {FORM_TYPE, "name=ada&age=x", "body::/age type"},
        {FORM_TYPE, "name=ada&name=bob", "body::/name style"},
        {FORM_TYPE, "name=ada&tags=1&tags=2&tags=3", "body::/tags maxItems"},
        {FORM_TYPE, "name=ada&tags=1&tags=x", "body::/tags/1 type"},
        {FORM_TYPE, "name=ada&home=x", "body::/home syntax"},
        {FORM_TYPE, "name=ada&home=%7B%7D", "body::/home required"},
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
        {PARTS_TYPE, TITLE END, "body:: required"},
        {PARTS_TYPE, "", "body:: required"},
        {PARTS_TYPE, NULL, "body:: required"},
        {PARTS_TYPE, PART("\"title\"", "ABC") DOC END, "body::/title pattern"},
        {PARTS_TYPE, PART("\"title\"", "abcdef") DOC END, "body::/title maxLength"},
        {PARTS_TYPE, PART("\"title\"", "\xff") DOC END, "body::/title syntax"},
        {PARTS_TYPE, TITLE TITLE DOC END, "body::/title style"},
        {PARTS_TYPE, PART("\"title\"; filename=\"t\"", "ABC") DOC END, "body::/title style"},
        {PARTS_TYPE, PART("\"title\"\r\nContent-Type: image/png", "abc") DOC END,
         "body::/title content_type"},
        {PARTS_TYPE, TITLE DOC PART("\"count\"", "10") END, "body::/count maximum"},
        {PARTS_TYPE, TITLE DOC PART("\"count\"", "x") END, "body::/count type"},
        {PARTS_TYPE, TITLE PART("\"doc\"; filename=\"d\"" PNG, "1") END, "body::/doc minLength"},
        {PARTS_TYPE, TITLE PART("\"doc\"; filename=\"d\"" PNG, "12345678901") END,
         "body::/doc maxLength"},
        {PARTS_TYPE, TITLE PART("\"doc\"; filename=\"d\"\r\nContent-Type: text/html", "123") END,
         "body::/doc content_type"},
        {PARTS_TYPE, TITLE PART("\"doc\"; filename=\"d\"", "123") END, "body::/doc content_type"},
        {PARTS_TYPE, TITLE DOC DOC END, "body::/doc style"},
        {PARTS_TYPE, TITLE DOC PART("\"meta\"", "{}") END, "body::/meta required"},
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
        {PARTS_TYPE, TITLE DOC, "body:: syntax"},
        {PARTS_TYPE, TITLE DOC END "x", "body:: syntax"},
        {PARTS_TYPE, "x" TITLE DOC END, "body:: syntax"},
        {PARTS_TYPE, "{}", "body:: syntax"},
        {"multipart/form-data", TITLE DOC END, "415 body:: content_type"},
        {"multipart/form-data; boundary=", TITLE DOC END, "415 body:: content_type"},
        {"multipart/mixed; boundary=b", TITLE DOC END, "415 body:: content_type"},
    };
    RUN_BODIES("POST", "/parts", CASES);
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

static void limits_are_violations_of_their_own(void **state)
{
    (void)state;
    struct gh_input_limits limits = gh_input_usual;
    limits.json =
        (struct gh_json_limits){.bytes_max = 40, .depth_max = 3, .values_max = 8, .members_max = 3};
    limits.form = (struct gh_form_limits){.bytes_max = 40, .fields_max = 3, .name_bytes_max = 8};
    limits.multipart.parts_max = 2;
    static const struct {
        const char *path;
        struct body_case body;
    } CASES[] = {
        {"/json", {JSON_TYPE, "[[[[]]]]", "body:: too_complex"}},
        {"/json", {JSON_TYPE, "[1,2,3,4,5,6,7,8]", "body:: too_complex"}},
        {"/json", {JSON_TYPE, "                                         {}", "body:: too_complex"}},
        {"/json",
         {"text/plain", "12345678901234567890123456789012345678901", "body:: too_complex"}},
        {"/form", {FORM_TYPE, "a=1&b=2&c=3&d=4", "body:: too_complex"}},
        {"/form", {FORM_TYPE, "a=1234567890123456789012345678901234567890", "body:: too_complex"}},
        {"/form", {FORM_TYPE, "a12345678=1", "body:: too_complex"}},
        {"/parts", {PARTS_TYPE, TITLE DOC DOC END, "body:: too_complex"}},
        {"/parts",
         {PARTS_TYPE, TITLE PART("\"count\"", "12345678901234567890123456789012345678901") END,
          "body::/count too_complex"}},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        expect(&(struct gh_test_request){.method = "POST",
                                         .path = CASES[i].path,
                                         .type = CASES[i].body.type,
                                         .body = CASES[i].body.body,
                                         .limits = &limits},
               CASES[i].body.want);
    limits = gh_input_usual;
    limits.schema.steps_max = 1;
    expect(&(struct gh_test_request){.method = "POST",
                                     .path = "/json",
                                     .type = JSON_TYPE,
                                     .body = "{\"name\":\"ada\"}",
                                     .limits = &limits},
           "body:: too_complex");
}

static void no_more_violations_than_asked_for_come_back(void **state)
{
    (void)state;
    struct gh_input_limits limits = gh_input_usual;
    struct gh_test_request request = {.method = "POST",
                                      .path = "/json",
                                      .query = "a=1&b=2",
                                      .type = JSON_TYPE,
                                      .body = "{\"name\":1,\"tags\":[1,2]}",
                                      .limits = &limits,
                                      .undeclared = {.query = true}};
    limits.violations_max = 3;
    expect(&request, "query:a: undeclared, query:b: undeclared, body::/name type");
    limits.violations_max = 1;
    expect(&request, "query:a: undeclared");
    limits.violations_max = 0;
    expect(&request, "query:a: undeclared");
}

static void messages_repeat_no_values(void **state)
{
    (void)state;
    struct gh_fields fields;
    struct gh_field items[4];
    struct gh_input_checked checked;
    const struct gh_str values[] = {GH_STR("hunter2"), GH_STR(";tags=hunter2")};
    gh_fields_init(&fields, items, 4);
    assert_true(gh_fields_add(&fields, GH_STR("X-Trace"), GH_STR("hunter2")));
    assert_true(gh_fields_add(&fields, GH_STR("Cookie"), GH_STR("theme=hunter2")));
    const struct gh_input_request request = {
        .openapi = load.openapi,
        .operation = gh_test_operation(load.openapi, "GET", "/pets/{id}/{tags}"),
        .limits = &gh_input_usual,
        .undeclared = {.query = true},
        .path_values = values,
        .path_value_count = 2,
        .query = GH_STR("limit=hunter2&filter[min]=hunter2&where=hunter2&x=hunter2"),
        .fields = &fields,
    };
    assert_int_equal(gh_input_check_head(&request, &arena, &checked), GH_INPUT_VIOLATIONS);
    assert_int_equal(checked.report.count, 9);
    for (size_t i = 0; i < checked.report.count; i++) {
        const struct gh_input_violation *found = &checked.report.violations[i];
        assert_int_equal(gh_str_find(found->message, GH_STR("hunter2")), found->message.len);
        assert_int_equal(gh_str_find(found->pointer, GH_STR("hunter2")), found->pointer.len);
    }
}

static void a_stream_refuses_at_the_first_wrong_byte(void **state)
{
    (void)state;
    struct gh_fields fields;
    struct gh_field items[1];
    struct gh_input_checked checked;
    gh_fields_init(&fields, items, 1);
    assert_true(gh_fields_add(&fields, GH_STR("Content-Type"), GH_STR(JSON_TYPE)));
    const struct gh_input_request request = {
        .openapi = load.openapi,
        .operation = gh_test_operation(load.openapi, "POST", "/json"),
        .limits = &gh_input_usual,
        .fields = &fields,
        .has_body = true,
    };
    assert_int_equal(gh_input_check_head(&request, &arena, &checked), GH_INPUT_OK);
    struct gh_input_stream *stream = gh_input_stream_new(&request, &arena, &checked);
    assert_int_equal(gh_input_stream_feed(stream, GH_STR("{\"name\":")), GH_INPUT_OK);
    assert_int_equal(gh_input_stream_feed(stream, GH_STR("!")), GH_INPUT_VIOLATIONS);
    assert_int_equal(gh_input_stream_feed(stream, GH_STR("\"ada\"}")), GH_INPUT_VIOLATIONS);
    assert_int_equal(gh_input_stream_finish(stream), GH_INPUT_VIOLATIONS);
    assert_int_equal(checked.report.count, 1);
    struct gh_str message = checked.report.violations[0].message;
    assert_true(gh_str_ends_with(message, GH_STR("at byte 8")));
}

static void answers_are_checked_too(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *type, *body, *want;
    } CASES[] = {
        {200, JSON_TYPE, "{\"id\":1}", "ok"},
        {200, JSON_TYPE, "{\"id\":1,\"seen\":\"x\"}", "ok"},
        {204, NULL, "", "ok"},
        {404, "application/problem+json", "{\"title\":\"x\"}", "ok"},
        {200, JSON_TYPE, "{\"id\":1,\"secret\":\"x\"}", "body::/secret writeOnly"},
        {200, JSON_TYPE, "{}", "body:: required"},
        {200, JSON_TYPE, "{\"id\":\"1\"}", "body::/id type"},
        {200, JSON_TYPE, "{", "body:: syntax"},
        {200, JSON_TYPE, "", "body:: required"},
        {200, NULL, "{\"id\":1}", "415 body:: content_type"},
        {200, "text/html", "{\"id\":1}", "415 body:: content_type"},
        {204, NULL, "x", "body:: undeclared"},
        {404, "application/problem+json", "{}", "body:: required"},
        {500, JSON_TYPE, "{}", "body:status: undeclared"},
        {201, JSON_TYPE, "{\"id\":1}", "body:status: undeclared"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_input_report report;
        char line[512];
        struct gh_buf buf = gh_buf_over(line, sizeof(line) - 1);
        const struct gh_input_response response = {
            .openapi = load.openapi,
            .operation = gh_test_operation(load.openapi, "GET", "/pets/{id}/{tags}"),
            .limits = &gh_input_usual,
            .status = CASES[i].status,
            .content_type = CASES[i].type ? gh_str_from_c(CASES[i].type) : (struct gh_str){0},
            .body = gh_str_from_c(CASES[i].body),
        };
        enum gh_input_outcome outcome = gh_input_check_response(&response, &arena, &report);
        gh_test_put_report(&buf, outcome, &report);
        line[buf.len] = '\0';
        assert_string_equal(line, CASES[i].want);
    }
}

/* With too little memory the answer is that, or the same as ever; never "ok" for what is not. */
static void a_full_arena_never_passes_anything(void **state)
{
    (void)state;
    static const struct body_case CASES[] = {
        {JSON_TYPE, "{\"name\":\"a\",\"tags\":[\"long\"]}",
         "body::/name minLength, body::/tags/0 maxLength"},
    };
    struct gh_fields fields;
    struct gh_field items[1];
    bool was_enough = false;
    gh_fields_init(&fields, items, 1);
    assert_true(gh_fields_add(&fields, GH_STR("Content-Type"), GH_STR(JSON_TYPE)));
    const struct gh_input_request request = {
        .openapi = load.openapi,
        .operation = gh_test_operation(load.openapi, "POST", "/json"),
        .limits = &gh_input_usual,
        .fields = &fields,
        .has_body = true,
    };
    for (size_t max = 0; max < 65536 && !was_enough; max += 256) {
        struct gh_input_checked checked;
        struct gh_arena small;
        gh_arena_init(&small, 256, max);
        enum gh_input_outcome outcome = gh_input_check_head(&request, &small, &checked);
        assert_true(outcome == GH_INPUT_OK || outcome == GH_INPUT_NO_MEMORY);
        if (outcome == GH_INPUT_OK)
            outcome = gh_input_check_body(&request, &small, gh_str_from_c(CASES[0].body), &checked);
        assert_true(outcome == GH_INPUT_VIOLATIONS || outcome == GH_INPUT_NO_MEMORY);
        was_enough = outcome == GH_INPUT_VIOLATIONS;
        gh_arena_done(&small);
    }
    assert_true(was_enough);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        TEST(parameters_are_checked_in_their_places),
        TEST(undeclared_names_are_as_configured),
        TEST(bodies_go_by_their_content_type),
        TEST(encoded_and_ambiguous_bodies_are_not_taken),
        TEST(json_is_strict_and_judged),
        TEST(forms_become_objects),
        TEST(parts_become_objects),
        TEST(long_files_are_counted_and_not_kept),
        TEST(limits_are_violations_of_their_own),
        TEST(no_more_violations_than_asked_for_come_back),
        TEST(messages_repeat_no_values),
        TEST(a_stream_refuses_at_the_first_wrong_byte),
        TEST(answers_are_checked_too),
        TEST(a_full_arena_never_passes_anything),
    };
    return cmocka_run_group_tests(tests, open_document, close_document);
}
