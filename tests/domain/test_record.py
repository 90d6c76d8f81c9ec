"""What holds for every value of the domain: it stays as it was made, and hides what it must."""

import pkgutil
from importlib import import_module

import pytest
from msgspec import Struct
from rich.pretty import pretty_repr

import gateway.domain
from gateway.domain.carrier import Call, Contact
from gateway.domain.record import Hidden, Record, replace

CONTACT = Contact("张三", "13800001234", city="杭州")
for module in pkgutil.iter_modules(gateway.domain.__path__):
    import_module(f"gateway.domain.{module.name}")


def kinds(of: type[Struct]) -> list[type[Struct]]:
    return [kind for each in of.__subclasses__() for kind in (each, *kinds(each))]


@pytest.mark.parametrize("kind", kinds(Record), ids=lambda kind: kind.__name__)
def test_every_kind_is_frozen(kind: type[Struct]) -> None:
    assert kind.__struct_config__.frozen


def test_a_value_stays_as_it_was_made() -> None:
    with pytest.raises(AttributeError):
        CONTACT.name = "李四"  # type: ignore[misc]
    other = replace(CONTACT, name="李四")
    assert (other.name, other.phone, CONTACT.name) == ("李四", CONTACT.phone, "张三")
    assert other != CONTACT == replace(other, name="张三")
    assert hash(CONTACT) == hash(replace(other, name="张三"))


def test_a_field_that_is_not_there_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="surname"):
        replace(CONTACT, surname="张")


def test_what_is_hidden_is_in_no_repr_and_the_rest_is() -> None:
    class Box(Record, frozen=True):
        key: Hidden[str]
        inside: object
        size: int = 3

    assert repr(CONTACT) == "Contact()"
    box = Box("secret-one", (CONTACT, Call("POST", "/?token=secret-two", b"secret-three")))
    for shown in (repr(box), pretty_repr(box, max_width=200)):  # rich does not ask `repr`
        assert "secret" not in shown
        assert "13800001234" not in shown
        assert "Box(inside=(Contact(), Call(method='POST', site='')), size=3)" in shown
