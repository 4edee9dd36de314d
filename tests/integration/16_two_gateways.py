"""Two gateways that both order: on one state directory the second one does not start; with a directory each, the nodes
obey the one with the higher lease epoch, or the first of two equal ones, and the other says so."""
import os
import subprocess
import unittest
import urllib.request

from harness import StackTest, http, main, stack


class TwoGateways(StackTest):
    @classmethod
    def prepare(cls, root, build):
        super().prepare(root, build)
        subprocess.run([build / "tools/belfryctl/belfryctl", "--site-dir", cls.stack.site, "node", "add", "gateway-2",
                        "--role", "gateway"], check=True, capture_output=True)
        cls.state = root / "state-2"
        cls.state.mkdir(mode=0o700)
        cls.other_port = stack.free_port()
        cls.other = f"http://127.0.0.1:{cls.other_port}"

    @classmethod
    def tearDownClass(cls):
        cls.stop_other()
        (cls.stack.run / "gateway-2.pid").unlink(missing_ok=True)
        super().tearDownClass()

    @classmethod
    def command(cls, node):
        return [stack.binary(cls.build, "gateway"), "--config", cls.stack.site / "belfry.yml", "--node", node]

    @classmethod
    def start_other(cls, epoch):
        """The second gateway, with that lease epoch."""
        (cls.state / "gateway.lease-epoch").write_text(f"{epoch - 1}\n")
        cls.stack.spawn("gateway-2", cls.command("gateway-2"), {
            "BELFRY_GATEWAY_LISTEN": f"127.0.0.1:{cls.other_port}", "BELFRY_STORAGE_STATE": str(cls.state),
            "BELFRY_GATEWAY_WEB": str(cls.build / "web/site")})
        stack.wait_until("the second gateway to answer", lambda: http(cls.other + "/healthz").status == 200, 15)

    @classmethod
    def stop_other(cls):
        cls.stack.stop("gateway-2")

    def epoch(self, base):
        text = http(base + "/metrics").text()
        return int(next(line for line in text.splitlines() if line.startswith("belfry_lease_epoch ")).split()[1])

    def ask(self, base, method):
        return http(base + "/api/v1/cameras/cam-1/stream", method, {} if method == "POST" else None)

    def wait_ready(self, base):
        self.wait_for(f"{base} to be ready", lambda: http(base + "/readyz").status == 200)

    def wait_superseded(self, base):
        """Until it has heard it from every node; then everything that it could be asked says so."""
        def says_so():
            text = http(base + "/metrics").text()
            return all(f'belfry_nodes_superseded{{role="{role}"}} 1' in text for role in ("camera", "ingest", "janitor"))
        self.wait_for(f"{base} to be superseded", says_so)
        self.wait_for("its readiness", lambda: http(base + "/readyz").json().get("code") == "superseded")
        self.assertEqual(http(base + "/readyz").status, 503)
        self.assertEqual(http(base + "/healthz").status, 200)

    def refused(self, base, by):
        for method in ("POST", "DELETE"):
            answer = self.ask(base, method)
            self.assertEqual(answer.status, 409, answer.body)
            self.assertEqual(answer.json()["code"], "superseded")
            self.assertIn(f"({by})", answer.json()["detail"])

    # --- tests -----------------------------------------------------------------------------------------------------

    def test_1_one_state_directory_takes_one(self):
        for node, reason in (("gateway-1", "another process of this node is running"),
                             ("gateway-2", "another gateway with this storage.state is running, and one only may order")):
            done = subprocess.run(self.command(node), capture_output=True, text=True, timeout=20, check=False,
                                  env={**os.environ, "BELFRY_GATEWAY_LISTEN": f"127.0.0.1:{self.other_port}"})
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(reason, done.stderr)
        self.assertEqual(http(self.url + "/readyz").status, 200)

    def test_2_of_equal_epochs_the_first_is_obeyed(self):
        stream = self.start()
        self.start_other(self.epoch(self.url))
        self.wait_superseded(self.other)
        self.refused(self.other, "gateway-1")
        self.assertIn("has the same lease epoch", self.ask(self.other, "POST").json()["detail"])
        self.newer_part(stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.assertEqual(http(self.url + "/readyz").status, 200)
        self.stop_other()

    def test_3_the_higher_epoch_takes_over_and_the_loser_says_so(self):
        old = self.start()
        with urllib.request.urlopen(self.url + "/api/v1/events", timeout=20) as events:
            self.start_other(self.epoch(self.url) + 10)
            self.wait_ready(self.other)
            said = b""
            while b"event: alarm" not in said or b'"superseded"' not in said.split(b"event: alarm", 1)[1]:
                line = events.readline()
                self.assertTrue(line, said)
                said += line
        self.wait_superseded(self.url)
        self.wait_for("its stream to be given up", lambda: self.camera()["stream"]["state"] == "failed")
        self.assertEqual(self.camera()["stream"]["error"]["code"], "superseded")
        self.refused(self.url, "gateway-2")
        self.assertIn("gateway.lease-epoch", self.stack.tail("gateway", 200))

        fresh = self.ask(self.other, "POST")
        self.assertEqual(fresh.status, 201, fresh.body)
        self.assertNotEqual(fresh.json()["session"], old["session"])
        self.refused(self.url, "gateway-2")
        live = http(self.other + "/api/v1/cameras/cam-1").json()["stream"]
        self.assertEqual((live["state"], live["session"]), ("live", fresh.json()["session"]))

    def test_4_a_restart_does_not_help_and_what_the_log_says_does(self):
        self.stack.stop("gateway")
        self.stack.start("gateway")
        self.wait_superseded(self.url)
        running = http(self.other + "/api/v1/cameras/cam-1").json()["stream"]
        self.assertEqual(running["state"], "live")

        highest = self.epoch(self.other)
        self.stop_other()
        self.stack.stop("gateway")
        (self.stack.site / "state/gateway.lease-epoch").write_text(f"{highest}\n")
        self.stack.start("gateway")
        self.wait_ready(self.url)
        stream = self.start()
        self.newer_part(stream)
        self.stop()


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    main()
