"""Sparkplug B payloads for protobuf: the field numbers of the Eclipse Sparkplug specification 3.0, section 6.4.

What is never read is left out (metadata, parameters); protobuf skips it. A DataSet is declared as the bytes it is on
the wire, so that it is known to be there and costs nothing."""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TYPES: Final = descriptor_pb2.FieldDescriptorProto
_PACKAGE: Final = "forewarn.sparkplug"
_KINDS: Final = {
    "uint64": _TYPES.TYPE_UINT64,
    "uint32": _TYPES.TYPE_UINT32,
    "bool": _TYPES.TYPE_BOOL,
    "float": _TYPES.TYPE_FLOAT,
    "double": _TYPES.TYPE_DOUBLE,
    "string": _TYPES.TYPE_STRING,
    "bytes": _TYPES.TYPE_BYTES,
}
# message -> (number, name, type); a type in [] is repeated, a name with * belongs to the oneof `value`
_FIELDS: Final = {
    "Payload": ((1, "timestamp", "uint64"), (2, "metrics", "[Metric]"), (3, "seq", "uint64"), (4, "uuid", "string")),
    "Metric": (
        (1, "name", "string"),
        (2, "alias", "uint64"),
        (3, "timestamp", "uint64"),
        (4, "datatype", "uint32"),
        (5, "is_historical", "bool"),
        (6, "is_transient", "bool"),
        (7, "is_null", "bool"),
        (9, "properties", "PropertySet"),
        (10, "*int_value", "uint32"),
        (11, "*long_value", "uint64"),
        (12, "*float_value", "float"),
        (13, "*double_value", "double"),
        (14, "*boolean_value", "bool"),
        (15, "*string_value", "bytes"),
        (16, "*bytes_value", "bytes"),
        (17, "*dataset_value", "bytes"),
        (18, "*template_value", "Template"),
        (19, "*extension_value", "bytes"),
    ),
    "Template": (
        (1, "version", "string"),
        (2, "metrics", "[Metric]"),
        (4, "template_ref", "string"),
        (5, "is_definition", "bool"),
    ),
    "PropertySet": ((1, "keys", "[string]"), (2, "values", "[PropertyValue]")),
    "PropertyValue": (
        (1, "type", "uint32"),
        (2, "is_null", "bool"),
        (3, "*int_value", "uint32"),
        (4, "*long_value", "uint64"),
        (5, "*float_value", "float"),
        (6, "*double_value", "double"),
        (7, "*boolean_value", "bool"),
        (8, "*string_value", "bytes"),
    ),
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="forewarn_sparkplug.proto", package=_PACKAGE, syntax="proto2")
    for message_name, fields in _FIELDS.items():
        message = file.message_type.add(name=message_name)
        if any(name.startswith("*") for _, name, _ in fields):
            message.oneof_decl.add(name="value")
        for number, name, kind in fields:
            field = message.field.add(name=name.lstrip("*"), number=number)
            field.label = _TYPES.LABEL_REPEATED if kind.startswith("[") else _TYPES.LABEL_OPTIONAL
            if name.startswith("*"):
                field.oneof_index = 0
            bare = kind.strip("[]")
            if bare in _KINDS:
                field.type = _KINDS[bare]
            else:
                field.type, field.type_name = _TYPES.TYPE_MESSAGE, f".{_PACKAGE}.{bare}"
    return file


_pool: Final = descriptor_pool.DescriptorPool()
_pool.Add(_file())
Payload: Final[Any] = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))
