"""Runs the bench: every section, or those named. Figures go to bench/results.json in the build tree as they come, then
into a table, the plots and the pages that show them. BELFRY_BENCH_QUICK=1 makes everything short, for trying: the pages
are then left alone."""
import json
import os
import re
import subprocess
import sys
import time
import traceback

import figures
import pages
import plots
import table
from figures import BUILD, QUICK, SOURCE, lengths, record
from glass import article, own_page, stalls
from ingest_cpu import ingest_cpu
from part_delay import part_delay
from services import services
from stacks import tool
from viewers import viewers


def envelope():
    found = json.loads(subprocess.check_output([tool("bench_envelope")]))
    record("envelope", **{key: value for key, value in found.items() if key != "bench"})


def hop():
    for line in subprocess.check_output([tool("bench_hop")], text=True).splitlines():
        name, what, p50, p95, worst = re.match(
            r"(.+?)\s\s+(hop|encoder \+ hop)\s+p50\s+([\d.]+) ms\s+p95\s+([\d.]+) ms\s+max\s+([\d.]+) ms", line).groups()
        if what == "hop":
            record(f"hop/{name}", p50_ms=float(p50), p95_ms=float(p95), max_ms=float(worst))


def cycles():
    """The test prints descriptors, threads and memory before and after, and fails on growth."""
    count = lengths(200, 10)
    done = subprocess.run([sys.executable, "-B", str(SOURCE / "tests/integration/08_cycles.py")], capture_output=True,
                          text=True, check=False, env={**os.environ, "BELFRY_CYCLES": str(count)})
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    kb = re.findall(r"^(\S+)\s+before .*?'rss_kb': (\d+)}.*?'rss_kb': (\d+)}", done.stdout, re.M)
    record("cycles", count=count, **{f"{name.split('-')[0]}_mib": f"{int(before) / 1024:.1f} → {int(after) / 1024:.1f}"
                                     for name, before, after in kb})


# name: what it does, about how many minutes it takes
SECTIONS = {
    "envelope": (envelope, 0.1), "hop": (hop, 0.5), "services": (services, 1.5), "cycles": (cycles, 1.5),
    "ingest-cpu": (ingest_cpu, 1.5), "part-delay": (part_delay, 1.5), "glass": (own_page, 9), "article": (article, 5),
    "viewers": (viewers, 3.5), "stalls": (stalls, 10.5)}


def chosen(names):
    """Sections to run, and whether the pages are to show the figures."""
    unknown = [name for name in names if name not in (*SECTIONS, "pages")]
    if unknown:
        sys.exit(f"bench: no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}, and pages to show what there is")
    return [name for name in names if name != "pages"] if names else list(SECTIONS), not names or "pages" in names


def run(names):
    """Runs the sections one after the other; returns those that failed."""
    failed = []
    for name in names:
        work, minutes = SECTIONS[name]
        duration = "" if QUICK else f" (about {minutes:g} min)"
        print(f"== {time.strftime('%H:%M:%S')} {name}{duration}", flush=True)
        try:
            work()
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
            failed.append(name)
    return failed


def main():
    names, show = chosen(sys.argv[1:])
    if len(names) == len(SECTIONS):
        figures.FILE.unlink(missing_ok=True)  # a whole run stands for itself
    failed = run(names)

    results = figures.load()
    print(f"\n{table.as_text(results)}\n")
    show = show and not failed and not results["quick"]
    folder = SOURCE / "docs/plots" if show else BUILD / "bench/plots"
    plots.draw(results, folder)
    if show:
        pages.write(results)
    written = "\nwritten into bench/README.md and docs/latency.md" if show else ""
    print(f"figures: {figures.FILE}\nplots: {folder}{written}")
    if failed:
        sys.exit(f"bench: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
