/** The HTTP API in the form openapi-typescript writes. `npm run generate` replaces this file from docs/openapi.json. */

type Json<T> = { headers: { [name: string]: unknown }; content: { "application/json": T } };
type Refusal = {
  headers: { [name: string]: unknown };
  content: { "application/problem+json": components["schemas"]["Problem"] };
};
type GetOne<Path, Answer> = {
  parameters: { query?: never; header?: never; path: Path; cookie?: never };
  responses: { 200: Json<Answer>; default: Refusal };
};
type Patch<Path, Body, Answer> = GetOne<Path, Answer> & { requestBody: { content: { "application/json": Body } } };
type Get<Query, Answer> = {
  parameters: { query?: Query; header?: never; path?: never; cookie?: never };
  responses: { 200: Json<Answer>; default: Refusal };
};
type Post<Body, Answer> = {
  parameters: { query?: never; header?: never; path?: never; cookie?: never };
  requestBody: { content: { "application/json": Body } };
  responses: { 200: Json<Answer>; default: Refusal };
};
type Command<Answer> = Get<never, Answer>;

export interface paths {
  "/api/v1/assets": { get: Get<never, components["schemas"]["AssetList"]> };
  "/api/v1/assets/{asset_id}": {
    get: GetOne<{ asset_id: string }, components["schemas"]["AssetDetail"]>;
  };
  "/api/v1/series": {
    get: Get<
      { signals: string; start?: string; end?: string; points?: number },
      components["schemas"]["SeriesAnswer"]
    >;
  };
  "/api/v1/anomalies": {
    get: Get<
      { asset_id?: string; signal_id?: string; status?: string; start?: string; end?: string; limit?: number },
      components["schemas"]["AnomalyList"]
    >;
  };
  "/api/v1/anomalies/{anomaly_id}": {
    patch: Patch<
      { anomaly_id: string },
      components["schemas"]["AnomalyPatch"],
      components["schemas"]["Anomaly"]
    >;
  };
  "/api/v1/alarms": {
    get: Get<{ state?: string; asset_id?: string; priority?: string }, components["schemas"]["AlarmList"]>;
  };
  "/api/v1/alarms/actions": {
    post: Post<components["schemas"]["AlarmActionRequest"], components["schemas"]["AlarmActionAnswer"]>;
  };
  "/api/v1/alarms/journal": { get: Get<{ id: string }, components["schemas"]["Journal"]> };
  "/api/v1/sources": { get: Get<never, components["schemas"]["SourceList"]> };
  "/api/v1/system": { get: Get<never, components["schemas"]["System"]> };
  "/api/v1/simulation": { get: Get<never, components["schemas"]["Simulation"]> };
  "/api/v1/simulation/start": { post: Command<components["schemas"]["Simulation"]> };
  "/api/v1/simulation/stop": { post: Command<components["schemas"]["Simulation"]> };
  "/api/v1/simulation/faults": {
    post: Post<components["schemas"]["FaultRequest"], components["schemas"]["Simulation"]>;
    delete: Get<{ asset_id: string; fault: string }, components["schemas"]["Simulation"]>;
  };
}

