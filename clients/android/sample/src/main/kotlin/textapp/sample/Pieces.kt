package textapp.sample

import textapp.Prediction
import textapp.Token

/**
 * A part of a text that is shown in one colour.
 *
 * @property text the part of the original text.
 * @property weight how much the model attended to it, from 0 to 1, where 1 is the most of this text; 0 for other parts.
 * @property type the type of the span that it is; null for other parts.
 */
data class Piece(val text: String, val weight: Float = 0f, val type: String? = null)

/** Cuts a text into its spans, or into its weighted tokens, and the parts between them: together they are the text. */
fun pieces(text: String, prediction: Prediction): List<Piece> {
    val most = prediction.tokens.maxOfOrNull { it.weight ?: 0f } ?: 0f
    val marked =
        if (prediction.spans.isNotEmpty()) {
            prediction.spans.map { it.start..it.end to Piece(it.text, type = it.type) }
        } else {
            prediction.tokens.filter { it.weight != null }.map { it.start..it.end to weighted(it, text, most) }
        }
    val found = ArrayList<Piece>()
    var end = 0
    for ((place, piece) in marked) {
        if (place.first < end) continue // tokens of one character, such as ½, have the same offsets
        if (place.first > end) found.add(Piece(text.substring(end, place.first)))
        found.add(piece)
        end = place.last
    }
    if (end < text.length) found.add(Piece(text.substring(end)))
    return found
}

private fun weighted(token: Token, text: String, most: Float): Piece =
    Piece(text.substring(token.start, token.end), (token.weight ?: 0f) / maxOf(most, Float.MIN_VALUE))
