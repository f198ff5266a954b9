// Modbus TCP server on modbus-serial: a register holds its own number, coil n is on when n % 3 == 0.
// Holding registers 1000 and above answer "illegal data address". Unit 9 answers "gateway target failed".
// node modbus_server.js PORT   - prints READY when it listens.
const { ServerTCP } = require("modbus-serial");

function registers(address, length, unit, callback) {
  if (unit === 9) return callback({ modbusErrorCode: 11, msg: "target failed to respond" });
  if (address + length > 1000) return callback({ modbusErrorCode: 2, msg: "illegal data address" });
  return callback(null, Array.from({ length }, (_, i) => (address + i + (unit - 1) * 10000) & 0xffff));
}

const vector = {
  getMultipleHoldingRegisters: registers,
  getMultipleInputRegisters: registers,
  getHoldingRegister: (address, unit, callback) => registers(address, 1, unit, (e, v) => callback(e, v && v[0])),
  getInputRegister: (address, unit, callback) => registers(address, 1, unit, (e, v) => callback(e, v && v[0])),
  getCoil: (address) => address % 3 === 0,
  getDiscreteInput: (address) => address % 3 === 0,
};

const server = new ServerTCP(vector, { host: "127.0.0.1", port: Number(process.argv[2]), unitID: 255 });
server.on("initialized", () => console.log("READY"));
server.on("socketError", () => {});
