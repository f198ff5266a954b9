// OPC UA client on node-opcua: reads nodes once a line on standard input, prints `=> ` and {node id: value} as JSON.
// node opcua_reader.js URL SECURITY FOLDER   - prints READY when its session stands. SECURITY: None or Basic256Sha256.
// A line is a JSON list of node ids; {"browse": "node id"} lists [browse name, node id] below it instead, and
// {"write": "node id"} tells the status of writing false there. In FOLDER it makes and keeps its certificate.
const path = require("node:path");
const readline = require("node:readline");
const {
  OPCUAClient, OPCUACertificateManager, MessageSecurityMode, SecurityPolicy, AttributeIds, DataType,
} = require("node-opcua");

const plain = (value) => {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value) && value.length === 2 && typeof value[0] === "number") return value[1]; // Int64
  if (typeof value === "object" && "text" in value) return value.text;
  return value;
};

async function answer(session, asked) {
  if (asked.browse) {
    const found = await session.browse(asked.browse);
    return (found.references ?? []).map((each) => [each.browseName.name, each.nodeId.toString()]);
  }
  if (asked.write) {
    const value = { value: { dataType: DataType.Boolean, value: false } };
    const status = await session.write({ nodeId: asked.write, attributeId: AttributeIds.Value, value });
    return status.name;
  }
  const read = await session.read(asked.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })));
  return Object.fromEntries(asked.map((id, i) => {
    const { statusCode, value } = read[i];
    return [id, statusCode.isGood() ? plain(value.value) : { status: statusCode.name }];
  }));
}

async function main() {
  const [url, security, folder] = process.argv.slice(2);
  const secure = security !== "None";
  const certificates = new OPCUACertificateManager({
    rootFolder: path.join(folder, "pki"), automaticallyAcceptUnknownCertificate: true,
  });
  await certificates.initialize();
  const client = OPCUAClient.create({
    securityMode: secure ? MessageSecurityMode.SignAndEncrypt : MessageSecurityMode.None,
    securityPolicy: secure ? SecurityPolicy.Basic256Sha256 : SecurityPolicy.None,
    clientCertificateManager: certificates,
    endpointMustExist: false,
    connectionStrategy: { maxRetry: 2, initialDelay: 200 },
  });
  await client.connect(url);
  const session = await client.createSession();
  console.log("READY");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(`=> ${JSON.stringify(await answer(session, JSON.parse(line)))}`);
  }
  await session.close();
  await client.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
