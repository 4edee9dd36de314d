"""Starts a stack and measures glass to glass in headless Chromium with bench/glass_to_glass.mjs."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/integration"))
from harness import SOURCE, StackTest  # noqa: E402  pylint: disable=wrong-import-position


class Glass(StackTest):
    def run_all(self):
        subprocess.run(["node", str(SOURCE / "bench/glass_to_glass.mjs"), "--url", self.url, "--camera", "cam-1"], check=True,
                       env={**os.environ, "BELFRY_BUILD_DIR": str(self.build)})


if __name__ == "__main__":
    Glass.setUpClass()
    try:
        Glass("run_all").run_all()
    finally:
        Glass.tearDownClass()
        Glass.doClassCleanups()
