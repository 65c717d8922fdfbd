#include "tests/client/golden.h"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

namespace traind::test {

void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(TRAIND_GOLDENS) + "/" + name;
  if (std::getenv("TRAIND_REGENERATE_GOLDENS") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
    ADD_FAILURE() << "wrote " << path << "; look at it, then run without "
                  << "TRAIND_REGENERATE_GOLDENS";
    return;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path << " is missing; TRAIND_REGENERATE_GOLDENS=1 writes it";
  std::ostringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(golden.str(), text) << path;
}

void GoldenTest::SetUp() {
  setenv("TZ", "UTC", 1);
  tzset();
}

}  // namespace traind::test
