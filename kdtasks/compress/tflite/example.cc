// Answer an image with TensorFlow Lite Micro, leaving at the first exit that is sure enough.
//
// Written by `kdtasks export c`, and written anew by the next: change a copy. Compile it with the
// model_segment_*.c beside it and the library. One arena serves one segment after the other;
// features wait outside it.

#include <cmath>
#include <cstdint>
#include <cstring>

#include "exits.h"
#include "model_segments.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

alignas(16) uint8_t arena[KDTASKS_ARENA_BYTES];
uint8_t features[KDTASKS_FEATURE_BYTES];
tflite::MicroMutableOpResolver<KDTASKS_OPERATORS> resolver;

void WriteImage(const uint8_t *pixels, kdtasks_image_t *image) {
  for (int i = 0; i < KDTASKS_HEIGHT * KDTASKS_WIDTH * KDTASKS_CHANNELS; ++i) {
    const float value = std::rint(pixels[i] / KDTASKS_IMAGE_SCALE) + KDTASKS_IMAGE_ZERO_POINT;
    image[i] = static_cast<kdtasks_image_t>(
        std::fmin(std::fmax(value, KDTASKS_IMAGE_LOWEST), KDTASKS_IMAGE_HIGHEST));
  }
}

// The likeliest class: scale and zero point change no order, so it is found in the file's numbers.
int FindBest(const kdtasks_logits_t *logits) {
  int best = 0;
  for (int i = 1; i < KDTASKS_CLASSES; ++i)
    if (logits[i] > logits[best]) best = i;
  return best;
}

// What the threshold is compared with, from probabilities after temperature scaling.
float Score(const kdtasks_logits_t *logits, int segment) {
  const float scale = kdtasks_logits_scales[segment], temperature = kdtasks_temperatures[segment];
  const int best = FindBest(logits);
  float total = 0.0f, second = 0.0f, spread = 0.0f;
  for (int i = 0; i < KDTASKS_CLASSES; ++i) {
    const float below = (logits[i] - logits[best]) * scale / temperature;
    const float part = std::exp(below);
    total += part;
    spread += part * below;
    if (i != best && part > second) second = part;
  }
#if defined(KDTASKS_SCORE_MARGIN)
  return (1.0f - second) / total;
#elif defined(KDTASKS_SCORE_ENTROPY)
  return 1.0f - (std::log(total) - spread / total) / std::log(float{KDTASKS_CLASSES});
#elif defined(KDTASKS_SCORE_ENERGY)
  return (logits[best] - kdtasks_logits_zero_points[segment]) * scale +
         temperature * std::log(total);
#else
  return 1.0f / total;
#endif
}

}  // namespace

// Answer an image.
//
//   pixels: [height][width][channels], 0 to 255.
//   classes: [KDTASKS_PLACES], one class for the image, or one for each pixel of a mask.
//   score: of the exit that answered, for the image (a mask's means nothing).
//
// Returns the exit, from 0; -1 where the library refuses a segment: it logs why.
extern "C" int kdtasks_answer(const uint8_t *pixels, int *classes, float *score) {
  static bool is_ready = false;
  if (!is_ready) KDTASKS_ADD_OPERATORS(resolver);
  is_ready = true;
  for (int segment = 0; segment < KDTASKS_EXITS; ++segment) {
    tflite::MicroInterpreter interpreter(tflite::GetModel(kdtasks_segments[segment]), resolver,
                                         arena, sizeof arena);
    if (interpreter.AllocateTensors() != kTfLiteOk) return -1;
    for (size_t i = 0; i < interpreter.inputs_size(); ++i) {
      TfLiteTensor *input = interpreter.input(i);
      const int place = kdtasks_inputs[segment][i];
      if (place < 0)
        WriteImage(pixels, static_cast<kdtasks_image_t *>(input->data.data));
      else
        std::memcpy(input->data.data, features + place, input->bytes);
    }
    if (interpreter.Invoke() != kTfLiteOk) return -1;
    const kdtasks_logits_t *logits = nullptr;
    for (size_t i = 0; i < interpreter.outputs_size(); ++i) {
      const TfLiteTensor *output = interpreter.output(i);
      const int place = kdtasks_outputs[segment][i];
      if (place == -1)
        logits = static_cast<const kdtasks_logits_t *>(output->data.data);
      else if (place >= 0)
        std::memcpy(features + place, output->data.data, output->bytes);
    }
    *score = Score(logits, segment);
    if (segment < KDTASKS_EXITS - 1 && *score < kdtasks_thresholds[segment]) continue;
    for (int i = 0; i < KDTASKS_PLACES; ++i) classes[i] = FindBest(logits + i * KDTASKS_CLASSES);
    return segment;
  }
  return -1;
}
