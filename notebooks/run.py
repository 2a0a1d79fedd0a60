"""Runs the notebooks, each in a new kernel. Any error fails.

    python notebooks/run.py [--write] [NAME.ipynb ...]

`--write` keeps the new outputs in the files. The notebooks write their models into notebooks/work, which is not
tracked.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import nbclient
import nbformat

FOLDER = Path(__file__).parent
MOST_BYTES = 300_000
SECONDS = 900
"""The most that one cell may take, also on a machine that is busy."""


def run(path: Path) -> nbformat.NotebookNode:
    """A notebook with the outputs of a new kernel.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell has failed.
    """
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
        record_timing=False,
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _kept(cell.outputs)
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return notebook


def _kept(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """The outputs of a cell without TensorFlow's log, which is of one machine; all of stdout becomes one output."""
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        if output.output_type != "stream":
            kept.append(output)
        elif output.name == "stdout":
            text = "".join(line for line in output.text.splitlines(True) if not line.startswith("INFO:tensorflow:"))
            if text and kept and kept[-1].output_type == "stream":
                kept[-1].text += text
            elif text:
                kept.append(nbformat.v4.new_output("stream", name="stdout", text=text))
    return kept


def main() -> None:
    """Runs the notebooks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="names of notebooks; by default all")
    parser.add_argument("--write", action="store_true", help="keep the new outputs")
    arguments = parser.parse_args()
    # The native log of TensorFlow names the machine's processor; the folder is found where textapp is not installed.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    for path in [FOLDER / name for name in arguments.names] or sorted(FOLDER.glob("*.ipynb")):
        began = time.monotonic()
        notebook = run(path)
        print(f"{path.name}: passed in {time.monotonic() - began:.0f} s", flush=True)
        if arguments.write:
            text = nbformat.writes(notebook, indent=1) + "\n"
            if len(text.encode()) > MOST_BYTES:
                sys.exit(f"{path.name}: has {len(text.encode()):,} bytes with its outputs; the most is {MOST_BYTES:,}")
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
