import type { AuditAction } from "@/api/types";

/** The deeds that are recorded, in words; the order is that of the filter. */
const DEEDS: Record<AuditAction, string> = {
  signed_in: "Signed in",
  sign_in_refused: "Was refused to sign in",
  signed_out: "Signed out",
  session_revoked: "Ended a session",
  refresh_replayed: "Used a refresh secret twice",
  password_changed: "Changed a password",
  person_changed: "Changed a person",
  machine_changed: "Changed a machine",
  machine_enrolled: "Enrolled a machine",
  key_rotated: "Rotated a key",
  alarm_acted: "Acted on an alarm",
  anomaly_judged: "Judged an anomaly",
  plant_applied: "Applied a plant file",
  command_given: "Gave a command",
  readings_exported: "Exported readings",
  audit_exported: "Exported the audit log",
  log_discarded: "Discarded a log",
  readings_written: "Wrote readings by hand",
  model_changed: "Changed a trained model",
  unreadable: "Cannot be read: not recorded by Forewarn",
};

export const AUDIT_ACTIONS = Object.keys(DEEDS) as AuditAction[];

export function deedWords(action: AuditAction): string {
  return DEEDS[action];
}

/** Between what a date-and-time field holds (this browser's zone) and RFC 3339. */
export function fieldOf(time: string | undefined): string {
  const ms = Date.parse(time ?? "");
  if (Number.isNaN(ms)) return "";
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function timeOf(field: string): string | undefined {
  const ms = Date.parse(field);
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}
