import type { Person, SessionAnswer } from "./types";
import { backoffMs } from "./backoff";
import { Problem, problemOf } from "./problem";

export type SessionState =
  /** The page has just been opened and asks whether its browser is signed in. */
  | { status: "starting" }
  /** The same, but nobody answers; `retryAt` is Date.now() of the next attempt. */
  | { status: "away"; retryAt: number }
  /** `ended`: a session was there and is no longer accepted. */
  | { status: "signed-out"; ended: boolean }
  | { status: "signed-in"; person: Person; demo: boolean };

/** What the session needs of the browser; a test brings its own. */
export interface Surroundings {
  fetch: (url: string | URL | Request, init?: RequestInit) => Promise<Response>;
  /** Runs `work` while no other tab does. */
  alone: <T>(work: () => Promise<T>) => Promise<T>;
  /** Other tabs of this browser: what one says, all others hear. */
  say: (word: TabWord) => void;
  hear: (listener: (word: TabWord) => void) => void;
  /** Whether the cookie of this browser came from the demo's own sign-in. */
  demo: { get: () => boolean; set: (demo: boolean) => void };
}
export type TabWord = "signed-in" | "signed-out";

type Refreshed = "ok" | "refused" | "away";

/** Refreshed this long before the token ends, or at four fifths of a short life. */
const AHEAD_MS = 60_000;
const SHORTEST_MS = 5_000;
const PATIENCE_MS = 15_000;

/**
 * Who is signed in on this page. The access token is kept in memory alone; the refresh secret is in a cookie that no
 * script can read. `fetch` carries the token, and renews it once when the server no longer takes it.
 */
export class Session {
  state: SessionState = { status: "starting" };

  private token: string | null = null;
  private endsAt = 0;
  private attempts = 0;
  private refreshing: Promise<Refreshed> | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly watchers = new Set<() => void>();

  constructor(private readonly around: Surroundings) {
    around.hear((word) => {
      if (word === "signed-out" && this.state.status === "signed-in") this.leave(true);
      if (word === "signed-in" && this.state.status === "signed-out") void this.refresh();
    });
  }

  watch = (tell: () => void): (() => void) => {
    this.watchers.add(tell);
    return () => {
      this.watchers.delete(tell);
    };
  };

  /** By the cookie, or as the demo, or not at all; while nobody answers it asks again by itself. */
  start = async (): Promise<void> => {
    clearTimeout(this.timer);
    const first = await this.refresh();
    const outcome = first === "refused" ? await this.enterDemo() : first;
    if (outcome === "away") {
      const delay = backoffMs(this.attempts++, Math.random());
      this.change({ status: "away", retryAt: Date.now() + delay });
      this.timer = setTimeout(() => void this.start(), delay);
    }
    if (outcome === "refused") this.leave(false);
  };

  /** Throws Problem: 401 for a wrong name or password, 429 with `retryAfterS`, 0 when nobody answers. */
  async signIn(name: string, password: string): Promise<void> {
    const answer = await this.ask("/api/v1/session", { name, password });
    if (!answer.ok) throw await refusal(answer);
    this.around.demo.set(false);
    await this.adopt(answer);
    this.around.say("signed-in");
  }

  /** "refused" where there is no demo. */
  async enterDemo(): Promise<Refreshed> {
    const outcome = await this.take("/api/v1/session/demo", () => this.around.demo.set(true));
    if (outcome === "ok") this.around.say("signed-in");
    // Another installation may have had this address before.
    if (outcome === "refused") this.around.demo.set(false);
    return outcome;
  }

  /** Ends the session on the server and here; throws Problem when the server could not be told. */
  async signOut(): Promise<void> {
    const answer = await this.fetch("/api/v1/session", { method: "DELETE" }).catch(unreachable);
    if (!answer.ok && answer.status !== 401) throw await refusal(answer);
    this.leave(false);
    this.around.say("signed-out");
  }

