"""The one file that a run of the bench writes its figures to: {"machine": …, "quick": …, "figures": {name: {…}}}.

Sections add their figures as they get them, so that a run that is cut off leaves what it had."""
import json
import os
import pathlib
import platform
import re

SOURCE = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.setdefault("BELFRY_BUILD_DIR", str(SOURCE / "build/release"))).resolve()
FILE = BUILD / "bench/results.json"
QUICK = os.environ.get("BELFRY_BENCH_QUICK") == "1"


def load():
    try:
        return json.loads(FILE.read_text())
    except FileNotFoundError:
        return {"machine": machine(), "quick": QUICK, "figures": {}}


def save(results):
    new = FILE.with_suffix(".new")
    new.write_text(json.dumps(results, separators=(",", ":"), sort_keys=True) + "\n")
    new.replace(FILE)


def record(name, **values):
    """Keeps the figures under `name` and prints them, series left out."""
    results = load()
    results["figures"][name] = values
    results["quick"] = results["quick"] or QUICK
    save(results)
    plain = (f"{key} {value}" for key, value in values.items() if not isinstance(value, (list, dict)))
    print(f"  {name}: {', '.join(plain)}", flush=True)


def machine():
    cpus = re.findall(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory_kb = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1))
    return {"cpu": cpus[0] if cpus else platform.machine(), "cores": os.cpu_count(),
            "memory_gib": round(memory_kb / 1048576), "system": platform.freedesktop_os_release()["PRETTY_NAME"]}


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(round(p / 100 * (len(ordered) - 1))))]


def lengths(full, quick):
    """How long something runs: `full`, or `quick` when only trying."""
    return quick if QUICK else full
