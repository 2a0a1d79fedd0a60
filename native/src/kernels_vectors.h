/* The kernels in vectors, written once. A file of a set defines what its processor does in its own way, includes this
 * file, and gets the functions of the set. It has no include guard, because an amalgamation holds several sets.
 *
 * The file defines before:
 *   SET(name)   the name with the set's own ending
 *   LANES       floats of a vector: 4, 8 or 16
 *   WIDE        vectors of outputs that one row keeps in registers: a power of 2
 *   ROWS        rows that share the weights that are loaded, for NARROW (4) vectors of outputs
 *   SHARES      1 where rows of int8 share weights too; 0 where a row at a time is faster, as it keeps more outputs
 *   WEIGHT      the type that holds an int8 weight
 *   PLACE(n, k) where the weight of output n (below LANES) and input k (below 4) lies in a vector of outputs
 *   EXCLUDES_LEAST  1 where weights of -128 would overflow. LiteRT's converters never write one: such a matrix keeps the
 *               scalar layout.
 * and the types and functions
 *   SET(vf), SET(vi)          vectors of float and int32_t
 *   SET(minimum), SET(maximum)(a, b): where a is NaN, the result is b
 *   SET(fuse)(a, b, c)        a * b + c, rounded once or twice
 *   SET(spread), SET(dot4)    4 inputs to all lanes; sums + products of LANES outputs with 4 inputs
 *   SET(correction)           what to subtract from the sums of a row, where it defines CORRECTS 1
 *   MOVED                     what `spread` adds to inputs, for all rows
 *   SET(narrow)               16 floats from -127 to 127 to int8, towards zero
 *   SET(widen)                LANES int8 at any address to int32
 *   SET(load_some), SET(store_some)  the first lanes, where it defines SOME 1: the set has masks
 *   SET(largest), SET(total)  of the lanes of a vector; the total in pairs, upper half to lower half */

#define NARROW 4u
#define TILE (ROWS * NARROW > WIDE ? ROWS * NARROW : WIDE) /* sums of a tile */
#define MOST_ROWS 64u                                      /* rows that are corrected at a time */
#define VF SET(vf)
#define VI SET(vi)
#define INLINE static inline __attribute__((always_inline))

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef VF SET(vfu) __attribute__((aligned(4), may_alias));
typedef VI SET(viu) __attribute__((aligned(4), may_alias));

INLINE VF SET(load)(const float *from) { return *(const SET(vfu) *)from; }
INLINE void SET(store)(float *to, VF value) { *(SET(vfu) *)to = value; }
INLINE VF SET(all)(float value) { return value - (VF){0}; }

#if !SOME
/* The first `count` lanes, from 1 to LANES; the others are 0 where they are loaded. */
static inline VF SET(load_some)(const float *from, size_t count) {
  float lanes[LANES] = {0};
  for (size_t i = 0; i < count; i++) lanes[i] = from[i];
  return SET(load)(lanes);
}
static inline void SET(store_some)(float *to, VF value, size_t count) {
  float lanes[LANES];
  SET(store)(lanes, value);
  for (size_t i = 0; i < count; i++) to[i] = lanes[i];
}
#endif

#if !CORRECTS
static inline int32_t SET(correction)(const int8_t *x, size_t inputs) {
  (void)x, (void)inputs;
  return 0;
}
#endif

/* ---- Packing. Blocks of WIDE vectors of outputs; in a block, 4 inputs after 4 inputs; then the outputs. ---- */

INLINE size_t SET(up)(size_t number, size_t step) { return (number + step - 1) / step * step; }

static size_t SET(int8_size)(size_t outputs, size_t inputs) {
  size_t padded = SET(up)(outputs, LANES);
  size_t size = SET(up)(padded * SET(up)(inputs, 4) * sizeof(WEIGHT), 64) + 2 * SET(up)(4 * padded, 64);
  return TA_MAX(size, ta_kernels_scalar()->int8_size(outputs, inputs));
}

