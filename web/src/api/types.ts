import type { components } from "./schema";

/** As the client hands answers over: openapi-fetch reads a tuple as a list. */
type Received<T> = T extends readonly (infer E)[] ? Received<E>[] : T extends object ? { [K in keyof T]: Received<T[K]> } : T;
type Schemas = { [K in keyof components["schemas"]]: Received<components["schemas"][K]> };

export type AssetSummary = Schemas["AssetSummary"];
export type AssetDetail = Schemas["AssetDetail"];
export type SignalInfo = Schemas["SignalInfo"];
export type SignalSeries = Schemas["SignalSeries"];
export type SeriesAnswer = Schemas["SeriesAnswer"];
export type Anomaly = Schemas["AnomalyView"];
export type Alarm = Schemas["AlarmView"];
export type AlarmList = Schemas["AlarmList"];
export type AlarmActionRequest = Schemas["ActionBody"];
export type AlarmActionResult = Schemas["ActionResult"];
export type JournalEvent = Schemas["AlarmEventView"];
export type Source = Schemas["SourceView"];
export type System = Schemas["System"];
export type Readiness = Schemas["Readiness"];
export type Simulation = Schemas["SimulationView"];
export type FaultRequest = Schemas["FaultRequest"];

/** One `readings` event of the live stream: equal-length columns. */
export interface LiveReadings {
  offset: number;
  signal: string[];
  time_ms: number[];
  value: (number | null)[];
  quality: number[];
}

/** One `alarm` event of the live stream. */
export interface LiveAlarm {
  event: JournalEvent;
  alarm: Alarm;
}
