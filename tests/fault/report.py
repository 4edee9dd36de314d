"""What a fault test saw, kept for the table in docs/reliability.md: one row a fault, with what is promised and what was
measured. `tests/fault/run --write` puts the rows of its run there."""
import argparse
import json
import os
import pathlib
import signal
import sys
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/integration"))

ROWS = pathlib.Path(os.environ.get("BELFRY_BUILD_DIR", SOURCE / "build/dev")) / "fault"
OPTIONS = argparse.Namespace(full=False)


def measured(fault, promise, figure):
    """One row: the fault in a few words, the promise, and the figure of this run, all as they stand in the table."""
    test = pathlib.Path(sys.argv[0]).stem
    ROWS.mkdir(parents=True, exist_ok=True)
    path = ROWS / f"{test}.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    rows[fault] = {"promise": promise, "measured": figure, "full": OPTIONS.full}
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(f"\n  {fault}: {figure} (promised: {promise})", file=sys.stderr, flush=True)


def main(about):
    """Runs the tests of the calling file. Without --full, what CI has time for; names of tests choose some of them."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--full", action="store_true", help="every state and every rate, as docs/reliability.md shows them")
    parser.add_argument("tests", nargs="*", help="Class.test_name; default: all")
    asked = parser.parse_args()
    OPTIONS.full = asked.full
    unittest.main(module="__main__", verbosity=2, argv=[sys.argv[0], *asked.tests])