static void SET(int8_pack)(ta_matrix *out, void *memory, const int8_t *weights, const float *scales, size_t outputs,
                           size_t inputs) {
  int has_least = 0;
  for (size_t i = 0; EXCLUDES_LEAST && i < outputs * inputs; i++) has_least |= weights[i] == -128;
  if (has_least) {
    ta_kernels_scalar()->int8_pack(out, memory, weights, scales, outputs, inputs);
    return;
  }
  size_t padded = SET(up)(outputs, LANES), padded_inputs = SET(up)(inputs, 4);
  size_t weight_size = SET(up)(padded * padded_inputs * sizeof(WEIGHT), 64);
  WEIGHT *packed = memory;
  int32_t *sums = (int32_t *)(void *)((uint8_t *)memory + weight_size);
  float *packed_scales = (float *)(void *)((uint8_t *)memory + weight_size + SET(up)(4 * padded, 64));
  for (size_t first = 0; first < padded; first += WIDE * LANES) {
    size_t end = TA_MIN(first + WIDE * LANES, padded);
    for (size_t k = 0; k < padded_inputs; k += 4)
      for (size_t n = first; n < end; n++)
        for (size_t i = 0; i < 4; i++) {
          int8_t weight = n < outputs && k + i < inputs ? weights[n * inputs + k + i] : 0;
          size_t place = first * padded_inputs + k * (end - first) + (n - first) / LANES * LANES * 4;
          packed[place + PLACE((n - first) % LANES, i)] = weight;
        }
  }
  for (size_t n = 0; n < padded; n++) {
    sums[n] = 0;
    for (size_t k = 0; n < outputs && k < inputs; k++) sums[n] += weights[n * inputs + k];
    packed_scales[n] = n < outputs ? scales[n] : 0;
  }
  *out = (ta_matrix){(uint32_t)outputs, (uint32_t)inputs, packed, sums, packed_scales, 0, 1};
}

static size_t SET(float_size)(size_t outputs, size_t inputs) { return 4 * SET(up)(outputs, LANES) * inputs; }

static void SET(float_pack)(ta_matrix *out, void *memory, const float *weights, size_t outputs, size_t inputs) {
  size_t padded = SET(up)(outputs, LANES);
  float *packed = memory;
  for (size_t first = 0; first < padded; first += WIDE * LANES) {
    size_t end = TA_MIN(first + WIDE * LANES, padded);
    for (size_t k = 0; k < inputs; k++)
      for (size_t n = first; n < end; n++) *packed++ = n < outputs ? weights[n * inputs + k] : 0;
  }
  *out = (ta_matrix){(uint32_t)outputs, (uint32_t)inputs, memory, NULL, NULL, 1, 1};
}

/* ---- Products ---- */

/* What is to be computed: floats into y, or int32 sums into sums. */
typedef struct {
  const ta_matrix *matrix;
  const void *x;
  size_t x_stride;
  const float *x_scales;
  const int32_t *x_zeros; /* NULL: all rows have zero_point */
  int32_t zero_point;
  const float *bias;
  int add;
  float *y;
  int32_t *sums;
  size_t y_stride;
} SET(job);

/* Adds LANES results to what was there or to the bias. `count` outputs are left; `is_last` is a constant where this is
 * called: whether they may be less than LANES. */
INLINE void SET(finish)(VF results, float *to, const float *from, size_t count, const int is_last) {
  if (is_last && count < LANES) {
    SET(store_some)(to, from != NULL ? SET(load_some)(from, count) + results : results, count);
    return;
  }
  SET(store)(to, from != NULL ? SET(load)(from) + results : results);
}

INLINE void SET(finish_sums)(VI sums, int32_t *to, size_t count, const int is_last) {
  if (!is_last || count >= LANES)
    *(SET(viu) *)to = sums;
  else
    for (size_t i = 0; i < count; i++) to[i] = sums[i];
}

/* `rows` rows from `row` on and `vectors` vectors of outputs from n on. `weights` are those of the first 4 inputs, `step`
 * before those of the next 4. `rows` and `vectors` are constants where this is called. */
