/* On x86 the core asks the processor. On ARM a program cannot: the system knows whether there is a dot product. */
#include "textapp_processor.h"

#if defined(__APPLE__)
#include <stddef.h>
#include <sys/sysctl.h>
#include <sys/types.h>
#elif defined(__linux__) && defined(__aarch64__)
#include <sys/auxv.h>
#define HWCAP_OF_DOT (1ul << 20) /* HWCAP_ASIMDDP of Linux */
#endif

static int has_dot(void) {
#if defined(__APPLE__)
  int found = 0;
  size_t size = sizeof found;
  return !sysctlbyname("hw.optional.arm.FEAT_DotProd", &found, &size, NULL, 0) && found;
#elif defined(__linux__) && defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_OF_DOT) != 0;
#else
  return 0;
#endif
}

uint32_t textapp_usable_features(void) {
  uint32_t features = textapp_features();
  return has_dot() ? features : features & ~(uint32_t)TEXTAPP_NEON_DOT;
}
