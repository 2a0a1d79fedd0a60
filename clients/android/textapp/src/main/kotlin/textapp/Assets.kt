package textapp

import android.content.res.AssetManager

/**
 * Loads the bundle that lies in the assets of an app.
 *
 * @param folder the folder in the assets; `textapp export --client android` writes the bundle to the default.
 * @throws TextappException a file is missing, was changed, cannot be read, or breaks a rule of its format.
 */
@JvmOverloads
fun Textapp.Companion.load(assets: AssetManager, folder: String = "textapp"): Textapp {
    val names = read(folder) { assets.list(folder) }.orEmpty()
    if ("bundle.json" !in names) {
        throw TextappException(Status.BUNDLE, "assets/$folder: no bundle; put the files of a bundle there")
    }
    val files = names.associateWith { name -> read("assets/$folder/$name") { assets.open("$folder/$name").use { it.readBytes() } } }
    return load(files, "assets/$folder/")
}
