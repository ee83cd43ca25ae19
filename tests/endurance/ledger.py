"""What the traffic did, as the log must tell it: written down from what was asked and answered.

An event of an account is in the log exactly once when its answer came. Where the connection ended
first (a kill), nobody knows: it may be there or not. Refusals are counted apart from the requests
(a tally that a thread takes several times a second, and whose counts it saves once a second): those
of the last moments before a kill may be lost, no others.
"""

import threading
import time
from collections import Counter, defaultdict


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.sure = Counter()  # (event, outcome, account's id or None)
        self.maybe = Counter()
        self.refusals = defaultdict(list)  # (event, reason): when each one was answered
        self.refusals_maybe = Counter()
        self.kills = []  # (when the signal was sent, when the process had ended)
        self.done = Counter()  # operations by name and status
        self.surprises = []  # answers that no operation expects

    def events(self, events, sure=True):
        with self.lock:
            for event in events:
                (self.sure if sure else self.maybe)[event] += 1

    def refused(self, event, reason):
        with self.lock:
            self.refusals[event, reason].append(time.monotonic())

    def refused_perhaps(self, event, reason):
        with self.lock:
            self.refusals_maybe[event, reason] += 1

    def note(self, name, status):
        with self.lock:
            self.done[name, status] += 1

    def surprise(self, name, response):
        with self.lock:
            self.surprises.append(f"{name}: {response.status} {response.body[:300]!r}")

    def killed(self, sent):
        with self.lock:
            self.kills.append((sent, time.monotonic()))


class Canaries:
    """What must be nowhere in what the process wrote, by kind."""

    def __init__(self):
        self.lock = threading.Lock()
        self.texts = defaultdict(set)

    def add(self, kind, *texts):
        with self.lock:
            self.texts[kind].update(text for text in texts if text)

    def all(self):
        with self.lock:
            return {(kind, text) for kind, texts in self.texts.items() for text in texts}
