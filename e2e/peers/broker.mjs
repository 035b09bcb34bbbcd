// aedes on a TCP port.
import { createServer } from "node:net";
import { Aedes } from "aedes";

export async function listen(at) {
  const broker = await Aedes.createBroker();
  createServer({ noDelay: true }, broker.handle).listen({ ...at, backlog: 4096 });
  return broker;
}
