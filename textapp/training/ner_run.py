"""The run folder of a tagger: what it holds besides a classifier's, and how it is found again."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from textapp.config import NerConfig
from textapp.data.tagged import PLAIN, TaggedExamples, read_tagged
from textapp.errors import InputError
from textapp.files import write_json, write_text
from textapp.layers import CharacterCNN
from textapp.tasks.tagging.scores import check_tags_known, tag_scores
from textapp.text.tag_set import FILE_SCHEME, TagSet
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import UNKNOWN_ID, Vocabulary
from textapp.training import run
from textapp.training.tag_predictor import TagPredictor
from textapp.training.tag_preparation import (
    Report,
    encode_held_out,
    read_held_out,
    report_unseen,
    text_tokenizer,
    word_form,
)

TASK = "ner"


@dataclasses.dataclass(frozen=True)
class NerRun:
    """A finished training of a tagger, read back from its folder.

    Attributes:
        model: The model with its best weights, float32.
        config: The settings that it was trained with.
        encoder: Tokens to ids.
        tag_set: Its tags, by id.
        tokenizer: How texts are cut that do not come as tokens.
        metrics: What `metrics.json` says.
        sample: Some validation sentences.
    """

    model: keras.Model
    config: NerConfig
    encoder: TokenEncoder
    tag_set: TagSet
    tokenizer: Tokenizer
    metrics: dict[str, Any]
    sample: TaggedExamples

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "NerRun":
        """Reads a run folder.

        Raises:
            InputError: The folder is no finished run of `textapp train ner`, or a file in it is missing or broken.
        """
        folder = Path(folder)
        command, metrics = run.read_finished(folder)
        if metrics.get("task") != TASK:
            raise InputError(f"{folder}: a run of `textapp train {metrics.get('task')}`, not of `textapp train ner`")
        config = NerConfig.from_dict(command["settings"], str(folder / run.CONFIG))
        tags = run.read_names(folder / run.TAGS, metrics.get("tags"))
        vocabulary = Vocabulary.load(folder / run.VOCABULARY)
        characters = Vocabulary.load(folder / run.CHARACTERS) if config.characters else None
        encoder = TokenEncoder(word_form(config), vocabulary, characters, config.max_characters, config.shapes)
        return cls(
            model=_load_model(folder, encoder, len(tags)),
            config=config,
            encoder=encoder,
            tag_set=TagSet(tuple(tags), metrics.get("scheme")),
            tokenizer=run.read_tokenizer(folder),
            metrics=metrics,
            sample=_read_sample(folder / run.TAGGED_SAMPLE, of_spans=metrics.get("scheme") is not None),
        )

    def read(
        self,
        path: str | os.PathLike[str],
        token_column: str | None = None,
        tag_column: str | None = None,
        repair: bool = False,
        scheme: str | None = None,
    ) -> TaggedExamples:
        """Reads a file of tagged sentences as the training's were; arguments and errors as for `score`."""
        config = dataclasses.replace(self.config, repair=repair or self.config.repair)
        of_spans = self.tag_set.scheme is not None
        return read_held_out(config, path, of_spans, token_column, tag_column, scheme)

    def score(
        self,
        path: str | os.PathLike[str],
        token_column: str | None = None,
        tag_column: str | None = None,
        repair: bool = False,
        scheme: str | None = None,
        report: Report = lambda _: None,
    ) -> dict[str, Any]:
        """The scores on the tagged sentences of a file, read as the training's were.

        Args:
            path: The file.
            token_column: Column of the tokens; by default that of the training.
            tag_column: Column of the tags, likewise.
            repair: Whether broken tag sequences are mended rather than refused; in any case if the training's were.
            scheme: The scheme of the file's tags; by default that of the training, or guessed where none was given.
            report: Is told how many tokens are unknown, and which types the model cannot give.

        Raises:
            InputError: The file breaks a rule, or its tags are of another kind than the training's.
        """
        examples = self.read(path, token_column, tag_column, repair, scheme)
        check_tags_known(examples, self.tag_set)
        encoded = encode_held_out(self.config, examples, self.tag_set, self.encoder)
        unknown = float(np.mean(encoded.word_ids() == UNKNOWN_ID))
        report(f"{os.fspath(path)}: {len(examples.sentences):,} sentences, {unknown:.1%} of tokens unknown")
        report_unseen(os.fspath(path), examples, self.tag_set, report)
        predicted = TagPredictor(self.model, self.tag_set).predict(encoded)
        return tag_scores(examples.tags, predicted, self.tag_set)


def save_text_side(folder: Path, config: NerConfig, encoder: TokenEncoder, tag_set: TagSet) -> None:
    """Writes what turns text into ids and ids into tags."""
    write_json(folder / run.TOKENIZER, text_tokenizer(config).to_dict())
    encoder.vocabulary.save(folder / run.VOCABULARY)
    if encoder.characters is not None:
        encoder.characters.save(folder / run.CHARACTERS)
    write_text(folder / run.TAGS, "".join(f"{tag}\n" for tag in tag_set.tags))


def save_sample(folder: Path, examples: TaggedExamples) -> None:
    """Keeps some validation sentences, evenly spaced, as columns between tabs: exports are to be checked on them."""
    step = -(-len(examples) // run.SAMPLE_SIZE)
    sentences = zip(examples.sentences[::step], examples.tags[::step], strict=True)
    blocks = ("".join(f"{token}\t{tag}\n" for token, tag in zip(*pair, strict=True)) for pair in sentences)
    write_text(folder / run.TAGGED_SAMPLE, "\n".join(blocks))


def _read_sample(path: Path, of_spans: bool) -> TaggedExamples:
    """What `save_sample` kept."""
    return read_tagged(path, 0, 1, scheme=FILE_SCHEME if of_spans else PLAIN, format="columns")


def _load_model(folder: Path, encoder: TokenEncoder, tags: int) -> keras.Model:
    """Loads `model.keras`, which must have a row for each word and character, and a score for each tag."""
    path = folder / run.MODEL
    model = run.load_keras(path)
    tables = [layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)]
    words = [table.input_dim for table in tables if table.name == "embedding"]
    letters = [layer.vocabulary_size for layer in model.layers if isinstance(layer, CharacterCNN)]
    known = {tensor.name for tensor in model.inputs} == encoder.inputs.keys()
    counts = (len(words), len(tables), len(letters))
    if not known or len(model.output_shape) != 3 or counts != (1, 1 + encoder.shapes, encoder.characters is not None):
        raise InputError(f"{path}: another model than `textapp train ner` makes")
    wanted = [(run.TAGS, tags, model.output_shape[-1]), (run.VOCABULARY, len(encoder.vocabulary), words[0])]
    if encoder.characters is not None:
        wanted.append((run.CHARACTERS, len(encoder.characters), letters[0]))
    for name, entries, rows in wanted:
        if entries != rows:
            raise InputError(f"{folder / name}: has {entries} entries, but {path.name} {rows}")
    return model
