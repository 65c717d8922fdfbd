"""A watcher misses nothing and hears nothing twice, though the daemon dies on the way."""

import json
import signal
import unittest

from machine import MachineTest, until


class WatchTest(MachineTest):
    def test_a_piped_watch_survives_the_daemon(self):
        machine = self.machine().boot()
        machine.start_run()
        watcher = machine.trainctl_process("watch", "tiny", "--json")
        self.addCleanup(watcher.kill)
        last = 0
        for number in (signal.SIGKILL, signal.SIGTERM):
            last += 60
            machine.until_step(last)
            machine.signal_daemon(number)
            machine.daemon.wait()
            machine.boot()
        machine.until_state("completed")
        output, errors = watcher.communicate(timeout=60)
        self.assertEqual(watcher.returncode, 0, errors)

        events = [json.loads(line) for line in output.splitlines()]
        sequence = [event["sequence"] for event in events]
        self.assertEqual(sequence, sorted(set(sequence)))
        told = [event["metric_row"]["step"] for event in events if event["event"] == "metric_row"]
        self.assertEqual(told, [row[0] for row in machine.record()["metrics"]])
        epochs = [event["epoch_done"]["epoch"] for event in events
                  if event["event"] == "epoch_done"]
        self.assertEqual(epochs, [1, 2, 3])
        self.assertEqual(events[-1]["state_change"]["state"], "completed")

    def test_a_watch_can_begin_anywhere(self):
        machine = self.machine().boot()
        machine.start_run(epochs=1)
        machine.until_state("completed")
        everything = machine.trainctl("watch", "tiny", "--json").stdout.splitlines()
        middle = json.loads(everything[len(everything) // 2])["sequence"]
        rest = machine.trainctl("watch", "tiny", "--json", "--after", str(middle))
        self.assertEqual(rest.stdout.splitlines(), everything[len(everything) // 2 + 1:])
        last = machine.status()["last_sequence"]
        self.assertNotEqual(
            machine.trainctl("watch", "tiny", "--after", str(last + 1)).returncode, 0)

    def test_many_watchers_hear_the_same(self):
        machine = self.machine().boot()
        machine.start_run(epochs=2)
        watchers = [machine.trainctl_process("watch", "tiny", "--json") for _ in range(6)]
        for watcher in watchers:
            self.addCleanup(watcher.kill)
        until("the run ends", lambda: machine.in_state("completed"))
        heard = {watcher.communicate(timeout=60)[0] for watcher in watchers}
        self.assertEqual(len(heard), 1)


if __name__ == "__main__":
    unittest.main()
