#!/usr/bin/python3
"""Container images from scratch: a program, the libraries it needs, and next to nothing else.

    image.py files NAME PROGRAM FOLDER     the files of the image, into a folder that is made
    image.py oci   NAME PROGRAM LAYOUT     an OCI image NAME:latest in a layout directory, with umoci

NAME is gatehouse or vote. Libraries, CA certificates and licences are those of the Debian this runs
on; nothing is fetched. Equal inputs give equal images: times are SOURCE_DATE_EPOCH, or 0. What is
in an image and how it starts stands in the tables below; the Containerfiles say the same.
"""

import datetime
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

USER = 1000
LIBRARY_FOLDER = f"usr/lib/{os.uname().machine}-linux-gnu"
LOADED_LATER = {
    # What the program opens by itself when it is configured: PostgreSQL; mail, hooks, other issuers.
    "gatehouse": ["libpq.so.5", "libcurl.so.4"],
    "vote": [],
}
# The one folder that the program may write to: mount a volume there, the rest may be read-only.
STATE_FOLDER = {"gatehouse": "var/lib/gatehouse", "vote": "var/lib/vote"}
START = {
    "gatehouse": {
        "entrypoint": ["/usr/bin/gatehouse"],
        "cmd": ["serve", "--config", "/etc/gatehouse/gatehouse.yaml"],
        "exposedports": ["8080/tcp"],
        "env": [],
    },
    "vote": {
        "entrypoint": ["/usr/bin/vote"],
        "cmd": [],
        "exposedports": ["8000/tcp"],
        "env": ["LISTEN=0.0.0.0:8000", "DATABASE_URL=sqlite:/var/lib/vote/votes.db"],
    },
}
LINKS = {"lib": "usr/lib", "lib64": "usr/lib64", "bin": "usr/bin",
         "usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt"}
TEXTS = {
    "etc/passwd": "root:x:0:0:root:/:/sbin/nologin\n{name}:x:1000:1000::/{state}:/sbin/nologin\n",
    "etc/group": "root:x:0:\n{name}:x:1000:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def ldd(path):
    """The libraries that the loader takes for a file, itself included."""
    said = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=True).stdout
    if "not found" in said:
        sys.exit(f"{path} needs a library that is missing:\n{said}")
    found = re.findall(r"(?:=> )?(/\S+) \(0x", said)
    return {Path(name) for name in found}


def find_library(name):
    for folder in (Path("/") / LIBRARY_FOLDER, Path("/usr/lib")):
        if (folder / name).exists():
            return folder / name
    sys.exit(f"there is no {name} on this machine")


def closure(program, loaded_later):
    libraries = ldd(program)
    for name in loaded_later:
        path = find_library(name)
        libraries |= {path} | ldd(path)
    return sorted(libraries)


def place_library(library, folder):
    """Under the name that programs ask for, without the links of a full system."""
    is_loader = library.name.startswith("ld-linux")
    target = folder / ("usr/lib64" if is_loader else LIBRARY_FOLDER) / library.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(library.resolve(), target)
    target.chmod(0o755 if is_loader else 0o644)


def packages_of(files):
    """The Debian packages that own these files, under either name of a merged /usr."""
    names = {str(path) for path in files}
    names |= {str(path.resolve()) for path in files}
    names |= {name.removeprefix("/usr") for name in names}
    said = subprocess.run(["dpkg-query", "-S", *sorted(names)], capture_output=True, text=True)
    return sorted({line.split(":")[0] for line in said.stdout.splitlines()})


def place_licences(files, folder):
    for package in packages_of(files):
        source = Path("/usr/share/doc") / package / "copyright"
        target = folder / "usr/share/doc" / package / "copyright"
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def place_files(name, program, folder):
    folder = Path(folder)
    folder.mkdir(parents=True)
    for link, target in LINKS.items():
        (folder / link).parent.mkdir(parents=True, exist_ok=True)
        (folder / link).symlink_to(target)
    libraries = closure(program, LOADED_LATER[name])
    for library in libraries:
        place_library(library, folder)
    (folder / "usr/bin").mkdir(parents=True)
    subprocess.run(["strip", "-o", str(folder / "usr/bin" / name), str(program)], check=True)
    (folder / "usr/bin" / name).chmod(0o755)
    for path, text in TEXTS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.format(name=name, state=STATE_FOLDER[name]))
    certificates = folder / str(CERTIFICATES).lstrip("/")
    certificates.parent.mkdir(parents=True)
    shutil.copyfile(CERTIFICATES, certificates)
    place_licences(libraries, folder)
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    state = folder / STATE_FOLDER[name]
    state.mkdir(parents=True)
    state.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(state, USER, USER)


def write_layer(name, folder, path):
    """The files as a tar archive that does not tell who made it, when, or in which order."""
    time = int(os.environ.get("SOURCE_DATE_EPOCH", 0))

    def plain(member):
        member.uid = member.gid = USER if member.name == STATE_FOLDER[name] else 0
        member.uname = member.gname = ""
        member.mtime = time
        return member

    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(Path(folder).rglob("*")):
            archive.add(file, str(file.relative_to(folder)), recursive=False, filter=plain)


def config_options(name):
    created = f"--created={epoch_text()}"
    options = [f"--config.user={USER}:{USER}", f"--config.workingdir=/{STATE_FOLDER[name]}",
               "--config.stopsignal=SIGTERM", "--os=linux", created, f"--history.created={epoch_text()}"]
    for key, values in START[name].items():
        options += [f"--config.{key}={value}" for value in values]
    labels = {"title": name, "licenses": "MIT", "description": "built from Debian's packages"}
    options += [f"--config.label=org.opencontainers.image.{k}={v}" for k, v in labels.items()]
    return options


def epoch_text():
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", 0))
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()


def umoci(*arguments):
    subprocess.run(["umoci", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def build_oci(name, program, layout):
    image = f"{layout}:latest"
    with tempfile.TemporaryDirectory() as work:
        place_files(name, program, Path(work) / "files")
        layer = Path(work) / "layer.tar"
        write_layer(name, Path(work) / "files", layer)
        umoci("init", f"--layout={layout}")
        umoci("new", f"--image={image}")
        umoci("raw", "add-layer", f"--image={image}", "--no-history", layer)
        umoci("config", f"--image={image}", *config_options(name))
        umoci("gc", f"--layout={layout}")
        unpacked = layer.stat().st_size
    packed = sum(blob.stat().st_size for blob in Path(layout).rglob("*") if blob.is_file())
    print(f"{name}: {unpacked / 1e6:.1f} MB, {packed / 1e6:.1f} MB compressed")


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in ("files", "oci") or sys.argv[2] not in START:
        print(__doc__, file=sys.stderr)
        return 2
    if sys.argv[1] == "files":
        place_files(*sys.argv[2:])
    else:
        build_oci(*sys.argv[2:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
