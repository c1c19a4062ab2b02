// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// visionbias._C: bindings only. Addresses come from Python, which has checked dtype, device, shape and layout.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "band_noise/band_noise.h"
#include "filter_bank/filter_bank.h"
#include "normalize/normalize.h"
#include "spectrum_mix/spectrum_mix.h"
#include "targets/targets.h"

namespace py = pybind11;
namespace vb = visionbias;
using py::arg;

namespace {

using Address = std::uintptr_t;
using Four = std::array<std::ptrdiff_t, 4>;
using Three = std::array<std::ptrdiff_t, 3>;

// An address, and the object whose memory it is: as a part of an argument that object lives as long as the call.
using Memory = std::tuple<Address, py::object>;

template <class T>
T* at(const Memory& memory) {
  return reinterpret_cast<T*>(std::get<Address>(memory));
}

vb::Pixel pixel_of(const std::string& name) {
  if (name == "uint8") return vb::Pixel::u8;
  if (name == "float32") return vb::Pixel::f32;
  if (name == "float16") return vb::Pixel::f16;
  if (name == "bfloat16") return vb::Pixel::bf16;
  throw py::value_error("pixels must be uint8, float32, float16 or bfloat16, got " + name);
}

vb::Size size_of(Three size) { return {size[0], size[1], size[2]}; }

vb::Strides strides_of(Four strides) { return {strides[0], strides[1], strides[2], strides[3]}; }

// (memory, dtype, strides of [N, C, H, W])
using ImagesIn = std::tuple<Memory, std::string, Four>;
// (memory, dtype, strides of [N, C, H, W], strides of the axes before them)
using ImagesOut = std::tuple<Memory, std::string, Four, std::vector<std::ptrdiff_t>>;

vb::Input input_of(const ImagesIn& x) {
  const auto& [memory, dtype, strides] = x;
  return {at<const void>(memory), pixel_of(dtype), strides_of(strides)};
}

vb::Output output_of(const ImagesOut& y) {
  const auto& [memory, dtype, strides, lead] = y;
  const std::size_t axes = lead.size();
  return {at<void>(memory), pixel_of(dtype), strides_of(strides), axes > 1 ? lead[axes - 2] : 0,
          axes > 0 ? lead[axes - 1] : 0};
}

void normalize(const ImagesIn& x, const ImagesOut& out, std::ptrdiff_t n, Three size,
               const std::vector<float>& scale, const std::vector<float>& shift) {
  const vb::Input from = input_of(x);
  const vb::Output to = output_of(out);
  py::gil_scoped_release release;
  vb::normalize(from, to, n, size_of(size), scale.data(), shift.data());
}

void normals(std::uint64_t seed, std::uint32_t stream, std::uint32_t key0, std::uint32_t key1, std::ptrdiff_t counters,
             const Memory& out) {
  py::gil_scoped_release release;
  vb::kernels().normals(seed, stream, key0, key1, counters, at<float>(out));
}

void add_mask(vb::FilterBank& bank, const Memory& half,
              const std::vector<std::tuple<std::ptrdiff_t, bool, float>>& bands) {
  std::vector<vb::FilterBank::Emit> emits;
  for (const auto& [band, complement, offset] : bands) emits.push_back({band, complement, offset});
  bank.add_mask(at<const float>(half), std::move(emits));
}

void filter_bank(const vb::FilterBank& bank, const ImagesIn& x, const ImagesOut& out, std::ptrdiff_t n, int threads) {
  const vb::Input from = input_of(x);
  const vb::Output to = output_of(out);
  py::gil_scoped_release release;
  vb::filter_bank(bank, from, to, n, threads);
}

// (seed, keys, streams, redraws, given fields or no memory, their strides between images and between bands)
using Fields = std::tuple<std::uint64_t, Memory, std::vector<std::uint32_t>, std::vector<std::uint32_t>, Memory,
                          std::ptrdiff_t, std::ptrdiff_t>;

vb::BandFields fields_of(const Fields& fields) {
  const auto& [seed, keys, streams, redraws, given, given_n, given_b] = fields;
  return {seed, at<const std::uint32_t>(keys), streams, redraws, at<const float>(given), given_n, given_b};
}

vb::BandNoise band_noise_plan(std::array<std::ptrdiff_t, 2> size, std::vector<int> levels, int residual,
                              std::vector<float> sds, float contrast, float luminance, std::vector<float> scale,
                              std::vector<float> shift) {
  return {size[0],   size[1],          std::move(levels), residual, std::move(sds), contrast,
          luminance, std::move(scale), std::move(shift)};
}

void critical_band(const vb::BandNoise& plan, const Fields& fields, const ImagesIn& x, const ImagesOut& out,
                   std::ptrdiff_t n, std::ptrdiff_t channels, int threads) {
  const vb::BandFields noise = fields_of(fields);
  const vb::Input from = input_of(x);
  const vb::Output to = output_of(out);
  py::gil_scoped_release release;
  vb::critical_band(plan, noise, from, to, n, channels, threads);
}

void band_noise(const vb::BandNoise& plan, const Fields& fields, const Memory& out, std::ptrdiff_t n, int threads) {
  const vb::BandFields noise = fields_of(fields);
  py::gil_scoped_release release;
  vb::band_noise(plan, noise, at<float>(out), n, threads);
}

void phase_swap(const vb::SpectrumMix& mix, const ImagesIn& shape, const ImagesIn& texture, const ImagesOut& out,
                std::ptrdiff_t directions, std::ptrdiff_t n, int threads) {
  const vb::Input own = input_of(shape), other = input_of(texture);
  const vb::Output to = output_of(out);
  py::gil_scoped_release release;
  vb::phase_swap(mix, own, other, to, directions, n, threads);
}

void random_phase(const vb::SpectrumMix& mix, const ImagesIn& x, const ImagesIn& noise, const ImagesOut& out,
                  std::ptrdiff_t n, int threads) {
  const vb::Input from = input_of(x), phases = input_of(noise);
  const vb::Output to = output_of(out);
  py::gil_scoped_release release;
  vb::random_phase(mix, from, phases, to, n, threads);
}

void phase_noise(const vb::SpectrumMix& mix, const ImagesIn& x, const Memory& half_turns, const ImagesOut& out,
                 std::ptrdiff_t n, int threads) {
  const vb::Input from = input_of(x);
  const vb::Output to = output_of(out);
  py::gil_scoped_release release;
  vb::phase_noise(mix, from, at<const float>(half_turns), to, n, threads);
}

void power_equalize(const vb::SpectrumMix& mix, const ImagesIn& x, const Memory& amplitude,
                    std::ptrdiff_t planes, const ImagesOut& out, std::ptrdiff_t n, int threads) {
  const vb::Input from = input_of(x);
  const vb::Output to = output_of(out);
  py::gil_scoped_release release;
  vb::power_equalize(mix, from, at<const float>(amplitude), planes, to, n, threads);
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  m.doc() = "CPU engine of visionbias; not an API. See csrc/README.md.";
  m.def("targets", &vb::targets, "Instruction sets that this processor runs, the best first.");
  m.def("choose_target", &vb::choose_target, arg("name"));
  m.def("target", &vb::chosen_target);
  m.def("normalize", &normalize, py::kw_only(), arg("x"), arg("out"), arg("n"), arg("size"), arg("scale"),
        arg("shift"));
  m.def("normals", &normals, py::kw_only(), arg("seed"), arg("stream"), arg("key0"), arg("key1"), arg("counters"),
        arg("out"));
  py::class_<vb::FilterBank>(m, "FilterBank")
      .def(py::init([](Three size, std::vector<float> scale, std::vector<float> shift) {
             return std::make_unique<vb::FilterBank>(size_of(size), std::move(scale), std::move(shift));
           }),
           py::kw_only(), arg("size"), arg("scale"), arg("shift"))
      .def("add_mask", &add_mask, py::kw_only(), arg("half"), arg("bands"))
      .def("run", &filter_bank, py::kw_only(), arg("x"), arg("out"), arg("n"), arg("threads"));
  py::class_<vb::BandNoise>(m, "BandNoise")
      .def(py::init(&band_noise_plan), py::kw_only(), arg("size"), arg("levels"), arg("residual"), arg("sds"),
           arg("contrast"), arg("luminance"), arg("scale"), arg("shift"))
      .def("run", &critical_band, py::kw_only(), arg("fields"), arg("x"), arg("out"), arg("n"), arg("channels"),
           arg("threads"))
      .def("bands", &band_noise, py::kw_only(), arg("fields"), arg("out"), arg("n"), arg("threads"));
  py::class_<vb::SpectrumMix>(m, "SpectrumMix")
      .def(py::init([](Three size, std::vector<float> scale, std::vector<float> shift, float floor) {
             return std::make_unique<vb::SpectrumMix>(size_of(size), std::move(scale), std::move(shift), floor);
           }),
           py::kw_only(), arg("size"), arg("scale"), arg("shift"), arg("floor"))
      .def("phase_swap", &phase_swap, py::kw_only(), arg("shape"), arg("texture"), arg("out"), arg("directions"),
           arg("n"), arg("threads"))
      .def("random_phase", &random_phase, py::kw_only(), arg("x"), arg("noise"), arg("out"), arg("n"), arg("threads"))
      .def("phase_noise", &phase_noise, py::kw_only(), arg("x"), arg("half_turns"), arg("out"), arg("n"),
           arg("threads"))
      .def("power_equalize", &power_equalize, py::kw_only(), arg("x"), arg("amplitude"), arg("planes"), arg("out"),
           arg("n"), arg("threads"));
}
