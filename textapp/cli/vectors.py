"""`textapp vectors`: train word vectors, evaluate, show and align them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Literal

import typer

from textapp.cli import vector_shards
from textapp.cli.arguments import as_utf8, check_readable, settings_help
from textapp.cli.early_checks import check_vectors
from textapp.cli.groups import Group
from textapp.cli.native_log import native_log_hidden, tensorflow_started
from textapp.cli.output import print_json, resumable, say, say_steps
from textapp.cli.vector_tables import say_neighbors, say_scores, say_translation
from textapp.errors import InputError
from textapp.files import named_errors
from textapp.output_files import check_output, locked
from textapp.text.characters import agreeing, counted
from textapp.vectors.config import VectorsConfig

app = typer.Typer(
    cls=Group, help="Word vectors: train, evaluate, show, align.", no_args_is_help=True, rich_markup_mode=None
)
app.command("count")(vector_shards.count)
app.command("merge")(vector_shards.merge)
app.command("average")(vector_shards.average)
DEFAULTS = VectorsConfig()
ROUNDS = 30  # a good number; results/README.md

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="Vectors: word2vec text or .bin, GloVe, fastText .vec, .npz; also gzip-compressed."
    ),
]
Force = Annotated[bool, typer.Option(help="Replace existing files.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


@app.command("train", epilog=settings_help(DEFAULTS))
def train(
    corpus: Annotated[
        list[Path],
        typer.Argument(metavar="CORPUS...", help="Text files, plain or gzip, folders of them, or patterns ('part-*')."),
    ],
    out: Annotated[
        Path, typer.Option(help="Vector file to make: .npz (for further training too), .txt, .vec or .bin.")
    ],
    init: Annotated[
        Path | None,
        typer.Option(help="Vectors to start from; all their words are kept. With --shard, the average of a round."),
    ] = None,
    counts: Annotated[
        list[Path] | None,
        typer.Option(help="Word counts (`vectors count`) to choose the vocabulary from; repeatable, added up."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Train in so many processes, averaged after each round."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds of the whole training, with --workers or --shard.")
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Train one round on the K-th of N parts; needs --counts."),
    ] = None,
    model: Annotated[Literal["skip_gram", "cbow"] | None, typer.Option(help=f"Objective ({DEFAULTS.model}).")] = None,
    dim: Annotated[int | None, typer.Option(help="Length of a vector (100, or that of --init).")] = None,
    window: Annotated[
        int | None,
        typer.Option(help=f"Words to each side that are neighbours; nearer ones weigh more ({DEFAULTS.window})."),
    ] = None,
    negatives: Annotated[
        int | None, typer.Option(help=f"Noise words for each pair of neighbours ({DEFAULTS.negatives}).")
    ] = None,
    sample: Annotated[
        float | None, typer.Option(help=f"Subsample words with a larger share of the corpus ({DEFAULTS.sample}).")
    ] = None,
    min_count: Annotated[
        int | None, typer.Option(help=f"Leave out words with fewer occurrences ({DEFAULTS.min_count}).")
    ] = None,
    vocabulary_size: Annotated[
        int | None, typer.Option(help="Number of words to keep, the most frequent (all).")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help=f"Passes over the corpus ({DEFAULTS.epochs}).")] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help=f"Highest learning rate, of Adagrad ({DEFAULTS.learning_rate}); word2vec's 0.025 is too low here."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help=f"Random seed ({DEFAULTS.seed}); with --set threads=1 the vectors are repeatable."),
    ] = None,
    tokenizer: Annotated[
        Literal["word", "char", "whitespace", "jieba"] | None,
        typer.Option(help="What a word is. jieba segments Chinese; whitespace is for segmented text."),
    ] = None,
    subwords: Annotated[
        bool | None, typer.Option("--subwords/--no-subwords", help="Vectors for unseen words, from character n-grams.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace existing vectors.")] = False,
    as_json: Json = False,
) -> None:
    """Learn word vectors from raw text. The same command resumes a training that was killed.

    For example: textapp vectors train corpus.txt --out vectors.npz
    """
    options = {
        "model": model,
        "dim": dim,
        "window": window,
        "negatives": negatives,
        "sample": sample,
        "min_count": min_count,
        "vocabulary_size": vocabulary_size,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "seed": seed,
        "tokenizer": tokenizer,
        "subwords": subwords,
    }
    given = [f"{key}={value}" for key, value in options.items() if value is not None]
    config = VectorsConfig().override([*(settings or []), *given])
    if workers and (shard or init):
        raise InputError(f"--workers: cannot be combined with {'--shard' if shard else '--init'}; leave one out")
    if (workers or shard) and rounds is None:
        raise InputError(f"{'--workers' if workers else '--shard'}: needs --rounds; {ROUNDS} are a good number")
    if rounds is not None and not (workers or shard):
        raise InputError("--rounds: is for --workers or --shard; leave it out")
    part = vector_shards.parse_part(shard) if shard else None
    check_vectors(out, corpus, init, force)
    with resumable(force), tensorflow_started():
        if workers:
            from textapp.training.vector_workers import train_vectors_on_workers

            metrics = train_vectors_on_workers(
                config,
                out,
                corpus=corpus,
                workers=workers,
                rounds=rounds or 1,
                counts=counts or (),
                force=force,
                report=say,
            )
        else:
            from textapp.training.vectors import train_vectors

            metrics = train_vectors(
                config,
                out,
                corpus=corpus,
                init=init,
                counts=counts or (),
                shard=part,
                rounds=rounds or 1,
                force=force,
                report=say,
            )
    steps = [("vectors", f"{out} ({metrics['vocabulary']:,} words of {metrics['dim']} dimensions)")]
    logs = f"{out}.training" if workers else f"{out}.training/logs"
    steps.append(("watch", f"tensorboard --logdir {quote(logs)}"))
    if part is None:
        steps.append(("next", f"textapp vectors neighbors {quote(str(out))} WORD"))
    else:
        start = f" --init {quote(str(init))}" if init else ""
        steps.append(("next", f"textapp vectors average SHARD...{start} --out ROUND.npz"))
    say_steps(*steps)
    if as_json:
        print_json(metrics)


@app.command("evaluate")
def evaluate(
    file: File,
    similarity: Annotated[
        list[Path] | None, typer.Option(help="Test set of lines WORD WORD SCORE, or a folder of sets; repeatable.")
    ] = None,
    analogies: Annotated[
        list[Path] | None,
        typer.Option(help="Questions in the format of Google's set, or a folder of such files; repeatable."),
    ] = None,
    baseline: Annotated[Path | None, typer.Option(help="Other vectors, compared on what both cover.")] = None,
    most_words: Annotated[
        int | None, typer.Option(min=1, help="Number of words that analogies are limited to, the most frequent.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Evaluate vectors on similarity (Spearman) and analogies (3CosAdd), with coverage and a baseline.

    The baselines need no training: the cosine of character n-gram counts, and the nearest neighbour of c.
    """
    from textapp.vectors.analogies import read_analogies, score_analogies
    from textapp.vectors.evaluation import expand_folders
    from textapp.vectors.formats import read_vectors
    from textapp.vectors.similarity import read_similarity_set, score_similarity

    if not similarity and not analogies:
        raise InputError("nothing to evaluate on: give --similarity, --analogies or both")
    similarity_sets = [read_similarity_set(path) for path in expand_folders(similarity or [])]
    analogy_sets = [read_analogies(path) for path in expand_folders(analogies or [])]
    vectors = read_vectors(file, report=say)
    say(f"{file}: {counted(len(vectors), 'word')} of {vectors.dim} dimensions")
    other = read_vectors(baseline, report=say) if baseline else None
    result: dict[str, Any] = {"vectors": str(file), "similarity": [], "analogies": []}
    for similarity_set in similarity_sets:
        result["similarity"].append(score_similarity(vectors, similarity_set, other))
    if similarity_sets:
        say_scores("similarity", "spearman", "character_ngrams", "n-grams", result["similarity"], "set")
    for analogy_set in analogy_sets:
        scores = score_analogies(vectors, analogy_set, most_words, other)
        result["analogies"].append(scores)
        say_scores(scores["set"], "accuracy", "neighbour_of_c", "near c", scores["sections"], "section")
    if as_json:
        print_json(result)


