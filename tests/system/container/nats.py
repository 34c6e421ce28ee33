"""NATS's REST API over TLS at port 8443, and the name server of nats.dns.test at port 53."""

import http.server
import json
import socket
import ssl
import sys
import threading

ADDRESS = "127.0.0.1"
NAME = b"\x04nats\x03dns\x04test\x00"
NOT_FOUND = 3


class Nats(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"result": sys.argv[3]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def answer(query):
    """An address for the name if one of IPv4 is asked for, and none if one of IPv6 is."""
    question = query[12 : query.index(b"\x00", 12) + 5]
    is_known, is_ipv4 = question[:-4].lower() == NAME, question[-4:-2] == b"\x00\x01"
    count = int(is_known and is_ipv4)
    flags = 0x8180 if is_known else 0x8180 | NOT_FOUND
    numbers = [flags, 1, count, 0, 0]
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + socket.inet_aton(ADDRESS)
    head = query[:2] + b"".join(number.to_bytes(2, "big") for number in numbers)
    return head + question + record * count


def serve_names(names):
    while True:
        query, caller = names.recvfrom(512)
        names.sendto(answer(query), caller)


names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind((ADDRESS, 53))
threading.Thread(target=serve_names, args=(names,), daemon=True).start()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = http.server.ThreadingHTTPServer((ADDRESS, 8443), Nats)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
