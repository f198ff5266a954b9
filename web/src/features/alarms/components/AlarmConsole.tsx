import { useHotkeys } from "@mantine/hooks";
import { useEffect, useRef, useState } from "react";
import { live } from "@/api/live";
import type { Alarm, AlarmActionResult } from "@/api/types";
import { useMay } from "@/api/use-session";
import { Empty } from "@/ui/components/Panel";
import { type AlarmCommand, useAlarmAction } from "../api/alarms";
import { type AlarmFilter, filterAlarms, groupByPriority } from "../order";
import { backActions } from "../undo";
import { useSelection } from "../use-selection";
import { ActionBar, type Verb } from "./ActionBar";
import classes from "./AlarmConsole.module.css";
import { AlarmHeads, AlarmRow } from "./AlarmRow";
import { CommentDialog } from "./CommentDialog";
import { FilterBar } from "./FilterBar";
import { JournalDrawer } from "./JournalDrawer";
import { reportFailure, reportResults } from "./report";
import { ShelveDialog } from "./ShelveDialog";

interface AlarmConsoleProps {
  alarms: readonly Alarm[];
  counts: Readonly<Record<string, number>>;
  filter: AlarmFilter;
  /** All alarms are of one machine. */
  single?: boolean;
  onFilter: (change: AlarmFilter) => void;
}

type Dialog = { verb: "shelve" | "comment" | "out_of_service"; ids: string[] };
/** Alarms whose signals are asked for live. */
const MOST_LIVE = 60;
type Answers = ReadonlyMap<string, AlarmActionResult>;

