"""The plant's OPC UA server: one variable a signal, `ns=2;s=<signal id>`, under a folder for its machine."""

import math
from collections.abc import Sequence
from datetime import UTC, timedelta

from asyncua import ua
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds

from forewarn.domain.errors import ConfigurationError
from forewarn.simulator.addresses import node_id
from forewarn.simulator.machines import Machine
from forewarn.simulator.quantities import Array
from forewarn.simulator.sensors import Quality

_NAMESPACE = "urn:forewarn:simulated-plant"
_EPOCH = ua.DateTime(1970, 1, 1, tzinfo=UTC)


class PlantOpcUaServer:
    """signals: (machine, signal name, unit) in the order of the values given to `publish`."""

    def __init__(self, host: str, port: int, signals: Sequence[tuple[Machine, str, str]]) -> None:
        self.url = f"opc.tcp://{host}:{port}/forewarn"
        self._signals = signals
        self._server = Server()
        self._nodes: list[ua.NodeId] = []

    async def start(self) -> None:
        """Listen. Raises ConfigurationError when the port is taken."""
        await self._server.init()
        self._server.set_endpoint(self.url)
        self._server.set_server_name("Forewarn simulated plant")
        self._server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await self._server.register_namespace(_NAMESPACE)
        if index != 2:
            raise ConfigurationError(f"OPC UA namespace index is {index}, the addresses promise 2")
        await self._build()
        try:
            await self._server.start()
        except OSError as error:
            raise ConfigurationError(
                f"OPC UA server cannot listen on {self.url}: {error}; choose another port"
            ) from error

    async def _build(self) -> None:
        folders = {}
        for machine, name, unit in self._signals:
            if machine.id not in folders:
                folders[machine.id] = await self._server.nodes.objects.add_folder(f"ns=2;s={machine.id}", machine.id)
            text = node_id(f"{machine.id}.{name}")
            variable = await folders[machine.id].add_variable(text, f"2:{name}", 0.0, ua.VariantType.Double)
            await variable.write_attribute(
                AttributeIds.Description, ua.DataValue(ua.Variant(ua.LocalizedText(f"{name} in {unit}")))
            )
            self._nodes.append(variable.nodeid)

    async def publish(self, time_us: int, value: Array, quality: Quality) -> None:
        """Write one instant of all signals with the plant's timestamp; a value with bad quality is sent as null."""
        stamp = _EPOCH + timedelta(microseconds=time_us)
        write = self._server.iserver.aspace.write_attribute_value
        for node, number, code in zip(self._nodes, value.tolist(), quality.tolist(), strict=True):
            held = ua.Variant() if math.isnan(number) else ua.Variant(number, ua.VariantType.Double)
            await write(
                node,
                AttributeIds.Value,
                ua.DataValue(held, ua.StatusCode(code), SourceTimestamp=stamp, ServerTimestamp=stamp),
            )

    async def stop(self) -> None:
        await self._server.stop()
