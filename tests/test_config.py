"""Settings: each mistake is named by its field, and no secret is ever shown."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from adapters import ADAPTERS
from gateway.config import ConfigError, Settings, load, new_token, token_hash
from gateway.contracts import Section
from gateway.domain.carrier import Status
from gateway.domain.fees import LEASE_MS
from gateway.domain.record import replace

SECRET = "k3y-that-nobody-may-see"
PUSH = "Zk9xT2pQw8rLm4Vb7YcN1sDf"
BASE = f"""
[store]
url = "sqlite:///data/turnback.db"

[tenants.shop]
payment_agreements = ["auto-pay"]
tokens = [{{ name = "erp", sha256 = "{token_hash("t")}", roles = ["treasury"] }}]

[carriers.sf]
base_url = "http://127.0.0.1:8700/sf"
[carriers.sf.accounts.main]
credentials = {{ partner_id = "{SECRET}", checkword = "{SECRET}" }}
settings = {{ monthly_card = "7551234567" }}
push_secret = "{PUSH}"
[carriers.sf.contract]
fees = {{ in_transit = 800, at_destination = 1200 }}
cap_minor = 80000

[test]
plaintext = true
idle = true
"""
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "turnback.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path).terms(ADAPTERS)
    return caught.value.problems


def test_a_good_file_makes_the_terms(write: Write) -> None:
    settings = load(write(BASE))
    terms = settings.terms(settings.adapters(ADAPTERS))
    assert terms.contracts["sf"].fees == {Status.IN_TRANSIT: 800, Status.AT_DESTINATION: 1200}
    assert terms.contracts["sf"].cap_minor == 80_000
    assert terms.accounts == {("sf", "main"): {"monthly_card": "7551234567"}}
    assert terms.payment_agreements == {"shop": frozenset({"auto-pay"})}
    assert settings.store.name == "sqlite:///data/turnback.db"


def test_a_carrier_may_be_given_secrets_that_it_does_not_insist_on(write: Write) -> None:
    given = f'checkword = "{SECRET}"'
    path = write(BASE.replace(given, f'{given}, partner_key = "{SECRET}"'))
    strict = ADAPTERS["sf"]
    lenient = replace(strict, optional_credentials=("partner_key", "partner_secret"))
    assert load(path).terms({"sf": lenient}).accounts
    with pytest.raises(ConfigError, match="partner_key: this carrier has no such credential"):
        load(path).terms({"sf": strict})


def test_a_test_may_shorten_the_leases(write: Write) -> None:
    assert load(write(BASE)).terms(ADAPTERS).lease_ms == LEASE_MS
    short = BASE.replace("idle = true", "lease_ms = 14000")
    assert load(write(short)).terms(ADAPTERS).lease_ms == 14_000
    real = short.replace("http://127.0.0.1:8700/sf", "https://sfapi.sf-express.com")
    assert any("a production host" in problem for problem in problems(write(real)))


WRONG = {
    "retention": (
        "[test]",
        "[policy]\nretention_days = 29\n[test]",
        "carriers.sf.contract.claim_window_ms: longer than policy.retention_days",
    ),
    "unknown key": ("[store]", "[store]\ncolour = 1", "store.colour: there is no such setting"),
    "unknown section": ("[store]", "[stores]\n[store]", "stores: there is no such setting"),
    "store": ("sqlite:///data/turnback.db", "mysql://x", "store.url: only sqlite:///<path>"),
    "role": ('"treasury"', '"king"', "tenants.shop.tokens.0.roles"),
    "hash": (token_hash("t"), "plain text", "tenants.shop.tokens.0.sha256"),
    "tenant name": ("[tenants.shop]", "[tenants.SHOP]", "tenants.SHOP"),
    "carrier": (
        "[carriers.sf.contract]",
        '[carriers.swallow]\nbase_url = "http://127.0.0.1"\n[carriers.sf.contract]',
        "carriers.swallow: there is no adapter",
    ),
    "address": ("http://127.0.0.1:8700/sf", "nowhere", "carriers.sf.base_url: not an address"),
    "credentials in address": ("127.0.0.1:8700", "a:b@h", "carriers.sf.base_url: no credentials"),
    "plaintext": ("plaintext = true", "", "carriers.sf.base_url: https is needed"),
    "missing credential": (
        f'partner_id = "{SECRET}", ',
        "",
        "carriers.sf.accounts.main.credentials.partner_id: this carrier needs it",
    ),
    "empty credential": (
        f'partner_id = "{SECRET}"',
        'partner_id = ""',
        "carriers.sf.accounts.main.credentials.partner_id: this carrier needs it",
    ),
    "strange credential": (
        "partner_id =",
        "partner =",
        "carriers.sf.accounts.main.credentials.partner: this carrier has no such",
    ),
    "strange setting": (
        "monthly_card",
        "yearly_card",
        "carriers.sf.accounts.main.settings.yearly_card: this carrier has no such",
    ),
    "short push secret": (PUSH, "short", "carriers.sf.accounts.main.push_secret: shorter than"),
    "status": ("in_transit", "in_orbit", "carriers.sf.contract.fees.in_orbit"),
    "fee": ("= 800", "= -800", "carriers.sf.contract.fees.in_transit"),
    "broken fee": ("= 800", "= 8.5", "carriers.sf.contract.fees.in_transit"),
    "currency": ("cap_minor", 'currency = "XAU"\ncap_minor', "carriers.sf.contract.currency"),
    "production host": (
        "http://127.0.0.1:8700/sf",
        "https://sfapi.sf-express.com",
        "carriers.sf.base_url: a production host",
    ),
    "off loopback": ("[store]", '[grpc]\nhost = "0.0.0.0"\n[store]', "grpc: plaintext off"),
    "half a certificate": ("[store]", '[grpc]\ncert_file = "x"\n[store]', "grpc: cert_file and"),
    "no such file": (
        "[store]",
        '[grpc]\ncert_file = "x"\nkey_file = "y"\n[store]',
        "grpc.cert_file: the file cannot be read",
    ),
    "not TOML": ("[store]", "[store", "not TOML"),
    "time-out": (
        "[carriers.sf.contract]",
        "[carriers.sf.limits]\ntimeout_ms = 60000\n[carriers.sf.contract]",
        "carriers.sf.limits.timeout_ms",
    ),
    "switch of the base class": ("[store]", '_env_file = "x"\n[store]', "_env_file: there is no"),
    "number too long": (
        "[store]",
        "a = " + "9" * 5_000 + "\n[store]",
        "not TOML: a number too long",
    ),
    "nested too deeply": ("[store]", "a = " + "[" * 9_000 + "\n[store]", "or nested too deeply"),
    "name with an escape": ("[store]", '"a\\u001b[31m" = 1\n[store]', "a\\x1b[31m: there is no"),
    "long name": ("[store]", "k" * 999 + " = 1\n[store]", "k" * 64 + "…: there is no such setting"),
    "list for a path": ("[store]", "[grpc]\ncert_file = []\n[store]", "grpc.cert_file: not a path"),
    "NUL in a path": ("data/turnback.db", "a\\u0000b", "store.url: not a path"),
    "NUL in a host": (
        "[store]",
        '[push]\nhost = "a\\u0000b"\n[store]',
        "push.host: not in the form",
    ),
    "no address": (
        "http://127.0.0.1:8700/sf",
        "http://[::1",
        "carriers.sf.base_url: not an address",
    ),
    "secret in no address": (
        "http://127.0.0.1:8700/sf",
        f"https://{SECRET}\u2100@h",  # urlsplit quotes it in its own error
        "carriers.sf.base_url: not an address",
    ),
    "no module": ("base_url", 'adapter = ""\nbase_url', "carriers.sf.adapter: not in the form"),
    "relative module": ("base_url", 'adapter = "..x"\nbase_url', "carriers.sf.adapter: not in"),
    "fail point": ("idle = true", 'fail_point = "x#y"', "test.fail_point: not in the form"),
    "more than 64 bits": ("[store]", f"[limits]\ndrain_s = {10**30}\n[store]", "limits.drain_s"),
    "more than gRPC takes": (
        "[store]",
        "[limits]\nconnection_idle_s = 3000000\n[store]",
        "limits.connection_idle_s",
    ),
    "lease of a test": (
        "idle = true",
        "lease_ms = 13000",
        "test.lease_ms: too short for carriers.sf",
    ),
    "tenant of account": (
        "settings = {",
        'tenants = ["other"]\nsettings = {',
        "carriers.sf.accounts.main.tenants: there is no tenant other",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=list(WRONG))
def test_a_mistake_is_named_by_its_field(write: Write, old: str, new: str, said: str) -> None:
    assert old in BASE
    found = problems(write(BASE.replace(old, new, 1)))
    assert any(said in problem for problem in found), found
    assert not any(SECRET in problem or PUSH in problem for problem in found)


def test_every_mistake_is_told_at_once(write: Write) -> None:
    found = problems(write(BASE.replace('"treasury"', '"king"').replace("= 800,", "= -1,")))
    assert len(found) == 2


def test_a_credential_that_only_some_accounts_have_may_be_given(write: Write) -> None:
    yto = f"""
