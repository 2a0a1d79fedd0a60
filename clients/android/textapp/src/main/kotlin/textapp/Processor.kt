package textapp

import java.io.File
import java.io.IOException

/** Bits of textapp.h, the slowest first, and their names; those of `textapp-native --features`. */
private val KERNELS =
    listOf(
        1 shl 8 to "neon",
        1 shl 9 to "neon-dot",
        1 shl 0 to "sse41",
        1 shl 1 to "avx2",
        1 shl 2 to "avx-vnni",
        1 shl 3 to "avx512-vnni",
    )

private const val NEON_DOT = 1 shl 9

/** The name of the fastest kernels of [features]. */
internal fun kernelOf(features: Int): String = KERNELS.lastOrNull { features and it.first != 0 }?.second ?: "scalar"

/**
 * The kernels that this processor runs, of those in the library. On x86 the library asks the processor. On ARM a program
 * cannot: the kernel of Linux says, in [cpuInfo], whether all cores have the dot product (`asimddp`).
 */
internal fun usableFeatures(built: Int, cpuInfo: List<String>): Int {
    val cores = cpuInfo.filter { it.startsWith("Features") }
    val hasDot = cores.isNotEmpty() && cores.all { "asimddp" in it.split(' ') }
    return if (hasDot) built else built and NEON_DOT.inv()
}

/** The lines of /proc/cpuinfo; none where the system does not show it. */
internal fun cpuInfo(): List<String> =
    try {
        File("/proc/cpuinfo").readLines()
    } catch (_: IOException) {
        emptyList()
    }
