"""Holds our loss and gradients to those of PyTorch.

    torch_check.py PATH_OF_torch_dump

The models that torch_dump wrote are built from torch.nn.Embedding, LSTM, GRU and Linear, their
weights are loaded by name with load_state_dict(strict=True), and the loss, and the gradients of the
smoothed loss, are computed in double precision. Exit status 77 (skipped, see tests/nn/CMakeLists.txt) where PyTorch is not installed.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError as missing:
    print(f"skipped: {missing}; Debian and Ubuntu have it as python3-torch")
    sys.exit(77)

from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

TOLERANCE = 1e-4  # relative to the largest value of the tensor


def read_safetensors(path):
    """Metadata and tensors of a safetensors file; nothing of ours takes part in reading it."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8:8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", name
        begin, end = entry["data_offsets"]
        raw = bytearray(content[8 + size + begin:8 + size + end])
        tensors[name] = torch.frombuffer(raw, dtype=torch.float32).reshape(entry["shape"]).double()
    return metadata, tensors


class Side(nn.Module):
    def __init__(self, shape, words, hidden, bidirectional):
        super().__init__()
        self.embedding = nn.Embedding(words, shape["embedding"])
        recurrence = (shape["embedding"], hidden, shape["layers"])
        if shape["gru"]:
            self.gru = nn.GRU(*recurrence, bidirectional=bidirectional)
        else:
            self.lstm = nn.LSTM(*recurrence, bidirectional=bidirectional)

    @property
    def rnn(self):
        return self.gru if hasattr(self, "gru") else self.lstm


class Attention(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.score = nn.Linear(hidden, hidden, bias=False)
        self.combine = nn.Linear(2 * hidden, hidden, bias=False)

    def forward(self, query, memory, lengths):
        scores = torch.einsum("tbh,sbh->bts", query, self.score(memory))
        past_end = torch.arange(memory.shape[0])[None, :] >= lengths[:, None]
        weights = scores.masked_fill(past_end[:, None, :], float("-inf")).softmax(2)
        context = torch.einsum("bts,sbh->tbh", weights, memory)
        return torch.tanh(self.combine(torch.cat([context, query], 2)))


class SequenceModel(nn.Module):
    def __init__(self, shape):
        super().__init__()
        hidden, directions = shape["hidden"], shape["directions"]
        self.layers, self.directions = shape["layers"], directions
        if not shape["language"]:
            self.encoder = Side(shape, shape["source_words"], hidden // directions,
                                directions == 2)
        self.decoder = Side(shape, shape["target_words"], hidden, False)
        if shape["attention"]:
            self.attention = Attention(hidden)
        self.output = nn.Linear(hidden, shape["target_words"])
        if shape["tied"]:
            self.output.weight = self.decoder.embedding.weight

    def side_by_side(self, state):
        """[L*D,B,H/D] as torch.nn.LSTM gives it to [L,B,H] as the decoder takes it."""
        _, batch, width = state.shape
        by_layer = state.reshape(self.layers, self.directions, batch, width)
        return by_layer.transpose(1, 2).reshape(self.layers, batch, self.directions * width)

    def encode(self, source, source_lengths):
        packed = pack_padded_sequence(self.encoder.embedding(source), source_lengths,
                                      enforce_sorted=False)
        memory, last = self.encoder.rnn(packed)
        memory, _ = pad_packed_sequence(memory, total_length=source.shape[0])
        if isinstance(last, tuple):
            return memory, tuple(self.side_by_side(state) for state in last)
        return memory, self.side_by_side(last)

    def forward(self, source, source_lengths, target_in):
        memory, state = None, None
        if hasattr(self, "encoder"):
            memory, state = self.encode(source, source_lengths)
        hidden, _ = self.decoder.rnn(self.decoder.embedding(target_in), state)
        if hasattr(self, "attention"):
            hidden = self.attention(hidden, memory, source_lengths)
        return self.output(hidden)


def numbers(text):
    return torch.tensor([int(word) for word in text.split()])


def relative_error(ours, theirs):
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def check(weights_file):
    metadata, weights = read_safetensors(weights_file)
    _, gradients = read_safetensors(
        weights_file.with_name(weights_file.name.replace(".weights.", ".gradients.")))
    shape = {key: int(metadata[key]) for key in
             ("layers", "hidden", "embedding", "directions", "attention", "language", "gru",
              "tied", "source_words", "target_words")}
    source_lengths = numbers(metadata["source_lengths"])
    target_lengths = numbers(metadata["target_lengths"])
    batch = len(source_lengths)
    source = numbers(metadata["source"]).reshape(-1, batch)
    target_in = numbers(metadata["target_in"]).reshape(-1, batch)
    target_out = numbers(metadata["target_out"]).reshape(-1, batch)

    model = SequenceModel(shape).double()
    if shape["tied"]:  # one tensor, which PyTorch knows under two names
        weights["output.weight"] = weights["decoder.embedding.weight"]
    model.load_state_dict(weights, strict=True)
    logits = model(source, source_lengths, target_in)
    true_step = torch.arange(len(target_out))[:, None] < target_lengths[None, :]
    loss = nn.functional.cross_entropy(logits[true_step], target_out[true_step])
    nn.functional.cross_entropy(logits[true_step], target_out[true_step],
                                label_smoothing=float(metadata["smoothing"])).backward()

    errors = {"loss": abs(float(metadata["loss"]) - loss.item()) / loss.item()}
    for name, parameter in model.named_parameters():
        errors[name] = relative_error(gradients.pop(name), parameter.grad)
    assert not gradients, f"gradients that PyTorch does not have: {list(gradients)}"
    worst = max(errors, key=errors.get)
    model_name = weights_file.name.split(".")[0]
    print(f"{model_name:40} loss {loss.item():.6f} off by {errors['loss']:.1e}, "
          f"worst of {len(errors) - 1} gradients {errors[worst]:.1e} ({worst})")
    return errors[worst] <= TOLERANCE


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        files = sorted(pathlib.Path(folder).glob("*.weights.safetensors"))
        assert len(files) >= 20, f"{len(files)} models to check"
        good = [check(file) for file in files]
    print(f"{sum(good)} of {len(good)} models agree with PyTorch {torch.__version__} "
          f"to {TOLERANCE:g}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
