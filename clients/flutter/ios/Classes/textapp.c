/* CocoaPods compiles only files below the podspec: these three include what CMake compiles for Android. */
#include "../../src/textapp.c"
