package androidx.compose.foundation.layout

import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.Dp

object Arrangement {
    interface Vertical

    interface HorizontalOrVertical : Vertical

    fun spacedBy(space: Dp): HorizontalOrVertical = throw UnsupportedOperationException()
}

interface ColumnScope

@Composable
fun Column(
    modifier: Modifier = Modifier,
    verticalArrangement: Arrangement.Vertical = throw UnsupportedOperationException(),
    content: @Composable ColumnScope.() -> Unit,
) {}

fun Modifier.fillMaxSize(fraction: Float = 1f): Modifier = this

fun Modifier.fillMaxWidth(fraction: Float = 1f): Modifier = this

fun Modifier.padding(all: Dp): Modifier = this

fun Modifier.safeDrawingPadding(): Modifier = this
