"""Draws the figures of a run as SVG: small, and the same bytes for the same figures."""
import pathlib

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  pylint: disable=wrong-import-position
import matplotlib.ticker as ticker  # noqa: E402  pylint: disable=wrong-import-position

import figures  # noqa: E402  pylint: disable=wrong-import-position

# Name of the row, what it is called, colour (Okabe and Ito's, told apart by most eyes), line. Fastest first.
ROWS = (("own/realtime-udp", "own page, realtime, UDP", "#009e73", "-"),
        ("own/realtime-srt", "own page, realtime, SRT 20 ms", "#56b4e9", "-"),
        ("own/balanced", "own page, balanced, SRT 60 ms", "#0072b2", "-"),
        ("stock/join", "hls.js as it comes, balanced", "#cc79a7", "--"),
        ("own/economy", "own page, economy", "#e69f00", "-"),
        ("article/copy", "the article's stack", "#d55e00", "-"),
        ("article/as-printed", "the same as printed, encoding again", "#999999", "-"))
TICKS_MS = (100, 200, 300, 500, 1000, 2000, 3000, 5000, 10000, 20000)
QUANTILES = 120
STYLE = {"svg.hashsalt": "belfry", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
         "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#dddddd",
         "grid.linewidth": 0.6, "axes.axisbelow": True, "axes.edgecolor": "#888888", "legend.frameon": False,
         "path.simplify": True, "lines.linewidth": 1.8}


def milliseconds(value, _position=None):
    return f"{value / 1000:g} s" if value >= 1000 else f"{value:g} ms"


def log_axis(axis):
    axis.set_major_locator(ticker.FixedLocator(TICKS_MS))
    axis.set_major_formatter(ticker.FuncFormatter(milliseconds))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_minor_formatter(ticker.NullFormatter())


def settled(row):
    """Latencies of every frame after the warm-up, all runs."""
    begin = row["warm_up_s"] * 1000
    return sorted(latency for run in row["series"] for at, latency in run if at > begin)


def binned(series, width_ms, value):
    """[(seconds, value of the latencies in this bin)] of one run."""
    bins = {}
    for at, latency in series:
        bins.setdefault(at // width_ms, []).append(latency)
    return [((index + 0.5) * width_ms / 1000, value(latencies)) for index, latencies in sorted(bins.items())]


def middle(values):
    return sorted(values)[len(values) // 2]


def latency_cdf(results, axes):
    """How much of the time the picture is at most so old."""
    for name, label, colour, line in ROWS:
        values = settled(results[f"glass/{name}"])
        points = [(values[int(i / QUANTILES * (len(values) - 1))], 100 * i / QUANTILES) for i in range(QUANTILES + 1)]
        axes.plot(*zip(*points), line, color=colour, label=label)
    axes.set_xscale("log")
    log_axis(axes.xaxis)
    axes.set(xlabel="glass to glass", ylabel="frames at most so late, %", ylim=(0, 100))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=2)


def latency_time(results, axes):
    """The first run of each row, from its first picture."""
    for name, label, colour, line in ROWS:
        axes.plot(*zip(*binned(results[f"glass/{name}"]["series"][0], 250, middle)), line, color=colour, label=label)
    axes.set_yscale("log")
    log_axis(axes.yaxis)
    axes.set(xlabel="seconds since the first picture", ylabel="glass to glass")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=2)


def stalls(results, axes):
    """The long run: the middle of each five seconds, and from the least to the most."""
    row = results["glass/own/endurance"]
    low, mid, high = (binned(row["series"][0], 5000, f) for f in (min, middle, max))
    seconds = [at / 60 for at, _ in mid]
    axes.fill_between(seconds, [v for _, v in low], [v for _, v in high], color="#009e73", alpha=0.25, linewidth=0,
                      label="least to most")
    axes.plot(seconds, [v for _, v in mid], color="#009e73", label="middle of five seconds")
    axes.set(xlabel="minutes since the first picture", ylabel="glass to glass, ms", ylim=(0, None),
             title=f"{row['stalls']} stalls after the first {row['warm_up_s']} s")
    axes.legend(loc="upper right", ncol=2)


