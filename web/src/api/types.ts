import type { components } from "./schema";

type Schemas = components["schemas"];

export type AssetSummary = Schemas["AssetSummary"];
export type AssetDetail = Schemas["AssetDetail"];
export type SignalInfo = Schemas["SignalInfo"];
export type SignalSeries = Schemas["SignalSeries"];
export type SeriesAnswer = Schemas["SeriesAnswer"];
export type Anomaly = Schemas["Anomaly"];
export type Alarm = Schemas["Alarm"];
export type AlarmList = Schemas["AlarmList"];
export type AlarmActionRequest = Schemas["AlarmActionRequest"];
export type AlarmActionResult = Schemas["AlarmActionResult"];
export type JournalEvent = Schemas["JournalEvent"];
export type Source = Schemas["Source"];
export type System = Schemas["System"];
export type Simulation = Schemas["Simulation"];
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
