#!/usr/bin/python3
"""A real SMTP server on loopback for tests: STARTTLS, AUTH, and faults by plan.

It prints "listening PORT" once it is ready, and runs until SIGTERM, or until the process that
started it is gone. In FOLDER it keeps each delivered mail as NNNN.eml (as sent, without the
dots SMTP adds), and events.jsonl: one JSON object a line for what clients did.

The plan is a text file, read again for each connection. Line n is for the n-th connection, and
the last line for all after it; no file, or an empty one, is "ok". A line is one of
  ok                 take the mail
  PHASE REPLY        answer REPLY in PHASE: banner, starttls, auth, mail, rcpt, data (the command)
                     or message (after the final dot); "rcpt 550 5.1.1 no such user"
  no-starttls        do not offer STARTTLS
  silent             take the connection and say nothing
  silent-quit        take the mail, never answer QUIT
  slow SECONDS       take the mail, answer SECONDS later
  drop-before        close the connection before the message is through; nothing is kept
  drop-after         keep the message, close the connection before answering
  hang PHASE         never answer in PHASE: starttls, auth, mail, rcpt, data, message (nothing is
                     kept) or kept (the message is); tells the event "hanging" first
"""

import argparse
import asyncio
import email
import json
import logging
import os
import pathlib
import signal
import ssl
import time
import warnings

from aiosmtpd.smtp import SMTP, AuthResult


class Plan:
    """What shall happen to each connection, in the order in which they come."""

    def __init__(self, path):
        self._path = path
        self._connections = 0

    def next(self):
        lines = []
        if self._path and self._path.exists():
            lines = [line.strip() for line in self._path.read_text().splitlines() if line.strip()]
        step = lines[min(self._connections, len(lines) - 1)] if lines else "ok"
        self._connections += 1
        word, _, rest = step.partition(" ")
        return word, rest


class Keep:
    """The folder of mails and the list of events."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._events = open(folder / "events.jsonl", "a", buffering=1, encoding="utf-8")
        self._count = len(list(folder.glob("*.eml")))

    def event(self, name, **details):
        self._events.write(json.dumps({"event": name, "time": time.time(), **details}) + "\n")

    def store(self, server, session, envelope):
        self._count += 1
        name = f"{self._count:04}.eml"
        # Whoever polls the folder sees whole mails only.
        partial = self._folder / (name + ".part")
        partial.write_bytes(envelope.original_content)
        partial.rename(self._folder / name)
        headers = email.message_from_bytes(envelope.original_content)
        self.event(
            "stored",
            file=name,
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            message_id=headers["Message-ID"],
            helo=session.host_name,
            encrypted=server.transport.get_extra_info("ssl_object") is not None,
            login=getattr(session, "traind_login", None),
            step=" ".join(session.traind_step).strip(),
        )


class Handler:
    """The hooks that aiosmtpd calls; session.traind_step is the connection's line of the plan."""

    def __init__(self, keep, options):
        self._keep = keep
        self._options = options

    async def hang(self, session, phase):
        """Says nothing more where the plan wants it so; the client will have left by then."""
        if session.traind_step == ("hang", phase):
            self._keep.event("hanging", phase=phase)
            await asyncio.sleep(self._options.idle_seconds)

    def _refusal(self, session, phase):
        word, reply = session.traind_step
        if word != phase:
            return None
        self._keep.event("refused", phase=phase, reply=reply)
        return reply

    async def handle_MAIL(self, server, session, envelope, address, options):
        await self.hang(session, "mail")
        refusal = self._refusal(session, "mail")
        if refusal:
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        await self.hang(session, "rcpt")
        refusal = self._refusal(session, "rcpt")
        if refusal:
            return refusal
        if address in self._options.refuse:
            self._keep.event("refused", phase="rcpt", reply=f"550 {address}")
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        await self.hang(session, "message")
        refusal = self._refusal(session, "message")
        if refusal:
            return refusal
        word, rest = session.traind_step
        if (word, rest) == ("hang", "message"):
            return "421 4.3.2 too late"
        self._keep.store(server, session, envelope)
        await self.hang(session, "kept")
        if word == "slow":
            await asyncio.sleep(float(rest))
        if word == "drop-after":
            server.transport.abort()
        return "250 2.0.0 queued"


