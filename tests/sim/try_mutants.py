#!/usr/bin/env python3
"""Does the simulation find what it is for? Builds a copy of the services with one fault of tests/sim/mutants in it after the
other, and runs histories until one fails.

    tests/sim/try_mutants.py                   every fault, 1,000 histories each at most
    tests/sim/try_mutants.py one-passphrase    some, by name
    tests/sim/try_mutants.py --check           only whether every fault can still be put in

A fault is a patch. Its first line says what is wrong; a second line "absorbed: ..." says why nothing that is promised
breaks by it, so that no history can find it. 0: each was found, or is absorbed and was not; 1: not so.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAULTS = sorted((ROOT / "tests/sim/mutants").glob("*.patch"))
BATCH = 50  # histories; of one seed each


def run(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)


def must(*command, **more):
    done = run(*command, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return done.stdout


def told(fault):
    """What is wrong, and why it is absorbed ("": it is not)."""
    head = fault.read_text().split("\n\n", 1)[0].splitlines()
    return head[0], next((line.removeprefix("absorbed: ") for line in head[1:]), "")


def apply(fault, tree, *options):
    alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}  # the copy is not of the repository around it
    return run("git", "apply", *options, fault, cwd=tree, env=alone)


class Copy:
    """The sources under another roof, and what is built of them."""

    def __init__(self, where):
        self.tree, self.build = where / "tree", where / "build"
        self.tree.mkdir(parents=True, exist_ok=True)
        self.copy_sources()
        must("cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
             "-DBELFRY_TESTS=ON")

    def copy_sources(self):
        """What has not changed is left as it is, so that it is not built again."""
        for name in must("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
            source, copied = ROOT / name, self.tree / name
            if source.is_file() and not (copied.is_file() and copied.read_bytes() == source.read_bytes()):
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, copied)

    def make(self):
        return run("cmake", "--build", self.build, "--target", "sim")

    def first_failure(self, histories):
        """(histories run, the line of the first that failed or None)"""
        for seed in range(1, histories + 1, BATCH):
            out = run(self.build / "tests/sim/sim", "--seed", seed, "--histories", BATCH).stdout
            failed = re.search(r"^FAILED seed (\d+): (.*)", out, re.M)
            if failed:
                return int(failed[1]), failed[2]
        return histories, None


def try_fault(copy, fault, histories):
    """(is it as it should be, what happened)"""
    _, absorbed = told(fault)
    applied = apply(fault, copy.tree)
    if applied.returncode != 0:
        return False, f"cannot be put in any more: {applied.stderr.strip()}"
    try:
        made = copy.make()
        if made.returncode != 0:
            return False, f"does not build: {made.stdout[-600:]}"
        n, failure = copy.first_failure(histories)
    finally:
        apply(fault, copy.tree, "--reverse")
    if failure:
        return not absorbed, f"found by history {n}: {failure}"
    return bool(absorbed), f"not found in {n}" + (f": {absorbed}" if absorbed else "")


def check(faults):
    bad = [f"{fault.name}: {done.stderr.strip()}" for fault in faults
           if (done := apply(fault, ROOT, "--check")).returncode != 0]
    print("\n".join(bad) if bad else f"all {len(faults)} faults can be put in")
    return not bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="of faults; default: all")
    parser.add_argument("--histories", type=int, default=1000, help="at most, for each (1000)")
    parser.add_argument("--check", action="store_true", help="build nothing")
    args = parser.parse_args()
    unknown = set(args.names) - {fault.stem for fault in FAULTS}
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(f.stem for f in FAULTS)}")
    faults = [fault for fault in FAULTS if not args.names or fault.stem in args.names]
    if args.check:
        return 0 if check(faults) else 1
    copy = Copy(ROOT / "build/mutants")
    good = found = 0
    for fault in faults:
        right, what = try_fault(copy, fault, args.histories)
        good += right
        found += what.startswith("found")
        print(f"{'' if right else 'WRONG '}{fault.stem}: {told(fault)[0]}: {what}", flush=True)
    print(f"{found} of {len(faults)} found, {len(faults) - good} not as expected")
    return 0 if good == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main())
