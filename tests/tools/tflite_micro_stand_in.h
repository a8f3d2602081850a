// The few declarations of TensorFlow Lite Micro that example.cc uses, for where its headers are not:
// no Python package brings them. What they do, a function of the test does, with tflite-micro.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

union TfLitePtrUnion {
  void *data;
};

struct TfLiteTensor {
  TfLitePtrUnion data;
  size_t bytes;
};

// Words: the number of inputs i or outputs o, bytes of one (I, O), set one (s), run (r), get one (g).
extern "C" {
inline size_t (*tflite_micro_stand_in)(const void *model, char word, size_t index, void *data);
}

namespace tflite {

struct Model {};
inline const Model *GetModel(const void *buffer) { return static_cast<const Model *>(buffer); }

struct MicroOpResolver {
  size_t added = 0, most = 0;
};

template <unsigned int most_operators>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  MicroMutableOpResolver() { most = most_operators; }
  TfLiteStatus AddAdd() { return Add(); }
  TfLiteStatus AddAveragePool2D() { return Add(); }
  TfLiteStatus AddConv2D() { return Add(); }
  TfLiteStatus AddDepthwiseConv2D() { return Add(); }
  TfLiteStatus AddFullyConnected() { return Add(); }
  TfLiteStatus AddLeakyRelu() { return Add(); }
  TfLiteStatus AddMaxPool2D() { return Add(); }
  TfLiteStatus AddMean() { return Add(); }
  TfLiteStatus AddReshape() { return Add(); }

 private:
  TfLiteStatus Add() { return added++ < most ? kTfLiteOk : kTfLiteError; }
};

class MicroInterpreter {
 public:
  MicroInterpreter(const Model *model, const MicroOpResolver &resolver, uint8_t *arena, size_t)
      : model_(model), has_all_(resolver.added == resolver.most && arena) {}
  TfLiteStatus AllocateTensors() {
    inputs_.Make(model_, 'i', 'I');
    outputs_.Make(model_, 'o', 'O');
    return has_all_ ? kTfLiteOk : kTfLiteError;
  }
  TfLiteStatus Invoke() {
    for (size_t i = 0; i < inputs_size(); ++i)
      tflite_micro_stand_in(model_, 's', i, input(i)->data.data);
    tflite_micro_stand_in(model_, 'r', 0, nullptr);
    for (size_t i = 0; i < outputs_size(); ++i)
      tflite_micro_stand_in(model_, 'g', i, output(i)->data.data);
    return kTfLiteOk;
  }
  size_t inputs_size() const { return inputs_.tensors.size(); }
  size_t outputs_size() const { return outputs_.tensors.size(); }
  TfLiteTensor *input(size_t index) { return &inputs_.tensors.at(index); }
  TfLiteTensor *output(size_t index) { return &outputs_.tensors.at(index); }

 private:
  struct Tensors {
    std::vector<std::vector<uint8_t>> values;
    std::vector<TfLiteTensor> tensors;
    void Make(const Model *model, char count, char bytes) {
      for (size_t i = 0; i < tflite_micro_stand_in(model, count, 0, nullptr); ++i) {
        values.emplace_back(tflite_micro_stand_in(model, bytes, i, nullptr));
        tensors.push_back({{values.back().data()}, values.back().size()});
      }
    }
  } inputs_, outputs_;
  const Model *model_;
  bool has_all_;
};

}  // namespace tflite
