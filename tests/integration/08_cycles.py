"""Start and stop over and over: no growth of descriptors, threads or memory in any service.

BELFRY_CYCLES sets how many; the bench runs 200. tests/fault/soak.py does more than start and stop."""
import os

from growth import GrowthTest
from harness import main

CYCLES = int(os.environ.get("BELFRY_CYCLES", "20"))


class Cycles(GrowthTest):
    def cycle(self):
        stream = self.start()
        self.stop()
        self.gone(stream)

    def test_no_growth(self):
        self.touch_every_worker()
        for _ in range(max(5, CYCLES // 10)):
            self.cycle()
        before = self.figures()
        for _ in range(CYCLES):
            self.cycle()
        after = self.figures()
        for name in self.services():
            print(f"{name:14} before {before[name]}  after {CYCLES} cycles {after[name]}")
            self.assertLessEqual(after[name]["fds"], before[name]["fds"] + 2, name)
            self.assertLessEqual(after[name]["threads"], before[name]["threads"], name)
            if self.memory_counts():
                self.assertLessEqual(after[name]["rss_kb"], before[name]["rss_kb"] + 4096, name)


if __name__ == "__main__":
    main()
