package textapp

/** What a model does with a text. */
enum class Task {
    /** One label a text. */
    CLASSIFICATION,

    /** Any number of labels a text. */
    MULTILABEL,

    /** A tag for each token, and spans of tokens. */
    TAGGING,
}

/**
 * A token of a text.
 *
 * @property text what the model reads: normalized, and in lower case if the tokenizer does that.
 * @property start offset of its first UTF-16 unit in the original text, as `String.substring` counts.
 * @property end offset after its last UTF-16 unit.
 * @property weight attention to it, from 0 to 1; null for a model without attention, and for a tagger.
 * @property tag its tag; null for a classifier.
 * @property confidence probability of its tag; null unless tags are plain, without B- or I-, and it was asked for.
 */
data class Token(
    val text: String,
    val start: Int,
    val end: Int,
    val weight: Float? = null,
    val tag: String? = null,
    val confidence: Double? = null,
)

/**
 * An entity or a slot.
 *
 * @property type its type; empty if tags have no types.
 * @property text the part of the original text from `start` to `end`.
 * @property start offset of its first UTF-16 unit in the original text, as `String.substring` counts.
 * @property end offset after its last UTF-16 unit.
 * @property confidence probability that exactly this span is right; null unless it was asked for.
 */
data class Span(val type: String, val text: String, val start: Int, val end: Int, val confidence: Double? = null)

/**
 * What a model predicts for a text.
 *
 * @property label the most probable label; null for models of other tasks than [Task.CLASSIFICATION].
 * @property labels the labels of the text, for [Task.MULTILABEL]; else empty.
 * @property probs the probability of each label, in the order of [Textapp.labels]; empty for a tagger.
 * @property spans the spans of a tagger, in their order in the text; else empty.
 * @property tokens the tokens that the model has read.
 * @property truncated whether a classifier has read only the first part of a long text. A tagger reads all.
 */
data class Prediction(
    val label: String?,
    val labels: List<String>,
    val probs: Map<String, Double>,
    val spans: List<Span>,
    val tokens: List<Token>,
    val truncated: Boolean,
)

/** Why a call has failed; each is a status of the core. */
enum class Status {
    /** There is not enough memory. */
    MEMORY,

    /** A file of the bundle is missing, was changed, or breaks a rule of its format. */
    BUNDLE,

    /** The bundle is right, but its model has an operator that only LiteRT runs. */
    UNSUPPORTED,

    /** A call breaks a rule of this package. */
    ARGUMENT,

    /** The text is too long. */
    TOO_LONG,

    /** This device computes something else than `textapp export` has recorded. */
    SELFTEST,
}

/**
 * The one exception of this package.
 *
 * @property status the reason.
 * @param message one line that names the file, the place and the rule.
 */
class TextappException(val status: Status, message: String, cause: Throwable? = null) :
    RuntimeException(message, cause)
