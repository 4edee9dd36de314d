"""What a service must not gather: descriptors, threads, memory. The figures of a stack's services, and what is done over and
over to see whether any of it is left behind."""
from harness import StackTest, http, in_threads, process_figures, with_setting


class GrowthTest(StackTest):
    @classmethod
    def configure(cls, text):
        return with_setting(text, "janitor", "purge_after_ms", 100)

    def services(self):
        return [name for name in self.stack.names() if name != "broker"]

    def figures(self):
        return {name: process_figures(self.stack.pid(name)) for name in self.services()}

    def touch_every_worker(self):
        """The gateway's workers take their stacks into memory with their first request: not what is looked for here."""
        for _ in range(8):
            in_threads(128, lambda _: http(self.camera_url()))

    def gone(self, stream, camera="cam-1"):
        """Returns once nothing of the session is left on the disk."""
        folder = self.media / camera / stream["session"]
        self.wait_for("the purge", lambda: not folder.exists())

    def memory_counts(self):
        """Not under AddressSanitizer: its quarantine grows by design."""
        return "asan" not in str(self.build)
