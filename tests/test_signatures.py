"""Signatures against published and recomputed vectors, and encoders against hostile text."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import strict, wire
from adapters.jdl import ADAPTER as JDL
from adapters.jt import ADAPTER as JT
from adapters.kuaidi100 import ADAPTER as KUAIDI100
from adapters.ldop import ADAPTER as LDOP
from adapters.sf import ADAPTER as SF
from adapters.sto import ADAPTER as STO
from adapters.ups import ADAPTER as UPS
from adapters.yto import ADAPTER as YTO
from adapters.yunda import ADAPTER as YUNDA
from adapters.zto import ADAPTER as ZTO
from gateway.domain.carrier import Call, Contact, Order, Push, Stamp, Tier
from gateway.domain.record import replace

STAMP = Stamp(1_700_000_000_000, "00000000-0000-4000-8000-000000000001")
SF_ACCOUNT = {"partner_id": "P", "checkword": "TEST_CHECKWORD"}
ZTO_ACCOUNT = {"app_key": "A", "app_secret": "secret"}
KUAIDI100_ACCOUNT = {"key": "key", "secret": "secret", "salt": "salt"}
ZTO_BODY = '{"billCode":"73100130019486"}'


def sf_digest(message: str) -> str:
    call = Call("POST", "/std/service", message.encode(), {"serviceCode": "X"})
    sent = strict.parse_form(SF.sign(call, SF_ACCOUNT, STAMP).body)
    assert sent["msgData"] == message
    assert sent["timestamp"] == "1700000000000"
    return sent["msgDigest"]


def zto(body: str, **options: str) -> Call:
    return ZTO.sign(Call("POST", "/x", body.encode(), wire.JSON), ZTO_ACCOUNT | options, STAMP)


def test_sf_signs_the_url_encoded_text() -> None:
    digest = sf_digest('{"waybillNo":"SF1040275268927"}')
    assert digest == "iNPHGSoSIKFwQlxGAfcyvg=="
    assert digest != "yRm7ukaG5Z5eKKs7bsGMag=="  # the same without URL-encoding: a known bug


def test_the_sf_digest_without_url_encoding_is_what_the_negative_vector_says() -> None:
    bare = '{"waybillNo":"SF1040275268927"}1700000000000TEST_CHECKWORD'
    assert wire.base64_text(wire.md5(bare.encode())) == "yRm7ukaG5Z5eKKs7bsGMag=="


def test_zto_signs_body_and_secret() -> None:
    call = zto(ZTO_BODY)
    assert call.headers["x-datadigest"] == "AA67e9NR8Q5qLFZD+jMyiw=="
    assert call.headers["x-companyid"] == "A"
    assert "x-timestamp" not in call.headers
    assert call.body == ZTO_BODY.encode()


def test_zto_signs_a_form_as_raw_pairs_and_escapes_it_on_the_wire() -> None:
    call = zto('{"billCode":"73100130019486","destinationType":"2"}', body_format="form")
    assert call.headers["x-datadigest"] == "rUcXROeeOkVpn8L+hJSrGA=="
    assert call.body == b"billCode=73100130019486&destinationType=2"
    assert call.headers["content-type"].startswith("application/x-www-form-urlencoded")
    nested = zto('{"a":"x y&","b":{"c":1}}', body_format="form")
    assert nested.body == b"a=x+y%26&b=%7B%22c%22%3A1%7D"
    assert nested.headers["x-datadigest"] == wire.base64_text(wire.md5(b'a=x y&&b={"c":1}secret'))


@pytest.mark.parametrize(
    ("options", "digest"),
    [
        ({"digest_encoding": "hex"}, "000ebb7bd351f10e6a2c5643fa33328b"),
        ({"digest": "sha256", "digest_timestamp": "true"}, None),
        ({"digest": "hmac_sha256", "secret_key": "k"}, None),
    ],
)
def test_zto_digest_options(options: dict[str, str], digest: str | None) -> None:
    call = zto(ZTO_BODY, **options)
    stamped = options.get("digest_timestamp") == "true"
    assert call.headers.get("x-timestamp") == ("1700000000000" if stamped else None)
    signed = ("1700000000000" if stamped else "").encode() + ZTO_BODY.encode() + b"secret"
    raw = wire.DIGESTS[options.get("digest", "md5")](b"k", signed)
    expected = wire.ENCODINGS[options.get("digest_encoding", "base64")](raw)
    assert call.headers["x-datadigest"] == (digest or expected)


@pytest.mark.parametrize(
    "options", [{"digest": "md4"}, {"digest_encoding": "rot13"}, {"digest": "hmac_sha256"}]
)
def test_zto_refuses_an_option_it_does_not_know(options: dict[str, str]) -> None:
    with pytest.raises(KeyError):
        zto(ZTO_BODY, **options)


def test_hmac_and_sha256_are_the_published_functions() -> None:
    # RFC 4231 test case 2, and FIPS 180-2 "abc"
    mac = wire.DIGESTS["hmac_sha256"](b"Jefe", b"what do ya want for nothing?")
    assert mac.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    abc = wire.DIGESTS["sha256"](b"", b"abc").hex()
    assert abc == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def zto_push(data: str, secret: str = "secret") -> Push:
    digest = wire.base64_text(wire.md5((data + secret).encode()))
    fields = {"data": data, "data_digest": digest, "msg_type": "Traces", "company_id": "A"}
    return Push({}, wire.json_text(fields).encode())


@given(data=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_zto_push_is_believed_by_its_secret_alone(data: str) -> None:
    push = ZTO.push
    assert push is not None
    assert push.verify(zto_push(data), ZTO_ACCOUNT) is Tier.T1
    assert push.verify(zto_push(data, "Secret"), ZTO_ACCOUNT) is None


def test_a_digest_in_another_spelling_is_refused() -> None:
    push = ZTO.push
    assert push is not None
    genuine = zto_push('{"billCode":"1"}')
    digest = strict.fields(genuine.body)["data_digest"]
    for other in (digest.rstrip("="), digest + "=", digest + "\n", " " + digest, ""):
        body = genuine.body.replace(wire.json_text(digest).encode(), wire.json_text(other).encode())
        assert push.verify(replace(genuine, body=body), ZTO_ACCOUNT) is None


def test_kuaidi100_signs_param_time_key_and_secret_in_upper_case() -> None:
    call = KUAIDI100.sign(Call("POST", "/x", b'{"a":1}'), KUAIDI100_ACCOUNT, STAMP)
    sent = strict.parse_form(call.body)
    assert sent == {
        "key": "key",
        "sign": "02ABE0B0C5C14E06EFBC8395E72B7160",
        "t": "1700000000000",
        "param": '{"a":1}',
    }


def test_kuaidi100_puts_the_secrets_of_an_interception_under_its_signature() -> None:
    account = KUAIDI100_ACCOUNT | {"partner_key": "中", "partner_secret": ""}
    call = Call("POST", "/x", b'{"a":1}', {"method": "interceptOrder"})
    sent = strict.parse_form(KUAIDI100.sign(call, account, STAMP).body)
    assert sent["method"] == "interceptOrder"
    assert sent["param"] == '{"a":1,"partnerKey":"中","salt":"salt"}'
    signed = f"{sent['param']}1700000000000keysecret"
    assert sent["sign"] == wire.md5(signed.encode()).hex().upper()


def kuaidi100_push(param: str, salt: str = "salt") -> Push:
    digest = wire.md5((param + salt).encode()).hex().upper()
    return Push({}, wire.form_body({"taskId": "T1", "sign": digest, "param": param}))


@given(param=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_kuaidi100_push_is_believed_by_its_salt_and_no_more_than_a_hint(param: str) -> None:
    push = KUAIDI100.push
    assert push is not None
    assert push.verify(kuaidi100_push(param), KUAIDI100_ACCOUNT) is Tier.T2
    assert push.verify(kuaidi100_push(param, "Salt"), KUAIDI100_ACCOUNT) is None
    unsalted = KUAIDI100_ACCOUNT | {"salt": ""}
    assert push.verify(kuaidi100_push(param, ""), unsalted) is None


def test_a_kuaidi100_push_about_a_company_that_we_do_not_know_is_quarantined() -> None:
    push = KUAIDI100.push
    assert push is not None
    named = '{{"kuaidicom":"{}","kuaidinum":"YT0000000000001"}}'
    assert push.decode(kuaidi100_push(named.format("yuantong"))).network == "yto"
    with pytest.raises(ValueError, match=r"^unreadable push$"):
        push.decode(kuaidi100_push(named.format("debangkuaidi")))


# What java.net.URLEncoder.encode(text, "UTF-8") gives.
JAVA = [
    ("", ""),
    ("AZaz09", "AZaz09"),
    (".-*_", ".-*_"),
    (" ", "+"),
    ("+", "%2B"),
    ("~", "%7E"),
    ("%7E", "%257E"),
    ("!'()", "%21%27%28%29"),
    ("/?#[]@:;,&=$", "%2F%3F%23%5B%5D%40%3A%3B%2C%26%3D%24"),
    ('{"a":1}', "%7B%22a%22%3A1%7D"),
    ("\\^`|<>", "%5C%5E%60%7C%3C%3E"),
    ("\n\r\t", "%0A%0D%09"),
    ("\x00\x7f", "%00%7F"),
    ("é", "%C3%A9"),
    ("顺丰", "%E9%A1%BA%E4%B8%B0"),
    ("\u3000，", "%E3%80%80%EF%BC%8C"),
    ("📦", "%F0%9F%93%A6"),
    ("👨‍👩‍👧", "%F0%9F%91%A8%E2%80%8D%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7"),
    ("\u202e\ufeff", "%E2%80%AE%EF%BB%BF"),
]


@pytest.mark.parametrize(("text", "encoded"), JAVA)
def test_java_url_encoding(text: str, encoded: str) -> None:
    assert wire.java_url_encode(text) == encoded


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_java_url_encoding_follows_its_rule_for_every_character(text: str) -> None:
    kept = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*_"
    spelt = (
        character
        if character in kept
        else "+"
        if character == " "
        else "".join(f"%{byte:02X}" for byte in character.encode())
        for character in text
    )
    assert wire.java_url_encode(text) == "".join(spelt)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1),
        st.text(st.characters(codec="utf-8")),
        min_size=1,
    )
)
def test_a_form_is_read_as_it_was_written(fields: dict[str, str]) -> None:
    folded = {name.casefold() for name in fields}
    if len(folded) == len(fields):
        assert strict.parse_form(wire.form_body(fields)) == fields


@pytest.mark.parametrize("body", [b"a=1&a=2", b"data=1&Data=2", b"a", b"", b"a=%ff", b"a=\xff"])
def test_a_doubtful_form_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        strict.parse_form(body)


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("0", 0),
        ("12", 1200),
        ("12.5", 1250),
        ("12.50", 1250),
        ("19.99", 1999),
        ("0.010", 1),
        (7, 700),
    ],
)
def test_money_is_read_exactly(text: object, minor: int) -> None:
    assert strict.minor(text) == minor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "+1",
        "1e3",
        "0.001",
        "1,00",
        "１２",
        "NaN",
        ".5",
        "5.",
        " 1",
        "1\n",
        True,
        None,
        1.5,
        -1,
        2**70,
        Decimal("1e999999999"),
        Decimal("1e-999999999"),  # written out it has a thousand million digits
    ],
    ids=repr,
)
def test_money_that_is_not_exact_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        strict.minor(text)


@given(st.integers(0, 10**15))
def test_money_is_written_as_it_is_read(fen: int) -> None:
    assert strict.minor(wire.yuan(fen)) == fen


def test_a_local_time_is_a_time_in_china() -> None:
    assert strict.local_ms("1970-01-01 08:00:00") == 0
    assert strict.local_ms("2023-11-15 06:13:20") == 1_700_000_000_000
    for text in (
        "2023-02-30 00:00:00",
        "2023-11-15T06:13:20",
        "2023-11-15",
        "",
        None,
        5,
        "0000-01-01 00:00:00",
    ):
        assert strict.local_ms(text) is None


JDL_ACCOUNT = {"app_key": "K", "app_secret": "S", "access_token": "T"}
JDL_BODY = '[{"waybillCode":"JDV000000000001"}]'
JDL_STAMP = Stamp(1_704_038_400_000, "n")  # 2024-01-01 00:00:00 in China


def jdl(path: str = "/ecap/v1/orders/cancel", **options: str) -> dict[str, str]:
    """The query string as it leaves."""
    call = Call("POST", path, JDL_BODY.encode(), {})
    sent = JDL.sign(call, JDL_ACCOUNT | options, JDL_STAMP)
    assert sent.body == call.body
    assert sent.path.startswith(f"{path}?LOP-DN=ECAP&")
    return strict.parse_form(sent.path.partition("?")[2].encode())


def test_jdl_signs_token_key_path_body_and_time_between_two_secrets() -> None:
    query = jdl()
    assert query.pop("sign") == "257c2040e169d24a45b8ac383528a9a8"
    assert query == {
        "LOP-DN": "ECAP",
        "app_key": "K",
        "access_token": "T",
        "timestamp": "2024-01-01 00:00:00",
        "v": "2.0",
        "algorithm": "md5-salt",
    }


@pytest.mark.parametrize(
    ("algorithm", "signature"),  # openssl dgst -<hash> -hmac S -binary | openssl base64 -A
    [
        ("HMacMD5", "ek5PN4gTYARH8kQFZlhRKQ=="),
        ("HMacSHA1", "q6GhDo5xfMJCVxSDKf5UyPfPzsg="),
        ("HMacSHA256", "d9PngzIVJofZIIdVKbsZdcXl7YPrKFBK5nUSWr15a20="),
        (
            "HMacSHA512",
            "0onpLuIrglj/DDSktVxGvoAqpxNT9SJL9KXMaY1wCBWFo6ctIfBq1SUVOByyaT3cyrmbZw4/qP0iPrkUOChYQw==",
        ),
    ],
)
def test_jdl_signs_with_the_algorithm_of_the_account(algorithm: str, signature: str) -> None:
    query = jdl(algorithm=algorithm)
    assert (query["algorithm"], query["sign"]) == (algorithm, signature)


def test_jdl_refuses_an_algorithm_it_does_not_know_and_signs_nothing_without_a_token() -> None:
    with pytest.raises(KeyError):
        jdl(algorithm="md4-salt")
    with pytest.raises(KeyError):
        JDL.sign(Call("POST", "/x", b"[]", {}), {"app_key": "K", "app_secret": "S"}, JDL_STAMP)


def test_ldop_signs_its_sorted_fields_between_two_secrets() -> None:
    call = Call("POST", "/routerjson", b'{"deliveryId":"JDV000000000001"}', wire.JSON)
    sent = strict.parse_form(LDOP.sign(call, JDL_ACCOUNT, JDL_STAMP).body)
    params = '{"deliveryId":"JDV000000000001","cancelTime":"2024-01-01 00:00:00"}'
    assert sent["360buy_param_json"] == params
    assert (
        sent["sign"] == "0380BF51E782F149B152496D4C8BA37D"
    )  # openssl md5 over the text spelt out by hand


JT_ACCOUNT = {"api_account": "A", "private_key": "privkey", "password": "p"}


def jt(path: str, body: str, **options: str) -> Call:
    return JT.sign(Call("POST", path, body.encode(), wire.JSON), JT_ACCOUNT | options, STAMP)


def test_jt_signs_content_and_key_and_not_the_time() -> None:
    body = '{"mailNo":"JT0000000000001","applyTypeCode":4}'
    call = jt("/x", body)
    assert call.headers["digest"] == "NVBd7mLPVWZ9urkTTQEOJA=="
    assert call.headers["apiAccount"] == "A"
    assert call.headers["timestamp"] == "1700000000000"
    assert strict.parse_form(call.body) == {"bizContent": body}
    assert jt("/x", body, uuid="u v").path == "/x?uuid=u+v"


def test_jt_proves_the_customer_inside_what_it_signs() -> None:
    path = "/webopenplatformapi/api/order/cancelOrder"
    call = jt(path, '{"customerCode":"J1","digest":null}')
    content = strict.parse_form(call.body)["bizContent"]
    # md5("pjadada236t2") in upper case between the customer and the key, by openssl
    inner = "yNLxXD3o0Su/hvaUTAeBfw=="
    assert content == f'{{"customerCode":"J1","digest":"{inner}"}}'
    assert call.headers["digest"] == wire.base64_text(wire.md5(f"{content}privkey".encode()))


YUNDA_ACCOUNT = {"app_key": "A", "app_secret": "secret", "partner_secret": "p"}


def yunda(path: str, body: str) -> Call:
    return YUNDA.sign(Call("POST", path, body.encode(), wire.JSON), YUNDA_ACCOUNT, STAMP)


def test_yunda_signs_body_underscore_and_secret_in_lower_hex() -> None:
    call = yunda("/x", '{"shipId":"4300000000001"}')
    assert call.headers["sign"] == "abc902d8b98f621086a271b7fdf51252"
    assert call.headers["app-key"] == "A"
    assert call.headers["req-time"] == "1700000000000"


def test_yunda_signs_the_hour_that_it_writes() -> None:
    path = "/openapi/outer/tmm/outerapi/intercept/invokeExpressChangeAddr"
    call = yunda(path, '{"shipId":"4300000000001","interceptCreateTime":null}')
    assert call.body == b'{"shipId":"4300000000001","interceptCreateTime":"2023-11-15 06:13:20"}'
    assert call.headers["sign"] == wire.md5(call.body + b"_secret").hex()


def test_yunda_says_which_setting_a_return_needs() -> None:
    sender = Contact("n", "t")
    with pytest.raises(ValueError, match="inte_type"):
        YUNDA.intercept.encode(Order("itc_1", "4300000000001", sender=sender))
    told = Order("itc_1", "4300000000001", sender=sender, settings={"inte_type": "7"})
    assert b'"inteType":"7"' in YUNDA.intercept.encode(told).body


# --- YTO and STO ----------------------------------------------------------------------------

YTO_ACCOUNT = {"client_id": "C", "app_secret": "123456", "suffix": "S"}
STO_ACCOUNT = {"app_key": "K", "app_secret": "secret"}


def yto(path: str, param: str, **options: str) -> Call:
    return YTO.sign(Call("POST", path, param.encode()), YTO_ACCOUNT | options, STAMP)


@pytest.mark.parametrize(
    ("path", "param", "digest"),
    [
        ("/open/test/", "open", "YLstCNa3x8ijQx16e/jqOA=="),  # published: signed is `opentest`
        (
            "/open/wanted_report_adapter/v1",
            '{"waybillNo":"YT0000000000001","wantedDesc":"test"}',
            "IZXUGCh/szHjSEZscdLRkA==",
        ),
    ],
)
def test_yto_signs_parameter_method_and_version(path: str, param: str, digest: str) -> None:
    call = yto(path, param)
    sent = strict.fields(call.body)
    assert sent == {"timestamp": "1700000000000", "param": param, "sign": digest, "format": "JSON"}
    assert call.path == f"{path}/S/C"
    assert strict.parse_form(yto(path, param, body_format="form").body) == sent


def test_yto_signs_what_it_wraps() -> None:
    sent = strict.fields(yto("/open/subscribe_adapter/v1", '{"waybillNo":"YT1"}').body)
    inner = '"{\\"clientId\\":\\"C\\",\\"waybillNo\\":\\"YT1\\"}"'
    assert sent["param"] == f'{{"client_id":"C","msg_type":"online","logistics_interface":{inner}}}'
    signed = sent["param"] + "subscribe_adapter" + "v1" + "123456"
    assert sent["sign"] == wire.base64_text(wire.md5(signed.encode()))


def test_yto_cannot_be_asked_without_the_suffix_of_its_console() -> None:
    keys = {name: text for name, text in YTO_ACCOUNT.items() if name != "suffix"}
    with pytest.raises(LookupError):
        YTO.sign(Call("POST", "/open/x/v1", b"{}"), keys, STAMP)


def yto_push(secret: str, document: str = "", client: str = "C") -> Push:
    known = f"<UpdateInfo><clientID>{client}</clientID><mailNo>YT1</mailNo></UpdateInfo>"
    text = document or known
    digest = wire.base64_text(wire.md5((text + secret).encode()))
    return Push({}, wire.form_body({"logistics_interface": text, "data_digest": digest}))


def test_a_yto_push_may_be_signed_for_a_second_application() -> None:
    push = YTO.push
    assert push is not None
    second = YTO_ACCOUNT | {"push_app_secret": "second", "push_client_id": "D"}
    assert push.verify(yto_push("123456"), YTO_ACCOUNT) is Tier.T1
    assert push.verify(yto_push("123456", client="D"), YTO_ACCOUNT) is None
    assert push.verify(yto_push("second", client="D"), second) is Tier.T1
    assert push.verify(yto_push("123456", client="D"), second) is None
    assert push.verify(yto_push("second"), second) is None


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><UpdateInfo><clientID>&b;</clientID></UpdateInfo>',
        "<UpdateInfo>" + "<a>" * 100_000 + "</a>" * 100_000 + "</UpdateInfo>",
        "<UpdateInfo><clientID>C</clientID><mailNo>1</mailNo><mailNo>2</mailNo></UpdateInfo>",
        "<UpdateInfo><clientID>C</clientID><mailNo>1</mailNo><MailNo>2</MailNo></UpdateInfo>",
        "<UpdateInfo><clientID>C</clientID><mailNo><a>1</a></mailNo></UpdateInfo>",
        "<UpdateInfo><clientID>C</clientID>",
        "<RequestInfo><clientID>C</clientID><mailNo>1</mailNo></RequestInfo>",
    ],
    ids=["entity", "deep", "twice", "twice in another case", "nested", "cut off", "another"],
)
def test_an_evil_yto_document_is_quarantined(document: str) -> None:
    push = YTO.push
    assert push is not None
    with pytest.raises(ValueError, match=r"^unreadable push$"):
        push.decode(yto_push("123456", document))


def test_sto_signs_the_content_and_names_both_ends() -> None:
    content = '{"waybillNo":"777000000000001"}'
    call = Call("POST", "/gateway/link.do", content.encode(), {"api_name": "A", "to_code": "T"})
    sent = strict.parse_form(STO.sign(call, STO_ACCOUNT, STAMP).body)
    assert sent["data_digest"] == "ezj1dlOYx9nSQDykq1nF/Q=="
    assert sent["content"] == content
    assert (sent["from_appkey"], sent["from_code"]) == ("K", "K")
    assert (sent["api_name"], sent["to_code"]) == ("A", "T")


@pytest.mark.parametrize(
    ("more", "tier"),
    [
        ({}, Tier.T3),
        ({"data_digest": "ezj1dlOYx9nSQDykq1nF/Q==", "to_appkey": "K"}, Tier.T2),
        ({"data_digest": "ezj1dlOYx9nSQDykq1nF/Q==", "to_appkey": "L"}, None),
        ({"data_digest": "ezj1dlOYx9nSQDykq1nF/Q=="}, None),
        ({"data_digest": "ezj1dlOYx9nSQDykq1nF/Q", "to_appkey": "K"}, None),
        ({"to_appkey": "K"}, None),
    ],
)
def test_an_sto_push_is_at_most_a_hint(more: dict[str, str], tier: Tier | None) -> None:
    push = STO.push
    assert push is not None
    body = {"content": '{"waybillNo":"777000000000001"}', **more}
    assert push.verify(Push({}, wire.form_body(body)), STO_ACCOUNT) is tier
    assert push.verify(Push({}, wire.json_text(body).encode()), STO_ACCOUNT) is tier


UPS_ACCOUNT = {"client_id": "Aladdin", "client_secret": "open sesame"}


def test_ups_asks_for_a_token_with_basic_authentication() -> None:
    assert UPS.token is not None
    call = UPS.sign(UPS.token.encode(UPS_ACCOUNT), UPS_ACCOUNT, STAMP)
    # the vector of RFC 7617, section 2
    assert call.headers["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert call.body == b"grant_type=client_credentials"


@given(nonce=st.text(st.characters(codec="utf-8")))
def test_ups_names_a_call_in_its_own_alphabet(nonce: str) -> None:
    call = Call("GET", "/api/track/v1/details/1Z4096YY0316914058", b"")
    sent = UPS.sign(call, {"access_token": "t"}, Stamp(0, nonce))
    assert re.fullmatch(r"[a-zA-Z0-9.-]{3,14}", sent.headers["transId"])
    assert sent.headers["authorization"] == "Bearer t"


def test_ups_shows_no_secret_but_for_a_token() -> None:
    with pytest.raises(KeyError):
        UPS.sign(Call("GET", "/api/track/v1/details/1Z", b""), UPS_ACCOUNT, STAMP)


@pytest.mark.parametrize(
    ("date", "time", "offset", "at_ms"),
    [
        ("20231114", "221320", "+00:00", 1_700_000_000_000),
        ("20231114", "171320", "-05:00", 1_700_000_000_000),
        ("20210210", "74700", "+00:00", 1_612_943_220_000),
        ("19700101", "1", "+00:00", 1_000),
        ("20230230", "221320", "+00:00", None),
        ("20231114", "245900", "+00:00", None),
        ("20231114", "", "+00:00", None),
        ("20231114", None, "+00:00", None),
        (None, "221320", "+00:00", None),
        ("20231114", "221320", None, None),
        ("20231114", "22:13:20", "+00:00", None),
        ("2023111", "4221320", "+00:00", None),
        ("00000101", "000000", "+00:00", None),
    ],
)
def test_a_compact_time_is_exact_or_none(
    date: object, time: object, offset: object, at_ms: int | None
) -> None:
    assert strict.compact_ms(date, time, offset) == at_ms


@pytest.mark.parametrize(
    ("written", "code", "number"),
    [
        ("(410) 555-0123", "1", "+14105550123"),
        ("+44 20 7946 0000", "1", "+442079460000"),
        ("138 0000 0001", "86", "+8613800000001"),
    ],
)
def test_a_telephone_number_is_written_internationally(
    written: str, code: str, number: str
) -> None:
    assert wire.telephone(written, code) == number


@pytest.mark.parametrize(
    "written", ["", "12", "0123456789012", "call me", "１２３", "+1+2", "+", "+1;ext=2"]
)
def test_what_is_no_telephone_number_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"^no telephone number$"):
        wire.telephone(written, "1")
