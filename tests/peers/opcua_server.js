// OPC UA server on node-opcua: counters that change every 50 ms, a flag, a text, and one node that never changes.
// node opcua_server.js PORT PKI_FOLDER [word ...]   - prints READY when it listens. Words:
//   steady              nothing changes
//   certificate=FILE key=FILE    its own certificate and key (PEM)
//   trust=known         only certificates that lie in PKI_FOLDER/trusted/certs are believed
//   history             s=pump.recorded counts every 20 ms and keeps all of it
//   control=FILE        JSON that is read again and again: {"level": 0-255, "state": "Running" | "Suspended" | ...}
//   bulk=N every=MS     s=bulk.0 ... s=bulk.N-1 change every MS
//   items=N             most monitored items a call
//   moods=FILE          JSON that is read again and again: {"well": false, "ahead_s": 3600}; until it is well s=odd.late
//                       is not there, s=odd.text is a text, s=odd.list an array, s=odd.nan no number; s=odd.clock counts
//                       every 100 ms in the time of a clock that is that far ahead
const fs = require("node:fs");
const opcua = require("node-opcua");
const { OPCUAServer, DataType, StatusCodes, OPCUACertificateManager } = opcua;

function wordsOf(given) {
  return Object.fromEntries(given.map((word) => {
    const at = word.indexOf("=");
    return at < 0 ? [word, true] : [word.slice(0, at), word.slice(at + 1)];
  }));
}

async function serverOf(port, folder, words) {
  const certificates = new OPCUACertificateManager({
    rootFolder: folder,
    automaticallyAcceptUnknownCertificate: words.trust !== "known",
  });
  await certificates.initialize();
  const limits = { maxMonitoredItemsPerCall: Number(words.items ?? 2000), maxNodesPerHistoryReadData: 7 };
  return new OPCUAServer({
    port,
    hostname: "127.0.0.1",
    resourcePath: "/forewarn",
    serverCertificateManager: certificates,
    certificateFile: words.certificate,
    privateKeyFile: words.key,
    allowAnonymous: true,
    serverCapabilities: { maxSessions: 50, minSupportedSampleRate: 0, operationLimits: limits },
    userManager: { isValidUser: (user, password) => user === "operator" && password === "secret" },
  });
}

function numberOf(own, folder, name, dataType, more = {}) {
  return own.addVariable({ componentOf: folder, browseName: name, nodeId: `s=pump.${name}`, dataType, ...more });
}

function addPlant(space, own, folder) {
  const moving = [
    ["vibration", DataType.Double, 0.5],
    ["temperature", DataType.Float, 0.25],
    ["speed", DataType.Int32, 1],
  ].map(([name, dataType, step]) => ({ step, dataType, node: numberOf(own, folder, name, dataType) }));
  const running = numberOf(own, folder, "running", DataType.Boolean);
  const broken = numberOf(own, folder, "broken", DataType.Double);
  const array = numberOf(own, folder, "array", DataType.Double, { valueRank: 1, arrayDimensions: [4] });
  const ramp = own.addAnalogDataItem({
    componentOf: folder, browseName: "ramp", nodeId: "s=pump.ramp", dataType: DataType.Double,
    description: "goes up by one", engineeringUnitsRange: { low: 0, high: 50 },
    engineeringUnits: opcua.standardUnits.degree_celsius,
  });
  const axisType = space.findDataType("AxisInformation");
  const axis = numberOf(own, folder, "axis", "AxisInformation");
  numberOf(own, folder, "label", DataType.String).setValueFromSource({ dataType: DataType.String, value: "P-101" });
  numberOf(own, folder, "still", DataType.Double).setValueFromSource({ dataType: DataType.Double, value: 42 });
  numberOf(own, folder, "sick", DataType.Double)
    .setValueFromSource({ dataType: DataType.Double, value: 7 }, StatusCodes.BadSensorFailure, new Date());
  let tick = 0;
  return () => {
    tick += 1;
    const now = new Date();
    for (const { node, dataType, step } of moving) {
      node.setValueFromSource({ dataType, value: tick * step }, StatusCodes.Good, now);
    }
    running.setValueFromSource({ dataType: DataType.Boolean, value: tick % 2 === 1 }, StatusCodes.Good, now);
    ramp.setValueFromSource({ dataType: DataType.Double, value: tick }, StatusCodes.Good, now);
    const value = tick % 20 < 10 ? NaN : tick;
    broken.setValueFromSource({ dataType: DataType.Double, value }, StatusCodes.Good, now);
    const values = new Float64Array([tick, tick + 0.25, tick + 0.5, tick + 0.75]);
    array.setValueFromSource({ dataType: DataType.Double, arrayType: opcua.VariantArrayType.Array, value: values });
    const told = space.constructExtensionObject(axisType, { euRange: { low: -tick, high: tick }, axisSteps: [1, tick] });
    axis.setValueFromSource({ dataType: DataType.ExtensionObject, value: told }, StatusCodes.Good, now);
  };
}

