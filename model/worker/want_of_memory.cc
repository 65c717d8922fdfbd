#include "model/worker/want_of_memory.h"

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <new>
#include <string_view>

#include "model/base/error.h"

namespace traind {
namespace {

// Address space alone until it is given away: nothing is ever written there.
constexpr std::size_t kReserve = std::size_t{1} << 20;
std::atomic<char*> reserve{nullptr};
std::terminate_handler terminate_otherwise = nullptr;

void give_reserve() {
  delete[] reserve.exchange(nullptr);
  throw std::bad_alloc();
}

// A std::bad_alloc in a thread that passes no exceptions on, or while another is handled.
void terminate_for_memory() {
  try {
    if (const std::exception_ptr caught = std::current_exception()) {
      std::rethrow_exception(caught);
    }
  } catch (const std::bad_alloc&) {
    constexpr std::string_view kLine = "traind-worker: out of memory\n";
    [[maybe_unused]] const ssize_t put = write(STDERR_FILENO, kLine.data(), kLine.size());
    _exit(exit_code(ErrorKind::kNoMemory));
  } catch (...) {
    terminate_otherwise();
  }
  terminate_otherwise();
}

}  // namespace

void prepare_for_want_of_memory() {
  reserve = new char[kReserve];
  std::set_new_handler(give_reserve);
  terminate_otherwise = std::set_terminate(terminate_for_memory);
}

}  // namespace traind
