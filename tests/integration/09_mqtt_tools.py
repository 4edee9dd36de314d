"""belfryctl on the bus, and the stock tools: mosquitto_sub, protoc --decode."""
import json
import subprocess

from harness import SOURCE, StackTest, main


class MqttTools(StackTest):
    def sub(self, topic, *more):
        keys = self.stack.site / "keys"
        port = next(line.split()[1] for line in (self.stack.site / "mosquitto/mosquitto.conf").read_text().splitlines()
                    if line.startswith("listener"))
        return subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-V", "mqttv5", "-q", "1", "--cafile",
                               str(keys / "ca.crt"), "--cert", str(keys / "operator.crt"), "--key",
                               str(keys / "operator.tls.key"), "-i", "operator", "-t", topic, "-C", "1", "-W", "20", *more],
                              capture_output=True, check=True, timeout=30).stdout

    def test_start_status_stop_over_mqtt(self):
        started = self.belfryctl("start", "cam-1")
        self.assertIn(b"/live/cam-1/", started.stdout)
        self.assertEqual(self.camera()["stream"]["state"], "live")
        self.assertIn(b"live", self.belfryctl("status", "cam-1").stdout)
        self.belfryctl("stop", "cam-1")
        self.assertEqual(self.camera()["stream"]["state"], "idle")
        unknown = self.belfryctl("start", "nobody", check=False)
        self.assertNotEqual(unknown.returncode, 0)
        self.assertIn(b"no_such_camera", unknown.stderr)

    def test_watch_prints_every_message(self):
        command = [str(self.build / "tools/belfryctl/belfryctl"), "--site-dir", str(self.stack.site), "watch", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as watch:
            try:
                kinds = set()
                self.start()
                for line in watch.stdout:
                    message = json.loads(line)
                    kinds.add(message["type"])
                    if {"camera-state", "ingest-state", "camera-desired", "ingest-desired"} <= kinds:
                        break
            finally:
                watch.terminate()
        self.stop()

    def test_stock_tools_read_the_topics(self):
        raw = self.sub("belfry/v1/home/camera/cam-1/state", "-N")
        decoded = subprocess.run(["protoc", f"--proto_path={SOURCE / 'proto'}", "--decode=belfry.v1.Envelope",
                                  "envelope.proto"], input=raw, capture_output=True, check=True)
        self.assertIn(b"application/vnd.belfry.camera-state.v1+protobuf", decoded.stdout)
        words = self.belfryctl("decode", "--json", stdin=raw)
        message = json.loads(words.stdout)
        self.assertEqual(message["type"], "camera-state")
        self.assertTrue(message["verified"])

    def test_keys_are_private(self):
        for secret in list((self.stack.site / "keys").glob("*.key")) + list((self.stack.site / "root").glob("*.key")):
            self.assertEqual(secret.stat().st_mode & 0o077, 0, secret)
        for log in self.stack.logs.glob("*.log"):
            text = log.read_text(errors="replace")
            for secret in (self.stack.site / "keys").glob("*.key"):
                if "tls" not in secret.name:
                    self.assertNotIn(secret.read_text().strip(), text)


if __name__ == "__main__":
    main()
