package textapp.sample

import android.content.res.AssetManager
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.produceState
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.text.SpanStyle
import androidx.compose.ui.text.buildAnnotatedString
import androidx.compose.ui.text.withStyle
import androidx.compose.ui.unit.dp
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import textapp.Prediction
import textapp.Textapp
import textapp.TextappException
import textapp.load

/** A text with its prediction, and the microseconds that it took. */
private class Shown(val text: String, val prediction: Prediction, val micros: Long)

/** A text field, and what the model predicts for the text: label, probabilities and weights, or spans. */
@Composable
fun Screen(assets: AssetManager) {
    var text by rememberSaveable { mutableStateOf("") }
    val model by produceState<Result<Textapp>?>(null) {
        value = withContext(Dispatchers.IO) { runCatching { Textapp.load(assets) } }
        awaitDispose { value?.getOrNull()?.close() }
    }
    val shown by produceState<Result<Shown>?>(null, text, model) {
        val loaded = model?.getOrNull()
        value = loaded?.let { withContext(Dispatchers.Default) { runCatching { predict(it, text) } } }
    }
    Surface(Modifier.fillMaxSize()) {
        Column(
            Modifier.verticalScroll(rememberScrollState()).safeDrawingPadding().padding(16.dp),
            verticalArrangement = Arrangement.spacedBy(12.dp),
        ) {
            OutlinedTextField(text, { text = it }, Modifier.fillMaxWidth(), label = { Text("Text") })
            (model?.exceptionOrNull() ?: shown?.exceptionOrNull())?.let { Failure(it) }
            shown?.getOrNull()?.let { Answer(it) }
        }
    }
}

private fun predict(model: Textapp, text: String): Shown {
    val start = System.nanoTime()
    val prediction = model.predict(text, confidence = true)
    return Shown(text, prediction, (System.nanoTime() - start) / 1000)
}

@Composable
private fun Failure(error: Throwable) {
    if (error !is TextappException) throw error
    Text(error.message.orEmpty(), color = MaterialTheme.colorScheme.error)
}

@Composable
private fun Answer(shown: Shown) {
    val prediction = shown.prediction
    (prediction.label ?: prediction.labels.joinToString().ifEmpty { null })?.let {
        Text(it, style = MaterialTheme.typography.headlineMedium)
    }
    for ((label, prob) in prediction.probs) {
        Text("$label ${percent(prob)}")
        LinearProgressIndicator(progress = { prob.toFloat() }, modifier = Modifier.fillMaxWidth())
    }
    Marked(shown.text, prediction)
    for (span in prediction.spans) {
        Text("${span.type} ${span.text}${span.confidence?.let { ", ${percent(it)}" }.orEmpty()}")
    }
    for (token in prediction.tokens.filter { it.confidence != null }) { // plain tags, such as parts of speech
        Text("${token.tag} ${token.text}")
    }
    if (prediction.truncated) Text("The model has read only the first ${prediction.tokens.size} tokens.")
    Text("${shown.micros} µs", style = MaterialTheme.typography.labelSmall)
}

/** The text, with its spans in the colours of their types, or its tokens as strong as the model attended to them. */
@Composable
private fun Marked(text: String, prediction: Prediction) {
    val colors = MaterialTheme.colorScheme
    val palette = listOf(colors.primaryContainer, colors.secondaryContainer, colors.tertiaryContainer)
    val types = prediction.spans.map { it.type }.distinct().sorted()
    Text(
        buildAnnotatedString {
            for (piece in pieces(text, prediction)) {
                val background =
                    if (piece.type != null) {
                        palette[types.indexOf(piece.type) % palette.size]
                    } else if (piece.weight > 0) {
                        colors.primary.copy(alpha = 0.6f * piece.weight)
                    } else {
                        Color.Transparent
                    }
                withStyle(SpanStyle(background = background)) { append(piece.text) }
            }
        }
    )
}

private fun percent(prob: Double): String = "${Math.round(prob * 100)} %"
