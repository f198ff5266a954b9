// A Sparkplug B edge node (sparkplug-client, Eclipse Tahu's JavaScript) with one device, `pump`.
// Arguments: port of the broker, group, edge node. It counts in Int32 `count` every 20 ms and obeys device commands:
// a metric `do` of type String: die | birth | skip (leaves a sequence number out) | late (a historical value) | null.
const sparkplug = require("sparkplug-client");

const [port, groupId, edgeNode] = process.argv.slice(2);
const client = sparkplug.newClient({
  serverUrl: `mqtt://127.0.0.1:${port}`,
  username: "",
  password: "",
  groupId,
  edgeNode,
  clientId: `${groupId}-${edgeNode}`,
  keepalive: 2,
  mqttOptions: { reconnectPeriod: 200 },
});

let born = false;
let count = 0;

const metric = (name, alias, type, value, more = {}) => ({ name, alias, type, value, timestamp: Date.now(), ...more });

function birth() {
  client.publishNodeBirth({
    timestamp: Date.now(),
    metrics: [
      { name: "Node Control/Rebirth", type: "Boolean", value: false, timestamp: Date.now() },
      metric("Supply/Voltage", 1, "Double", 230.5),
    ],
  });
  deviceBirth();
}

function deviceBirth() {
  client.publishDeviceBirth("pump", {
    timestamp: Date.now(),
    metrics: [
      metric("count", 10, "Int32", count),
      metric("int8", 11, "Int8", -5),
      metric("int16", 12, "Int16", -300),
      metric("int32", 13, "Int32", -70000),
      metric("int64", 14, "Int64", -5000000000),
      metric("uint8", 15, "UInt8", 250),
      metric("uint16", 16, "UInt16", 65000),
      metric("uint32", 17, "UInt32", 4000000000),
      metric("uint64", 18, "UInt64", 9007199254740991),
      metric("float", 19, "Float", 1.5),
      metric("double", 20, "Double", -2.25),
      metric("boolean", 21, "Boolean", true),
      metric("datetime", 22, "DateTime", 1700000000000),
      metric("text", 23, "String", "hello"),
      metric("motor", 24, "Template", {
        templateRef: "motor",
        isDefinition: false,
        metrics: [
          { name: "speed", type: "Float", value: 1480.5, timestamp: 1700000000123 },
          { name: "trips", type: "Int16", value: -3 },
        ],
      }),
    ],
  });
  born = true;
}

function data(...metrics) {
  // By alias alone, as the specification wants data to be.
  for (const each of metrics) delete each.name;
  client.publishDeviceData("pump", { timestamp: Date.now(), metrics });
}

const orders = {
  die() {
    born = false;
    client.publishDeviceDeath("pump", { timestamp: Date.now() });
  },
  birth: deviceBirth,
  skip: () => client.incrementSeqNum(),
  late: () => data(metric("", 20, "Double", -9.5, { timestamp: Date.now() - 3600000, isHistorical: true })),
  null: () => data(metric("", 19, "Float", null, { isNull: true })),
};

client.on("birth", birth);
client.on("close", () => (born = false));
client.on("error", () => {});
client.on("ncmd", (payload) => {
  if (payload.metrics.some((each) => each.name === "Node Control/Rebirth" && each.value === true)) birth();
});
client.on("dcmd", (_device, payload) => orders[payload.metrics[0].value]());
setInterval(() => {
  if (born) data(metric("", 10, "Int32", ++count));
}, 20);
client.on("connect", () => console.log("READY"));
