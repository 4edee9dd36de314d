"""Disks that are full or fail, under media and state of each service: what is lost, who is told, what works again."""
import errno
import hashlib
import json
import re
import time

import report
from access_units import decode, of_segments
from bad_disk import Alarms, BadDisk, fill, full
from harness import http, with_setting
from journal import Journal

WIDTH = 640
VERIFIED_BUT_GAPS = 2  # belfryctl verify
MEDIA = "what was finished stays, an alarm says what to do, the session goes on when the disk does, gaps stand for the rest"
ARCHIVE = "the session's files stay as they are, an alarm says why, the recording comes by itself when the disk works"
INTENT = "the start is refused with a reason, nothing is begun, the file is the old one; works again with the disk"
START = "it does not start, and says why; its number of starts is the old one; starts when the disk works"
EPOCH = "the stream goes on; told; the file is the old one, and the new one is stored when the disk works"
NODES = {"ingest": "ingest-1", "camera-cam-1": "cam-1", "janitor": "janitor-1", "gateway": "gateway-1"}
REPLACE = (("EIO in the middle of a write", ["write"], "*/.tmp-*", True), ("EIO on fsync", ["fsync"], "*/.tmp-*", False),
           ("EIO on rename", ["rename"], "*", False), ("EIO on making a file", ["create"], "*/.tmp-*", False))


def rows(table):
    """All of a table, or what CI has time for: the first."""
    return table if report.OPTIONS.full else table[:1]


def finished(folder):
    """The files of all segments that the journal has an end of, and what is in them."""
    names = [f"seg-{number}.m4s" for number in Journal(folder / "journal").numbers]
    return {name: hashlib.sha256((folder / name).read_bytes()).digest() for name in names}


