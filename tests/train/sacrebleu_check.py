"""Holds the frozen figures of data/bleu.txt to sacreBLEU itself, where that is installed.

    sacrebleu_check.py FILE           fails where a figure is not sacreBLEU's
    sacrebleu_check.py FILE --write   puts sacreBLEU's figures in

The file has two kinds of blocks, parted by empty lines. `corpus NAME SCORE NREFS` is followed by
lines of an output and its references, with tabs between them; `words` by lines of a text and the
words that tokenizer 13a makes of it, with a tab between them.
"""

import sys

try:
    import sacrebleu
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
except ImportError:
    print("skipped: sacrebleu is not installed for this Python")
    sys.exit(77)


def corpus_block(head, lines):
    pairs = [line.split("\t") for line in lines]
    most = max(len(pair) for pair in pairs) - 1
    references = [[pair[1 + r] if 1 + r < len(pair) else None for pair in pairs]
                  for r in range(most)]
    metric = sacrebleu.metrics.BLEU()
    score = metric.corpus_score([pair[0] for pair in pairs], references).score
    nrefs = str(metric.get_signature()).split("|")[0].split(":")[1]
    return [f"corpus {head.split()[1]} {score!r} {nrefs}", *lines]


def words_block(lines):
    texts = [line.split("\t")[0] for line in lines]
    return ["words", *(f"{text}\t{' '.join(Tokenizer13a()(text.rstrip()).split())}"
                       for text in texts)]


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8", newline="\n") as file:
        was = file.read()
    blocks = []
    for block in was.rstrip("\n").split("\n\n"):
        head, *lines = block.split("\n")
        if head.startswith("#"):
            blocks.append(block.split("\n"))
        else:
            blocks.append(words_block(lines) if head == "words" else corpus_block(head, lines))
    text = "\n\n".join("\n".join(block) for block in blocks) + "\n"
    if "--write" in sys.argv:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    elif text != was:
        print(f"{path} is not what sacreBLEU {sacrebleu.__version__} says; this is:\n{text}")
        sys.exit(1)


main()
