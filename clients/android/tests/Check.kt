/**
 * Tests of the Kotlin client on the JVM: `CheckKt GOLDEN SAMPLES`, the golden files of clients/conformance and the folder
 * tests/samples. Or `selftest BUNDLE`, `failing-selftest BUNDLE`; and `time BUNDLE TEXTS`, which measures.
 */
package textapp.tests

import android.content.res.AssetManager
import java.io.File
import java.util.concurrent.Callable
import java.util.concurrent.Executors
import textapp.Prediction
import textapp.Status
import textapp.Task
import textapp.Textapp
import textapp.TextappException
import textapp.load
import textapp.sample.pieces
import textapp.usableFeatures

fun main(arguments: Array<String>) {
    when (arguments[0]) {
        "time" -> measure(File(arguments[1]), File(arguments[2]))
        "selftest" -> Textapp.load(File(arguments[1])).selftest()
        "failing-selftest" -> {
            val model = Textapp.load(File(arguments[1]))
            fails(Status.SELFTEST, "selftest.json") { model.selftest() }
            println(runCatching { model.selftest() }.exceptionOrNull()!!.message)
        }
        else -> checkAll(arguments)
    }
}

private fun checkAll(arguments: Array<String>) {
    val samples = File(arguments[1])
    val classifier = samples.resolve("classifier/bundle")
    val tagger = samples.resolve("tagger/bundle")
    checkGolden(File(arguments[0])).forEach(::println)
    for ((name, test) in
        listOf(
            "facts" to { checkFacts(classifier, tagger) },
            "processor" to { checkProcessor() },
            "assets" to { checkAssets(samples) },
            "hostile texts" to { checkTexts(classifier); checkTexts(tagger) },
            "broken bundles" to { checkBroken(classifier); checkBroken(tagger) },
            "threads" to { checkThreads(classifier); checkThreads(tagger) },
            "closed" to { checkClosed(classifier) },
            "pieces" to { checkPieces(classifier); checkPieces(tagger) },
        )) {
        test()
        println(name)
    }
}

private fun checkFacts(classifier: File, tagger: File) {
    Textapp.load(classifier).use {
        check(it.task == Task.CLASSIFICATION && it.labels == listOf("négatif", "positiv 好")) { "${it.task} ${it.labels}" }
        check(it.predict("a good film").tokens.all { token -> token.weight != null && token.tag == null })
    }
    Textapp.load(tagger).use {
        check(it.task == Task.TAGGING && "B-人名" in it.labels) { "${it.task} ${it.labels}" }
        check(it.predict("李小龙").spans.all { span -> span.confidence == null })
    }
}

/** Lines of /proc/cpuinfo; the numbers are bits of textapp.h. */
private fun checkProcessor() {
    val dot = "Features\t: fp asimd asimdhp asimddp"
    val old = "Features\t: fp asimd aes"
    check(usableFeatures(0x300, listOf("processor\t: 0", dot, dot)) == 0x300)
    check(usableFeatures(0x300, listOf(dot, old)) == 0x100)
    check(usableFeatures(0x300, emptyList()) == 0x100)
    check(usableFeatures(0x00F, listOf("flags\t: avx2")) == 0x00F)
}

private fun checkAssets(samples: File) {
    val assets = AssetManager(samples)
    val text = "a good film 好"
    val found = Textapp.load(assets, "classifier/bundle").predict(text)
    check(found == Textapp.load(samples.resolve("classifier/bundle")).predict(text))
    fails(Status.BUNDLE, "assets/nothing") { Textapp.load(assets, "nothing") }
    fails(Status.BUNDLE, "nothing") { Textapp.load(samples.resolve("nothing")) }
}

private fun checkTexts(bundle: File) {
    val model = Textapp.load(bundle)
    for (lone in listOf("\uD83D", "\uDE00", "a\uD83D", "\uDE00\uD83D b", "李\uDC00小 Ms \uD800 Anbeda 😀\uD83D")) {
        val replaced = lone.replace(Regex("[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]"), "\uFFFD")
        val found = model.predict(lone, confidence = true)
        val spans = found.spans.map { it.copy(text = replaced.substring(it.start, it.end)) }
        check(found.copy(spans = spans) == model.predict(replaced, confidence = true)) { "lone surrogates: $found" }
    }
    for (text in listOf("", "\u0000", "\u0000 \uFEFF \n\t")) {
        val found = model.predict(text)
        check(found.tokens.isEmpty() && found.spans.isEmpty() && !found.truncated) { "no tokens: $found" }
        check(found.probs.isEmpty() == (model.task == Task.TAGGING))
    }
    val short = model.predict("Ms Anbeda sang in Luminor.")
    for (length in listOf(1 shl 10, (1 shl 10) + 1, 1 shl 12)) { // of contexts, and more
        val found = model.predict("a".repeat(length))
        check(found.tokens.map { it.text } == listOf("a".repeat(length))) { "a word of $length letters: ${found.tokens.size}" }
    }
    val long = "word ".repeat(200_000) // a megabyte
    if (model.task == Task.TAGGING) { // it would keep the tags of 200,000 tokens: more than this test lets Java have
        fails(Status.MEMORY, "a text of 1000000 bytes needs more memory than there is") { model.predict(long) }
    } else {
        val found = model.predict(long)
        check(found.truncated && found.tokens.last().let { long.substring(it.start, it.end) } == "word")
    }
    check(model.predict("Ms Anbeda sang in Luminor.") == short) { "a short text after a long one" }
}

