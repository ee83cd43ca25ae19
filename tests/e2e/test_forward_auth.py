"""SPEC 3: forward-auth for those who keep their proxy. nginx, Caddy and HAProxy are the real ones,
with the files of deploy/; Traefik and Envoy are spoken for by requests of the shape they send."""

import re

import pytest

from harness.backend import Backend, answer
from harness.gate import IS_RELEASE
from harness.h2 import H2Client
from harness.identity import BASE, Person, assert_answer, deployed, new_person
from harness.proxies import ALL
from harness.wire import chunked, request

pytestmark = pytest.mark.skipif(IS_RELEASE, reason="needs the test clock")

PEERS = {"authz": {"peers": ["127.0.0.1/32"]}}
NAVIGATION = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
IDENTITY = ("Remote-User", "Remote-Groups", "Remote-Email")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("forward"), PEERS) as deployment:
        deployment.admin()
        yield deployment


class Site:
    """The application behind a proxy that asks gatehouse."""

    def __init__(self, proxy, application, world):
        self.proxy = proxy
        self.app = application
        self.world = world

    def stranger(self):
        return Person(self.proxy)

    def person(self):
        """Signed up and signed in through the proxy."""
        return new_person(self.proxy)

    def admin(self):
        """The first admin's session, in a browser that comes through the proxy."""
        admin = self.stranger()
        admin.cookies = dict(self.world.admin().cookies)
        return admin

    def passed(self, ask):
        """(the answer, what the application got meanwhile)"""
        before = len(self.app.requests)
        response = ask()
        return response, self.app.requests[before:]

    def refuses(self, ask, *statuses):
        response, arrived = self.passed(ask)
        assert not arrived, f"{arrived[0].target} arrived"
        assert response.status in statuses, response
        return response

    def raw(self, target, person=None, host="localhost", fields=(), method="GET"):
        """A target just as it stands here."""
        fields = (person or self.stranger()).fields(fields)
        with self.proxy.connect() as client:
            return client.ask(request(method, target, fields, host=host), method)


def start_proxy(kind, application, gate_port, **options):
    if not kind.is_installed():
        pytest.skip(f"{kind.program} is not installed")
    return kind(application, gate_port, **options)


@pytest.fixture(scope="module", params=ALL, ids=lambda kind: kind.program)
def site(request, world):
    with Backend() as app:
        gate = world.gate
        with start_proxy(request.param, app.port, gate.address, clock=gate.clock) as proxy:
            yield Site(proxy, app, world)


def identity_at(received):
    """What the application is told; None: nothing, not even an empty field."""
    return [received.get(name) for name in IDENTITY]


# -- who gets through --


def test_a_call_of_nobody_gets_401_and_no_redirect(site):
    stranger = site.stranger()
    for method, body in (("GET", None), ("POST", b"{}"), ("DELETE", None)):
        response = site.refuses(lambda: stranger.ask(method, "/data", body), 401)
        assert response.get("Location") is None
        assert response.get("WWW-Authenticate").startswith("Bearer")
        assert response.get("Content-Type") == "application/problem+json"
        assert response.json()["status"] == 401


def test_a_page_for_nobody_leads_to_the_login_page(site):
    ask = lambda: site.stranger().get("/pages/1?a=b&c=d", extra=NAVIGATION)
    response = site.refuses(ask, 303)
    assert response.get("Location").endswith("/login?return_to=/pages/1%3Fa%3Db%26c%3Dd")
    assert not re.match(r"https?://(?!localhost)", response.get("Location"))


