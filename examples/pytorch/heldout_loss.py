"""Opens a checkpoint in PyTorch and computes its loss on the examples that the run held out.

    traind-worker heldout FOLDER > heldout.tsv
    python3 heldout_loss.py FOLDER/checkpoints/checkpoint-000000001234.safetensors heldout.tsv
"""
import base64, json, re, sys
import numpy, torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

UNKNOWN, BEGIN, END, FIRST_TOKEN = 1, 2, 3, 4  # 0 is padding


def read_safetensors(path):
    content = open(path, "rb").read()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    metadata, tensors = header.pop("__metadata__"), {}
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        tensors[name] = torch.from_numpy(
            numpy.frombuffer(content[begin:end], "<f4").reshape(entry["shape"]).copy())
    return metadata, tensors


def line_encoder(vocabulary):
    """From a vocabulary as a checkpoint holds it, the function from a line to its ids."""
    kind, *lines = vocabulary[:-1].split("\n")
    if kind == "subwords":
        from sentencepiece import SentencePieceProcessor
        pieces = SentencePieceProcessor(model_proto=base64.b64decode(lines[0]))
        split = pieces.encode
        tokens = [i for i in range(len(pieces)) if not (
            pieces.is_unknown(i) or pieces.is_control(i) or pieces.is_unused(i))]
    else:
        split = list if kind == "characters" else re.compile(r"[^ \t\n\v\f\r]+").findall
        tokens = [re.sub(r"\\(.)", lambda two: two[1].replace("n", "\n"), line) for line in lines]
    ids = {token: FIRST_TOKEN + number for number, token in enumerate(tokens)}
    return lambda line: [ids.get(token, UNKNOWN) for token in split(line)]


def build(tensors):
    """torch.nn modules of the names and shapes that the checkpoint has, with its weights."""
    model = nn.ModuleDict()
    for side in ("encoder", "decoder"):  # a language model has no encoder
        layers = [name for name in tensors
                  if re.fullmatch(side + r"\.(lstm|gru)\.weight_hh_l\d+", name)]
        if layers:
            words, width = tensors[side + ".embedding.weight"].shape
            cell = layers[0].split(".")[1]
            recurrence = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](
                width, tensors[layers[0]].shape[1], len(layers),
                bidirectional=layers[0] + "_reverse" in tensors)
            model[side] = nn.ModuleDict({"embedding": nn.Embedding(words, width), cell: recurrence})
    if "attention.score.weight" in tensors:
        width = len(tensors["attention.score.weight"])
        model["attention"] = nn.ModuleDict({"score": nn.Linear(width, width, bias=False),
                                            "combine": nn.Linear(2 * width, width, bias=False)})
    weight = tensors.setdefault("output.weight", tensors["decoder.embedding.weight"])  # tied
    model["output"] = nn.Linear(weight.shape[1], weight.shape[0])
    model.load_state_dict(tensors, strict=True)
    return model


def encode(side, sources, lengths):
    embedding, recurrence = side.values()
    packed = pack_padded_sequence(embedding(pad_sequence(sources)), lengths, enforce_sorted=False)
    memory, last = recurrence(packed)
    directions = 2 if recurrence.bidirectional else 1
    def side_by_side(state):  # [L*D,B,H/D] to [L,B,H]
        return state.unflatten(0, (-1, directions)).transpose(1, 2).flatten(2)
    last = tuple(map(side_by_side, last)) if isinstance(last, tuple) else side_by_side(last)
    return pad_packed_sequence(memory)[0], last


def loss(model, sources, targets):
    """Sum over all target tokens of -log p, in nats."""
    state, begin, end = None, torch.tensor([BEGIN]), torch.tensor([END])
    if "encoder" in model:
        lengths = torch.tensor([len(source) for source in sources])
        memory, state = encode(model["encoder"], sources, lengths)
    embedding, recurrence = model["decoder"].values()
    hidden, _ = recurrence(
        embedding(pad_sequence([torch.cat([begin, target]) for target in targets])), state)
    if "attention" in model:
        scores = torch.einsum("tbh,sbh->bts", hidden, model["attention"]["score"](memory))
        past_end = torch.arange(len(memory)) >= lengths[:, None, None]
        shares = scores.masked_fill(past_end, float("-inf")).softmax(2)
        context = torch.einsum("bts,sbh->tbh", shares, memory)
        hidden = model["attention"]["combine"](torch.cat([context, hidden], 2)).tanh()
    wanted = pad_sequence([torch.cat([target, end]) for target in targets], padding_value=-100)
    return nn.functional.cross_entropy(model["output"](hidden).flatten(0, 1), wanted.flatten(),
                                       reduction="sum").item()


def main(checkpoint, held_out):
    metadata, tensors = read_safetensors(checkpoint)
    model = build({name: tensor for name, tensor in tensors.items()
                   if not name.startswith("optim.")})
    encoders = [line_encoder(metadata[f"traind.{side}_vocabulary"]) for side in ("source", "target")]
    lines = open(held_out, encoding="utf-8", newline="\n").read().split("\n")[:-1]
    nats = tokens = 0
    for at in range(0, len(lines), 64):
        pairs = [line.split("\t") for line in lines[at:at + 64]]  # a language model's have one side
        sources = [torch.tensor(encoders[0](pair[0]) or [END]) for pair in pairs]
        targets = [torch.tensor(encoders[1](pair[-1]), dtype=torch.long) for pair in pairs]
        with torch.no_grad():
            nats += loss(model, sources, targets)
        tokens += sum(len(target) + 1 for target in targets)
    print(f"{nats / tokens:.7f} nats a token over {len(lines)} examples, {tokens} tokens")


if __name__ == "__main__":
    main(*sys.argv[1:])
