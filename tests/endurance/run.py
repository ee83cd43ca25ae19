#!/usr/bin/python3
"""An hour in the life of a gatehouse, its end, and an audit of it.

    tests/endurance/run.py [--long] [--seed N] [--keep]

Starts gatehouse, plays an hour of mixed traffic (people who sign up, sign in, err and attack; an
admin; reloads), kills it with -9 at random moments and starts it again, rotates the root key (one
kill comes in the middle of it) and the signing keys, erases two people; then verifies the log (with
checkpoints from another place, and from an export alone), compares its counts with what was done,
and looks for secrets and personal data in all that was written. Prints what was found; exit status
1: something was.

The short form takes half a minute. A test build (GATEHOUSE_BIN) passes the hour by its clock, minute
by minute; a release build lives in real time. The same seed plays the same; how requests of
different threads meet, and what a kill meets, is chance.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
os.environ.setdefault("GATEHOUSE_BIN",
                      str(Path(__file__).resolve().parents[2] / "build/asan/src/app/gatehouse"))

import checks  # noqa: E402
from deployment import Deployment  # noqa: E402
from harness.gate import BINARY, IS_RELEASE  # noqa: E402
from ledger import Canaries, Ledger  # noqa: E402
from traffic import Admin, Crowd, Killed, Somebody  # noqa: E402

ROUND_SECONDS = 60  # that a round stands for
FORMS = {  # rounds, threads, operations of a thread in a round, kills
    "short": (60, 4, 6, 5),
    "long": (240, 6, 12, 24),
}
FLOOD = 5  # refusals of one kind and client in each round
ERASED_ADDRESSES = ("198.51.100.201", "203.0.113.202")


class Run:
    def __init__(self, form, seed, folder):
        self.rounds, self.threads, self.operations, kills = FORMS[form]
        self.dice = random.Random(seed)
        self.seed = seed
        self.canaries, self.findings = Canaries(), checks.Findings()
        self.folder = folder
        self.gate = Deployment(folder, self.canaries)
        self.ledger = Ledger()
        self.erased = []
        self.signing_rotations = 0
        # Of the root key twice: the first is killed, and given again.
        self.root_rounds = [self.rounds * 2 // 5, self.rounds * 3 // 5]
        self.signing_round = self.rounds // 2
        self.erase_round = self.rounds * 3 // 4
        self.reload_rounds = set(range(7, self.rounds, max(self.rounds // 6, 1)))
        free = [r for r in range(3, self.rounds - 2)
                if r not in (*self.root_rounds, self.signing_round, self.erase_round)]
        self.kill_rounds = {*self.dice.sample(free, kills - 1), self.root_rounds[0]}

    # -- the hour --

    def play(self):
        self.gate.start()
        self.crowds = [Crowd(n, self.seed, self.gate, self.ledger, self.canaries)
                       for n in range(self.threads)]
        special = Crowd("admin", self.seed, self.gate, self.ledger, self.canaries)
        special.number = self.threads
        self.admin = Admin(special)
        token = self.gate.folder / "store" / "setup-token"
        self.gate.gate.wait_for(lambda: token.exists() and token.read_text().endswith("\n"), "token")
        self.admin.set_up(token.read_text().strip())
        self.crowds[0].admin = self.admin
        self.flooder = Somebody(special)
        self.doomed = [Somebody(special, address=address) for address in ERASED_ADDRESSES]
        for person in self.doomed:
            assert person.sign_up_for_good() and person.sign_in()
        for number in range(self.rounds):
            self.round(number)
            self.gate.pass_time(ROUND_SECONDS)
        self.gate.stop()

    def round(self, number):
        killed = number in self.kill_rounds
        self.flooder.flood(FLOOD)
        if killed:  # the second time for the rest of a minute; all must be there after the kill
            time.sleep(checks.LATE_SECONDS / 2)
            self.flooder.flood(FLOOD)
            time.sleep(checks.LATE_SECONDS)
        threads = [threading.Thread(target=self.work, args=(crowd,)) for crowd in self.crowds]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        rotation = None
        if number in self.root_rounds:
            rotation = self.begin_rotation()
        if killed:
            # Somewhere in what a round takes.
            usual = self.usual if number else 0.3
            time.sleep(max(self.dice.random() * usual - (time.monotonic() - began), 0))
            sent = time.monotonic()
            self.gate.kill()
            self.ledger.killed(sent)
        for thread in threads:
            thread.join()
        self.usual = min(time.monotonic() - began, 5)
        if rotation:
            rotation.communicate(timeout=120)
        if killed:
            self.gate.start()
        self.between(number, rotation, killed)

    def work(self, crowd):
        try:
            crowd.play(self.operations)
        except Exception as problem:  # noqa: BLE001: a thread's failure is a finding
            self.findings.add(f"the traffic broke off: {type(problem).__name__}: {problem}"[:500])

    # -- what is done between rounds, with nobody there --

    def between(self, number, rotation, killed):
        if rotation and (killed or rotation.returncode):
            self.good("secrets", "rotate")  # goes on where it ended
        if number == self.signing_round:
            self.rotate_signing()
        if number in self.reload_rounds:
            self.reload()
        if number == self.erase_round:
            self.erase()
        elif number < self.erase_round and number % 5 == 0:
            self.let_the_doomed_act()

    def good(self, *words):
        result = self.gate.command(*words)
        if result.returncode:
            self.findings.add(f"gatehouse {' '.join(map(str, words))}: {result.stdout}{result.stderr}"[:500])
        return result

    def rotate_signing(self):
        """Refused in the first ten minutes of real time, when the newest keys wait to sign."""
        result = self.gate.command("secrets", "rotate", "--signing")
        if result.returncode == 0:
            self.signing_rotations += 1
        elif not (IS_RELEASE and "still wait to sign" in result.stdout):
            self.findings.add(f"gatehouse secrets rotate --signing: {result.stderr}")

    def begin_rotation(self):
        self.gate.renew_root()
        return subprocess.Popen(
            [str(BINARY), "secrets", "rotate", "--config", str(self.gate.gate.config_path)],
            env={**os.environ, **self.gate.env}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def reload(self):
        good = dict(self.gate.settings)
        self.gate.reload({**good, "no_such_key": 1}, "reload refused")
        self.ledger.events([("config_reloaded", "failure", None)])
        changed = {**good, "headers": {"preset": "api", "set": {"X-Round": str(time.time())}}}
        self.gate.reload(changed, "configuration reloaded")
        self.ledger.events([("config_reloaded", "success", None)])
        self.gate.settings = changed

    def let_the_doomed_act(self):
        for person in self.doomed:
            if person.signed_in():
                body = {"name": f"Soon Gone {time.monotonic_ns()}"}
                person.act("profile",
                           lambda p=person, b=body: p.api("PATCH", "/account/profile", b),
                           {200: ["profile_updated"]})
                person.refused("foreign id", lambda p=person: p.get("/users/x/y"), 403,
                               "access_denied", "not_owner")

    def erase(self):
        """One erases herself, one is deleted by an operator."""
        first, second = self.doomed
        if not first.signed_in():
            self.findings.add("who was to be erased could not sign in")
        step = first.act("step-up", first.step_up, {200: ["login"]})
        body = {"password": first.password}
        gone = first.act("erase", lambda: first.api("POST", "/compliance/delete", body),
                         {200: ["data_deletion", "data_deletion", "session_revoked"]})
        if step.status != 200 or gone.status != 200:
            self.findings.add(f"the erasure was refused: {gone!r}")
        if self.good("user", "delete", second.account).returncode == 0:
            self.ledger.events([("account_deleted", "success", second.account),
                                ("session_revoked", "success", second.account)])
        self.erased = self.doomed

    # -- afterwards --

    def judge(self):
        findings, gate = self.findings, self.gate
        store = self.folder / "store" / "gatehouse.db"
        checks.check_store(findings, store)
        checkpoints = self.folder / "elsewhere" / "checkpoints"
        export, key = self.folder / "output" / "export.jsonl", self.folder / "output" / "key"
        personal = self.folder / "personal.jsonl"
        if not checkpoints.exists():
            findings.add("no checkpoint came to the second place")
        saved = ["--checkpoint", checkpoints] if checkpoints.exists() else []
        checks.verify(findings, "log with saved checkpoints",
                      gate.command("audit", "verify", "--json", *saved))
        self.good("audit", "export", "--output", export)
        key.write_text(self.good("audit", "public-key").stdout)
        checks.verify(findings, "export with saved checkpoints",
                      gate.alone("audit", "verify", export, "--public-key", key, *saved, "--json"))
        stream = self.folder / "elsewhere" / "records.jsonl"
        if stream.exists():
            self.check_stream(stream, key, saved)
        else:
            findings.add("no record came to the second place")
        rows = checks.read_log(store)
        checks.compare_identity(findings, rows, self.ledger)
        checks.compare_refusals(findings, rows, self.ledger)
        checks.check_rotations(findings, rows, len(self.root_rounds), self.signing_rotations)
        self.good("audit", "export", "--personal", "--output", personal)
        checks.check_erased(findings, personal.read_text(encoding="utf-8"), self.erased)
        personal.unlink()
        checks.prove_the_search(findings, self.folder, self.canaries.all())
        checks.search_canaries(findings, self.folder, self.canaries.all())
        for text in sorted(set(re.sub(r'"request_id":"\w+"', "", t) for t in self.ledger.surprises)):
            findings.add(f"unexpected answer: {text}")

    def check_stream(self, stream, key, saved):
        """What went elsewhere while running; after a kill the last ones may have come twice."""
        lines = list(dict.fromkeys(stream.read_text(encoding="utf-8").splitlines()))
        once = self.folder / "output" / "stream.jsonl"
        once.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        checks.verify(self.findings, "records sent elsewhere, with saved checkpoints",
                      self.gate.alone("audit", "verify", once, "--public-key", key, *saved, "--json"))

    def report(self, seconds):
        done = Counter()
        for (name, _), count in self.ledger.done.items():
            done[name] += count
        print(f"gatehouse endurance, seed {self.seed}: {self.rounds} minutes of traffic in "
              f"{seconds:.0f} s, {sum(done.values())} requests, {len(self.ledger.kills)} kills, "
              f"{self.gate.starts} starts, {len(self.erased)} people erased\n")
        width = max(map(len, done), default=0)
        for name, count in sorted(done.items()):
            by_status = ", ".join(f"{c} x {s}" for (n, s), c in sorted(self.ledger.done.items())
                                  if n == name)
            print(f"  {name:{width}}  {count:6}  {by_status}")
        print()
        for text in self.findings.seen:
            print(f"  {text}")
        print()
        for text in self.findings.wrong:
            print(f"  FOUND  {text}")
        print(f"{len(self.findings.wrong)} findings" if self.findings.wrong else "nothing was found")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="four hours, more people, more kills")
    parser.add_argument("--seed", type=int, default=4, help="of the dice (4)")
    parser.add_argument("--keep", metavar="DIR", help="keep all that was written there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatehouse-endurance-") as temporary:
        folder = Path(args.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run = Run("long" if args.long else "short", args.seed, folder)
        began = time.monotonic()
        try:
            run.play()
            run.judge()
        except Killed as problem:  # nobody had killed it
            said = run.gate.gate.output()[-2000:] if run.gate.gate else ""
            run.findings.add(f"it did not answer: {problem}\n{said}")
        finally:
            run.gate.close()
        run.report(time.monotonic() - began)
    return 1 if run.findings.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
