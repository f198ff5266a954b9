"""OPC UA server on asyncua: a counter and structures of its own types; secured when a folder for certificates is given.

python asyncua_server.py PORT [FOLDER]   - prints READY when it listens; FOLDER then holds client.der, client.pem.
"""

import asyncio
import sys
from pathlib import Path

from asyncua import Node, Server, ua
from asyncua.common.structures104 import new_struct, new_struct_field
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from cryptography.x509.oid import ExtendedKeyUsageOID


async def certificate(folder: Path, who: str, uri: str, usage: list) -> tuple[Path, Path]:
    key, cert = folder / f"{who}.pem", folder / f"{who}.der"
    await setup_self_signed_certificate(
        key, cert, uri, "127.0.0.1", usage, {"countryName": "DE", "organizationName": "Forewarn tests"}
    )
    return cert, key


async def secure(server: Server, folder: Path) -> None:
    cert, key = await certificate(folder, "server", "urn:forewarn:peer", [ExtendedKeyUsageOID.SERVER_AUTH])
    mine, _ = await certificate(folder, "client", "urn:forewarn:gateway", [ExtendedKeyUsageOID.CLIENT_AUTH])
    trusted = folder / "trusted"
    trusted.mkdir(exist_ok=True)
    (trusted / "client.der").write_bytes(mine.read_bytes())
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    await server.set_application_uri("urn:forewarn:peer")
    await server.load_certificate(str(cert))
    await server.load_private_key(str(key))
    store = TrustStore([trusted], [])
    await store.load()
    options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_CLIENT
    server.set_certificate_validator(CertificateValidator(options, store))


async def structures(server: Server, space: int) -> Node:
    """A structure in a structure, of types that only this server knows."""
    part_fields = [
        new_struct_field("Speed", ua.VariantType.Double),
        new_struct_field("Counts", ua.VariantType.Int32, array=True),
    ]
    part, _ = await new_struct(server, space, "Part", part_fields)
    fields = [new_struct_field("Front", part), new_struct_field("Level", ua.VariantType.Int32)]
    machine, _ = await new_struct(server, space, "Machine", fields)
    await server.load_data_type_definitions()
    first = ua.Variant(ua.Machine(ua.Part(0.0, [0, 0]), 0), ua.VariantType.ExtensionObject)
    node = ua.NodeId("pump.machine", space)
    return await server.nodes.objects.add_variable(node, "machine", first, datatype=machine.nodeid)


async def main() -> None:
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{sys.argv[1]}/forewarn")
    if len(sys.argv) > 2:
        await secure(server, Path(sys.argv[2]))
    else:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = await server.register_namespace("urn:forewarn:peer:plant")
    counter = await server.nodes.objects.add_variable(ua.NodeId("pump.counter", space), "counter", 0.0)
    machine = await structures(server, space)
    async with server:
        print("READY", flush=True)
        tick = 0
        while True:
            tick += 1
            await counter.write_value(float(tick))
            await machine.write_value(ua.Machine(ua.Part(float(tick), [tick, 2 * tick]), -tick))
            await asyncio.sleep(0.05)


asyncio.run(main())
