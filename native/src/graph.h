/* A subgraph as a program: tensors with places in memory, and steps in the order of the file. */
#ifndef TA_GRAPH_H
#define TA_GRAPH_H

#include "engine.h"
#include "tflite.h"

#define TA_NO_TENSOR UINT32_MAX

typedef struct ta_program ta_program;
typedef struct ta_step ta_step;

/* Where a tensor of a program lies. */
typedef struct {
  const void *constant;   /* numbers of this machine; NULL for what is computed */
  const uint8_t *halves;  /* float16 in the file that this float32 tensor is read from, or NULL */
  uint32_t buffer;        /* of `halves` */
  uint32_t root;          /* the tensor whose memory it shares: itself, or the one that it is a view of */
  size_t behind;          /* bytes from the start of its root */
  size_t offset;          /* bytes from the start of the memory */
  size_t bytes;           /* that a root takes, at the length of the plan */
  uint32_t first, last;   /* steps that use it, of a root */
  uint32_t next;          /* of the plan of memory */
  uint8_t written;
  uint8_t learned;        /* whether `slope` is known */
  int32_t slope[TA_AXES]; /* its sizes are shape + slope * (length - longest length) */
} ta_slot;

#define TA_TRIAL 12 /* tokens that texts are padded to where both ways to run are compared */

/* A run of a program. */
typedef struct {
  const ta_program *program;
  const int32_t (*shapes)[TA_AXES]; /* of each tensor at the text's own length; NULL: those of the file */
  uint8_t *memory, *scratch;
  const ta_kernels *kernels;
  const char *wrong; /* what an operator met that it cannot go on with */
} ta_frame;

struct ta_step {
  void (*run)(const ta_step *step, ta_frame *frame);
  /* The same for several texts; NULL where they gain nothing by it. Longer texts come first. Their frames' memory and
   * scratch are equally far apart. */
  void (*run_together)(const ta_step *step, ta_frame *frames, size_t count);
  /* Whether the step reads and writes only inside its tensors at the shapes of a frame; gives the bytes of scratch that
   * it needs. It must hold for every shape that is run. */
  int (*fits)(const ta_step *step, const ta_frame *frame, size_t *scratch);
  const uint32_t *in, *out; /* numbers of tensors; TA_NO_TENSOR where one is left out */
  uint32_t in_count, out_count;
  uint32_t reads; /* a bit for each input whose numbers are read at run time; the last bit stands for all that follow */
  uint32_t work; /* multiply-adds for each number of its first output, beside moving it */
  const void *params; /* equal bytes mean equal work */
  size_t params_size;
};

struct ta_program {
  ta_subgraph graph;
  ta_slot *slots;
  ta_step *steps; /* one for each operator; `run` is NULL where there is nothing to do */
  size_t memory, scratch; /* bytes of a run at the shapes of the file */
  int32_t length;
  size_t trial_scratch; /* of runs of at most TA_TRIAL tokens, where shapes follow from the length */
  int32_t least; /* tokens that it can run at, where shapes follow from the length */
  uint32_t *inputs; /* tensors of the wanted inputs */
  uint32_t logits, attention;
  size_t compared; /* bytes of constants that were compared with other programs' */
};

static inline const int32_t *ta_shape_of(const ta_frame *frame, uint32_t tensor) {
  return frame->shapes ? frame->shapes[tensor] : frame->program->graph.tensors[tensor].shape;
}
static inline uint32_t ta_rank(const ta_frame *frame, uint32_t tensor) {
  return frame->program->graph.tensors[tensor].rank;
}
static inline size_t ta_count(const ta_frame *frame, uint32_t tensor) {
  const int32_t *shape = ta_shape_of(frame, tensor);
  size_t count = 1;
  for (uint32_t axis = 0; axis < TA_AXES; axis++) count *= (size_t)shape[axis];
  return count;
}
static inline const void *ta_read(const ta_frame *frame, uint32_t tensor) {
  const ta_slot *slot = &frame->program->slots[tensor];
  return slot->constant ? slot->constant : frame->memory + slot->offset;
}
static inline void *ta_write(const ta_frame *frame, uint32_t tensor) {
  return frame->memory + frame->program->slots[tensor].offset;
}
/* The size of the last axis, 1 for a single number; and the number of rows of it. */
static inline size_t ta_width(const ta_frame *frame, uint32_t tensor) {
  uint32_t rank = ta_rank(frame, tensor);
  return rank == 0 ? 1 : (size_t)ta_shape_of(frame, tensor)[rank - 1];
}
static inline size_t ta_padded(size_t count) {
  return (count + 63) & ~(size_t)63;
}

/* A matrix that is packed after all checks; operators with equal weights share one. */
typedef struct ta_packed {
  ta_matrix matrix;
  const ta_tensor *parts[4]; /* one above the other */
  const uint8_t *halves[4];
  uint32_t part_count;
  uint32_t inputs;
  uint32_t buffers[4];
  struct ta_packed *next;
} ta_packed;

/* A constant in numbers of this machine. Tensors of different types may share a buffer, such as one of zeros. */
typedef struct ta_native {
  int32_t type;
  int32_t from_halves;
  struct ta_native *next;
  void *memory;
} ta_native;

