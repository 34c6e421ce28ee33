#!/usr/bin/env python3
"""Makes the fixture of a release: a data directory as that release leaves it at SIGTERM.

    tests/releases/make.py BINARY tests/releases/VERSION

BINARY is the program of that release. The test `continuity` upgrades each directory here with the
program of today. All secrets are for tests alone. What the test has to know stands in facts.json.
"""
import base64
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse

# What an operator could have set, in two files: some settings exclude each other.
ENVIRONMENTS = {
    "nats-userman.env": """\
# The settings of the service, for the unit and for commands.
USERMAN_DATA_DIR=data
USERMAN_LISTEN=127.0.0.1:0
USERMAN_PUBLIC_URL=https://members.example.com
USERMAN_DATABASE=sqlite:data/userman.db
USERMAN_ALLOW_IP=127.0.0.0/8,192.0.2.0/24,2001:db8::/32
USERMAN_TRUSTED_PROXY=127.0.0.1
USERMAN_TIME_ZONE=Europe/Berlin
USERMAN_EXPIRE_GRACE_HOURS=6
USERMAN_PASSWORD_HASH=argon2id
USERMAN_KEEP_CRYPTPASS=yes
USERMAN_JOURNAL_DAYS=3650
USERMAN_LOGIN_HOURS=8784
USERMAN_COOKIE_DOMAIN=example.com
USERMAN_LOGIN_TEMPLATE=login.html
USERMAN_LOGIN_LIMIT_PAIR=3
USERMAN_LOGIN_LIMIT_NETWORK=6
USERMAN_LOGIN_LIMIT_NAME=100
USERMAN_LOGIN_WINDOW_MINUTES=10
USERMAN_LOGIN_BLOCK_MINUTES=1440
USERMAN_API_KEY_FILE=api-keys
USERMAN_NATS_URL=http://127.0.0.1:9
USERMAN_NATS_API_USERNAME=tmm1test
USERMAN_NATS_API_KEY_FILE=nats-key
USERMAN_NATS_CA=
USERMAN_NATS_SECONDS=1
USERMAN_STAND_IN=no
USERMAN_STAND_IN_MINUTES=60
USERMAN_LOG=info
USERMAN_LOG_FORMAT=text
""",
    "develop.env": """\
# The settings that exclude some of the other file's: tokens of the settings, keys in variables, no NATS.
USERMAN_DATA_DIR=data
USERMAN_LISTEN=127.0.0.1:0
USERMAN_TRUSTED_PROXY=127.0.0.1
USERMAN_POSTBACK_TOKEN=a-token-of-the-settings-for-tests-0123456789
USERMAN_POSTBACK_TOKEN_FILE=more-tokens
USERMAN_KEEP_CRYPTPASS=1
USERMAN_PASSWORD_HASH=bcrypt
USERMAN_LOGIN_HOURS=8784
USERMAN_API_KEY=shop:0123456789abcdef0123 site=1 site=5,desk:fedcba98765432100123
USERMAN_STAND_IN=yes
USERMAN_LOG=warn,writer=debug
USERMAN_LOG_FORMAT=json
""",
}
# Settings that came after 0.1.0, by the first release that knows them.
LATER_SETTINGS = {
    "0.2.0": {
        "nats-userman.env": """\
USERMAN_ALLOW_IP_FILE=allowed
USERMAN_TRUSTED_PROXY_FILE=proxies
USERMAN_NO_UPGRADE_COPY=no
""",
    },
    "0.3.0": {
        "nats-userman.env": """\
USERMAN_LOGIN_IDLE_MINUTES=14400
USERMAN_CLOCK_JUMP_MINUTES=30
""",
    },
}
FILES = {
    "allowed": "# NATS\n198.51.100.0/24\n",
    "proxies": "10.9.8.7\n",
    "api-keys": "shop:0123456789abcdef0123 site=1 site=5 ip=127.0.0.0/8\n",
    "nats-key": "0123456789abcdef-of-nats\n",
    "more-tokens": "another-token-of-a-file-for-tests-0123456789\n",
    "login.html": "<!doctype html><title>Members</title>{{form}}\n",
}
SETTINGS_TOKEN = "a-token-of-the-settings-for-tests-0123456789"
COMPOSED, DECOMPOSED = "Ren\u00e9", "Rene\u0301"
# Names that the release of today compares in another form, or that fold to nothing.
MEMBERS = [
    (1, 71, "bob", "secret"),
    (1, 72, "Ann Smith", "p\u00e4ssw\u00f6rd"),
    (1, 73, COMPOSED, "first of two"),
    (1, 74, DECOMPOSED, "second of two"),
    (1, 75, "\u200b", "folds to nothing"),
    (1, 76, "zero\u200bwidth", "invisible"),
    (1, 77, "J\u00d6RG", "umlaut"),
    (1, 78, " blank ", "blanks around"),
    (1, 79, "a:colon", "no Basic"),
    (1, 80, "expires", "in a while"),
    (5, 71, "bob", "of another site"),
    (5, 75, "\u200b\u200b", "nothing again"),
]
# Release 0.1.0 took these names; later ones refuse a second name that folds to the same, and one that folds to nothing.
TAKEN_ONCE = {(1, 74), (1, 75), (5, 75)}
CRYPTPASSES = [(1, 81, "crypt", "41R19prsa7NLQ", "testtest")]
TRIALS = [(1, 82, "trial", "on trial")]
FORMERS = [(1, 90, "gone", "kept secret", "deleted"), (1, 91, "G\u00d6NE", "kept too", "expired")]
FORMER_CRYPTPASS = (5, 92, "oldcrypt", "a4sLkn7C9GP12", "password")
SEALED = [(1, 100 + n, "sealed%d" % n, "sealed secret %d" % n) for n in range(6)]
BLOCKED = [("203.0.113.9", "J\u00d6RG"), ("2001:db8:1::7", "bob")]
BLOCKED_NETWORK = "198.51.100.7"


