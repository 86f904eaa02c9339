"""A broker in a process of its own, and waiting for conditions."""

import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

START_SECONDS = 60
WAIT_SECONDS = 15
HERE = pathlib.Path(__file__).resolve().parent


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_until(condition, what, seconds=WAIT_SECONDS):
    """Gives back the first true value; fails by name after the bound."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


class Broker:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="ferrymq-python-")
        self.data = os.path.join(self.folder.name, "data")
        self.log = open(os.path.join(self.folder.name, "log"), "ab")
        self.stomp, self.auto, self.websocket = free_ports(3)
        self.process = None

    def start(self):
        ports = [str(port) for port in (self.stomp, self.auto, self.websocket)]
        command = ["bash", str(HERE.parent / "start-broker.sh"), self.data, *ports]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until(self.listens, "the broker listens", START_SECONDS)

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError("the broker ended at its start:\n" + self.tail())
        try:
            socket.create_connection(("127.0.0.1", self.stomp), 1).close()
            return True
        except OSError:
            return False

    def tail(self):
        with open(self.log.name, "rb") as log:
            return log.read()[-3000:].decode(errors="replace")

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(START_SECONDS)

    def restart(self, number=signal.SIGTERM):
        self.stop(number)
        self.start()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(START_SECONDS)
        self.log.close()
        self.folder.cleanup()
