"""The door: who is not the desk's own page learns nothing and moves nothing."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from edge_infer.desk.guard import Door, Guard, Message, Receive, Scope, Send
from edge_infer.store.day_view import DayView
from tests.edge.desk.running_desk import Answer, RunningDesk

NOTHING = b"There is nothing here."


def is_nothing(answer: Answer) -> bool:
    """Tell whether an answer is the one that everybody gets who may know nothing."""
    return answer.status >= 400 and answer.body.startswith(NOTHING)


@pytest.mark.parametrize(
    "path",
    ["/", "/x/", "/news", "/film/1", "//", "/../", "/%2e%2e/", "/mark", "/" + "A" * 43 + "/"],
)
def test_without_the_token_there_is_nothing(desk: RunningDesk, path: str) -> None:
    assert is_nothing(desk.ask(path, is_inside=False))


def test_a_token_that_is_nearly_right_is_wrong(desk: RunningDesk) -> None:
    token = desk.url.rstrip("/").rpartition("/")[2]
    assert len(token) == 43, "32 random bytes"
    for wrong in (token[:-1], token + "A", token.swapcase(), token + "%00", f" {token}"):
        assert is_nothing(desk.ask(f"/{wrong.replace(' ', '%20')}/", is_inside=False))
    assert is_nothing(desk.ask(f"/{token}", is_inside=False)), "without its slash"
    assert desk.ask(f"/{token}/", is_inside=False).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1", "0.0.0.0"])
def test_another_sites_name_for_this_pc_is_refused(desk: RunningDesk, host: str) -> None:
    answer = desk.ask("", headers={"Host": host})
    assert answer.status == 421 and is_nothing(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_is_refused(desk: RunningDesk, headers: dict[str, str]) -> None:
    number = desk.number("=1+1.png")
    said = json.dumps({"film": number, "kind": "seen", "value": "1"}).encode()
    as_ours = {"Origin": desk.origin, "Content-Type": "application/json"}
    answer = desk.ask("mark", method="POST", body=said, headers=as_ours | headers)
    assert answer.status == 403 and is_nothing(answer)
    assert is_nothing(desk.ask("", headers=headers))
    assert desk.post("mark", json.loads(said)).status == 200, "it was only the origin"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {"Content-Type": "application/json"}),
        ("POST", {"Origin": "OURS", "Content-Type": "text/plain"}),
        ("POST", {"Origin": "OURS"}),
        ("PUT", {"Origin": "OURS", "Content-Type": "application/json"}),
        ("OPTIONS", {"Origin": "OURS", "Access-Control-Request-Method": "POST"}),
    ],
)
def test_what_a_form_or_a_foreign_script_can_send_says_nothing_of_a_film(
    desk: RunningDesk, method: str, headers: dict[str, str]
) -> None:
    sent = {name: desk.origin if value == "OURS" else value for name, value in headers.items()}
    said = json.dumps({"film": desk.number("=1+1.png"), "kind": "seen", "value": "1"}).encode()
    answer = desk.ask("mark", method=method, body=said, headers=sent)
    assert is_nothing(answer)
    assert not any(name.startswith("access-control") for name in answer.headers)
    read = DayView(desk.folder).read(desk.feed.reader.mode, include_patient=False)
    assert read.marks == {}


@pytest.mark.parametrize("path", ["", "report.css", "desk.js", "thumbnail/1", "film/1", "nothing"])
def test_nothing_is_kept_framed_or_guessed_by_the_browser(desk: RunningDesk, path: str) -> None:
    headers = desk.ask(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2fetc%2fpasswd", "film/..%2f..%2fetc%2fpasswd", "film/1/../../mark", "film/-1",
        "film/99999999999999999999", "thumbnail/0", "desk.py", "desk.html", "film/1%00", "about/x",
        "film/%E0%A4%A", "static/desk.js",
    ],
)  # fmt: skip
def test_only_what_the_desk_knows_has_an_address(desk: RunningDesk, path: str) -> None:
    answer = desk.ask(path)
    assert answer.status == 404
    assert b"root:" not in answer.body and b"import" not in answer.body


@pytest.mark.parametrize(
    "said",
    [
        [], None, "x", {"film": "1"}, {"film": True}, {"film": 1.0}, {"film": {"$gt": 0}},
        {"film": 1, "kind": "sql", "value": "1"}, {"film": 1, "kind": "seen", "value": "'; DROP"},
        {"film": 10**30, "kind": "seen", "value": "1"},
    ],
)  # fmt: skip
def test_what_is_said_must_make_sense(desk: RunningDesk, said: Any) -> None:
    assert desk.post("mark", said).status in (400, 404)
    assert desk.post("undo", said).status in (400, 409)


def test_a_body_without_end_is_not_read_to_its_end(desk: RunningDesk) -> None:
    assert desk.post("mark", {"film": 1, "kind": "note", "value": "x" * 100_000}).status == 400
    deep = b"[" * 4000
    headers = {"Origin": desk.origin, "Content-Type": "application/json"}
    assert desk.ask("mark", method="POST", body=deep, headers=headers).status == 400


@pytest.mark.parametrize("asked", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_wrong_requests_leave_it_answering(desk: RunningDesk, asked: int) -> None:
    for number in range(asked):
        assert is_nothing(desk.ask(f"/guess{number}/film/1", is_inside=False))
    assert desk.ask("").status == 200


def call(guard: Guard, path: str, authorization: str | None) -> tuple[int, dict[str, str]]:
    """Ask the guard itself, as a second PC does over TLS."""
    import asyncio

    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"192.168.1.5:48720")]
    if authorization is not None:
        headers.append((b"authorization", authorization.encode()))
    scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    asyncio.run(guard(scope, receive, send))
    plain = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], plain


async def hello(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"nurse:{password}".encode()).decode()


def test_a_second_pc_needs_the_password_and_is_then_shown_the_way() -> None:
    guard = Guard(
        hello,
        Door(
            hosts=frozenset({"192.168.1.5:48720"}),
            scheme="https",
            token="token",
            password="correct horse",
        ),
    )
    assert call(guard, "/token/", None)[0] == 401
    status, headers = call(guard, "/", basic("correct horse"))
    assert (status, headers["location"]) == (303, "/token/")
    assert call(guard, "/token/", basic("correct horse"))[0] == 200
    assert call(guard, "/other/", basic("correct horse"))[0] == 404
    for wrong in ("Basic !!!", "Bearer x", "Basic"):
        assert call(guard, "/token/", wrong)[0] == 401


def test_a_wrong_password_costs_a_second() -> None:
    guard = Guard(
        hello, Door(hosts=frozenset({"192.168.1.5:48720"}), scheme="https", token="t", password="p")
    )
    began = time.monotonic()
    assert call(guard, "/t/", basic("wrong"))[0] == 401
    assert time.monotonic() - began >= 1.0
