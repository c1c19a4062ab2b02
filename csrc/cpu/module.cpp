// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// visionbias._C: bindings only. Addresses come from Python, which has checked dtype, device, shape and layout.
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

#include "normalize.h"
#include "normals.h"

namespace py = pybind11;

namespace {

template <class T>
T* at(std::uintptr_t address) {
  return reinterpret_cast<T*>(address);
}

visionbias::Output output_of(const std::string& name) {
  if (name == "float32") return visionbias::Output::f32;
  if (name == "float16") return visionbias::Output::f16;
  if (name == "bfloat16") return visionbias::Output::bf16;
  throw py::value_error("output must be float32, float16 or bfloat16, got " + name);
}

void normalize(std::uintptr_t x, std::ptrdiff_t x_stride_n, std::ptrdiff_t x_stride_h, std::uintptr_t out,
               std::ptrdiff_t out_stride_n, std::ptrdiff_t out_stride_h, const std::string& output, std::ptrdiff_t n,
               std::ptrdiff_t h, std::ptrdiff_t w, std::ptrdiff_t c, std::uintptr_t scale, std::uintptr_t shift) {
  const visionbias::Output kind = output_of(output);
  py::gil_scoped_release release;
  visionbias::normalize(at<const std::uint8_t>(x), {x_stride_n, x_stride_h}, at<void>(out),
                        {out_stride_n, out_stride_h}, kind, n, h, w, c, at<const float>(scale), at<const float>(shift));
}

void normals(std::uint64_t seed, std::uint32_t stream, std::uint32_t key0, std::uint32_t key1, std::ptrdiff_t counters,
             std::uintptr_t out) {
  py::gil_scoped_release release;
  visionbias::normals(seed, stream, key0, key1, counters, at<float>(out));
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  m.doc() = "CPU engine of visionbias; not an API. See csrc/README.md.";
  m.def("normalize", &normalize, py::kw_only(), py::arg("x"), py::arg("x_stride_n"), py::arg("x_stride_h"),
        py::arg("out"), py::arg("out_stride_n"), py::arg("out_stride_h"), py::arg("output"), py::arg("n"), py::arg("h"),
        py::arg("w"), py::arg("c"), py::arg("scale"), py::arg("shift"));
  m.def("normals", &normals, py::kw_only(), py::arg("seed"), py::arg("stream"), py::arg("key0"), py::arg("key1"),
        py::arg("counters"), py::arg("out"));
}
