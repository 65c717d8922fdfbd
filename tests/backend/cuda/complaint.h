// What the loader says of a driver and a plug-in, for the tests of it. Drivers and plug-ins in the
// folder FAKES are built for the purpose. Values; any thread.
#pragma once

#include <gtest/gtest.h>
#include <link.h>

#include <string>
#include <vector>

#include "model/backend/cuda_loader.h"
#include "model/base/error.h"

namespace traind {

inline std::string fake(const std::string& name) { return FAKES "/libfake_" + name + ".so"; }

inline CudaSearch search_of(const std::string& driver, const std::string& plugin) {
  CudaSearch search;
  search.driver = fake(driver);
  search.plugins = {fake(plugin)};
  return search;
}

// Empty when the plug-in was loaded and its device opened.
inline std::string complaint(const CudaSearch& search, Precision precision = Precision::kFp32,
                             bool deterministic = false) {
  try {
    load_cuda_backend(search, precision, deterministic);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    return error.what();
  }
  return "";
}

inline std::vector<std::string> loaded_libraries() {
  std::vector<std::string> names;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* to) {
        static_cast<std::vector<std::string>*>(to)->emplace_back(info->dlpi_name);
        return 0;
      },
      &names);
  return names;
}

}  // namespace traind
