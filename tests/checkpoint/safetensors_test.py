"""Reads checkpoints as the safetensors format says, with nothing of ours: the standard library, and
torch where it is installed. Also an independent reading of what model/checkpoint/codec.h promises
about checksums and the digest.

usage: safetensors_test.py SAMPLE_WRITER FROZEN_FILE
"""

import json
import math
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

WRITER, FROZEN = sys.argv[1:3]
MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)


def rotate(value, by):
    return (value << by | value >> (64 - by)) & MASK


def mix(lane, word):
    return rotate((lane + word * P2) & MASK, 31) * P1 & MASK


def xxh64(data):
    """xxHash specification 0.1.1, XXH64 with seed 0."""
    at = 0
    if len(data) >= 32:
        lanes = [(P1 + P2) & MASK, P2, 0, -P1 & MASK]
        while at + 32 <= len(data):
            words = struct.unpack_from("<4Q", data, at)
            lanes = [mix(lane, word) for lane, word in zip(lanes, words)]
            at += 32
        value = sum(rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            value = ((value ^ mix(0, lane)) * P1 + P4) & MASK
    else:
        value = P5
    value = (value + len(data)) & MASK
    while at + 8 <= len(data):
        word = struct.unpack_from("<Q", data, at)[0]
        value = (rotate(value ^ mix(0, word), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= len(data):
        word = struct.unpack_from("<I", data, at)[0]
        value = (rotate(value ^ word * P1 & MASK, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        value = rotate(value ^ byte * P5 & MASK, 11) * P1 & MASK
    value = (value ^ value >> 33) * P2 & MASK
    value = (value ^ value >> 29) * P3 & MASK
    return value ^ value >> 32


def without_duplicates(pairs):
    keys = [key for key, _ in pairs]
    assert len(set(keys)) == len(keys), keys
    return dict(pairs)


def read(path):
    """Raw header, parsed header, tensor bytes by name; asserts what the format demands."""
    file = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", file)
    assert length <= 100_000_000 and 8 + length <= len(file)
    raw = file[8 : 8 + length]
    assert raw[:1] == b"{"
    header = json.loads(raw.decode("utf-8"), object_pairs_hook=without_duplicates)
    data = file[8 + length :]
    metadata = header.pop("__metadata__")
    assert all(isinstance(value, str) for value in metadata.values())
    tensors, covered = {}, 0
    for name, entry in header.items():
        assert set(entry) == {"dtype", "shape", "data_offsets"}
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32" and begin == covered
        assert end - begin == 4 * math.prod(entry["shape"])
        tensors[name] = (entry["shape"], data[begin:end])
        covered = end
    assert covered == len(data)
    return raw, metadata, tensors


class Safetensors(unittest.TestCase):
    def files(self):
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / "fresh.safetensors"
            subprocess.run([WRITER, fresh], check=True)
            for path in (fresh, FROZEN):
                with self.subTest(path=str(path)):
                    yield path

    def test_others_read_names_shapes_and_values(self):
        for path in self.files():
            _, metadata, tensors = read(path)
            self.assertEqual(metadata["epoch"], "3")
            self.assertEqual(metadata['quotes " and \\'], "line\nbreak\ttab \x01 \x7f")
            self.assertEqual(metadata["Zeichen: é€🌱"], "nul\0nul")
            self.assertEqual(
                {name: shape for name, (shape, _) in tensors.items()},
                {
                    "encoder.weight_ih_l0": [2, 3],
                    "limits": [2, 1, 2],
                    "nothing": [0, 7],
                    "scalar": [],
                    'name with " and ü': [5],
                },
            )
            self.assertEqual(
                tensors['name with " and ü'][1], struct.pack("<5f", 0.125, 0.25, 0.5, 1, 2)
            )
            self.assertEqual(
                tensors["limits"][1],
                struct.pack("<4I", 0x7F800000, 0xFF800000, 0x7FC12345, 1),
            )

    def test_tensors_are_aligned_for_mapping(self):
        for path in self.files():
            self.assertEqual((8 + len(read(path)[0])) % 64, 0)

    def test_checksums_are_what_the_contract_says(self):
        for path in self.files():
            raw, metadata, tensors = read(path)
            self.assertEqual(metadata["traind.format"], "1")
            seal = metadata["traind.header_xxh64"]
            zeroed = raw.replace(seal.encode(), b"0" * 16, 1)
            self.assertEqual(seal, f"{xxh64(zeroed):016x}")
            sums = [f"{xxh64(data):016x}" for _, data in tensors.values()]
            self.assertEqual(metadata["traind.xxh64"], " ".join(sums))

    def test_the_digest_is_what_the_contract_says(self):
        for path in self.files():
            text = b""
            for name, (shape, data) in read(path)[2].items():
                encoded = name.encode()
                text += struct.pack("<Q", len(encoded)) + encoded
                text += struct.pack(f"<{1 + len(shape)}Q", len(shape), *shape) + data
            self.assertEqual(f"{xxh64(text):016x}", "644c17e455b6c79d")

    def test_torch_gets_the_same_numbers(self):
        try:
            import torch
        except ImportError:
            self.skipTest("python3-torch is not installed")
        for path in self.files():
            shape, data = read(path)[2]["encoder.weight_ih_l0"]
            tensor = torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(shape)
            self.assertEqual(tensor[0, 2].item(), 1.5)
            self.assertEqual(tensor[1, 0].item(), -2.25)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
