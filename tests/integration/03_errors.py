"""What bad input gets: a clear answer that names the field, the step or the reason, and nothing changes."""
import http.client
import os
import shutil
import signal
import subprocess
import unittest

from harness import StackTest, http as request, main, with_setting


class HttpErrors(StackTest):
    cameras = 2

    def problem(self, answer, status):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.headers["Content-Type"].split(";")[0], "application/problem+json")
        body = answer.json()
        self.assertEqual(body["status"], status)
        self.assertTrue(body["title"] and body["detail"])
        return body

    def test_unknown_camera(self):
        self.problem(request(self.camera_url("nobody", "/stream"), "POST", {}), 404)
        self.problem(request(self.camera_url("nobody")), 404)
        self.problem(request(self.url + "/api/v1/nothing"), 404)

    def test_bad_bodies_name_the_field(self):
        cases = {b"{": None, b"[]": None, b'{"width": "wide"}': "width", b'{"width": 63}': "width",
                 b'{"height": 481}': "height", b'{"fps": 0}': "fps", b'{"fps": 1000}': "fps", b'{"colour": 1}': "colour",
                 b'{"record": "yes"}': "record", b'{"bitrate_kbps": -1}': "bitrate_kbps", b'{"gop_ms": 1.5}': "gop_ms"}
        for body, field in cases.items():
            with self.subTest(body=body):
                found = self.problem(request(self.camera_url(what="/stream"), "POST", body), 400)
                if field:
                    self.assertEqual(found["field"], field)
                    self.assertTrue(found["accepted"])
        self.assertEqual(self.camera()["stream"]["state"], "idle")

    def test_methods_and_paths(self):
        answer = request(self.url + "/api/v1/cameras", "POST", {})
        self.assertEqual(answer.status, 405)
        self.assertIn("GET", answer.headers["Allow"])
        for path in ("/live/../../etc/passwd", "/live/%2e%2e/%2e%2e/x", "/web/%00", "/live/cam-1%2fx/media.m3u8", "/..%5c..%5c",
                     "/recordings/../keys", "/web/../belfry.yml", "/" + "a" * 3000):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request("GET", path)
            self.assertIn(connection.getresponse().status, (400, 404, 414), path)
            connection.close()

    def test_get_changes_nothing(self):
        for path in ("/start-streaming-service", "/stop-streaming-service"):
            self.assertEqual(request(self.url + path).status, 405)
        self.assertEqual(self.camera()["stream"]["state"], "idle")

    def test_cross_site_requests_are_refused(self):
        answer = request(self.camera_url(what="/stream"), "POST", {}, {"Origin": "https://evil.example",
                                                                        "Sec-Fetch-Site": "cross-site"})
        self.assertEqual(answer.status, 403)
        self.assertEqual(self.camera()["stream"]["state"], "idle")

    def test_zz_offline_camera_is_503(self):
        self.stack.stop("camera-cam-2")
        self.wait_for("cam-2 to be offline", lambda: not self.camera("cam-2")["online"])
        self.problem(request(self.camera_url("cam-2", "/stream"), "POST", {}), 503)
        self.stack.start("camera-cam-2")
        self.wait_for("cam-2 to be back", lambda: self.camera("cam-2")["online"])

    def test_zz_camera_that_hangs_is_504_and_undone(self):
        pid = self.stack.pid("camera-cam-2")
        os.kill(pid, signal.SIGSTOP)
        try:
            found = self.problem(request(self.camera_url("cam-2", "/stream"), "POST", {}), 504)
            self.assertIn("camera", found["step"])
        finally:
            os.kill(pid, signal.SIGCONT)
        self.wait_for("the undoing", lambda: self.camera("cam-2")["stream"]["state"] in ("idle", "failed"))
        self.wait_for("cam-2 to be back", lambda: self.camera("cam-2")["online"], 30)
        self.assertEqual(self.start("cam-2")["state"], "live")
        self.stop("cam-2")

    @classmethod
    def configure(cls, text):
        return with_setting(text, "gateway", "start_timeout_ms", 4000)


class ConfigErrors(StackTest):
    def check(self, text):
        path = self.stack.root / "bad.yml"
        path.write_text(text)
        done = subprocess.run([str(self.build / "services/gateway/belfry-gateway"), "--config", str(path), "--check"],
                              capture_output=True, text=True, timeout=10, check=False)
        return done.returncode, done.stderr

    def test_exit_78_with_file_line_key_value_and_expectation(self):
        good = (self.stack.site / "belfry.yml").read_text()
        lines = good.splitlines()
        gateway = next(i for i, line in enumerate(lines) if line.startswith("gateway:"))
        broken = "\n".join(lines[:gateway + 1] + ["  start_timeout_ms: soon"] + [
            line for line in lines[gateway + 1:] if "start_timeout_ms" not in line])
        code, words = self.check(broken)
        self.assertEqual(code, 78)
        for expected in (f"bad.yml:{gateway + 2}", "start_timeout_ms", "soon"):
            self.assertIn(expected, words)

    def test_unknown_key(self):
        code, words = self.check((self.stack.site / "belfry.yml").read_text() + "\nturbo: true\n")
        self.assertEqual(code, 78)
        self.assertIn("turbo", words)

    def test_check_prints_and_succeeds(self):
        done = subprocess.run([str(self.build / "services/gateway/belfry-gateway"), "--config",
                               str(self.stack.site / "belfry.yml"), "--check"], capture_output=True, text=True, timeout=10,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("listen:", done.stdout)

    def test_a_certificate_with_the_key_of_another_node(self):
        site = self.stack.root / "mixed"
        shutil.copytree(self.stack.site, site, ignore=shutil.ignore_patterns("media", "mosquitto", "state"))
        commands = {"operator": ["tools/belfryctl/belfryctl", "--site-dir", site, "status", "cam-1"],
                    "cam-1": ["services/camera/belfry-camera", "--config", site / "belfry.yml"]}
        for node, (program, *arguments) in commands.items():
            shutil.copy(site / "keys/janitor-1.tls.key", site / f"keys/{node}.tls.key")
            done = subprocess.run([str(self.build / program), *map(str, arguments)], capture_output=True, text=True, timeout=20,
                                  check=False)
            self.assertEqual(done.returncode, 78, done.stderr)
            self.assertIn(f"keys/{node}.tls.key: not the key of the certificate in {site}/keys/{node}.crt; ", done.stderr)
            self.assertIn("belfryctl node export", done.stderr)


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    main()
