import json

import pytest

from chat.frames import FrameError, read_after, read_client_id, read_frame, read_message, read_sync


def refused(text_data):
    """Return the code of the error that the text of a frame gets."""
    with pytest.raises(FrameError) as error:
        read_message(read_frame(text_data))
    return error.value.code


def text(message):
    return json.dumps({"message": message})


def test_message_is_read_from_the_frame():
    assert read_message(read_frame(text("hi"))) == "hi"


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


def test_message_of_200_characters_is_read():
    assert read_message(read_frame(text("é" * 200))) == "é" * 200


def test_message_of_201_characters_is_refused():
    assert refused(text("é" * 201)) == "too_long"


def test_frame_of_4096_bytes_is_read():
    frame = text("hi").ljust(4096)
    assert read_message(read_frame(frame)) == "hi"


def test_frame_of_4097_bytes_is_refused():
    assert refused(text("hi").ljust(4097)) == "too_long"


def test_size_of_a_frame_is_counted_in_bytes():
    assert (
        refused(json.dumps({"message": "hi", "more": "é" * 2100}, ensure_ascii=False)) == "too_long"
    )


def test_client_id_is_read_from_the_frame():
    client_id = "6f1c1d0e-8a8e-4f0a-9d5c-0a8b3f4f6a11"
    assert str(read_client_id({"client_id": client_id})) == client_id


def test_client_id_may_be_left_out():
    assert read_client_id({}) is None


@pytest.mark.parametrize(
    "client_id",
    [
        "",
        "1",
        1,
        [],
        {},
        "6F1C1D0E-8A8E-4F0A-9D5C-0A8B3F4F6A11",
        "6f1c1d0e8a8e4f0a9d5c0a8b3f4f6a11",
    ],
)
def test_client_id_that_is_no_uuid_is_refused(client_id):
    with pytest.raises(FrameError):
        read_client_id({"client_id": client_id})


@pytest.mark.parametrize("seq", [0, 15, 10**30])
def test_sync_takes_the_number_of_a_message(seq):
    assert read_sync({"sync": seq}) == seq


@pytest.mark.parametrize("seq", [None, True, "15", 1.5, -1])
def test_sync_with_something_else_is_refused(seq):
    with pytest.raises(FrameError):
        read_sync({"sync": seq})


@pytest.mark.parametrize(("query_string", "after"), [(b"", 7), (b"after=0", 0), (b"after=15", 15)])
def test_after_is_read_from_the_query_string(query_string, after):
    assert read_after(query_string, default=7) == after


@pytest.mark.parametrize(
    "query_string", [b"after=", b"after=-1", b"after=x", "after=²".encode("latin1")]
)
def test_after_with_something_else_is_refused(query_string):
    with pytest.raises(FrameError):
        read_after(query_string, default=7)
