package androidx.activity

import android.content.res.AssetManager
import android.os.Bundle

class Context {
    val assets: AssetManager get() = throw UnsupportedOperationException()
}

open class ComponentActivity {
    val applicationContext: Context get() = throw UnsupportedOperationException()

    protected open fun onCreate(savedInstanceState: Bundle?) {}
}

fun ComponentActivity.enableEdgeToEdge() {}