export interface components {
  schemas: {
    Problem: {
      type?: string;
      title: string;
      status: number;
      detail?: string;
      field?: string;
      trace_id?: string;
    };
    Headline: { signal_id: string; name: string; unit: string; value: number | null; time: string };
    AssetSummary: {
      id: string;
      name: string;
      path: string[];
      template: string;
      status: string;
      condition: "critical" | "alarm" | "advisory" | "stale" | "baselining" | "normal" | "no_data";
      reason: string;
      since: string | null;
      last_reading_at: string | null;
      active_alarms: number;
      unacknowledged: number;
      open_anomalies: number;
      shelved: number;
      running: boolean | null;
      headline: components["schemas"]["Headline"] | null;
    };
    AssetList: { assets: components["schemas"]["AssetSummary"][] };
    Limits: {
      low_critical: number | null;
      low: number | null;
      high: number | null;
      high_critical: number | null;
    };
    Latest: { time: string; value: number | null; quality: number; quality_name: string };
    SignalInfo: {
      id: string;
      key: number;
      name: string;
      kind: string;
      unit: string;
      range_low: number | null;
      range_high: number | null;
      limits: components["schemas"]["Limits"];
      source: string | null;
      address: string | null;
      rate_hz: number;
      latest: components["schemas"]["Latest"] | null;
    };
    Component: { name: string; failure_modes: string[] };
    AssetDetail: components["schemas"]["AssetSummary"] & {
      specifications: { [key: string]: string | number | boolean };
      components: components["schemas"]["Component"][];
      signals: components["schemas"]["SignalInfo"][];
    };
    SignalSeries: {
      signal_id: string;
      time_ms: number[];
      value: (number | null)[];
      bad: number[][];
      total: number;
      downsampled: boolean;
    };
    SeriesAnswer: { start: string; end: string; series: components["schemas"]["SignalSeries"][] };
    Anomaly: {
      id: string;
      sensor_id: string;
      asset_id: string;
      detected_at: string;
      last_at: string;
      ended_at: string | null;
      anomaly_type: string;
      severity: "low" | "medium" | "high" | "critical";
      anomaly_score: number;
      value: number;
      expected_value: number | null;
      deviation: number | null;
      reason: string;
      detector: string;
      detected_by: string;
      count: number;
      status: "open" | "investigating" | "resolved" | "false_positive";
      note: string;
      resolved_at: string | null;
    };
    AnomalyList: { anomalies: components["schemas"]["Anomaly"][]; next_cursor: string | null };
    AnomalyPatch: { status: components["schemas"]["Anomaly"]["status"]; note: string };
    Alarm: {
      id: string;
      asset_id: string;
      asset_name: string;
      rule_id: string;
      signal_id: string;
      title: string;
      priority: "advisory" | "low" | "medium" | "high" | "critical";
      state:
        | "normal"
        | "unacknowledged"
        | "acknowledged"
        | "returned"
        | "shelved"
        | "suppressed"
        | "out_of_service";
      active: boolean;
      latched: boolean;
      condition: string;
      threshold: number;
      value: number | null;
      unit: string;
      raised_at: string | null;
      returned_at: string | null;
      acknowledged_at: string | null;
      acknowledged_by: string | null;
      shelved_until: string | null;
      shelved_by: string | null;
      occurrences: number;
      cause: string;
      consequence: string;
      action: string;
      response_minutes: number;
    };
    AlarmList: { alarms: components["schemas"]["Alarm"][]; counts: { [state: string]: number } };
    AlarmActionRequest: {
      ids: string[];
      action:
        | "acknowledge"
        | "shelve"
        | "unshelve"
        | "reset"
        | "suppress"
        | "unsuppress"
        | "out_of_service"
        | "in_service"
        | "comment";
      by: string;
      comment?: string;
      minutes?: number;
    };
    AlarmActionResult: { id: string; ok: boolean; detail: string; alarm: components["schemas"]["Alarm"] | null };
    AlarmActionAnswer: { results: components["schemas"]["AlarmActionResult"][] };
    JournalEvent: {
      at: string;
      kind: string;
      state: string;
      by: string;
      comment: string;
      value: number | null;
    };
    Journal: { events: components["schemas"]["JournalEvent"][] };
    Source: {
      name: string;
      connector: string;
      state: string;
      state_since: string | null;
      seconds_since_last: number | null;
      readings: number;
      rate: number;
      rejected: number;
      reconnects: number;
      last_error: string;
    };
    SourceList: { sources: components["schemas"]["Source"][] };
    System: {
      version: string;
      started_at: string;
      uptime_s: number;
      readings_total: number;
      rate: number;
      queue: { batches: number; bytes: number; capacity_bytes: number; behind: number };
      historian: {
        segments: number;
        rollup_files: number;
        bytes: number;
        readings: number;
        tail_readings: number;
      };
      resident_bytes: number;
      disk_free_bytes: number;
      database: string;
    };
    FaultInfo: { name: string; title: string; description: string; templates: string[] };
    ActiveFault: { asset_id: string; fault: string; since: string; severity: number };
    Simulation: {
      running: boolean;
      available: boolean;
      assets: string[];
      faults: components["schemas"]["FaultInfo"][];
      active: components["schemas"]["ActiveFault"][];
    };
    FaultRequest: { asset_id: string; fault: string; severity: number; ramp_s: number };
  };
}
