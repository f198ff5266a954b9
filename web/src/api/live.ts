import { EventSource } from "eventsource";
import { backoffMs } from "./backoff";
import { session } from "./browser-session";
import type { Anomaly, LiveAlarm, LiveReadings } from "./types";

export type LiveStatus = "connecting" | "live" | "reconnecting";

/** What a page may listen to. `gap`: readings may have been missed; refetch since the last seen time. */
export interface LiveEvents {
  readings: LiveReadings;
  anomaly: Anomaly;
  alarm: LiveAlarm;
  gap: { reason: "reconnected" | "lost" };
  status: LiveStatus;
}

type Kind = keyof LiveEvents;
type Listener<K extends Kind> = (data: LiveEvents[K]) => void;
/** The browser's own EventSource cannot carry a token; this one asks through the session. */
const openSource = (url: string): EventSource =>
  new EventSource(new URL(url, location.origin), { fetch: (at, init) => session.fetch(at, init as RequestInit) });

/** Silence after which the stream is opened anew; the server's keep-alive comments are invisible to a page. */
const SILENCE_MS = 20_000;
const RESUBSCRIBE_MS = 150;

/**
 * The one stream of this page: readings of the wanted signals, and every anomaly and alarm.
 * Any (re)opening after the first tells `gap`, so listeners fetch what they missed before they go on.
 */
export class LiveStream {
  status: LiveStatus = "connecting";
  /** performance.now() of the last readings event, or null. */
  lastReadingsAt: number | null = null;
  /** Server clock minus ours, ms. */
  clockOffsetMs = 0;

  private source: EventSource | null = null;
  private openedUrl = "";
  private opened = false;
  private attempts = 0;
  private lastEventAt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setInterval> | undefined;
  private readonly wanted = new Map<symbol, readonly string[]>();
  private readonly listeners = new Map<Kind, Set<Listener<never>>>();

  constructor(private readonly create: (url: string) => EventSource = openSource) {}

  on<K extends Kind>(kind: K, listener: Listener<K>): () => void {
    const set = this.listeners.get(kind) ?? new Set();
    this.listeners.set(kind, set);
    set.add(listener as Listener<never>);
    return () => set.delete(listener as Listener<never>);
  }

  /** Ask for the readings of these signals until the returned function is called. */
  want(signals: readonly string[]): () => void {
    const token = Symbol("want");
    this.wanted.set(token, signals);
    this.schedule(RESUBSCRIBE_MS);
    return () => {
      this.wanted.delete(token);
      this.schedule(RESUBSCRIBE_MS * 20);
    };
  }

  start(): void {
    this.watchdog ??= setInterval(() => this.checkSilence(), 5_000);
    this.schedule(0);
  }

  stop(): void {
    clearInterval(this.watchdog);
    this.watchdog = undefined;
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
    this.openedUrl = "";
    this.opened = false;
    // Whoever opens it next is told nothing of what the one before has seen.
    this.status = "connecting";
    this.lastReadingsAt = null;
    this.attempts = 0;
  }

  private schedule(delay: number): void {
    if (this.watchdog === undefined) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), delay);
  }

  private url(): string {
    const signals = [...new Set([...this.wanted.values()].flat())].sort();
    return signals.length ? `/api/v1/live?signals=${encodeURIComponent(signals.join(","))}` : "/api/v1/live";
  }

  private open(force = false): void {
    const url = this.url();
    if (url === this.openedUrl && this.source && !force) return;
    this.source?.close();
    this.openedUrl = url;
    const source = this.create(url);
    this.source = source;
    source.onopen = () => this.onOpen();
    source.onerror = () => this.onError(source);
    source.addEventListener("hello", (e) => {
      const { now_ms } = JSON.parse((e as MessageEvent<string>).data) as { now_ms?: number };
      if (typeof now_ms === "number") this.clockOffsetMs = now_ms - Date.now();
      this.lastEventAt = performance.now();
    });
    for (const kind of ["readings", "anomaly", "alarm"] as const) {
      source.addEventListener(kind, (e) => this.onData(kind, e as MessageEvent<string>));
    }
    source.addEventListener("lost", () => this.emit("gap", { reason: "lost" }));
  }

  private onOpen(): void {
    this.attempts = 0;
    this.lastEventAt = performance.now();
    this.setStatus("live");
    if (this.opened) this.emit("gap", { reason: "reconnected" });
    this.opened = true;
  }

  private onError(source: EventSource): void {
    if (source !== this.source) return;
    this.setStatus("reconnecting");
    source.close();
    this.source = null;
    this.schedule(backoffMs(this.attempts++, Math.random()));
  }

  private onData(kind: "readings" | "anomaly" | "alarm", event: MessageEvent<string>): void {
    const now = performance.now();
    if (kind === "readings") this.lastReadingsAt = now;
    this.lastEventAt = now;
    this.emit(kind, JSON.parse(event.data) as never);
  }

  private checkSilence(): void {
    if (this.source && this.opened && performance.now() - this.lastEventAt > SILENCE_MS) {
      this.lastEventAt = performance.now();
      this.open(true);
    }
  }

  private setStatus(status: LiveStatus): void {
    if (status === this.status) return;
    this.status = status;
    this.emit("status", status);
  }

  private emit<K extends Kind>(kind: K, data: LiveEvents[K]): void {
    for (const listener of this.listeners.get(kind) ?? []) (listener as Listener<K>)(data);
  }
}

export const live = new LiveStream();