@app.command("neighbors")
def neighbors(
    file: File,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="Words.")],
    count: Annotated[int, typer.Option(min=1, help="Number of neighbours of each word.")] = 10,
    as_json: Json = False,
) -> None:
    """Show the words nearest to each word, by cosine.

    For example: textapp vectors neighbors vectors.npz good
    """
    from textapp.vectors.formats import read_vectors

    vectors = read_vectors(file, report=say)
    found = {word: vectors.neighbors(word, count) for word in map(as_utf8, words)}
    for word, pairs in found.items():
        say_neighbors(word, pairs)
    if as_json:
        print_json({"neighbors": {word: _as_objects(pairs) for word, pairs in found.items()}})


@app.command("analogy")
def analogy(
    file: File,
    positive: Annotated[str, typer.Argument(metavar="KING", help="A word,")],
    negative: Annotated[str, typer.Argument(metavar="MAN", help="minus this word,")],
    other: Annotated[str, typer.Argument(metavar="WOMAN", help="plus this word.")],
    count: Annotated[int, typer.Option(min=1, help="Number of answers.")] = 10,
    as_json: Json = False,
) -> None:
    """Show the words nearest to KING - MAN + WOMAN: KING is to MAN as they are to WOMAN.

    For example: textapp vectors analogy vectors.npz man king woman
    """
    from textapp.vectors.formats import read_vectors

    positive, negative, other = map(as_utf8, (positive, negative, other))
    pairs = read_vectors(file, report=say).analogy(negative, positive, other, count)
    say_neighbors(f"{positive} - {negative} + {other}", pairs)
    if as_json:
        print_json({"answers": _as_objects(pairs)})


