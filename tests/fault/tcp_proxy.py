"""A TCP proxy on this machine whose faults are switched while connections run through it. It looks at no byte: TLS passes
through it whole.

    through    as if it were not there
    cut        what is connected is reset (RST), and so is whoever connects
    half_open  both directions are swallowed, nobody is told. Such a connection stays dead for ever, as behind a firewall
               that has forgotten it; those made after the fault are sound
    delay      every byte comes `seconds` later, in either direction, in order
    trickle    at most `bytes_per_s` in either direction"""
import collections
import selectors
import socket
import struct
import threading
import time

CHUNK = 65536
BACKLOG_BYTES = 1 << 20  # beyond it a direction is read no more: the sender's window closes, as on a real slow link
TRICKLE_PIECE_S = 0.05
MODES = ("through", "cut", "half_open", "delay", "trickle")


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Direction:
    """From one socket to another: pieces of bytes with the time at which each may leave; None is the end."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.pieces, self.bytes, self.last_due = collections.deque(), 0, 0.0
        self.ended = False

    def put(self, data, due):
        """Order is kept: nothing leaves before what came before it."""
        self.last_due = max(due, self.last_due)
        self.pieces.append((self.last_due, data))
        self.bytes += len(data or b"")

    def put_slowly(self, data, now, bytes_per_s):
        size = max(1, int(bytes_per_s * TRICKLE_PIECE_S))
        for at in range(0, len(data), size):
            piece = data[at:at + size]
            self.put(piece, max(now, self.last_due) + len(piece) / bytes_per_s)

    def send_due(self, now):
        """Seconds until there is more to do; None: nothing waits."""
        while self.pieces and self.pieces[0][0] <= now:
            _, data = self.pieces.popleft()
            if data is None:
                self.target.shutdown(socket.SHUT_WR)
                continue
            self.bytes -= len(data)
            sent = self.send(data)
            if sent < len(data):
                self.pieces.appendleft((now, data[sent:]))
                self.bytes += len(data) - sent
                return TRICKLE_PIECE_S
        return self.pieces[0][0] - now if self.pieces else None

    def send(self, data):
        try:
            return self.target.send(data)
        except BlockingIOError:
            return 0


class Connection:
    def __init__(self, client, server):
        self.sockets = (client, server)
        self.ways = {client: Direction(client, server), server: Direction(server, client)}
        self.dead = False


class TcpProxy:
    """Listens on `port` of 127.0.0.1, a free one unless given, and connects to `target` there. Its own thread until close()."""

    def __init__(self, target, port=0):
        self.target = target
        self.mode, self.seconds, self.bytes_per_s = "through", 0.0, 0.0
        self.connections, self.accepted, self.swallowed_bytes = set(), 0, 0
        self.lock, self.selector = threading.Lock(), selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.waker, self.woken = socket.socketpair()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.woken, selectors.EVENT_READ)
        self.closing = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    # --- what a test asks for ----------------------------------------------------------------------------------------

    def set(self, mode, seconds=5.0, bytes_per_s=1000.0):
        """Returns when it is in force."""
        assert mode in MODES, mode
        with self.lock:
            self.mode, self.seconds, self.bytes_per_s = mode, seconds, bytes_per_s
            for connection in list(self.connections):
                if mode == "cut":
                    self.drop(connection)
                elif mode == "half_open":
                    self.kill(connection)
        self.waker.send(b"!")

    def cut_once(self):
        """What is connected is reset; whoever comes back gets through."""
        before = (self.mode, self.seconds, self.bytes_per_s)
        self.set("cut")
        self.set(*before)

    def close(self):
        self.closing = True
        self.waker.send(b"!")
        self.thread.join(5)
        with self.lock:
            for connection in list(self.connections):
                self.drop(connection)
        for sock in (self.listener, self.waker, self.woken):
            sock.close()
        self.selector.close()

    # --- the thread --------------------------------------------------------------------------------------------------

    def run(self):
        wait = None
        while not self.closing:
            ready = self.selector.select(wait)
            with self.lock:
                for key, _ in ready:
                    self.on_ready(key.fileobj)
                wait = self.send_due()

    def on_ready(self, sock):
        if sock is self.listener:
            self.accept()
        elif sock is self.woken:
            sock.recv(CHUNK)
        else:
            connection = next((c for c in self.connections if sock in c.sockets), None)
            if connection is not None:  # else it was dropped in this very turn
                self.read(connection, connection.ways[sock])

    def accept(self):
        client, _ = self.listener.accept()
        if self.mode == "cut":
            reset(client)
            return
        self.accepted += 1
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            reset(client)
            return
        for sock in (client, server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(sock, selectors.EVENT_READ)
        connection = Connection(client, server)
        self.connections.add(connection)
        if self.mode == "half_open":
            self.kill(connection)

    def read(self, connection, way):
        try:
            data = way.source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            if connection.dead:
                self.bury(connection, way.source)
            else:
                self.drop(connection)
            return
        if connection.dead:
            self.swallowed_bytes += len(data)
            if not data:
                self.bury(connection, way.source)
        elif data:
            self.put(way, data)
        else:
            self.end(connection, way)

    def put(self, way, data):
        now = time.monotonic()
        if self.mode == "trickle":
            way.put_slowly(data, now, self.bytes_per_s)
        else:
            way.put(data, now + (self.seconds if self.mode == "delay" else 0))
        if way.bytes > BACKLOG_BYTES:
            self.selector.unregister(way.source)

    def end(self, connection, way):
        """One side has said all: so is the other told, after everything that is on its way."""
        way.ended = True
        way.put(None, time.monotonic())
        self.selector.unregister(way.source)
        if all(w.ended for w in connection.ways.values()):
            self.drop(connection, after=True)

    def send_due(self):
        now, soonest = time.monotonic(), None
        for connection in list(self.connections):
            for way in connection.ways.values():
                try:
                    wait = way.send_due(now)
                except OSError:
                    self.drop(connection)
                    break
                if wait is not None and (soonest is None or wait < soonest):
                    soonest = wait
                if way.bytes <= BACKLOG_BYTES // 2 and not way.ended and not connection.dead:
                    self.listen_to(way.source)
            else:
                if all(w.ended and not w.pieces for w in connection.ways.values()):
                    self.drop(connection, after=True)
        return None if soonest is None else max(soonest, 0)

    def listen_to(self, sock):
        if sock not in self.selector.get_map():
            self.selector.register(sock, selectors.EVENT_READ)

    def kill(self, connection):
        connection.dead = True
        for way in connection.ways.values():
            self.swallowed_bytes += way.bytes
            way.pieces.clear()
            way.bytes = 0

    def bury(self, connection, sock):
        """An end of a dead connection has given up; the other one is not told."""
        self.selector.unregister(sock)
        sock.close()
        connection.ways.pop(sock)
        if not connection.ways:
            self.connections.discard(connection)

    def drop(self, connection, after=False):
        """Both ends: by RST, or in order once everything has gone out."""
        if after and any(w.pieces for w in connection.ways.values()):
            return
        self.connections.discard(connection)
        for sock in connection.sockets:
            if sock.fileno() < 0:
                continue
            if sock in self.selector.get_map():
                self.selector.unregister(sock)
            if after:
                sock.close()
            else:
                reset(sock)
