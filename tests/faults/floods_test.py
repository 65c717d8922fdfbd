#!/usr/bin/python3
"""Too many watchers, callers and bytes: the daemon lives, its memory is bounded, its training goes
on, and the service is back within seconds.

A sample of it in CI; with TRAIND_SOAK=1 the whole, and what was measured in faults_floods.json.
"""

import contextlib
import errno
import json
import os
import pathlib
import random
import socket
import statistics
import subprocess
import threading
import time
import unittest
from unittest import mock

import http2
import machine as machines
from fault_case import SOAK, record_soak
from machine import MachineTest, until

MANY_WATCHERS = os.environ["MANY_WATCHERS"]
GRPCS_OWN_LISTENER = os.environ["GRPCS_OWN_LISTENER"]

MB = 1_000_000
MOST_MEMORY = 200 * MB
BACK_WITHIN = 10  # seconds, for the service to be there again
# Of all, those that our own descriptors allow.
IDLE_CALLERS = 10_000 if SOAK else 3_000
WATCHERS, STUCK = (1000, 100) if SOAK else (250, 25)
# On a machine with other work a deadline says little: CI only sees that nobody waits for long.
STATUS_P99_MS = 50 if SOAK else 1000
FLOOD_SECONDS = 10 if SOAK else 1.5

measured = {"soak": SOAK}


def tearDownModule():
    record_soak("floods", measured)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gauge:
    """What a process takes of the machine."""

    def __init__(self, pid):
        self.folder = pathlib.Path(f"/proc/{pid}")

    def status(self, name):
        for line in (self.folder / "status").read_text(encoding="ascii").splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise KeyError(name)

    def memory(self):
        return self.status("VmRSS")

    def forget_peak(self):
        (self.folder / "clear_refs").write_text("5", encoding="ascii")

    def peak(self):
        return self.status("VmHWM")

    def cpu_seconds(self):
        fields = (self.folder / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(self.folder / "fd"))


def idle_callers(stack, address, count):
    """Connections that say nothing; returns how many there are, before any is turned away."""
    made = 0
    for _ in range(count):
        caller = stack.enter_context(
            socket.socket(socket.AF_INET if isinstance(address, int) else socket.AF_UNIX))
        caller.setblocking(False)
        error = caller.connect_ex(("127.0.0.1", address) if isinstance(address, int)
                                  else str(address))
        made += error in (0, errno.EINPROGRESS)
    return made


def seconds_until_answer(address):
    begin = time.monotonic()
    until(f"{address} answers", lambda: http2.answers(address), BACK_WITHIN)
    return time.monotonic() - begin


class FloodTest(MachineTest):
    def flooded_machine(self, descriptors=None, **settings):
        """A daemon with a port too, which may have no more than that many descriptors."""
        machine = self.machine(**settings)
        self.port = free_port()
        machine.replace_in_config("[listen]\n", f'[listen]\ntcp = "127.0.0.1:{self.port}"\n')
        program = machine.folder / "few-descriptors"
        program.write_text(f"#!/bin/sh\nulimit -n {descriptors}\nexec {machines.TRAIND} \"$@\"\n",
                           encoding="utf-8")
        program.chmod(0o755)
        with mock.patch.object(machines, "TRAIND", program if descriptors else machines.TRAIND):
            machine.boot()
        self.gauge = Gauge(machine.daemon.pid)
        return machine

    def assert_modest(self, before):
        more = self.gauge.peak() - before
        self.assertLess(more, MOST_MEMORY, "bytes more than before")
        return round(more / MB, 1)


