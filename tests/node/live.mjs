// Speaks to the gateway with the customary clients for live operations; prints what it hears as JSON lines.
import { createClient as createSocketClient } from "graphql-ws";
import { createClient as createEventsClient } from "graphql-sse";
import WebSocket from "ws";

const [kind, url, token, count] = process.argv.slice(2);
const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
const query = "subscription { billingChanged { revision } }";
const headers = { authorization: `Bearer ${token}` };

const client =
  kind === "ws"
    ? createSocketClient({
        url,
        webSocketImpl: WebSocket,
        connectionParams: headers,
        retryAttempts: 0,
        lazy: false,
        onNonLazyError: () => {},
        on: {
          connected: () => say("connected"),
          closed: (event) => say("closed", { code: event.code, reason: event.reason }),
        },
      })
    : createEventsClient({ url, headers, retryAttempts: 0 });

const viewer = await new Promise((resolve) =>
  client.subscribe(
    { query: "{ viewer { role tenant { slug } } }" },
    { next: resolve, error: (error) => resolve({ error: String(error) }), complete: () => {} },
  ),
);
say("answer", { viewer });
let heard = 0;
const stop = client.subscribe(
  { query },
  {
    next: (value) => {
      say("next", { value });
      if (++heard === Number(count)) stop();
    },
    error: (error) => { say("error", { error: error?.message ?? error }); process.exit(0); },
    complete: () => { say("complete"); if (heard >= Number(count)) process.exit(0); },
  },
);
say("subscribed");
setTimeout(() => process.exit(3), 60_000).unref();
