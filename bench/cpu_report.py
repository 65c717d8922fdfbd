"""What cpu_vs_pytorch.py found: rows, ratios with the goals beside them, and the table.

Pure functions of the measurements; show() prints. A ratio is taken round by round, and its median
is what counts: within a round the machine is about the same for all.
"""

import statistics

# (what is slower or the bound, what of ours is held to it, goal for big and small; None = recorded)
SPEED = (
    ("pytorch fp32", "ours fp32", (2.0, 2.4)),
    ("onednn fp32", "ours fp32", (1.35, 1.3)),
    ("pytorch fp32", "ours fp32, no table", None),
    ("onednn fp32", "ours fp32, no table", None),
    ("products fp32", "ours fp32, no table", (0.98, 0.98)),
    ("pytorch fp32", "ours bf16", (3.7, 4.1)),
    ("pytorch bf16", "ours bf16", (2.1, 2.9)),
    ("onednn bf16", "ours bf16", (1.7, 1.3)),
    ("products bf16", "ours bf16", None),
    ("ours fp32", "ours bf16", None),
)
GOAL_AT = ("big", "small")  # goals are of these shapes
FRACTION_OF_PEAK = 0.82
THREADS = 1.95
WORST_OVER_BEST = 1.15
MEMORY = 0.6


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def row_of(samples):
    """What a contender did, of its figures in each round."""
    ms = [sample["ms"] for sample in samples]
    row = {"ms_per_step": {**spread(ms), "rounds": ms},
           "chars_per_second": 1e3 * samples[0]["chars"] / statistics.median(ms),
           "peak_memory_mb": statistics.median(sample["peak_memory_mb"] for sample in samples)}
    for key in ("fraction_of_peak", "fma_peak_gflops"):
        if key in samples[0]:
            values = [sample[key] for sample in samples]
            row[key] = {**spread(values), "rounds": values}
    row["chars_per_step"] = samples[0]["chars"]
    return row


class Rows:
    """The rows by what they are of."""

    def __init__(self, rows, threads):
        self._rows = {(row["workload"], row["contender"], row["threads"], row["contended"]): row
                      for row in rows}
        self.all = rows
        self.threads = threads  # those of the comparison
        self.workloads = list(dict.fromkeys(row["workload"] for row in rows))

    def find(self, workload, contender, threads=None, contended=False):
        return self._rows.get((workload, contender, threads or self.threads, contended))


def _rounds(row):
    return row["ms_per_step"]["rounds"]


def _ratio(what, workload, values, goal=None, most=False):
    """`most`: the goal is an upper bound."""
    found = {"what": what, "workload": workload, **spread(values)}
    if goal is not None and workload in GOAL_AT:
        met = found["median"] <= goal if most else found["median"] >= goal
        found.update(goal=goal, sense="at most" if most else "at least", met=met)
    return found


def _speed_ratios(rows):
    for slower, ours, goals in SPEED:
        for workload in rows.workloads:
            above, below = rows.find(workload, slower), rows.find(workload, ours)
            if not above or not below:
                continue
            goal = goals[GOAL_AT.index(workload)] if goals and workload in GOAL_AT else None
            yield _ratio(f"{ours}: times as fast as {slower}", workload,
                         [a / b for a, b in zip(_rounds(above), _rounds(below))], goal)


def _peak_fractions(rows):
    for workload in rows.workloads:
        row = rows.find(workload, "ours fp32, no table")
        if row:
            yield _ratio("ours fp32, no table: share of the FMA peak", workload,
                         row["fraction_of_peak"]["rounds"], FRACTION_OF_PEAK)


def _thread_ratios(rows):
    for row in rows.all:
        single = rows.find(row["workload"], row["contender"], threads=1)
        if row["contended"] or row["threads"] == 1 or not single:
            continue
        yield _ratio(f"{row['contender']}: {row['threads']} threads against 1", row["workload"],
                     [a / b for a, b in zip(_rounds(single), _rounds(row))],
                     THREADS if row["threads"] == 2 else None)


