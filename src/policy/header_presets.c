/*
 * The presets of `headers.preset`, as tables (SPEC section 3.10). Preset `owasp` is the proposal of
 * the OWASP Secure Headers project to the letter, Clear-Site-Data apart, which belongs to a logout.
 */
#include "policy/header_presets.h"

/*
 * Features that ask for a permission or reach hardware, the clipboard or the screen: off. Only
 * names that current browsers know (an unknown one, such as interest-cohort, is an error in their
 * console). Left alone: what pages use without asking (fullscreen, autoplay, picture-in-picture,
 * web-share, sync-xhr), and publickey-credentials-get, for turning it off breaks passkeys.
 */
#define PERMISSIONS                                                                                \
    "accelerometer=(), camera=(), clipboard-read=(), clipboard-write=(), display-capture=(), "     \
    "geolocation=(), gyroscope=(), hid=(), idle-detection=(), local-fonts=(), magnetometer=(), "   \
    "microphone=(), midi=(), payment=(), screen-wake-lock=(), serial=(), usb=(), "                 \
    "window-management=(), xr-spatial-tracking=()"

#define HSTS "max-age=63072000; includeSubDomains"

/* Of `api` and `spa`. */
#define COMMON_LINES                                                                               \
    {GH_STR_INIT("X-Content-Type-Options"), GH_STR_INIT("nosniff"), false},                        \
        {GH_STR_INIT("X-Frame-Options"), GH_STR_INIT("DENY"), false},                              \
        {GH_STR_INIT("Referrer-Policy"), GH_STR_INIT("no-referrer"), false},                       \
        {GH_STR_INIT("Cross-Origin-Opener-Policy"), GH_STR_INIT("same-origin"), false},            \
        {GH_STR_INIT("Cross-Origin-Resource-Policy"), GH_STR_INIT("same-origin"), false},          \
        {GH_STR_INIT("X-DNS-Prefetch-Control"), GH_STR_INIT("off"), false},                        \
        {GH_STR_INIT("X-Permitted-Cross-Domain-Policies"), GH_STR_INIT("none"), false},            \
    {                                                                                              \
        GH_STR_INIT("Cache-Control"), GH_STR_INIT("no-store"), true                                \
    }

static const struct gh_preset_line API_LINES[] = {COMMON_LINES};

static const struct gh_preset_line SPA_LINES[] = {
    {GH_STR_INIT("Origin-Agent-Cluster"), GH_STR_INIT("?1"), false},
    COMMON_LINES,
};

static const struct gh_preset_line OWASP_LINES[] = {
    {GH_STR_INIT("Cache-Control"), GH_STR_INIT("no-store, max-age=0"), false},
    {GH_STR_INIT("Cross-Origin-Embedder-Policy"), GH_STR_INIT("require-corp"), false},
    {GH_STR_INIT("Cross-Origin-Opener-Policy"), GH_STR_INIT("same-origin"), false},
    {GH_STR_INIT("Cross-Origin-Resource-Policy"), GH_STR_INIT("same-origin"), false},
    {GH_STR_INIT("Referrer-Policy"), GH_STR_INIT("no-referrer"), false},
    {GH_STR_INIT("X-Content-Type-Options"), GH_STR_INIT("nosniff"), false},
    {GH_STR_INIT("X-DNS-Prefetch-Control"), GH_STR_INIT("off"), false},
    {GH_STR_INIT("X-Frame-Options"), GH_STR_INIT("deny"), false},
    {GH_STR_INIT("X-Permitted-Cross-Domain-Policies"), GH_STR_INIT("none"), false},
};

#define LINES(table) .lines = table, .line_count = sizeof(table) / sizeof(table[0])