INLINE void SET(int8_tile)(const SET(job) *job, const size_t rows, const size_t vectors, size_t row, size_t n,
                           const WEIGHT *weights, size_t step, const int32_t *corrections) {
  const int is_last = vectors == 1;
  const size_t inputs = job->matrix->inputs, stride = job->x_stride, count = job->matrix->outputs - n;
  const int8_t *x = (const int8_t *)job->x + row * stride;
  VI sums[TILE];
  UNROLL for (size_t r = 0; r < rows; r++) { /* what zero points add is taken off first, while nothing waits for it */
    const int32_t zero = MOVED + (job->x_zeros != NULL ? job->x_zeros[row + r] : job->zero_point);
    UNROLL for (size_t v = 0; v < vectors; v++)
      sums[r * vectors + v] = -zero * *(const SET(viu) *)(job->matrix->sums + n + v * LANES);
  }
  for (size_t k = 0; k < inputs; k += 4, weights += step) {
    UNROLL for (size_t r = 0; r < rows; r++) {
      SET(inputs) four = SET(spread)(x + r * stride + k);
      UNROLL for (size_t v = 0; v < vectors; v++)
        sums[r * vectors + v] = SET(dot4)(sums[r * vectors + v], weights + v * LANES * 4, four);
    }
  }
  if (CORRECTS)
    UNROLL for (size_t i = 0; i < rows * vectors; i++) sums[i] -= corrections[row % MOST_ROWS + i / vectors];
  const SET(job) j = *job; /* a copy, as what is stored below could change it */
  if (j.sums != NULL) {
    UNROLL for (size_t i = 0; i < rows * vectors; i++) {
      int32_t *to = j.sums + (row + i / vectors) * j.y_stride + n + i % vectors * LANES;
      SET(finish_sums)(sums[i], to, count, is_last);
    }
    return;
  }
  const float *scales = j.matrix->scales + n, *bias = j.bias != NULL ? j.bias + n : NULL;
  UNROLL for (size_t r = 0; r < rows; r++) {
    float *to = j.y + (row + r) * j.y_stride + n;
    const float *from = j.add ? to : bias;
    VF x_scale = SET(all)(j.x_scales[row + r]);
    UNROLL for (size_t v = 0; v < vectors; v++) {
      VF results = x_scale * SET(load)(scales + v * LANES) * __builtin_convertvector(sums[r * vectors + v], VF);
      SET(finish)(results, to + v * LANES, from != NULL ? from + v * LANES : NULL, count, is_last);
    }
  }
}

/* Tiles are functions of their own. Else a compiler computes the addresses of all of them before the loops, and has no
 * registers to keep them in. */
#define INT8_TILE(name, rows, vectors)                                                                                 \
  static __attribute__((noinline)) void SET(name)(const SET(job) *job, size_t row, size_t n, const WEIGHT *weights,    \
                                                  size_t step, const int32_t *corrections) {                           \
    SET(int8_tile)(job, rows, vectors, row, n, weights, step, corrections);                                            \
  }
INT8_TILE(int8_rows_narrow, ROWS, NARROW)
INT8_TILE(int8_rows_one, ROWS, 1)
INT8_TILE(int8_row_wide, 1, WIDE)
INT8_TILE(int8_row_narrow, 1, NARROW)
INT8_TILE(int8_row_one, 1, 1)
#undef INT8_TILE

/* One block of outputs, from n on, for rows from `row` to `end`. Only tiles of 1 vector reach past the last output. */
static void SET(int8_block)(const SET(job) *job, size_t row, size_t end, size_t n, size_t vectors,
                            const WEIGHT *weights, const int32_t *corrections) {
  const size_t step = vectors * LANES * 4, whole = TA_MIN(job->matrix->outputs - n, WIDE * LANES) / LANES;
  size_t last = SHARES ? row + (end - row) / ROWS * ROWS : row, v = 0;
  for (; v + NARROW <= whole; v += NARROW)
    for (size_t r = row; r < last; r += ROWS)
      SET(int8_rows_narrow)(job, r, n + v * LANES, weights + v * LANES * 4, step, corrections);
  for (; v < vectors; v++)
    for (size_t r = row; r < last; r += ROWS)
      SET(int8_rows_one)(job, r, n + v * LANES, weights + v * LANES * 4, step, corrections);
  for (size_t r = last; r < end; r++) {
    v = 0;
    for (; v + WIDE <= whole; v += WIDE) SET(int8_row_wide)(job, r, n, weights, step, corrections);
    for (; v + NARROW <= whole; v += NARROW)
      SET(int8_row_narrow)(job, r, n + v * LANES, weights + v * LANES * 4, step, corrections);
    for (; v < vectors; v++)
      SET(int8_row_one)(job, r, n + v * LANES, weights + v * LANES * 4, step, corrections);
  }
}

