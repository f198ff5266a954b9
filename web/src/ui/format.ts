const NONE = "–";

/** A measured value with about four significant digits and no needless zeros lost: 2950, 58.4, 1.42, 0.0031. */
export function formatValue(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 1000) return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
  if (size >= 100) return value.toFixed(1);
  if (size >= 1) return value.toFixed(2);
  if (size === 0) return "0";
  return size >= 0.1 ? value.toFixed(3) : value.toPrecision(2);
}

/** A whole number with thousands separators. */
export function formatCount(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : Math.round(value).toLocaleString("en-US");
}

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return NONE;
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < BYTE_UNITS.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** Seconds as people say them: 0.4 s, 12 s, 3 min, 2 h 5 min, 4 d. */
export function formatDuration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  const s = Math.max(0, seconds);
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 && days < 10 ? `${days} d ${hours % 24} h` : `${days} d`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DATED = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const DAY_MS = 86_400_000;

/** Clock time in the reader's zone; the date too when it is more than 20 h from now. */
export function formatTime(at: string | number | null | undefined, nowMs = Date.now()): string {
  if (at === null || at === undefined) return NONE;
  const ms = typeof at === "number" ? at : Date.parse(at);
  if (!Number.isFinite(ms)) return NONE;
  return Math.abs(nowMs - ms) < DAY_MS * (20 / 24) ? CLOCK.format(ms) : DATED.format(ms);
}

/** Seconds from an RFC 3339 time until now. */
export function secondsSince(at: string | null | undefined, nowMs = Date.now()): number | null {
  if (!at) return null;
  const ms = Date.parse(at);
  return Number.isFinite(ms) ? (nowMs - ms) / 1000 : null;
}

/** snake_case of the API as words: "out_of_service" -> "out of service". */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}

export function sentence(name: string): string {
  const text = words(name);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const UNITS: Record<string, string> = { degC: "°C", degF: "°F", degK: "K", "m3/h": "m³/h", "m3/s": "m³/s", pct: "%", percent: "%", ohm: "Ω" };

/** A unit as people write it; unknown ones as they are. */
export function formatUnit(unit: string): string {
  return UNITS[unit] ?? unit;
}
