import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Problem } from "./problem";
import { Session, type Surroundings, type TabWord } from "./session";

const LIFE_MS = 600_000;
type Answer = (request: Request) => Response | Promise<Response>;

/** A server of answers by "METHOD /path", and the tabs beside this one. */
class World implements Surroundings {
  readonly asked: { route: string; token: string | null; body: string }[] = [];
  readonly said: TabWord[] = [];
  readonly answers = new Map<string, Answer>();
  issued = 0;
  isDemo = false;
  tell: (word: TabWord) => void = () => undefined;
  readonly demo = { get: () => this.isDemo, set: (demo: boolean) => void (this.isDemo = demo) };

  fetch: Surroundings["fetch"] = async (input, init) => {
    const request = new Request(input, init);
    const route = `${request.method} ${new URL(request.url).pathname}`;
    this.asked.push({ route, token: request.headers.get("Authorization"), body: await request.clone().text() });
    const answer = this.answers.get(route);
    if (!answer) throw new TypeError("no answer");
    return answer(request);
  };
  alone: Surroundings["alone"] = (work) => work();
  say = (word: TabWord): void => void this.said.push(word);
  hear = (listener: (word: TabWord) => void): void => void (this.tell = listener);

  /** `skewMs`: how far the server's clock is ahead of this one. */
  issue = (skewMs = 0): Response => {
    const now = Date.now() + skewMs;
    const body = {
      access_token: `t${++this.issued}`,
      token_type: "Bearer",
      expires_at: new Date(now + LIFE_MS).toISOString(),
      person: { id: "p1", name: "asha", actions: ["plant.read"] },
    };
    return Response.json(body, { headers: { Date: new Date(now).toUTCString() } });
  };
  count = (route: string): number => this.asked.filter((a) => a.route === route).length;
}

const refuse = (status: number, headers?: HeadersInit): Response =>
  Response.json({ title: "No", detail: "why", status }, { status, ...(headers ? { headers } : {}) });
const REFRESH = "POST /api/v1/session/refresh";
const DEMO = "POST /api/v1/session/demo";
const SIGN_IN = "POST /api/v1/session";
const ASSETS = "GET /api/v1/assets";

let world: World;
let session: Session;

/** A server whose access tokens are good while `good` says so. */
function guard(good: (token: string | null) => boolean): void {
  world.answers.set(ASSETS, (request) => (good(request.headers.get("Authorization")) ? Response.json([]) : refuse(401)));
}

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse("2026-11-21T12:00:00Z") });
  world = new World();
  session = new Session(world);
  world.answers.set(REFRESH, () => world.issue());
});
afterEach(() => {
  vi.clearAllTimers();
  vi.useRealTimers();
});

describe("opening the page", () => {
  it("is signed in by the cookie", async () => {
    await session.start();
    expect(session.state).toMatchObject({ status: "signed-in", person: { name: "asha" }, demo: false });
    expect(world.count(DEMO)).toBe(0);
  });

  it("without a cookie asks for the demo once, and shows it again after a reload", async () => {
    world.answers.set(REFRESH, () => refuse(401));
    world.answers.set(DEMO, () => world.issue());
    await session.start();
    expect(session.state).toMatchObject({ status: "signed-in", demo: true });
    world.answers.set(REFRESH, () => world.issue());
    const reloaded = new Session(world);
    await reloaded.start();
    expect([reloaded.state, world.count(DEMO)]).toMatchObject([{ status: "signed-in", demo: true }, 1]);
  });

  it("is signed out where there is no demo, and then asks for nothing", async () => {
    world.isDemo = true;
    world.answers.set(REFRESH, () => refuse(401));
    world.answers.set(DEMO, () => refuse(404));
    await session.start();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect([session.state, world.isDemo]).toEqual([{ status: "signed-out", ended: false }, false]);
    expect(world.asked.map((a) => a.route)).toEqual([REFRESH, DEMO]);
    await expect(session.fetch("/api/v1/assets")).rejects.toMatchObject({ status: 401 });
    expect(world.asked).toHaveLength(2);
  });

  it("waits for a server that is away", async () => {
    world.answers.set(REFRESH, () => refuse(503));
    await session.start();
    expect(session.state.status).toBe("away");
    world.answers.set(REFRESH, () => world.issue());
    await vi.advanceTimersByTimeAsync(1_000);
    expect(session.state.status).toBe("signed-in");
  });
});

