package android.content.res

import java.io.File
import java.io.InputStream

/** The functions of Android's class that this package calls, over a folder. */
class AssetManager(private val root: File) {
    fun list(path: String): Array<String>? = File(root, path).list()

    fun open(fileName: String): InputStream = File(root, fileName).inputStream()
}
