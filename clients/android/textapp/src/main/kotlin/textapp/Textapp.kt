package textapp

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer

/**
 * A model: from a text to its label, or to spans and tags, as `textapp predict` gives them.
 *
 *     val model = Textapp.load(context.assets)
 *     val prediction = model.predict("A charming film.")
 *
 * Threads may share a model: each call has memory of its own. A call takes some microseconds to some milliseconds, by the
 * length of the text; so call it outside the main thread.
 *
 * @property task what it does with a text.
 * @property labels the labels, or the tags of tokens.
 * @property kernel the instructions of this processor that it computes with: `neon-dot`, `avx2`, ...
 */
class Textapp private constructor(
    private val memory: Memory,
    private val handle: Long,
    val task: Task,
    val labels: List<String>,
    val kernel: String,
) : AutoCloseable {
    private val free = ArrayList<Context>()
    private var isClosed = false

    /**
     * Predicts a text. Any string is accepted: empty, long, or with half of a surrogate pair, which is read as U+FFFD.
     *
     * @param confidence whether to compute the probability of each span, or of each plain tag; for taggers. It takes
     *   about five times as long.
     * @throws TextappException the model is closed, or a text of megabytes needs more memory than there is.
     */
    @JvmOverloads
    fun predict(text: String, confidence: Boolean = false): Prediction =
        try {
            val context = withText(text)
            val record = context.predict(confidence)
            give(context)
            prediction(Record(record), text)
        } catch (error: OutOfMemoryError) {
            throw outOfMemory("a text of ${text.length} characters", error)
        }

    /**
     * Predicts the texts of selftest.json, which `textapp export` writes into the bundle, and compares. Run it once on a
     * new device.
     *
     * @throws TextappException a result differs from the recorded one; the message names the first difference. Or the
     *   bundle has no selftest.json, or the model is closed.
     */
    fun selftest() {
        val context = take()
        context.selftest()
        give(context)
    }

    /** Lets go of the memory of the model, which the garbage collector then frees. Calls that run go on to their end. */
    override fun close() {
        synchronized(free) {
            isClosed = true
            free.clear()
        }
    }

    /** A context that no other thread uses, and that has taken a text. */
    private fun withText(text: String): Context {
        val context = take()
        val length = context.take(text)
        if (length <= context.longest) return context
        return Context(memory, handle, length).also { it.take(text) }
    }

    private fun take(): Context =
        synchronized(free) {
            if (isClosed) throw TextappException(Status.ARGUMENT, "the model is closed; load it again")
            free.removeLastOrNull()
        } ?: Context(memory, handle, 0)

    /** Keeps a context for the next call, unless a long text has made it large. */
    private fun give(context: Context) {
        synchronized(free) { if (!isClosed && context.isKept) free.add(context) }
    }

    /** What a record of textapp_jni.c says of a text. */
    private fun prediction(record: Record, text: String): Prediction {
        val label = record.int()
        val isMultilabel = record.flag()
        val isTruncated = record.flag()
        val chosen = ArrayList<String>()
        val probs = LinkedHashMap<String, Double>()
        for (number in 0 until record.int()) {
            probs[labels[number]] = record.double()
            if (record.flag()) chosen.add(labels[number])
        }
        val tokens = record.list { token(record) }
        val spans = record.list { span(record, text) }
        return Prediction(labels.getOrNull(label).takeUnless { isMultilabel }, chosen, probs, spans, tokens, isTruncated)
    }

    private fun token(record: Record): Token {
        val text = record.text()
        val start = record.int()
        val end = record.int()
        val weight = record.float().takeIf { it >= 0 }
        val tag = labels.getOrNull(record.int())
        return Token(text, start, end, weight, tag, record.confidence())
    }

    private fun span(record: Record, text: String): Span {
        val type = record.text()
        val start = record.int()
        val end = record.int()
        return Span(type, text.substring(start, end), start, end, record.confidence())
    }

    companion object {
        /**
         * Loads a bundle, as `textapp export` writes it.
         *
         * @param files the name and the content of each file of the bundle. Others are not read.
         * @throws TextappException a file is missing, was changed, or breaks a rule of its format.
         */
        @JvmStatic fun load(files: Map<String, ByteArray>): Textapp = load(files, "")

        /**
         * Loads the bundle of a folder.
         *
         * @throws TextappException a file is missing, was changed, cannot be read, or breaks a rule of its format.
         */
        @JvmStatic
        fun load(folder: File): Textapp {
            val found = folder.listFiles { file -> file.isFile }
            if (found == null || found.none { it.name == "bundle.json" }) {
                throw TextappException(Status.BUNDLE, "$folder: no bundle; give the folder that `textapp export` wrote")
            }
            return load(found.associate { it.name to read("$it") { it.readBytes() } }, "$folder/")
        }

        /** Loads files; messages name them after [place]. */
        internal fun load(files: Map<String, ByteArray>, place: String): Textapp {
            val memory = Memory()
            val places = IntArray(3 * files.size)
            val buffer = together(files, memory, places)
            val features = usableFeatures(Core.features(), cpuInfo())
            val report = ByteArray(REPORT)
            val handle = Core.load(memory, buffer, places, features, report)
            if (report[0] != 0.toByte()) throw exceptionOf(report, place)
            val record = Record(Core.describe(memory, handle) ?: throw outOfMemory("the list of labels"))
            val task = Task.entries[record.int()]
            return Textapp(memory, handle, task, record.list { record.text() }, kernelOf(features))
        }

        /** The result of [read]; its error names the file. */
        internal fun <T> read(name: String, read: () -> T): T =
            try {
                read()
            } catch (error: IOException) {
                throw TextappException(Status.BUNDLE, "$name: cannot be read: ${error.message}", error)
            }

        /** The names and contents of files in one direct buffer. [places] gets three numbers a file; see textapp_jni.c. */
        private fun together(files: Map<String, ByteArray>, memory: Memory, places: IntArray): ByteBuffer {
            val names = files.keys.map { it.toByteArray() }
            val size = files.values.sumOf { aligned(it.size.toLong()) } + names.sumOf { it.size + 1L }
            val buffer = if (size <= Int.MAX_VALUE) memory.allocate(size.toInt()) else null
            if (buffer == null) throw outOfMemory("the bundle, of $size bytes,")
            var place = 0
            for ((number, content) in files.values.withIndex()) {
                places[3 * number + 1] = place
                places[3 * number + 2] = content.size
                buffer.put(content)
                place = aligned(place + content.size.toLong()).toInt()
                while (buffer.position() < place) buffer.put(0)
            }
            for ((number, name) in names.withIndex()) {
                places[3 * number] = buffer.position()
                buffer.put(name)
                buffer.put(0) // its end
            }
            return buffer
        }

        /** A number of bytes, rounded up, so that the next file begins as C aligns numbers. */
        private fun aligned(size: Long): Long = (size + 63) / 64 * 64

        private fun outOfMemory(what: String, cause: Throwable? = null) =
            TextappException(Status.MEMORY, "$what needs more memory than there is", cause)
    }
}
