"""Holds the tree to its direction: who may include whom, and which libraries stay where.

Reads every #include under model/, notifier/, daemon/ and client/. A room may include itself and
what ALLOWED names for it; LIBRARIES says where a library's headers may appear. Also kept here: no
file lies in model/ itself, no path has a name that says nothing, every header opens with its
contract, and interfaces stay few. Sizes are printed, not judged.
"""

import collections
import os
import pathlib
import re
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROOMS = ("model", "notifier", "daemon", "client")
SOURCES = {".h", ".cc", ".cu", ".cuh"}

# A room and what it may include beside itself: rooms (ending in "/") or single headers.
BASE = {"model/base/"}
REPORTED = BASE | {"model/train/events.h", "model/train/measure.h", "model/train/run_file.h"}
NN = BASE | {"model/backend/"}
TRAIN = NN | {"model/data/", "model/nn/", "model/checkpoint/"}
ALLOWED = {
    "model/base": set(),
    "model/data": BASE,
    "model/backend": BASE,
    "model/nn": NN,
    "model/checkpoint": BASE,
    "model/train": TRAIN,
    "model/worker": TRAIN | {"model/train/", "traind/v1/worker.pb.h"},
    "notifier": REPORTED,
    "daemon": REPORTED | {"notifier/", "traind/v1/"},
    "client": {"traind/v1/"},
}

# Headers of libraries, and the only folders that may include them.
LIBRARIES = (
    ("SQLite", re.compile(r"sqlite3\.h|SQLiteCpp/"), ("daemon/",)),
    ("curl", re.compile(r"curl/"), ("notifier/",)),
    ("gRPC", re.compile(r"grpc(pp|\+\+)?/|.*\.grpc\.pb\.h"), ("daemon/", "client/")),
    ("protobuf", re.compile(r"google/protobuf/|.*\.pb\.h"), ("model/worker/", "daemon/", "client/")),
    ("systemd", re.compile(r"systemd/"), ("daemon/",)),
    ("CUDA", re.compile(r"cu(da|dnn|blas|rand|sparse|fft)\w*\.h|cuda/|nccl\.h|nvml\.h"),
     ("model/backend/cuda/",)),
    ("sentencepiece", re.compile(r"sentencepiece_\w+\.h"), ("model/data/",)),
)

# A test may stand in for these and for nothing else; the rest are values with several forms.
SEAMS = {"Backend", "EventSink", "FileOps", "MailTransport"}
FORMS = {"Buffer", "Snapshot", "Tape", "Corpus"}
MOST_BACKEND_CALLS = 15

EMPTY_NAMES = {"util", "utils", "common", "helper", "helpers", "misc", "manager"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def files_under(root, folders, suffixes=None):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                if suffixes is None or path.suffix in suffixes:
                    yield path.relative_to(root).as_posix(), path


def room_of(name):
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] == "model" else parts[0]


