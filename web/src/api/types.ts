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
export type Evidence = Schemas["EvidenceView"];
export type Similar = Schemas["SimilarView"];
export type Contribution = Schemas["ContributionView"];
export type Course = Schemas["CourseView"];
export type Verdict = Schemas["Verdict"];
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
export type Person = Schemas["PersonView"];
export type Action = Person["actions"][number];
export type Grant = Schemas["GrantView"];
export type RoleName = Grant["role"];
export type Roles = Schemas["RoleList"];
export type PersonChange = Schemas["PersonChange"];
export type SessionAnswer = Schemas["SignedIn"];
export type SessionInfo = Schemas["SessionView"];
export type Machine = Schemas["MachineView"];
export type MachineEnrolment = Schemas["Enrolment"];
export type GatewaySummary = Schemas["GatewaySummary"];
export type Gateway = Schemas["GatewayDetail"];
export type GatewayBuffer = Schemas["BufferView"];
export type GatewayConnector = Schemas["ConnectorView"];
export type GatewayCondition = Schemas["ConditionView"];
export type GatewayLedger = Schemas["LedgerView"];
export type RawRequest = Schemas["RawRequestView"];
export type NewRawRequest = Schemas["NewRequest"];
export type ModelSummary = Schemas["ModelSummary"];
export type Model = Schemas["ModelView"];
export type AssetModel = Schemas["AssetModelView"];
export type Scores = Schemas["ScoresView"];
export type Rollout = Schemas["RolloutView"];
export type Candidate = Schemas["CandidateView"];
export type Job = Schemas["JobView"];
export type JobItem = Schemas["JobItemView"];
export type AuditEntry = Schemas["AuditEntryView"];
export type AuditAction = AuditEntry["action"];

/** Which deeds are looked for, as the page's address says it. */
export interface AuditFilter {
  action?: string;
  actor?: string;
  text?: string;
  start?: string;
  end?: string;
}

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