function addHistory(space, own, folder) {
  const recorded = numberOf(own, folder, "recorded", DataType.Double, { minimumSamplingInterval: 0 });
  space.installHistoricalDataNode(recorded, { maxOnlineValues: 1000000 });
  let count = 0;
  setInterval(() => {
    count += 1;
    recorded.setValueFromSource({ dataType: DataType.Double, value: count }, StatusCodes.Good, new Date());
  }, 20);
}

function tellingOf(file) {
  return () => {
    try {
      return JSON.parse(fs.readFileSync(file, "utf8"));
    } catch {
      return {};
    }
  };
}

function addControl(server, space, file) {
  const told = tellingOf(file);
  const level = space.findNode("ns=0;i=2267");
  const read = () => new opcua.Variant({ dataType: DataType.Byte, value: told().level ?? 255 });
  level.bindVariable({ get: read }, true);
  setInterval(() => server.engine.setServerState(opcua.ServerState[told().state ?? "Running"]), 100);
}

function addBulk(own, folder, count, every) {
  const nodes = Array.from({ length: count }, (_, i) => own.addVariable({
    componentOf: folder, browseName: `bulk.${i}`, nodeId: `s=bulk.${i}`, dataType: DataType.Double,
  }));
  const parts = 10;
  let turn = 0;
  // In parts, so that the server is never busy for long at a time.
  setInterval(() => {
    turn += 1;
    const now = new Date();
    for (let i = turn % parts; i < count; i += parts) {
      nodes[i].setValueFromSource({ dataType: DataType.Double, value: turn + i / 1000 }, StatusCodes.Good, now);
    }
  }, every / parts);
}

function addMoods(own, folder, file) {
  const told = tellingOf(file);
  const add = (name, dataType, more = {}) => own.addVariable({
    componentOf: folder, browseName: `odd.${name}`, nodeId: `s=odd.${name}`, dataType, valueRank: -2, ...more,
  });
  const text = add("text", "BaseDataType");
  const list = add("list", "BaseDataType");
  const nan = add("nan", DataType.Double);
  const clock = add("clock", DataType.Double);
  let late;
  let count = 0;
  setInterval(() => {
    const { well = false, ahead_s: ahead = 0 } = told();
    count += 1;
    const now = new Date();
    const number = { dataType: DataType.Double, value: count };
    if (well) late ??= add("late", DataType.Double);
    const values = { dataType: DataType.Double, arrayType: opcua.VariantArrayType.Array, value: new Float64Array([1, 2]) };
    text.setValueFromSource(well ? number : { dataType: DataType.String, value: `P-${count}` }, StatusCodes.Good, now);
    list.setValueFromSource(well ? number : values, StatusCodes.Good, now);
    nan.setValueFromSource(well ? number : { dataType: DataType.Double, value: NaN }, StatusCodes.Good, now);
    late?.setValueFromSource(number, StatusCodes.Good, now);
    clock.setValueFromSource(number, StatusCodes.Good, new Date(now.getTime() + ahead * 1000));
  }, 100);
}

async function main() {
  const [port, folder, ...rest] = process.argv.slice(2);
  const words = wordsOf(rest);
  const server = await serverOf(Number(port), folder, words);
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.getOwnNamespace();
  const plant = own.addFolder(space.rootFolder.objects, { browseName: "Plant" });
  const step = addPlant(space, own, plant);
  step();
  if (!words.steady) setInterval(step, 50);
  if (words.history) addHistory(space, own, plant);
  if (words.control) addControl(server, space, words.control);
  if (words.moods) addMoods(own, plant, words.moods);
  if (words.bulk) addBulk(own, plant, Number(words.bulk), Number(words.every ?? 1000));
  await server.start();
  console.log("READY");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
