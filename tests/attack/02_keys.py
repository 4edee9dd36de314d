"""Keys that no longer count, and bundles that must not: what was recorded before a rotation, what a revoked key signs,
and a trust bundle that is older, of another site, of another root or no longer valid, at a running service and at its
next start."""
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

# pylint: disable=wrong-import-position
from forger import CHANNELS, Key, Message, boot_id, first, pack, parse, sealed_document
from harness import http, main, with_setting
from mqtt import Client
from open_broker import PREFIX, OpenBrokerTest

STATUS = 4  # the action of proto/gateway.proto, GatewayCommand
EXIT_CONFIG = 78
LEASE_S = 3
VERSION, EXPIRES_AT_MS = 1, 4  # fields of proto/trust.proto, TrustBundle


class Keys(OpenBrokerTest):
    operators = ("mallory",)

    @classmethod
    def configure(cls, text):
        return with_setting(text, "gateway", "lease_ms", LEASE_S * 1000)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bundle = cls.stack.site / "keys/trust.bundle"
        cls.services = ("gateway", "ingest", "janitor", "camera-cam-1")
        cls.sequence = 0

    def log(self, name):
        return (self.stack.logs / f"{name}.log").read_text(errors="replace")

    def reload(self, names, said):
        """SIGHUP, and waits until each has said it once more."""
        before = {name: self.log(name).count(said) for name in names}
        for name in names:
            os.kill(self.stack.pid(name), signal.SIGHUP)
        for name in names:
            self.wait_for(f"{name}: {said}", lambda name=name: self.log(name).count(said) > before[name])

    def command(self, key):
        """What operator mallory asks the gateway: a status."""
        type(self).sequence += 1
        command = Message("gateway-command", {}, [(STATUS, b"")]).anew(
            site="home", sender="mallory", recipient="gateway-1", topic=f"{PREFIX}/gateway/gateway-1/cmd",
            sender_epoch=1, channel=CHANNELS["cmd"], sequence=self.sequence, ttl_ms=15000, clock_synced=1,
            recipient_boot_id=boot_id(self.capture(f"{PREFIX}/gateway/gateway-1/state")[0]))
        self.publish(f"{PREFIX}/gateway/gateway-1/cmd", command.sealed(key))

    def refused_as_unknown(self, key):
        before = self.gateway_counters()["refused_key"]
        self.command(key)
        self.wait_for("refused_key", lambda: self.gateway_counters()["refused_key"] > before)

    def test_1_a_recording_from_before_a_rotation(self):
        topic = f"{PREFIX}/camera/cam-1/desired"
        self.start()
        recorded = self.capture(topic)[0]
        self.stop()
        self.belfryctl("node", "rotate", "gateway-1", "--overlap", "1s")
        ended = time.time() + 1
        self.reload([name for name in self.services if name != "gateway"], "trust bundle reloaded")
        self.stack.stop("gateway")
        self.stack.start("gateway")
        self.stack.wait_ready()
        self.all_online()
        self.wait_for("the old key's end", lambda: time.time() > ended)
        before = self.counter("refused_key")
        self.publish(topic, recorded)
        self.wait_for("refused_key", lambda: self.counter("refused_key") > before)
        self.assertEqual(self.camera()["stream"]["state"], "idle")
        self.assertEqual(self.start()["state"], "live")  # by the new key
        self.stop()

    def test_2_a_revoked_key_and_the_bundle_from_before(self):
        key = Key(self.stack.site / "keys/mallory.key")
        believing = self.bundle.read_bytes()
        with Client(self.open_port) as listener:
            listener.subscribe(f"{PREFIX}/operator/mallory/rsp")
            self.command(key)
            self.assertEqual(len(listener.listen(len)), 1)  # while it counts
        self.belfryctl("node", "revoke", "mallory")
        self.reload(self.services, "trust bundle reloaded")
        self.refused_as_unknown(key)

        current = self.bundle.read_bytes()
        for bundle, why in self.bad_bundles(believing, current):
            self.bundle.write_bytes(bundle)
            self.reload(["gateway"], "trust bundle not reloaded, the one before holds")
            said = [line for line in self.log("gateway").splitlines() if "trust bundle not reloaded" in line]
            self.assertIn(why, said[-1])
            self.refused_as_unknown(key)
            self.assertIn(why, self.start_fails("camera-cam-1"))
        self.bundle.write_bytes(current)
        self.reload(["gateway"], "trust bundle reloaded")
        self.stack.start("camera-cam-1")
        self.all_online()
        self.assertEqual(self.start()["state"], "live")
        self.stop()

    def bad_bundles(self, before, current):
        """(bundle, what the refusal says)"""
        root = Key(self.stack.site / "root/root.key")
        payload_type, payload = first(parse(current), 1), parse(first(parse(current), 2))
        elsewhere = pack([(number, b"barn" if number == 2 else value) for number, value in payload])
        return [(before, "it may not go down"),
                (sealed_document(payload_type, elsewhere, root), "for site barn"),
                (sealed_document(payload_type, pack(payload), Key()), "not signed by this site"),
                (b"", "not an envelope")]

    def test_3_a_bundle_that_expires_during_a_stream(self):
        stream = self.start()
        expires = time.time() + 3
        self.take_bundle(expires)
        self.wait_for("the end of the bundle", lambda: time.time() > expires)
        while time.time() < expires + LEASE_S + 0.5:  # each lease from before is over
            self.newer_part(stream)
        camera = self.camera()["stream"]
        self.assertEqual((camera["session"], camera["state"]), (stream["session"], "live"))
        self.assertEqual(self.stop()["state"], "idle")
        self.start_is_forbidden()

        self.take_bundle(time.time() + 3600)
        self.assertEqual(self.start()["state"], "live")
        self.stop()

    def take_bundle(self, expires):
        """Every service takes the keys that it has, in a newer bundle that counts until then."""
        bundle = parse(self.bundle.read_bytes())
        payload_type, payload = first(bundle, 1), parse(first(bundle, 2))
        changed = {VERSION: first(payload, VERSION) + 1, EXPIRES_AT_MS: int(expires * 1000)}
        kept = [(number, value) for number, value in payload if number not in changed]
        root = Key(self.stack.site / "root/root.key")
        self.bundle.write_bytes(sealed_document(payload_type, pack([*changed.items(), *kept]), root))
        self.reload(self.services, "trust bundle reloaded")

    def start_is_forbidden(self):
        answer = http(self.camera_url(what="/stream"), "POST", {})
        self.assertEqual((answer.status, answer.json()["code"]), (503, "trust_expired"), answer.body)
        self.assertEqual(self.camera()["stream"]["state"], "idle")

    def start_fails(self, name):
        """Starts a service that must end at once, by its configuration; returns what it says."""
        self.stack.stop(name)
        command = [str(word) for word in self.stack.commands(self.build)[name]]
        done = subprocess.run(command, cwd=self.stack.root, capture_output=True, timeout=20, check=False)
        self.assertEqual(done.returncode, EXIT_CONFIG, done.stderr)
        return done.stderr.decode()


if __name__ == "__main__":
    main()
