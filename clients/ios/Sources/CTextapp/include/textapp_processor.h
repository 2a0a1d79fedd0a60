/* The kernels of the core that this processor runs. */
#ifndef TEXTAPP_PROCESSOR_H
#define TEXTAPP_PROCESSOR_H

#include "textapp.h"

/* Bits of textapp.h for `features` of `textapp_options`: those of `textapp_features`, without what the processor lacks. */
uint32_t textapp_usable_features(void);

#endif