def starts(results, axes):
    """From the click to the first picture, and what of it is the answer to the start request."""
    rows = [(label, results[f"glass/{name}"], colour) for name, label, colour, _ in ROWS if name != "stock/join"]
    rows.insert(3, ("hls.js as it comes, balanced", results["glass/stock/start"], "#cc79a7"))
    for place, (label, row, colour) in enumerate(reversed(rows)):
        axes.barh(place, row["picture_p50_ms"], color=colour, height=0.62, alpha=0.55)
        axes.barh(place, row["answer_p50_ms"], color=colour, height=0.62)
        axes.text(row["picture_p50_ms"], place, f" {row['picture_p50_ms'] / 1000:.1f} s", va="center")
    axes.set_yticks(range(len(rows)), [label for label, _, _ in reversed(rows)])
    axes.set(xlabel="click on Start → first picture, s; dark: until the start request was answered")
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value / 1000:g}"))
    axes.grid(axis="y", visible=False)


def viewers(results, axes):
    """How far apart the viewers of a crowd are."""
    marks = (("spread_p50_ms", "first to last viewer, p50", "#0072b2", "o"),
             ("spread_p99_ms", "first to last viewer, p99", "#0072b2", "D"),
             ("delay_p50_ms", "each viewer after the first, p50", "#e69f00", "o"),
             ("delay_p99_ms", "each viewer after the first, p99", "#e69f00", "D"))
    crowds = [results["viewers/1000"], results["viewers/3000"]]
    for key, label, colour, mark in marks:
        axes.plot([max(row[key], 0.1) for row in crowds], range(len(crowds)), mark, color=colour, label=label)
    axes.set_yticks(range(len(crowds)), [f"{row['viewers']:,} viewers,\n{row['errors']} errors" for row in crowds])
    axes.set(xlabel="ms", ylim=(len(crowds) - 0.4, -0.6), xlim=(0, None))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=2)


def part_delay(results, axes):
    """How old a part's first frame is when the part is on disk."""
    row = results["part-delay"]
    axes.hist(row["series"], bins=60, color="#009e73")
    axes.axvline(row["last_frame_ms"], color="#888888", linestyle="--", linewidth=1.2)
    axes.text(row["last_frame_ms"], axes.get_ylim()[1], "its last frame is captured ", ha="right", va="top")
    axes.set(xlabel="capture of a part's first frame → that part on disk, ms", ylabel="parts", xlim=(0, None))


# file: who draws it, which figures it needs, size in inches
PLOTS = {
    "latency-cdf.svg": (latency_cdf, [f"glass/{name}" for name, *_ in ROWS], (8, 4.6)),
    "latency-time.svg": (latency_time, [f"glass/{name}" for name, *_ in ROWS], (8, 4.8)),
    "stalls.svg": (stalls, ["glass/own/endurance"], (8, 2.8)),
    "starts.svg": (starts, ["glass/stock/start", *(f"glass/{name}" for name, *_ in ROWS)], (8, 3.2)),
    "viewers.svg": (viewers, ["viewers/1000", "viewers/3000"], (8, 2.6)),
    "part-delay.svg": (part_delay, ["part-delay"], (8, 2.6)),
}


def draw(results, folder):
    """Each plot whose figures are there."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (work, needed, size) in PLOTS.items():
        if not all(key in results["figures"] for key in needed):
            print(f"plot {name}: not all of its figures were measured")
            continue
        with plt.rc_context(STYLE):
            figure, axes = plt.subplots(figsize=size, layout="constrained")
            work(results["figures"], axes)
            figure.savefig(folder / name, metadata={"Date": None, "Creator": None})
            plt.close(figure)


if __name__ == "__main__":
    draw(figures.load(), figures.BUILD / "bench/plots")
