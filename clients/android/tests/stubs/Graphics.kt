package androidx.compose.ui.graphics

class Color {
    fun copy(alpha: Float = 1f, red: Float = 0f, green: Float = 0f, blue: Float = 0f): Color = this

    companion object {
        val Transparent = Color()
        val Unspecified = Color()
    }
}
