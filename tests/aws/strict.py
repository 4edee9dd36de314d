"""Runs an integration test with AWS IoT Core's rules between every node and the broker:

    strict.py tests/integration/01_start_play_stop.py [-k test_1]...

belfry.yml says `alpn` and a server name, mosquitto runs with tests/aws/mosquitto.conf, and iot_core.py stands in front of
it. A test fails when anybody broke a rule, or when a node has held something back that would have. Importing this module
does the same to the harness's stacks."""
import getpass
import json
import pathlib
import re
import runpy
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import harness  # pylint: disable=wrong-import-position
from iot_core import ALPN, IotCore  # pylint: disable=wrong-import-position

prepare_stack = harness.StackTest.prepare.__func__
tear_stack_down = harness.StackTest.tearDownClass.__func__


def broker_port(site):
    return int(re.search(r"^  port: (\d+)$", (site / "belfry.yml").read_text(), re.M).group(1))


def write_broker_conf(site, port):
    text = (HERE / "mosquitto.conf").read_text()
    for name, value in {"@DIR@": site / "mosquitto", "@PORT@": port, "@USER@": getpass.getuser()}.items():
        text = text.replace(name, str(value))
    (site / "mosquitto/mosquitto.conf").write_text(text)


def stand_in_front(site, build, alpn=ALPN):
    """An IotCore on the port that the site's nodes know; its mosquitto is to listen on another one."""
    core = IotCore(site, build / "tools/belfryctl/belfryctl", broker_port(site), harness.stack.free_port(), alpn)
    write_broker_conf(site, core.broker_port)
    core.start()
    return core


def prepare(cls, root, build):
    prepare_stack(cls, root, build)
    config = cls.stack.site / "belfry.yml"
    text, n = re.subn(r'^  host: .*$', f"  host: localhost\n  alpn: {ALPN}", config.read_text(), count=1, flags=re.M)
    assert n == 1, "belfry.yml names no broker"
    config.write_text(text)
    cls.iot_core = stand_in_front(cls.stack.site, build)


def held_back(cls):
    """topic -> count of publications that a node's bus did not let out, from the last state of each."""
    cameras = cls.stack.settings()["cameras"]
    names = [f"camera-{camera}" for camera in cameras] + ["ingest", "janitor", "gateway", "broker"]
    if not all(cls.stack.pid(name) for name in names):
        return {}
    topics = [f"camera/{camera}/state" for camera in cameras] + [
        "ingest/ingest-1/state", "janitor/janitor-1/state", "gateway/gateway-1/state"]
    command = [cls.build / "tools/belfryctl/belfryctl", "--site-dir", cls.stack.site, "watch", "--json", "--count", len(topics)]
    for topic in topics:
        command += ["--topic", topic]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60, check=True)
    found = {}
    for message in map(json.loads, done.stdout.splitlines()):
        for counter in message.get("message", {}).get("node", {}).get("counters", []):
            if counter["name"] == "bus_over_limit":
                found[message["topic"]] = counter["value"]
    return found


def tear_down(cls):
    try:
        over_limit = held_back(cls)
    finally:
        try:
            tear_stack_down(cls)
        finally:
            cls.iot_core.stop()
    assert not cls.iot_core.violations, cls.iot_core.violations
    assert not over_limit, over_limit
    nodes = {node for node, _ in cls.iot_core.connections}
    assert len(nodes) >= 4, f"only {nodes} came by here"
    publications, out, into = cls.iot_core.most()
    print(f"AWS IoT Core's rules held for {', '.join(sorted(nodes))}: {len(cls.iot_core.connections)} connections; the most of any "
          f"within a second: {publications} publications, {out} bytes out, {into} bytes in")


harness.StackTest.prepare = classmethod(prepare)
harness.StackTest.tearDownClass = classmethod(tear_down)


if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    sys.modules["strict"] = sys.modules["__main__"]
    runpy.run_path(sys.argv[0], run_name="__main__")
