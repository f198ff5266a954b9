import { Session, type Surroundings, type TabWord } from "./session";

const NAME = "forewarn.session";
const DEMO = "forewarn.demo";

function browser(): Surroundings {
  const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(NAME);
  return {
    fetch: (url, init) => fetch(url, init),
    // Absent over plain HTTP; the server tolerates two tabs that ask at once.
    alone: async (work) => (globalThis.navigator?.locks ? await navigator.locks.request(NAME, work) : work()),
    say: (word) => channel?.postMessage(word),
    hear: (listener) => channel?.addEventListener("message", (e: MessageEvent<TabWord>) => listener(e.data)),
    demo: {
      get: () => {
        try {
          return localStorage.getItem(DEMO) !== null;
        } catch {
          return false;
        }
      },
      set: (demo) => {
        try {
          if (demo) localStorage.setItem(DEMO, "1");
          else localStorage.removeItem(DEMO);
        } catch {
          // Without storage the strip is missing after a reload, no more.
        }
      },
    },
  };
}

const around = browser();

/** The session of this page. */
export const session = new Session(around);

/** Whether this browser was last signed in as the demo. */
export function isDemoBrowser(): boolean {
  return around.demo.get();
}
