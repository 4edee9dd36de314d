"""Many viewers of one gateway, more than it takes, and clients that mean it ill. Whatever those do, a well-behaved viewer
and /healthz go on, and afterwards everything is as before."""
import contextlib
import json
import re
import select
import socket
import statistics
import subprocess
import threading
import time
import unittest

from harness import StackTest, http, main, process_figures, with_setting

HEALTH_WORST_S = 1.0  # on a machine with other things to do; alone it is a few milliseconds


class Loaded(StackTest):
    threads = 256

    @classmethod
    def configure(cls, text):
        return with_setting(text, "gateway", "threads", cls.threads)

    def watch(self, viewers, seconds, *options):
        """bench/viewers in the background."""
        command = [self.build / "bench/viewers", "--url", self.url, "--camera", "cam-1", "--viewers", viewers,
                   "--seconds", seconds, "--json", *options]
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)

    def seen(self, watching, timeout=90):
        out, _ = watching.communicate(timeout=timeout)
        return json.loads(out)

    def metric(self, name):
        found = re.search(rf"^{re.escape(name)} (\d+)$", http(self.url + "/metrics").text(), re.M)
        self.assertIsNotNone(found, name)
        return int(found.group(1))

    def connections(self, kind):
        return self.metric(f'belfry_http_connections{{kind="{kind}"}}')

    def cut_off(self, reason):
        return self.metric(f'belfry_http_cut_off_total{{reason="{reason}"}}')

    def refused(self, reason):
        return self.metric(f'belfry_http_refused_total{{reason="{reason}"}}')

    def figures(self):
        return process_figures(self.stack.pid("gateway"))

    def nobody_left(self, deadline_s=30):
        """Every worker is free again but the one that answers this."""
        self.wait_for("every worker to be free", lambda: self.metric("belfry_http_workers_free") >= self.threads - 1
                      and self.connections("silent") == 0, deadline_s)


