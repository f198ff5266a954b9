// OPC UA server on node-opcua: counters that change every 50 ms, a flag, a text, and one node that never changes.
// node opcua_server.js PORT PKI_FOLDER [steady]   - prints READY when it listens.
const { OPCUAServer, Variant, DataType, StatusCodes, OPCUACertificateManager } = require("node-opcua");

async function main() {
  const port = Number(process.argv[2]);
  const certificates = new OPCUACertificateManager({
    rootFolder: process.argv[3],
    automaticallyAcceptUnknownCertificate: true,
  });
  await certificates.initialize();
  const server = new OPCUAServer({
    port,
    hostname: "127.0.0.1",
    resourcePath: "/forewarn",
    serverCertificateManager: certificates,
    allowAnonymous: true,
    userManager: { isValidUser: (user, password) => user === "operator" && password === "secret" },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.getOwnNamespace();
  const folder = own.addFolder(space.rootFolder.objects, { browseName: "Plant" });
  const numbers = [
    ["vibration", DataType.Double, 0.5],
    ["temperature", DataType.Float, 0.25],
    ["speed", DataType.Int32, 1],
  ];
  const steady = process.argv[4] === "steady";
  let tick = 0;
  const moving = numbers.map(([name, dataType, step]) => ({
    step,
    dataType,
    node: own.addVariable({ componentOf: folder, browseName: name, nodeId: `s=pump.${name}`, dataType }),
  }));
  const running = own.addVariable({
    componentOf: folder, browseName: "running", nodeId: "s=pump.running", dataType: DataType.Boolean,
  });
  const sick = own.addVariable({
    componentOf: folder, browseName: "sick", nodeId: "s=pump.sick", dataType: DataType.Double,
  });
  const label = own.addVariable({
    componentOf: folder, browseName: "label", nodeId: "s=pump.label", dataType: DataType.String,
  });
  const still = own.addVariable({
    componentOf: folder, browseName: "still", nodeId: "s=pump.still", dataType: DataType.Double,
  });
  label.setValueFromSource({ dataType: DataType.String, value: "P-101" });
  still.setValueFromSource({ dataType: DataType.Double, value: 42 });
  sick.setValueFromSource({ dataType: DataType.Double, value: 7 }, StatusCodes.BadSensorFailure, new Date());
  const step = () => {
    tick += 1;
    const now = new Date();
    for (const { node, dataType, step } of moving) {
      node.setValueFromSource({ dataType, value: tick * step }, StatusCodes.Good, now);
    }
    running.setValueFromSource({ dataType: DataType.Boolean, value: tick % 2 === 1 }, StatusCodes.Good, now);
  };
  step();
  if (!steady) setInterval(step, 50);
  await server.start();
  console.log("READY");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
