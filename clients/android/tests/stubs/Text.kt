package androidx.compose.ui.text

import androidx.compose.ui.graphics.Color

class AnnotatedString {
    class Builder {
        fun append(text: String) {}
    }
}

class SpanStyle(color: Color = Color.Unspecified, background: Color = Color.Unspecified)

class TextStyle

fun buildAnnotatedString(builder: AnnotatedString.Builder.() -> Unit): AnnotatedString = AnnotatedString()

fun <R : Any> AnnotatedString.Builder.withStyle(style: SpanStyle, block: AnnotatedString.Builder.() -> R): R = block()
