"""The protocol is clean, its generated code fresh, and every method says who may call it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_reflection.v1alpha import reflection, reflection_pb2

from gateway.pb.turnback.v1 import options_pb2
from tests import generate

GENERATED = Path(generate.PREFIX, generate.PACKAGE)
CONFIG = ("--config", str(generate.PROTO / "buf.yaml"))
AMOUNT_WORDS = ("amount", "fee", "price", "cap", "loss", "value", "balance", "total")
TREASURY = {"WalletService/TopUp", "WalletService/Withdraw"}
CLAIMS = {"OperationService/DecideClaim", "OperationService/RecordOfflineSettlement"}
OPERATOR = {
    "OperationService/ListExceptions",
    "OperationService/ResolveException",
    "OperationService/ImportStatement",
    "OperationService/Audit",
    "OperationService/Idle",
}
FILES = [
    import_module(".".join([*GENERATED.parts, Path(name).stem + "_pb2"])).DESCRIPTOR
    for name in generate.sources()
]
METHODS = [
    method
    for file in FILES
    for service in file.services_by_name.values()
    for method in service.methods
]
MESSAGES = [message for file in FILES for message in file.message_types_by_name.values()]


def path(method: MethodDescriptor) -> str:
    return f"{method.containing_service.name}/{method.name}"


def declared(method: MethodDescriptor, option: FieldDescriptor) -> int:
    number: int = dict(method.GetOptions().ListFields()).get(option, 0)
    return number


each_method = pytest.mark.parametrize("method", METHODS, ids=map(path, METHODS))
each_message = pytest.mark.parametrize("message", MESSAGES, ids=[m.name for m in MESSAGES])


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("proto") / "image.binpb"
    generate.image(target)
    return target


def buf(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("buf")
    found = str(command) if command.exists() else shutil.which("buf")
    assert found, "buf-bin is a development dependency"
    return subprocess.run([found, *arguments], capture_output=True, text=True, check=False)


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    generate.generate(tmp_path)
    fresh = {file.name: file.read_bytes() for file in (tmp_path / GENERATED).iterdir()}
    kept = {file.name: file.read_bytes() for file in (generate.ROOT / GENERATED).glob("*_pb2*")}
    assert sorted(kept) == sorted(fresh)
    assert [name for name in fresh if fresh[name] != kept[name]] == [], "run `make proto`"


def test_buf_lint_is_clean(image: Path) -> None:
    result = buf("lint", str(image), *CONFIG, "--path", "turnback")
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_buf_lint_would_find_a_fault(image: Path, tmp_path: Path) -> None:
    files = FileDescriptorSet.FromString(image.read_bytes())
    method = next(f for f in files.file if f.service).service[0].method[0]
    method.name = "renamed"
    faulty = tmp_path / "faulty.binpb"
    faulty.write_bytes(files.SerializeToString())
    assert buf("lint", str(faulty), *CONFIG, "--path", "turnback").returncode != 0
    against = ("--against", str(image), *CONFIG)
    assert buf("breaking", str(faulty), *against).returncode != 0
    assert buf("breaking", str(image), *against).returncode == 0


def test_every_comment_is_there(image: Path) -> None:
    """Services, and the methods whose name does not say all, are documented beside themselves."""
    files = FileDescriptorSet.FromString(image.read_bytes()).file
    for file in files:
        if file.service:
            told = {
                tuple(place.path)
                for place in file.source_code_info.location
                if place.leading_comments
            }
            assert (6, 0) in told, file.name
            for index, method in enumerate(file.service[0].method):
                assert (6, 0, 2, index) in told or method.name in {"Get", "List"}, method.name


@each_method
def test_a_method_declares_its_role(method: MethodDescriptor) -> None:
    expected = options_pb2.ROLE_TENANT
    for names, special in (
        (TREASURY, options_pb2.ROLE_TREASURY),
        (CLAIMS, options_pb2.ROLE_CLAIMS),
        (OPERATOR, options_pb2.ROLE_OPERATOR),
    ):
        if path(method) in names:
            expected = special
    assert declared(method, options_pb2.role) == expected


def test_the_methods_named_here_exist() -> None:
    assert set(map(path, METHODS)) >= TREASURY | CLAIMS | OPERATOR


@each_method
def test_requests_and_responses_belong_to_their_method(method: MethodDescriptor) -> None:
    stem = method.containing_service.name + method.name
    assert (method.input_type.name, method.output_type.name) == (
        stem + "Request",
        stem + "Response",
    )


@each_method
def test_moving_money_takes_a_request_id_and_tells_a_replay(
    method: MethodDescriptor,
) -> None:
    if not declared(method, options_pb2.moves_money):
        return
    request, answer = method.input_type, method.output_type
    if "items" in request.fields_by_name:
        request = nested(request.fields_by_name["items"])
        answer = nested(nested(answer.fields_by_name["results"]).fields[0])
    assert request.fields_by_name["request_id"].number == 1
    assert answer.fields_by_name["replayed"].type == FieldDescriptor.TYPE_BOOL


@each_method
def test_booking_and_deciding_is_declared_to_move_money(method: MethodDescriptor) -> None:
    verbs = {
        "Create",
        "BatchCreate",
        "Cancel",
        "TopUp",
        "Withdraw",
        "DecideClaim",
        "AuthorizePayment",
    }
    verbs |= {"RecordOfflineSettlement", "ImportStatement", "ResolveException"}
    if method.name in verbs:
        assert declared(method, options_pb2.moves_money)


@each_message
def test_amounts_are_money_and_times_are_timestamps(message: Descriptor) -> None:
    for field in fields(message):
        assert field.type not in {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}
        words = field.name.split("_")
        word_or_flag = field.type == FieldDescriptor.TYPE_BOOL or message.name == "Event"
        if words[-1] in AMOUNT_WORDS and not word_or_flag:
            assert kind(field) == "google.type.Money", field.full_name
        if words[-1] == "at":
            assert kind(field) == "google.protobuf.Timestamp", field.full_name


@each_message
def test_secrets_and_personal_data_are_marked(message: Descriptor) -> None:
    for field in fields(message):
        secret = field.name.endswith(("password", "payment_token")) or message.name == "Contact"
        if secret and field.name not in {"province", "city", "district"}:
            assert field.GetOptions().debug_redact, field.full_name


@each_message
def test_names_are_usable_from_python(message: Descriptor) -> None:
    keywords = {"from", "in", "is", "class", "import", "global", "pass", "None", "True", "False"}
    assert not keywords & {field.name for field in fields(message)}


def fields(message: Descriptor) -> Iterator[FieldDescriptor]:
    if not message.GetOptions().map_entry:
        yield from message.fields
    for inner in message.nested_types:
        yield from fields(inner)


def nested(field: FieldDescriptor) -> Descriptor:
    assert field.message_type is not None
    return field.message_type


def kind(field: FieldDescriptor) -> str:
    return field.message_type.full_name if field.message_type else str(field.type)


async def test_reflection_serves_the_whole_protocol() -> None:
    names = [f.full_name for file in FILES for f in file.services_by_name.values()]
    server = grpc.aio.server()
    reflection.enable_server_reflection(names, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            ask = channel.stream_stream(
                f"/{reflection.SERVICE_NAME}/ServerReflectionInfo",
                request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
            )
            request = reflection_pb2.ServerReflectionRequest
            asked = [request(file_containing_symbol=name) for name in names]
            answers = [answer async for answer in ask(iter(asked))]
        assert len(answers) == len(names) == 7
        assert all(answer.HasField("file_descriptor_response") for answer in answers)
    finally:
        await server.stop(None)
