"""Builds the documentation site in build/docs/site: `python docs/site.py`. Any warning fails, such as a broken link.

The site has the pages of docs/ and the other pages that they link to. They are copied into one folder, in the tree of
the project, so that each link leads to the same file on the site and in the project.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "docs"
PAGES = (
    *("README*.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"),
    *("docs/**/*.md", "docs/*.png", "docs/*.svg", "docs/*.css", "notebooks/*.ipynb", "results/*.md", "results/*.png"),
    *("native/README.md", "clients/README.md", "clients/conformance/README.md", "textapp/runtime/BUNDLE.md"),
)
"""What the site has, besides what Zensical adds."""


def collect() -> None:
    """Copies the pages into the folder that the site is built from."""
    shutil.rmtree(OUT, ignore_errors=True)
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            copy = OUT / "pages" / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    shutil.copyfile(ROOT / "docs" / "zensical.toml", OUT / "zensical.toml")


def main() -> None:
    """Collects the pages and builds the site."""
    collect()
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", "zensical.toml"]
    sys.exit(subprocess.run(command, cwd=OUT, check=False).returncode)


if __name__ == "__main__":
    main()