[carriers.yto]
base_url = "http://127.0.0.1:8700/yto"
[carriers.yto.accounts.main]
credentials = {{ client_id = "K1", app_secret = "{SECRET}", push_app_secret = "{SECRET}" }}
[test]"""
    text = BASE.replace("\n[test]", yto)
    settings = load(write(text))
    settings.terms(settings.adapters(ADAPTERS))
    given = settings.carriers["yto"].accounts["main"].credentials["push_app_secret"]
    assert given.get_secret_value() == SECRET
    assert SECRET not in repr(settings)
    (said,) = problems(write(text.replace("push_app_secret", "pull_app_secret")))
    assert "carriers.yto.accounts.main.credentials.pull_app_secret: this carrier has no" in said


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "nowhere.toml: cannot be read" in problems(tmp_path / "nowhere.toml")[0]


def test_secrets_are_never_shown(write: Write) -> None:
    settings = load(write(BASE))
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert SECRET not in text
        assert PUSH not in text


def test_the_environment_overrides_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(BASE)
    monkeypatch.setenv("TURNBACK_GRPC__PORT", "6001")
    monkeypatch.setenv("TURNBACK_CARRIERS__SF__ACCOUNTS__MAIN__CREDENTIALS__CHECKWORD", "other")
    settings = load(path)
    assert settings.grpc.port == 6001
    account = settings.carriers["sf"].accounts["main"]
    assert account.credentials["checkword"].get_secret_value() == "other"
    assert account.credentials["partner_id"].get_secret_value() == SECRET


def test_a_variable_that_is_no_table_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("{", SECRET, "[" * 9_000):
        monkeypatch.setenv("TURNBACK_CARRIERS", text)
        assert problems(write(BASE)) == ("environment: a TURNBACK_ table that is not JSON",)


@pytest.mark.parametrize("name", ["TURNBACK_GRCP__PORT", "TURNBACK_GRPC__PROT"])
def test_a_misspelt_variable_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert any("there is no" in problem for problem in problems(write(BASE)))


def test_the_same_token_twice_is_refused(write: Write) -> None:
    other = f'[tenants.other]\ntokens = [{{ sha256 = "{token_hash("t")}" }}]\n[carriers.sf]'
    found = problems(write(BASE.replace("[carriers.sf]", other, 1)))
    assert found == (
        "tenants.other.tokens.0.sha256: the same token as tenants.shop.tokens.0.sha256",
    )


def test_an_adapter_of_ones_own_is_a_module_path(write: Write) -> None:
    own = 'adapter = "nowhere.at.all"\nbase_url'
    settings = load(write(BASE.replace("base_url", own, 1)))
    with pytest.raises(ConfigError, match=r"carriers\.sf\.adapter: the module cannot"):
        settings.adapters(ADAPTERS)
    settings = load(write(BASE.replace("base_url", 'adapter = "adapters.sf"\nbase_url', 1)))
    assert settings.adapters({})["sf"] is ADAPTERS["sf"]


def test_a_new_token_is_kept_as_its_hash_only() -> None:
    token, digest = new_token()
    assert len(token) >= 43
    assert digest == token_hash(token)
    assert token not in digest


def sections(model: type[BaseModel]) -> list[tuple[str, str | None]]:
    return [(f"{model.__name__}.{n}", f.description) for n, f in model.model_fields.items()]


def test_every_setting_says_what_it_is() -> None:
    models: list[type[BaseModel]] = [Settings, *Section.__subclasses__()]
    assert [name for model in models for name, said in sections(model) if not said] == []


OPTIONAL = f"""
[carriers.zto]
base_url = "http://127.0.0.1:8700/zto"
[carriers.zto.accounts.main]
credentials = {{ app_key = "A", app_secret = "{SECRET}", secret_key = "{SECRET}" }}
settings = {{ digest = "hmac_sha256" }}
"""


def test_a_credential_that_only_some_accounts_need_may_be_given(write: Write) -> None:
    path = write(BASE + OPTIONAL)
    settings = load(path)
    settings.terms(settings.adapters(ADAPTERS))
    assert SECRET not in repr(settings)
    strange = OPTIONAL.replace("secret_key", "secret_kez")
    assert any("carriers.zto.accounts.main" in found for found in problems(write(BASE + strange)))


PROVISIONAL = """
[carriers.yunda]
base_url = "http://127.0.0.1:8700/yunda"
provisional = true
[carriers.yunda.accounts.main]
credentials = { app_key = "A", app_secret = "s" }
"""


def test_a_provisional_carrier_must_be_allowed(write: Write) -> None:
    settings = load(write(BASE + PROVISIONAL))
    settings.terms(settings.adapters(ADAPTERS))
    refused = write(BASE + PROVISIONAL.replace("provisional = true\n", ""))
    assert [found.split(":")[0] for found in problems(refused)] == ["carriers.yunda.provisional"]


def test_two_servers_do_not_listen_on_one_port(write: Write) -> None:
    path = write(BASE + "\n[grpc]\nport = 8080\n[metrics]\nport = 8080\n")
    assert problems(path) == (
        "push.port: the same as grpc.port",
        "metrics.port: the same as grpc.port",
    )
    assert load(write(BASE + "\n[push]\nport = 0\n[metrics]\nport = 0\n"))