class Disks(BadDisk):
    @classmethod
    def configure(cls, text):
        return with_setting(text, "ingest", "reserve_bytes", 1 << 20)

    def setUp(self):
        self.alarms = Alarms(self.url)
        self.addCleanup(http, self.camera_url(what="/stream"), "DELETE")

    def folder(self, stream):
        return self.media / "cam-1" / stream["session"]

    def recorded_segments(self, stream, count):
        self.wait_for(f"{count} segments", lambda: len(finished(self.folder(stream))) >= count)

    def alarmed(self, code, active):
        self.wait_for(f"alarm {code} {'begins' if active else 'ends'}", lambda: (code, active) in self.alarms.seen, 40)

    def judge(self, stream):
        """The journal of a recording that verifies, but for the gaps told in it, and decodes to all its frames."""
        folder, url = self.folder(stream), f"{self.url}/api/v1/recordings/{stream['session']}"
        self.wait_for("the recording", lambda: http(url).status == 200, 40)
        journal = Journal(folder / "journal")
        verified = self.belfryctl("verify", str(folder), check=False)
        self.assertIn(b"gaps" if journal.gaps else b"authentic", verified.stdout, verified.stderr)
        self.assertEqual(verified.returncode, VERIFIED_BUT_GAPS if journal.gaps else 0, verified.stdout)
        self.assertEqual(len(of_segments(folder, journal.numbers)), journal.frames)
        times, complaints = decode(self.url + http(url).json()["urls"]["download"], WIDTH)
        self.assertEqual((complaints, len(times)), ("", journal.frames))
        self.assertNotIn(None, times)
        return journal

    # --- media ------------------------------------------------------------------------------------------------------

    def listed_parts_are_whole(self, stream):
        for name in self.playlist(stream).parts:
            answer = self.fetch(stream, name)
            self.assertEqual((answer.status, answer.body[4:8]), (200, b"moof"), name)

    def ingest_fails(self, name, kinds, pattern, torn, error=errno.EIO):
        code = "disk_full" if error == errno.ENOSPC else "storage_failed"
        stream = self.start(record=True)
        self.recorded_segments(stream, 1)
        before = finished(self.folder(stream))
        self.alarms.seen.clear()
        with self.faults["ingest"].on(kinds, pattern, error, torn):
            self.alarmed(code, True)
            self.listed_parts_are_whole(stream)
            self.assertIn(self.camera()["stream"]["state"], ("live", "stalled"))
        since = time.monotonic()
        self.alarmed(code, False)
        self.newer_part(stream)
        took = time.monotonic() - since
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.stop()
        journal, after = self.judge(stream), finished(self.folder(stream))
        self.assertEqual({name: after.get(name) for name in before}, before)
        self.assertGreater(journal.gaps, 0)
        report.measured(f"ingest, media: {name}", MEDIA, f"{len(before)} of {len(before)} finished segments as before, the "
                        f"recording verifies and decodes, {journal.gaps} gaps, media {took:.1f} s after the disk works")

    def test_1_ingest(self):
        for row in rows((
                ("EIO in the middle of a record", ["write"], "*/journal", True),
                ("EIO in the middle of a part", ["write"], "*/seg-*", True),
                ("full in the middle of a part", ["write"], "*/seg-*", True, errno.ENOSPC),
                ("EIO on making a segment's file", ["create"], "*/seg-*", False),
                ("EIO in the middle of a part, which cannot be cut off", ["write", "truncate"], "*/seg-*", True),
                ("EIO in the middle of a record, which cannot be cut off", ["write", "truncate"], "*/journal", True))):
            with self.subTest(row[0]):
                self.ingest_fails(*row)

    def ingest_cannot_sync(self):
        stream = self.start(record=True)
        with self.faults["ingest"].on(["fsync"], "*/media/*"):
            self.recorded_segments(stream, 2)
            self.logged("ingest", "may not survive a power cut")
        self.stop()
        journal = self.judge(stream)
        self.assertEqual(journal.gaps, 0)
        report.measured("ingest, media: EIO on fsync", "told in the log; what was written is served and recorded",
                        f"{journal.frames} frames recorded, none missing")

    def start_fails(self):
        answer = http(self.camera_url(what="/stream"), "POST", {})
        self.assertGreaterEqual(answer.status, 500, answer.body)
        return answer.status, answer.json()

    def no_session_can_begin(self):
        before = set((self.media / "cam-1").iterdir())
        with self.faults["ingest"].on(["mkdir"], "*/media/*"):
            status, why = self.start_fails()
        self.assertIn("Input/output error", why["detail"])
        self.assertEqual(set((self.media / "cam-1").iterdir()), before)
        stream = self.start()
        self.newer_part(stream)
        self.stop()
        report.measured("ingest, media: EIO when a session begins", "the start is refused with the reason; the next one works",
                        f"{status}, code {why['code']}, step {why['step']}; the next start was live")

    def no_room_for_a_session(self):
        ballast = fill(self.media)
        status, why = self.start_fails()
        ballast.unlink()
        stream = self.start()
        self.newer_part(stream)
        self.stop()
        report.measured("ingest, media: full before the start", "the start fails with the reason; the next one works",
                        f"{status}, code {why['code']}, step {why['step']}; the next start was live")

    def gateway_cannot_read(self):
        stream = self.start()
        self.wait_for("a segment", lambda: self.playlist(stream).segments)
        with self.faults["gateway"].on(["open"], "*/seg-*"):
            name = self.playlist(stream).segments[-1]
            answer = self.fetch(stream, name)
            self.assertGreaterEqual(answer.status, 500)
            self.assertTrue(answer.json()["detail"])
            self.assertEqual(http(self.url + "/healthz").status, 200)
        self.assertEqual(self.fetch(stream, name).status, 200)
        self.newer_part(stream)
        self.stop()
        report.measured("gateway, media: EIO on reading a segment", "that request is answered with an error, the others go on",
                        f"{answer.status} while it lasted, 200 afterwards")

    def test_2_other_calls_on_media(self):
        for check in rows((self.no_session_can_begin, self.no_room_for_a_session, self.ingest_cannot_sync,
                           self.gateway_cannot_read)):
            with self.subTest(check.__name__):
                check()

    def janitor_fails(self, name, kinds, pattern, torn, error, code):
        stream = self.start(record=True)
        self.recorded_segments(stream, 1)
        self.alarms.seen.clear()
        with self.faults["janitor"].on(kinds, "*/media" + pattern, error=error, torn=torn):
            self.stop()
            self.alarmed(code, True)
            before = finished(self.folder(stream))
            self.assertEqual(http(f"{self.url}/api/v1/recordings/{stream['session']}").status, 404)
        since = time.monotonic()
        journal = self.judge(stream)
        took = time.monotonic() - since
        self.alarmed(code, False)
        self.assertEqual(finished(self.folder(stream)), before)
        self.assertEqual(list(self.folder(stream).glob(".tmp-*")), [])
        report.measured(f"janitor, media: {name}", ARCHIVE, f"alarm {code}; {len(before)} of {len(before)} segments as before, "
                        f"{journal.frames} frames, the recording {took:.1f} s after the disk works")

    def test_3_janitor(self):
        failing = [(*row, errno.EIO, "archive_failed") for row in REPLACE]
        full = [("full", ["write"], "/*/.tmp-*", True, errno.ENOSPC, "disk_full"),
                ("EIO on reading a segment", ["open"], "/*/seg-*", False, errno.EIO, "archive_failed")]
        for row in rows([*failing, *full]):
            with self.subTest(row[0]):
                self.janitor_fails(*row)

    # --- state ------------------------------------------------------------------------------------------------------

    def kept(self, name):
        return (self.state / name).read_bytes()

    def no_state_is_half(self):
        """Every file of the state directory is whole: a number, a holder of the lease, or the intents."""
        for path in self.state.iterdir():
            text = path.read_text()
            if path.name == "gateway.intents":
                self.assertIsInstance(json.loads(text)["streams"], list)
            elif "lease-holder" in path.name:
                self.assertRegex(text, r"^\d+ \S+ [0-9a-f]{32}\n$", path.name)
            elif not path.name.startswith((".tmp-", ".ballast")) and not path.name.endswith(".lock"):
                self.assertRegex(text, r"^\d+\n$", path.name)

    def intent_fails(self, name):
        before = self.kept("gateway.intents")
        sessions = set((self.media / "cam-1").iterdir())
        status, why = self.start_fails()
        self.assertEqual(why["code"], "state_not_stored")
        self.assertEqual(self.kept("gateway.intents"), before)
        self.assertEqual(set((self.media / "cam-1").iterdir()) - sessions, set())
        self.no_state_is_half()
        return f"{status}, code {why['code']}", name

    def intent_works(self, figure, name):
        stream = self.start()
        self.newer_part(stream)
        self.stop()
        report.measured(f"gateway, state: {name}", INTENT, f"{figure}; the next start was live")

    def test_4_gateway(self):
        self.start()
        self.stop()
        for name, kinds, pattern, torn in rows(REPLACE):
            with self.subTest(name):
                with self.faults["gateway"].on(kinds, "*/state" + pattern, torn=torn):
                    told = self.intent_fails(name)
                self.intent_works(*told)
        ballast = fill(self.state)
        told = self.intent_fails("full")
        ballast.unlink()
        self.intent_works(*told)

    def test_5_stop_without_state(self):
        stream = self.start()
        with self.faults["gateway"].on(["write"], "*/state/.tmp-*", torn=True):
            self.newer_part(stream)
            self.stop()
            self.assertEqual(self.camera()["stream"]["state"], "idle")
        self.no_state_is_half()
        report.measured("gateway, state: EIO while a stream runs", "it runs on, and can be stopped", "stopped, state idle")

    def cannot_count_its_start(self, service, name, fault):
        node = NODES[service]
        before = self.kept(f"{node}.epoch")
        self.stack.stop(service)
        said = self.log(service).count("cannot be counted up")
        with fault:
            self.stack.start(service)
            self.wait_for(f"the end of {service}", lambda: self.stack.pid(service) is None)
        self.logged(service, "cannot be counted up", said + 1)
        self.assertEqual(self.kept(f"{node}.epoch"), before)
        self.no_state_is_half()
        self.stack.start(service)
        self.wait_for("the number of starts", lambda: int(self.kept(f"{node}.epoch")) == int(before) + 1)
        self.all_online()
        report.measured(f"{service.split('-')[0]}, state: {name} at its start", START, "not started, told; started afterwards")

    def test_6_starts(self):
        for service in rows(tuple(NODES)):
            failing = [(name, self.faults[service].on(kinds, "*/state" + pattern, torn=torn))
                       for name, kinds, pattern, torn in REPLACE]
            for name, fault in rows([*failing, ("full", full(self.state))]):
                with self.subTest(f"{service}: {name}"):
                    self.cannot_count_its_start(service, name, fault)

    def test_7_lease_epoch(self):
        """A gateway that starts again orders with a higher lease epoch, which each node has to keep."""
        stream = self.start()
        nodes = [name for name in NODES if name != "gateway"]
        files = [f"{NODES[name]}.lease-epoch.seen" for name in nodes]
        before = [self.kept(name) for name in files]
        for name in nodes:
            self.faults[name].set(["write"], "*/state/.tmp-*", torn=True)
        self.stack.stop("gateway")
        self.stack.start("gateway")
        for name in nodes:
            self.logged(name, "cannot keep the lease epoch")
        self.wait_for("the stream, adopted", lambda: self.camera()["stream"]["state"] == "live")
        self.assertEqual([self.kept(name) for name in files], before)
        self.no_state_is_half()
        self.newer_part(stream)
        for name in nodes:
            self.assertGreater(self.faults[name].hits, 0)
            self.faults[name].clear()
        since = time.monotonic()
        self.wait_for("the new epoch on disk", lambda: all(int(self.kept(f)) > int(b) for f, b in zip(files, before)), 20)
        took = time.monotonic() - since
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.stop()
        report.measured("camera, ingest, janitor, state: EIO when the lease epoch goes up", EPOCH,
                        f"the same session, no file half, all stored {took:.1f} s after the disk works")


if __name__ == "__main__":
    report.main(__doc__.splitlines()[0])
