"""No mail lost, none doubled, order kept: every fault of a mail server, and kill -9 at every step.

The real daemon against the real SMTP server. What the server got is held against the outbox, by
Message-ID. A second copy is allowed only where a connection was cut between the final dot and our
note of the answer (RFC 1047), and then with the same Message-ID.
"""

import collections
import itertools
import time
import unittest

from fault_case import SOAK, TINY, plan_fault, record_soak
from inbox import (PASSWORD, Inbox, excess_copies, first_copies, make_certificate, out_of_order,
                   told_epochs, unaccounted)
from machine import MachineTest, until

RUN = dict(TINY, words=120)
FAULTS = [
    "banner 421 4.3.2 busy", "no-starttls", "starttls 454 4.7.0 no TLS now", "auth 535 5.7.8 no",
    "auth 454 4.7.0 later", "mail 451 4.3.0 later", "rcpt 450 4.2.1 busy", "data 451 4.3.0 later",
    "message 452 4.3.1 full", "drop-before", "drop-after", "slow 0.2", "silent", "silent-quit",
    "slow 1.5"]
HANGS = [f"hang {phase}" for phase in
         ("starttls", "auth", "mail", "rcpt", "data", "message", "kept")]
MAILS = 200 if SOAK else 40
ROUNDS = 5 if SOAK else 1  # of a kill at each step
# What six hours are to a minute, as this many seconds to the first wait.
OUTAGE = {"first": 0.25, "longest": 3.75, "seconds": 90, "epochs": 40} if SOAK else {
    "first": 0.02, "longest": 0.3, "seconds": 3, "epochs": 12}
FIGURES = {}