static const struct gh_preset PRESETS[] = {
    [GH_PRESET_API] =
        {
            LINES(API_LINES),
            .hsts = GH_STR_INIT(HSTS),
            .permissions = GH_STR_INIT(PERMISSIONS),
            .csp = GH_STR_INIT("default-src 'none'; base-uri 'none'; form-action 'none'; "
                               "frame-ancestors 'none'; sandbox"),
            .form_action = GH_STR_INIT("'none'"),
            .csp_mode = GH_CSP_ENFORCE,
            .removes_leaks = true,
        },
    /* In front of an upstream, whose pages get no nonces from us: 'self' in their place. */
    [GH_PRESET_SPA] =
        {
            LINES(SPA_LINES),
            .hsts = GH_STR_INIT(HSTS),
            .permissions = GH_STR_INIT(PERMISSIONS),
            .csp = GH_STR_INIT("default-src 'none'; script-src 'self'; style-src 'self'; "
                               "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
                               "manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
                               "form-action 'self'; frame-ancestors 'none'; "
                               "upgrade-insecure-requests"),
            .form_action = GH_STR_INIT("'self'"),
            .trusted_types = GH_STR_INIT("require-trusted-types-for 'script'"),
            .csp_mode = GH_CSP_REPORT_ONLY,
            .removes_leaks = true,
        },
    [GH_PRESET_OWASP] =
        {
            LINES(OWASP_LINES),
            .hsts = GH_STR_INIT("max-age=63072000; includeSubDomains"),
            .permissions = GH_STR_INIT(
                "accelerometer=(), autoplay=(), camera=(), cross-origin-isolated=(), "
                "display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), "
                "gyroscope=(), keyboard-map=(), magnetometer=(), microphone=(), midi=(), "
                "payment=(), picture-in-picture=(), publickey-credentials-get=(), "
                "screen-wake-lock=(), sync-xhr=(self), usb=(), web-share=(), "
                "xr-spatial-tracking=(), clipboard-read=(), clipboard-write=(), gamepad=(), "
                "hid=(), idle-detection=(), interest-cohort=(), serial=(), unload=()"),
            .csp = GH_STR_INIT(
                "default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; "
                "frame-ancestors 'none'; upgrade-insecure-requests"),
            .form_action = GH_STR_INIT("'self'"),
            .csp_mode = GH_CSP_ENFORCE,
            .removes_leaks = true,
        },
    [GH_PRESET_OFF] = {.form_action = GH_STR_INIT("'self'"), .csp_mode = GH_CSP_ENFORCE},
};

const struct gh_preset *gh_preset_of(enum gh_header_preset preset)
{
    return &PRESETS[preset == GH_PRESET_UNSET ? GH_PRESET_API : preset];
}

/* The list of the OWASP Secure Headers project (headers_remove.json), and some of Rails, Drupal,
   Symfony and ASP.NET Core. */
