"""nginx in front, from deploy/nginx as it stands: TLS, HTTP/2, blocking reload, growing segments, events, cache, limits,
several gateways."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import threading
import time
import unittest

from gateways import MediaOnlyTest
from harness import SOURCE, Playlist, http as direct, in_threads, main, stack

ADDED_MS = 50  # what the way through nginx may add


def nginx_binary():
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, "nginx is not installed; tools/install-deps test installs it"
    return found


class Front:
    """nginx as an ordinary user, with only ports, paths and the gateways' addresses put in place of the files' own."""

    def __init__(self, root, orders, media):
        self.root, self.log = root, root / "access.log"
        self.port, self.tls = stack.free_port(), stack.free_port()
        root.mkdir()
        self.make_certificate()
        self.write("belfry.conf", [
            ("server 127.0.0.1:8080;", f"server 127.0.0.1:{orders};"),
            ("server 127.0.0.1:8080 max", "\n    ".join(f"server 127.0.0.1:{p} max_fails=3 fail_timeout=2s;" for p in media)
             + " #"),
            ("listen 80;", f"listen 127.0.0.1:{self.port};"), ("    listen [::]:80;\n", ""),
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{self.tls} ssl http2;"), ("    listen [::]:443 ssl http2;\n", ""),
            ("/etc/belfry/tls/", f"{root}/"), ("/dev/shm/belfry-cache", f"{root}/cache")])
        self.write("nginx.conf", [
            ("/tmp/", f"{root}/"), ("error_log stderr", f"error_log {root}/error.log"),
            ("access_log off;", f"access_log {self.log} belfry;"), ("worker_connections 8192;", "worker_connections 1024;")])
        self.process = None

    def write(self, name, replacements):
        text = (SOURCE / "deploy/nginx" / name).read_text()
        for old, new in replacements:
            assert old in text, f"deploy/nginx/{name} no longer has {old!r}"
            text = text.replace(old, new)
        (self.root / name).write_text(text)

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", self.root / "front.key", "-out", self.root / "front.crt"],
                       check=True, capture_output=True)

    def command(self, *words):
        return [nginx_binary(), "-p", str(self.root), "-c", str(self.root / "nginx.conf"), "-e", str(self.root / "error.log"),
                *words]

    def start(self):
        # Whoever runs the test owns these files; a root's nginx would become another user.
        user = " user root;" if os.geteuid() == 0 else ""
        self.process = subprocess.Popen(self.command("-g", "daemon off;" + user))  # pylint: disable=consider-using-with
        stack.wait_until("nginx to answer", lambda: self.get("/healthz").status == 200, 10)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)

    def trust(self):
        return ssl.create_default_context(cafile=str(self.root / "front.crt"))

    def connection(self, number=0):
        """HTTP/1.1 over TLS; each number is a client address of its own, as limits count by address."""
        return http.client.HTTPSConnection("127.0.0.1", self.tls, context=self.trust(), timeout=30,
                                           source_address=(f"127.0.{1 + number // 250}.{1 + number % 250}", 0))

    def get(self, path, method="GET", headers=None, number=0, body=None):
        connection = self.connection(number)
        try:
            return ask(connection, path, method, headers, body)
        finally:
            connection.close()

    def logged(self, pattern):
        return [line for line in self.log.read_text().splitlines() if re.search(pattern, line)]


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body, self.at = response.status, response.headers, body, time.monotonic()

    def text(self):
        return self.body.decode()


def ask(connection, path, method="GET", headers=None, body=None):
    connection.request(method, path, body=body, headers=headers or {})
    response = connection.getresponse()
    return Answer(response, response.read())


def number_of(name):
    return int(re.search(r"(\d+)\.m4s", name).group(1))


class Nginx(MediaOnlyTest):
    media_only = ("media-1", "media-2")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.front = Front(cls.stack.root / "front", cls.port, [cls.port, *cls.ports.values()])
        try:
            cls.front.start()
        except stack.StackError:
            print((cls.front.root / "error.log").read_text(), file=sys.stderr)
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.front.stop()
        super().tearDownClass()

    def curl(self, path, *words, timeout=40):
        return subprocess.run(["curl", "-sS", "--http2", "--cacert", str(self.front.root / "front.crt"), *words,
                               f"https://localhost:{self.front.tls}{path}", "--resolve",
                               f"localhost:{self.front.tls}:127.0.0.1"], capture_output=True, timeout=timeout, check=False)

    def live(self, **body):
        """A stream, and its base path, once every gateway has it and it has whole segments."""
        stream = self.start(**body)
        self.wait_shown("the session", lambda s: s["session"] == stream["session"])
        self.wait_for("whole segments", lambda: len(self.playlist(stream).segments) >= 2)
        return stream, stream["urls"]["hls"].rsplit("/", 1)[0]

    def next_part(self, base):
        return number_of(Playlist(direct(f"{self.url}{base}/media.m3u8").text()).hint)

    # --- tests -----------------------------------------------------------------------------------------------------

    def test_01_configuration_is_sound(self):
        done = subprocess.run(self.front.command("-t"), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_02_tls_and_http2(self):
        for version in ("1.2", "1.3"):
            done = self.curl("/healthz", "-w", " h%{http_version}", f"--tlsv{version}", "--tls-max", version)
            self.assertEqual(done.stdout, b'{"status":"ok"} h2', done.stderr)
        self.assertNotEqual(self.curl("/healthz", "--tlsv1.1", "--tls-max", "1.1").returncode, 0)
        plain = http.client.HTTPConnection("127.0.0.1", self.front.port, timeout=10)
        moved = ask(plain, "/live/cam-1/index.m3u8?x=1")
        self.assertEqual((moved.status, moved.headers["Location"]),
                         (308, "https://127.0.0.1/live/cam-1/index.m3u8?x=1"))

    def test_03_page_and_api(self):
        self.assertIn("<!doctype html>", self.front.get("/").text().lower())
        self.assertEqual(self.front.get("/web/app.js").status, 200)
        self.assertEqual(len(json.loads(self.front.get("/api/v1/cameras").body)["cameras"]), 1)
        self.assertEqual(self.front.get("/readyz").status, 200)
        self.assertEqual(self.front.get("/metrics", number=9).status, 403)

    def test_04_own_pages_start_and_stop_foreign_ones_do_not(self):
        here, path = f"https://127.0.0.1:{self.front.tls}", "/api/v1/cameras/cam-1/stream"
        as_json = {"Content-Type": "application/json"}
        refused = [{"Origin": "https://elsewhere.example"}, {"Origin": here, "Sec-Fetch-Site": "cross-site"},
                   {"Origin": "https://127.0.0.1"}]
        for headers in refused:
            self.assertEqual(self.front.get(path, "POST", {**as_json, **headers}, body=b"{}").status, 403, headers)
        for headers in [{"Origin": here}, {"Origin": here, "Sec-Fetch-Site": "same-origin"}, {}]:
            started = self.front.get(path, "POST", {**as_json, **headers}, body=b"{}")
            self.assertIn(started.status, (200, 201), started.body)
        self.assertEqual(self.front.get(path, "DELETE", {"Origin": "https://elsewhere.example"}).status, 403)
        self.assertEqual(self.front.get(path, "DELETE", {"Origin": here}).status, 200)
        over_h2 = self.curl(path, "-X", "POST", "-d", "{}", "-H", "Content-Type: application/json", "-H",
                            f"Origin: https://localhost:{self.front.tls}")
        self.assertEqual(json.loads(over_h2.stdout)["state"], "live", over_h2.stdout)

    def test_05_playlists_pass_as_they_are(self):
        _, base = self.live()
        plain = self.front.get(f"{base}/media.m3u8")
        self.assertIn("#EXT-X-PRELOAD-HINT", plain.text())
        packed = self.front.get(f"{base}/media.m3u8", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertIn("Accept-Encoding", packed.headers["Vary"])
        own = direct(f"{self.url}{base}/media.m3u8")
        for name in ("Cache-Control", "Content-Type"):
            self.assertEqual(plain.headers[name], own.headers[name])
        self.assertIsNone(plain.headers["Strict-Transport-Security"])
        self.assertEqual(self.front.get(f"{base}/media.m3u8?_HLS_part=1").status, 400)
        for method in ("POST", "DELETE", "PATCH"):
            for path in (f"{base}/media.m3u8", f"{base}/init.mp4", "/recordings/x/vod.m3u8"):
                self.assertEqual(self.front.get(path, method).status, 405, (method, path))

    def arrivals(self, path):
        """When the same held request is answered: by the gateway itself, and over HTTP/2 through nginx."""
        def ask_for_it(i):
            if i == 0:
                answer = direct(self.url + path)
                return answer.status, time.monotonic()
            done = self.curl(path, "-o", "/dev/null", "-w", "%{http_code} %{http_version}")
            self.assertEqual(done.stdout, b"200 2", done.stderr)
            return 200, time.monotonic()
        (status, at), (_, through) = in_threads(2, ask_for_it)
        self.assertEqual(status, 200)
        return (through - at) * 1000

    def test_06_blocking_reload_is_held_and_answered_in_time(self):
        _, base = self.live()
        added = []
        for _ in range(8):
            playlist = Playlist(direct(f"{self.url}{base}/media.m3u8").text())
            added.append(self.arrivals(f"{base}/media.m3u8?_HLS_msn={playlist.media_sequence + len(playlist.segments) + 1}"))
        print(f"  blocking reload over h2: {statistics.median(added):.0f} ms later than without nginx", file=sys.stderr)
        self.assertLess(statistics.median(added), ADDED_MS)

    def test_07_hinted_parts_are_held_and_nobody_waits_for_the_lock(self):
        _, base = self.live()
        viewers = [self.front.connection(i) for i in range(20)]
        late = []
        for _ in range(6):
            path = f"{base}/part-{self.next_part(base)}.m4s"
            answers = in_threads(len(viewers) + 1, lambda i, path=path:
                                 ask(viewers[i], path) if i < len(viewers) else self.timed_direct(path))
            self.assertEqual({a.status for a in answers}, {200})
            self.assertEqual(len({a.body for a in answers}), 1)
            late += [(a.at - answers[-1].at) * 1000 for a in answers[:-1]]
        print(f"  hinted part for 20 viewers: median {statistics.median(late):.0f} ms, worst {max(late):.0f} ms later",
              file=sys.stderr)
        self.assertLess(statistics.median(late), ADDED_MS)
        self.assertLess(max(late), 300)  # nginx's own lock would let them wait up to 500 ms

    def timed_direct(self, path):
        answer = direct(self.url + path)
        answer.at = time.monotonic()
        return answer

    def test_08_a_part_that_one_has_had_is_there_for_all(self):
        _, base = self.live()
        first = self.next_part(base)
        self.wait_for("five parts that nobody has asked for", lambda: self.next_part(base) >= first + 5)
        parts = [f"{base}/part-{first + i}.m4s" for i in range(5)]
        viewers = [self.front.connection(100 + i) for i in range(20)]
        before = len(self.front.logged(""))
        for path in parts:
            had = ask(viewers[0], path)
            self.assertEqual(had.headers["X-Cache"], "MISS", path)
            answers = in_threads(len(viewers), lambda i, path=path: ask(viewers[i], path))
            self.assertEqual({(a.status, a.headers["X-Cache"], a.body) for a in answers}, {(200, "HIT", had.body)}, path)
        asked = self.front.logged("")[before:]
        self.assertEqual(sum("upstream=127" in line for line in asked), len(parts))

    def test_09_what_is_not_there_is_not_remembered(self):
        _, base = self.live()
        later = self.next_part(base) + 15
        path = f"{base}/part-{later}.m4s"
        self.assertEqual(self.front.get(path).status, 404)
        self.wait_for("that part", lambda: self.next_part(base) > later)
        self.assertEqual(self.front.get(path).status, 200)

    def test_10_a_cached_segment_has_ranges(self):
        stream, base = self.live()
        path = f"{base}/{self.playlist(stream).segments[-1]}"
        whole = self.front.get(path)
        for _ in range(2):
            piece = self.front.get(path, headers={"Range": "bytes=100-199"})
            self.assertEqual((piece.status, piece.body), (206, whole.body[100:200]))

    def test_11_events_come_as_they_happen(self):
        self.stop()
        listener = subprocess.Popen(["curl", "-sSN", "--http2", "--cacert", str(self.front.root / "front.crt"),
                                     f"https://localhost:{self.front.tls}/api/v1/events"], stdout=subprocess.PIPE)
        try:
            self.assertTrue(listener.stdout.readline())
            stream = self.start()
            answered = time.monotonic()
            while f'"session":"{stream["session"]}","state":"live"' not in listener.stdout.readline().decode():
                pass
            self.assertLess(time.monotonic() - answered, 1)
        finally:
            listener.terminate()
            listener.wait(10)
            listener.stdout.close()

    def test_12_a_growing_segment_comes_part_by_part(self):
        _, base = self.live()
        self.assertEqual(self.front.get(f"{base}/manifest.mpd").status, 200)
        playlist = Playlist(direct(f"{self.url}{base}/media.m3u8").text())
        is_open = "#EXT-X-PART:" in playlist.text.split(playlist.segments[-1])[1]
        following = playlist.media_sequence + len(playlist.segments) + is_open  # it begins while it is waited for
        chunks = []
        with subprocess.Popen(["curl", "-fsSN", "--http2", "--cacert", str(self.front.root / "front.crt"),
                               f"https://localhost:{self.front.tls}{base}/seg-{following}.m4s"],
                              stdout=subprocess.PIPE, bufsize=0) as viewer:
            while data := viewer.stdout.read(1 << 20):
                chunks.append((time.monotonic(), data))
        self.assertEqual(viewer.returncode, 0)
        took = chunks[-1][0] - chunks[0][0]
        print(f"  growing segment: {len(chunks)} pieces over {took * 1000:.0f} ms", file=sys.stderr)
        self.assertGreater(took, 0.5)
        self.assertGreaterEqual(len(chunks), 4)
        whole = direct(f"{self.url}{base}/seg-{following}.m4s").body
        self.assertEqual(b"".join(data for _, data in chunks), whole)
        self.assertEqual(self.front.get(f"{base}/seg-{following}.m4s").body, whole)

    def test_13_one_connection_serves_a_long_stay(self):
        connection = self.front.connection()
        connection.connect()
        socket = connection.sock
        for _ in range(1200):  # nginx would close it after a thousand
            self.assertEqual(ask(connection, "/healthz").status, 200)
        self.assertIs(connection.sock, socket)
        connection.close()

    def test_14_limits_by_address(self):
        refused, asked = threading.Event(), []

        def insist(_):
            connection, end = self.front.connection(200), time.monotonic() + 20
            while not refused.is_set() and time.monotonic() < end:
                asked.append(ask(connection, "/api/v1/cameras").status)
                if asked[-1] == 429:
                    refused.set()
        in_threads(8, insist)
        self.assertTrue(refused.is_set())
        self.assertEqual(set(asked), {200, 429})
        self.assertGreaterEqual(asked.count(200), 40)
        self.assertEqual(self.front.get("/api/v1/cameras", number=201).status, 200)

    def test_15_a_gateway_dies_and_viewers_notice_nothing(self):
        _, base = self.live()
        enough, errors, seen = threading.Event(), [], [0] * 12

        def view(i):
            connection = self.front.connection(300 + i)
            name = Playlist(ask(connection, f"{base}/media.m3u8").text()).hint
            while not enough.is_set():
                answer = ask(connection, f"{base}/{name}")
                if answer.status != 200:
                    errors.append((name, answer.status, answer.body))
                    return
                seen[i] += 1
                name = Playlist(ask(connection, f"{base}/media.m3u8").text()).hint
        viewers = threading.Thread(target=in_threads, args=(len(seen), view))
        viewers.start()
        try:
            self.wait_for("viewers that play", lambda: min(seen) > 5)
            self.stack.stop("media-1", signal.SIGKILL)
            at_kill = list(seen)
            self.wait_for("ten parts more for each", lambda: errors or all(n >= k + 10 for n, k in zip(seen, at_kill)))
        finally:
            enough.set()
            viewers.join(20)
        self.assertEqual(errors, [])
        self.start_media_only("media-1")

    def test_16_conformance_through_nginx(self):
        stream, _ = self.live()
        # What the camera does, and when, is checked without nginx.
        allowed = [word for rule in ("part-in-time", "segment-in-time", "decode-time", "date-steady", "date-now", "decode-time-exact")
                   for word in ("--allow", rule)]
        done = subprocess.run([sys.executable, "-B", str(SOURCE / "tests/conformance/check-hls"), "--seconds", "20",
                               "--jitter-ms", "300", *allowed,
                               f"https://127.0.0.1:{self.front.tls}{stream['urls']['index']}"], capture_output=True, text=True,
                              timeout=90, check=False, env={**os.environ, "SSL_CERT_FILE": str(self.front.root / "front.crt")})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print("  " + done.stdout.strip().splitlines()[-1], file=sys.stderr)

    def test_17_nginx_complained_about_nothing(self):
        log = pathlib.Path(self.front.root / "error.log").read_text()
        alarming = [line for line in log.splitlines() if re.search(r"\[(emerg|alert|crit)\]", line)]
        self.assertEqual(alarming, [])


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    main()
