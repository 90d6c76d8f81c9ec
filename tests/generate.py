"""Generates gateway/pb from proto/: `python -m tests.generate [directory]`.

The protocol's files import each other as `turnback/v1/...`, as every user of them expects. Python's
generator writes imports by file name, so it is given the same descriptors with their file names
moved under `gateway/pb`: what it writes then imports itself as `gateway.pb.turnback.v1`, unpatched.
"""

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PACKAGE = "turnback/v1"
PREFIX = "gateway/pb/"


def sources() -> list[str]:
    return sorted(path.relative_to(PROTO).as_posix() for path in (PROTO / PACKAGE).glob("*.proto"))


def image(target: Path) -> FileDescriptorSet:
    """Compiles the protocol, all imports and comments included: what `buf` reads off-line."""
    site = sysconfig.get_path("purelib")  # google/type and google/rpc are installed there
    protoc(
        f"--proto_path={PROTO}",
        f"--proto_path={site}",
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={target}",
        *sources(),
    )
    return FileDescriptorSet.FromString(target.read_bytes())


def generate(target: Path) -> None:
    """Writes `gateway/pb/turnback/v1/*_pb2.py`, `.pyi` and `_pb2_grpc.py` below `target`."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        descriptors = Path(directory, "image.binpb")
        descriptors.write_bytes(moved(image(descriptors)).SerializeToString())
        source = f"--descriptor_set_in={descriptors}"
        names = [PREFIX + name for name in sources()]
        services = [name for name in names if name.endswith("_service.proto")]
        protoc(source, f"--python_out={target}", f"--pyi_out={target}", *names)
        protoc(source, f"--grpc_python_out={target}", *services)


def moved(files: FileDescriptorSet) -> FileDescriptorSet:
    for file in files.file:
        file.name = move(file.name)
        file.dependency[:] = map(move, file.dependency)
    return files


def move(name: str) -> str:
    return PREFIX + name if name.startswith(PACKAGE) else name


def protoc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], check=True)


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    generate(target)
    stems = {Path(name).stem for name in sources()}
    for path in (target / PREFIX / PACKAGE).glob("*_pb2*"):
        if path.name.split("_pb2")[0] not in stems:
            path.unlink()  # its .proto is gone


if __name__ == "__main__":
    main()