private fun checkBroken(bundle: File) {
    val files = bundle.listFiles()!!.associate { it.name to it.readBytes() }
    fails(Status.BUNDLE, "bundle.json") { Textapp.load(emptyMap<String, ByteArray>()) }
    for ((name, content) in files) {
        fails(Status.BUNDLE, name) { Textapp.load(files - name) }
        fails(Status.BUNDLE, name) { Textapp.load(files + (name to content.copyOf(content.size / 2))) }
        fails(Status.BUNDLE, "") { Textapp.load(files + (name to ByteArray(0))) }
    }
    val random = kotlin.random.Random(7)
    val text = "Ms Anbeda sang in 北京."
    var loaded = 0
    repeat(300) { // changed files whose hashes are right: an error, or a model that does no harm
        val (name, content) = files.entries.filter { it.key != "bundle.json" }.random(random)
        val changed = content.copyOf(if (random.nextInt(4) > 0) content.size else random.nextInt(content.size))
        repeat(random.nextInt(1, 8)) { if (changed.isNotEmpty()) changed[random.nextInt(changed.size)] = random.nextInt().toByte() }
        val description = String(files.getValue("bundle.json")).replace(sha256(content), sha256(changed)).toByteArray()
        try {
            Textapp.load(files + (name to changed) + ("bundle.json" to description)).predict(text, confidence = true)
            loaded++
        } catch (error: TextappException) {
            check(error.message!!.let { it.isNotEmpty() && '\n' !in it })
        }
    }
    check(loaded in 1..299) { "$loaded of 300 changed bundles were loaded" }
}

private fun checkThreads(bundle: File) {
    val model = Textapp.load(bundle)
    val texts = List(40) { "Ms Anbeda sang in 北京 ".repeat(it) + "😀 good film" }
    val alone = texts.map { model.predict(it, confidence = true) }
    val pool = Executors.newFixedThreadPool(4)
    val calls = List(4) { Callable { List(20) { texts.map { model.predict(it, confidence = true) } } } }
    for (found in pool.invokeAll(calls)) check(found.get().all { it == alone }) { "threads differ" }
    pool.shutdown()
}

private fun checkClosed(bundle: File) {
    val model = Textapp.load(bundle)
    fails(Status.ARGUMENT, "selftest.json") { model.selftest() }
    model.predict("a")
    model.close()
    fails(Status.ARGUMENT, "closed") { model.predict("a") }
}

/** What the sample app shows. */
private fun checkPieces(bundle: File) {
    val model = Textapp.load(bundle)
    for (text in listOf("", " ", "½ a good film, Ms Anbeda 😀 昨天李小龙到了乌鲁木齐。 ", "word ".repeat(40))) {
        val prediction: Prediction = model.predict(text)
        val found = pieces(text, prediction)
        check(found.joinToString("") { it.text } == text) { "pieces: $found" }
        check(found.count { it.type != null } == prediction.spans.size)
        val weighted = prediction.tokens.any { it.weight != null }
        check(!weighted || found.maxOf { it.weight } == 1f) { "weights: $found" }
    }
}

/** Checks that a call fails with a line that has [part] in it. */
private fun fails(status: Status, part: String, call: () -> Unit) {
    val error = runCatching(call).exceptionOrNull()
    check(error is TextappException && error.status == status && part in error.message!!) { "no error of $part: $error" }
}

private fun sha256(content: ByteArray): String =
    java.security.MessageDigest.getInstance("SHA-256").digest(content).joinToString("") { "%02x".format(it) }

/** Prints the times of loading, and of predicting the lines of a file. */
private fun measure(bundle: File, texts: File) {
    val first = micros { Textapp.load(bundle).close() }
    val loads = List(50) { micros { Textapp.load(bundle).close() } }.sorted()
    val model = Textapp.load(bundle)
    val lines = texts.readLines()
    val rounds = 3000 / lines.size + 1
    repeat(rounds) { for (line in lines) model.predict(line) } // until Java has compiled the code
    val times = List(rounds) { lines.map { micros { model.predict(it) } } }.flatten().sorted()
    println(
        "first load %.2f ms; load %.2f ms; a text: p50 %.1f, p95 %.1f µs; %s".format(
            first / 1e3, loads[25] / 1e3, times[times.size / 2], times[times.size * 19 / 20], model.kernel,
        )
    )
}

private fun micros(call: () -> Unit): Double {
    val start = System.nanoTime()
    call()
    return (System.nanoTime() - start) / 1e3
}