class Service:
    def __init__(self, binary, directory, environment):
        variables = {name: value for name, value in os.environ.items() if not name.startswith("USERMAN_")}
        variables.update(settings(environment))
        self.process = subprocess.Popen(
            [binary, "serve"], cwd=directory, env=variables, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        self.variables, self.directory, self.binary = variables, directory, binary
        # The line may be of a level that the log leaves out: then the socket tells the port.
        self.port = self.wait_for_port()

    def wait_for_port(self):
        for _ in range(600):
            for line in open("/proc/net/tcp").read().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in self.sockets():
                    return int(fields[1].split(":")[1], 16)
            if self.process.poll() is not None:
                raise SystemExit(self.process.stderr.read())
            time.sleep(0.05)
        raise SystemExit("the service does not listen")

    def sockets(self):
        found = set()
        directory = "/proc/%d/fd" % self.process.pid
        for name in os.listdir(directory):
            try:
                match = re.match(r"socket:\[(\d+)\]", os.readlink(os.path.join(directory, name)))
            except OSError:
                continue
            if match:
                found.add(match.group(1))
        return found

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        connection.request(method, path, body, {**form, **(headers or {})})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response, text

    def post(self, token, word, **fields):
        body = urllib.parse.urlencode(fields)
        _, text = self.ask("POST", "/postback/" + token, body)
        assert text.startswith(word + "|"), (fields, text)

    def takes(self, token, **fields):
        _, text = self.ask("POST", "/postback/" + token, urllib.parse.urlencode(fields))
        return text.startswith("OK|")

    def login(self, site, name, password):
        body = urllib.parse.urlencode({"username": name, "password": password, "back": "/in"})
        headers = {"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": "192.0.2.1"}
        response, text = self.ask("POST", "/login?site=%d" % site, body, headers)
        assert response.status == 303, (response.status, text)
        return response.getheader("Set-Cookie").split(";")[0]

    def basic(self, site, name, password, address):
        credentials = base64.b64encode((name + ":" + password).encode()).decode()
        headers = {"Authorization": "Basic " + credentials, "X-Forwarded-For": address}
        return self.ask("GET", "/auth?site=%d" % site, headers=headers)[0]

    def command(self, *arguments):
        return subprocess.run(
            [self.binary, *arguments], cwd=self.directory, env=self.variables, check=True, capture_output=True, text=True
        ).stdout

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait() == 0, self.process.stderr.read()


def numbers(release):
    return [int(part) for part in release.split(".")]


def settings(text):
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def wait_for_hashes(service, site, memberid):
    for _ in range(600):
        if "hashed" in service.command("member", "show", str(site), str(memberid)).split("history")[0]:
            return
        time.sleep(0.1)
    raise SystemExit("nothing is hashed")


def one_a_line(value):
    if not isinstance(value, list):
        return json.dumps(value)
    return "[\n    " + ",\n    ".join(json.dumps(item) for item in value) + "\n]"


def main(binary, directory):
    binary = os.path.abspath(binary)
    os.makedirs(directory)
    release = os.path.basename(os.path.normpath(directory))
    environments = dict(ENVIRONMENTS)
    for since, files in LATER_SETTINGS.items():
        if numbers(release) >= numbers(since):
            for name, text in files.items():
                environments[name] += text
    for name, text in {**environments, **FILES}.items():
        with open(os.path.join(directory, name), "w") as file:
            file.write(text)

    # A first run under the one file: members, former members, and a login without a domain.
    service = Service(binary, directory, environments["develop.env"])
    add = lambda site, member, name, **more: service.post(
        SETTINGS_TOKEN, "OK", action="ADD", siteid=site, memberid=member, username=name, **more
    )
    members = []
    for site, member, name, password in MEMBERS:
        more = {"email": "m%d@example.com" % member, "biller": "NETBILLING", "session": "s%d" % member}
        fields = {"action": "ADD", "siteid": site, "memberid": member, "username": name, "password": password, **more}
        if service.takes(SETTINGS_TOKEN, **fields):
            members.append((site, member, name, password))
        else:
            assert (site, member) in TAKEN_ONCE, fields
    for site, member, name, cryptpass, _ in CRYPTPASSES + [FORMER_CRYPTPASS]:
        add(site, member, name, cryptpass=cryptpass)
    for site, member, name, password in TRIALS:
        add(site, member, name, password=password, trial=1, joined=1700000000, expires=1800000000)
    for site, member, name, password, reason in FORMERS:
        add(site, member, name, password=password)
        how = {"action": "DELETE"} if reason == "deleted" else {"action": "EXPIRE", "expire": "2020-01-01"}
        service.post(SETTINGS_TOKEN, "OK", siteid=site, memberid=member, username=name, **how)
    service.post(SETTINGS_TOKEN, "OK", action="DELETE", siteid=5, memberid=92, username="oldcrypt")
    service.post(SETTINGS_TOKEN, "OK", action="EXPIRE", siteid=1, memberid=80, username="expires", expire="2098-12-31")
    service.post(SETTINGS_TOKEN, "OK", action="CHANGE", siteid=1, memberid=71, username="bob", new_email="bob@example.com")
    service.post(SETTINGS_TOKEN, "ERROR", action="ADD", siteid=1, memberid=200, username="BOB", password="x")
    service.post(SETTINGS_TOKEN, "ERROR", action="RENAME", siteid=1)
    site, member, *_ = members[-1]
    service.command("member", "remove", str(site), str(member))
    service.command("member", "restore", str(site), str(member))
    for site, member, *_ in members:
        wait_for_hashes(service, site, member)
    host_cookie = service.login(1, "bob", "secret")
    service.stop()

    # A second run under the other: a login of the domain, one given back, blocks; and passwords that wait.
    service = Service(binary, directory, environments["nats-userman.env"])
    with open(os.path.join(directory, "data", "postback-token")) as file:
        token = file.read().split()[0]
    domain_cookie = service.login(1, "Ann Smith", "p\u00e4ssw\u00f6rd")
    given_back = service.login(1, "bob", "secret")
    response, _ = service.ask("POST", "/logout", "", {"Cookie": given_back, "Sec-Fetch-Site": "same-origin"})
    assert response.status == 303
    for address, name in BLOCKED:
        for guess in range(3):
            service.basic(1, name, "guess %d" % guess, address)
        assert service.basic(1, name, "guess", address).getheader("X-Auth-Reason") == "blocked"
    for guess in range(6):
        service.basic(1, "nobody%d" % guess, "guess %d" % guess, BLOCKED_NETWORK)
    assert service.basic(1, "trial", "on trial", BLOCKED_NETWORK).getheader("X-Auth-Reason") == "blocked"
    # In a rush nothing is hashed: what is sent now is still sealed at the end.
    for _ in range(100):
        service.post(token, "NOTOK", action="CHECK", siteid=1, username="free")
    for site, member, name, password in SEALED:
        body = {"action": "ADD", "siteid": site, "memberid": member, "username": name, "password": password}
        service.post(token, "OK", **body)
        for _ in range(10):
            service.post(token, "NOTOK", action="CHECK", siteid=1, username="free")
    service.post(token, "OK", action="DELETE", siteid=1, memberid=SEALED[-1][1])
    service.post(token, "OK", action="CHANGE", siteid=1, memberid=79, new_password="sealed over a hash")
    made_at = int(time.time())
    service.stop()

    passwords = {member[:2]: list(member) for member in members + TRIALS + SEALED[:-1]}
    passwords[(1, 79)][3] = "sealed over a hash"
    opens = list(passwords.values()) + [[site, member, name, clear] for site, member, name, _, clear in CRYPTPASSES]
    site, member, name, _, clear = FORMER_CRYPTPASS
    comes_back = [list(former[:4]) for former in FORMERS] + [list(SEALED[-1]), [site, member, name, clear]]
    facts = {
        "made_at": made_at,
        "opens": opens,
        "comes_back": comes_back,
        "cookies": [
            {"cookie": host_cookie, "flags": [], "member": [1, 71]},
            {"cookie": domain_cookie, "flags": ["--cookie-domain", "example.com"], "member": [1, 72]},
        ],
        "given_back": {"cookie": given_back, "flags": ["--cookie-domain", "example.com"]},
        "blocked": [[address, 1, name] for address, name in BLOCKED] + [[BLOCKED_NETWORK, 1, "trial"]],
        "tokens": {
            "nats-userman.env": [token],
            "develop.env": [SETTINGS_TOKEN, "another-token-of-a-file-for-tests-0123456789"],
        },
        "api_key": ["shop", "0123456789abcdef0123"],
    }
    with open(os.path.join(directory, "facts.json"), "w") as file:
        lines = (json.dumps(name) + ": " + one_a_line(value) for name, value in facts.items())
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