@pytest.mark.parametrize(
    "method, fields",
    [
        ("POST", NAVIGATION),
        ("GET", [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")]),
        ("GET", [("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")]),
        ("GET", [("Accept", "text/html")]),
    ],
    ids=["a form", "a frame", "fetch", "no metadata"],
)
def test_only_pages_that_a_person_opens_are_redirected(site, method, fields):
    stranger = site.stranger()
    response = site.refuses(lambda: stranger.ask(method, "/pages/1", extra=fields), 401)
    assert response.get("Location") is None


def test_the_application_is_told_who_is_signed_in(site):
    person = site.person()
    response, arrived = site.passed(lambda: person.get("/data/1?a=b%20c&d"))
    assert response.status == 200 and response.body == b"ok"
    assert [received.target for received in arrived] == ["/data/1?a=b%20c&d"]
    assert identity_at(arrived[0]) == [person.id, "user", person.email]
    assert arrived[0].get("Host").startswith("localhost")


def test_bodies_go_to_the_application_alone(site):
    person = site.person()
    questions = len(site.world.backend.requests)
    response, arrived = site.passed(lambda: person.post("/data", b"x" * 70000))
    assert response.status == 200 and len(arrived[0].body) == 70000
    fields = person.fields([("Transfer-Encoding", "chunked")])
    with site.proxy.connect() as client:
        assert client.ask(request("POST", "/data", fields, chunked(b"abc", b"def"))).status == 200
    assert site.app.last.method == "POST" and site.app.last.get("Remote-User") == person.id
    assert len(site.world.backend.requests) == questions, "gatehouse was asked, not passed through"


def test_public_routes_are_open_and_nobody_has_no_name(site):
    stranger = site.stranger()
    for cookie in ({}, {"gh_access": "not.a.token"}):
        stranger.cookies = dict(cookie)
        response, arrived = site.passed(lambda: stranger.get("/public/x"))
        assert response.status == 200 and len(arrived) == 1
        assert identity_at(arrived[0]) == [None, None, None]
    person = site.person()
    assert identity_at(site.passed(lambda: person.get("/public/x"))[1][0])[0] == person.id


def test_a_role_and_its_second_factor_are_asked_for(site):
    site.refuses(lambda: site.stranger().get("/admin/x"), 401)
    site.refuses(lambda: site.person().get("/admin/x"), 403)
    response, arrived = site.passed(lambda: site.admin().get("/admin/x"))
    assert response.status == 200
    assert "admin" in arrived[0].get("Remote-Groups").split(",")


def test_an_owner_reaches_their_own_and_nobody_elses(site):
    ann, bob = site.person(), site.person()
    assert ann.get(f"/users/{ann.id}/tasks").status == 200
    site.refuses(lambda: ann.get(f"/users/{bob.id}/tasks"), 403)
    site.refuses(lambda: site.admin().get(f"/users/{bob.id}/tasks"), 403)
    site.refuses(lambda: site.stranger().get(f"/users/{bob.id}/tasks"), 401)


def test_a_logout_is_seen_by_the_next_request(site):
    person = site.person()
    cookies = dict(person.cookies)
    assert person.get("/data").status == 200
    assert_answer(person.api("POST", "/auth/logout", {}), 200)
    person.cookies = cookies
    site.refuses(lambda: person.get("/data"), 401)


def test_an_end_elsewhere_is_seen_by_the_next_request(site):
    person = site.person()
    elsewhere = person.other_browser()
    elsewhere.login()
    assert_answer(elsewhere.api("DELETE", "/account/sessions"), 200)
    site.refuses(lambda: person.get("/data"), 401)
    assert elsewhere.get("/data").status == 200


def test_one_connection_carries_different_people(site):
    ann, bob, stranger = site.person(), site.person(), site.stranger()
    with site.proxy.connect() as client:
        for person in (ann, bob, stranger, ann):
            response = client.request("GET", "/public/x", person.fields())
            assert response.status == 200
            assert identity_at(site.app.last)[0] == (person.id if person.user else None)


def test_other_sites_can_not_use_the_session(site):
    person = site.person()
    site.refuses(lambda: person.post("/data", {}, site="cross-site"), 403)
    site.refuses(lambda: person.post("/data", {}, site=None), 403)
    origin = [("Origin", "http://evil.example")]
    site.refuses(lambda: person.post("/data", {}, site=None, extra=origin), 403)
    assert person.post("/data", {}).status == 200


def test_two_access_cookies_are_nobodys(site):
    ann, bob = site.person(), site.person()
    both = f"gh_access={ann.cookies['gh_access']}; gh_access={bob.cookies['gh_access']}"
    ask = lambda: site.proxy.request("GET", "/data", [("Cookie", both)])
    site.refuses(ask, 401, 403)
    lines = [("Cookie", part) for part in both.split("; ")]
    site.refuses(lambda: site.proxy.request("GET", "/data", lines), 401, 403, 400)


# -- what a client writes of its own --

NAMES = [
    "Remote-User",
    "remote-user",
    "REMOTE_USER",
    "Remote_User",
    "remote_user",
    "Remote.User",
    "Remote-Groups",
    "Remote_Groups",
    "Remote-Email",
    "Remote_Email",
    "Remote-Name",
    "X-Auth-Request-User",
    "X_Auth_Request_User",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Email",
    "X-Forwarded-User",
    "X_Forwarded_User",
    "x_forwarded_user",
    "X-Forwarded-Groups",
    "X-Forwarded-Email",
    "X_Forwarded_Email",
]
OTHER_TARGETS = [
    ("X-Original-URL", "/public/x"),
    ("X-Rewrite-URL", "/public/x"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-HTTP-Method", "DELETE"),
    ("X-Method-Override", "DELETE"),
    ("X-Forwarded-Uri", "/public/x"),
    ("X-Forwarded-Method", "DELETE"),
    ("X-Forwarded-Host", "evil.example"),
    ("Forwarded", "host=evil.example;proto=https"),
]


@pytest.mark.parametrize("name", NAMES)
def test_nobody_names_themselves(site, name):
    person = site.person()
    for asks in (site.stranger(), person):
        response, arrived = site.passed(lambda: asks.get("/public/x", extra=[(name, "root")]))
        assert response.status == 200
        assert all(value != "root" for _, value in arrived[0].fields), arrived[0].fields
        assert identity_at(arrived[0])[0] == (asks.id if asks.user else None)
    site.refuses(lambda: site.stranger().get("/data", extra=[(name, "root")]), 401)


@pytest.mark.parametrize("name, value", OTHER_TARGETS)
def test_the_application_is_not_told_of_another_request(site, name, value):
    person = site.person()
    response, arrived = site.passed(lambda: person.get("/data", extra=[(name, value)]))
    assert response.status == 200
    assert arrived[0].get(name) in ((None,) if name != "X-Forwarded-Host" else (None, "localhost"))


# GHSA-7x63-xv5r-3p2x and its kin: facts that only the proxy may state.
FACTS = [
    [("X-Forwarded-Uri", "/public/x")],
    [("X_Forwarded_Uri", "/public/x")],
    [("X-Forwarded-Uri", "/public/x"), ("X-Forwarded-Uri", "/public/x")],
    [("X-Original-URL", "http://localhost/public/x")],
    [("X_Original_URL", "http://localhost/public/x")],
    [("X-Original-URL", "http://localhost/public/x"), ("X-Original-Method", "GET")],
    [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/public/x")]
    + [("X-Forwarded-Host", "localhost"), ("X-Forwarded-Proto", "http")],
    [("X-Rewrite-URL", "/public/x")],
    [("Forwarded", "for=127.0.0.1;host=localhost;proto=https")],
    [("X-Forwarded-Prefix", "/public")],
    [("User-Agent", "GoogleHC/1.0")],
    [("User-Agent", "kube-probe/1.29")],
    [("Connection", "close, X-Original-URL, X-Forwarded-Uri, Remote-User")],
    [("Authorization", "Basic cm9vdDpyb290")],
    [("Access-Control-Request-Method", "GET"), ("Origin", "http://localhost")],
]


@pytest.mark.parametrize("fields", FACTS, ids=lambda fields: fields[0][0] + " " + fields[0][1][:12])
def test_a_clients_facts_open_nothing(site, fields):
    person = site.person()
    for method in ("GET", "OPTIONS", "DELETE"):
        ask = lambda who: lambda: who.ask(method, "/admin/x", extra=fields)
        site.refuses(ask(site.stranger()), 401, 403)
        site.refuses(ask(person), 401, 403)


def test_the_application_sees_the_real_client(site):
    response, arrived = site.passed(lambda: site.stranger().get("/public/x"))
    assert response.status == 200
    assert arrived[0].get("X-Forwarded-For") == "127.0.0.1"
    assert arrived[0].get("X-Forwarded-Proto") == "http"


def test_gatehouse_sees_the_real_client(site):
    """Throttles and the audit log go by it; it is asked about by questions and sign-ins alike."""
    gate = site.world.gate
    before = len(gate.access_lines())
    liar = Person(site.proxy, address="198.51.100.7")
    assert liar.get("/public/x").status == 200
    assert_answer(liar.try_login(), 401)
    lines = gate.wait_access(before + 2)[before:]
    assert {line["client"] for line in lines} == {"127.0.0.0"}


# -- the path that is judged is the path that the application gets --

TRICKS = [
    "/admin/../public/x",
    "/admin/%2e%2e/public/x",
    "/admin/%2E./public/x",
    "/admin/.%2e/public/x",
    "/admin/./../public/x",
    "/admin/x/../../public/x",
    "/admin/..;/public/x",
    "/admin;/../public/x",
    "/public/../admin/x",
    "/public/%2e%2e/admin/x",
    "/public/..%2fadmin/x",
    "/public/%2e%2e%2fadmin/x",
    "/public/..%5cadmin/x",
    "/public/..%255c..%255cadmin",
    "/public/%252e%252e/admin/x",
    "/public/x/../../admin/x",
    "/../admin/x",
    "/public/../../admin/x",
    "//admin/x",
    "//public/x",
    "/public//../admin/x",
    "/public//x",
    "///public/x",
    "//localhost/public/x",
    "/./public/x",
    "/public/.",
    "/public/..",
    "/admin/..",
    "/%70ublic/x",
    "/%61dmin/x",
    "/public%2f..%2fadmin/x",
    "/public/%00/../../admin",
    "/admin%00/../public/x",
    "/admin%23/../public/x",
    "/public/x#/../../admin/x",
    "/admin/x#/../../public/x",
    "/admin/x#/public/x",
    "/admin/x%23/public/x",
    "/admin/x?/../../public/x",
    "/admin/x%3f/../../public/x",
    "/admin./x",
    "/admin/x.",
    "/admin/.",
    "/ADMIN/../public/x",
    "/public/\\..\\admin",
    "/public\\..\\admin",
    "/_gatehouse",
    "/_gatehouse/../public/x",
    "/api/v1/auth/../../../admin/x",
    "/api/v1/auth/..%2f..%2f..%2fadmin/x",
    "/api/v1/auth/%2e%2e/%2e%2e/%2e%2e/public/x",
    "/admin/../api/v1/auth/session",
    "/api/v1/authz/auth-request",
    "/api/v1/authz/forward-auth",
    "/api/v1/authz/ext-authz/public/x",
    "http://localhost/admin/x",
    "http://localhost//admin/x",
    "http://localhost/admin/../public/x",
    "http:///admin/x",
    "*",
    "public/x",
    "?/public/x",
    "/public/\xe2\x80\xae",
    "/public/%c0%ae%c0%ae/admin",
    "/public/%ff",
]
# What readers of paths disagree about.
AMBIGUOUS = re.compile(r"//|/\.\.?(/|$)|%2e|%2f|%5c|%25|%00|%[46][0-9a-f]|%7[0-9a]|%c0|%ff|[\\;#]", re.I)


@pytest.mark.parametrize("target", TRICKS)
def test_no_path_means_one_thing_here_and_another_there(site, target):
    """A stranger gets to /public/ alone, and in one spelling."""
    direct = len(site.world.backend.requests)
    response, arrived = site.passed(lambda: site.raw(target))
    arrived += site.world.backend.requests[direct:]  # taken for identity's, and passed on from there
    for received in arrived:
        path = received.target.partition("?")[0]
        assert path.startswith("/public/") and not AMBIGUOUS.search(path), received.target
    assert bool(arrived) == (response.status == 200), (response, arrived)


@pytest.mark.parametrize(
    "path",
    [
        "/users/{bob}/../{ann}/tasks",
        "/users/{bob}/%2e%2e/{ann}/tasks",
        "/users/{ann}/../{bob}/tasks",
        "/users/{ann}/%2e%2e/{bob}/tasks",
        "/users//{bob}/../{ann}/x",
        "//users/{bob}/tasks",
        "/users/{bob}%2f..%2f{ann}/tasks",
        "/users/{bob}%23/../{ann}/tasks",
        "/users/{bob}#/../{ann}/tasks",
        "/users/{bob};/../{ann}/tasks",
        "/users/{bob}/tasks/../../{ann}/tasks",
        "/users/{bob}./tasks",
        "/users/{bob}%20/tasks",
        "/users/%30/../{ann}/../{bob}/tasks",
        "/users/{ann}/x/../../{bob}/x?y=/users/{ann}",
        "/api/v1/account/../../../users/{bob}/tasks",
    ],
)
def test_no_spelling_reaches_what_belongs_to_another(site, path):
    ann, bob = site.person(), site.person()
    questions = len(site.world.backend.requests)
    target = path.format(ann=ann.id, bob=bob.id)
    _, arrived = site.passed(lambda: site.raw(target, ann))
    for received in arrived + site.world.backend.requests[questions:]:
        assert bob.id not in received.target, received.target


@pytest.mark.parametrize(
    "target, arrives",
    [
        ("/public/a%20b/%C3%A9?q=%2e%2e/%2f//", "/public/a%20b/%C3%A9?q=%2e%2e/%2f//"),
        ("/public/%c3%a9", None),  # any case of the digits
        ("/public/x..y/.z/...", "/public/x..y/.z/..."),
        ("/public/~a-b_c.d!$&'()*+,=:@", "/public/~a-b_c.d!$&'()*+,=:@"),
        ("/public/", "/public/"),
    ],
)
def test_plain_paths_pass_as_they_are(site, target, arrives):
    response, arrived = site.passed(lambda: site.raw(target))
    assert response.status == 200
    assert arrived[0].target.lower() == target.lower() if arrives is None else True
    assert arrives is None or arrived[0].target == arrives


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example#localhost", "localhost@evil.example"]
    + ["evil.example/public/", "localhost/public/x?", "evil.example?localhost", "local host"]
    + ["evil.example%23localhost", "localhost, evil.example", ""],
)
def test_hosts_that_are_not_ours_reach_nothing(site, host):
    _, arrived = site.passed(lambda: site.raw("/admin/x", host=host))
    assert not arrived
    response, arrived = site.passed(lambda: site.raw("/public/x", host=host))
    assert not arrived and response.status >= 400, response


def test_a_trailing_dot_of_the_host_changes_nothing(site):
    site.refuses(lambda: site.raw("/admin/x", host="localhost."), 401, 403, 400)
    response, arrived = site.passed(lambda: site.raw("/public/x", host="localhost."))
    assert response.status in (200, 400, 403) and len(arrived) == (response.status == 200)


def test_an_absolute_target_is_judged_for_the_host_that_it_reaches(site):
    for target, host in (
        ("http://localhost/public/x", "evil.example"),
        ("http://evil.example/public/x", "localhost"),
        ("http://localhost/admin/x", "localhost"),
    ):
        _, arrived = site.passed(lambda: site.raw(target, host=host))
        for received in arrived:
            assert received.target.endswith("/public/x"), received.target
            assert received.get("Host").startswith("localhost"), received.fields


# -- another gatehouse, or none --


@pytest.fixture(params=ALL, ids=lambda kind: kind.program)
def behind(request):
    """behind(gate_port) -> a proxy that asks there, and the application."""
    opened = []

    def begin(gate_port, pair=None):
        app = Backend()
        opened.append(app)
        proxy = start_proxy(request.param, app.port, gate_port, pair=pair)
        opened.append(proxy)
        return proxy, app

    yield begin
    for each in reversed(opened):
        each.close()


def test_production_is_for_tls_alone(behind, tmp_path, certificates):
    settings = {"environment": "production", "public_url": "https://localhost"}
    with deployed(tmp_path, PEERS, **settings) as world:
        proxy, app = behind(world.gate.address, certificates["localhost"])
        person = new_person(proxy)
        assert "__Host-gh_access" in person.cookies
        assert person.get("/data?a").status == 200
        assert app.last.get("Remote-User") == person.id
        assert app.last.get("X-Forwarded-Proto") == "https"
        assert Person(proxy).get("/data").status == 401
        assert Person(proxy).get("/pages/1", extra=NAVIGATION).status == 303
        arrived = len(app.requests)
        clear, other = behind(world.gate.address)
        assert Person(clear).sign_up().status == 403
        unprefixed = Person(clear)
        unprefixed.cookies = {"gh_access": person.cookies["__Host-gh_access"]}
        assert unprefixed.get("/data").status == 401
        lying = [("X-Forwarded-Proto", "https"), ("Forwarded", "proto=https")]
        assert Person(clear).api("POST", "/auth/login", {}, extra=lying).status == 403
        assert len(app.requests) == arrived and not other.requests


def test_clients_of_http2_are_judged_alike(behind, tmp_path, certificates):
    """Many requests at once on one connection, each by its own cookies, in crumbs."""
    pair = certificates["localhost"]
    settings = {"environment": "production", "public_url": "https://localhost"}
    with deployed(tmp_path, PEERS, **settings) as world:
        proxy, app = behind(world.gate.address, pair)
        ann, bob, nobody = new_person(proxy), new_person(proxy), Person(proxy)
        asked = [
            (ann, "/data?of=ann", 200),
            (nobody, "/data?of=nobody", 401),
            (bob, "/data?of=bob", 200),
            (bob, "/admin/x", 403),
            (nobody, "/public/x", 200),
            (ann, f"/users/{bob.id}/tasks", 403),
        ]
        with H2Client(proxy.port, tls=pair.client_context(["h2"])) as client:
            streams = []
            for person, target, _ in asked:
                crumbs = [("Cookie", f"{n}={v}") for n, v in person.cookies.items()]
                fields = [f for f in person.fields() if f[0] != "Cookie"] + crumbs
                streams.append(client.begin("GET", target, fields))
            assert [client.finish(stream).status for stream in streams] == [s for *_, s in asked]
        told = {received.target: received.get("Remote-User") for received in app.requests}
        assert told == {"/data?of=ann": ann.id, "/data?of=bob": bob.id, "/public/x": None}


def test_without_gatehouse_nothing_gets_through(behind, tmp_path):
    with deployed(tmp_path, PEERS) as world:
        proxy, app = behind(world.gate.address)
        person = new_person(proxy)
        assert person.get("/data").status == 200
        assert person.get("/public/x").status == 200
        assert len(app.requests) == 2
        world.gate.stop()
        for target in ("/data", "/public/x", "/admin/x", f"{BASE}/auth/session"):
            assert person.get(target).status >= 500
        assert len(app.requests) == 2


ANSWERS = [
    answer(500),
    answer(503, {"Retry-After": "1"}),
    answer(404),
    answer(429),
    answer(302, {"Location": "/elsewhere"}),
    answer(304),
    b"",
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 200",
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\n",
]


@pytest.mark.parametrize("said", ANSWERS, ids=lambda said: said[9:12].decode() or "nothing")
def test_whatever_is_no_yes_is_a_no(behind, said):
    def speak(received, connection):
        connection.send(said)
        connection.close()

    with Backend(speak) as gatehouse:
        proxy, app = behind(gatehouse.port)
        with proxy.connect() as client:
            client.send(request("GET", "/data", [("Remote-User", "root")]))
            assert client.read_head().status >= 300
        assert not app.requests


# -- Traefik and Envoy: what they send, made by hand --


def traefik(world, method, uri, person=None, extra=(), host="localhost"):
    """ForwardAuth: a GET with Traefik's own X-Forwarded-*, and the client's other fields."""
    facts = [
        ("X-Forwarded-Method", method),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", host),
        ("X-Forwarded-Uri", uri),
    ]
    fields = (person or world.stranger()).fields(facts + list(extra))
    with world.gate.connect() as client:
        return client.ask(request("GET", f"{BASE}/authz/forward-auth", fields, host="gatehouse"))


def envoy(world, method, path, person=None, extra=(), host="localhost"):
    """HTTP ext_authz: the request's own method and host, its path behind the prefix, no body."""
    fields = (person or world.stranger()).fields([("Content-Length", "0"), *extra])
    with world.gate.connect() as client:
        target = f"{BASE}/authz/ext-authz{path}"
        return client.ask(request(method, target, fields, host=host), method)


def nginx(world, method, uri, person=None, extra=(), host="localhost"):
    """auth_request, as deploy/nginx asks."""
    facts = [("X-Original-Method", method), ("X-Original-URL", f"http://{host}{uri}")]
    facts.append(("Connection", "close"))
    fields = (person or world.stranger()).fields(facts + list(extra))
    with world.gate.connect() as client:
        return client.ask(request("GET", f"{BASE}/authz/auth-request", fields, host=host))


DIALECTS = pytest.mark.parametrize("ask", [traefik, envoy, nginx], ids=lambda f: f.__name__)


@DIALECTS
def test_every_dialect_tells_who_is_signed_in(world, ask):
    person = world.person()
    response = ask(world, "GET", "/data?a=b", person)
    assert response.status == 200
    for family in ("Remote", "X-Auth-Request"):
        assert response.get(f"{family}-User") == person.id
        assert response.get(f"{family}-Groups") == "user"
        assert response.get(f"{family}-Email") == person.email
    assert response.get("Cache-Control") == "no-store"
    assert response.body == b""


@DIALECTS
def test_every_dialect_keeps_the_rules_of_the_routes(world, ask):
    ann, bob = world.person(), world.person()
    assert ask(world, "GET", "/public/x").status == 200
    assert ask(world, "GET", "/data").status == 401
    assert ask(world, "GET", "/admin/x", ann).status == 403
    assert ask(world, "GET", "/admin/x", world.admin()).status == 200
    assert ask(world, "GET", f"/users/{ann.id}/tasks", ann).status == 200
    assert ask(world, "GET", f"/users/{bob.id}/tasks", ann).status == 403
    assert ask(world, "GET", "/public/x", host="evil.example").status == 403
    cookies = dict(ann.cookies)
    ann.api("POST", "/auth/logout", {})
    ann.cookies = cookies
    assert ask(world, "GET", "/data", ann).status == 401


def test_only_nginx_is_never_sent_a_redirect(world):
    for ask, status in ((traefik, 303), (envoy, 303), (nginx, 401)):
        response = ask(world, "GET", "/pages/1", extra=NAVIGATION)
        assert response.status == status
        assert response.get("Location") == "/login?return_to=/pages/1"
    assert traefik(world, "GET", "/pages/1").get("Location") is None
    assert envoy(world, "POST", "/pages/1", extra=NAVIGATION).status == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_envoy_is_told_200_or_no(world, method):
    """Envoy takes 200 alone for a yes, and others of 2xx for whatever its version makes of them."""
    person = world.person()
    preflight = [("Origin", "http://localhost"), ("Access-Control-Request-Method", "GET")]
    for path in ("/data", "/public/x", "/admin/x", "/", "", "*", f"{BASE}/auth/logout", "/healthz"):
        for who in (None, person):
            for extra in ((), preflight, NAVIGATION):
                status = envoy(world, method, path, who, extra).status
                assert status == 200 or status in (303, 401, 403), (path, status)


@DIALECTS
@pytest.mark.parametrize("target", [t for t in TRICKS if t[0] == "/" and "\xe2" not in t])
def test_no_dialect_is_asked_about_a_path_with_two_meanings(world, ask, target):
    response = ask(world, "GET", target)
    path = target.partition("?")[0]
    plain = path.startswith("/public/") and not AMBIGUOUS.search(path)
    assert (response.status == 200) == plain, response


@DIALECTS
def test_clients_facts_mean_nothing_in_any_dialect(world, ask):
    """What the client adds is passed on by nginx and Traefik beside their own."""
    own = {
        traefik: ("X-Original-URL", "X-Original-Method", "X-Rewrite-URL"),
        envoy: ("X-Original-URL", "X-Original-Method", "X-Forwarded-Uri", "X-Forwarded-Method"),
        nginx: ("X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host"),
    }[ask]
    values = {"Uri": "/public/x", "URL": "http://localhost/public/x", "Method": "GET"}
    for name in own:
        value = values.get(name.rsplit("-", 1)[1], "localhost")
        assert ask(world, "POST", "/data", extra=[(name, value)]).status in (401, 403)
    everything = [(name, values.get(name.rsplit("-", 1)[1], "localhost")) for name in own]
    assert ask(world, "POST", "/data", extra=everything).status in (401, 403)
    for agent in ("GoogleHC/1.0", "kube-probe/1.29", "ELB-HealthChecker/2.0"):
        assert ask(world, "GET", "/data", extra=[("User-Agent", agent)]).status == 401
    for name in NAMES:
        response = ask(world, "GET", "/public/x", extra=[(name, "root")])
        assert response.status == 200 and not response.get("Remote-User")
    assert ask(world, "GET", "/data", extra=[("X_Forwarded_Uri", "/public/x")]).status == 401


def test_a_fact_stated_twice_is_none(world):
    again = [("X-Forwarded-Uri", "/public/x")]
    assert traefik(world, "GET", "/public/x", extra=again).status == 403
    assert traefik(world, "GET", "/data", extra=again).status == 403
    again = [("X-Original-URL", "http://localhost/public/x")]
    assert nginx(world, "GET", "/data", extra=again).status == 403


def test_envoy_has_a_nobody_put_over_the_clients_name(world):
    """It leaves fields of the client that it is told nothing about."""
    response = envoy(world, "GET", "/public/x", extra=[("Remote-User", "root")])
    assert [response.get(name) for name in IDENTITY] == ["", "", ""]


def test_an_address_that_reads_two_ways_gets_no_account(world):
    """GHSA-c5c4-8r6x-56w3: two @."""
    for email in ("ann@evil.example@corp.example", "ann@evil.example,root@corp.example"):
        person = world.stranger(email=email)
        assert person.sign_up().status in (400, 422)


# -- who may ask --


@pytest.mark.parametrize("peers", [None, ["127.0.0.2/32"]], ids=["nobody", "another"])
def test_who_is_not_listed_is_told_nothing(tmp_path, peers):
    identity = {"authz": {"peers": peers}} if peers else None
    with deployed(tmp_path, identity) as world:
        person = world.person()
        before = len(world.backend.requests)
        for ask in (traefik, envoy, nginx):
            for target in ("/public/x", "/data"):
                for extra in ((), [("X-Forwarded-For", "127.0.0.2")]):
                    response = ask(world, "GET", target, person, extra)
                    assert response.status == 403
                    assert not [n for n in response.names() if n.startswith(("remote-", "x-auth"))]
        assert len(world.backend.requests) == before
        world.gate.wait_access(12, reason="authz_peer")


def test_peers_are_told_by_their_own_address(tmp_path):
    with deployed(tmp_path, {"authz": {"peers": ["127.0.0.2/32"]}}, trusted_proxies=[]) as world:
        facts = [("X-Original-Method", "GET"), ("X-Original-URL", "http://localhost/public/x")]
        question = request("GET", f"{BASE}/authz/auth-request", facts)
        for source, status in (("127.0.0.2", 200), ("127.0.0.1", 403), ("127.0.0.3", 403)):
            with world.gate.connect(source=(source, 0)) as client:
                assert client.ask(question).status == status


@pytest.mark.parametrize(
    "target",
    [f"{BASE}/authz/auth-request/", f"{BASE}/authz/auth-requestx", f"{BASE}//authz/auth-request"]
    + [f"{BASE}/%61uthz/auth-request", f"/x/..{BASE}/authz/forward-auth"],
)
def test_other_spellings_of_the_question_are_no_yes(world, target):
    facts = [("X-Original-Method", "GET"), ("X-Original-URL", "http://localhost/data")]
    before = len(world.backend.requests)
    response = world.gate.request("GET", target, facts)
    assert response.status in (401, 403, 404)
    assert len(world.backend.requests) == before
