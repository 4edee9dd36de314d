"""Runs the integration tests one after the other with AWS IoT Core's rules in force (strict.py), and prints what became of each
as a row of docs/aws-iot.md:

    BELFRY_BUILD_DIR=build/dev python3 tests/aws/suite.py [tests/integration/01_start_play_stop.py]..."""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
INTEGRATION = HERE.parent / "integration"
DEADLINE_S = 600


def run(file):
    """(whether it passed, table row, everything it said)."""
    try:
        done = subprocess.run([sys.executable, "-B", str(HERE / "strict.py"), str(file)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=DEADLINE_S, check=False)
        said, passed = done.stdout, done.returncode == 0
    except subprocess.TimeoutExpired as e:
        said, passed = (e.stdout or b"").decode(errors="replace"), False
    tests = sum(map(int, re.findall(r"^Ran (\d+) test", said, re.M)))
    held = [list(map(int, found)) for found in re.findall(
        r"rules held .*: (\d+) connections; .*: (\d+) publications, (\d+) bytes out, (\d+) bytes in", said)]
    connections = sum(row[0] for row in held)
    most = [max(column) for column in list(zip(*held))[1:]] or ["–"] * 3
    skipped = ", ".join(re.findall(r"^OK \((skipped=\d+)\)", said, re.M))
    verdict = "passes" if passed else "fails"
    return passed, f"| `{file.stem}` | {verdict}{', ' * bool(skipped)}{skipped} | {tests} | {connections} | " \
                   f"{most[0]} | {most[1]} | {most[2]} |", said


def main(arguments):
    files = [pathlib.Path(a) for a in arguments] or sorted(INTEGRATION.glob("[0-9]*.py"))
    print("| test | result | tests | connections | most publications a second | most bytes a second out | in |\n"
          "|---|---|---|---|---|---|---|", flush=True)
    failed = []
    for file in files:
        passed, row, said = run(file)
        print(row, flush=True)
        if not passed:
            failed.append(file.stem)
            print(said, file=sys.stderr, flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
