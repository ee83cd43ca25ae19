"""Recorded-style traffic of a company as audit records, and attacks to mix into it.

Everything follows from the seed. A record is a tuple (time in seconds, line as a dict); `write`
gives JSON Lines that play.c reads. Run as a program it writes three normal weeks, or with
--intensity those weeks with every attack of that intensity in the last one; labels go to a file.
"""
import argparse
import json
import random
import sys
import time

START = 1767571200  # 2026-01-05T00:00:00Z, a Monday
MINUTE, HOUR, DAY = 60, 3600, 86400
WEEK = 7 * DAY
WEEKS = 3
INTENSITIES = ("flagrant", "high", "medium", "low")


def stamp(at):
    whole = int(at)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + ".%06dZ" % ((at - whole) * 1e6)


class Tape:
    """Lines in any order; sorted at the end."""

    def __init__(self):
        self.lines = []

    def record(self, at, event, address, user="", actor=None, outcome="success", **metadata):
        line = {"event_type": event, "user_id": user, "actor_id": user if actor is None else actor,
                "ip_address": address, "outcome": outcome, "metadata": metadata}
        self.lines.append((at, line))

    def failed(self, at, address, user, email, reason="password"):
        self.record(at, "login_failed", address, user, outcome="failure", email=email,
                    reason=reason)

    def unknown(self, at, address, email):
        self.failed(at, address, "", email, "unknown")

    def login(self, at, address, user, new_device=False):
        self.record(at, "login", address, user, method="password", new_device=new_device)

    def denied(self, at, address, user, reason, count):
        self.record(at, "access_denied", address, user, outcome="failure", route="/api/items/{id}",
                    reason=reason, count=count)

    def traffic(self, at, address, user, requests, missing):
        self.lines.append((at, {"traffic": {"user_id": user, "ip_address": address,
                                            "requests": requests, "missing": missing}}))


