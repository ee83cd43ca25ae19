"""What is looked at afterwards. Each check returns findings (what is wrong) and says what it saw."""

import base64
import json
import re
import sqlite3
import subprocess
from collections import Counter, defaultdict

# What of the log is told by the traffic itself; the rest (checkpoints, anomalies) is the program's.
IDENTITY = {
    "signup", "login", "login_failed", "logout", "password_change", "password_reset_request",
    "2fa_enabled", "2fa_disabled", "2fa_verify_failed", "session_revoked", "account_deleted",
    "profile_updated", "role_changed", "data_export", "data_deletion", "email_verified",
    "account_locked", "account_unlocked", "config_reloaded",
}
REFUSALS = {
    "rate_limited", "host_rejected", "origin_rejected", "request_rejected", "input_rejected",
    "access_denied", "csp_violation",
}
# The log takes refusals every 100 ms and saves their counts every second; a busy machine gives it
# its turn later.
LATE_SECONDS = 1.5
NEEDLE_BYTES_MIN = 8


class Findings:
    def __init__(self):
        self.wrong, self.seen = [], []

    def add(self, text):
        self.wrong.append(text)

    def say(self, text):
        self.seen.append(text)


def read_log(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as store:
        store.row_factory = sqlite3.Row
        rows = [dict(row) for row in store.execute("SELECT * FROM security_audit_log ORDER BY seq")]
    for row in rows:
        row["metadata"] = json.loads(row["metadata"] or "{}")
    return rows


# -- the chain --


def verify(findings, name, result, wants_signed=True):
    """Of `audit verify --json`."""
    try:
        verdict = json.loads(result.stdout)
    except ValueError:
        findings.add(f"{name}: {result.stdout}{result.stderr}")
        return
    if result.returncode or not verdict["intact"]:
        findings.add(f"{name}: {verdict['fault']} at record {verdict['seq']}")
    elif wants_signed and not (verdict["checkpoints"] and verdict["signed_through"]):
        findings.add(f"{name}: nothing is signed")
    else:
        findings.say(f"{name}: intact, records {verdict['first_seq']} to {verdict['last_seq']}, "
                     f"signed through {verdict['signed_through']}, "
                     f"{verdict['saved_checkpoints_met']} saved checkpoints agree")
    if name.endswith("saved checkpoints") and not verdict["saved_checkpoints_met"]:
        findings.add(f"{name}: none was met")


# -- counts --


def compare_identity(findings, rows, ledger):
    logged = Counter((r["event_type"], r["outcome"], r["user_id"]) for r in rows
                     if r["event_type"] in IDENTITY and r["metadata"].get("scope") != "audit")
    told = Counter({key: count for key, count in ledger.sure.items() if key[0] in IDENTITY})
    totals = defaultdict(lambda: [0, 0, 0])
    # Of whose answer nobody knows, the account may be unknown too.
    loose = Counter()
    for (event, outcome, _), count in ledger.maybe.items():
        loose[event, outcome] += count
    for key in logged.keys() | told.keys():
        more = logged[key] - told[key]
        here = totals[key[:2]]
        here[0] += logged[key]
        here[1] += told[key]
        here[2] += max(more, 0)
        if more < 0:
            findings.add(f"{key[0]} ({key[1]}) of account {key[2]}: {told[key]} were answered, "
                         f"{logged[key]} are in the log")
    for (event, outcome), (_, _, more) in totals.items():
        if more > loose[event, outcome]:
            findings.add(f"{event} ({outcome}): {more} more in the log than were made, of which "
                         f"{loose[event, outcome]} could have been under way at a kill")
    logged_sum, told_sum = sum(logged.values()), sum(told.values())
    findings.say(f"identity events: {told_sum} answered, {logged_sum} in the log, "
                 f"{sum(loose.values())} in doubt at kills")


def ages_at_kills(refusals, kills):
    """How long before the next kill each was answered, the latest first."""
    ages = []
    for at in refusals:
        sent = next((sent for sent, ended in kills if ended >= at), None)
        if sent is not None:
            ages.append(max(sent - at, 0))
    return sorted(ages)


def compare_refusals(findings, rows, ledger):
    logged = Counter()
    for row in rows:
        if row["event_type"] in REFUSALS:
            reason = row["metadata"].get("reason")
            if row["event_type"] == "csp_violation":
                reason = None
            logged[row["event_type"], reason] += row["metadata"].get("count", 1)
    oldest, lost = 0.0, 0
    for key in sorted(logged.keys() | ledger.refusals.keys(), key=str):
        refusals = ledger.refusals.get(key, [])
        missing = len(refusals) - logged[key]
        if missing < 0 and -missing > ledger.refusals_maybe[key]:
            findings.add(f"{key}: {len(refusals)} were refused, {logged[key]} are in the log")
        if missing <= 0:
            continue
        ages = ages_at_kills(refusals, ledger.kills)
        lost += missing
        oldest = max([oldest, *ages[:missing]])
        if missing > sum(age <= LATE_SECONDS for age in ages):
            findings.add(f"{key}: {len(refusals)} were refused, {logged[key]} are in the log; before "
                         f"kills came the latest {[round(age, 2) for age in ages[:missing + 3]]} s")
    total = sum(map(len, ledger.refusals.values()))
    findings.say(f"refusals: {total} answered, {sum(logged.values())} counted in the log; lost at "
                 f"{len(ledger.kills)} kills: {lost}"
                 + (f" (of the last {oldest * 1000:.0f} ms)" if lost else ""))


def check_rotations(findings, rows, roots, signings):
    """Every root key exactly once, whatever the kills; keys that sign when that was asked for."""
    logged = Counter(r["metadata"]["purpose"] for r in rows if r["event_type"] == "secret_rotated")
    signing = sum(logged.values()) - logged["root"] - logged["field"]
    if logged["root"] != roots or logged["field"] < roots or (signings and not signing):
        findings.add(f"keys: {roots} rotations of the root and {signings} of those that sign were "
                     f"made, the log has {dict(logged)}")
    findings.say("keys: " + ", ".join(f"{logged[p]} new {p}" for p in sorted(logged)))


# -- what nobody may find --


def files_of(folder):
    """All that the process wrote: its store, what it sent elsewhere, what it said."""
    return sorted(path for name in ("store", "elsewhere", "output")
                  for path in (folder / name).rglob("*") if path.is_file())


def grep(texts, files):
    """[(text, file)], by one pass of grep over all."""
    by_bytes = {text.encode(): text for text in texts}
    command = ["grep", "-a", "-o", "-H", "-Z", "-F", "-f", "-", "--", *map(str, files)]
    result = subprocess.run(command, input=b"\n".join(by_bytes), capture_output=True,
                            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
    assert result.returncode in (0, 1), result.stderr
    found = set()
    for line in result.stdout.split(b"\n"):
        if line:
            name, _, text = line.partition(b"\0")
            found.add((by_bytes.get(text, text.decode("latin-1")), name.decode()))
    return sorted(found)


def find_codes(codes, files):
    """Six digits alone: other numbers look like that, so only where they stand as a value."""
    pattern = re.compile(rb'["=/ ](' + b"|".join(c.encode() for c in sorted(codes)) + rb')["&\r\n]')
    found = []
    for path in files:
        found += [(match.group(1).decode(), str(path))
                  for match in pattern.finditer(path.read_bytes())] if codes else []
    return found


def raw_forms(kind, text):
    """The bytes behind a text, as a program would keep them."""
    if kind == "root key":
        return [base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))]
    if kind == "TOTP secret" and re.fullmatch(r"[0-9a-f]{40,}", text):
        return [bytes.fromhex(text)]
    return []


