#!/usr/bin/env python3
"""Draws docs/pictures/terminal.svg: steps of `make demo`, as a terminal showed them in a real run.

Needs what the demo needs, `script` (util-linux) and `pip install rich==14.1.0`.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
STEPS = range(2, 4)
COLUMNS = 136


def run() -> str:
    """What the demo printed, with its colours."""
    with tempfile.NamedTemporaryFile() as log:
        demo = ["script", "--quiet", "--return", "--command", "make --silent demo ONCE=1", log.name]
        subprocess.run(demo, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return Path(log.name).read_text(encoding="utf-8").replace("\r\n", "\n")


def steps(printed: str) -> str:
    """The chosen steps, without what comes before and after."""
    parts = re.split(r"(?m)^(?=\x1b\[1;36m\d+\. )", printed)
    chosen = [part for part in parts if (found := re.match(r"\x1b\[1;36m(\d+)\. ", part)) and int(found[1]) in STEPS]
    if len(chosen) != len(STEPS):
        sys.exit(f"the demo has printed {len(chosen)} of steps {STEPS.start} to {STEPS.stop - 1}")
    # Faint text, which is how the demo prints output, is hard to read in a picture.
    return "".join(chosen).rstrip().replace("\x1b[2m", "\x1b[37m")


def main() -> None:
    console = Console(record=True, width=COLUMNS, file=open("/dev/null", "w", encoding="utf-8"), force_terminal=True)
    console.print(Text.from_ansi(steps(run())), soft_wrap=False)
    svg = console.export_svg(title="make demo")
    # The picture must not fetch a font from anywhere; whoever shows it has a monospaced one.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", "monospace")
    (ROOT / "docs/pictures/terminal.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
