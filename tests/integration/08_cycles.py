"""Start and stop over and over: no growth of descriptors, threads or memory in any service.

BELFRY_CYCLES sets how many; the bench runs 200."""
import os

from harness import StackTest, http, in_threads, main, process_figures, with_setting

CYCLES = int(os.environ.get("BELFRY_CYCLES", "20"))
SERVICES = ("camera-cam-1", "ingest", "gateway", "janitor")


class Cycles(StackTest):
    @classmethod
    def configure(cls, text):
        return with_setting(text, "janitor", "purge_after_ms", 100)

    def figures(self):
        return {name: process_figures(self.stack.pid(name)) for name in SERVICES}

    def cycle(self):
        stream = self.start()
        self.stop()
        folder = self.media / "cam-1" / stream["session"]
        self.wait_for("the purge", lambda: not folder.exists())

    def touch_every_worker(self):
        """The gateway's workers take their stacks into memory with their first request: not what is looked for here."""
        for _ in range(8):
            in_threads(128, lambda _: http(self.camera_url()))

    def test_no_growth(self):
        self.touch_every_worker()
        for _ in range(max(5, CYCLES // 10)):
            self.cycle()
        before = self.figures()
        for _ in range(CYCLES):
            self.cycle()
        after = self.figures()
        for name in SERVICES:
            print(f"{name:14} before {before[name]}  after {CYCLES} cycles {after[name]}")
            self.assertLessEqual(after[name]["fds"], before[name]["fds"] + 2, name)
            self.assertLessEqual(after[name]["threads"], before[name]["threads"], name)
            if "asan" not in str(self.build):  # its quarantine grows by design
                self.assertLessEqual(after[name]["rss_kb"], before[name]["rss_kb"] + 4096, name)


if __name__ == "__main__":
    main()
