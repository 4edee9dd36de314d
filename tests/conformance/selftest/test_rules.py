"""Every rule, on a model origin under a clock that jumps: a sound stream passes, and what is broken is noticed by
exactly the rule that it breaks."""
import contextlib
import io
import unittest

from hls import rules
from hls.cli import arguments, report
from hls.follow import Follower
from hls.timeline import MS, Timeline
from selftest import virtual
from selftest.broken import Ended, Stalled, all_broken
from selftest.origin import WALL, Discontinuous, Origin, Plain

NOT_BY_ORIGIN = {"target-duration"}  # everything else hangs on it: test_playlist has it


def follow(kind, seconds=None):
    """A run of the checker against a new origin."""
    def run(clock):
        origin = kind(clock)
        t = Timeline(origin.jitter_ms * MS, origin.profile)
        t.wall = WALL * 1000 * MS
        started = Follower(origin, clock, t).run("http://origin/index.m3u8", seconds or origin.seconds)

        async def whole():
            await started
            return t
        return whole()
    return virtual.run(run)


def violated(t):
    return {f.rule.name: f.evidence for f in rules.judge(t) if f.violations}


class Sound(unittest.TestCase):
    def assert_clean(self, kind, seconds=None):
        t = follow(kind, seconds)
        self.assertEqual(violated(t), {}, kind.__name__)
        return {f.rule.name for f in rules.judge(t) if f.applies and not f.checks and not f.rule.occasional}

    def test_low_latency(self):
        self.assertEqual(self.assert_clean(Origin, 30), set(), "every rule has been exercised")

    def test_plain(self):
        self.assertEqual(self.assert_clean(Plain, 40), set())

    def test_end(self):
        self.assert_clean(Ended)

    def test_discontinuities(self):
        self.assert_clean(Discontinuous, 12)

    def test_stall(self):
        t = follow(Stalled)
        self.assertEqual(violated(t), {})
        self.assertIn(503, {x.status for x in t.asked})


class Broken(unittest.TestCase):
    def test_each_by_exactly_its_rule(self):
        for kind in all_broken():
            with self.subTest(kind.__name__):
                found = violated(follow(kind))
                self.assertEqual(set(found), {kind.breaks}, found)

    def test_none_is_left_out(self):
        rules.judge(Timeline())
        self.assertEqual({kind.breaks for kind in all_broken()}, set(rules.registry) - NOT_BY_ORIGIN)


class Report(unittest.TestCase):
    def run_report(self, kind, *words):
        out = io.StringIO()
        code = report(follow(kind), arguments([*words, "http://origin/index.m3u8"]), out)
        return code, out.getvalue()

    def test_exit_codes(self):
        self.assertEqual(self.run_report(Origin)[0], 0)
        broken = next(kind for kind in all_broken() if kind.breaks == "hint-there")
        code, text = self.run_report(broken)
        self.assertEqual(code, 1)
        self.assertIn("hint-there is violated", text)
        self.assertEqual(self.run_report(broken, "--allow", "hint-there")[0], 0)

    def test_not_exercised(self):
        code, text = self.run_report(Origin, "--require")  # too short a run to come back for a segment
        self.assertEqual(code, 1)
        self.assertIn("segment-stays was not exercised", text)
        self.assertEqual(self.run_report(Origin, "--until-end")[0], 1)
        self.assertEqual(self.run_report(Ended, "--until-end")[0], 0)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        unittest.main()
