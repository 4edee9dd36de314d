"""Gateways that only serve, beside a stack's own: started on its media directory, with the public half of its keys."""
import shutil

from harness import StackTest, http, stack


class MediaOnlyTest(StackTest):
    """`media_only`: names of the gateways that are started when the stack is up."""

    media_only = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ports = {}
        cls.public = cls.stack.root / "public-keys"
        cls.public.mkdir()
        for name in ("root.pub", "trust.bundle"):
            shutil.copy(cls.stack.site / "keys" / name, cls.public)
        try:
            for name in cls.media_only:
                cls.start_media_only(name)
        except stack.StackError:
            cls.dump_logs()
            cls.stack.down()
            raise

    @classmethod
    def tearDownClass(cls):
        for name in cls.media_only:
            cls.stack.stop(name)
            (cls.stack.run / f"{name}.pid").unlink(missing_ok=True)
        super().tearDownClass()

    @classmethod
    def environment(cls, name, **more):
        """No broker answers on port 1, and state/ is a directory that must not come into being."""
        return {"BELFRY_GATEWAY_MEDIA_ONLY": "true", "BELFRY_GATEWAY_LISTEN": f"127.0.0.1:{cls.ports[name]}",
                "BELFRY_GATEWAY_WEB": str(cls.build / "web/site"), "BELFRY_KEYS_DIR": str(cls.public),
                "BELFRY_STORAGE_STATE": str(cls.stack.root / "no-state"), "BELFRY_BROKER_PORT": "1", **more}

    @classmethod
    def command(cls, name):
        return [stack.binary(cls.build, "gateway"), "--config", cls.stack.site / "belfry.yml", "--node", name]

    @classmethod
    def start_media_only(cls, name, **more):
        cls.ports[name] = cls.ports.get(name) or stack.free_port()
        cls.stack.spawn(name, cls.command(name), cls.environment(name, **more))
        stack.wait_until(f"{name} to be ready", lambda: http(cls.at(name) + "/readyz").status == 200, 15)

    @classmethod
    def at(cls, name):
        return cls.url if name == "gateway" else f"http://127.0.0.1:{cls.ports[name]}"

    def everywhere(self):
        return [self.at(name) for name in ["gateway", *self.media_only]]

    def shown(self, base):
        """The camera's stream as that gateway shows it."""
        return http(base + "/api/v1/cameras/cam-1").json()["stream"]

    def wait_shown(self, what, check):
        for base in self.everywhere():
            self.wait_for(f"{what} at {base}", lambda base=base: check(self.shown(base)), 10)
