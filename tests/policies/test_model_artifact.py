"""Artifacts come back as they were packed; whatever else is given is refused by name, and never crashes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from safetensors.numpy import save

from forewarn.domain.errors import ArtifactRefused, InvalidInput
from forewarn.domain.model_versions import ArtifactFault
from forewarn.gateway.signing import Signer
from forewarn.policies.model_artifact import MOST_BYTES, Json, check_forms, pack, unpack
from forewarn.policies.model_signature import HEAD, content_id, open_signed, read_envelope, sign

SITE, STRANGER = (Signer(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2))
TRUSTED = frozenset({SITE.public_key})
KINDS = st.sampled_from([np.dtype(t) for t in ("<f8", "<f4", "<i8", "<i4", "<i2", "i1", "u1", "?")])
NAMES = st.text("abcXYZ019_.:/- ", min_size=1, max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    SCALARS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
HEADERS = st.dictionaries(st.text(max_size=8), JSON, max_size=4)


def _elements(kind: np.dtype[Any]) -> dict[str, bool] | None:
    return {"allow_nan": False, "allow_infinity": False} if kind.kind == "f" else None


ARRAYS = st.dictionaries(
    NAMES,
    KINDS.flatmap(
        lambda kind: npst.arrays(
            kind, npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5), elements=_elements(kind)
        )
    ),
    max_size=5,
)


def same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    return (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())


@given(HEADERS, ARRAYS)
def test_what_was_packed_and_signed_comes_back(header: dict[str, Json], arrays: dict[str, NDArray[Any]]) -> None:
    payload = pack(header, arrays)
    signed = sign(payload, SITE)
    told, found = unpack(open_signed(signed, TRUSTED))
    assert told == header
    assert found.keys() == arrays.keys()
    assert all(same(found[name], array) for name, array in arrays.items())
    assert not any(array.flags.writeable for array in found.values())
    assert read_envelope(signed).id == content_id(payload) == hashlib.sha256(payload).hexdigest()


@given(ARRAYS, st.randoms())
def test_the_same_content_is_the_same_version(arrays: dict[str, NDArray[Any]], order: Any) -> None:
    header: dict[str, Json] = {"b": 1, "a": [1.5, None]}
    names = list(arrays)
    order.shuffle(names)
    turned = {name: np.asarray(arrays[name], order="F") for name in names}
    assert pack(dict(reversed(header.items())), turned) == pack(header, arrays)


SMALL = sign(pack({"machine": "p1"}, {"mean": np.arange(6.0).reshape(2, 3), "on": np.array([True])}), SITE)


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_any_flipped_byte_is_refused_by_name(at: int, turn: int) -> None:
    data = bytearray(SMALL)
    data[at] ^= turn
    with pytest.raises(ArtifactRefused) as refused:
        open_signed(bytes(data), TRUSTED)
    assert refused.value.fault in ArtifactFault


def test_what_is_wrong_with_each_part_has_its_name() -> None:
    for at, fault in (
        (0, ArtifactFault.POISONED),
        (16, ArtifactFault.DAMAGED),
        (48, ArtifactFault.UNKNOWN_KEY),
        (80, ArtifactFault.WRONG_SIGNATURE),
        (HEAD, ArtifactFault.DAMAGED),
        (len(SMALL) - 1, ArtifactFault.DAMAGED),
    ):
        data = bytearray(SMALL)
        data[at] ^= 1
        assert fault_of(bytes(data)) is fault, at


def fault_of(data: bytes) -> ArtifactFault:
    with pytest.raises(ArtifactRefused) as refused:
        unpack(open_signed(data, TRUSTED))
    return refused.value.fault


@given(st.integers(0, len(SMALL) - 1))
def test_any_cut_is_called_one(length: int) -> None:
    assert fault_of(SMALL[:length]) is ArtifactFault.TRUNCATED


def test_what_follows_it_is_no_part_of_it() -> None:
    assert fault_of(SMALL + b"\0") is ArtifactFault.DAMAGED


def test_a_key_that_nobody_trusts_and_a_forged_one() -> None:
    payload = read_envelope(SMALL).payload
    strange = sign(payload, STRANGER)
    assert fault_of(strange) is ArtifactFault.UNKNOWN_KEY
    forged = strange[:48] + SMALL[48:80] + strange[80:]
    assert fault_of(forged) is ArtifactFault.WRONG_SIGNATURE
    with pytest.raises(ArtifactRefused):
        open_signed(SMALL, frozenset())


def test_another_signature_of_the_same_key_does_not_hold() -> None:
    """A gateway signs its ledger too: what it signed there must not pass as a model."""
    forged = SMALL[:80] + SITE.sign(SMALL[:80]) + SMALL[HEAD:]
    assert fault_of(forged) is ArtifactFault.WRONG_SIGNATURE


@given(st.binary(max_size=400) | st.binary(max_size=300).map(lambda b: len(b).to_bytes(8, "little") + b))
def test_what_is_signed_but_no_model_is_poisoned(payload: bytes) -> None:
    assert fault_of(sign(payload, SITE)) is ArtifactFault.POISONED


def _file(header: str, arrays: dict[str, NDArray[Any]] | None = None) -> bytes:
    return save({"a": np.zeros(2)} if arrays is None else arrays, {"forewarn": header})


GOOD = '{"format":1,"gaps":[],"header":{}}'


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (_file("{"), "header cannot be read"),
        (_file("[1]"), "header cannot be read"),
        (_file('{"format":1,"gaps":[]}'), "header cannot be read"),
        (_file('{"format":1,"gaps":[],"header":{"x":NaN}}'), "header cannot be read"),
        (_file('{"format":1,"gaps":[],"header":{"x":1e999}}'), "header cannot be read"),
        (_file('{"format":1,"gaps":[],"header":{"x":' + "[" * 100_000 + "]" * 100_000 + "}}"), "header cannot be read"),
        (_file('{"format":1,"gaps":[],"header":{"x":' + "9" * 9_000 + "}}"), "header cannot be read"),
        (_file('{"format":2,"gaps":[],"header":{}}'), "of format '2'"),
        (_file('{"format":1,"gaps":[],"header":[]}'), "not the object"),
        (_file('{"format":1,"gaps":["b"],"header":{}}'), "gaps of arrays"),
        (save({"a": np.zeros(2)}), "header cannot be read"),
        (save({"a": np.zeros(2)}, {"other": GOOD}), "header cannot be read"),
        (_file(GOOD, {"a": np.zeros(2, np.uint64)}), "'a' is of U64"),
        (_file(GOOD, {"a": np.zeros(2, np.float16)}), "'a' is of F16"),
        (_file(GOOD, {"a": np.array([1.0, np.nan])}), "not finite"),
        (_file(GOOD, {"a": np.array([1.0, np.inf], np.float32)}), "not finite"),
        (_file(GOOD.replace("[]", '["a"]', 1), {"a": np.array([np.nan, -np.inf])}), "not finite"),
        (_file(GOOD, {"a\n": np.zeros(1)}), "characters"),
        (_file(GOOD, {"a": np.zeros((1,) * 9)}), "9 dimensions"),
        (_file(GOOD, {}) + b"x", "safetensors"),
        (_file(GOOD, {f"a{n}": np.zeros(1, np.int8) for n in range(4_097)}), "4,097 arrays"),
    ],
)
def test_poison_is_named(payload: bytes, said: str) -> None:
    with pytest.raises(ArtifactRefused, match=said) as refused:
        unpack(payload)
    assert refused.value.fault is ArtifactFault.POISONED


def test_a_truth_is_0_or_1() -> None:
    """Another byte in a bool array is neither, and numpy does not say what it does with it."""
    payload = pack({}, {"on": np.array([True, False])})
    with pytest.raises(ArtifactRefused, match="neither true nor false"):
        unpack(payload[:-1] + b"\x02")


@pytest.mark.parametrize(
    "header", [f'{{"a":{{"dtype":"F64","shape":[{n}],"data_offsets":[0,8]}}}}' for n in (2, -1, 2**64)]
)
def test_a_shape_that_its_bytes_do_not_have_is_refused(header: str) -> None:
    text = header[:-1] + ',"__metadata__":' + json.dumps({"forewarn": GOOD}) + "}"
    with pytest.raises(ArtifactRefused, match="safetensors"):
        unpack(len(text).to_bytes(8, "little") + text.encode() + bytes(8))


def test_gaps_are_allowed_where_they_are_said() -> None:
    gap = np.array([1.0, np.nan])
    header, arrays = unpack(pack({"x": 1}, {"low": gap, "mean": np.zeros(1)}, gaps=["low"]))
    assert header == {"x": 1}
    np.testing.assert_array_equal(arrays["low"], gap)
    with pytest.raises(InvalidInput, match="not finite"):
        pack({}, {"low": gap})


def test_what_is_too_large_is_called_that() -> None:
    with pytest.raises(ArtifactRefused) as packed:
        pack({}, {"a": np.zeros(MOST_BYTES // 8 + 1)})
    assert packed.value.fault is ArtifactFault.TOO_LARGE
    with pytest.raises(ArtifactRefused) as signed:
        sign(bytes(MOST_BYTES - HEAD + 1), SITE)
    assert signed.value.fault is ArtifactFault.TOO_LARGE
    assert fault_of(bytes(MOST_BYTES + 1)) is ArtifactFault.TOO_LARGE


@pytest.mark.parametrize(
    ("header", "arrays", "said"),
    [
        ({"x": float("nan")}, {}, "JSON"),
        ({"x": {1, 2}}, {}, "JSON"),
        ({}, {"a": np.array(["text"])}, "is of <U4"),
        ({}, {"a": np.array([object()])}, "is of object"),
        ({}, {"a": np.zeros(1, np.complex128)}, "is of complex128"),
    ],
)
def test_what_no_model_holds_is_not_packed(header: Any, arrays: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        pack(header, arrays)


def test_a_reader_says_which_arrays_it_expects() -> None:
    arrays = {"mean": np.zeros(3), "inverse": np.zeros((3, 3), np.float32)}
    forms: dict[str, tuple[str, tuple[int | None, ...]]] = {"mean": ("f8", (3,)), "inverse": ("f4", (None, 3))}
    assert check_forms(arrays, forms) is arrays
    for wrong, said in (
        ({"mean": arrays["mean"]}, "'inverse' is missing"),
        (arrays | {"more": np.zeros(1)}, "'more' is none of this model's"),
        (arrays | {"mean": np.zeros(4)}, r"'mean' is float64\[4\], not f8\[3\]"),
        (arrays | {"mean": np.zeros((3, 1))}, "'mean' is float64"),
        (arrays | {"inverse": np.zeros((3, 3))}, r"not f4\[any, 3\]"),
    ):
        with pytest.raises(ArtifactRefused, match=said) as refused:
            check_forms(wrong, forms)
        assert refused.value.fault is ArtifactFault.POISONED


def test_the_bytes_are_as_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/formats/model.md").read_text()
    payload = pack({"asset": "p1"}, {"mean": np.array([1.5, -2.0])})
    signed = sign(payload, Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32)))))
    assert f"payload of {len(payload)} bytes" in page
    assert f"file of {len(signed)} bytes" in page
    assert f"    {content_id(payload)}\n" in page
    assert f"    {signed[80:HEAD].hex()}\n" in page
    assert all(f"| `{fault.value}` |" in page for fault in ArtifactFault)