def search_canaries(findings, folder, canaries):
    files = files_of(folder)
    kinds = {text: kind for kind, text in canaries if len(text) >= NEEDLE_BYTES_MIN}
    short = {text for kind, text in canaries if len(text) < NEEDLE_BYTES_MIN and kind == "code"}
    for text, path in grep(kinds, files):
        findings.add(f"canary: {kinds.get(text, '?')} {text!r} in {path}")
    for text, path in find_codes(short, files):
        findings.add(f"canary: code {text} in {path}")
    for kind, text in canaries:
        for raw in raw_forms(kind, text):
            for path in files:
                if raw in path.read_bytes():
                    findings.add(f"canary: the bytes of a {kind} in {path}")
    by_kind = Counter(kind for kind, _ in canaries)
    size = sum(path.stat().st_size for path in files)
    findings.say(f"canaries: {len(kinds) + len(short)} looked for in {len(files)} files, "
                 f"{size / 2**20:.1f} MiB ("
                 + ", ".join(f"{count} {kind}" for kind, count in sorted(by_kind.items())) + ")")


def prove_the_search(findings, folder, canaries):
    """A search that finds nothing must be one that could: it finds each kind where it was put."""
    path = folder / "output" / "planted"
    texts = {kind: text for kind, text in sorted(canaries)}
    path.write_text("".join(f'"{text}"\n' for text in texts.values()), encoding="utf-8")
    try:
        long = {text for text in texts.values() if len(text) >= NEEDLE_BYTES_MIN}
        short = set(texts.values()) - long
        found = {text for text, _ in grep(long, [path]) + find_codes(short, [path])}
    finally:
        path.unlink()
    if found != set(texts.values()):
        findings.add(f"the search itself is blind for {set(texts.values()) - found}")


def check_erased(findings, personal, erased):
    """In an export with personal values in clear there is nothing of them any more."""
    for person in erased:
        for text in (person.email, person.agent, person.address):
            if text in personal:
                findings.add(f"erased: {text} is in an export with personal values")
    findings.say(f"erased: nothing of {len(erased)} people opens any more")


def check_store(findings, path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as store:
        verdict = store.execute("PRAGMA integrity_check").fetchone()[0]
        broken = store.execute("PRAGMA foreign_key_check").fetchall()
    if verdict != "ok" or broken:
        findings.add(f"the store is damaged: {verdict} {broken}")

