"""The command line: follow, judge, report."""
import argparse
import asyncio
import sys
import time

from . import rules
from .follow import Follower, FollowError
from .playlist import NS
from .timeline import MS, Timeline
from .wire import Web


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="check-hls", description="Follows a live HLS playlist and checks it against "
        "draft-pantos-hls-rfc8216bis-22. Exit code 0: nothing violated; 1: a rule was; 2: there was nothing to follow.")
    parser.add_argument("url", help="of the multivariant or the media playlist")
    parser.add_argument("--seconds", type=int, default=60, help="how long to follow (default: 60)")
    parser.add_argument("--profile", choices=("realtime", "balanced", "economy"),
                        help="also check what this profile promises")
    parser.add_argument("--jitter-ms", type=int, default=100,
                        help="what this machine and the way to the server may put instants off by (default: 100)")
    parser.add_argument("--until-end", action="store_true", help="the stream must end within --seconds")
    parser.add_argument("--require", action="store_true",
                        help="a rule that any healthy stream exercises, and that was not exercised, is a failure")
    parser.add_argument("--allow", action="append", default=[], metavar="RULE", help="a violation of it does not count")
    return parser.parse_args(argv)


def line(finding):
    """One line for one rule, and below it what was seen."""
    rule = finding.rule
    count = f"{finding.violations} of {finding.checks}" if finding.violations else str(finding.checks or "")
    head = f"{finding.verdict:14} {count:>12}  {rule.name:28} {rule.section:8} {rule.level:6} {rule.title}"
    return "\n".join([head, *(f"{'':29} - {text}" for text in finding.evidence)])


def failures(findings, options, ended):
    """Sentences that say why the exit code is 1."""
    found = [f"{f.rule.name} is violated" for f in findings if f.violations and f.rule.name not in options.allow]
    if options.require:
        found += [f"{f.rule.name} was not exercised" for f in findings
                  if f.applies and not f.checks and not f.rule.occasional and f.rule.name not in options.allow]
    if options.until_end and not ended:
        found.append("the stream did not end")
    return found


def report(t, options, out=sys.stdout):
    """Prints the findings; the exit code."""
    findings = rules.judge(t)
    for finding in findings:
        if finding.verdict != "does not apply":
            print(line(finding), file=out)
    asked = (t.stopped - t.started) / NS
    print(f"\n{len(t.exchanges)} requests in {asked:.0f} s: {len(t.answers)} playlists of {len(t.states)} states, "
          f"{len(t.parts)} parts, {len(t.segments)} segments; "
          f"{sum(f.checks for f in findings)} checks of {sum(f.checks > 0 for f in findings)} rules", file=out)
    why = failures(findings, options, t.ended)
    print("not conformant: " + "; ".join(why) if why else "conformant", file=out)
    return 1 if why else 0


def main(argv=None):
    options = arguments(argv)
    clock = time.monotonic_ns
    t = Timeline(options.jitter_ms * MS, options.profile)
    t.wall = time.time_ns() - clock()
    try:
        asyncio.run(Follower(Web(options.url, clock), clock, t).run(options.url, options.seconds))
    except FollowError as e:
        print(f"check-hls: {e}", file=sys.stderr)
        return 2
    return report(t, options)