class Server(SMTP):
    """One connection; what aiosmtpd has no hook for."""

    def __init__(self, options, plan, keep, tls):
        self._options = options
        self._keep = keep
        self._step = plan.next()
        keep.event("connected", step=" ".join(self._step).strip())
        self._hooks = Handler(keep, options)
        super().__init__(
            self._hooks,
            hostname="localhost",
            data_size_limit=16 << 20,
            timeout=options.idle_seconds,
            tls_context=tls if self._offers_starttls() else None,
            require_starttls=self._offers_starttls(),
            authenticator=self._check_login,
            auth_required=bool(options.user),
            auth_require_tls=options.tls == "starttls",
        )

    def _offers_starttls(self):
        return self._options.tls == "starttls" and self._step[0] != "no-starttls"

    def _create_session(self):
        session = super()._create_session()
        session.traind_step = self._step
        return session

    def _check_login(self, server, session, envelope, mechanism, data):
        word, reply = self._step
        if word == "auth":
            self._keep.event("refused", phase="auth", reply=reply)
            return AuthResult(success=False, handled=False, message=reply)
        known = (self._options.user, self._options.password)
        login = data.login.decode()
        right = (login, data.password.decode()) == known
        self._keep.event("login", user=login, mechanism=mechanism, right=right)
        if right:
            session.traind_login = login
        return AuthResult(success=right, handled=False)

    async def _handle_client(self):
        word, reply = self._step
        if word == "silent":
            await asyncio.sleep(self._options.idle_seconds)
        elif word == "banner":
            self._keep.event("refused", phase="banner", reply=reply)
            await self.push(reply)
            self.transport.close()
        else:
            await super()._handle_client()

    async def smtp_STARTTLS(self, arg):
        word, reply = self._step
        await self._hooks.hang(self.session, "starttls")
        if word != "starttls":
            await super().smtp_STARTTLS(arg)
            return
        self._keep.event("refused", phase="starttls", reply=reply)
        await self.push(reply)

    async def smtp_AUTH(self, arg):
        await self._hooks.hang(self.session, "auth")
        await super().smtp_AUTH(arg)

    async def smtp_DATA(self, arg):
        word, reply = self._step
        await self._hooks.hang(self.session, "data")
        if word == "data":
            self._keep.event("refused", phase="data", reply=reply)
            await self.push(reply)
        elif word == "drop-before":
            self._keep.event("dropped", phase="data")
            await self.push("354 go ahead")
            self.transport.abort()
        else:
            await super().smtp_DATA(arg)

    async def smtp_QUIT(self, arg):
        if self._step[0] == "silent-quit":
            self._keep.event("silent", phase="quit")
            await asyncio.sleep(self._options.idle_seconds)
        else:
            await super().smtp_QUIT(arg)


def options_from_command_line():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="for mails and events")
    parser.add_argument("--port", type=int, default=0, help="0 = a free one is chosen")
    parser.add_argument("--tls", choices=["starttls", "implicit", "none"], default="starttls")
    parser.add_argument("--certificate", type=pathlib.Path, help="PEM, for starttls and implicit")
    parser.add_argument("--key", type=pathlib.Path, help="PEM")
    parser.add_argument("--user", default="", help="empty = no login is asked for")
    parser.add_argument("--password", default="")
    parser.add_argument("--plan", type=pathlib.Path)
    parser.add_argument("--refuse", action="append", default=[], metavar="ADDRESS",
                        help="a recipient that never gets anything (550)")
    parser.add_argument("--idle-seconds", type=float, default=300, help="limit on any silence")
    return parser.parse_args()


async def serve(options):
    plan, keep, tls = Plan(options.plan), Keep(options.folder), None
    if options.tls != "none":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate, options.key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Server(options, plan, keep, tls),
        "127.0.0.1",
        options.port,
        ssl=tls if options.tls == "implicit" else None,
    )
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    parent = os.getppid()
    while not ended.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(ended.wait(), timeout=1)
        except asyncio.TimeoutError:
            pass
    server.close()


if __name__ == "__main__":
    # Clients that hang up and logins in the clear are what it is for.
    logging.disable()
    warnings.simplefilter("ignore")
    asyncio.run(serve(options_from_command_line()))
