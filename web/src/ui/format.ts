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

/** How a unit is written, and with how many decimals its values are worth reading. */
const UNITS: Record<string, { shown?: string; decimals?: number }> = {
  degC: { shown: "°C", decimals: 1 },
  degF: { shown: "°F", decimals: 1 },
  degK: { shown: "K", decimals: 1 },
  K: { decimals: 1 },
  "m3/h": { shown: "m³/h", decimals: 1 },
  "m3/s": { shown: "m³/s" },
  "L/min": { decimals: 0 },
  "mL/h": { decimals: 1 },
  pct: { shown: "%", decimals: 1 },
  percent: { shown: "%", decimals: 1 },
  "%": { decimals: 1 },
  ohm: { shown: "Ω" },
  "mm/s": { decimals: 2 },
  bar: { decimals: 2 },
  kPa: { decimals: 1 },
  rpm: { decimals: 0 },
  A: { decimals: 1 },
  V: { decimals: 1 },
  kW: { decimals: 1 },
};

/** A unit as people write it; unknown ones as they are. */
export function formatUnit(unit: string): string {
  return UNITS[unit]?.shown ?? unit;
}

/** A measured value with the decimals its unit deserves, so that a live figure does not change its width. */
export function formatQuantity(value: number | null | undefined, unit: string): string {
  const decimals = UNITS[unit]?.decimals;
  if (decimals === undefined || value === null || value === undefined || !Number.isFinite(value)) return formatValue(value);
  if (value !== 0 && Math.abs(value) < 10 ** -decimals) return formatValue(value);
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** A limit to four significant digits, without needless zeros: 3.299, 85, 1,554. */
export function formatLimit(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

/** A word, not an address, a setting or a name that is written as it is: "http://", "history.folder", "plc_2". */
const PLAIN_WORD = /^\p{Ll}[\p{L}'’-]*(?=[,:;.!?)]*(?:\s|$))/u;

/** The server's words with units as people write them. */
export function units(text: string): string {
  return text.replace(/(?<=[\d.] ?)(degC|degF|m3\/h|m3\/s|ohm)\b/g, (unit) => formatUnit(unit));
}

/** The server's words as a sentence, with units as people write them: "over 75 degC" -> "Over 75 °C". */
export function prose(text: string): string {
  const shown = units(text);
  return PLAIN_WORD.test(shown) ? shown.charAt(0).toUpperCase() + shown.slice(1) : shown;
}

/** The unit as it ends names like Vibration_mm_s or rated_flow_m3h. */
const SUFFIXES: [RegExp, string][] = [
  [/_mm_s$/i, "mm/s"],
  [/_l_min$/i, "L/min"],
  [/_ml_h$/i, "mL/h"],
  [/_m3_?h$/i, "m³/h"],
  [/_bar$/i, "bar"],
  [/_kw$/i, "kW"],
  [/_speed_rpm$/i, "rpm"],
  [/_hours$/i, "h"],
  [/_hz$/i, "Hz"],
  [/_mm$/i, "mm"],
  [/_kpa$/i, "kPa"],
  [/_kn$/i, "kN"],
  [/_c$/i, "°C"],
  [/_v$/i, "V"],
  [/_a$/i, "A"],
  [/_m$/i, "m"],
];

/** A name and the unit it ends in: "rated_power_kw" -> ["Rated power", "kW"]. */
export function splitUnit(name: string): [string, string] {
  const found = SUFFIXES.find(([suffix]) => suffix.test(name));
  const kept = found?.[1] === "rpm" ? "_speed" : "";
  return found ? [spaced(name.replace(found[0], kept)), found[1]] : [spaced(name), ""];
}

const ACRONYMS: Record<string, string> = { rpm: "speed", iso: "ISO" };

function spaced(name: string): string {
  const text = words(name).toLowerCase().replace(/\b(rpm|iso)\b/g, (word) => ACRONYMS[word] ?? word);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The name of a signal in words; the unit in it is left to the unit beside it. */
export function signalName(name: string): string {
  return splitUnit(name)[0];
}

/** The reader's zone as an offset that nobody has to look up: "UTC+5:30". */
export function zoneName(at = Date.now()): string {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "shortOffset" }).formatToParts(at);
  return (parts.find((p) => p.type === "timeZoneName")?.value ?? "UTC").replace(/^(GMT|UTC)(\+0)?/, "UTC");
}
