"""The media path under garbage, foreign senders and foreign formats."""
import contextlib
import json
import re
import socket
import subprocess

from harness import StackTest, http, main, stack as stack_module

HARM = ("discontinuities", "gaps", "frames_corrupt", "frames_damaged")


class MediaPort(StackTest):
    def media_port(self):
        """Where the running session listens."""
        log = (self.stack.logs / "camera-cam-1.log").read_text()
        return int(re.findall(r'msg="starting" .*\bto=\S+:(\d+)', log)[-1])

    def test_garbage_does_not_end_a_session(self):
        stream = self.start()
        port = self.media_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for i in range(2000):
                s.sendto(bytes([i % 256]) * (i % 1400 + 1), ("127.0.0.1", port))
        self.newer_part(stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.assertEqual(self.camera()["stream"]["state"], "live")
        self.stop()

    def call(self, port, query):
        """What becomes of an SRT caller that is not the camera: ffmpeg's exit status and words."""
        command = ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=30", "-t", "2", "-c:v", "libx264",
                   "-f", "mpegts", f"srt://127.0.0.1:{port}?mode=caller&connect_timeout=3000&{query}"]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)

    def test_other_callers_are_refused(self):
        """Whatever they say of themselves; what libsrt has ffmpeg print tells why."""
        stream = self.start()
        port = self.media_port()
        callers = [("pkt_size=1316", "rejection reason"),  # the place is taken, so nobody asks for a passphrase
                   ("passphrase=not-the-right-passphrase", "rejection reason"),
                   ("passphrase=not-the-right-passphrase&streamid=#!::belfry_token=ffffffffffffffff", "Incorrect passphrase")]
        for query, reason in callers:
            done = self.call(port, query)
            self.assertNotEqual(done.returncode, 0, query)
            self.assertIn(reason, done.stderr)
        self.newer_part(stream)
        self.assertNotIn("#EXT-X-DISCONTINUITY\n", self.playlist(stream).text)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.stop()

    def test_no_listening_port_on_the_camera(self):
        self.start()
        pid = self.stack.pid("camera-cam-1")
        sockets = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
        self.assertNotIn(f"pid={pid},", sockets)
        self.stop()


class ForeignSender(StackTest):
    """A camera without a camera service: `ffmpeg -f mpegts` sends to a fixed UDP port."""

    @classmethod
    def configure(cls, text):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            cls.input_port = s.getsockname()[1]
        return text.replace("cameras:\n", "cameras:\n  - id: foreign\n    input: udp://127.0.0.1:%d\n"
                            "    input_source: 127.0.0.1\n" % cls.input_port, 1)

    @contextlib.contextmanager
    def sender(self, source, address):
        """ffmpeg, sending that picture in real time from that address."""
        command = ["ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", f"{source}=size=640x480:rate=30",
                   "-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-pix_fmt", "yuv420p", "-f", "mpegts",
                   f"udp://127.0.0.1:{self.input_port}?pkt_size=1316&localaddr={address}"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as sender:
            try:
                yield
            finally:
                sender.terminate()

    def counters(self, states=1):
        """What ingest has said last, or, with 2, what it says next."""
        said = self.belfryctl("watch", "--json", "--topic", "ingest/ingest-1/state", "--count", str(states)).stdout
        last = json.loads(said.splitlines()[-1])
        return {counter["name"]: counter["value"] for counter in last["message"]["node"]["counters"]}

    def test_plays_what_ffmpeg_sends(self):
        with self.sender("testsrc", "127.0.0.1"):
            stream = self.start("foreign")
            self.newer_part(stream)
            part = self.fetch(stream, self.playlist(stream).independent[0])
            self.assertEqual(part.status, 200)
            with self.sender("smptebars", "127.0.0.2"):
                self.wait_for("another's picture to be refused", lambda: self.counters(2)["datagrams_refused"] > 50)
            self.newer_part(stream)
            self.assertNotIn("#EXT-X-DISCONTINUITY\n", self.playlist(stream).text)
            self.stop("foreign")
        counters = self.counters()
        self.assertEqual({name: counters[name] for name in HARM}, dict.fromkeys(HARM, 0))

    def test_a_silent_sender_is_named(self):
        answer = http(self.camera_url("foreign", "/stream"), "POST", {})
        self.assertEqual(answer.status, 504, answer.body)
        self.assertEqual(answer.json()["step"], "media")
        self.assertIn("pictures", answer.json()["detail"])
        self.wait_for("the undoing", lambda: self.camera("foreign")["stream"]["state"] == "failed")


if __name__ == "__main__":
    main()