/* What programs of one file share. */
typedef struct {
  ta_file file;
  ta_arena *arena;
  const ta_kernels *kernels;
  textapp_message *message;
  struct ta_native **natives; /* of each buffer */
  ta_packed *packed;
  void *packing; /* memory that packing needed for itself */
  size_t packing_size;
  const ta_engine_wanted *wanted;
  /* The operator that is being read. */
  ta_program *program;
  ta_step *step;
  const ta_operator *operator;
  const char *operator_name;
  uint32_t index;
  int32_t what; /* of its kind */
  textapp_status status;
} ta_builder;

/* A kind of operator. */
typedef struct {
  int32_t code;
  const char *name;
  uint32_t options_type; /* 0: none */
  uint32_t least, most;  /* inputs */
  uint32_t left_out;     /* a bit for each input that may be left out */
  uint32_t reads;        /* as in a step */
  void (*prepare)(ta_builder *builder);
  int32_t what; /* tells kinds with one `prepare` apart */
} ta_operator_kind;
const ta_operator_kind *ta_operator_kind_of(int32_t code);

/* Of a kind's `prepare`. After a broken rule the status is set; `prepare` returns soon. */
int ta_rule(ta_builder *builder, int holds, const char *rule);     /* a broken rule of the format */
int ta_known(ta_builder *builder, int holds, const char *feature); /* a right model that needs what this core lacks */
const ta_tensor *ta_input(const ta_builder *builder, uint32_t position); /* NULL where it is left out */
const ta_tensor *ta_output(const ta_builder *builder, uint32_t position);
/* Constant integers of an input: at most TA_INTEGERS of them. */
#define TA_INTEGERS (2 * TA_AXES)
uint32_t ta_integers(ta_builder *builder, uint32_t position, int32_t *out);
/* An axis of `rank` axes, counted from the front. */
uint32_t ta_axis(ta_builder *builder, int32_t axis, uint32_t rank);
int32_t ta_option(ta_builder *builder, uint32_t field, int32_t missing);
int ta_flag(ta_builder *builder, uint32_t field);
/* Makes an output a view of an input, `offset` bytes behind its start. */
void ta_view(ta_builder *builder, uint32_t input, uint32_t output, size_t offset);
/* Gives the step its work: memory for `size` bytes of params, zero. */
void *ta_work(ta_builder *builder, void (*run)(const ta_step *, ta_frame *),
              int (*fits)(const ta_step *, const ta_frame *, size_t *), size_t size);
/* Whether an output has a type and a shape. */
void ta_gives(ta_builder *builder, uint32_t position, int type, uint32_t rank, const int32_t *shape);
int ta_is_constant(const ta_builder *builder, uint32_t position); /* of the file, also as float16 */
/* A packed matrix of the constants of inputs, one above the other. */
const ta_packed *ta_pack(ta_builder *builder, const uint32_t *positions, uint32_t count);
/* A native copy of a constant tensor; NULL where memory is out. */
const void *ta_constant(ta_builder *builder, uint32_t tensor);
void *ta_memory(ta_builder *builder, size_t count, size_t size);
/* Counts bytes of constants that are read in a check, so that a small file cannot be checked for minutes. */
int ta_spend(ta_builder *builder, size_t bytes);

/* The loops of an operation on tensors that are broadcast: axes with equal steps are joined. */
typedef struct {
  uint32_t rank;         /* 1 or more */
  size_t size[TA_AXES];
  size_t step[3][TA_AXES]; /* of each input, in elements */
} ta_loops;
/* 0 where the inputs do not fit the output. */
int ta_loops_make(ta_loops *loops, const ta_frame *frame, const uint32_t *inputs, uint32_t count, uint32_t output);
/* Calls `inner` for each run of the last axis: places of the inputs and of the output, in elements. */
void ta_loops_run(const ta_loops *loops, void (*inner)(void *user, const size_t *at, size_t out, const ta_loops *loops),
                  void *user);
int ta_loops_fit(const ta_step *step, const ta_frame *frame,
                 size_t *scratch); /* all inputs are broadcast to output 0 */

/* Reads and checks a signature. */
textapp_status ta_program_read(ta_builder *builder, ta_program *program, const ta_engine_signature *signature);
/* Joins lookups of rows and of their scales. */
void ta_join_lookups(ta_program *program);
/* Plans memory and scratch for texts of one length. The places of an earlier plan are lost. */
textapp_status ta_program_plan(ta_builder *builder, ta_program *program, int32_t length);
/* Fills the shapes of all tensors for a length. */
void ta_program_shapes(const ta_program *program, int32_t length, int32_t (*shapes)[TA_AXES]);
/* Finds how the shapes of the longest program follow from the length; 0 where the others do not agree. `shapes` is room
 * for its shapes. */
int ta_program_lengths(ta_program *longest, const ta_program *others, uint32_t count, uint32_t input_count,
                       int32_t (*shapes)[TA_AXES], uint32_t *map);
/* Packs all matrices. */
textapp_status ta_pack_all(ta_builder *builder);

#endif