static void SET(int8_run)(const SET(job) *job, size_t rows) {
  const ta_matrix *matrix = job->matrix;
  size_t padded_inputs = SET(up)(matrix->inputs, 4);
  for (size_t row = 0; row < rows; row += MOST_ROWS) {
    size_t end = TA_MIN(row + MOST_ROWS, rows);
    int32_t corrections[MOST_ROWS];
    for (size_t r = row; CORRECTS && r < end; r++)
      corrections[r - row] = SET(correction)((const int8_t *)job->x + r * job->x_stride, matrix->inputs);
    for (size_t n = 0; n < matrix->outputs; n += WIDE * LANES) {
      size_t vectors = TA_MIN((matrix->outputs - n + LANES - 1) / LANES, WIDE);
      const WEIGHT *weights = (const WEIGHT *)matrix->weights + n * padded_inputs;
      SET(int8_block)(job, row, end, n, vectors, weights, corrections);
    }
  }
}

static void SET(int8_product)(const ta_matrix *matrix, const int8_t *x, size_t x_stride, const float *x_scales,
                              const int32_t *x_zeros, size_t rows, const float *bias, int add, float *y,
                              size_t y_stride) {
  if (!matrix->is_packed) {
    ta_kernels_scalar()->int8_product(matrix, x, x_stride, x_scales, x_zeros, rows, bias, add, y, y_stride);
    return;
  }
  const SET(job) job = {matrix, x, x_stride, x_scales, x_zeros, 0, bias, add, y, NULL, y_stride};
  SET(int8_run)(&job, rows);
}

static void SET(int8_sums)(const ta_matrix *matrix, const int8_t *x, size_t x_stride, int32_t zero_point, size_t rows,
                           int32_t *sums, size_t sums_stride) {
  if (!matrix->is_packed) {
    ta_kernels_scalar()->int8_sums(matrix, x, x_stride, zero_point, rows, sums, sums_stride);
    return;
  }
  const SET(job) job = {matrix, x, x_stride, NULL, NULL, zero_point, NULL, 0, NULL, sums, sums_stride};
  SET(int8_run)(&job, rows);
}

INLINE void SET(float_tile)(const SET(job) *job, const size_t rows, const size_t vectors, size_t row, size_t n,
                            const float *weights, size_t step) {
  VF sums[TILE];
  const size_t inputs = job->matrix->inputs, stride = job->x_stride, count = job->matrix->outputs - n;
  const float *x = (const float *)job->x + row * stride;
  UNROLL for (size_t i = 0; i < rows * vectors; i++) sums[i] = (VF){0};
  for (size_t k = 0; k < inputs; k++, weights += step) {
    UNROLL for (size_t r = 0; r < rows; r++) {
      VF input = SET(all)(x[r * stride + k]);
      UNROLL for (size_t v = 0; v < vectors; v++)
        sums[r * vectors + v] = SET(fuse)(input, SET(load)(weights + v * LANES), sums[r * vectors + v]);
    }
  }
  const SET(job) j = *job; /* a copy, as what is stored below could change it */
  const float *bias = j.bias != NULL ? j.bias + n : NULL;
  UNROLL for (size_t r = 0; r < rows; r++) {
    float *to = j.y + (row + r) * j.y_stride + n;
    const float *from = j.add ? to : bias;
    UNROLL for (size_t v = 0; v < vectors; v++)
      SET(finish)(sums[r * vectors + v], to + v * LANES, from != NULL ? from + v * LANES : NULL, count, vectors == 1);
  }
}

