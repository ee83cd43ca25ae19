"""The images of deploy/container: what is in them, how large they are, and that they run as they say:
as uid 1000, in a root of their own, with nothing of this machine."""

import contextlib
import gzip
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

import image
from harness.gate import BINARY, ROOT, free_port
from harness.vote import JSON, VOTE, need_vote
from harness.wire import Client

FOLDER = ROOT / "deploy" / "container"
PROGRAMS = {"gatehouse": BINARY, "vote": VOTE}
MB = 1_000_000
# Of the files, not compressed. The specification: gatehouse 30 MB, the voting service 180 MB.
SIZE_MAX = {"gatehouse": 30 * MB, "vote": 30 * MB}
WAIT_SECONDS = 10


def build(name, folder):
    if not shutil.which("umoci"):
        pytest.skip("there is no umoci")
    need_vote()
    if "asan" in subprocess.run(["ldd", PROGRAMS[name]], capture_output=True, text=True).stdout:
        pytest.skip("images are made of release builds")
    layout = folder / name
    command = [sys.executable, str(FOLDER / "image.py"), "oci", name, str(PROGRAMS[name]), str(layout)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    return Image(name, layout, said.stdout)


class Image:
    """An OCI layout as its specification has it, every digest checked."""

    def __init__(self, name, layout, said):
        self.name = name
        self.said = said
        self.layout = layout
        index = json.loads((layout / "index.json").read_text())
        (self.descriptor,) = index["manifests"]
        self.manifest = json.loads(self.blob(self.descriptor))
        self.config = json.loads(self.blob(self.manifest["config"]))
        (layer,) = self.manifest["layers"]
        self.tar = gzip.decompress(self.blob(layer))
        self.path = layout.with_suffix(".tar")
        self.path.write_bytes(self.tar)
        with tarfile.open(self.path) as archive:
            self.members = {member.name: member for member in archive}

    def blob(self, descriptor):
        kind, digest = descriptor["digest"].split(":")
        data = (self.layout / "blobs" / kind / digest).read_bytes()
        assert hashlib.new(kind, data).hexdigest() == digest
        assert len(data) == descriptor["size"]
        return data

    def read(self, name):
        with tarfile.open(self.path) as archive:
            return archive.extractfile(name).read()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    return {name: build(name, folder) for name in PROGRAMS}


@pytest.fixture(params=PROGRAMS)
def built(request, images):
    return images[request.param]


def test_the_size_is_told_and_small(built):
    size = sum(member.size for member in built.members.values())
    print(built.said)
    told = re.fullmatch(r"\w+: ([\d.]+) MB, ([\d.]+) MB compressed\n", built.said)
    assert abs(float(told[1]) * MB - size) < MB
    assert size < SIZE_MAX[built.name], built.said
    assert float(told[2]) < float(told[1]) / 2


def test_what_gatehouse_needs_without_postgresql_and_mail_is_small(images):
    libraries = image.closure(PROGRAMS["gatehouse"], [])
    size = sum(path.stat().st_size for path in libraries) + PROGRAMS["gatehouse"].stat().st_size
    assert size < 20 * MB


def test_it_runs_as_uid_1000(built):
    config = built.config["config"]
    assert config["User"] == "1000:1000"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == [f"/usr/bin/{built.name}"]
    assert config["WorkingDir"] == "/" + image.STATE_FOLDER[built.name]
    assert built.config["os"] == "linux"


def test_everything_is_roots_but_the_folder_of_the_state(built):
    owned = {name for name, member in built.members.items() if (member.uid, member.gid) != (0, 0)}
    assert owned == {image.STATE_FOLDER[built.name]}
    state = built.members[image.STATE_FOLDER[built.name]]
    assert (state.uid, state.gid, state.mode) == (1000, 1000, 0o700)
    for name, member in built.members.items():
        assert not member.mode & (stat.S_ISUID | stat.S_ISGID), name
        if not member.issym():
            assert not member.mode & stat.S_IWOTH or name == "tmp", name


def test_there_is_the_program_and_no_other(built):
    programs = {
        name for name, member in built.members.items() if member.isfile() and member.mode & 0o111
    }
    loaders = {name for name in programs if name.startswith("usr/lib64/ld-linux")}
    assert programs - loaders == {f"usr/bin/{built.name}"}
    assert not any("asan" in name or name.endswith((".a", ".la", ".py")) for name in built.members)


def test_users_certificates_and_licences_are_there(built):
    passwd = built.read("etc/passwd").decode()
    assert f"{built.name}:x:1000:1000:" in passwd
    assert "root:x:0:" in passwd
    certificates = built.read("etc/ssl/certs/ca-certificates.crt")
    assert certificates.count(b"BEGIN CERTIFICATE") > 50
    link = built.members["usr/lib/ssl/cert.pem"]  # where OpenSSL looks
    assert link.linkname == "/etc/ssl/certs/ca-certificates.crt"
    for package in ("libc6", "libssl3"):
        assert f"usr/share/doc/{package}/copyright" in built.members


def test_the_same_inputs_give_the_same_image(built, tmp_path):
    again = build(built.name, tmp_path)
    assert again.descriptor["digest"] == built.descriptor["digest"]


def test_nothing_tells_of_this_machine(built):
    for name, member in built.members.items():
        assert member.mtime == 0 and member.uname == member.gname == "", name
    program = built.read(f"usr/bin/{built.name}")
    assert str(ROOT).encode() not in program
    assert b".debug_info" not in program


# -- running --


@pytest.fixture(scope="module")
def roots(images, tmp_path_factory):
    """The files of the images as roots."""
    if os.geteuid() != 0:
        pytest.skip("only root may change its root")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespaces here")
    folder = tmp_path_factory.mktemp("roots")
    folder.chmod(0o755)
    made = {}
    for name, built in images.items():
        made[name] = folder / name
        with tarfile.open(built.path) as archive:
            archive.extractall(made[name], numeric_owner=True)
    return made


# A mount namespace of its own, in which the root is read-only but for the folder of the state.
READ_ONLY = """mount --bind "$1" "$1" && mount --bind "$1/$2" "$1/$2" &&
mount -o remount,bind,ro "$1" && root=$1 && shift 2 &&
exec chroot --userspec=1000:1000 --groups= "$root" "$@\""""
PATHS = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def in_root(roots, name, *command, env=None, **options):
    """Runs as a container would: nothing but the image, read-only, uid 1000, these variables."""
    prefix = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh"]
    prefix += [str(roots[name]), image.STATE_FOLDER[name]]
    command = [*prefix, *map(str, command)]
    return subprocess.Popen(command, env={**PATHS, **(env or {})}, **options)


@contextlib.contextmanager
def running(roots, images, name, port, cmd=None, **env):
    config = images[name].config["config"]
    given = dict(variable.split("=", 1) for variable in config.get("Env", []))
    command = config["Entrypoint"] + (config.get("Cmd") or [] if cmd is None else cmd)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = in_root(roots, name, *command, env={**given, **env}, **pipes)
    try:
        wait_listening(process, port)
        yield process
        process.terminate()
        out, err = process.communicate(timeout=WAIT_SECONDS)
        assert process.returncode == 0, (out + err).decode()
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def wait_listening(process, port):
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, b"".join(process.communicate()).decode()
            assert time.monotonic() < deadline
            time.sleep(0.02)


def ask(port, method, target, fields=(), body=None):
    with Client(port) as client:
        return client.request(method, target, fields, body)


def test_every_library_finds_what_it_needs(roots, images):
    """Also those that are loaded later, in a root that has no other."""
    for name, root in roots.items():
        loader = next((root / "usr/lib64").iterdir()).relative_to(root)
        later = [f"/{image.LIBRARY_FOLDER}/{library}" for library in image.LOADED_LATER[name]]
        for path in [f"/usr/bin/{name}", *later]:
            command = (f"/{loader}", "--list", path)
            process = in_root(roots, name, *command, stdout=subprocess.PIPE, text=True)
            said = process.communicate(timeout=WAIT_SECONDS)[0]
            assert process.returncode == 0 and "not found" not in said, said


def test_the_voting_service_behind_gatehouse_both_from_their_images(roots, images):
    vote_port, port = free_port(), free_port()
    folder = roots["gatehouse"] / "etc" / "gatehouse"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(ROOT / "examples" / "d-vote.yaml", folder / "gatehouse.yaml")
    env = {
        "ENVIRONMENT": "production",
        "LISTEN": f"127.0.0.1:{port}",
        "BACKEND": f"http://127.0.0.1:{vote_port}",
    }
    with running(roots, images, "vote", vote_port, LISTEN=f"127.0.0.1:{vote_port}") as vote:
        with running(roots, images, "gatehouse", port, **env) as gate:
            for process in (vote, gate):
                status = Path(f"/proc/{process.pid}/status").read_text()
                assert re.search(r"^Uid:\t1000\t1000\t1000\t1000$", status, re.M)
                assert re.search(r"^CapEff:\t0+$", status, re.M)
            https = [("X-Forwarded-Proto", "https")]
            voted = ask(port, "POST", "/vote", [*https, *JSON], b'{"option":"cats"}')
            assert voted.status == 202
            assert voted.get("Strict-Transport-Security") == "max-age=31536000"
            results = ask(port, "GET", "/results", https)
            assert results.json() == {"results": {"cats": 1, "dogs": 0}}
            # Probes come without TLS and by address.
            for probe in ("/healthz", "/readyz"):
                assert ask(port, "GET", probe).status == 200
            assert ask(vote_port, "GET", "/readyz").status == 200
    state = roots["vote"] / image.STATE_FOLDER["vote"] / "votes.db"
    assert state.stat().st_uid == 1000


def test_a_store_elsewhere_can_not_be_written(roots):
    env = {"LISTEN": "127.0.0.1:0", "DATABASE_URL": "sqlite:/tmp/votes.db"}
    process = in_root(roots, "vote", "/usr/bin/vote", env=env, stderr=subprocess.PIPE, text=True)
    said = process.communicate(timeout=WAIT_SECONDS)[1]
    assert process.returncode == 2
    assert "/tmp/votes.db" in said


def test_gatehouse_says_what_is_missing_when_there_is_no_configuration(roots):
    command = ("/usr/bin/gatehouse", "serve", "--config", "/etc/none.yaml")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = in_root(roots, "gatehouse", *command, text=True, **pipes)
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 2
    assert "/etc/none.yaml" in out + err


# -- the recipes for podman and docker --


def instructions(name):
    text = (FOLDER / f"Containerfile.{name}").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_containerfile_starts_what_the_image_starts(name):
    lines = instructions(name)
    last = lines[max(i for i, line in enumerate(lines) if line[0] == "FROM") :]
    assert last[0] == ("FROM", "scratch")
    start = image.START[name]
    given = {key: [value for k, value in last if k == key] for key, _ in last}
    assert given["USER"] == ["1000:1000"]
    assert given["WORKDIR"] == ["/" + image.STATE_FOLDER[name]]
    assert given["STOPSIGNAL"] == ["SIGTERM"]
    assert given["EXPOSE"] == start["exposedports"]
    assert json.loads(given["ENTRYPOINT"][0]) == start["entrypoint"]
    assert json.loads(given.get("CMD", ["[]"])[0]) == start["cmd"]
    assert given.get("ENV", []) == start["env"]


def copies(name):
    found = [value.split() for key, value in instructions(name) if key == "COPY"]
    return [words for words in found if not words[0].startswith("--from")]


def test_the_containerfiles_copy_all_that_the_build_reads(tmp_path):
    assert copies("gatehouse") == copies("vote")
    for *sources, target in copies("vote"):
        for source in sources:
            path = tmp_path / target.lstrip("/")
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, path, dirs_exist_ok=True, symlinks=True)
            else:
                path = path / Path(source).name if target.endswith("/") else path
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / source, path)
    folder = tmp_path / "src"
    command = ["meson", "setup", "--buildtype=release", str(folder / "build"), str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout[-2000:]
    for name in PROGRAMS:
        (made,) = [value for key, value in instructions(name) if key == "RUN" and "image.py" in value]
        for script in re.findall(r"python3 (\S+)", made):
            assert (folder / script).is_file(), script
