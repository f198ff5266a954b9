"""Frames against pymodbus' own codec, and against whatever a line may bring."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.bit_message import ReadCoilsResponse, ReadDiscreteInputsResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse, ReadInputRegistersResponse

from forewarn.plugins.connectors.modbus.frames import Garbled, Question, RtuFraming, TcpFraming

RESPONSES = {
    1: ReadCoilsResponse,
    2: ReadDiscreteInputsResponse,
    3: ReadHoldingRegistersResponse,
    4: ReadInputRegistersResponse,
}
FRAMINGS = {"tcp": (TcpFraming, FramerSocket), "rtu": (RtuFraming, FramerRTU)}


@st.composite
def questions(draw):
    function = draw(st.sampled_from([1, 2, 3, 4]))
    count = draw(st.integers(1, 2000 if function < 3 else 125))
    return Question(draw(st.integers(1, 247)), function, draw(st.integers(0, 65_536 - count)), count)


def answer_of(question: Question, seed: int, theirs, number: int) -> tuple[bytes, bytes]:
    """The frame that pymodbus' server would send, and the data in it."""
    if question.function < 3:
        content = [(seed >> n % 61) & 1 == 1 for n in range(question.count)]
        pdu = RESPONSES[question.function](bits=content)
    else:
        content = [(seed + 40_503 * n) % 65_536 for n in range(question.count)]
        pdu = RESPONSES[question.function](registers=content)
    pdu.dev_id, pdu.transaction_id = question.unit, number
    return theirs(DecodePDU(False)).buildFrame(pdu), pdu.encode()[1:]


@pytest.mark.parametrize("kind", FRAMINGS)
@given(question=questions(), seed=st.integers(0, 2**61), cut=st.integers(1, 400))
def test_another_makers_answer_is_taken_once_it_is_whole(kind, question, seed, cut):
    ours, theirs = FRAMINGS[kind]
    framing = ours()
    asked = framing.encode(question)
    _, unit, _, pdu = theirs(DecodePDU(True)).decode(asked)
    decoded = DecodePDU(True).decode(pdu)
    assert (unit, decoded.function_code, decoded.address, decoded.count) == (
        question.unit,
        question.function,
        question.start,
        question.count,
    )
    frame, data = answer_of(question, seed, theirs, 1)
    assert framing.take(frame, question) == data
    if cut < len(frame):
        assert framing.take(frame[:-cut], question) is None


@pytest.mark.parametrize("kind", FRAMINGS)
@given(question=questions(), code=st.integers(1, 11))
def test_another_makers_exception_is_its_code(kind, question, code):
    ours, theirs = FRAMINGS[kind]
    framing = ours()
    framing.encode(question)
    refusal = ExceptionResponse(question.function, exception_code=code, device_id=question.unit, transaction=1)
    assert framing.take(theirs(DecodePDU(False)).buildFrame(refusal), question) == code


@pytest.mark.parametrize("kind", FRAMINGS)
@given(question=questions(), noise=st.binary(max_size=300), seed=st.integers(0, 2**61), at=st.integers(0, 300))
def test_noise_is_no_answer_and_a_spoilt_byte_is_noticed_or_harmless(kind, question, noise, seed, at):
    ours, theirs = FRAMINGS[kind]
    framing = ours()
    framing.encode(question)
    frame, _ = answer_of(question, seed, theirs, 1)
    spoilt = bytearray(frame)
    spoilt[at % len(frame)] ^= 0x40
    for received in (noise, bytes(spoilt)):
        try:
            found = framing.take(received, question)
        except Garbled:
            found = None
        if isinstance(found, bytes):
            assert len(found) == question.size
        # TCP carries no checksum of its own; a serial line's finds every single error.
        assert kind == "tcp" or found is None or received == noise


@given(question=questions(), noise=st.binary(max_size=20), seed=st.integers(0, 2**61))
def test_on_a_serial_line_the_answer_is_found_behind_noise(question, noise, seed):
    framing = RtuFraming()
    frame, data = answer_of(question, seed, FramerRTU, 0)
    assert framing.take(noise + frame, question) == data
