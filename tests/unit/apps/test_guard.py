"""Allowances, and what takes the place of Panel's and Bokeh's own request handlers."""

import inspect

import pytest
from bokeh.server.urls import per_app_patterns
from hypothesis import given
from hypothesis import strategies as st
from panel import auth
from panel.io import server as panel_server

from toolkit.apps import guard
from toolkit.apps.session import wire


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(guard, "time", clock)
    return clock


def test_an_allowance_is_used_up_and_comes_back(clock):
    pages = guard.Allowances(3, 0.5)
    assert [pages.spend("a") for _ in range(5)] == [0, 0, 0, 2, 4]
    assert (pages.wait("a"), pages.wait("b")) == (6, 0)
    clock.now += 6
    assert pages.wait("a") == 0 and pages.spend("a") == 0
    clock.now += 1e6
    assert [pages.spend("a") for _ in range(4)] == [0, 0, 0, 2]


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 100)), max_size=50))
def test_no_one_gets_more_than_at_once_and_each_second(steps):
    pages, gone, taken = guard.Allowances(3.0, 0.5), 0.0, 0.0
    clock = type("Clock", (), {"monotonic": staticmethod(lambda: gone)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "time", clock)
        for amount, wait in steps:
            if pages.wait("a", amount) == 0:
                assert pages.spend("a", amount) == 0
                taken += amount
            assert taken <= 3.0 + 0.5 * gone + 1e-9
            gone += wait


def test_visitors_without_a_name_are_not_one_visitor_and_only_so_many_are_remembered(clock, monkeypatch):
    monkeypatch.setattr(guard, "MOST_VISITORS", 3)
    pages = guard.Allowances(1, 1)
    assert [pages.spend("") for _ in range(5)] == [0] * 5
    for name in "abcde":
        pages.spend(name)
    assert list(pages._left) == ["c", "d", "e"]


def test_what_is_replaced_is_there_to_be_replaced():
    """Names of Panel and Bokeh that the guard relies on."""
    assert [row[0] for row in per_app_patterns if row[0] in ("/ws", "/?")] == ["/ws", "/?"]
    for name in ("BasicLoginHandler", "LogoutHandler"):
        assert inspect.isclass(getattr(auth, name))
    assert "BasicLoginHandler" in inspect.getsource(auth.BasicAuthProvider.login_handler.fget)
    assert "LogoutHandler" in inspect.getsource(auth.BasicAuthProvider.logout_handler.fget)
    assert list(inspect.signature(guard.SignIn.__mro__[2]._validate).parameters) == ["self", "username", "password"]
    for name in ("_receive", "_async_open", "on_message"):
        assert inspect.iscoroutinefunction(getattr(panel_server.WSHandler, name))
    assert inspect.iscoroutinefunction(wire.Socket._receive)


@pytest.mark.parametrize(
    ("address", "name"),
    [("127.0.0.1", ""), ("::1", ""), ("10.0.0.5", "10.0.0.5"), ("2001:db8::1", "2001:db8::1"), ("x" * 1000, "")],
)
def test_a_visitor_is_known_by_an_address_unless_it_is_everybodys(address, name):
    assert guard.address_of(type("Request", (), {"remote_ip": address})) == name
