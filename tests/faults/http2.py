"""HTTP/2 by hand, as far as it takes to call traind and to misuse it: a client of gRPC's would not
send what is sent here."""

import re
import socket
import struct
import time

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
LARGEST_FRAME = 16384  # as long as nobody says otherwise
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SERVICE = "/traind.v1.TrainingService/"
GRPC_STATUS = re.compile(rb"grpc-status[\x01\x02](\d{1,2})")


def frame(kind, flags=0, stream=0, body=b""):
    return struct.pack(">I", len(body))[1:] + struct.pack(">BBI", kind, flags, stream) + body


def integer(value, bits):
    """HPACK's integers: RFC 7541, 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([value])
    out = bytearray([most])
    value -= most
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def header(name, value):
    """A literal header, not indexed, without Huffman's code."""
    name, value = (text if isinstance(text, bytes) else text.encode() for text in (name, value))
    return b"\0" + integer(len(name), 7) + name + integer(len(value), 7) + value


def header_block(method, more=()):
    return b"".join(header(name, value) for name, value in [
        (":method", "POST"), (":scheme", "http"), (":path", SERVICE + method),
        (":authority", "localhost"), ("te", "trailers"), ("content-type", "application/grpc"),
        *more])


def grpc_message(body=b""):
    return b"\0" + struct.pack(">I", len(body)) + body


def begin_of(method, stream=1):
    return frame(HEADERS, END_HEADERS, stream, header_block(method))


def data(body, stream=1, flags=END_STREAM):
    """As many frames as it takes."""
    parts = [body[at:at + LARGEST_FRAME] for at in range(0, len(body), LARGEST_FRAME)]
    return (b"".join(frame(DATA, 0, stream, part) for part in parts[:-1]) +
            frame(DATA, flags, stream, parts[-1]))


def request(method, stream=1, body=b""):
    return begin_of(method, stream) + data(grpc_message(body), stream)


def long_request(block, stream=1):
    """A request whose header block fills as many frames as it takes."""
    parts = [block[at:at + LARGEST_FRAME] for at in range(0, len(block), LARGEST_FRAME)]
    out = frame(HEADERS, END_HEADERS if len(parts) == 1 else 0, stream, parts[0])
    for part in parts[1:-1]:
        out += frame(CONTINUATION, 0, stream, part)
    if len(parts) > 1:
        out += frame(CONTINUATION, END_HEADERS, stream, parts[-1])
    return out + data(grpc_message(), stream)


class Connection:
    """One connection to `address`: a path, or a port on loopback. Errors are OSError."""

    def __init__(self, address, seconds=10, greet=True):
        self.buffer = b""
        if isinstance(address, int):
            self.socket = socket.create_connection(("127.0.0.1", address), timeout=seconds)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(seconds)
            try:
                self.socket.connect(str(address))
            except OSError:
                self.socket.close()
                raise
        if greet:
            self.send(PREFACE + frame(SETTINGS))

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.socket.close()

    def send(self, frames):
        self.socket.sendall(frames)

    def frames(self):
        """What the server says, until it hangs up."""
        while True:
            while len(self.buffer) >= 9:
                size = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) < 9 + size:
                    break
                kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
                body, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
                if kind == SETTINGS and not flags & ACK:
                    self.send(frame(SETTINGS, ACK))
                if kind == PING and not flags & ACK:
                    self.send(frame(PING, ACK, 0, body))
                yield kind, flags, stream, body
            more = self.socket.recv(65536)
            if not more:
                return
            self.buffer += more

    def status_of(self, stream=1):
        """The gRPC status that a call ends with: "reset" or "gone" when it has none."""
        for kind, flags, of, body in self.frames():
            if kind == GOAWAY:
                return "gone"
            if kind == RESET and of == stream:
                return "reset"
            if kind == HEADERS and of == stream and flags & END_STREAM:
                return int(GRPC_STATUS.search(body)[1])
        return "gone"


def answers(address, seconds=1):
    """Whether traind answers a simple call there in time."""
    try:
        with Connection(address, seconds) as connection:
            connection.send(request("GetVersion"))
            return connection.status_of() == 0
    except OSError:
        return False


def hangs_up(connection, seconds):
    """Whether the server closes a connection within that time, whatever it says before."""
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            connection.socket.settimeout(max(0.01, deadline - time.monotonic()))
            if not connection.socket.recv(65536):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True
    return False
