// Classify one image with LiteRT's C API, leaving at the first exit that is sure enough.
//
//   kdtasks export c bundles/int8 --to c             # writes exits.h; needs no tflite-micro
//   gcc -O2 -I c early_exits.c libLiteRt.so -lm -o early_exits
//   ./early_exits bundles/int8/model.tflite image.raw        # uint8 [height][width][channels]
//
// It prints class, exit and confidence. For int8 bundles with the score max_probability. The
// declarations are those of LiteRT 2.3's litert/c/*.h, which its Python wheel does not carry; with
// the headers at hand include them instead.

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exits.h"

#ifndef KDTASKS_SCORE_MAX_PROBABILITY
#error "this program knows the score max_probability alone"
#endif

typedef struct LiteRtEnvironmentT *LiteRtEnvironment;
typedef struct LiteRtModelT *LiteRtModel;
typedef struct LiteRtOptionsT *LiteRtOptions;
typedef struct LiteRtCompiledModelT *LiteRtCompiledModel;
typedef struct LiteRtSignatureT *LiteRtSignature;
typedef struct LiteRtTensorT *LiteRtTensor;
typedef struct LiteRtTensorBufferT *LiteRtTensorBuffer;
typedef struct LiteRtTensorBufferRequirementsT *LiteRtTensorBufferRequirements;
typedef struct {
  int element_type;
  unsigned int rank : 7;
  unsigned int has_strides : 1;
  int32_t dimensions[8];
  uint32_t strides[8];
} LiteRtRankedTensorType;
enum { kCpu = 1, kRead = 0, kWrite = 1 };

int LiteRtCreateEnvironment(int, const void *, LiteRtEnvironment *);
int LiteRtCreateModelFromFile(LiteRtEnvironment, const char *, LiteRtModel *);
int LiteRtCreateOptions(LiteRtOptions *);
int LiteRtSetOptionsHardwareAccelerators(LiteRtOptions, int);
int LiteRtCreateCompiledModel(LiteRtEnvironment, LiteRtModel, LiteRtOptions, LiteRtCompiledModel *);
int LiteRtGetNumModelSignatures(LiteRtModel, size_t *);
int LiteRtGetModelSignature(LiteRtModel, size_t, LiteRtSignature *);
int LiteRtGetSignatureKey(LiteRtSignature, const char **);
int LiteRtGetNumSignatureInputs(LiteRtSignature, size_t *);
int LiteRtGetNumSignatureOutputs(LiteRtSignature, size_t *);
int LiteRtGetSignatureInputName(LiteRtSignature, size_t, const char **);
int LiteRtGetSignatureOutputName(LiteRtSignature, size_t, const char **);
int LiteRtGetSignatureInputTensorByIndex(LiteRtSignature, size_t, LiteRtTensor *);
int LiteRtGetSignatureOutputTensorByIndex(LiteRtSignature, size_t, LiteRtTensor *);
int LiteRtGetRankedTensorType(LiteRtTensor, LiteRtRankedTensorType *);
int LiteRtGetCompiledModelInputBufferRequirements(LiteRtCompiledModel, size_t, size_t,
                                                  LiteRtTensorBufferRequirements *);
int LiteRtGetCompiledModelOutputBufferRequirements(LiteRtCompiledModel, size_t, size_t,
                                                   LiteRtTensorBufferRequirements *);
int LiteRtCreateManagedTensorBufferFromRequirements(LiteRtEnvironment,
                                                    const LiteRtRankedTensorType *,
                                                    LiteRtTensorBufferRequirements,
                                                    LiteRtTensorBuffer *);
int LiteRtLockTensorBuffer(LiteRtTensorBuffer, void **, int);
int LiteRtUnlockTensorBuffer(LiteRtTensorBuffer);
int LiteRtRunCompiledModel(LiteRtCompiledModel, size_t, size_t, LiteRtTensorBuffer *, size_t,
                           LiteRtTensorBuffer *);