static void SET(float_block)(const SET(job) *job, size_t rows, size_t n, size_t vectors, const float *weights) {
  const size_t step = vectors * LANES, whole = TA_MIN(job->matrix->outputs - n, WIDE * LANES) / LANES;
  size_t last = rows / ROWS * ROWS, v = 0;
  for (; v + NARROW <= whole; v += NARROW)
    for (size_t r = 0; r < last; r += ROWS)
      SET(float_tile)(job, ROWS, NARROW, r, n + v * LANES, weights + v * LANES, step);
  for (; v < vectors; v++)
    for (size_t r = 0; r < last; r += ROWS)
      SET(float_tile)(job, ROWS, 1, r, n + v * LANES, weights + v * LANES, step);
  for (size_t r = last; r < rows; r++) {
    v = 0;
    for (; v + WIDE <= whole; v += WIDE) SET(float_tile)(job, 1, WIDE, r, n, weights, step);
    for (; v + NARROW <= whole; v += NARROW)
      SET(float_tile)(job, 1, NARROW, r, n + v * LANES, weights + v * LANES, step);
    for (; v < vectors; v++) SET(float_tile)(job, 1, 1, r, n + v * LANES, weights + v * LANES, step);
  }
}

static void SET(float_product)(const ta_matrix *matrix, const float *x, size_t x_stride, size_t rows,
                               const float *bias, int add, float *y, size_t y_stride) {
  const SET(job) job = {matrix, x, x_stride, NULL, NULL, 0, bias, add, y, NULL, y_stride};
  for (size_t n = 0; n < matrix->outputs; n += WIDE * LANES) {
    size_t vectors = TA_MIN((matrix->outputs - n + LANES - 1) / LANES, WIDE);
    SET(float_block)(&job, rows, n, vectors, (const float *)matrix->weights + n * matrix->inputs);
  }
}

/* ---- Rows to int8 ---- */

INLINE VF SET(size)(VF x) { return (VF)((VI)x & 0x7fffffff); }

/* The last LANES numbers of a row that has so many. So some are read twice, which is faster than to read the rest
 * alone. 16 numbers that become int8 at once do the same. */
INLINE VF SET(load_last)(const float *row, size_t count) {
  return count < LANES ? SET(load_some)(row, count) : SET(load)(row + count - LANES);
}

/* LANES numbers of a row, and 0 where it has none. */
INLINE VF SET(load_from)(const float *row, size_t at, size_t count) {
  if (at + LANES <= count) return SET(load)(row + at);
  return at < count ? SET(load_some)(row + at, count - at) : (VF){0};
}

/* Sets what is behind the numbers of a row to 0, up to a multiple of 64. */
INLINE void SET(pad)(int8_t *out, size_t count) {
  typedef uint64_t word __attribute__((aligned(1), may_alias));
  for (; count % 8 != 0; count++) out[count] = 0;
  for (; count % 64 != 0; count += 8) *(word *)(void *)(out + count) = 0;
}

static float SET(quantize)(const float *row, size_t count, int8_t *out) {
  VF largest_of = {0};
  size_t k = 0;
  for (; k + LANES <= count; k += LANES) largest_of = SET(maximum)(SET(size)(SET(load)(row + k)), largest_of);
  if (k < count) largest_of = SET(maximum)(SET(size)(SET(load_last)(row, count)), largest_of);
  float largest = SET(largest)(largest_of);
  int is_zero = !(largest >= 1e-36f);
  VF inverse = SET(all)(is_zero ? 0 : 127.0f / largest), low = SET(all)(-127), high = SET(all)(127);
  for (k = 0; k < count; k += 16) {
    if (k + 16 > count && count > 16) k = count - 16;
    VF values[16 / LANES];
    UNROLL for (size_t i = 0; i < 16 / LANES; i++) {
      VF value = SET(load_from)(row, k + i * LANES, count) * inverse;
      value = SET(minimum)(SET(maximum)(value, low), high);
      VI half = ((VI)value & INT32_MIN) | 0x3effffff; /* the float below 0.5, with the sign of the value */
      values[i] = value + (VF)half;
    }
    SET(narrow)(values, out + k);
  }
  SET(pad)(out, count);
  return is_zero ? 1 : largest / 127.0f;
}

