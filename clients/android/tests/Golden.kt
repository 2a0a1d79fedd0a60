package textapp.tests

import java.io.File
import kotlin.math.abs
import kotlin.math.max
import textapp.Prediction
import textapp.Textapp

/** Compares with the golden files of clients/conformance, whose README.md describes them. Returns what was compared. */
internal fun checkGolden(folder: File): List<String> =
    lines(folder.resolve("index.txt")).map { it.split('\t') }.mapNotNull { fields ->
        val file = folder.resolve(fields[1])
        when (fields[0]) {
            "tokens" -> checkTokens(folder.resolve("strings.txt"), file, folder.resolve(fields[3]))
            "predictions" -> checkPredictions(file, folder.resolve(fields[3]), fields[6].toDouble())
            else -> null // of the core alone
        }
    }

private fun checkTokens(strings: File, file: File, bundle: File): String {
    val expected = lines(file)
    val model = Textapp.load(bundle)
    for ((number, line) in lines(strings).withIndex()) {
        val wanted = items(expected[number]).map { it.split(':').let { (name, _, start, _, _, end) -> listOf(name, start, end) } }
        val found = model.predict(text(line)).tokens.map { listOf(name(it.text), "${it.start}", "${it.end}") }
        check(found == wanted) { "${file.name}:${number + 1}: $found is not $wanted" }
    }
    return "${file.name}: ${expected.size} strings"
}

private fun checkPredictions(file: File, bundle: File, tolerance: Double): String {
    val model = Textapp.load(bundle)
    val rows = lines(file)
    for ((number, line) in rows.withIndex()) {
        val place = "${file.name}:${number + 1}"
        val fields = line.split('\t')
        val text = text(fields[0])
        compare(place, fields, tolerance, text, model.predict(text, confidence = true))
    }
    return "${file.name}: ${rows.size} texts"
}

private fun compare(place: String, fields: List<String>, tolerance: Double, text: String, found: Prediction) {
    val (_, sure, truncated, labels, probs, _, tokens, spans) = fields
    val isSure = sure == "1"
    check(found.truncated == (truncated == "1")) { "$place: truncated" }
    val foundLabels = listOfNotNull(found.label) + found.labels
    check(!isSure || foundLabels.map(::name) == items(labels)) { "$place: $foundLabels is not $labels" }
    close(place, items(probs), found.probs.values.map { "$it" }, tolerance)
    val wantedTokens = items(tokens).map { it.split(':') }
    val foundTokens = found.tokens.map { listOf(name(it.text), "${it.start}", "${it.end}") }
    check(foundTokens == wantedTokens.map { listOf(it[0], it[2], it[5]) }) { "$place: $foundTokens is not $tokens" }
    close(place, wantedTokens.map { it[7] }, found.tokens.map { "${it.weight ?: ""}" }, tolerance)
    if (!isSure) return
    check(found.tokens.map { name(it.tag.orEmpty()) } == wantedTokens.map { it[8] }) { "$place: tags" }
    close(place, wantedTokens.map { it[9] }, found.tokens.map { "${it.confidence ?: ""}" }, tolerance)
    val wantedSpans = items(spans).map { it.split(':') }
    val foundSpans = found.spans.map { listOf(name(it.type), "${it.start}", "${it.end}") }
    check(foundSpans == wantedSpans.map { listOf(it[0], it[2], it[5]) }) { "$place: $foundSpans is not $spans" }
    close(place, wantedSpans.map { it[7] }, found.spans.map { "${it.confidence ?: ""}" }, tolerance)
    check(found.spans.all { it.text == text.substring(it.start, it.end) }) { "$place: texts of spans" }
}

/** Compares numbers, or empty strings where there is none. */
private fun close(place: String, wanted: List<String>, found: List<String>, tolerance: Double) {
    check(wanted.size == found.size) { "$place: ${found.size} numbers, not ${wanted.size}" }
    for ((a, b) in wanted.zip(found)) {
        val isClose = a == b || a != "" && b != "" && abs(a.toDouble() - b.toDouble()) <= tolerance * max(1.0, abs(a.toDouble()))
        check(isClose) { "$place: $b is not $a" }
    }
}

private fun lines(file: File): List<String> = file.readText(Charsets.US_ASCII).removeSuffix("\n").split('\n')

private fun items(list: String): List<String> = if (list.isEmpty()) emptyList() else list.split(' ')

/** The text of a line of code points; some are lone surrogates. */
internal fun text(points: String): String = buildString { for (point in items(points)) appendCodePoint(point.toInt(16)) }

private fun name(text: String): String = text.codePoints().toArray().joinToString(".") { "%X".format(it) }

private operator fun List<String>.component6() = this[5]

private operator fun List<String>.component7() = this[6]

private operator fun List<String>.component8() = this[7]
