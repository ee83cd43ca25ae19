/* The table of rules. Ids are what people write behind --ignore and keep in records: never renamed.
 */
#include "openapi/lint.h"

#include "base/assert.h"

/* id, severity, part, fixable, meaning, remedy, OWASP API Top 10, ASVS, CWE */
static const struct gh_lint_rule_facts FACTS[GH_LINT_RULE_COUNT] = {
    [GH_LINT_STRING_NO_MAX_LENGTH] = {"string-no-max-length", GH_LINT_ERROR, GH_LINT_DATA, true,
                                      "A string may be of any length.", "Give it `maxLength`.",
                                      "API4", "5.1.4", "CWE-770"},
    [GH_LINT_PATTERN_NO_MAX_LENGTH] = {"pattern-no-max-length", GH_LINT_ERROR, GH_LINT_DATA, true,
                                       "A pattern runs over strings of any length.",
                                       "Give the string `maxLength`.", "API4", "5.1.4", "CWE-1333"},
    [GH_LINT_STRING_NO_MIN_LENGTH] = {"string-no-min-length", GH_LINT_ERROR, GH_LINT_DATA, true,
                                      "A required string may be empty, as if it were not there.",
                                      "Give it `minLength: 1`.", "API8", "5.1.4", "CWE-1284"},
    [GH_LINT_STRING_UNRESTRICTED] = {"string-unrestricted", GH_LINT_WARNING, GH_LINT_DATA, false,
                                     "A string may hold any characters.",
                                     "Give it `pattern`, `format`, `enum` or `const`.", "API8",
                                     "5.1.3", "CWE-20"},
    [GH_LINT_EMAIL_NO_FORMAT] = {"email-no-format", GH_LINT_ERROR, GH_LINT_DATA, true,
                                 "An e-mail address may be any text.", "Give it `format: email`.",
                                 "API8", "5.1.3", "CWE-1286"},
    [GH_LINT_CODE_NO_PATTERN] = {"code-no-pattern", GH_LINT_ERROR, GH_LINT_DATA, true,
                                 "A code may be any text.", "Give it an anchored `pattern`.",
                                 "API8", "5.1.3", "CWE-1286"},
    [GH_LINT_PHONE_NO_PATTERN] = {"phone-no-pattern", GH_LINT_ERROR, GH_LINT_DATA, true,
                                  "A telephone number may be any text.",
                                  "Give it an anchored `pattern`.", "API8", "5.1.3", "CWE-1286"},
    [GH_LINT_PATTERN_NOT_ANCHORED] = {"pattern-not-anchored", GH_LINT_WARNING, GH_LINT_DATA, false,
                                      "A pattern is content with a part of the string.",
                                      "Begin it with `^` and end it with `$`.", "API8", "5.1.3",
                                      "CWE-777"},
    [GH_LINT_PATTERN_EXPLODES] = {"pattern-explodes", GH_LINT_ERROR, GH_LINT_DATA, false,
                                  "A pattern can match the same text in very many ways.",
                                  "Write it so that what repeats can't be split in two ways.",
                                  "API4", "5.1.3", "CWE-1333"},
    [GH_LINT_NUMBER_NO_BOUNDS] = {"number-no-bounds", GH_LINT_ERROR, GH_LINT_DATA, true,
                                  "A number lacks a lower or an upper bound.",
                                  "Give it `minimum` and `maximum`.", "API4", "5.1.4", "CWE-1284"},
    [GH_LINT_INTEGER_NO_FORMAT] = {"integer-no-format", GH_LINT_WARNING, GH_LINT_DATA, true,
                                   "The width of an integer is not said.",
                                   "Give it `format: int32` or `int64`.", "API4", "5.1.4",
                                   "CWE-190"},
    [GH_LINT_ARRAY_NO_MAX_ITEMS] = {"array-no-max-items", GH_LINT_ERROR, GH_LINT_DATA, true,
                                    "An array may have any number of items.", "Give it `maxItems`.",
                                    "API4", "5.1.4", "CWE-770"},
    [GH_LINT_OBJECT_OPEN] = {"object-open", GH_LINT_ERROR, GH_LINT_DATA, true,
                             "An object takes members that are not declared.",
                             "Declare its members, and say `additionalProperties: false`.", "API3",
                             "5.1.2", "CWE-915"},
    [GH_LINT_MAP_NO_MAX_PROPERTIES] = {"map-no-max-properties", GH_LINT_ERROR, GH_LINT_DATA, true,
                                       "An object with free names may have any number of members.",
                                       "Give it `maxProperties`.", "API4", "5.1.4", "CWE-770"},
    [GH_LINT_SCHEMA_NO_TYPE] = {"schema-no-type", GH_LINT_ERROR, GH_LINT_DATA, false,
                                "A value may be of any kind, whatever else is asked of it.",
                                "Give the schema a `type`.", "API8", "5.1.4", "CWE-1287"},
    [GH_LINT_SCHEMA_NOT_FOLLOWED] =
        {"schema-not-followed", GH_LINT_WARNING, GH_LINT_DATA, false,
         "A reference can't be followed here, so what it leads to was not judged.",
         "Refer to it by a JSON Pointer.", "API9", "5.1.4", "CWE-1059"},
    [GH_LINT_PARAMETER_NO_SCHEMA] = {"parameter-no-schema", GH_LINT_ERROR, GH_LINT_DATA, false,
                                     "A parameter may have any value.", "Give it a `schema`.",
                                     "API8", "5.1.4", "CWE-20"},
    [GH_LINT_BODY_ANY_CONTENT_TYPE] = {"body-any-content-type", GH_LINT_ERROR, GH_LINT_DATA, false,
                                       "A request body may be of any content type.",
                                       "Name the content types that are taken.", "API8", "13.1.5",
                                       "CWE-436"},
    [GH_LINT_BODY_NO_SCHEMA] = {"body-no-schema", GH_LINT_ERROR, GH_LINT_DATA, false,
                                "A request body may hold anything.",
                                "Give its content type a `schema`.", "API8", "13.2.2", "CWE-20"},
    [GH_LINT_OPERATION_NO_SECURITY] =
        {"operation-no-security", GH_LINT_ERROR, GH_LINT_SECURITY, false,
         "It is not said who may call an operation.",
         "Give it `security`, or `security: []` where it is meant for all.", "API2", "4.1.1",
         "CWE-306"},
    [GH_LINT_WRITE_PUBLIC] = {"write-public", GH_LINT_ERROR, GH_LINT_SECURITY, false,
                              "Anybody may call an operation that writes.",
                              "Ask for security, or say why not in `x-public`.", "API2", "4.1.1",
                              "CWE-306"},
    [GH_LINT_SECURITY_UNKNOWN] =
        {"security-unknown", GH_LINT_ERROR, GH_LINT_SECURITY, false,
         "A security requirement names no security scheme of the document.",
         "Declare it under `components.securitySchemes`.", "API2", "4.1.1", "CWE-306"},
    [GH_LINT_SERVER_HTTP] = {"server-http", GH_LINT_ERROR, GH_LINT_SECURITY, false,
                             "A server is spoken to without encryption.", "Use `https`.", "API8",
                             "9.1.1", "CWE-319"},
    [GH_LINT_AUTH_HTTP] = {"auth-http", GH_LINT_ERROR, GH_LINT_SECURITY, false,
                           "An address of OAuth or OpenID Connect is not encrypted.",
                           "Use `https`.", "API8", "9.1.1", "CWE-319"},
    [GH_LINT_AUTH_BASIC] = {"auth-basic", GH_LINT_ERROR, GH_LINT_SECURITY, false,
                            "HTTP Basic sends the password with every request.",
                            "Use tokens that expire.", "API2", "2.10.1", "CWE-522"},
    [GH_LINT_AUTH_WEAK_SCHEME] = {"auth-weak-scheme", GH_LINT_ERROR, GH_LINT_SECURITY, false,
                                  "An authentication scheme is outdated or private.",
                                  "Use Bearer (RFC 6750), DPoP (RFC 9449) or mutual TLS.", "API2",
                                  "2.10.1", "CWE-327"},
    [GH_LINT_API_KEY_IN_URL] = {"api-key-in-url", GH_LINT_ERROR, GH_LINT_SECURITY, false,
                                "An API key stands in the URL, and so in logs and histories.",
                                "Send it in a header field.", "API2", "13.1.3", "CWE-598"},
    [GH_LINT_CREDENTIALS_IN_URL] =
        {"credentials-in-url", GH_LINT_ERROR, GH_LINT_SECURITY, false,
         "A parameter of the URL holds a secret, which logs and histories keep.",
         "Send it in a header field or in the body.", "API2", "13.1.3", "CWE-598"},
    [GH_LINT_JWT_PRACTICES] =
        {"jwt-practices", GH_LINT_WARNING, GH_LINT_SECURITY, false,
         "A scheme with JSON Web Tokens does not say that RFC 8725 is followed.",
         "Follow RFC 8725 and say so in its description.", "API2", "3.5.3", "CWE-347"},
    [GH_LINT_TOKEN_NO_REFRESH] =
        {"token-no-refresh", GH_LINT_WARNING, GH_LINT_SECURITY, false,
         "A flow of OAuth has no `refreshUrl`, which makes access tokens live long.",
         "Give short-lived tokens and a `refreshUrl`.", "API2", "3.5.1", "CWE-613"},
    [GH_LINT_NUMERIC_ID] = {"numeric-id", GH_LINT_WARNING, GH_LINT_SECURITY, false,
                            "An id is a number, and so can be guessed.", "Use random ids (UUID).",
                            "API1", "4.2.1", "CWE-639"},
    [GH_LINT_URL_PARAMETER] =
        {"url-parameter", GH_LINT_WARNING, GH_LINT_SECURITY, false,
         "A parameter looks like an address to call or to go to, and takes any.",
         "Give it `enum`, or a `pattern` that names the allowed hosts.", "API7", "5.2.6",
         "CWE-918"},
    [GH_LINT_RESPONSE_401_MISSING] = {"response-401-missing", GH_LINT_WARNING, GH_LINT_SECURITY,
                                      false,
                                      "A secured operation does not say how it refuses strangers.",
                                      "Declare `401`.", "API8", "7.4.1", "CWE-1059"},
    [GH_LINT_RESPONSE_422_MISSING] =
        {"response-422-missing", GH_LINT_WARNING, GH_LINT_SECURITY, false,
         "An operation with inputs does not say how it refuses bad ones.",
         "Declare `422` or `400`.", "API8", "7.4.1", "CWE-1059"},
    [GH_LINT_RESPONSE_429_MISSING] = {"response-429-missing", GH_LINT_WARNING, GH_LINT_SECURITY,
                                      false, "An operation does not say that it limits rates.",
                                      "Limit them, and declare `429`.", "API4", "11.1.4",
                                      "CWE-770"},
    [GH_LINT_RESPONSE_429_NO_RETRY] = {"response-429-no-retry", GH_LINT_WARNING, GH_LINT_SECURITY,
                                       false, "`429` does not say when to come again.",
                                       "Declare the field `Retry-After`.", "API4", "11.1.4",
                                       "CWE-770"},
};

const struct gh_lint_rule_facts *gh_lint_rule_facts(enum gh_lint_rule rule)
{
    GH_ASSERT(rule < GH_LINT_RULE_COUNT && FACTS[rule].id);
    return &FACTS[rule];
}

enum gh_lint_rule gh_lint_rule_find(struct gh_str id)
{
    unsigned i = 0;
    while (i < GH_LINT_RULE_COUNT && !gh_str_eq(id, gh_str_from_c(FACTS[i].id)))
        i++;
    return (enum gh_lint_rule)i;
}
