"""What a browser may send: weighed before Bokeh reads it."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.apps.session import wire

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=5),
    max_leaves=20,
)


def patch(*events, buffers=()):
    return SimpleNamespace(msgtype="PATCH-DOC", content={"events": list(events)}, buffers=buffers)


def change(new, model="p1", attr="value"):
    return {"kind": "ModelChanged", "model": {"id": model}, "attr": attr, "new": new}


@given(VALUES)
def test_a_value_weighs_at_least_its_text(value):
    assert wire.weight(value) >= len(json.dumps(value, ensure_ascii=False)) / 8


@pytest.mark.parametrize(
    "value",
    [
        {"type": "bytes", "data": "H4sI"},
        {"type": "ndarray", "array": [], "shape": [10**9], "dtype": "U9"},
        {"type": "object", "name": "Figure", "id": "q1"},
        {"type": "typed_array"},
        {"type": ["map"]},
        {"type": None},
        [[{"a": {"type": "slice"}}]],
    ],
)
def test_what_would_become_more_than_was_sent_is_refused(value):
    with pytest.raises(wire.Refused, match="type"):
        wire.weight(value)


def test_what_pages_send_is_taken():
    kept = {}
    moved = {"type": "map", "entries": [["text", ["a"]], ["times", [1]]]}
    event = {"type": "event", "name": "button_click", "values": {"type": "map", "entries": [["model", {"id": "p9"}]]}}
    wire.checked(patch(change(22.0), change(moved, attr="data")), kept)
    wire.checked(patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}), kept)
    assert set(kept) == {("p1", "value"), ("p1", "data")}


def test_a_value_set_again_counts_once_and_many_are_refused():
    kept = {}
    for _ in range(50):
        wire.checked(patch(change("x" * 400_000)), kept)
    with pytest.raises(wire.Refused, match="more values"):
        for name in range(50):
            wire.checked(patch(change("x" * 400_000, f"p{name}")), kept)
    assert len(kept) == 5
    with pytest.raises(wire.Refused, match="more values"):
        wire.checked(patch(change({"type": "bytes"}), buffers=[SimpleNamespace(data=b"x" * 2_000_001)]), {})


@pytest.mark.parametrize("kind", ["RootAdded", "TitleChanged", "ColumnsStreamed", ["ModelChanged"], None])
def test_events_that_no_page_sends_are_refused(kind):
    with pytest.raises(wire.Refused):
        wire.checked(patch(change(1) | {"kind": kind}), {})


@given(st.text(st.characters(exclude_categories=[])))
def test_a_part_has_whole_characters_and_says_the_same(text):
    part = wire.plain(json.dumps({"a": text}))
    part.encode()
    after = json.loads(part)["a"]
    after.encode()
    whole = [sign for sign in text if not "\ud800" <= sign <= "\udfff"]
    assert [sign for sign in after if sign in whole] or not whole
    if len(whole) == len(text):
        assert after == text
