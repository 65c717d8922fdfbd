#!/usr/bin/python3
"""The worker as a process: what `check` answers, how a worker ends, what it leaves behind.

process_test.py WORKER PROTO_FOLDER
"""
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

WORKER, PROTO = sys.argv[1:3]
GENERATED = tempfile.TemporaryDirectory()
subprocess.run(["protoc", "-I", PROTO, "--python_out", GENERATED.name,
                PROTO + "/traind/v1/worker.proto"], check=True)
sys.path.insert(0, GENERATED.name)
from traind.v1 import worker_pb2  # noqa: E402

# The machine may have a GPU; what is said here of its absence must hold there too.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

PATIENCE = 60  # seconds that any single thing may take here


def unframe(data):
    size, = struct.unpack("<I", data[:4])
    return data[4:4 + size], data[4 + size:]


class Worker:
    """`traind-worker run` with its two pipes."""

    def __init__(self, folder):
        event_read, event_write = os.pipe()
        control_read, control_write = os.pipe()

        def arrange():
            # In two moves, so that one does not close the other's source.
            events, control = fcntl.fcntl(event_write, fcntl.F_DUPFD, 10), fcntl.fcntl(
                control_read, fcntl.F_DUPFD, 10)
            os.dup2(events, 3)
            os.dup2(control, 4)

        self.process = subprocess.Popen(
            [WORKER, "run", "--folder", folder], pass_fds=(3, 4), preexec_fn=arrange,
            stderr=subprocess.PIPE, text=True)
        os.close(event_write)
        os.close(control_read)
        self.events, self.control = event_read, control_write
        self.pending = b""

    def next_event(self):
        """The next event, or None at the pipe's end."""
        while len(self.pending) < 4 or len(self.pending) < 4 + struct.unpack(
                "<I", self.pending[:4])[0]:
            if not select.select([self.events], [], [], PATIENCE)[0]:
                raise AssertionError("the worker says nothing")
            data = os.read(self.events, 65536)
            if not data:
                return None
            self.pending += data
        payload, self.pending = unframe(self.pending)
        return worker_pb2.WorkerEvent.FromString(payload)

    def until(self, kind):
        """Reads up to the first event of this kind."""
        while True:
            event = self.next_event()
            if event is None:
                raise AssertionError(f"the worker ended without {kind}: "
                                     f"{self.process.stderr.read()}")
            if event.WhichOneof("event") == kind:
                return getattr(event, kind)

    def send(self, **request):
        payload = worker_pb2.WorkerControl(**request).SerializeToString()
        os.write(self.control, struct.pack("<I", len(payload)) + payload)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        for descriptor in (self.events, self.control):
            if descriptor >= 0:
                os.close(descriptor)


class ProcessTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.folder = self.scratch.name + "/run"
        os.mkdir(self.folder)
        self.write("pairs.tsv", "".join(f"{a}+{b}\t{a + b}\n" for a in range(10)
                                        for b in range(10)))

    def write(self, name, text):
        with open(f"{self.scratch.name}/{name}", "w", encoding="utf-8") as out:
            out.write(text)

    def run_toml(self, extra="", epochs=1000):
        return (f'name = "sums"\n[data]\ntrain = "pairs.tsv"\nvalid_fraction = 0.2\n'
                f'[model]\nlayers = 1\nhidden = 16\n[train]\nepochs = {epochs}\n'
                f'batch_size = 16\nthreads = 1\n{extra}')

    def check(self, text, *more):
        self.write("given.toml", text)
        done = subprocess.run(
            [WORKER, "check", self.scratch.name + "/given.toml", "--base", self.scratch.name,
             "--folder", self.folder, "--label", "run.toml", *more],
            capture_output=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return worker_pb2.CheckReport.FromString(unframe(done.stdout)[0])

    def start(self, **options):
        report = self.check(self.run_toml(**options))
        self.assertEqual(report.kind, "", report.message)
        with open(self.folder + "/run.toml", "w", encoding="utf-8") as out:
            out.write(report.config)
        worker = Worker(self.folder)
        self.addCleanup(worker.close)
        return worker

    def test_verify_trains_anew_beside_the_folder_and_tidies_up(self):
        self.write("sums.toml", self.run_toml("[checkpoint]\nevery_batches = 4\n", epochs=3))
        subprocess.run([WORKER, "train", self.scratch.name + "/sums.toml", "--folder", self.folder],
                       check=True, stdout=subprocess.DEVNULL)
        stale = self.folder + ".traind-verify/checkpoints"
        os.makedirs(stale)
        for command in (["verify", self.folder + "/"],
                        ["verify", self.folder, "--scratch", self.scratch.name + "/there"]):
            result = subprocess.run([WORKER, *command], capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertIn("the same, to the last bit: trained from checkpoint-", result.stdout)
        self.assertFalse(os.path.exists(self.folder + ".traind-verify"))
        self.assertEqual(os.listdir(self.scratch.name + "/there"), [])
        newest, *older = sorted(os.listdir(self.folder + "/checkpoints"), reverse=True)
        for name in older:
            os.remove(f"{self.folder}/checkpoints/{name}")
        result = subprocess.run([WORKER, "verify", self.folder], capture_output=True, text=True)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn(f"one good checkpoint alone, {newest}", result.stderr)

    def test_check_reports_what_a_start_would_find(self):
        report = self.check(self.run_toml())
        self.assertEqual((report.kind, report.name), ("", "sums"))
        self.assertEqual(report.train_examples + report.valid_examples, 100)
        self.assertIn(f'train = "{self.scratch.name}/pairs.tsv"', report.config)
        self.assertGreater(report.checkpoint_bytes, 1000)

    def test_check_names_the_run_after_its_file_or_as_told(self):
        nameless = self.run_toml().replace('name = "sums"\n', "")
        self.assertEqual(self.check(nameless).name, "run")
        self.assertEqual(self.check(nameless, "--name", "other").name, "other")

    def test_check_refuses_what_cannot_work(self):
        for text, kind, words in [
                (self.run_toml("laerning_rate = 1\n"), "config", "did you mean 'learning_rate'"),
                (self.run_toml().replace("pairs", "nothing"), "not_found", "nothing.tsv"),
                (self.run_toml('device = "cuda"\n'), "device", 'device "cuda": '),
                (self.run_toml('device = "cpu"\n').replace("batch_size = 16",
                                                          'batch_size = "fit"'),
                 "config", "memory is not what limits a batch; give a number"),
                ("x = [", "config", "run.toml:1"),
                (self.run_toml("[model2]\n"), "config", "unknown table")]:
            report = self.check(text)
            self.assertEqual(report.kind, kind, report.message)
            self.assertIn(words, report.message)

    # The check refuses it; the device may be gone when the run's turn comes.
    def test_a_device_that_is_not_there_has_its_own_exit_status(self):
        with open(self.folder + "/run.toml", "w", encoding="utf-8") as out:
            out.write(self.run_toml('device = "cuda"\n').replace(
                "pairs.tsv", self.scratch.name + "/pairs.tsv"))
        refusal = self.check(self.run_toml('device = "cuda"\n')).message
        worker = Worker(self.folder)
        self.addCleanup(worker.close)
        failed = worker.until("run_failed")
        self.assertEqual((failed.kind, failed.message), ("device", refusal))
        self.assertEqual(worker.process.wait(PATIENCE), 69)

    def test_gauges_are_not_told_without_a_gpu(self):
        worker = self.start()
        row = worker.until("metric_row")
        self.assertFalse(row.HasField("gpu"))

    def test_check_refuses_a_bad_line_by_its_number(self):
        self.write("pairs.tsv", "a\tb\nno tab here\n")
        report = self.check(self.run_toml())
        self.assertEqual(report.kind, "data")
        self.assertIn("pairs.tsv:2", report.message)

    def test_sigterm_saves_and_ends_well(self):
        worker = self.start()
        worker.until("metric_row")
        worker.process.send_signal(signal.SIGTERM)
        ended = worker.until("run_ended")
        self.assertEqual(ended.reason, worker_pb2.END_REASON_STOP_REQUESTED)
        self.assertEqual(worker.process.wait(PATIENCE), 0)
        self.assertEqual(len(ended.digest), 16)
        self.assertIn(f"checkpoint-{ended.step:012d}.safetensors",
                      os.listdir(self.folder + "/checkpoints"))

    def test_the_end_of_the_control_pipe_means_save_and_end(self):
        worker = self.start()
        worker.until("metric_row")
        os.close(worker.control)
        worker.control = -1
        worker.until("run_ended")
        self.assertEqual(worker.process.wait(PATIENCE), 0)

    def test_control_messages_save_and_stop(self):
        worker = self.start()
        worker.until("metric_row")
        worker.send(save_checkpoint=True)
        while worker.until("checkpoint_saved").reason != worker_pb2.CHECKPOINT_REASON_REQUEST:
            pass
        worker.send(stop=True)
        worker.until("run_ended")
        self.assertEqual(worker.process.wait(PATIENCE), 0)

    def test_a_second_signal_ends_at_once(self):
        # Stopped at the lock, the worker looks at the first signal late; the second is final.
        lock = open(self.folder + "/worker.lock", "w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        worker = self.start()
        worker.until("progress")
        os.kill(worker.process.pid, signal.SIGSTOP)
        os.kill(worker.process.pid, signal.SIGINT)
        os.kill(worker.process.pid, signal.SIGTERM)
        os.kill(worker.process.pid, signal.SIGCONT)
        self.assertEqual(worker.process.wait(PATIENCE), 128 + signal.SIGTERM)
        lock.close()

    def test_a_second_worker_waits_for_the_first(self):
        first = self.start()
        first.until("metric_row")
        second = Worker(self.folder)
        self.addCleanup(second.close)
        second.until("progress")
        first.process.send_signal(signal.SIGTERM)
        ended = first.until("run_ended")
        first.process.wait(PATIENCE)
        self.assertEqual(second.until("run_started").resumed_step, ended.step)

    def test_a_failed_run_says_why_and_exits_with_its_kind(self):
        worker = self.start()
        worker.until("metric_row")
        worker.process.send_signal(signal.SIGTERM)
        worker.until("run_ended")
        worker.process.wait(PATIENCE)
        self.write("pairs.tsv", "".join(f"{a}*{b}\t{a * b}\n" for a in range(10)
                                        for b in range(10)))
        second = Worker(self.folder)
        self.addCleanup(second.close)
        failed = second.until("run_failed")
        self.assertEqual(failed.kind, "data")
        self.assertIn("not the one this run began with", failed.message)
        self.assertEqual(second.process.wait(PATIENCE), 65)

    def finished(self, epochs):
        """Trains so many epochs to their end; the last checkpoint's path."""
        worker = self.start(epochs=epochs)
        ended = worker.until("run_ended")
        self.assertEqual(worker.process.wait(PATIENCE), 0)
        return f"{self.folder}/checkpoints/checkpoint-{ended.step:012d}.safetensors"

    def train(self, *more):
        return subprocess.run(
            [WORKER, "train", self.scratch.name + "/given.toml", "--folder", self.folder, *more],
            capture_output=True, text=True, timeout=PATIENCE)

    # The daemon rewrites the folder's run file when someone asks for that by name.
    def test_a_worker_goes_on_with_what_the_daemon_changed(self):
        self.finished(epochs=2)
        config = self.check(self.run_toml(epochs=3)).config
        with open(self.folder + "/run.toml", "w", encoding="utf-8") as out:
            out.write(config.replace("learning_rate = 0.001", "learning_rate = 0.002"))
        worker = Worker(self.folder)
        self.addCleanup(worker.close)
        first, second = worker.until("setting_changed"), worker.until("setting_changed")
        self.assertEqual((first.key, first.was, getattr(first, "is"), first.epoch),
                         ("train.epochs", "2", "3", 3))
        self.assertEqual((second.key, second.was, getattr(second, "is")),
                         ("train.learning_rate", "0.001", "0.002"))
        while (row := worker.until("metric_row")).epoch < 3:
            pass
        self.assertEqual(row.rate, 0.002)
        worker.until("run_ended")
        self.assertEqual(worker.process.wait(PATIENCE), 0)

    def test_in_the_foreground_a_change_needs_its_flag(self):
        self.finished(epochs=2)
        self.write("given.toml", self.run_toml(epochs=3))
        refused = self.train()
        self.assertEqual(refused.returncode, 78)
        self.assertIn("train.epochs: was 2, is 3", refused.stderr)
        self.assertIn("--epochs", refused.stderr)
        self.assertIn("completed at step", self.train("--epochs", "3").stdout)
        self.assertIn("train.batch_size was 16, is 32",
                      self.train("--epochs", "4", "--batch-size", "32").stdout)

    def test_a_run_begins_with_the_weights_of_another(self):
        checkpoint = self.finished(epochs=1)
        name = "sums " + os.path.basename(checkpoint)
        report = self.check(self.run_toml(epochs=1), "--from", checkpoint)
        self.assertEqual(report.kind, "", report.message)
        self.folder = self.scratch.name + "/tuned"
        done = self.train("--from", checkpoint)
        self.assertIn("began with the weights of " + name, done.stdout)
        self.assertTrue(os.path.exists(self.folder + "/initial.safetensors"))
        wider = self.run_toml().replace("hidden = 16", "hidden = 32")
        report = self.check(wider, "--from", checkpoint)
        self.assertEqual(report.kind, "config")
        self.assertIn("model.hidden: was 16, is 32", report.message)
        report = self.check(self.run_toml(), "--from", self.scratch.name + "/pairs.tsv")
        self.assertEqual(report.kind, "corrupt")
        self.assertIn("pairs.tsv", report.message)

    def test_translate_answers_a_line_for_a_line(self):
        worker = self.start(epochs=2)
        worker.until("run_ended")
        worker.process.wait(PATIENCE)
        done = subprocess.run([WORKER, "translate", "--folder", self.folder, "--framed", "--best"],
                              input=b"1+1\n\n3+4\n", capture_output=True, timeout=PATIENCE)
        result = worker_pb2.TranslateResult.FromString(unframe(done.stdout)[0])
        self.assertEqual((result.kind, len(result.lines)), ("", 3), result.message)
        self.assertEqual(result.lines[1], "")
        self.assertRegex(result.checkpoint, r"^checkpoint-\d{12}\.safetensors$")
        bad = subprocess.run([WORKER, "translate", "--folder", self.folder, "--framed"],
                             input=b"ok\n\xff\n", capture_output=True, timeout=PATIENCE)
        result = worker_pb2.TranslateResult.FromString(unframe(bad.stdout)[0])
        self.assertEqual(result.kind, "data")
        self.assertIn("line 2", result.message)

    def translate(self, *options, lines="1+1\n\n3+4\n"):
        return subprocess.run([WORKER, "translate", self.folder, *options], input=lines,
                              capture_output=True, text=True, timeout=PATIENCE)

    def test_translate_gives_several_answers_with_their_scores(self):
        worker = self.start(epochs=2)
        worker.until("run_ended")
        worker.process.wait(PATIENCE)
        framed = subprocess.run(
            [WORKER, "translate", "--folder", self.folder, "--framed", "--n-best", "3"],
            input=b"1+1\n\n3+4\n", capture_output=True, timeout=PATIENCE)
        result = worker_pb2.TranslateResult.FromString(unframe(framed.stdout)[0])
        self.assertEqual([len(line.answers) for line in result.results], [3, 1, 3])
        self.assertEqual([line.answers[0].text for line in result.results], list(result.lines))
        for line in result.results:
            scores = [answer.score for answer in line.answers]
            self.assertEqual(scores, sorted(scores, reverse=True))

        plain = self.translate("--n-best", "3").stdout
        groups = [group.split("\n") for group in plain.removesuffix("\n\n").split("\n\n")]
        self.assertEqual(groups, [[f"{answer.score:.4f}\t{answer.text}" for answer in line.answers]
                                  for line in result.results])
        self.assertEqual(self.translate("--beam", "3").stdout.splitlines(), list(result.lines))

    def test_translate_draws_answers_by_their_seed(self):
        worker = self.start(epochs=2)
        worker.until("run_ended")
        worker.process.wait(PATIENCE)
        lines = "1+1\n" * 20
        drawn = self.translate("--temperature", "3", "--seed", "7", lines=lines).stdout
        self.assertGreater(len(set(drawn.splitlines())), 5)
        self.assertEqual(self.translate("--temperature", "3", "--seed", "7", lines=lines).stdout,
                         drawn)
        self.assertNotEqual(self.translate("--temperature", "3", lines=lines).stdout, drawn)
        short = self.translate("--temperature", "3", "--max-tokens", "1", lines=lines).stdout
        self.assertLessEqual(max(map(len, short.splitlines())), 1)
        both = self.translate("--temperature", "1", "--beam", "4")
        self.assertEqual(both.returncode, 78)
        self.assertIn("give one of both", both.stderr)
        self.assertEqual(self.translate("--beam", "2", "--n-best", "3").returncode, 78)
        self.assertEqual(self.translate("--temperature", "-1").returncode, 64)

    def test_a_language_model_goes_on_also_from_nothing(self):
        self.write("text.txt", "".join(f"{'ab' * (5 + i % 20)}\n" for i in range(100)))
        with open(self.folder + "/run.toml", "w", encoding="utf-8") as out:
            out.write('name = "text"\n[data]\nformat = "text"\n'
                      f'train = "{self.scratch.name}/text.txt"\nvalid_fraction = 0.3\n'
                      '[model]\nkind = "language"\ncell = "gru"\nlayers = 1\nhidden = 16\n'
                      '[train]\nepochs = 20\nbatch_size = 16\nlearning_rate = 0.05\nthreads = 1\n')
        worker = Worker(self.folder)
        self.addCleanup(worker.close)
        worker.until("run_ended")
        worker.process.wait(PATIENCE)
        lines = "ab\n\nababa\n"
        answers = self.translate("--max-tokens", "7", lines=lines).stdout.splitlines()
        self.assertEqual(answers, ["abababa", "abababa", "bababab"])
        self.assertEqual(len(self.translate("--n-best", "2", lines=lines).stdout.splitlines()), 9)
        held_out = subprocess.run([WORKER, "heldout", self.folder], capture_output=True, text=True,
                                  timeout=PATIENCE, check=True).stdout.splitlines()
        self.assertTrue(held_out)
        for line in held_out:
            self.assertRegex(line, "^(ab)+$")

    def test_heldout_writes_what_the_run_is_validated_on(self):
        worker = self.start()
        started = worker.until("run_started")
        held_out = subprocess.run([WORKER, "heldout", "--folder", self.folder], text=True,
                                  capture_output=True, timeout=PATIENCE, check=True).stdout
        with open(self.scratch.name + "/pairs.tsv", encoding="utf-8") as corpus:
            lines = set(corpus)
        pairs = set(held_out.splitlines(keepends=True))
        self.assertEqual(len(pairs), started.valid_examples)
        self.assertLess(pairs, lines)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
