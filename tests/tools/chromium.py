"""Pages in Debian's Chromium, without a window."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")

# Each frame asks from the inside: a headless window is never as narrow as a phone.
_FRAME = """<script>
addEventListener("load", async () => {{
  const pause = () => new Promise((done) => setTimeout(done, 50));
  for (let n = 0; n < 200 && document.querySelector(".tool[hidden]"); n++) await pause();
  const told = await (async () => {{ {asked} }})().catch((error) => `failed: ${{error.stack}}`);
  parent.postMessage(told, "*");
}});
</script>"""
_OUTSIDE = """<!doctype html><title>frames</title>{frames}<script>
addEventListener("message", (event) => {{
  const told = document.createElement("pre");
  told.textContent = JSON.stringify(event.data);
  document.body.append(told);
}});
</script>"""


def ask(page: Path, asked: str, widths: tuple[int, ...], *, dark: bool = False) -> list[object]:
    """Run a function's body in the page, at each width: what it returned.

    It waits for the page's tools, and is given `pause()`, after which the page has been drawn.
    """
    inside = page.with_name("asked.html")
    whole = page.read_text(encoding="utf-8")
    start, end = whole.rsplit("</body>", 1)
    inside.write_text(f"{start}{_FRAME.format(asked=asked)}</body>{end}", "utf-8")
    frames = "".join(
        f'<iframe src="{inside.as_uri()}" style="width:{width}px;height:900px"></iframe>'
        for width in widths
    )
    outside = page.with_name("frames.html")
    outside.write_text(_OUTSIDE.format(frames=frames), encoding="utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
        "--allow-file-access-from-files", "--virtual-time-budget=60000",
        f"--user-data-dir={page.parent / 'chromium'}", "--window-size=1400,1000",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}", outside.as_uri(),
    ]  # fmt: skip
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    answers = re.findall(r"<pre>(.*?)</pre>", run.stdout, flags=re.DOTALL)
    assert len(answers) == len(widths), run.stderr[-2000:]
    return [json.loads(unescape(answer)) for answer in answers]
