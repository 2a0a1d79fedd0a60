// The Android Gradle plugin 9 brings Kotlin with it. With version 8, add to each module: id("org.jetbrains.kotlin.android").
plugins {
    id("com.android.application") version "9.0.0" apply false
    id("com.android.library") version "9.0.0" apply false
    id("org.jetbrains.kotlin.plugin.compose") version "2.2.10" apply false
}
