"""The table of what was measured beside what is wanted, from the figures of a run. Pure.

A row names a figure, its goal, what of the figures it shows, and whether that meets the goal: True, False, or None where
there is no goal or the run did not take those figures."""
import collections

MISSING = "not measured"
Row = collections.namedtuple("Row", "figure goal measured article met")
ARTICLE = "glass/article/copy"


def seconds(ms):
    return f"{ms / 1000:.1f} s" if ms >= 2000 else f"{ms:,.0f} ms"


def p50_p95(values):
    return f"{seconds(values['p50_ms'])} / {seconds(values['p95_ms'])}"


def missed(crowd):
    """No error, but not nothing either: a viewer too far behind goes on at the edge."""
    share = 100 * crowd["missed"] / max(crowd["parts"] + crowd["missed"], 1)
    return f"{share:.1f} % of parts passed over by viewers that fell behind" if crowd["missed"] else "no part missed"


class Rows:
    def __init__(self, results):
        self.figures = results["figures"]
        self.rows = []

    def add(self, figure, goal, names, measured, met=lambda *_: None, article=""):
        """`measured` and `met` get the figures called `names`; `article` is shown as it is."""
        values = [self.figures.get(name) for name in names]
        if None in values:
            self.rows.append(Row(figure, goal, MISSING, article, None))
        else:
            self.rows.append(Row(figure, goal, measured(*values), article, met(*values) if goal else None))

    def beside(self, name, show):
        values = self.figures.get(name)
        return show(values) if values else MISSING

    def of_article(self, show):
        return self.beside(ARTICLE, show)

    def glass(self, what, name, p50, p95, article=""):
        self.add(f"glass to glass, {what}: p50 / p95", f"≤ {p50} / {p95} ms", [f"glass/{name}"], p50_p95,
                 lambda f: f["p50_ms"] <= p50 and f["p95_ms"] <= p95, article)


def live(results):
    """Latency, cost and crowds, beside the article's stack where it has the figure."""
    rows = Rows(results)
    rows.glass("own page, `realtime`, UDP", "own/realtime-udp", 200, 280, rows.of_article(p50_p95))
    rows.glass("own page, `realtime`, SRT at 20 ms", "own/realtime-srt", 230, 310)
    rows.glass("own page, `balanced`, SRT at 60 ms", "own/balanced", 450, 550)
    rows.add("glass to glass, hls.js with its defaults on `balanced`, joined / from its start: p50", "≤ 1.5 s",
             ["glass/stock/join", "glass/stock/start"], lambda j, s: f"{seconds(j['p50_ms'])} / {seconds(s['p50_ms'])}",
             lambda j, s: max(j["p50_ms"], s["p50_ms"]) <= 1500, rows.of_article(lambda a: seconds(a["p50_ms"])))
    rows.add("stalls, own page, `realtime`, UDP, after the first 5 s", "0 in 10 min", ["glass/own/endurance"],
             lambda f: f"{f['stalls']} in {f['seconds'] / 60:.2g} min, p50 / p95 {p50_p95(f)}", lambda f: f["stalls"] == 0,
             rows.of_article(lambda a: f"{a['stalls']} in {a['runs'] * a['seconds'] / 60:.2g} min"))
    rows.add("capture of a part's first frame → that part on disk, `realtime`, UDP: p50 / p95", "≤ 85 / 110 ms",
             ["part-delay"], lambda f: f"{f['p50_ms']:.0f} / {f['p95_ms']:.0f} ms; its last frame is captured at "
             f"{f['last_frame_ms']:.0f} ms",
             lambda f: f["p50_ms"] <= 85 and f["p95_ms"] <= 110)
    starts = [f"glass/own/{name}" for name in ("realtime-udp", "realtime-srt", "balanced")]
    rows.add("start request → first frame presented, `realtime` UDP / SRT, `balanced`: p50", "≤ 1.2 s", starts,
             lambda *fs: " / ".join(seconds(f["picture_p50_ms"]) for f in fs),
             lambda *fs: all(f["picture_p50_ms"] <= 1200 for f in fs),
             rows.of_article(lambda a: seconds(a["picture_p50_ms"])))
    rows.add("1,000 viewers on `balanced`: errors; first to last viewer to have a part, p99", "0; ≤ 150 ms",
             ["viewers/1000"], lambda f: f"{f['errors']}; {f['spread_p99_ms']:.0f} ms; {missed(f)}",
             lambda f: f["errors"] == 0 and f["spread_p99_ms"] <= 150)
    rows.add("3,000 viewers: errors; gateway memory at its peak", "0; ≤ 250 MB", ["viewers/3000"],
             lambda f: f"{f['errors']}; {f['gateway_peak_mib'] * 1.048576:.0f} MB; {missed(f)}",
             lambda f: f["errors"] == 0 and f["gateway_peak_mib"] * 1.048576 <= 250)
    rows.add("ingest CPU, 2 Mbit/s in `balanced`, UDP, beside `ffmpeg -c copy -f hls`", "≤ 1×", ["ingest-cpu"],
             lambda f: f"{f['ratio']:.2f}×: {f['ingest_percent']:.2f} % of a core at {f['kbps']:,} kbit/s",
             lambda f: f["ratio"] <= 1,
             rows.beside("ingest-cpu", lambda f: f"1×: {f['ffmpeg_percent']:.2f} %"))
    rows.add("requests a second of one viewer: `realtime` / `balanced` / `economy`", "",
             [f"glass/own/{name}" for name in ("realtime-udp", "balanced", "economy")],
             lambda *fs: " / ".join(f"{f['requests_per_s']:.1f}" for f in fs),
             article=rows.of_article(lambda a: f"{a['requests_per_s']:.1f}"))
    rows.add("glass to glass, own page, `economy`: p50 / p95", "", ["glass/own/economy"], p50_p95)
    rows.add("the article's command as printed, which encodes again: glass to glass p50; start → first frame", "",
             ["glass/article/as-printed"], lambda f: "",
             article=rows.beside("glass/article/as-printed",
                                 lambda f: f"{seconds(f['p50_ms'])}; {seconds(f['picture_p50_ms'])}"))
    return rows.rows