@app.command("plot")
def plot(
    file: File,
    out: Annotated[list[Path], typer.Option(help="Picture (.png) or page (.html) to make; repeatable.")],
    words: Annotated[list[str] | None, typer.Argument(metavar="WORD", help="Words to show.")] = None,
    words_file: Annotated[Path | None, typer.Option(help="File of words to show, one a line.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of words to show by default, the most frequent.")] = 500,
    perplexity: Annotated[
        float, typer.Option(min=1, help="About how many neighbours influence a position in t-SNE.")
    ] = 30,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Random seed.")] = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Map words in the plane (t-SNE), as a picture, as a page to zoom and search in, or both.

    For example: textapp vectors plot vectors.npz --out map.html
    """
    for path in out:
        if path.suffix.lower() not in (".png", ".html"):
            raise InputError(f"--out {path}: must end in .png or .html")
        _check_free(path, force, [file, words_file], _is_map)
    from textapp.vectors.formats import read_vectors

    chosen = list(map(as_utf8, words or []))
    if words_file:
        from textapp.files import read_text

        listed = [line.strip() for line in read_text(words_file).removeprefix("\ufeff").splitlines() if line.strip()]
        if not listed:
            raise InputError(f"{words_file}: there is no word in it; give one word a line")
        chosen += listed
    vectors = read_vectors(file, report=say)
    with native_log_hidden():
        from textapp.vectors.plot import save_page, save_picture
        from textapp.vectors.word_map import map_words

        word_map = map_words(vectors, chosen or vectors.words[:count], perplexity, seed)
        kind = "words" if chosen else "most frequent words"
        title = f"{len(word_map.words):,} {kind} of {file.name}"
        result: dict[str, Any] = {"files": [str(path) for path in out], "words": len(word_map.words)}
        for path in out:
            if path.suffix.lower() == ".html":
                save_page(word_map, path, title, force and _is_map)
                say(f"page:    {path}")
                continue
            picture = save_picture(word_map, path, title, force and _is_map)
            result |= {"labelled": picture.labelled, "without_font": picture.without_font}
            say(f"picture: {path} ({picture.labelled:,} of {len(word_map.words):,} words labelled)")
            if picture.without_font:
                verb = agreeing(picture.without_font, "has", "have")
                undrawn = counted(picture.without_font, "word")
                say(f"note: {undrawn} {verb} characters that no installed font can draw")
    if as_json:
        print_json(result)


@app.command("project")
def project(
    file: File,
    out: Annotated[Path, typer.Option(help="TensorBoard log folder to write to.")],
    count: Annotated[
        int, typer.Option(min=1, help="Number of words, the most frequent; the page is slow with more.")
    ] = 5000,
    force: Annotated[bool, typer.Option(help="Replace the projector of the folder.")] = False,
    as_json: Json = False,
) -> None:
    """Write vectors for TensorBoard's embedding projector.

    For example: textapp vectors project vectors.npz --out projector
    """
    import numpy as np

    check_readable(str(file))
    with tensorflow_started():
        from textapp.dashboards.projector import check_projector, write_projector
    from textapp.vectors.formats import read_vectors

    if out.exists():
        with locked(out):
            check_projector(out, force)
    vectors = read_vectors(file, report=say)
    words = vectors.words[:count]
    columns: dict[str, Any] = {"word": words, "rank": range(1, len(words) + 1)}
    if vectors.counts is not None:
        shown = vectors.counts[:count]
        columns |= {"log10 count": np.log10(np.maximum(shown, 1)).round(2).tolist(), "count": shown.tolist()}
    with native_log_hidden(), locked(out):
        check_projector(out, force)  # again: the vectors took time to read
        write_projector(out, vectors.vectors[:count], columns, file.name)
    say(f"wrote {counted(len(words), 'word')} of {len(vectors):,}")
    say_steps(("watch", f"tensorboard --logdir {quote(str(out))}"))
    if as_json:
        print_json({"folder": str(out), "words": len(words)})


@app.command("align")
def align(
    source: Annotated[Path, typer.Argument(help="Vectors of the language to translate from.")],
    target: Annotated[Path, typer.Argument(help="Vectors of the language to translate to.")],
    dictionary: Annotated[Path, typer.Option(help="Pairs SOURCE TARGET to learn from (MUSE's .0-5000.txt).")],
    test: Annotated[Path | None, typer.Option(help="Pairs to test on (MUSE's .5000-6500.txt).")] = None,
    out: Annotated[Path | None, typer.Option(help="File for the source vectors in the target's space.")] = None,
    refinements: Annotated[int, typer.Option(min=0, help="Number of refinements with mutual translations.")] = 0,
    most_words: Annotated[
        int, typer.Option(min=1, help="Number of words to read of each file, the most frequent.")
    ] = 200_000,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Rotate vectors of one language into the space of another (Procrustes), and test word translation (CSLS)."""
    if test is None and out is None:
        raise InputError("nothing to do: give --test, --out or both")
    from textapp.vectors.alignment import learn_rotation, rotate, score_translation
    from textapp.vectors.dictionaries import index_pairs, read_dictionary
    from textapp.vectors.formats import check_words, format_of_name, holds_vectors, read_vectors, write_vectors

    if out:
        format_of_name(out)  # raises for an unknown suffix, before the work
        _check_free(out, force, [source, target, dictionary, test], holds_vectors)
    pairs, questions = read_dictionary(dictionary), read_dictionary(test) if test else None
    one, other = (read_vectors(path, limit=most_words, report=say) for path in (source, target))
    if out:
        check_words(one.words, out)
    known = index_pairs(pairs, one, other)
    verb = agreeing(len(known.pairs), "is", "are")
    say(f"dictionary: {len(known.pairs):,} of {counted(known.total, 'pair')} {verb} in both vocabularies")
    rotation = learn_rotation(one, other, known.pairs, refinements, report=say)
    result: dict[str, Any] = {"dictionary": {"pairs": known.total, "pairs_known": len(known.pairs)}}
    if questions:
        result["test"] = scores = score_translation(one, other, rotation, questions)
        learned = {word for word, _ in pairs} & {word for word, _ in questions}
        if learned:
            say(f"note: {len(learned):,} source words of the test are in the training dictionary too")
        result["learned_source_words"] = len(learned)
        say_translation(scores)
    if out:
        write_vectors(rotate(one, rotation), out, overwrite=force and holds_vectors)
        cut = f", the first of {source}; --most-words reads more" if len(one) == most_words else ""
        say(f"wrote {out}: {counted(len(one), 'word')}{cut}")
    if as_json:
        print_json(result)


def _check_free(path: Path, force: bool, read: Sequence[Path | None], is_own: Callable[[Path], bool]) -> None:
    """Raises `InputError` if `path` is a file to be read or a folder, or exists and may not be replaced.

    Args:
        path: An output.
        force: Whether the command may replace a file.
        read: The inputs.
        is_own: Whether a file is of the kind that the command writes; it replaces no other.
    """
    if any(other is not None and path.resolve() == other.resolve() for other in read):
        raise InputError(f"{path}: is read by this command; choose another --out")
    check_output(path, force and is_own)


def _is_map(path: Path) -> bool:
    """Whether a file is a picture or a page of `textapp vectors plot`."""
    from textapp.vectors.plot import MARK

    with named_errors(path), path.open("rb") as file:
        return MARK.encode() in file.read(4096)


def _as_objects(pairs: list[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"word": word, "cosine": cosine} for word, cosine in pairs]
