"""SPEC 5 and 14: what would need a record is refused where none can be written, and changes nothing;
requests and open sessions go on."""

import gc

from harness.backend import Backend
from harness.gate import Gatehouse, run
from harness.identity import ENV, Deployment, Person, assert_answer, identity_config
from harness.store import audit_rows
from test_audit_refusals import fill
from test_identity_crash import small_disk  # noqa: F401


def fill_the_log_too(gate):
    """What SQLite has room for in its files is used up by people who sign up."""
    refused = 0
    while refused < 5:
        status = Person(gate).sign_up().status
        assert status in (201, 503)
        refused = refused + 1 if status == 503 else 0


def test_privileged_actions_are_refused_and_open_sessions_go_on(small_disk):  # noqa: F811
    with Backend() as backend:
        settings = identity_config(backend, small_disk)
        with Gatehouse(settings, env=ENV) as gate:
            world = Deployment(gate, backend, small_disk)
            admin, ann = world.admin(), world.person()
            ballast = fill(small_disk)
            fill_the_log_too(gate)
            acts = [
                ("PATCH", f"/admin/users/{ann.id}/role", {"roles": ["user", "admin"]}),
                ("POST", f"/admin/users/{ann.id}/disable", {}),
                ("DELETE", f"/admin/users/{ann.id}/sessions", None),
                ("DELETE", f"/admin/users/{ann.id}", None),
                ("GET", "/admin/audit", None),  # a reading, which is to be recorded
            ]
            for method, path, body in acts:
                assert admin.api(method, path, body).status == 503, (method, path)
            for words in (["user", "disable", ann.email], ["user", "delete", ann.email],
                          ["audit", "query", "--personal"], ["audit", "export", "--personal"],
                          ["audit", "review"]):
                result = run(*words, "--config", gate.config_path, env=ENV)
                assert result.returncode == 1 and ann.id not in result.stdout, words
            assert ann.get("/public/x").status == 200
            assert ann.get("/tasks").status == 200 and ann.is_signed_in()
            ballast.unlink()
            late = world.stranger()
            gate.wait_for(lambda: late.sign_up().status in (201, 409), "an account again")
            users = assert_answer(admin.api("GET", "/admin/users?limit=200"), 200)["users"]
            [shown] = [user for user in users if user["id"] == ann.id]
            assert shown["roles"] == ["user"] and not shown["disabled"]
            done = run("audit", "verify", "--config", gate.config_path, env=ENV)
            assert done.returncode == 0, done.stdout + done.stderr
            assert not [row for row in audit_rows(small_disk / "gatehouse.db")
                        if row["event_type"] in ("role_changed", "account_locked", "account_deleted",
                                                 "audit_read") and row["user_id"] == ann.id]
        gc.collect()  # Python keeps the store's file open, and the disk busy, until then