def services(results):
    """Start and stop, memory, the control plane and the transport."""
    rows = Rows(results)
    rows.add("start → ready: POST …/stream to its answer", "p50 ≤ 700 ms, p95 ≤ 1.2 s", ["start-ready"],
             lambda f: f"p50 {f['p50_ms']} ms, p95 {f['p95_ms']} ms, {f['n']} starts",
             lambda f: f["p50_ms"] <= 700 and f["p95_ms"] <= 1200,
             rows.of_article(lambda a: seconds(a["answer_p50_ms"])))
    rows.add("stop → camera off: DELETE …/stream to the camera's own word", "p95 ≤ 300 ms", ["stop-camera-off"],
             lambda f: f"p50 {f['p50_ms']} ms, p95 {f['p95_ms']} ms, {f['n']} stops", lambda f: f["p95_ms"] <= 300)
    rows.add("stop → answer (camera off, ingest drained, janitor has it)", "", ["stop-answer"],
             lambda f: f"p50 {f['p50_ms']} ms, p95 {f['p95_ms']} ms")
    rows.add("start/stop cycles: descriptors, threads, memory in MiB", "no growth", ["cycles"],
             lambda f: f"{f['count']} cycles; descriptors and threads equal in all four; " +
             ", ".join(f"{name} {f[name + '_mib']}" for name in ("camera", "ingest", "gateway", "janitor")), lambda f: True)
    rows.add("idle resident memory: camera / ingest / gateway / janitor", "≤ 20 MB each", ["idle-memory-mib"],
             lambda f: " / ".join(f"{f[name]}" for name in ("camera", "ingest", "gateway", "janitor")) + " MiB",
             lambda f: all(mib * 1.048576 <= 20 for mib in f.values()))
    rows.add("ingest CPU, one SRT session of 2 Mbit/s", "≤ 2 % of a core", ["ingest-cpu-srt"],
             lambda f: f"{f['percent']:.2f} % at {f['kbps']:,} kbit/s", lambda f: f["percent"] <= 2)
    rows.add("envelope, sign + verify on one core", "≥ 3,000 a second", ["envelope"],
             lambda f: f"{f['sign_and_verify_per_s']:,}", lambda f: f["sign_and_verify_per_s"] >= 3000)
    for name, what in (("udp", "UDP"), ("srt 20 ms", "SRT at 20 ms"), ("srt 20 ms, AES-256", "SRT at 20 ms with AES-256"),
                       ("srt 60 ms, AES-256", "SRT at 60 ms with AES-256")):
        rows.add(f"transport hop, access unit in to access unit out, {what}", "", [f"hop/{name}"],
                 lambda f: f"p50 {f['p50_ms']} ms, p95 {f['p95_ms']} ms")
    return rows.rows


def verdict(row):
    return {True: "PASS", False: "over", None: ""}[row.met]


def as_text(results):
    """For the terminal."""
    lines = [machine_line(results), ""]
    for row in live(results) + services(results):
        lines.append(f"{verdict(row):4}  {row.figure.replace('`', '')}")
        goal = f"goal {row.goal}; " if row.goal else ""
        article = f"; the article's stack: {row.article}" if row.article else ""
        lines.append(f"        {goal}measured {row.measured or '-'}{article}")
    return "\n".join(lines)


def as_markdown(rows, with_article):
    head = ["figure", "goal", "measured"] + (["the article's stack, same run"] if with_article else [])
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        mark = " (over)" if row.met is False else ""
        cells = [row.figure, row.goal, row.measured + mark] + ([row.article] if with_article else [])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine_line(results):
    m = results["machine"]
    quick = "; QUICK run, for trying only" if results["quick"] else ""
    return f"{m['cores']} cores of {m['cpu']}, {m['memory_gib']} GiB, {m['system']}{quick}"
