package textapp

import java.nio.ByteBuffer

/** Bytes of a report: the status, and the line of the core in UTF-8, which ends with 0. */
internal const val REPORT = 513

/** The functions of textapp_jni.c. The first argument of most keeps memory reachable while the function runs. */
internal object Core {
    init {
        System.loadLibrary("textapp")
    }

    @JvmStatic external fun features(): Int

    @JvmStatic
    external fun load(memory: Memory, files: ByteBuffer, places: IntArray, features: Int, report: ByteArray): Long

    @JvmStatic external fun describe(memory: Memory, model: Long): ByteArray?

    @JvmStatic external fun contextSize(memory: Memory, model: Long, longest: Int): Long

    @JvmStatic
    external fun makeContext(memory: Memory, model: Long, block: ByteBuffer, size: Int, longest: Int): Long

    @JvmStatic external fun encode(text: String, buffer: ByteBuffer, room: Int): Long

    @JvmStatic
    external fun predict(
        context: Context,
        handle: Long,
        utf8: ByteBuffer,
        length: Int,
        confidence: Boolean,
        report: ByteArray,
    ): ByteArray?

    @JvmStatic external fun selftest(context: Context, handle: Long, report: ByteArray)
}

/** The memory of a model: direct buffers, which the garbage collector frees when nothing refers to them any more. */
internal class Memory {
    private val buffers = ArrayList<ByteBuffer>()

    /** A buffer of [size] bytes that stays as long as this object; null where memory is out. C calls this function. */
    fun allocate(size: Int): ByteBuffer? = direct(size)?.also { buffers.add(it) }
}

/** A direct buffer, or null where memory is out. */
internal fun direct(size: Int): ByteBuffer? =
    try {
        ByteBuffer.allocateDirect(size)
    } catch (_: OutOfMemoryError) {
        null
    }

/** The exception of a [report], whose status is not 0. */
internal fun exceptionOf(report: ByteArray, place: String): TextappException {
    val end = (1 until report.size).first { report[it] == 0.toByte() }
    val line = String(report, 1, end - 1, Charsets.UTF_8).ifEmpty { "needs more memory than there is" }
    return TextappException(Status.entries[report[0] - 1], place + line)
}

/** Reads a record of textapp_jni.c from its start to its end. */
internal class Record(private val bytes: ByteArray) {
    private var place = 0

    fun byte(): Int = bytes[place++].toInt() and 0xFF

    fun flag(): Boolean = byte() != 0

    fun int(): Int = byte() or (byte() shl 8) or (byte() shl 16) or (byte() shl 24)

    fun float(): Float = Float.fromBits(int())

    fun double(): Double = Double.fromBits((int().toLong() and 0xFFFFFFFFL) or (int().toLong() shl 32))

    /** A probability, or null where there is none. */
    fun confidence(): Double? = double().takeIf { it >= 0 }

    fun text(): String {
        val length = int()
        place += length
        return String(bytes, place - length, length, Charsets.UTF_8)
    }

    /** A list, after the number of its items. */
    inline fun <T> list(item: () -> T): List<T> = List(int()) { item() }
}
