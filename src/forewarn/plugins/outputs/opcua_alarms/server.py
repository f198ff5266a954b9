"""The server: its certificate, its nodes, and what is written into them."""

import asyncio
import logging
import socket
from datetime import UTC, datetime
from typing import Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.server.server import Server
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from forewarn.plugins.outputs.opcua_alarms.picture import Kind, Leaf, Value
from forewarn.plugins.outputs.opcua_alarms.settings import OpcUaAlarmsSettings

NAMESPACE: Final = "urn:forewarn:alarms"
_URI: Final = "urn:forewarn:gateway:alarms"
_POLICIES: Final = {
    "None": ua.SecurityPolicyType.NoSecurity,
    "Basic256Sha256": ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
}
_OBJECTS: Final = ua.NodeId(ua.Int32(ObjectIds.ObjectsFolder))
# It warns of every client that comes and goes.
logging.getLogger("asyncua").setLevel(logging.CRITICAL)


class AlarmServer:
    """Nodes by path below Objects/Forewarn. Clients may read; nobody may write."""

    def __init__(self, settings: OpcUaAlarmsSettings) -> None:
        self._settings = settings
        self._server = Server()
        self._space = 0
        self._nodes: dict[tuple[str, ...], ua.NodeId] = {}
        self._written: dict[tuple[str, ...], Leaf] = {}

    async def start(self) -> None:
        """Raises OSError when the port is taken, or the certificate's folder cannot be used."""
        server, settings = self._server, self._settings
        await server.init()
        server.allow_remote_admin(False)
        server.set_endpoint(f"opc.tcp://{settings.host}:{settings.port}/forewarn")
        server.set_server_name("Forewarn gateway")
        server.set_security_policy([_POLICIES[name] for name in dict.fromkeys(settings.security)])
        await server.set_application_uri(_URI)
        await self._secure()
        self._space = await server.register_namespace(NAMESPACE)
        await server.start()

    async def stop(self) -> None:
        await self._server.stop()

    async def _secure(self) -> None:
        folder = self._settings.certificate_folder
        if "Basic256Sha256" not in self._settings.security or folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key, certificate = folder / "alarms.pem", folder / "alarms.der"
        usage = [ExtendedKeyUsageOID.SERVER_AUTH]
        await setup_self_signed_certificate(key, certificate, _URI, socket.gethostname(), usage, {})
        key.chmod(0o600)
        await self._server.load_certificate(str(certificate))
        await self._server.load_private_key(str(key))
        if self._settings.trusted_certificates is not None:
            self._server.set_certificate_validator(self._check_client)

    async def _check_client(self, shown: x509.Certificate, _: ua.ApplicationDescription) -> None:
        """The folder is read at every connection: who is put there may come in at once."""
        folder = self._settings.trusted_certificates
        der = shown.public_bytes(serialization.Encoding.DER)
        known = folder is not None and folder.is_dir() and any(f.read_bytes() == der for f in folder.glob("*.der"))
        if not known:
            raise ServiceError(StatusCodes.BadCertificateUntrusted)
        if not shown.not_valid_before_utc <= datetime.now(UTC) <= shown.not_valid_after_utc:
            raise ServiceError(StatusCodes.BadCertificateTimeInvalid)

    async def show(self, path: tuple[str, ...], values: dict[str, Value]) -> None:
        """Values by name under the object at `path`; made where they are not yet, written where they changed."""
        for name, value in values.items():
            await self.write((*path, *name.split(".")), value)

    async def write(self, path: tuple[str, ...], value: Value) -> None:
        before = self._written.get(path)
        if before == value.value or (before != before and value.value != value.value):  # NaN stays NaN
            return
        now = ua.DateTime.now(UTC)
        told = ua.DataValue(_variant(value), SourceTimestamp=now, ServerTimestamp=now)
        if path not in self._nodes:
            await self._add(path, told)
        await self._server.write_attribute_value(self._nodes[path], told)
        self._written[path] = value.value

    async def _add(self, path: tuple[str, ...], told: ua.DataValue) -> None:
        parent = await self._parent(path[:-1])
        node = self._server.get_node(parent)
        place, name = self._id(path), ua.QualifiedName(path[-1], self._space)
        if path[:-1] in self._written:  # the Id of a state
            made = await node.add_property(place, name, told.Value)
        else:
            made = await node.add_variable(place, name, told.Value)
        self._nodes[path] = made.nodeid

    async def _parent(self, path: tuple[str, ...]) -> ua.NodeId:
        if not path:
            return _OBJECTS
        if path not in self._nodes:
            above = self._server.get_node(await self._parent(path[:-1]))
            made = await above.add_object(self._id(path), ua.QualifiedName(path[-1], self._space))
            self._nodes[path] = made.nodeid
            await asyncio.sleep(0)  # a plant with many alarms is built without holding up the loop
        return self._nodes[path]

    def _id(self, path: tuple[str, ...]) -> ua.NodeId:
        return ua.NodeId(ua.String("/".join(path)), ua.Int16(self._space))

    async def forget(self, path: tuple[str, ...]) -> None:
        """The object at `path` and all below it are gone."""
        below = [each for each in self._nodes if each[: len(path)] == path]
        await self._server.delete_nodes([self._server.get_node(self._nodes[each]) for each in reversed(below)])
        for each in below:
            del self._nodes[each]
            self._written.pop(each, None)


def _variant(value: Value) -> ua.Variant:
    told = value.value
    if value.kind is Kind.TEXT:
        return ua.Variant(ua.LocalizedText(str(told)), ua.VariantType.LocalizedText)
    if value.kind is Kind.SEVERITY:
        return ua.Variant(told, ua.VariantType.UInt16)
    if isinstance(told, tuple):
        return ua.Variant(list(told), ua.VariantType.String, is_array=True)
    kinds = {
        bool: ua.VariantType.Boolean,
        int: ua.VariantType.Int64,
        float: ua.VariantType.Double,
        str: ua.VariantType.String,
        datetime: ua.VariantType.DateTime,
    }
    return ua.Variant(told, kinds[type(told)])