INLINE void SET(extremes)(const float *row, size_t count, float *least, float *largest) {
  VF largest_of = {0}, least_of = {0};
  size_t k = 0;
  for (; k + LANES <= count; k += LANES) {
    largest_of = SET(maximum)(SET(load)(row + k), largest_of);
    least_of = SET(minimum)(SET(load)(row + k), least_of);
  }
  if (k < count) {
    VF last = SET(load_last)(row, count);
    largest_of = SET(maximum)(last, largest_of);
    least_of = SET(minimum)(last, least_of);
  }
  *least = -SET(largest)(-least_of);
  *largest = SET(largest)(largest_of);
}

INLINE void SET(quantize_by)(const float *row, size_t count, const ta_rounding rounding, ta_range range, int8_t *out) {
  VF factor = SET(all)(range.factor), low = SET(all)(-128), high = SET(all)(127);
  VF zero = SET(all)(rounding == TA_EVEN ? range.zero - TA_WHOLE : range.zero);
  for (size_t k = 0; k < count; k += 16) {
    if (k + 16 > count && count > 16) k = count - 16;
    VF values[16 / LANES];
    UNROLL for (size_t i = 0; i < 16 / LANES; i++) {
      VF value = SET(load_from)(row, k + i * LANES, count) * factor;
      if (rounding == TA_EVEN) value += TA_WHOLE;
      value = SET(minimum)(SET(maximum)(value + zero, low), high);
      VI half = ((VI)value & INT32_MIN) | 0x3effffff; /* the float below 0.5, with the sign of the value */
      values[i] = rounding == TA_EVEN ? value : value + (VF)half;
    }
    SET(narrow)(values, out + k);
  }
  SET(pad)(out, count);
}

/* Each of the three steps is made for some rows before the next, as a step of a row waits for the one before. */
INLINE void SET(quantize_ranges_by)(const float *x, size_t rows, size_t count, const ta_rounding rounding, int8_t *out,
                                    float *scales, int32_t *zeros) {
  enum { SOME_ROWS = 16 };
  float least[SOME_ROWS], largest[SOME_ROWS];
  ta_range ranges[SOME_ROWS];
  for (size_t first = 0; first < rows; first += SOME_ROWS) {
    const size_t some = TA_MIN(rows - first, (size_t)SOME_ROWS);
    for (size_t i = 0; i < some; i++) SET(extremes)(x + (first + i) * count, count, &least[i], &largest[i]);
    for (size_t i = 0; i < some; i++) {
      ranges[i] = ta_range_of(least[i], largest[i], rounding);
      scales[first + i] = ranges[i].scale;
      zeros[first + i] = (int32_t)ranges[i].zero;
    }
    for (size_t i = 0; i < some; i++)
      SET(quantize_by)(x + (first + i) * count, count, rounding, ranges[i], out + (first + i) * SET(up)(count, 64));
  }
}

static void SET(quantize_ranges)(const float *x, size_t rows, size_t count, ta_rounding rounding, int8_t *out,
                                 float *scales, int32_t *zeros) {
  if (rounding == TA_EVEN) SET(quantize_ranges_by)(x, rows, count, TA_EVEN, out, scales, zeros);
  else SET(quantize_ranges_by)(x, rows, count, TA_AWAY, out, scales, zeros);
}

/* ---- Functions, as in kernels_scalar.c ---- */

/* 2^y of `count` vectors, at most 4; a constant where this is called. Each operation is made for all of them before the
 * next, as an operation waits for the one before. */