def includes_of(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def is_ours(target):
    return target.split("/")[0] in ROOMS + ("traind", "tests", "bench")


def may_include(room, target):
    if target.startswith(room + "/"):
        return True
    return any(target == entry or (entry.endswith("/") and target.startswith(entry))
               for entry in ALLOWED.get(room, set()))


def wrong_includes(root):
    """Every include that points up or sideways, or names a library out of its place."""
    wrong = []
    for name, path in files_under(root, ROOMS, SOURCES):
        for number, target in includes_of(path):
            place = f"{name}:{number}: includes {target}"
            if is_ours(target) and not may_include(room_of(name), target):
                wrong.append(f"{place}, which {room_of(name)}/ may not know")
            for library, pattern, homes in LIBRARIES:
                if pattern.match(target) and not name.startswith(homes):
                    wrong.append(f"{place}: {library} belongs to {', '.join(homes)}")
    return wrong


def misplaced_files(root):
    wrong = [f"model/{path.name} lies in model/ itself" for path in (root / "model").glob("*")
             if path.is_file() and path.suffix in SOURCES]
    everywhere = [entry.name for entry in root.iterdir()
                  if entry.is_dir() and not entry.name.startswith((".", "build", "demo-state"))]
    for name, _ in files_under(root, everywhere):
        if EMPTY_NAMES & set(re.split(r"[/_.-]", name.lower())):
            wrong.append(f"{name}: a name that says nothing")
    return wrong


def headers_without_contract(root):
    wrong = []
    for name, path in files_under(root, ROOMS, {".h", ".cuh"}):
        text = path.read_text(encoding="utf-8")
        if not text.startswith("// "):
            wrong.append(f"{name}: does not open with a comment that says what it promises")
        if "#pragma once" not in text:
            wrong.append(f"{name}: no #pragma once")
    return wrong


def interfaces(root):
    """Class name -> number of pure virtuals, over all headers."""
    found = collections.Counter()
    for _, path in files_under(root, ROOMS, {".h", ".cuh"}):
        current = None
        for line in path.read_text(encoding="utf-8").splitlines():
            opened = re.match(r"\s*(?:class|struct)\s+(\w+)[^;]*$", line)
            if opened:
                current = opened.group(1)
            if re.search(r"\)\s*(const)?\s*(noexcept)?\s*=\s*0\s*;", line):
                found[current] += 1
    return found


def function_lengths(text):
    """Lengths of the functions that stand at column 0, as clang-format lays them out."""
    start, signature = None, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line and not line[0].isspace() and line[0] not in "}/#":
            start, signature = number, line
        if line == "}" and start and "(" in signature and not signature.startswith("namespace"):
            yield number - start + 1, signature.rstrip(" {")
            start = None


def print_sizes(root):
    sizes, functions = [], []
    for name, path in files_under(root, ROOMS, SOURCES):
        text = path.read_text(encoding="utf-8")
        sizes.append((text.count("\n"), name))
        functions += [(lines, f"{name}: {what}") for lines, what in function_lengths(text)]
    if not sizes:
        return
    sizes.sort(reverse=True)
    functions.sort(reverse=True)
    print(f"{len(sizes)} files, {sum(s for s, _ in sizes)} lines, "
          f"median {sizes[len(sizes) // 2][0]}; the longest files and functions:")
    for lines, name in sizes[:5] + functions[:5]:
        print(f"  {lines:5d}  {name}")


class TreeTest(unittest.TestCase):
    def test_every_include_points_downwards(self):
        self.assertEqual(wrong_includes(ROOT), [])

    def test_every_file_has_a_room_and_a_name(self):
        self.assertEqual(misplaced_files(ROOT), [])

    def test_every_header_opens_with_its_contract(self):
        self.assertEqual(headers_without_contract(ROOT), [])

    def test_interfaces_are_the_four_seams(self):
        found = interfaces(ROOT)
        self.assertEqual(set(found) - SEAMS - FORMS, set())
        self.assertGreater(found["Backend"], 0)
        self.assertLessEqual(found["Backend"], MOST_BACKEND_CALLS)


class PlantedFaultTest(unittest.TestCase):
    """The checks above must be able to fail."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def plant(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def assert_refused(self, name, target):
        self.plant(name, f"// x\n#pragma once\n#include {target}\n")
        self.assertNotEqual(wrong_includes(self.root), [], f"{name} -> {target}")
        os.remove(self.root / name)

    def test_upward_and_sideways_includes_are_found(self):
        self.assert_refused("model/base/clock.h", '"model/train/events.h"')
        self.assert_refused("model/data/corpus.h", '"model/nn/sequence_model.h"')
        self.assert_refused("model/train/trainer.cc", '"traind/v1/worker.pb.h"')
        self.assert_refused("notifier/mail.cc", '"daemon/store.h"')
        self.assert_refused("notifier/mail.cc", '"model/train/trainer.h"')
        self.assert_refused("daemon/main.cc", '"model/nn/sequence_model.h"')
        self.assert_refused("client/render.cc", '"model/base/error.h"')
        self.assert_refused("daemon/main.cc", '"client/render.h"')

    def test_libraries_out_of_place_are_found(self):
        self.assert_refused("model/train/trainer.cc", "<sqlite3.h>")
        self.assert_refused("model/worker/main.cc", "<grpcpp/grpcpp.h>")
        self.assert_refused("model/checkpoint/codec.cc", "<google/protobuf/message.h>")
        self.assert_refused("model/backend/cpu/gemm.cc", "<cuda_runtime.h>")
        self.assert_refused("daemon/outbox.cc", "<curl/curl.h>")
        self.assert_refused("model/base/clock.cc", "<systemd/sd-daemon.h>")
        self.assert_refused("model/train/answerer.cc", "<sentencepiece_processor.h>")

    def test_downward_includes_are_allowed(self):
        self.plant("model/train/trainer.cc", '#include "model/nn/sequence_model.h"\n#include <vector>\n')
        self.plant("model/worker/pipe.cc", '#include "traind/v1/worker.pb.h"\n')
        self.plant("daemon/main.cc", '#include "notifier/mail.h"\n#include <grpcpp/grpcpp.h>\n')
        self.assertEqual(wrong_includes(self.root), [])

    def test_misplaced_files_are_found(self):
        self.plant("model/trainer.h", "// x\n")
        self.plant("daemon/string_utils.h", "// x\n")
        self.assertEqual(len(misplaced_files(self.root)), 2)

    def test_headers_without_contract_and_new_interfaces_are_found(self):
        self.plant("daemon/store.h", "class Store {\n  virtual void put() = 0;\n};\n")
        self.assertEqual(len(headers_without_contract(self.root)), 2)
        self.assertEqual(dict(interfaces(self.root)), {"Store": 1})


if __name__ == "__main__":
    print_sizes(ROOT)
    unittest.main()
