// Follows the event stream of a URL and prints each event as a line of JSON.

import { EventSource } from "eventsource";

const TYPES = ["put", "patch", "delete", "leave", "synced", "reset", "heartbeat", "end"];

const source = new EventSource(process.argv.at(-1));
for (const type of TYPES) {
  source.addEventListener(type, ({ lastEventId, data }) => {
    console.log(JSON.stringify({ type, id: lastEventId, data }));
  });
}
