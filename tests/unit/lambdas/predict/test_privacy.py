"""No value of a private column leaves predict, in whatever format it comes and wherever it stands."""

import csv
import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from contracts.config import Config, parse_config
from contracts.privacy import Privacy, hashed, secret_name
from contracts.signature import Signature
from lambdas.api import Reply
from lambdas.predict import handler
from lambdas.predict.outcomes import Answered, Refused
from lambdas.predict.privacy import Concealer
from lambdas.predict.request import Request
from tests.unit.lambdas.account import make_client
from training.payload import decode
from training.serving.media import CSV, JSON, JSON_LINES

KEY = b"k" * 43
FEATURES = {"email": "categorical", "age": "numeric", "town": "categorical"}
PRIVACY = Privacy(drop=("name", "Phone"), hash=("email", "number"))
SECRET = "Zanzibar"  # in every private value, and nowhere else
ANN = {"email": f"{SECRET}@example.org", "age": 41, "town": "Ulm"}
PRIVATE = {"name": f"Ann {SECRET}", "Phone": f"{SECRET} 12", "number": f"{SECRET}-7"}
HASH = hashed(KEY, "email", ANN["email"])  # type: ignore[arg-type]  # a dict of several types


@pytest.fixture
def config() -> Config:
    return parse_config(
        {
            "project": "people",
            "data": {
                "dataset": "people",
                "target": "left",
                "problem": "binary",
                "positive": "yes",
                "id": "number",
                "features": FEATURES,
                "privacy": PRIVACY.model_dump(),
            },
        }
    )


CONCEALER = Concealer(PRIVACY, FEATURES, partial(hashed, KEY))


def conceal(kind: str, body: str | bytes) -> Request | Reply:
    return CONCEALER.conceal(Request(body if isinstance(body, bytes) else body.encode(), kind, "id"))


def sent(kind: str, body: str | bytes) -> bytes:
    found = conceal(kind, body)
    assert isinstance(found, Request), found
    assert (found.content_type, found.inference_id) == (kind, "id")
    return found.body


def as_csv(*rows: dict[str, Any]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, json.dumps({"instances": [ANN | PRIVATE]})),
        (JSON, json.dumps([PRIVATE | ANN])),
        (JSON, json.dumps(ANN | PRIVATE)),
        (JSON_LINES, json.dumps(ANN | PRIVATE) + "\n\n"),
        (CSV, as_csv(PRIVATE | ANN)),
        (CSV, "\ufeff" + as_csv(ANN)),
        (f"{CSV}; charset=utf-8", as_csv(ANN | PRIVATE)),
    ],
)
def test_the_model_gets_its_features_and_the_hash(config: Config, kind: str, body: str) -> None:
    rows = decode(Signature.of(config.data), kind.split(";", maxsplit=1)[0], sent(kind, body))
    assert rows == [{"email": HASH, "age": 41.0, "town": "Ulm"}]


def test_missing_stays_missing_and_space_does_not_count(config: Config) -> None:
    records = [ANN | {"email": email} for email in (None, "", "  ", f"  {ANN['email']} ")]
    rows = decode(Signature.of(config.data), JSON, sent(JSON, json.dumps(records)))
    assert [row["email"] for row in rows] == [None, None, None, HASH]
    rows = decode(Signature.of(config.data), CSV, sent(CSV, as_csv(ANN | {"email": " "}, ANN)))
    assert [row["email"] for row in rows] == [None, HASH]


def test_what_is_wrong_otherwise_is_for_the_model_server_to_say() -> None:
    assert json.loads(sent(JSON, json.dumps({"instances": [{"age": "old", "colour": 1}]}))) == {"instances": [{"age": "old", "colour": 1}]}


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        (CSV, f"{SECRET},41,Ulm\n", "the first row of CSV must name the features (age, email, town)"),
        (CSV, f"email,age\n{SECRET},41\n", "the first row of CSV must name"),
        (CSV, f"Email,age,town\n{SECRET},41,Ulm\n", "the first row of CSV must name"),
        (CSV, f"email,age,town\n{SECRET},41,Ulm,{SECRET}\n", "row 1 has 4 cells, and the header 3"),
        (CSV, f'email,age,town\n"{SECRET}', "the body is not CSV: unexpected end of data"),
        (CSV, f"email,age,town\n{SECRET}\xff,1,2".encode("latin-1"), "not text in UTF-8"),
        (JSON, f'{{"email": "{SECRET}"', "the body is not JSON"),
        (JSON, json.dumps({"email": SECRET}).encode("utf-16"), "not text in UTF-8"),
        (JSON, json.dumps([[SECRET, 41, "Ulm"]]), "row 1 must be an object of features"),
        (JSON, json.dumps(SECRET), "row 1 must be an object of features"),
        (JSON, json.dumps({"rows": [PRIVATE]}), "row 1: 'rows' must be text, a number, true, false or null"),
        (JSON, json.dumps([ANN, ANN | {"town": {"email": SECRET}}]), "row 2: 'town' must be text"),
        (JSON, json.dumps([ANN | {"email": 17}]), "row 1: 'email' must be text or null"),
        (JSON, '[{"age": NaN}]', "NaN is no JSON"),
        (JSON, "[" * 100_000, "nested too deeply"),
        (JSON_LINES, f"{json.dumps(ANN)}\n{SECRET}\n", "row 2 is not JSON"),
    ],
)
def test_what_could_hide_a_value_is_refused_without_quoting_it(kind: str, body: str | bytes, problem: str) -> None:
    reply = conceal(kind, body)
    assert isinstance(reply, Reply)
    assert reply.status == 400
    assert problem in json.loads(reply.body)["error"]["message"]
    assert SECRET not in reply.body


