package textapp

import java.nio.ByteBuffer

/** Bytes of a text: no context is made for less. */
private const val SHORT = 1L shl 10

/** Bytes of a text: a context for a longer one has memory for many times the text, and is not kept. */
private const val LONG = 1L shl 16

/**
 * The memory of one call at a time.
 *
 * @param memory that of the model, which stays as long as this object.
 * @param model the handle of the model.
 * @param needed bytes of UTF-8 of a text that must fit.
 * @throws TextappException there is not enough memory.
 */
internal class Context(private val memory: Memory, model: Long, needed: Long) {
    /** The longest text, in bytes of UTF-8: somewhat more than needed, so that it can be used again. */
    val longest: Int =
        when {
            needed <= SHORT -> SHORT.toInt()
            needed <= LONG -> Integer.highestOneBit(needed.toInt() - 1) shl 1
            needed <= Int.MAX_VALUE -> needed.toInt()
            else -> throw outOfMemory(needed)
        }

    /** Whether it is small enough to be kept for the next call. */
    val isKept: Boolean get() = longest <= LONG

    private val block: ByteBuffer
    private val utf8: ByteBuffer
    private val handle: Long
    private val report = ByteArray(REPORT)
    private var length = 0

    init {
        val size = Core.contextSize(memory, model, longest)
        block = (if (size >= 0) direct(size.toInt()) else null) ?: throw outOfMemory(needed)
        utf8 = direct(longest) ?: throw outOfMemory(needed)
        handle = Core.makeContext(memory, model, block, size.toInt(), longest)
        check(handle != 0L) { "textapp_context_init refuses a block of the size that textapp_context_size has given" }
    }

    /** Takes a text, if it fits. Returns its bytes of UTF-8. */
    fun take(text: String): Long = Core.encode(text, utf8, longest).also { if (it <= longest) length = it.toInt() }

    /** Predicts the text that it has taken. Returns a record; see textapp_jni.c. */
    fun predict(confidence: Boolean): ByteArray {
        val record = Core.predict(this, handle, utf8, length, confidence, report)
        if (report[0] != 0.toByte()) throw exceptionOf(report, "")
        return record ?: throw outOfMemory(length.toLong())
    }

    /** Runs the self-test of the bundle. */
    fun selftest() {
        Core.selftest(this, handle, report)
        if (report[0] != 0.toByte()) throw exceptionOf(report, "")
    }

    private fun outOfMemory(length: Long) =
        TextappException(
            Status.MEMORY,
            "a text of $length bytes needs more memory than there is; cut it into parts, at the ends of sentences",
        )
}