  /** Throws Problem; its detail says what the new password lacks. */
  async changePassword(old: string, fresh: string): Promise<void> {
    const init = { method: "POST", headers: JSON_TYPE, body: JSON.stringify({ old, new: fresh }) };
    const answer = await this.fetch("/api/v1/session/password", init).catch(unreachable);
    if (!answer.ok) throw await refusal(answer);
    await this.adopt(answer);
  }

  /** fetch with the token; after a 401 once more with a new one, and then this page is signed out. */
  fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(typeof input === "string" ? here(input) : input, init);
    const again = request.clone();
    if (this.token !== null && Date.now() >= this.endsAt) await this.refresh();
    const used = this.token;
    if (used === null) throw new Problem("Not signed in", "Sign in to see this.", 401);
    const answer = await this.send(request);
    if (answer.status !== 401) return answer;
    if (this.token === used && (await this.refresh()) !== "ok") return answer;
    if (this.token === null) return answer;
    const second = await this.send(again);
    if (second.status === 401) this.leave(true);
    return second;
  };

  /** A new token by the cookie. Whoever asks while one is on its way gets that one. */
  refresh(): Promise<Refreshed> {
    this.refreshing ??= this.renew().finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  private async renew(): Promise<Refreshed> {
    const outcome = await this.around.alone(() => this.take("/api/v1/session/refresh"));
    if (this.state.status !== "signed-in") return outcome;
    if (outcome === "refused") this.leave(true);
    if (outcome === "away") this.refreshIn(backoffMs(this.attempts++, Math.random()));
    return outcome;
  }

  /** Ask for a session that needs no words. What is neither a yes nor a no counts as nobody there. */
  private async take(url: string, first?: () => void): Promise<Refreshed> {
    try {
      const answer = await this.ask(url);
      if (answer.ok) {
        first?.();
        await this.adopt(answer);
        return "ok";
      }
      return [400, 401, 403, 404].includes(answer.status) ? "refused" : "away";
    } catch {
      return "away";
    }
  }

  private ask(url: string, body?: unknown): Promise<Response> {
    const init: RequestInit = { method: "POST", signal: AbortSignal.timeout(PATIENCE_MS) };
    if (body !== undefined) Object.assign(init, { headers: JSON_TYPE, body: JSON.stringify(body) });
    return this.around.fetch(here(url), init).catch(unreachable);
  }

  private send(request: Request): Promise<Response> {
    if (this.token !== null) request.headers.set("Authorization", `Bearer ${this.token}`);
    return this.around.fetch(request);
  }

  private async adopt(answer: Response): Promise<void> {
    const { access_token, expires_at, person } = (await answer.json()) as SessionAnswer;
    // By the server's clock: this one may be wrong.
    const now = Date.parse(answer.headers.get("Date") ?? "") || Date.now();
    const life = Math.max(SHORTEST_MS, Date.parse(expires_at) - now);
    this.token = access_token;
    this.endsAt = Date.now() + life;
    this.attempts = 0;
    this.refreshIn(life - Math.min(AHEAD_MS, life / 5));
    this.change({ status: "signed-in", person, demo: this.around.demo.get() });
  }

  private refreshIn(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.refresh(), ms);
  }

  private leave(ended: boolean): void {
    clearTimeout(this.timer);
    this.token = null;
    this.attempts = 0;
    if (this.state.status !== "signed-out") this.change({ status: "signed-out", ended });
  }

  private change(state: SessionState): void {
    this.state = state;
    for (const tell of this.watchers) tell();
  }
}

const JSON_TYPE = { "Content-Type": "application/json" };

function here(path: string): string {
  return new URL(path, globalThis.location?.origin ?? "http://localhost").href;
}

function unreachable(cause: unknown): never {
  if (cause instanceof Problem) throw cause;
  throw new Problem("Forewarn does not answer", "The server is down or the network is cut.", 0);
}

async function refusal(answer: Response): Promise<Problem> {
  const wait = Number(answer.headers.get("Retry-After"));
  const problem = problemOf(await answer.json().catch(() => null), answer.status);
  if (wait > 0) problem.retryAfterS = wait;
  return problem;
}