class Person:
    def __init__(self, number, place, random_):
        self.id = "00000000-0000-4000-8000-%012d" % number
        self.email = "person%d@example.com" % number
        self.place = place
        self.home = "82.%d.%d.%d" % (number % 200, number // 200, 1 + random_.randrange(250))
        self.rate = random_.lognormvariate(4.6, 0.7)  # requests an hour
        self.sloppy = random_.random()
        self.manager = random_.random() < 0.3  # a password manager fills in
        self.changed_on = random_.randrange(90)
        self.most = 200  # requests in an hour


# Where people sit: how many, and the one address they share.
HEAD_OFFICE = "203.0.113.10"
PLACES = (("head office", HEAD_OFFICE, 350), ("branch", "198.51.100.7", 120),
          ("plant", "192.0.2.77", 80), ("remote", None, 50))


class Company:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.people = []
        for place, address, count in PLACES:
            for _ in range(count):
                person = Person(len(self.people) + 1, place, self.random)
                person.address = address or person.home
                self.people.append(person)

    def mobile(self):
        """Carriers give another address every few minutes, of a few networks."""
        return "100.%d.%d.%d" % (64 + self.random.randrange(2), self.random.randrange(6),
                                 1 + self.random.randrange(250))

    def somewhere(self):
        return "%d.%d.%d.%d" % (self.random.choice((5, 31, 45, 91, 141, 185)),
                                self.random.randrange(256), self.random.randrange(256),
                                1 + self.random.randrange(250))


# ---- Normal weeks ----

def shift_of(person, number, random_):
    """Begin of work in seconds of the day, and hours."""
    if person.place == "plant":
        return (6, 14, 22)[(number + int(person.id[-3:])) % 3] * HOUR - random_.randrange(900), 8
    return int(random_.gauss(8.6, 0.6) * HOUR), 8


def sign_in(tape, company, person, at, address, chance, new_device=False):
    """Tries until they are in, or give up."""
    r = company.random
    tries = 0
    while r.random() < chance and tries < 7:
        tape.failed(at, address, person.id, person.email)
        at += r.uniform(1, 3) if person.manager else r.uniform(5, 60)
        tries += 1
        chance = 0.45 if tries < 5 else 0.7
    if tries >= 3 and r.random() < 0.5:
        tape.record(at + 60, "password_reset_request", address, person.id, email=person.email,
                    known=True)
        tape.record(at + 200, "password_change", address, person.id, by="reset")
        at += 230
    elif tries >= 2 and r.random() < 0.15:
        return  # later, by telephone
    tape.login(at, address, person.id, new_device)


def chance_to_fail(person, number, is_monday):
    chance = 0.03 + 0.06 * person.sloppy
    if is_monday:
        chance *= 2
    if 0 <= (number - person.changed_on) % 90 < 3:  # the old password is in the fingers
        chance = 0.6
    return min(chance, 0.8)


def working_day(tape, company, person, number):
    r = company.random
    day = START + number * DAY
    begin, hours = shift_of(person, number, r)
    begin += day
    is_monday = number % 7 == 0
    address = person.address
    if r.random() < 0.12:
        address = person.home
    travels = r.random() < 0.006
    if travels:
        address = company.somewhere()
    if r.random() < (0.9 if is_monday else 0.5) or travels:
        sign_in(tape, company, person, begin, address, chance_to_fail(person, number, is_monday),
                new_device=r.random() < (0.3 if travels else 0.004))
    if r.random() < 0.1:
        sign_in(tape, company, person, begin + r.uniform(0, 12) * HOUR, company.mobile(),
                0.12, new_device=r.random() < 0.02)
    pace = person.rate * r.lognormvariate(0, 0.3)
    for hour in range(hours):
        requests = int(pace * r.lognormvariate(0, 0.4))
        person.most = max(person.most, requests)
        tape.traffic(begin + (hour + 1) * HOUR, address, person.id, requests,
                     int(requests * r.uniform(0, 0.06)))


def small_refusals(tape, company, person, begin):
    r = company.random
    if r.random() < 0.03:  # a colleague's link
        tape.denied(begin + r.uniform(1, 7) * HOUR, person.address, person.id, "not_owner",
                    r.randrange(1, 4))
    if r.random() < 0.02:  # a page with parts that are not for everybody
        tape.denied(begin + r.uniform(1, 7) * HOUR, person.address, person.id, "role_missing",
                    r.randrange(3, 9))


def people_at_work(tape, company):
    for number in range(7 * WEEKS):
        for person in company.people:
            weekend = number % 7 >= 5
            absent = company.random.random() < (0.95 if weekend else 0.08)
            if absent and not (weekend and person.place == "plant"):
                continue
            working_day(tape, company, person, number)
            small_refusals(tape, company, person, START + number * DAY + 8 * HOUR)


def machines(tape, company):
    """Accounts of programs: a nightly job, a client that looks whether things are still there."""
    r = company.random
    batch, sync, stale = company.people[0], company.people[1], company.people[2]
    for number in range(7 * WEEKS):
        day = START + number * DAY
        for hour in range(1, 5):
            tape.traffic(day + hour * HOUR, "198.51.100.20", batch.id, r.randrange(2500, 6000), 20)
        for hour in range(24):
            requests = r.randrange(250, 500)
            tape.traffic(day + hour * HOUR + 30, "198.51.100.21", sync.id, requests,
                         int(requests * r.uniform(0.3, 0.45)))
    for week in range(WEEKS):  # a script with the old password, until somebody looks
        for hour in range(10):
            tape.failed(START + week * WEEK + 2 * DAY + (22 + hour) * HOUR, "198.51.100.22",
                        stale.id, stale.email)


def strangers(tape, company):
    """Bots: pages that never were, sign-ins of accounts that never were, tabs left open."""
    r = company.random
    for hour in range(7 * 24 * WEEKS):
        at = START + hour * HOUR
        for _ in range(r.randrange(4)):
            tape.unknown(at + r.uniform(0, HOUR), company.somewhere(), "admin@example.com"
                         if r.random() < 0.4 else "info%d@example.org" % r.randrange(1000))
        for _ in range(r.randrange(3)):
            address = company.somewhere()
            probes = r.randrange(5, 400)
            tape.traffic(at + r.uniform(0, HOUR), address, "", probes, probes - r.randrange(5))
            tape.denied(at + r.uniform(0, HOUR), address, "", "not_signed_in", probes)
        tape.denied(at + 59 * MINUTE, HEAD_OFFICE, "", "not_signed_in", r.randrange(2000))
        tape.denied(at + 58 * MINUTE, HEAD_OFFICE, "", "credential_expired", r.randrange(300))


def special_days(tape, company):
    r = company.random
    officer, bookkeeper = company.people[3], company.people[4]
    for number in (0, 20):  # the monthly requests for access
        for _ in range(9):
            tape.record(START + number * DAY + r.uniform(9, 16) * HOUR, "data_export",
                        officer.address, officer.id, record_count=r.randrange(10, 900))
    for _ in range(3 * WEEKS):
        person = r.choice(company.people)
        tape.record(START + r.uniform(0, WEEKS * WEEK), "data_export", person.home, person.id,
                    record_count=40)
    for number in (17, 18):  # the end of the month
        for hour in range(8):
            tape.traffic(START + number * DAY + (9 + hour) * HOUR, bookkeeper.address,
                         bookkeeper.id, int(3 * bookkeeper.rate), 4)
    for week in range(WEEKS):  # somebody back from leave: here, there, until the desk helps
        person = r.choice(company.people)
        at = START + week * WEEK + 8 * HOUR
        for place in (person.address, company.mobile(), person.address, person.home):
            for _ in range(3):
                tape.failed(at, place, person.id, person.email)
                at += r.uniform(20, 600)
        tape.record(at, "password_change", person.address, person.id, by="admin")
        tape.login(at + 60, person.address, person.id)


def normal(seed):
    company, tape = Company(seed), Tape()
    people_at_work(tape, company)
    machines(tape, company)
    strangers(tape, company)
    special_days(tape, company)
    return company, tape.lines


# ---- Attacks, each with a label: what must be found, when, about whom ----

class Label(dict):
    def __init__(self, rule, begin, end, account="", network="", kind=""):
        super().__init__(rule=rule, kind=kind or rule, begin=begin, end=end, account=account,
                         network=network)


def network_of(address):
    return address.rsplit(".", 1)[0] + ".0/24"


def victims(company, count):
    """Addresses of a leaked list: of three one has an account here."""
    for number in range(count):
        person = company.random.choice(company.people)
        if number % 3 == 0:
            yield person.id, person.email, "password"
        else:
            yield "", "leaked%d@example.net" % company.random.randrange(10 ** 9), "unknown"


def stuff(tape, company, begin, address, accounts, seconds):
    for number, (user, email, reason) in enumerate(victims(company, accounts)):
        at = begin + seconds * number / accounts
        tape.failed(at, address, user, email, reason)
        if company.random.random() < 0.01:
            tape.login(at + 1, address, company.random.choice(company.people).id, True)


def stuffing(tape, company, at, intensity):
    accounts, hours = {"flagrant": (2000, 1), "high": (300, 2), "medium": (60, 4),
                       "low": (12, 6)}[intensity]
    address = "45.9.8.7"
    stuff(tape, company, at + 3 * HOUR, address, accounts, hours * HOUR)
    yield Label("credential_stuffing", at, at + 14 * HOUR, network=network_of(address))


def stuffing_from_office(tape, company, at, intensity):
    """Among 350 colleagues behind one address."""
    accounts = {"flagrant": 1000, "high": 250, "medium": 80, "low": 20}[intensity]
    stuff(tape, company, at + 10 * HOUR, HEAD_OFFICE, accounts, 2 * HOUR)
    yield Label("credential_stuffing", at, at + 20 * HOUR, network=network_of(HEAD_OFFICE),
                kind="credential_stuffing, shared office")


def spraying(tape, company, at, intensity):
    """A guess or two for each, from a network of its own."""
    accounts = {"flagrant": 600, "high": 200, "medium": 70, "low": 20}[intensity]
    r = company.random
    begin = at + 19 * HOUR
    for person in r.sample(company.people, min(accounts, len(company.people))):
        for _ in range(r.randrange(1, 3)):
            tape.failed(begin + r.uniform(0, HOUR), company.somewhere(), person.id, person.email)
    yield Label("password_spraying", begin, begin + 3 * HOUR)


def brute_force(tape, company, at, intensity):
    """At the pace that the throttle leaves: one in 15 minutes at the most, after some."""
    tries = {"flagrant": 110, "high": 60, "medium": 30, "low": 12}[intensity]
    for networks in (1, 20):
        person = company.people[10 + networks]
        for number in range(tries):
            tape.failed(at + 20 * HOUR * number / tries, "91.2.%d.5" % (number % networks),
                        person.id, person.email)
        yield Label("brute_force", at, at + 24 * HOUR, account=person.id,
                    kind="brute_force, %d network%s" % (networks, "s" if networks > 1 else ""))


def takeover(tape, company, at, intensity):
    person = company.people[40]
    tape.login(at + 4 * HOUR, company.somewhere(), person.id, True)
    yield Label("new_device", at, at + 5 * HOUR, account=person.id)


def reuse(tape, company, at, intensity):
    person = company.people[41]
    tape.record(at + 5 * HOUR, "session_revoked", company.somewhere(), person.id, actor="",
                outcome="failure", reason="refresh_reuse", count=1)
    yield Label("refresh_reuse", at, at + 6 * HOUR, account=person.id)


def scanning(tape, company, at, intensity):
    refused, missing = {"flagrant": (5000, 5000), "high": (300, 800), "medium": (60, 300),
                        "low": (15, 100)}[intensity]
    first, second = company.people[42], company.people[43]
    for minute in range(60):
        share = refused * (minute + 1) // 60 - refused * minute // 60
        if share:
            tape.denied(at + 11 * HOUR + minute * 60, first.home, first.id, "not_owner", share)
        tape.traffic(at + 11 * HOUR + minute * 60, second.home, second.id, missing // 55,
                     missing // 60)
    yield Label("id_scanning", at, at + 14 * HOUR, account=first.id, kind="id_scanning, refused")
    yield Label("id_scanning", at, at + 14 * HOUR, account=second.id, kind="id_scanning, missing")


def volume(tape, company, at, intensity):
    """Copying what one may read, by night."""
    factor = {"flagrant": 50, "high": 15, "medium": 8, "low": 2}[intensity]
    person = company.people[44]
    for minute in range(60):
        tape.traffic(at + 23 * HOUR + minute * 60, person.home, person.id,
                     person.most * factor // 60, 0)
    yield Label("unusual_volume", at + 23 * HOUR, at + 26 * HOUR, account=person.id)


def exports(tape, company, at, intensity):
    count = {"flagrant": 200, "high": 60, "medium": 25, "low": 9}[intensity]
    person = company.people[45]
    for number in range(count):
        tape.record(at + 12 * HOUR + 4 * HOUR * number / count, "data_export", person.home,
                    company.random.choice(company.people).id, actor=person.id, record_count=100)
    yield Label("export_spree", at, at + 20 * HOUR, account=person.id)


ATTACKS = (stuffing, stuffing_from_office, spraying, brute_force, takeover, reuse, scanning,
           volume, exports)


def attacks(company, seed, intensity):
    """All attacks of one intensity, on days of the third week that the seed chooses."""
    tape, labels = Tape(), []
    company.random = random.Random("%d %s" % (seed, intensity))
    for attack in ATTACKS:
        day = company.random.randrange(1, 4)
        labels += attack(tape, company, START + 2 * WEEK + day * DAY, intensity)
    return tape.lines, labels


def write(lines):
    out = []
    for at, line in sorted(lines, key=lambda pair: pair[0]):
        out.append(json.dumps({"time": stamp(at), **line}, separators=(",", ":")))
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--intensity", choices=INTENSITIES)
    parser.add_argument("--labels", help="where to write what must be found")
    args = parser.parse_args()
    company, lines = normal(args.seed)
    labels = []
    if args.intensity:
        more, labels = attacks(company, args.seed, args.intensity)
        lines = lines + more
    if args.labels:
        with open(args.labels, "w", encoding="utf-8") as file:
            json.dump(labels, file, indent=1)
    sys.stdout.write(write(lines))


if __name__ == "__main__":
    main()
