#include "../../src/session.c"