class MailTest(MachineTest):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(lambda: record_soak("mail", FIGURES))

    def with_inbox(self, refuse=(), **settings):
        machine = self.machine()
        inbox = Inbox(self, machine.folder, refuse)
        machine.replace_in_config('transport = "folder"', inbox.settings(**settings))
        return machine, inbox

    def outbox(self, machine):
        return machine.rows("SELECT id, recipient, kind, key, state, folded_into FROM outbox "
                            "ORDER BY id")

    def waiting(self, machine):
        return machine.rows("SELECT count(*) FROM outbox WHERE state = 'waiting'")[0][0]

    def until_sent(self, machine):
        until("no mail waits", lambda: self.waiting(machine) == 0)

    def check_account(self, machine, inbox):
        """Returns the number of mails and of second copies."""
        mails = inbox.mails()
        self.assertEqual(unaccounted(self.outbox(machine), mails), [])
        self.assertEqual(excess_copies(mails, inbox.cuts), [])
        self.assertEqual(out_of_order(mails), [])
        once = first_copies(mails)
        sent = machine.rows("SELECT count(*) FROM outbox WHERE state = 'sent'")[0][0]
        self.assertEqual(len(once), sent, "one Message-ID for each mail")
        return {"mails": len(once), "second_copies": len(mails) - len(once), "lost": 0}

    def test_every_fault_of_a_server_and_kill_9_in_each_phase(self):
        machine, inbox = self.with_inbox(to=("me@example.org", "you@example.org"))
        inbox.stop()
        plan = list(itertools.chain(*(("ok", fault) for fault in FAULTS + HANGS)))
        inbox.start("\n".join((plan * (MAILS // 40 + 1))[:MAILS + 2 * len(HANGS)] + ["ok"]))
        machine.boot()
        epochs = MAILS // 8
        machine.start_run(epochs=epochs, **RUN)
        kills = 0
        tests = 0
        while tests < (MAILS - 2 * epochs - 4) // 2 or self.waiting(machine):
            if len(inbox.events("hanging")) > kills:
                machine.kill_daemon()
                inbox.cut()
                kills += 1
                machine.boot()
            if tests < (MAILS - 2 * epochs - 4) // 2:
                machine.told("mail", "test")
                tests += 1
        machine.until_state("completed")
        # What is left of the plan must not hang the account.
        self.until_sent(machine)
        figures = self.check_account(machine, inbox)
        steps = [event["step"] for event in inbox.events("connected")]
        for fault in FAULTS + HANGS:
            self.assertIn(fault, steps, "the plan was not played to its end")
        for recipient in ("me@example.org", "you@example.org"):
            self.assertEqual(told_epochs(inbox.mails(), recipient), list(range(1, epochs + 1)))
        FIGURES["faults"] = dict(figures, kills=kills, connections=len(steps))

    def test_kill_9_at_each_step_of_the_outbox(self):
        machine, inbox = self.with_inbox()
        calls = machine.folder / "calls"
        wal = [f"under {machine.state}/traind.db-wal", "calls write sync", "program traind",
               f"log {calls}", "do kill"]
        # A life with one mail tells how many steps one takes.
        self.leave_waiting(machine, inbox, 1)
        plan_fault(machine, *wal, "at 1000000")
        machine.boot()
        self.until_sent(machine)
        machine.stop_daemon()
        steps = int(calls.read_text(encoding="utf-8").split()[2])
        machine.environment.clear()
        self.leave_waiting(machine, inbox, MAILS)
        kills = 0
        while self.waiting(machine) and kills < ROUNDS * steps:
            # In the second mail of each life, so that none is cut off twice.
            plan_fault(machine, *wal, f"at {steps + 1 + kills % steps}")
            machine.launch()
            until("the daemon is killed, or done", lambda: machine.daemon.poll() is not None or
                  self.waiting(machine) == 0)
            machine.kill_daemon()
            inbox.cut()
            kills += 1
        machine.environment.clear()
        machine.boot()
        self.until_sent(machine)
        figures = self.check_account(machine, inbox)
        self.assertEqual(figures["mails"], MAILS + 1)
        copies = collections.Counter(mail["id"] for mail in inbox.mails())
        self.assertLessEqual(max(copies.values()), 2, "none was cut off twice")
        hits = {line.split()[3] for line in calls.read_text(encoding="utf-8").splitlines()
                if not line.rstrip().endswith("end")}
        self.assertEqual(hits, {"write", "sync"})
        self.assertEqual(kills, ROUNDS * steps, "each step was the last one of a daemon")
        FIGURES["kills"] = dict(figures, kills=kills, steps_of_a_mail=steps)

    def leave_waiting(self, machine, inbox, mails):
        """Mails in the outbox of a daemon that is gone; the server is there for the next one."""
        inbox.stop()
        machine.boot()
        for _ in range(mails):
            machine.told("mail", "test")
        until("an attempt has failed", lambda: self.mail_errors(machine))
        machine.stop_daemon()
        inbox.start()

    def mail_errors(self, machine):
        return [mail["last_error"] for mail in machine.told("mail", "list")["mails"]
                if mail["last_error"]]

    def test_after_a_long_outage_one_digest_comes_instead_of_many_mails(self):
        machine, inbox = self.with_inbox(to=("me@example.org", "you@example.org"),
                                         first=OUTAGE["first"], longest=OUTAGE["longest"])
        inbox.stop()
        begin = time.monotonic()
        machine.boot()
        machine.start_run(epochs=OUTAGE["epochs"], **RUN)
        machine.until_state("completed")
        until("the outage is over", lambda: time.monotonic() - begin > OUTAGE["seconds"],
              OUTAGE["seconds"] + 1)
        inbox.start()
        begin = time.monotonic()
        until("the first mail is here", lambda: inbox.events("stored"))
        first_mail = time.monotonic() - begin
        self.until_sent(machine)
        figures = self.check_account(machine, inbox)
        for recipient in ("me@example.org", "you@example.org"):
            mine = [mail for mail in inbox.mails() if mail["recipient"] == recipient]
            self.assertEqual([mail["kind"] for mail in mine], ["start", "digest", "end"])
            self.assertIn(f"epochs 1 to {OUTAGE['epochs']} of {OUTAGE['epochs']}",
                          mine[1]["subject"])
            self.assertEqual(told_epochs(inbox.mails(), recipient),
                             list(range(1, OUTAGE["epochs"] + 1)))
        self.assertLess(first_mail, OUTAGE["longest"] + 2, "it comes soon after the server is back")
        listed = machine.told("mail", "list")["mails"]
        digests = {mail["id"] for mail in listed if mail["kind"] == "digest"}
        folded = [mail for mail in listed if mail["state"] == "folded"]
        self.assertTrue(folded and all(mail["folded_into"] in digests for mail in folded))
        self.assertIn(f"told in mail {max(digests)}", machine.trainctl("mail", "list").stdout)
        FIGURES["outage"] = dict(figures, scaled_hours=6, first_mail_after_seconds=first_mail,
                                 waits=[OUTAGE["first"], OUTAGE["longest"]],
                                 attempts=machine.rows("SELECT sum(attempts) FROM outbox")[0][0])

    def test_a_recipient_whom_the_server_refuses_holds_up_nobody(self):
        machine, inbox = self.with_inbox(to=("nobody@example.org", "me@example.org"),
                                         refuse=["nobody@example.org"])
        machine.boot()
        machine.start_run(epochs=2, **RUN)
        machine.until_state("completed")
        self.until_sent(machine)
        self.assertEqual([mail["kind"] for mail in inbox.mails()],
                         ["start", "epoch", "epoch", "end"])
        status = machine.status()
        self.assertEqual((status["mails_dead"], status["mails_waiting"]), (4, 0))
        self.assertIn("550 5.1.1 no such user", status["mail_error"])
        inbox.refuse.clear()
        inbox.stop()
        inbox.start()
        self.assertEqual(machine.told("mail", "retry"), {"mails": 4})
        self.until_sent(machine)
        self.assertEqual(self.check_account(machine, inbox)["mails"], 8)

    def test_a_wrong_password_is_told_and_tried_rarely(self):
        machine, inbox = self.with_inbox(to=("me@example.org", "you@example.org", "us@example.org"),
                                         first=0.2, longest=1)
        inbox.write_password("not-the-one")
        machine.boot()
        machine.start_run(epochs=3, **RUN)
        machine.until_state("completed")
        until("a second attempt was made", lambda: len(inbox.events("login")) > 1)
        begin = inbox.events("login")[0]["time"]
        # 1 s, 2 s, then 4 s apart, whatever number of mails there is.
        self.assertLessEqual(len(inbox.events("login")), 2 + (time.time() - begin) / 2)
        self.assertIn("login refused", machine.status()["mail_error"])
        errors = self.mail_errors(machine)
        self.assertGreaterEqual(len(errors), 9)
        self.assertTrue(all("login refused" in error for error in errors), errors)
        inbox.write_password(PASSWORD)
        machine.told("mail", "retry")
        self.until_sent(machine)
        self.check_account(machine, inbox)

    def test_without_trusted_encryption_nothing_is_sent(self):
        machine, inbox = self.with_inbox()
        inbox.plan.write_text("no-starttls\n", encoding="utf-8")
        machine.boot()
        machine.told("mail", "test")
        until("that is told", lambda: any("STARTTLS" in error
                                          for error in self.mail_errors(machine)))
        machine.stop_daemon()
        inbox.stop()
        trusted = (machine.folder / "server.pem").read_bytes()
        make_certificate(machine.folder)
        other = (machine.folder / "server.pem").read_bytes()
        inbox.start()
        (machine.folder / "server.pem").write_bytes(trusted)
        machine.boot()
        machine.told("mail", "retry")
        until("that is told", lambda: any("certificate" in error
                                          for error in self.mail_errors(machine)))
        self.assertEqual(inbox.events("login"), [], "no password left the machine")
        self.assertEqual(inbox.mails(), [])
        (machine.folder / "server.pem").write_bytes(other)
        machine.told("mail", "retry")
        self.until_sent(machine)
        self.check_account(machine, inbox)


class AccountTest(unittest.TestCase):
    """The account sees a mail that is lost, doubled, or out of order."""

    rows = [(1, "me", "start", "start-1", "sent", None), (2, "me", "epoch", "epoch-1", "sent", None),
            (3, "me", "epoch", "epoch-2", "folded", 4), (4, "me", "digest", "digest-3", "sent", None)]

    def arrived(self, *kinds):
        return [{"recipient": "me", "id": kind, "run": "r", "kind": kind.split("-")[0],
                 "epoch": int(kind.split("-")[1]), "subject": kind, "time": 10 * at, "step": "ok"}
                for at, kind in enumerate(kinds)]

    def test_sees_what_is_wrong(self):
        good = self.arrived("start-0", "epoch-1", "digest-2")
        self.assertEqual(unaccounted(self.rows, good), [])
        self.assertEqual(excess_copies(good, []) + out_of_order(good), [])
        self.assertTrue(unaccounted(self.rows, good[:-1]), "lost")
        self.assertTrue(unaccounted(self.rows[:-1], good[:-1]), "its digest is not there")
        self.assertTrue(out_of_order(self.arrived("start-0", "digest-2", "epoch-1")))
        twice = self.arrived("start-0", "epoch-1", "epoch-1")
        self.assertTrue(excess_copies(twice, []))
        self.assertTrue(excess_copies(twice, [5]), "a kill before both explains nothing")
        self.assertEqual(excess_copies(twice, [15]), [])


if __name__ == "__main__":
    unittest.main()