INLINE void SET(powers)(VF *y, const size_t count) {
  enum { MOST = 4 };
  VF f[MOST], s[MOST], p[MOST], q[MOST];
  VI n[MOST];
  UNROLL for (size_t i = 0; i < count; i++) {
    y[i] = SET(minimum)(SET(all)(TA_MOST_POWER), SET(maximum)(SET(all)(-TA_MOST_POWER), y[i]));
    f[i] = y[i] + TA_WHOLE;
  }
  UNROLL for (size_t i = 0; i < count; i++) {
    n[i] = (VI)f[i] << 23;
    f[i] = y[i] - (f[i] - TA_WHOLE);
    s[i] = f[i] * f[i];
  }
  UNROLL for (size_t i = 0; i < count; i++) p[i] = f[i] * TA_POWER_5 + TA_POWER_4;
  UNROLL for (size_t i = 0; i < count; i++) q[i] = f[i] * TA_POWER_3 + TA_POWER_2;
  UNROLL for (size_t i = 0; i < count; i++) p[i] = p[i] * s[i] + q[i];
  UNROLL for (size_t i = 0; i < count; i++) q[i] = f[i] * TA_POWER_1 + 1.0f;
  UNROLL for (size_t i = 0; i < count; i++) y[i] = (VF)((VI)(p[i] * s[i] + q[i]) + n[i]);
}

INLINE VF SET(sigmoid_of)(VF x) {
  VF e = x * -TA_LOG2_E;
  SET(powers)(&e, 1);
  return 1.0f / (1.0f + e);
}

INLINE VF SET(tanh_of)(VF x) {
  VF e = x * (-2 * TA_LOG2_E);
  SET(powers)(&e, 1);
  return (1.0f - e) / (1.0f + e);
}

INLINE VF SET(exp_of)(VF x) {
  VF limited = SET(minimum)(SET(all)(89.0f), SET(maximum)(SET(all)(-88.0f), x));
  VF n = limited * TA_LOG2_E + TA_WHOLE - TA_WHOLE;
  VF r = limited - n * 0.693359375f - n * -2.12194440e-4f;
  VF p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  VI whole = __builtin_convertvector(n, VI), half = whole >> 1;
  p = p * (VF)((half + 127) << 23) * (VF)((whole - half + 127) << 23);
  return (VF)((VI)p & ~(VI)(x < -87.33654f));
}

#define EACH(name, result)                                         \
  static void SET(name)(const float *x, size_t count, float *y) {  \
    size_t i = 0;                                                  \
    for (; i + LANES <= count; i += LANES) {                       \
      VF value = SET(load)(x + i);                                 \
      SET(store)(y + i, result);                                   \
    }                                                              \
    if (i < count) {                                               \
      VF value = SET(load_some)(x + i, count - i);                 \
      SET(store_some)(y + i, result, count - i);                   \
    }                                                              \
  }
EACH(tanh, SET(tanh_of)(value))
EACH(sigmoid, SET(sigmoid_of)(value))
EACH(exp, SET(exp_of)(value))
#undef EACH

/* Numbers from `from` on, or the first `count` of them where LANES are not left. */
INLINE VF SET(load_left)(const float *from, size_t count) {
  return count < LANES ? SET(load_some)(from, count) : SET(load)(from);
}
INLINE void SET(store_left)(float *to, VF value, size_t count) {
  if (count < LANES) SET(store_some)(to, value, count);
  else SET(store)(to, value);
}

/* All cells come before all hidden states: so a processor works on several vectors at a time, and none waits for its
 * cell. Meanwhile `hidden` holds the denominators of the output gates. */
static void SET(lstm_step)(const float *gates, size_t units, float *cell, float *hidden) {
  for (size_t u = 0; u < units; u += LANES) {
    const size_t left = units - u;
    VF e[4];
    UNROLL for (size_t gate = 0; gate < 4; gate++)
      e[gate] = SET(load_left)(gates + gate * units + u, left) * (gate == 2 ? -2 * TA_LOG2_E : -TA_LOG2_E);
    SET(powers)(e, 4);
    VF i = 1.0f + e[0], f = 1.0f + e[1], g = e[2], q = i * (1.0f + g);
    SET(store_left)(cell + u, (SET(load_left)(cell + u, left) * q + (1.0f - g) * f) / (q * f), left);
    SET(store_left)(hidden + u, 1.0f + e[3], left);
  }
  for (size_t u = 0; u < units; u += LANES) {
    const size_t left = units - u;
    VF c = SET(load_left)(cell + u, left) * (-2 * TA_LOG2_E);
    SET(powers)(&c, 1);
    SET(store_left)(hidden + u, (1.0f - c) / (SET(load_left)(hidden + u, left) * (1.0f + c)), left);
  }
}

