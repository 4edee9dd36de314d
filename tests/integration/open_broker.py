"""A broker that an attacker owns: beside a stack's own listener one without any access control."""
import re
import subprocess

from harness import StackTest, http, stack as stack_module

PREFIX = "belfry/v1/home"


class OpenBrokerTest(StackTest):
    """`operators`: names of more of them, beside the one that every site has."""

    operators = ()

    @classmethod
    def prepare(cls, root, build):
        super().prepare(root, build)
        for name in cls.operators:
            subprocess.run([str(build / "tools/belfryctl/belfryctl"), "--site-dir", str(cls.stack.site), "node", "add",
                            name, "--role", "operator"], check=True, capture_output=True, timeout=20)
        cls.open_port = stack_module.free_port()
        conf = cls.stack.site / "mosquitto/mosquitto.conf"
        # Anonymous clients have no user name that could become their client id.
        text = re.sub(r"^(allow_anonymous|use_username_as_clientid) .*\n", "", conf.read_text(), flags=re.M)
        acl = cls.stack.site / "mosquitto/acl"
        acl.write_text("topic readwrite #\n" + acl.read_text())
        conf.write_text(text + f"\nallow_anonymous true\nlistener {cls.open_port} 127.0.0.1\n")

    def mosquitto(self, tool, topic, *more, **options):
        command = [tool, "-p", str(self.open_port), "-q", "1", "-V", "mqttv5", "-t", topic, *more]
        return subprocess.run(command, check=True, timeout=30, **options)

    def publish(self, topic, payload, *more):
        self.mosquitto("mosquitto_pub", topic, "-s", *more, input=payload)

    def capture(self, topic, count=1):
        done = self.mosquitto("mosquitto_sub", topic, "-C", str(count), "-W", "20", "-F", "%x", capture_output=True)
        return [bytes.fromhex(line) for line in done.stdout.decode().split()]

    def counter(self, name, camera="cam-1"):
        """As the camera last said."""
        return self.camera(camera)["counters"].get(name, 0)

    def gateway_counters(self):
        """The gateway's own refusals, as of now."""
        metrics = http(self.url + "/metrics").text()
        found = re.findall(r'^belfry_bus_refused_total\{reason="(\w+)"\} (\d+)$', metrics, re.M)
        return {name: int(value) for name, value in found}