def _ragged_ratios(rows):
    for row in rows.all:
        shape, _, kind = row["workload"].partition(", ")
        dense = rows.find(shape, row["contender"])
        if kind != "ragged" or not dense:
            continue
        share = row["chars_per_step"] / dense["chars_per_step"]
        yield _ratio(f"{row['contender']}: characters/s with ragged lengths against dense", shape,
                     [share * a / b for a, b in zip(_rounds(dense), _rounds(row))])


def _memory_ratios(rows):
    for workload in rows.workloads:
        for precision in ("fp32", "bf16"):
            ours = rows.find(workload, f"ours {precision}")
            theirs = rows.find(workload, f"pytorch {precision}")
            if ours and theirs:
                yield _ratio(f"ours {precision}: peak memory against pytorch {precision}",
                             workload, [ours["peak_memory_mb"] / theirs["peak_memory_mb"]],
                             MEMORY, most=True)


def _contended_ratios(rows):
    for row in rows.all:
        if not row["contended"]:
            continue
        of_ours = row["contender"].startswith("ours")
        worst = row["ms_per_step"]["max"] / row["ms_per_step"]["min"]
        yield _ratio(f"{row['contender']}: worst round over best beside a busy process",
                     row["workload"], [worst], WORST_OVER_BEST if of_ours else None, most=True)
        quiet = rows.find(row["workload"], row["contender"])
        if quiet:
            yield _ratio(f"{row['contender']}: time beside a busy process against alone",
                         row["workload"],
                         [row["ms_per_step"]["median"] / quiet["ms_per_step"]["median"]])


def ratios_of(rows, threads):
    """All ratios, those that have a goal with `goal`, `sense` and `met`."""
    table = Rows(rows, threads)
    return [ratio for kind in (_speed_ratios, _peak_fractions, _thread_ratios, _ragged_ratios,
                               _memory_ratios, _contended_ratios) for ratio in kind(table)]


def _between(value, digits):
    return f"{value['median']:,.{digits}f} [{value['min']:,.{digits}f}-{value['max']:,.{digits}f}]"


def _show_rows(rows):
    print(f"\n  {'':42}{'ms a step':>26}{'chars/s':>11}{'memory MB':>11}{'of peak':>9}")
    previous = None
    for row in sorted(rows, key=lambda row: (row["contended"], row["workload"].split(",")[0])):
        if (row["workload"], row["contended"]) != previous:
            print(f"  {row['workload']}" + (", beside a busy process" if row["contended"] else ""))
        previous = (row["workload"], row["contended"])
        name = f"{row['contender']}, {row['threads']} thread{'s' if row['threads'] > 1 else ''}"
        digits = 0 if row["ms_per_step"]["median"] >= 100 else 1
        peak = row.get("fraction_of_peak", {}).get("median")
        print(f"    {name:40}{_between(row['ms_per_step'], digits):>26}"
              f"{row['chars_per_second']:>11,.0f}{row['peak_memory_mb']:>11,.0f}"
              + (f"{peak:>9.3f}" if peak is not None else ""))


def _show_ratios(ratios):
    print(f"\n  {'ratio (median of the rounds)':72}{'':>8}{'goal':>18}")
    for ratio in ratios:
        goal = ""
        if "goal" in ratio:
            goal = f"{ratio['sense']} {ratio['goal']:g}{'' if ratio['met'] else '  MISSED'}"
        name = f"{ratio['workload']}: {ratio['what']}"
        print(f"    {name:70}{_between(ratio, 2):>22}  {goal}")


def show(result):
    """The tables of a whole result, as JSON holds it."""
    machine, pytorch = result["machine"], result["pytorch"]
    print(f"  {machine['processor']}, {machine['cores']} cores, {result['threads']} threads, "
          f"{result['rounds']} rounds; {machine['system']}, Linux {machine['kernel']}")
    print(f"  PyTorch {pytorch['version']} ({pytorch['capability']}), "
          f"oneDNN {result['onednn']['version']}")
    if pytorch["packages_lacking"]:
        print(f"  PyTorch is NOT at its best: {', '.join(pytorch['packages_lacking'])} not here")
    _show_rows(result["rows"])
    _show_ratios(result["ratios"])
    for row in result["skipped"]:
        print(f"  left out: {row['workload']}, {row['contender']}: {row['reason']}")