#define MOST 16  // tensors of a signature, and of all
#define PIXELS (KDTASKS_HEIGHT * KDTASKS_WIDTH * KDTASKS_CHANNELS)
#define CHECK(call)                                      \
  do {                                                   \
    int status = (call);                                 \
    if (status) {                                        \
      fprintf(stderr, "%s: status %d\n", #call, status); \
      exit(1);                                           \
    }                                                    \
  } while (0)

// Tensors by their names in the signatures: what a segment gives, a later one takes.
static struct {
  const char *name;
  LiteRtTensorBuffer buffer;
} tensors[MOST];
static int count = 0;

static LiteRtTensorBuffer find(const char *name) {
  for (int i = count - 1; i >= 0; --i)
    if (!strcmp(tensors[i].name, name)) return tensors[i].buffer;
  fprintf(stderr, "no segment gives %s\n", name);
  exit(1);
}

static LiteRtTensorBuffer add(LiteRtEnvironment environment, const char *name, LiteRtTensor tensor,
                              LiteRtTensorBufferRequirements requirements) {
  LiteRtRankedTensorType type;
  if (count == MOST) exit(1);
  CHECK(LiteRtGetRankedTensorType(tensor, &type));
  tensors[count].name = name;
  CHECK(LiteRtCreateManagedTensorBufferFromRequirements(environment, &type, requirements,
                                                        &tensors[count].buffer));
  return tensors[count++].buffer;
}

static size_t find_signature(LiteRtModel model, int segment, LiteRtSignature *signature) {
  char wanted[32];
  size_t signatures;
  snprintf(wanted, sizeof wanted, "segment_%d", segment);
  CHECK(LiteRtGetNumModelSignatures(model, &signatures));
  for (size_t index = 0; index < signatures; ++index) {
    const char *key;
    CHECK(LiteRtGetModelSignature(model, index, signature));
    CHECK(LiteRtGetSignatureKey(*signature, &key));
    if (!strcmp(key, wanted)) return index;
  }
  fprintf(stderr, "the model has no %s\n", wanted);
  exit(1);
}

// The largest probability after temperature scaling, and its class.
static float confidence(const int8_t *logits, int segment, int *best) {
  float step = kdtasks_logits_scales[segment] / kdtasks_temperatures[segment], sum = 0.0f;
  *best = 0;
  for (int i = 1; i < KDTASKS_CLASSES; ++i)
    if (logits[i] > logits[*best]) *best = i;
  for (int i = 0; i < KDTASKS_CLASSES; ++i) sum += expf((logits[i] - logits[*best]) * step);
  return 1.0f / sum;
}

int main(int words, char **word) {
  static uint8_t pixels[PIXELS];
  LiteRtEnvironment environment;
  LiteRtModel model;
  LiteRtOptions options;
  LiteRtCompiledModel compiled;
  FILE *file = words == 3 ? fopen(word[2], "rb") : NULL;
  if (!file || fread(pixels, 1, PIXELS, file) != PIXELS) {
    fprintf(stderr, "usage: early_exits model.tflite image.raw, of %d bytes\n", PIXELS);
    return 1;
  }
  fclose(file);
  CHECK(LiteRtCreateEnvironment(0, NULL, &environment));
  CHECK(LiteRtCreateModelFromFile(environment, word[1], &model));
  CHECK(LiteRtCreateOptions(&options));
  CHECK(LiteRtSetOptionsHardwareAccelerators(options, kCpu));
  CHECK(LiteRtCreateCompiledModel(environment, model, options, &compiled));

  for (int segment = 0; segment < KDTASKS_EXITS; ++segment) {
    LiteRtSignature signature;
    LiteRtTensorBuffer inputs[MOST], outputs[MOST];
    size_t index = find_signature(model, segment, &signature), taken, given;
    CHECK(LiteRtGetNumSignatureInputs(signature, &taken));
    CHECK(LiteRtGetNumSignatureOutputs(signature, &given));
    for (size_t i = 0; i < taken; ++i) {
      const char *name;
      CHECK(LiteRtGetSignatureInputName(signature, i, &name));
      if (segment == 0) {  // it takes the image alone
        LiteRtTensor tensor;
        LiteRtTensorBufferRequirements requirements;
        void *memory;
        CHECK(LiteRtGetSignatureInputTensorByIndex(signature, i, &tensor));
        CHECK(LiteRtGetCompiledModelInputBufferRequirements(compiled, index, i, &requirements));
        LiteRtTensorBuffer image = add(environment, name, tensor, requirements);
        CHECK(LiteRtLockTensorBuffer(image, &memory, kWrite));
        for (int pixel = 0; pixel < PIXELS; ++pixel)
          ((int8_t *)memory)[pixel] =
              (int8_t)(lrintf(pixels[pixel] / KDTASKS_IMAGE_SCALE) + KDTASKS_IMAGE_ZERO_POINT);
        CHECK(LiteRtUnlockTensorBuffer(image));
      }
      inputs[i] = find(name);
    }
    for (size_t i = 0; i < given; ++i) {
      const char *name;
      LiteRtTensor tensor;
      LiteRtTensorBufferRequirements requirements;
      CHECK(LiteRtGetSignatureOutputName(signature, i, &name));
      CHECK(LiteRtGetSignatureOutputTensorByIndex(signature, i, &tensor));
      CHECK(LiteRtGetCompiledModelOutputBufferRequirements(compiled, index, i, &requirements));
      outputs[i] = add(environment, name, tensor, requirements);
    }
    CHECK(LiteRtRunCompiledModel(compiled, index, taken, inputs, given, outputs));

    void *memory;
    int best;
    CHECK(LiteRtLockTensorBuffer(find("logits"), &memory, kRead));
    float sure = confidence(memory, segment, &best);
    CHECK(LiteRtUnlockTensorBuffer(find("logits")));
    if (segment == KDTASKS_EXITS - 1 || sure >= kdtasks_thresholds[segment]) {
      printf("%s %d %.4f\n", kdtasks_class_names[best], segment, sure);
      break;
    }
  }
  return 0;
}