/* ---- Element by element ---- */

static void SET(add_scaled)(float a, const float *x, size_t count, float *y) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) SET(store)(y + i, SET(load)(y + i) + a * SET(load)(x + i));
  for (; i < count; i++) y[i] += a * x[i];
}

static void SET(scale_bytes)(float a, const int8_t *x, size_t count, float *y) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES)
    SET(store)(y + i, a * __builtin_convertvector(SET(widen)(x + i), VF));
  for (; i < count; i++) y[i] = a * (float)x[i];
}

static float SET(dot)(const float *x, const float *y, size_t count) {
  VF sums[16 / LANES] = {{0}};
  size_t i = 0;
  for (; i + 16 <= count; i += 16)
    UNROLL for (size_t v = 0; v < 16 / LANES; v++)
      sums[v] += SET(load)(x + i + v * LANES) * SET(load)(y + i + v * LANES);
  size_t j = 0;
  for (; i + LANES <= count; i += LANES, j++) sums[j] += SET(load)(x + i) * SET(load)(y + i);
  if (i < count) sums[j] += SET(load_some)(x + i, count - i) * SET(load_some)(y + i, count - i);
  for (size_t half = 16 / LANES / 2; half > 0; half /= 2)
    for (j = 0; j < half; j++) sums[j] += sums[j + half];
  return SET(total)(sums[0]);
}

static void SET(add)(const float *x1, const float *x2, size_t count, float *y) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) SET(store)(y + i, SET(load)(x1 + i) + SET(load)(x2 + i));
  for (; i < count; i++) y[i] = x1[i] + x2[i];
}

static void SET(multiply)(const float *x1, const float *x2, size_t count, float *y) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) SET(store)(y + i, SET(load)(x1 + i) * SET(load)(x2 + i));
  for (; i < count; i++) y[i] = x1[i] * x2[i];
}

/* Sums of LANES columns stay in a register over all rows. */
static void SET(sum_rows)(const int8_t *table, size_t columns, const uint32_t *rows, size_t count, int32_t *out) {
  size_t k = 0;
  for (; k + LANES <= columns; k += LANES) {
    VI sums = {0};
    for (size_t row = 0; row < count; row++) sums += SET(widen)(table + rows[row] * columns + k);
    *(SET(viu) *)(out + k) = sums;
  }
  for (; k < columns; k++) {
    int32_t sum = 0;
    for (size_t row = 0; row < count; row++) sum += table[rows[row] * columns + k];
    out[k] = sum;
  }
}

static const ta_kernels SET(set) = {.name = NAME,
                                    .int8_size = SET(int8_size),
                                    .int8_pack = SET(int8_pack),
                                    .float_size = SET(float_size),
                                    .float_pack = SET(float_pack),
                                    .quantize = SET(quantize),
                                    .quantize_ranges = SET(quantize_ranges),
                                    .int8_product = SET(int8_product),
                                    .int8_sums = SET(int8_sums),
                                    .float_product = SET(float_product),
                                    .tanh = SET(tanh),
                                    .sigmoid = SET(sigmoid),
                                    .exp = SET(exp),
                                    .lstm_step = SET(lstm_step),
                                    .add_scaled = SET(add_scaled),
                                    .scale_bytes = SET(scale_bytes),
                                    .dot = SET(dot),
                                    .add = SET(add),
                                    .multiply = SET(multiply),
                                    .sum_rows = SET(sum_rows)};

#undef NAME
#undef SET
#undef LANES
#undef WIDE
#undef ROWS
#undef SHARES
#undef NARROW
#undef SOME
#undef TILE
#undef MOST_ROWS
#undef WEIGHT
#undef PLACE
#undef EXCLUDES_LEAST
#undef CORRECTS
#undef MOVED
#undef VF
#undef VI
#undef INLINE
#undef UNROLL