class Health:
    """Asks for /healthz over and over, on a new connection each time, until told to stop."""

    def __init__(self, url):
        self.url, self.took_s, self.failed, self.done = url, [], [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.done.wait(0.02):
            began = time.monotonic()
            try:
                answer = http(self.url + "/healthz", timeout=10)
                if answer.status != 200:
                    self.failed.append(answer.status)
            except OSError as e:
                self.failed.append(e)
            self.took_s.append(time.monotonic() - began)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


class ManyViewers(Loaded):
    def setUp(self):
        self.start()
        self.nobody_left()

    def test_1_two_hundred(self):
        before = self.figures()
        with Health(self.url) as health:
            seen = self.seen(self.watch(200, 6))
        self.assertEqual((seen["errors"], seen["busy_503"], seen["watching"]), (0, 0, 200), seen)
        self.assertEqual(seen["connects"], 200, "connections are kept")
        self.assertGreater(seen["spread"]["parts"], 15, seen)
        self.assertEqual(health.failed, [])
        self.nobody_left()
        after = self.figures()
        self.assertEqual(after["threads"], before["threads"])
        self.assertLess(after["fds"], before["fds"] + 5)
        self.assertLess(after["rss_kb"], before["rss_kb"] + 200 * 83, "83 KB a viewer: 3,000 in 250 MB")

    def test_2_playing_the_hint(self):
        seen = self.seen(self.watch(50, 4, "--hint"))
        self.assertEqual((seen["errors"], seen["busy_503"], seen["watching"]), (0, 0, 50), seen)

    def test_3_all_at_once(self):
        seen = self.seen(self.watch(220, 3, "--ramp-ms", 0))
        self.assertEqual((seen["errors"], seen["busy_503"], seen["watching"]), (0, 0, 220), seen)


class MoreThanThereIsRoomFor(Loaded):
    threads = 16  # eight of them for viewers

    def test_reserve(self):
        self.start()
        watching = self.watch(24, 6, "--ramp-ms", 500)
        self.wait_for("the gateway to be full", lambda: self.connections("media") == 8
                      and self.refused("viewers") > 0)
        with Health(self.url) as health:
            for path in ("/", "/api/v1/cameras", "/api/v1/recordings", "/metrics", "/readyz"):
                self.assertEqual(http(self.url + path).status, 200, path)
            refused = http(self.url + "/live/cam-1/index.m3u8")
            self.assertEqual((refused.status, refused.json()["code"]), (503, "too_many_viewers"))
            self.assertIn(int(refused.headers["Retry-After"]), range(1, 5))
            self.assertEqual(refused.headers["Connection"], "close")
            seen = self.seen(watching)
        self.assertEqual(seen["errors"], 0, seen)
        self.assertGreater(seen["busy_503"], 0)
        self.assertGreaterEqual(seen["spread"]["viewers_most"], 8)
        self.assertEqual(health.failed, [])
        self.assertLess(max(health.took_s), HEALTH_WORST_S)
        self.wait_for("others to be let in", lambda: http(self.url + "/live/cam-1/index.m3u8").status == 200)


class Hostile(Loaded):
    threads = 64

    @classmethod
    def expected_dead(cls):
        return {"gateway"}

    def setUp(self):
        self.stream = self.start()
        self.address = ("127.0.0.1", self.port)
        self.nobody_left()
        self.before = self.figures()

    @contextlib.contextmanager
    def others_go_on(self, seconds):
        """A viewer watches for so long, and /healthz is asked for; both must do well."""
        watching = self.watch(2, seconds, "--ramp-ms", 0)
        with Health(self.url) as health:
            yield
            seen = self.seen(watching)
        self.assertEqual((seen["errors"], seen["busy_503"], seen["watching"]), (0, 0, 2), seen)
        self.assertEqual(health.failed, [])
        self.assertLess(max(health.took_s), HEALTH_WORST_S)
        self.assertLess(statistics.median(health.took_s), HEALTH_WORST_S / 5)

    def as_before(self):
        self.nobody_left()
        after = self.figures()
        self.assertEqual(after["threads"], self.before["threads"])
        self.assertLess(after["fds"], self.before["fds"] + 5)

    @contextlib.contextmanager
    def clients(self, count, says=b"", receive_buffer=None):
        sockets = []
        try:
            for _ in range(count):
                s = socket.socket()
                sockets.append(s)
                if receive_buffer is not None:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
                s.connect(self.address)
                if says:
                    s.sendall(says)
            yield sockets
        finally:
            for s in sockets:
                s.close()

    @staticmethod
    def rest_of(s, timeout=15):
        """Everything until the end of the connection; None if it does not end."""
        s.settimeout(timeout)
        text = b""
        try:
            while chunk := s.recv(65536):
                text += chunk
        except ConnectionResetError:
            pass
        except TimeoutError:
            return None
        return text

    @staticmethod
    def statuses(text):
        return [int(word) for word in re.findall(rb"HTTP/1\.1 (\d{3}) ", text)]

    def request(self, path, method="GET", extra=""):
        return f"{method} {path} HTTP/1.1\r\nHost: {self.address[0]}:{self.port}\r\n{extra}\r\n".encode()

    def test_01_silent_connections(self):
        """Far more than there are workers: none of them gets one."""
        before = self.cut_off("late_header")
        with self.clients(400) as silent, self.others_go_on(6):
            self.wait_for("all of them to be counted", lambda: self.connections("silent") >= 400, 3)
            self.assertGreaterEqual(self.metric("belfry_http_workers_free"), self.threads - 8)
            self.assertEqual(self.rest_of(silent[0]), b"")
        self.assertGreaterEqual(self.cut_off("late_header") - before, 400)
        self.as_before()

    def test_02_more_silent_ones_than_there_is_room_for(self):
        """Those of the address that sends the crowd make way for one another; others still get in."""
        before = self.cut_off("silent")
        with self.clients(700), self.others_go_on(2):
            self.assertGreater(self.cut_off("silent"), before)
        self.as_before()

    def test_03_slow_headers(self):
        with self.clients(200, b"GET / HTTP/1.1\r\nX-Slow: ") as slow, self.others_go_on(6):
            ended = set()
            end = time.monotonic() + 15
            while len(ended) < len(slow) and time.monotonic() < end:
                for s in set(slow) - ended:
                    with contextlib.suppress(OSError):
                        s.send(b"a")
                readable, _, _ = select.select(list(set(slow) - ended), [], [], 0.3)
                ended.update(readable)
            self.assertEqual(len(ended), len(slow), "every slow header is ended in time")
            self.assertEqual(self.statuses(self.rest_of(slow[0])), [408])
        self.as_before()

    def test_04_readers_that_never_read(self):
        """They ask for much, many times over on one connection, and take nothing of it."""
        segment = self.stream["urls"]["hls"].rsplit("/", 1)[0] + "/" + self.playlist(self.stream).segments[-1]
        before = self.cut_off("slow_reader")
        with self.clients(20, self.request(segment) * 100, receive_buffer=4096), self.others_go_on(10):
            self.wait_for("workers to be held", lambda: self.connections("media") >= 20, 5)
            self.wait_for("all to be cut off", lambda: self.cut_off("slow_reader") - before >= 20, 15)
        self.as_before()

    def test_05_readers_that_trickle(self):
        segment = self.stream["urls"]["hls"].rsplit("/", 1)[0] + "/" + self.playlist(self.stream).segments[-1]
        before = self.cut_off("slow_reader")
        with self.clients(10, self.request(segment) * 100, receive_buffer=4096) as tricklers, self.others_go_on(12):
            done = threading.Event()

            def trickle():
                while not done.wait(0.1):
                    for s in tricklers:
                        with contextlib.suppress(OSError):
                            s.recv(100, socket.MSG_DONTWAIT)
            thread = threading.Thread(target=trickle)
            thread.start()
            try:
                self.wait_for("all to be cut off", lambda: self.cut_off("slow_reader") - before >= 10, 40)
            finally:
                done.set()
                thread.join()
        self.as_before()

    def test_06_idle_after_one_request(self):
        """Connections that are kept open hold a worker only while nobody else needs it."""
        with self.others_go_on(5), contextlib.ExitStack() as stack:
            answered = 0
            for _ in range(3 * self.threads):
                s = stack.enter_context(socket.create_connection(self.address, timeout=5))
                s.sendall(self.request("/api/v1/cameras"))
                answered += s.recv(16) == b"HTTP/1.1 200 OK\r"
            self.assertEqual(answered, 3 * self.threads)
        self.as_before()

    def test_07_bodies_that_do_not_come(self):
        body = self.request("/api/v1/cameras/cam-1/stream", "POST",
                            "Content-Type: application/json\r\nContent-Length: 100\r\n") + b"{"
        with self.clients(2 * self.threads, body) as clients, self.others_go_on(8):
            answers = [self.statuses(self.rest_of(s)) for s in clients]
            self.assertLessEqual({status for answer in answers for status in answer}, {408, 400, 503})
            self.assertTrue(all(answers))
        self.as_before()

    def test_08_half_closed(self):
        with self.clients(8) as clients, self.others_go_on(1):
            for s in clients:
                s.sendall(self.request("/healthz"))
                s.shutdown(socket.SHUT_WR)
                self.assertEqual(self.statuses(self.rest_of(s)), [200])
        with self.clients(8) as clients:
            for s in clients:
                s.sendall(b"GET /hea")
                s.shutdown(socket.SHUT_WR)
                self.assertEqual(self.rest_of(s), b"")
        self.as_before()

    def test_09_garbage_behind_a_request(self):
        cases = {b"\x00\x01\x02\x03\r\n\r\n": [200, 400], b"nonsense\r\n\r\n": [200, 400],
                 b"GET /live/../../etc/passwd HTTP/1.1\r\n\r\n" + b"x" * 20000: [200, 400],
                 b"GET /healthz HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": [200, 400]}
        with self.others_go_on(1):
            for garbage, expected in cases.items():
                with self.clients(1, self.request("/healthz") + garbage) as clients:
                    text = self.rest_of(clients[0])
                    self.assertIsNotNone(text, garbage[:20])
                    self.assertEqual(self.statuses(text)[:2], expected, garbage[:20])
        self.as_before()

    def test_10_gone_while_they_wait(self):
        """Viewers that ask for the next part and are gone before it comes."""
        path = self.stream["urls"]["hls"]
        with self.others_go_on(3):
            for _ in range(5):
                last = self.playlist(self.stream)
                query = f"?_HLS_msn={last.media_sequence + len(last.segments)}&_HLS_part=4"
                with self.clients(8, self.request(path + query)):
                    pass
        self.as_before()

    def test_11_the_end_does_not_wait_for_them(self):
        with self.clients(100), self.clients(30, self.request("/api/v1/events")[:-2] + b"\r\n"), \
                self.clients(20, self.request("/healthz")):
            began = time.monotonic()
            self.stack.stop("gateway")
            self.assertLess(time.monotonic() - began, 4)
        self.stack.start("gateway")
        self.stack.wait_ready()


if __name__ == "__main__":
    main()
