plugins { id("com.android.library") }

android {
    namespace = "textapp.library"
    compileSdk = 36
    defaultConfig {
        minSdk = 23
        consumerProguardFiles("consumer-rules.pro")
        ndk { abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64") }
    }
    // The libraries in src/main/jniLibs are complete. Without that folder, the NDK builds them from src/main/cpp.
    if (!file("src/main/jniLibs").isDirectory) {
        externalNativeBuild { cmake { path = file("src/main/cpp/CMakeLists.txt") } }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }
}