class Descriptors(FloodTest):
    FEW = 200

    def flood(self, address, count):
        """Idle callers, until nobody else gets in or all are there; they go at the end."""
        with contextlib.ExitStack() as stack:
            idle_callers(stack, address, count)
            time.sleep(0.5)  # a server that dies of it dies now
        return seconds_until_answer(address)

    def test_a_port_outlives_callers_beyond_all_descriptors(self):
        machine = self.flooded_machine(self.FEW)
        for address in (self.port, machine.socket):
            self.flood(address, 2 * self.FEW)
        self.assertIsNone(machine.daemon.poll())

    def test_grpcs_own_listener_does_not(self):
        """The same flood shows the fault where it is."""
        program = subprocess.Popen(
            ["/bin/sh", "-c", f"ulimit -n {self.FEW}; exec \"$0\" \"$1\"", GRPCS_OWN_LISTENER,
             str(port := free_port())], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        version = tuple(map(int, program.stdout.readline().decode().split(".")[:2]))
        if version >= (1, 53):
            self.skipTest("this gRPC has been mended")
        self.assertTrue(http2.answers(port))
        with self.assertRaises(AssertionError):
            self.flood(port, 2 * self.FEW)

    def test_idle_callers_go_by_themselves_and_local_ones_get_in_meanwhile(self):
        machine = self.flooded_machine(self.FEW)
        with contextlib.ExitStack() as stack:
            idle_callers(stack, self.port, 2 * self.FEW)
            until("the port is full", lambda: not http2.answers(self.port, 0.2))
            self.assertTrue(http2.answers(machine.socket))
            cpu = self.gauge.cpu_seconds()
            waited = seconds_until_answer(self.port)
            self.assertLess(self.gauge.cpu_seconds() - cpu, 0.5 * waited, "it spins")

    def test_thousands_of_idle_callers(self):
        machine = self.flooded_machine()
        before = self.gauge.memory()
        with contextlib.ExitStack() as stack:
            made = idle_callers(stack, self.port, IDLE_CALLERS)
            local = []
            for _ in range(20):
                begin = time.monotonic()
                self.assertTrue(http2.answers(machine.socket, BACK_WITHIN))
                local.append(time.monotonic() - begin)
            held = self.gauge.descriptors()
            while_they_stay = seconds_until_answer(self.port)
        after = seconds_until_answer(self.port)
        measured["idle_callers"] = {
            "callers": made, "descriptors": held, "more_memory_mb": self.assert_modest(before),
            "slowest_local_call_ms": round(1000 * max(local), 1),
            "port_back_s_while_they_stay": round(while_they_stay, 2),
            "port_back_s_after_they_went": round(after, 2)}


class Watchers(FloodTest):
    def many_watchers(self, machine, watchers, stuck=0, cpu=None):
        command = [MANY_WATCHERS, str(machine.socket), "--watchers", str(watchers), "--stuck",
                   str(stuck)]
        if cpu is not None:
            command = ["taskset", "-c", str(cpu), *command]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        begin = time.monotonic()
        self.assertEqual(process.stdout.readline(), "watching\n")
        process.seconds = time.monotonic() - begin
        return process

    def test_all_hear_the_whole_story_while_some_stop_reading(self):
        machine = self.flooded_machine()
        machine.start_run(epochs=100)
        machine.until_step(20)
        before, descriptors = self.gauge.memory(), self.gauge.descriptors()
        self.gauge.forget_peak()
        watchers = self.many_watchers(machine, WATCHERS, STUCK)
        machine.until_step(machine.step() + (300 if SOAK else 100))
        machine.trainctl("stop")
        machine.until_state("stopped")
        told, _ = watchers.communicate(timeout=60)
        heard = json.loads(told)
        self.assertEqual(heard["ended"], WATCHERS)
        self.assertEqual(heard["disordered"], 0)
        self.assertEqual(heard["histories"], 1)
        self.assertEqual(heard.pop("sequences"),
                         [row[0] for row in machine.rows("SELECT sequence FROM events ORDER BY 1")])
        self.assertEqual(heard["status"]["failed"], 0)
        self.assertLess(heard["status"]["p99_ms"], STATUS_P99_MS)
        measured["watchers"] = {**heard, "stuck": STUCK, "all_heard_s": round(watchers.seconds, 2),
                                "more_memory_mb": self.assert_modest(before)}
        until("all is given back", lambda: self.gauge.descriptors() <= descriptors + 2)

    @unittest.skipUnless(SOAK, "a figure of a quiet machine")
    def test_training_is_not_slowed(self):
        """The daemon and a training thread share a core; the watchers have the other one."""
        machine = self.flooded_machine()
        os.sched_setaffinity(machine.daemon.pid, {0})
        for thread in os.listdir(f"/proc/{machine.daemon.pid}/task"):
            os.sched_setaffinity(int(thread), {0})
        machine.start_run(epochs=10_000, report=50, checkpoint=1_000_000, words=16_000)
        machine.until_step(50)
        windows = []
        for watched in [False, True] * 6:
            watchers = self.many_watchers(machine, WATCHERS, cpu=1) if watched else None
            time.sleep(3)
            windows.append((watched, *self.window(machine, 20)))
            if watchers:
                watchers.terminate()
                watchers.wait()
                until("they are gone", lambda: self.gauge.descriptors() < 100)
        speed = {flag: statistics.median(steps for watched, steps, _ in windows if watched is flag)
                 for flag in (False, True)}
        cpu = {flag: statistics.median(cpu for watched, _, cpu in windows if watched is flag)
               for flag in (False, True)}
        measured["training"] = {
            "steps_per_second_alone": round(speed[False], 3),
            "steps_per_second_watched": round(speed[True], 3),
            "slowed_percent": round(100 * (1 - speed[True] / speed[False]), 2),
            "daemon_cpu_percent_alone": round(100 * cpu[False], 2),
            "daemon_cpu_percent_watched": round(100 * cpu[True], 2),
            "load_average": os.getloadavg()[0], "windows": windows}

    def window(self, machine, seconds):
        """Steps a second by the worker's own clock, and the daemon's share of a core."""
        newest = "SELECT step, trained_seconds FROM metrics ORDER BY step DESC LIMIT 1"
        cpu, begin = self.gauge.cpu_seconds(), time.monotonic()
        (step, at), = machine.rows(newest)
        time.sleep(seconds)
        share = (self.gauge.cpu_seconds() - cpu) / (time.monotonic() - begin)
        (last, end), = machine.rows(newest)
        return (last - step) / (end - at), share


# Each: what a caller sends first, and what it goes on sending, as a function of how often it did.

def pings(_):
    return http2.frame(http2.PING, body=b"12345678") * 1000


def settings(_):
    return http2.frame(http2.SETTINGS) * 1000


def streams(turn, one, count=100):
    return b"".join(one(2 * (turn * count + i) + 1) for i in range(count))


def resets(turn):
    return streams(turn, lambda stream: http2.request("GetStatus", stream) +
                   http2.frame(http2.RESET, 0, stream, b"\0\0\0\x08"))


def calls(turn):
    return streams(turn, lambda stream: http2.request("GetStatus", stream))


def watches(turn):
    return streams(turn, lambda stream: http2.request("WatchRun", stream))


def half_requests(turn):
    half = http2.grpc_message(bytes(1 << 16))[:1000]
    return streams(turn, lambda stream: http2.begin_of("StartRun", stream) +
                   http2.data(half, stream, 0))


def big_requests(turn):
    body = http2.grpc_message(bytes(5 << 20))
    return streams(turn, lambda stream: http2.begin_of("StartRun", stream) +
                   http2.data(body, stream, 0), 1)


def big_headers(turn):
    more = [("x-" + str(i), "v" * 16000) for i in range(64)]
    return streams(turn, lambda stream: http2.long_request(
        http2.header_block("GetStatus", more), stream), 1)


def garbage(turn):
    return random.Random(turn).randbytes(100_000)


FLOODS = [pings, settings, big_requests, big_headers, garbage]
# What these make gRPC 1.51 keep has no bound of its own (one of them is CVE-2023-44487): traind hangs
# up on its callers when memory is short, a moment after it was, so that the figure is not one to
# promise.
WILD_FLOODS = [half_requests, watches, calls, resets]


class Floods(FloodTest):
    CALLERS = 20

    def pour(self, flood, deadline):
        """One caller after another sends all it can, and reads nothing."""
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), http2.Connection(self.port, 1) as connection:
                for turn in range(1_000_000):
                    connection.send(flood(turn))
                    if time.monotonic() > deadline:
                        break

    def test_floods_leave_the_service_and_its_memory_alone(self):
        machine = self.flooded_machine()
        machine.start_run(epochs=10_000, report=100)
        machine.until_step(10)
        before, told = self.gauge.memory(), {}
        for flood in FLOODS + (WILD_FLOODS if SOAK else [half_requests, resets]):
            with self.subTest(flood=flood.__name__):
                self.gauge.forget_peak()
                deadline = time.monotonic() + FLOOD_SECONDS
                callers = [threading.Thread(target=self.pour, args=(flood, deadline))
                           for _ in range(self.CALLERS)]
                for caller in callers:
                    caller.start()
                local = [seconds_until_answer(machine.socket)]
                while time.monotonic() < deadline:
                    local.append(seconds_until_answer(machine.socket))
                for caller in callers:
                    caller.join()
                told[flood.__name__] = {
                    "port_back_s": round(seconds_until_answer(self.port), 3),
                    "slowest_local_call_ms": round(1000 * max(local), 1),
                    "more_memory_mb": round((self.gauge.peak() - before) / MB, 1)}
                self.assertIsNone(machine.daemon.poll(), machine.log_text())
                if flood in FLOODS:
                    self.assert_modest(before)
        measured["floods"] = told
        step = machine.step()
        machine.until_step(step + 1)


if __name__ == "__main__":
    unittest.main()