const struct gh_str gh_leaking_names[] = {
    GH_STR_INIT("$wsep"),
    GH_STR_INIT("Host-Header"),
    GH_STR_INIT("K-Proxy-Request"),
    GH_STR_INIT("Liferay-Portal"),
    GH_STR_INIT("OracleCommerceCloud-Version"),
    GH_STR_INIT("Pega-Host"),
    GH_STR_INIT("Powered-By"),
    GH_STR_INIT("Product"),
    GH_STR_INIT("Server"),
    GH_STR_INIT("SourceMap"),
    GH_STR_INIT("X-AspNet-Version"),
    GH_STR_INIT("X-AspNetCore-Version"),
    GH_STR_INIT("X-AspNetMvc-Version"),
    GH_STR_INIT("X-Atmosphere-error"),
    GH_STR_INIT("X-Atmosphere-first-request"),
    GH_STR_INIT("X-Atmosphere-tracking-id"),
    GH_STR_INIT("X-B3-ParentSpanId"),
    GH_STR_INIT("X-B3-Sampled"),
    GH_STR_INIT("X-B3-SpanId"),
    GH_STR_INIT("X-B3-TraceId"),
    GH_STR_INIT("X-Backside-Transport"),
    GH_STR_INIT("X-BEServer"),
    GH_STR_INIT("X-CalculatedBETarget"),
    GH_STR_INIT("X-CF-Powered-By"),
    GH_STR_INIT("X-CMS"),
    GH_STR_INIT("X-Cocoon-Version"),
    GH_STR_INIT("X-Content-Encoded-By"),
    GH_STR_INIT("X-Datadog-Origin"),
    GH_STR_INIT("X-Datadog-Parent-Id"),
    GH_STR_INIT("X-Datadog-Sampling-Priority"),
    GH_STR_INIT("X-Datadog-Tags"),
    GH_STR_INIT("X-Datadog-Trace-Id"),
    GH_STR_INIT("X-Debug-Token"),
    GH_STR_INIT("X-Debug-Token-Link"),
    GH_STR_INIT("X-DiagInfo"),
    GH_STR_INIT("X-Drupal-Cache"),
    GH_STR_INIT("X-dtAgentId"),
    GH_STR_INIT("X-dtHealthCheck"),
    GH_STR_INIT("X-dtInjectedServlet"),
    GH_STR_INIT("X-Envoy-Attempt-Count"),
    GH_STR_INIT("X-Envoy-External-Address"),
    GH_STR_INIT("X-Envoy-Internal"),
    GH_STR_INIT("X-Envoy-Original-Dst-Host"),
    GH_STR_INIT("X-Envoy-Upstream-Service-Time"),
    GH_STR_INIT("X-FEServer"),
    GH_STR_INIT("X-Framework"),
    GH_STR_INIT("X-Generated-By"),
    GH_STR_INIT("X-Generator"),
    GH_STR_INIT("X-Gitlab-Meta"),
    GH_STR_INIT("X-Jitsi-Release"),
    GH_STR_INIT("X-Joomla-Version"),
    GH_STR_INIT("X-Kong-Admin-Latency"),
    GH_STR_INIT("X-Kong-Client-Latency"),
    GH_STR_INIT("X-Kong-Proxy-Latency"),
    GH_STR_INIT("X-Kong-Request-Id"),
    GH_STR_INIT("X-Kong-Response-Latency"),
    GH_STR_INIT("X-Kong-Third-Party-Latency"),
    GH_STR_INIT("X-Kong-Total-Latency"),
    GH_STR_INIT("X-Kong-Upstream-Latency"),
    GH_STR_INIT("X-Kong-Upstream-Status"),
    GH_STR_INIT("X-Kubernetes-PF-FlowSchema-UI"),
    GH_STR_INIT("X-Kubernetes-PF-PriorityLevel-UID"),
    GH_STR_INIT("X-LiteSpeed-Cache"),
    GH_STR_INIT("X-Litespeed-Cache-Control"),
    GH_STR_INIT("X-LiteSpeed-Purge"),
    GH_STR_INIT("X-LiteSpeed-Tag"),
    GH_STR_INIT("X-LiteSpeed-Vary"),
    GH_STR_INIT("X-Mod-Pagespeed"),
    GH_STR_INIT("X-Nextjs-Cache"),
    GH_STR_INIT("X-Nextjs-Matched-Path"),
    GH_STR_INIT("X-Nextjs-Page"),
    GH_STR_INIT("X-Nextjs-Redirect"),
    GH_STR_INIT("X-Old-Content-Length"),
    GH_STR_INIT("X-OneAgent-JS-Injection"),
    GH_STR_INIT("X-OWA-Version"),
    GH_STR_INIT("X-Page-Speed"),
    GH_STR_INIT("X-Php-Version"),
    GH_STR_INIT("X-Powered-By"),
    GH_STR_INIT("X-Powered-By-Plesk"),
    GH_STR_INIT("X-Powered-CMS"),
    GH_STR_INIT("X-Redirect-By"),
    GH_STR_INIT("X-Runtime"),
    GH_STR_INIT("X-ruxit-JS-Agent"),
    GH_STR_INIT("X-Server-Powered-By"),
    GH_STR_INIT("X-SourceFiles"),
    GH_STR_INIT("X-SourceMap"),
    GH_STR_INIT("X-Turbo-Charged-By"),
    GH_STR_INIT("X-Tyk-Trace-Id"),
    GH_STR_INIT("X-Umbraco-Version"),
    GH_STR_INIT("X-Varnish-Backend"),
    GH_STR_INIT("X-Varnish-Server"),
    GH_STR_INIT("X-Woodpecker-Version"),
};
const size_t gh_leaking_name_count = sizeof(gh_leaking_names) / sizeof(gh_leaking_names[0]);

/* Withdrawn by browsers, harmful or both; absent unless set. */
const struct gh_str gh_obsolete_names[] = {
    GH_STR_INIT("X-XSS-Protection"), GH_STR_INIT("Feature-Policy"),
    GH_STR_INIT("Public-Key-Pins"),  GH_STR_INIT("Public-Key-Pins-Report-Only"),
    GH_STR_INIT("Expect-CT"),
};
const size_t gh_obsolete_name_count = sizeof(gh_obsolete_names) / sizeof(gh_obsolete_names[0]);
