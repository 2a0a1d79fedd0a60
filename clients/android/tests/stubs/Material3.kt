package androidx.compose.material3

import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.text.AnnotatedString
import androidx.compose.ui.text.TextStyle

class ColorScheme(
    val primary: Color,
    val primaryContainer: Color,
    val secondaryContainer: Color,
    val tertiaryContainer: Color,
    val error: Color,
)

class Typography(val headlineMedium: TextStyle, val labelSmall: TextStyle)

fun lightColorScheme(): ColorScheme = throw UnsupportedOperationException()

fun darkColorScheme(): ColorScheme = throw UnsupportedOperationException()

object MaterialTheme {
    val colorScheme: ColorScheme get() = throw UnsupportedOperationException()
    val typography: Typography get() = throw UnsupportedOperationException()
}

@Composable fun MaterialTheme(colorScheme: ColorScheme, content: @Composable () -> Unit) {}

@Composable fun Surface(modifier: Modifier = Modifier, content: @Composable () -> Unit) {}

@Composable
fun Text(text: String, modifier: Modifier = Modifier, color: Color = Color.Unspecified, style: TextStyle = TextStyle()) {}

@Composable
fun Text(
    text: AnnotatedString,
    modifier: Modifier = Modifier,
    color: Color = Color.Unspecified,
    style: TextStyle = TextStyle(),
) {}

@Composable
fun OutlinedTextField(
    value: String,
    onValueChange: (String) -> Unit,
    modifier: Modifier = Modifier,
    enabled: Boolean = true,
    label: (@Composable () -> Unit)? = null,
) {}

@Composable fun LinearProgressIndicator(progress: () -> Float, modifier: Modifier = Modifier) {}
