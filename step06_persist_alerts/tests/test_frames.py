import json

import pytest

from alert.forms import AlertForm
from chat.frames import FrameError, parse_frame, parse_message


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
