"""Puts the tables of a run into the pages that show them, between <!-- NAME --> and <!-- /NAME -->."""
import re

import table
from figures import SOURCE


def write(results):
    live = table.as_markdown(table.live(results), with_article=True)
    services = table.as_markdown(table.services(results), with_article=True)
    machine = f"Machine: {table.machine_line(results)}, everything on loopback."
    put(SOURCE / "bench/README.md", {"machine": machine, "live": live, "services": services})
    put(SOURCE / "docs/latency.md", {"machine": machine, "live": live})


def put(page, blocks):
    text = page.read_text()
    for name, block in blocks.items():
        whole = f"<!-- {name} -->\n{block}\n<!-- /{name} -->"
        text, count = re.subn(rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _, w=whole: w, text, flags=re.S)
        assert count == 1, f"{page} has no place for {name}"
    page.write_text(text)
