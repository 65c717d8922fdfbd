// Finds and loads the CUDA plug-in at run time, so that one build serves machines with and without
// a GPU. Includes no CUDA header and links no CUDA library.
//
// Any thread, one at a time. Every way to fail has its own sentence, which says what is missing and
// how to get it, in Error(kDevice). What was loaded stays loaded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/backend/backend.h"

namespace traind {

// Where to look. Tests give their own places.
struct CudaSearch {
  std::vector<std::string> plugins;     // files; the first that exists is taken
  std::string driver = "libcuda.so.1";  // as dlopen takes it
  std::string cudnn_folder;             // its libraries come before the system's; empty = none
};

// $TRAIND_CUDA_PLUGIN alone if it is set, else beside this program and in the folder it was
// installed to or built in; and $TRAIND_CUDNN_DIR.
CudaSearch usual_cuda_search();

std::unique_ptr<Backend> load_cuda_backend(const CudaSearch& search, Precision precision,
                                           bool deterministic);

// make_backend() with other places to look in.
ChosenBackend make_backend(const DeviceChoice& choice, const CudaSearch& search);

}  // namespace traind
