"""Plays normal weeks and attacks to the anomaly rules and reports precision and recall.

A finding is right when an attack of its rule was under way against that account, or from that
network. `new_device` is a notice, not a suspicion: every sign-in from a new device is one, so only
its recall is judged, and how many notices a normal week brings is shown beside it.
"""
import argparse
import collections
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import generate  # noqa: E402

NOTICES = {"new_device"}
# What another rule may rightly say of an attack, too: stuffing from behind a big office is many
# accounts failing far over the usual before the office's share gives it away; and whoever asks for
# thousands of ids makes more requests than ever.
ALSO = {"password_spraying": "credential_stuffing", "unusual_volume": "id_scanning"}
# Least recall by intensity; precision is 1 wherever something was found. What is low is under the
# default thresholds on purpose: there attackers look like people.
LEAST_RECALL = {"flagrant": 1.0, "high": 1.0, "medium": 1.0}
# Kinds that need less: 404s among as many answers to ordinary work hide, and eight times the little
# that somebody does is less than the least that counts.
LEAST_RECALL_OF = {("id_scanning, missing", "medium"): 0.5, ("unusual_volume", "medium"): 0.5}


def play(program, lines):
    done = subprocess.run([program], input=generate.write(lines), text=True, check=True,
                          capture_output=True, timeout=100)
    return [json.loads(line) for line in done.stdout.splitlines()]


def is_of(finding, label):
    return (finding["rule"] == label["rule"]
            and label["begin"] <= finding["time_s"] <= label["end"]
            and label["account"] in ("", finding["account"])
            and label["network"] in ("", finding["network"]))


def is_under_way(finding, label):
    return (label["rule"] == ALSO.get(finding["rule"])
            and label["begin"] <= finding["time_s"] <= label["end"]
            and label["account"] in ("", finding["account"]))


class Score:
    def __init__(self):
        self.found = self.labels = self.right = self.findings = 0

    def precision(self):
        return self.right / self.findings if self.findings else None

    def recall(self):
        return self.found / self.labels if self.labels else None


def rate(findings, labels, scores, intensity):
    wrong = []
    for label in labels:
        score = scores[label["kind"], intensity]
        score.labels += 1
        score.found += any(is_of(finding, label) for finding in findings)
    for finding in findings:
        if finding["rule"] in NOTICES:
            continue
        kinds = {label["kind"] for label in labels if is_of(finding, label)}
        if not kinds and any(is_under_way(finding, label) for label in labels):
            continue
        of_rule = {label["kind"] for label in labels if label["rule"] == finding["rule"]}
        for kind in kinds or of_rule:
            score = scores[kind, intensity]
            score.findings += 1
            score.right += bool(kinds)
        if not kinds:
            wrong.append(finding)
    return wrong


def run(program, seeds):
    scores = collections.defaultdict(Score)
    wrong, notices, people = [], 0, 0
    for seed in seeds:
        company, lines = generate.normal(seed)
        people += len(company.people) * generate.WEEKS
        findings = play(program, lines)
        notices += sum(finding["rule"] in NOTICES for finding in findings)
        wrong += [("normal", seed, finding) for finding in findings
                  if finding["rule"] not in NOTICES]
        for intensity in generate.INTENSITIES:
            more, labels = generate.attacks(company, seed, intensity)
            findings = play(program, lines + more)
            wrong += [(intensity, seed, finding)
                      for finding in rate(findings, labels, scores, intensity)]
    return scores, wrong, 1000 * notices / people


def show(value):
    return "–" if value is None else "%.2f" % value


def print_table(scores, wrong, notices, seeds):
    kinds = sorted({kind for kind, _ in scores})
    print("| attack | " + " | ".join("%s: precision, recall" % i for i in generate.INTENSITIES)
          + " |")
    print("|---|" + "---|" * len(generate.INTENSITIES))
    for kind in kinds:
        cells = [scores[kind, intensity] for intensity in generate.INTENSITIES]
        print("| %s | %s |" % (kind, " | ".join(
            "%s, %s" % (show(cell.precision()), show(cell.recall())) for cell in cells)))
    false_alarms = sum(intensity == "normal" for intensity, _, _ in wrong)
    print("\n%d normal weeks: %d false findings; %.0f notices of new devices per 1,000 people and"
          " week." % (generate.WEEKS * len(seeds), false_alarms, notices))


def judge(scores, wrong):
    problems = ["false finding (%s, seed %d): %s" % item for item in wrong]
    for (kind, intensity), score in sorted(scores.items()):
        least = LEAST_RECALL_OF.get((kind, intensity), LEAST_RECALL.get(intensity, 0))
        if score.recall() is not None and score.recall() < least:
            problems.append("%s, %s: recall %.2f, not %.2f"
                            % (kind, intensity, score.recall(), least))
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--play", required=True, help="the program anomaly_play")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--assert", action="store_true", dest="bounds",
                        help="fail when a bound is missed")
    args = parser.parse_args()
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    scores, wrong, notices = run(args.play, seeds)
    print_table(scores, wrong, notices, seeds)
    problems = judge(scores, wrong)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if args.bounds and problems else 0


if __name__ == "__main__":
    sys.exit(main())
