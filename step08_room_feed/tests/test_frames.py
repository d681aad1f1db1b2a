import json

import pytest

from alert.forms import AlertForm
from chat.frames import (
    FrameError,
    parse_after,
    parse_client_id,
    parse_frame,
    parse_message,
    parse_sync,
)

CLIENT_ID = "6f1c1d0e-8a8e-4f0a-9d5c-0a8b3f4f6a11"
NO_UUIDS = ["", "1", 1, True, [], {}, CLIENT_ID.upper(), CLIENT_ID.replace("-", "")]


def refused(text_data):
    """Return the code of the error that the text of a frame gets."""
    with pytest.raises(FrameError) as error:
        parse_message(parse_frame(text_data))
    return error.value.code


def text(message):
    return json.dumps({"message": message})


def test_message_is_read_from_the_frame():
    assert parse_message(parse_frame(text("hi"))) == "hi"


@pytest.mark.parametrize("text_data", ["", "hi", "{", "[" * 4000, '{"message": "hi"'])
def test_frame_that_is_not_json_is_refused(text_data):
    assert refused(text_data) == "bad_json"


@pytest.mark.parametrize("text_data", ["[]", '"hi"', "1", "null"])
def test_frame_that_is_not_an_object_is_refused(text_data):
    assert refused(text_data) == "bad_frame"


def test_binary_frame_is_refused():
    assert refused(None) == "bad_frame"


def test_frame_without_a_message_is_refused():
    assert refused('{"massage": "hi"}') == "bad_frame"


@pytest.mark.parametrize("message", [None, 1, True, ["hi"], {"text": "hi"}])
def test_message_that_is_not_a_string_is_refused(message):
    assert refused(text(message)) == "bad_frame"


@pytest.mark.parametrize("message", ["", " ", "\t\n", "\u2003"])
def test_blank_message_is_refused(message):
    assert refused(text(message)) == "blank"


@pytest.mark.parametrize("message", ["\x00", "a\ud83d"])
def test_message_with_characters_that_cannot_be_stored_is_refused(message):
    assert refused(text(message)) == "bad_frame"


@pytest.mark.parametrize("message", ["", " \t\u2003", "a\x00", "a\ud83d", "x" * 201])
def test_message_is_refused_where_the_form_of_an_alert_refuses_it(message):
    assert not AlertForm({"content": message}).is_valid()
    assert refused(text(message)) in {"blank", "bad_frame", "too_long"}


def test_message_keeps_its_spaces():
    assert parse_message(parse_frame(text(" hi "))) == " hi "


def test_message_of_200_characters_is_read():
    assert parse_message(parse_frame(text("é" * 200))) == "é" * 200


def test_message_of_201_characters_is_refused():
    assert refused(text("é" * 201)) == "too_long"


def test_frame_of_4096_bytes_is_read():
    frame = text("hi").ljust(4096)
    assert parse_message(parse_frame(frame)) == "hi"


def test_frame_of_4097_bytes_is_refused():
    assert refused(text("hi").ljust(4097)) == "too_long"


def test_size_of_a_frame_is_counted_in_bytes():
    assert (
        refused(json.dumps({"message": "hi", "more": "é" * 2100}, ensure_ascii=False)) == "too_long"
    )


def test_client_id_is_read_from_the_frame():
    assert str(parse_client_id({"client_id": CLIENT_ID})) == CLIENT_ID


@pytest.mark.parametrize("frame", [{}, {"client_id": None}])
def test_client_id_may_be_left_out(frame):
    assert parse_client_id(frame) is None


@pytest.mark.parametrize("client_id", NO_UUIDS)
def test_client_id_that_is_no_uuid_is_refused(client_id):
    with pytest.raises(FrameError) as error:
        parse_client_id({"client_id": client_id})
    assert error.value.code == "bad_frame"


def test_error_names_the_client_id_of_the_refused_frame():
    answer = FrameError("blank", "Write something first.").as_frame({"client_id": CLIENT_ID})
    assert answer == {
        "msg_type": "error",
        "code": "blank",
        "message": "Write something first.",
        "client_id": CLIENT_ID,
    }


@pytest.mark.parametrize("client_id", [None, *NO_UUIDS])
def test_error_names_no_client_id_that_is_not_valid(client_id):
    answer = FrameError("blank", "Write something first.").as_frame({"client_id": client_id})
    assert "client_id" not in answer


@pytest.mark.parametrize("seq", [0, 15, 10**30])
def test_sync_is_the_number_of_a_message(seq):
    assert parse_sync({"sync": seq}) == seq


@pytest.mark.parametrize("seq", [None, True, "15", 1.5, -1, [], {}])
def test_sync_that_is_no_number_is_refused(seq):
    with pytest.raises(FrameError) as error:
        parse_sync({"sync": seq})
    assert error.value.code == "bad_frame"


@pytest.mark.parametrize("query_string", [b"after=15", b"x=1&after=15", b"after=1&after=15"])
def test_after_is_read_from_the_query_string(query_string):
    assert parse_after(query_string, default=7) == 15


@pytest.mark.parametrize(
    "query_string",
    [b"", b"after=", b"after=-1", b"after=x", b"after=%C2%B2", b"after=\xb2", b"\xff=%ff&;"],
)
def test_default_stands_in_for_an_after_that_is_no_number(query_string):
    assert parse_after(query_string, default=7) == 7