/** The alarms that are present, by priority, and everything that can be done to them, by hand or by key. */
export function AlarmConsole({ alarms, counts, filter, single = false, onFilter }: AlarmConsoleProps) {
  const root = useRef<HTMLDivElement>(null);
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const [openId, setOpenId] = useState<string | null>(null);
  const [answers, setAnswers] = useState<Answers>(new Map());
  const selection = useSelection();
  const mayAct = useMay("alarms.act");
  const action = useAlarmAction();
  function send(command: AlarmCommand, onDone?: () => void): void {
    const told = (results: readonly AlarmActionResult[]): void => {
      setAnswers(new Map(results.map((r) => [r.id, r])));
      reportResults(command, results, (ids) => send({ ids, action: "unshelve" }));
      selection.clear();
      onDone?.();
    };
    // A dialog stays open with what was typed, and says itself why.
    action.mutateAsync(command).then(told, onDone ? () => undefined : reportFailure);
  }
  const groups = groupByPriority(filterAlarms(alarms, filter));
  const shown = groups.flatMap((group) => group.alarms);
  const picked = shown.filter((alarm) => selection.ids.has(alarm.id));

  const watched = [...new Set(shown.slice(0, MOST_LIVE).map((alarm) => alarm.signal_id).filter(Boolean))].sort().join(",");
  useEffect(() => (watched ? live.want(watched.split(",")) : undefined), [watched]);

  /** The ticked alarms, or the one under the keyboard when none is ticked. */
  const targets = (): Alarm[] => {
    if (picked.length) return picked;
    const focused = focusedRow(root.current)?.dataset.alarmRow;
    return shown.filter((alarm) => alarm.id === focused);
  };
  const perform = (verb: Verb): void => {
    if (!mayAct || dialog || openId) return;
    const chosen = targets();
    const ids = chosen.map((alarm) => alarm.id);
    if (!ids.length) return;
    if (verb === "back") for (const command of backActions(chosen)) send(command);
    else if (verb === "acknowledge" || verb === "reset") send({ ids, action: verb });
    else {
      action.reset();
      setDialog({ verb, ids });
    }
  };
  const toggle = (): void => {
    const id = focusedRow(root.current)?.dataset.alarmRow;
    if (id && mayAct) selection.set(id, !selection.ids.has(id));
  };
  useHotkeys([
    ["j", () => step(root.current, 1)],
    ["k", () => step(root.current, -1)],
    ["x", toggle],
    ["a", () => perform("acknowledge")],
    ["s", () => perform("shelve")],
    ["c", () => perform("comment")],
    ["u", () => perform("back")],
    ["o", () => setOpenId(targets()[0]?.id ?? null)],
  ]);
  const close = (): void => setDialog(null);
  return (
    <div ref={root} className={classes.console}>
      <FilterBar counts={counts} filter={filter} machines={!single} onFilter={onFilter} />
      {mayAct ? (
        <ActionBar
          count={picked.length}
          total={shown.length}
          busy={action.isPending}
          onVerb={perform}
          onAll={() => selection.replace(shown.map((alarm) => alarm.id))}
          onNone={selection.clear}
        />
      ) : null}
      {groups.length ? <AlarmHeads /> : null}
      {groups.length === 0 ? (
        <Empty title={emptyTitle(filter)}>
          {filter.priority || filter.asset ? "Other filters may hide some." : emptyHint(filter)}
        </Empty>
      ) : (
        groups.map(({ priority, alarms: members }) => (
          <section key={priority} aria-label={`${priority} priority`}>
            <h2 className={classes.group}>
              {priority.charAt(0).toUpperCase() + priority.slice(1)} <span className="num muted">{members.length}</span>
            </h2>
            <ul className={classes.rows}>
              {members.map((alarm) => (
                <AlarmRow
                  key={alarm.id}
                  alarm={alarm}
                  selected={selection.ids.has(alarm.id)}
                  onSelect={mayAct ? selection.set : null}
                  onOpen={setOpenId}
                  answer={answers.get(alarm.id)}
                />
              ))}
            </ul>
          </section>
        ))
      )}
      <ShelveDialog
        opened={dialog?.verb === "shelve"}
        error={action.error}
        busy={action.isPending}
        alarms={alarms.filter((alarm) => dialog?.ids.includes(alarm.id))}
        onClose={close}
        onShelve={(minutes, comment) => {
          if (dialog) send({ ids: dialog.ids, action: "shelve", minutes, comment }, close);
        }}
      />
      <CommentDialog
        opened={dialog !== null && dialog.verb !== "shelve"}
        title={dialog?.verb === "out_of_service" ? "Take out of service" : "Comment"}
        verb={dialog?.verb === "out_of_service" ? "Take out of service" : "Add comment"}
        required={dialog?.verb === "comment"}
        error={action.error}
        busy={action.isPending}
        onClose={close}
        onWrite={(comment) => {
          if (dialog && dialog.verb !== "shelve") send({ ids: dialog.ids, action: dialog.verb, comment }, close);
        }}
      />
      <JournalDrawer alarm={alarms.find((alarm) => alarm.id === openId) ?? null} onClose={() => setOpenId(null)} />
    </div>
  );
}

function emptyHint({ state }: AlarmFilter): string {
  if (state === "shelved") return "What is shelved waits here until its time is up, then comes back by itself.";
  if (state === "suppressed") return "Alarms that a machine's state rules out wait here, such as low flow while it stands.";
  if (state === "out_of_service") return "Alarms taken out of service stay here until they are brought back.";
  return "New alarms appear here by themselves.";
}

function emptyTitle({ state }: AlarmFilter): string {
  return state ? `No alarm is ${state.replaceAll("_", " ")}` : "No alarm is present";
}

function focusedRow(root: HTMLElement | null): HTMLElement | null {
  const row = document.activeElement?.closest<HTMLElement>("[data-alarm-row]") ?? null;
  return root?.contains(row) ? row : null;
}

function step(root: HTMLElement | null, by: 1 | -1): void {
  const rows = [...(root?.querySelectorAll<HTMLElement>("[data-alarm-row]") ?? [])];
  const current = focusedRow(root);
  const at = current ? rows.indexOf(current) : -1;
  rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
}
