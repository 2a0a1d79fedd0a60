#include "../../src/processor.c"
