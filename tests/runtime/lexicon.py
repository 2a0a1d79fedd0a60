"""Taggers whose model is made up, a lexicon, so that what they should say is known."""

import unicodedata

import numpy as np

from textapp.runtime import Tagger
from textapp.runtime.decoding import FORBIDDEN, TagDecoder
from textapp.runtime.predictor import Outputs
from textapp.text.tag_set import TagSet
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm

IOBES = TagSet(("O", "S-人", "B-人", "I-人", "E-人", "S-lieu", "B-lieu", "I-lieu", "E-lieu"), "IOBES")
# Word -> the tag that the made-up model sees in it.
LEXICON = {
    "Angela": "B-人",
    "Merkel": "E-人",
    "北": "B-lieu",
    "京": "E-lieu",
    "São": "B-lieu",
    "Paulo": "E-lieu",
    "ﬁ": "S-人",
    "Zoë": "S-人",
    "株": "B-人",
    "式": "I-人",
    "会": "I-人",
    "社": "E-人",
    "1": "S-lieu",
    "2": "S-人",
    "😀": "S-lieu",
    "\N{REPLACEMENT CHARACTER}": "S-lieu",
    "von": "I-人",
}
WORDS = ("[PAD]", "[UNK]", *(unicodedata.normalize("NFKC", word) for word in LEXICON))
SURE = np.array([[9.0 * (tag == seen) for tag in IOBES.tags] for seen in ("O", "O", *LEXICON.values())], np.float32)


def decoder_of(tag_set):
    """A decoder in which all sequences that the scheme allows are equal."""
    return TagDecoder(*(np.where(np.array(part), 0.0, FORBIDDEN) for part in tag_set.allowed()))


def by_lexicon(ids):
    """A model that is sure of each word's tag."""
    return SURE[ids["token_ids"]]


def tagger_of(score=by_lexicon, tag_set=IOBES, decoder=..., max_tokens=16, kind="word", normalization="nfkc"):
    """A tagger over a function from ids to logits."""
    return Tagger(
        tokenizer=Tokenizer(kind, lowercase=False, normalization=normalization),
        encoder=TokenEncoder(WordForm(lowercase=False), Vocabulary(WORDS), None, 0),
        targets=tag_set,
        max_tokens=max_tokens,
        score=lambda ids: Outputs(score(ids)),
        decoder=decoder_of(tag_set) if decoder is ... else decoder,
    )
