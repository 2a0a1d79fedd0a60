"""`textapp demo`: trains, exports and predicts on a built-in corpus, in a few minutes."""

import contextlib
import sys
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from textapp.cli.native_log import native_log_hidden, tensorflow_started
from textapp.cli.output import print_json, print_line, say, say_steps, say_table
from textapp.errors import InputError
from textapp.task import task
from textapp.tasks.classification.terminal import prediction_lines
from textapp.text.terminal import Screen

TASK = "classification"
COUNTS = {"train": 6000, "valid": 800, "test": 800}


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the corpus, the run and the bundles.")] = Path("demo"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON on stdout.")] = False,
) -> None:
    """Train, export, compare and predict on generated English and Chinese reviews.

    For example: textapp demo
    """
    _check_folder(out)
    with tensorflow_started():
        from textapp.data.readers import read_examples
        from textapp.data.samples import write_samples
        from textapp.export.run import export
        from textapp.training.progress import Meter
        from textapp.training.train import train

        config = task(TASK).preset("tiny")
        files: dict[str, Any] = {split: str(out / "corpus" / f"{split}.tsv") for split in COUNTS}
        had_run = _check_run(out, {"task": TASK, "settings": config.to_dict(), **files, "vectors": None})
        write_samples(out / "corpus", COUNTS, seed=0)
        say(f"1. corpus: {sum(COUNTS.values()):,} generated English and Chinese reviews in {out / 'corpus'}")
        run = out / "run"
        say("2. train")
        metrics = train(TASK, config, run, **files, force=(run / "metrics.json").exists(), report=say)
        say("3. export")
        test = read_examples(files["test"])
        bundles = {}
        with contextlib.closing(Meter("of the bundles exported")) as meter:
            meter(0, 4)
            for recipe in ("float32", "dynamic_wi8_afp32"):
                for lowering in ("fused", "unrolled"):
                    bundles[recipe, lowering] = out / "bundles" / f"{recipe}_{lowering}"
                    export(
                        run,
                        bundles[recipe, lowering],
                        recipe=recipe,
                        lowering=lowering,
                        examples=test,
                        overwrite=had_run,
                    )
                    meter.close()
                    say(f"{bundles[recipe, lowering]}: all checks passed")
                    meter(len(bundles), 4)

    from textapp.runtime import load
    from textapp.runtime.latency import measure_latency

    keras_size = (run / "model.keras").stat().st_size
    rows = [("Keras", f"{metrics['test']['accuracy']:.4f}", f"{keras_size:,}", "", "")]
    table = [{"model": "keras", "accuracy": metrics["test"]["accuracy"], "bytes": keras_size}]
    for (recipe, lowering), folder in bundles.items():
        with native_log_hidden():
            predictor = load(folder)
        latency = measure_latency(predictor, test.texts)
        scores = predictor.bundle.description["metrics"]
        table.append(
            {
                "model": f"{recipe} {lowering}",
                "accuracy": scores["after"]["accuracy"],
                "bytes": latency.model_bytes,
                "text_to_label_ms_p50": latency.ms_p50,
                "label_agreement": scores["label_agreement"],
            }
        )
        rows.append(
            (
                f"{recipe} {lowering}",
                f"{scores['after']['accuracy']:.4f}",
                f"{latency.model_bytes:,}",
                f"{latency.ms_p50:.3f}",
                f"{scores['label_agreement']:.4f}",
            )
        )
    chosen = bundles["dynamic_wi8_afp32", "fused"]
    say(f"4. predict with {chosen}, without TensorFlow")
    shown = sorted(zip(test.texts, test.labels, strict=True), key=lambda pair: pair[0].isascii())[:: len(test) // 5]
    texts = [text for text, _ in shown]
    with native_log_hidden():
        shipped = load(chosen)
        predictions = shipped.predict(texts)
    if not as_json:
        for line in prediction_lines(texts, predictions, Screen.of(sys.stdout), heaviest=3):
            print_line(line)
        sys.stdout.flush()
    say("")
    say_table(("model", "test accuracy", "bytes", "ms a text", "as Keras"), rows)
    say("")
    say_steps(
        ("look", f"tensorboard --logdir {quote(str(run / 'logs'))}"),
        ("ship", chosen),
        ("try", f'textapp predict {quote(str(chosen))} "your own sentence"'),
    )
    if as_json:
        print_json({"table": table, "predictions": [prediction.to_dict() for prediction in predictions]})


def _check_folder(out: Path) -> None:
    """Raises `InputError` if the demo could overwrite files that it did not make."""
    others = sorted({path.name for path in out.iterdir()} - {"corpus", "run", "bundles"}) if out.exists() else []
    if others:
        raise InputError(f"{out}: holds {others[0]}, which the demo did not make; choose another --out")


def _check_run(out: Path, command: dict[str, Any]) -> bool:
    """Whether the folder has a run of the demo. Raises `InputError` if it has another run, or bundles but no run."""
    from textapp.training.run_folder import CONFIG, differences, read_command

    run, bundles = out / "run", out / "bundles"
    had_run = (run / CONFIG).exists()
    if had_run and differences(read_command(run), command):
        raise InputError(f"{run}: is not a run of the demo; choose another --out")
    if not had_run and bundles.is_dir() and any(bundles.iterdir()):
        raise InputError(f"{bundles}: holds bundles, but there is no run of the demo; choose another --out")
    return had_run
