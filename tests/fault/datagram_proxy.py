"""A UDP proxy on the media path that loses, repeats, delays and reorders datagrams, in both directions, from a seed.

Ingest binds its ports at one loopback address and advertises another; the proxy listens there on the same ports and
passes on what comes. Neither side can tell it from a bad network."""
import dataclasses
import heapq
import itertools
import random
import selectors
import socket
import threading
import time

DATAGRAM_MAX = 65535
SOCKET_BUFFER_BYTES = 4 << 20
WATCH_S = 0.1  # how long a stop may go unnoticed


@dataclasses.dataclass(frozen=True)
class Weather:
    """What a link does. Shares are probabilities, 0 to 1, drawn for each datagram of each direction alone."""
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0  # so many are held back, for up to `reorder_ms`, and those behind overtake them
    reorder_ms: float = 0.0
    delay_ms: float = 0.0  # one way, of every datagram


CLEAR = Weather()


class Path:
    """One sender through one port: a socket towards ingest, and what has become of its datagrams."""

    def __init__(self, door, sender, target, seed):
        self.door, self.sender, self.target = door, sender, target
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.out.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
        self.out.setblocking(False)
        self.out.connect(target)
        self.chance = random.Random(seed)

    def pass_on(self, data, back):
        try:
            if back:
                self.door.sendto(data, self.sender)
            else:
                self.out.send(data)
        except (BlockingIOError, ConnectionRefusedError):
            pass  # the receiver is gone, or late: as on any network


class DatagramProxy(threading.Thread):
    """`weather[port]` may change at any time; `taps[port]` collects what the sender sent before anything befell it."""

    def __init__(self, listen, target, ports, seed=1):
        super().__init__(daemon=True)
        self.target, self.seed = target, seed
        self.weather = {port: CLEAR for port in ports}
        self.taps, self.counts = {}, {port: dict.fromkeys(("sent", "lost", "repeated", "held"), 0) for port in ports}
        self.paths, self.late, self.order = {}, [], itertools.count()
        self.watched, self.enough = selectors.DefaultSelector(), threading.Event()
        for port in ports:
            door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
            door.setblocking(False)
            door.bind((listen, port))
            self.watched.register(door, selectors.EVENT_READ, (port, None))

    def tap(self, port):
        self.taps[port] = []

    def stop(self):
        self.enough.set()
        self.join()
        for key in list(self.watched.get_map().values()):
            key.fileobj.close()

    def run(self):
        while not self.enough.is_set():
            wait = max(self.late[0][0] - time.monotonic(), 0) if self.late else WATCH_S
            for key, _ in self.watched.select(min(wait, WATCH_S)):
                self.empty(key.fileobj, *key.data)
            self.deliver_due()

    def deliver_due(self):
        while self.late and self.late[0][0] <= time.monotonic():
            _, _, path, data, back = heapq.heappop(self.late)
            path.pass_on(data, back)

    def empty(self, sock, port, path):
        """Takes in all that waits at one socket: at a door from senders, else from ingest."""
        while True:
            try:
                data, sender = sock.recvfrom(DATAGRAM_MAX)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            if path is None:
                if port in self.taps:
                    self.taps[port].append(data)
                self.befall(port, self.path(sock, port, sender), data, False)
            else:
                self.befall(port, path, data, True)

    def path(self, door, port, sender):
        known = self.paths.get((port, sender))
        if known is None:
            known = Path(door, sender, (self.target, port), f"{self.seed}/{len(self.paths)}")
            self.paths[port, sender] = known
            self.watched.register(known.out, selectors.EVENT_READ, (port, known))
        return known

    def befall(self, port, path, data, back):
        weather, count, chance = self.weather[port], self.counts[port], path.chance
        count["sent"] += 1
        if chance.random() < weather.loss:
            count["lost"] += 1
            return
        self.send_later(weather, count, chance, path, data, back)
        if chance.random() < weather.duplicate:
            count["repeated"] += 1
            self.send_later(weather, count, chance, path, data, back)

    def send_later(self, weather, count, chance, path, data, back):
        delay_ms = weather.delay_ms
        if chance.random() < weather.reorder:
            count["held"] += 1
            delay_ms += chance.uniform(0, weather.reorder_ms)
        if delay_ms == 0:
            path.pass_on(data, back)
        else:
            heapq.heappush(self.late, (time.monotonic() + delay_ms / 1000, next(self.order), path, data, back))


def free_ports(count, addresses):
    """The first of `count` ports in a row that are free at all `addresses`."""
    for first in range(random.randrange(21000, 31000), 60000, count):
        held = []
        try:
            for address, port in itertools.product(addresses, range(first, first + count)):
                held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                held[-1].bind((address, port))
            return first
        except OSError:
            continue
        finally:
            for sock in held:
                sock.close()
    raise OSError(f"no {count} free ports in a row at {addresses}")