describe("the token", () => {
  it("is sent with every call and renewed before it ends", async () => {
    guard(() => true);
    await session.start();
    await session.fetch("/api/v1/assets");
    await vi.advanceTimersByTimeAsync(LIFE_MS - 61_000);
    expect(world.count(REFRESH)).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(world.count(REFRESH)).toBe(2);
    await session.fetch("/api/v1/assets");
    expect(world.asked.filter((a) => a.route === ASSETS).map((a) => a.token)).toEqual(["Bearer t1", "Bearer t2"]);
  });

  it("lives by the server's clock, however wrong this one is", async () => {
    world.answers.set(REFRESH, () => world.issue(-7_200_000));
    await session.start();
    await vi.advanceTimersByTimeAsync(LIFE_MS - 70_000);
    expect(world.count(REFRESH)).toBe(1);
  });

  it("is renewed first when the machine slept past its end", async () => {
    guard((token) => token === "Bearer t2");
    await session.start();
    vi.setSystemTime(Date.now() + LIFE_MS + 1);
    expect((await session.fetch("/api/v1/assets")).status).toBe(200);
    expect([world.count(REFRESH), world.count(ASSETS)]).toEqual([2, 1]);
  });

  it("is asked for once by all who need it", async () => {
    guard((token) => token === "Bearer t2");
    await session.start();
    const answers = await Promise.all([1, 2, 3].map(() => session.fetch("/api/v1/assets")));
    expect(answers.map((a) => a.status)).toEqual([200, 200, 200]);
    expect(world.count(REFRESH)).toBe(2);
  });

  it("stays while the server is away, and is renewed when it is back", async () => {
    await session.start();
    world.answers.set(REFRESH, () => refuse(503));
    await vi.advanceTimersByTimeAsync(LIFE_MS);
    expect(session.state.status).toBe("signed-in");
    world.answers.set(REFRESH, () => world.issue());
    await vi.advanceTimersByTimeAsync(15_000);
    expect(world.issued).toBe(2);
  });
});

describe("a call that is refused", () => {
  it("is sent again once, with its body", async () => {
    world.answers.set("POST /api/v1/people", (request) =>
      request.headers.get("Authorization") === "Bearer t2" ? Response.json({}) : refuse(401),
    );
    await session.start();
    const answer = await session.fetch("/api/v1/people", { method: "POST", body: "{}" });
    const sent = world.asked.filter((a) => a.route === "POST /api/v1/people");
    expect([answer.status, sent.map((a) => a.body)]).toEqual([200, ["{}", "{}"]]);
  });

  it("signs out when a new token is refused as well", async () => {
    guard(() => false);
    await session.start();
    expect((await session.fetch("/api/v1/assets")).status).toBe(401);
    expect(session.state).toEqual({ status: "signed-out", ended: true });
    expect([world.count(ASSETS), world.count(REFRESH)]).toEqual([2, 2]);
  });

  it("signs out when the session was ended elsewhere", async () => {
    guard(() => false);
    await session.start();
    world.answers.set(REFRESH, () => refuse(401));
    expect((await session.fetch("/api/v1/assets")).status).toBe(401);
    expect(session.state).toEqual({ status: "signed-out", ended: true });
    expect(world.count(ASSETS)).toBe(1);
  });

  it("stays signed in when it is not allowed", async () => {
    world.answers.set(ASSETS, () => refuse(403));
    await session.start();
    expect((await session.fetch("/api/v1/assets")).status).toBe(403);
    expect([session.state.status, world.count(REFRESH)]).toEqual(["signed-in", 1]);
  });
});

describe("signing in and out", () => {
  const problemOf = async (work: Promise<unknown>): Promise<Problem> => (await work.catch((e: unknown) => e)) as Problem;

  it("tells a wrong password, a delay and silence apart", async () => {
    world.answers.set(SIGN_IN, () => refuse(401));
    expect((await problemOf(session.signIn("asha", "x"))).status).toBe(401);
    world.answers.set(SIGN_IN, () => refuse(429, { "Retry-After": "30" }));
    expect(await problemOf(session.signIn("asha", "x"))).toMatchObject({ status: 429, retryAfterS: 30 });
    world.answers.delete(SIGN_IN);
    expect((await problemOf(session.signIn("asha", "x"))).status).toBe(0);
    expect(world.count(REFRESH)).toBe(0);
  });

  it("is no demo any more after a sign-in by name, and tells the other tabs", async () => {
    world.isDemo = true;
    world.answers.set(SIGN_IN, () => world.issue());
    await session.signIn("asha", "right");
    expect([session.state, world.said]).toMatchObject([{ status: "signed-in", demo: false }, ["signed-in"]]);
  });

  it("ends here only when the server has ended it", async () => {
    await session.start();
    const failed = await problemOf(session.signOut());
    expect([failed.status, session.state.status]).toEqual([0, "signed-in"]);
    world.answers.set("DELETE /api/v1/session", () => new Response(null, { status: 204 }));
    await session.signOut();
    expect([session.state.status, world.said]).toEqual(["signed-out", ["signed-out"]]);
    await vi.advanceTimersByTimeAsync(LIFE_MS);
    expect(world.count(REFRESH)).toBe(1);
  });

  it("follows the other tabs", async () => {
    await session.start();
    world.tell("signed-out");
    expect(session.state.status).toBe("signed-out");
    world.tell("signed-in");
    await vi.advanceTimersByTimeAsync(0);
    expect(session.state.status).toBe("signed-in");
  });

  it("a wrong password in use does not sign out", async () => {
    await session.start();
    const wrong = { title: "Invalid input", detail: "the old password is wrong", field: "old" };
    world.answers.set("POST /api/v1/session/password", () => Response.json(wrong, { status: 400 }));
    expect(await problemOf(session.changePassword("bad", "new"))).toMatchObject({ status: 400, field: "old" });
    world.answers.set("POST /api/v1/session/password", () => world.issue());
    await session.changePassword("good", "new");
    expect([session.state.status, world.issued]).toEqual(["signed-in", 2]);
  });
});
