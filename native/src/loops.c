/* Loops over tensors that are broadcast to one shape, as NumPy broadcasts them. */
#include "graph.h"

int ta_loops_make(ta_loops *loops, const ta_frame *frame, const uint32_t *inputs, uint32_t count, uint32_t output) {
  const int32_t *shape = ta_shape_of(frame, output);
  uint32_t rank = ta_rank(frame, output);
  loops->rank = 0;
  size_t steps[3] = {1, 1, 1};
  for (uint32_t i = 0; i < count; i++)
    if (ta_rank(frame, inputs[i]) > rank) return 0;
  for (uint32_t back = 0; back < rank; back++) { /* from the last axis; the loops are turned round below */
    size_t size = (size_t)shape[rank - 1 - back], step[3] = {0, 0, 0};
    for (uint32_t i = 0; i < count; i++) {
      uint32_t own = ta_rank(frame, inputs[i]);
      size_t width = back < own ? (size_t)ta_shape_of(frame, inputs[i])[own - 1 - back] : 1;
      if (width != size && width != 1) return 0;
      if (width == size) step[i] = steps[i];
      if (width == 1) step[i] = 0;
      steps[i] *= width;
    }
    if (size == 1) continue;
    uint32_t last = loops->rank;
    int joined = last > 0;
    for (uint32_t i = 0; i < count && joined; i++)
      joined = step[i] == loops->step[i][last - 1] * loops->size[last - 1];
    if (joined) {
      loops->size[last - 1] *= size;
    } else {
      loops->size[last] = size;
      for (uint32_t i = 0; i < 3; i++) loops->step[i][last] = step[i];
      loops->rank++;
    }
  }
  if (loops->rank == 0) {
    loops->rank = 1;
    loops->size[0] = 1;
    for (uint32_t i = 0; i < 3; i++) loops->step[i][0] = 0;
  }
  return 1;
}

/* Loops are stored from the innermost one. */
void ta_loops_run(const ta_loops *loops, void (*inner)(void *user, const size_t *at, size_t out, const ta_loops *loops),
                  void *user) {
  size_t index[TA_AXES] = {0}, at[3] = {0, 0, 0}, out = 0;
  for (;;) {
    inner(user, at, out, loops);
    out += loops->size[0];
    uint32_t axis = 1;
    for (; axis < loops->rank; axis++) {
      for (uint32_t i = 0; i < 3; i++) at[i] += loops->step[i][axis];
      if (++index[axis] < loops->size[axis]) break;
      for (uint32_t i = 0; i < 3; i++) at[i] -= loops->step[i][axis] * loops->size[axis];
      index[axis] = 0;
    }
    if (axis >= loops->rank) return;
  }
}

int ta_loops_fit(const ta_step *step, const ta_frame *frame, size_t *scratch) {
  ta_loops loops;
  (void)scratch;
  return ta_loops_make(&loops, frame, step->in, TA_MIN(step->in_count, 3u), step->out[0]);
}
