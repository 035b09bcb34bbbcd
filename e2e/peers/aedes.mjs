// aedes alone.
import { addresses } from "./handlers.mjs";
import { listen } from "./broker.mjs";

await listen(addresses().mqtt);
