"""A network between two processes that can be cut: a relay of TCP connections on loopback."""

import contextlib
import selectors
import socket
import threading

from .gate import free_port

PIECE = 65536


class Relay:
    """Forwards connections to `port` of loopback. cut(): connections break, new ones are refused;
    hold(): nothing arrives any more and nobody is told, as behind a dead switch; mend(): as before."""

    def __init__(self, port):
        self.target = port
        self.port = free_port()
        self.lock = threading.Lock()
        self.pairs = set()
        self.holding, self.mended = threading.Event(), threading.Event()
        self.listener = None
        self.listen()

    def listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.listener = listener
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        pair = (client, server)
        with self.lock:
            self.pairs.add(pair)
        with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while self.carry_some(selector):
                pass
        with self.lock:
            self.pairs.discard(pair)
        for end in pair:
            end.close()

    def carry_some(self, selector):
        for key, _ in selector.select():
            while self.holding.is_set():
                self.mended.wait()
            piece = key.fileobj.recv(PIECE)
            if not piece:
                return False
            key.data.sendall(piece)
        return True

    def hold(self):
        self.mended.clear()
        self.holding.set()

    def cut(self):
        listener, self.listener = self.listener, None
        if listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self.lock:
            for pair in self.pairs:
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
        self.release()

    def release(self):
        if self.holding.is_set():
            self.holding.clear()
            self.mended.set()

    def mend(self):
        self.release()
        if not self.listener:
            self.listen()

    def close(self):
        self.cut()