def test_a_name_that_comes_twice_is_removed_twice() -> None:
    assert SECRET.encode() not in sent(JSON, f'[{{"name": "{SECRET}", "name": "{SECRET}", "email": "{SECRET}", "age": 1}}]')
    assert SECRET.encode() not in sent(CSV, f"name,email,age,town,name\n{SECRET},{SECRET},1,Ulm,{SECRET}\n")


NAMES = st.sampled_from([*FEATURES, *PRIVATE, "phone", " NAME ", "EMAIL", "Number", "other"])


def _is_private(name: str) -> bool:
    return name.strip().lower() in {"email", "name", "phone", "number"}


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """Records in which private columns, however they are written, hold the secret, with anything around it."""
    values: dict[str, Any] = {
        name: draw(st.text(max_size=5)) + (SECRET if _is_private(name) else "") for name in draw(st.lists(NAMES, unique=True))
    }
    more: dict[str, Any] = draw(st.sampled_from([{}, {"rows": [dict(values)]}, {"town": dict(values)}]))
    return values | more


@given(st.lists(records(), min_size=1, max_size=3), st.sampled_from(["wrapped", "list", "one", "lines", "csv", "bare csv"]), st.data())
def test_a_private_value_never_leaves(rows: list[dict[str, Any]], shape: str, data: st.DataObject) -> None:
    kind = {"lines": JSON_LINES, "csv": CSV, "bare csv": CSV}.get(shape, JSON)
    flat = {name: value for name, value in rows[0].items() if isinstance(value, str)}
    body = {
        "wrapped": lambda: json.dumps({"instances": rows}),
        "list": lambda: json.dumps(rows),
        "one": lambda: json.dumps(rows[0]),
        "lines": lambda: "\n".join(map(json.dumps, rows)),
        "csv": lambda: as_csv(ANN | PRIVATE | flat),
        "bare csv": lambda: as_csv(ANN | PRIVATE | flat).partition("\n")[2],
    }[shape]()
    cut = data.draw(st.integers(0, len(body)) | st.just(len(body)))
    found = conceal(kind, body[:cut].encode(errors="surrogatepass"))
    assert SECRET not in (found.body.decode() if isinstance(found, Request) else found.body)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: Config) -> Iterator[Any]:
    """predict as it is deployed for a project with private columns; gives Secrets Manager's client."""
    for name, value in {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ENDPOINT_NAME", "people-dev")
    monkeypatch.setenv("HASH_KEY_SECRET", secret_name("people-dev"))
    monkeypatch.setattr(handler, "ROOT", tmp_path)
    (tmp_path / "project.json").write_text(config.model_dump_json())
    forget()
    with mock_aws():
        yield make_client("secretsmanager")
    forget()


def forget() -> None:
    """Read project and key anew."""
    for made_once in (handler.project, handler.variables, handler.ask, handler.concealer):
        made_once.cache_clear()


class Model:
    """An endpoint that says about every request what it was sent, and whether it fits."""

    def __init__(self) -> None:
        self.seen = b""

    def invoke(self, request: Request) -> Any:
        self.seen += request.body
        return Refused(400, f"row 1: 'age': {SECRET!r} is not a number") if b"old" in request.body else Answered(b'{"predictions": []}')


def test_the_function_reads_the_key_once_and_logs_no_cell(
    deployed: Any, monkeypatch: pytest.MonkeyPatch, context: Any, golden: Any
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(handler.logger.registered_handler, "stream", log)
    deployed.create_secret(Name=secret_name("people-dev"), SecretString=KEY.decode())
    model = Model()
    monkeypatch.setattr(handler, "endpoint", lambda: model)
    event = golden("predict_request")

    def ask(record: Any) -> int:
        return int(handler.handle(event | {"body": json.dumps({"instances": [record]}), "isBase64Encoded": False}, context)["statusCode"])

    assert (ask(ANN | PRIVATE), ask(ANN | {"age": "old"}), ask([SECRET])) == (200, 400, 400)
    deployed.delete_secret(SecretId=secret_name("people-dev"), ForceDeleteWithoutRecovery=True)
    assert ask(ANN) == 200
    assert HASH.encode() in model.seen
    assert log.getvalue().count('"status":400') == 2
    assert SECRET not in log.getvalue() + model.seen.decode()


def test_without_the_key_nothing_goes_on(deployed: Any, monkeypatch: pytest.MonkeyPatch, context: Any, golden: Any) -> None:
    model = Model()
    monkeypatch.setattr(handler, "endpoint", lambda: model)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        handler.handle(golden("predict_request"), context)
    assert model.seen == b""


def test_no_private_columns_no_key(deployed: Any, tmp_path: Path, config: Config) -> None:
    plain = config.data.model_copy(update={"privacy": Privacy()})
    (tmp_path / "project.json").write_text(config.model_copy(update={"data": plain}).model_dump_json())
    forget()
    assert handler.concealer() is None
