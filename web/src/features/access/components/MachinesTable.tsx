import { Button, Table } from "@mantine/core";
import { useState } from "react";
import type { Machine, MachineEnrolment, Roles } from "@/api/types";
import { useMay } from "@/api/use-session";
import { useNow } from "@/ui/clock";
import { Confirm } from "@/ui/components/Confirm";
import { Empty, Panel } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { formatDuration, formatTime, secondsSince } from "@/ui/format";
import { IconPlus } from "@/ui/icons";
import { useEnrolAgain, useRevokeMachine } from "../api/access";
import { failed } from "../report";
import { enrolCommand, placeWords } from "../words";
import classes from "./Access.module.css";
import { MachineDialog } from "./MachineDialog";
import { OneTimeSecret } from "./OneTimeSecret";

type Asking = { verb: "enrol" | "revoke"; machine: Machine };

/** Gateways and devices, each with a key of its own. */
export function MachinesTable({ machines, roles }: { machines: readonly Machine[]; roles: Roles }) {
  const manages = useMay("access.manage");
  const [adding, setAdding] = useState(false);
  const [asking, setAsking] = useState<Asking | null>(null);
  const [enrolment, setEnrolment] = useState<MachineEnrolment | null>(null);
  const enrol = useEnrolAgain();
  const revoke = useRevokeMachine();
  const close = (): void => setAsking(null);
  function confirm({ verb, machine }: Asking): void {
    if (verb === "enrol") {
      return enrol.mutate(machine.id, { onSuccess: setEnrolment, onError: failed("No token was made"), onSettled: close });
    }
    revoke.mutate(machine.id, { onError: failed(`${machine.name} was not revoked`), onSettled: close });
  }
  return (
    <Panel
      title="Machines"
      flush
      actions={
        manages ? (
          <Button leftSection={<IconPlus size={14} />} onClick={() => setAdding(true)}>
            Add machine
          </Button>
        ) : null
      }
    >
      {machines.length === 0 ? (
        <Empty title="No machine has a key">A gateway or device that sends readings over HTTP needs one.</Empty>
      ) : (
        <Table verticalSpacing={7} horizontalSpacing={14} fz={13} className={classes.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Machine</Table.Th>
              <Table.Th>Sends for</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>Last seen</Table.Th>
              {manages ? <Table.Th aria-label="Changes" /> : null}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {machines.map((machine) => (
              <MachineRow key={machine.id} machine={machine} onAsk={manages ? (verb) => setAsking({ verb, machine }) : null} />
            ))}
          </Table.Tbody>
        </Table>
      )}
      {adding ? (
        <MachineDialog
          roles={roles}
          onClose={() => setAdding(false)}
          onAdded={(added) => {
            setAdding(false);
            setEnrolment(added);
          }}
        />
      ) : null}
      <Question asking={asking} busy={enrol.isPending || revoke.isPending} onClose={close} onConfirm={confirm} />
      <OneTimeSecret
        title={`Enrol ${enrolment?.machine.name ?? ""}`}
        label="Command to run on the machine"
        secret={enrolment && enrolCommand(window.location.origin, enrolment.enrolment_token)}
        onClose={() => setEnrolment(null)}
      >
        Run this on the machine, once, before <span className="num">{formatTime(enrolment?.expires_at)}</span>. It answers with the
        machine&apos;s key, which the machine then sends as <code>Authorization: Bearer</code>. If this page&apos;s address is not
        the one the machine reaches the site by, put that one in its place.
      </OneTimeSecret>
    </Panel>
  );
}

function Question({ asking, ...rest }: { asking: Asking | null; busy: boolean; onClose: () => void; onConfirm: (a: Asking) => void }) {
  const revoking = asking?.verb === "revoke";
  const name = asking?.machine.name ?? "";
  return (
    <Confirm
      opened={asking !== null}
      title={revoking ? `Revoke ${name}?` : `Enrol ${name} again?`}
      verb={revoking ? "Revoke" : "Make a token"}
      keep="Keep it as it is"
      busy={rest.busy}
      onClose={rest.onClose}
      onConfirm={() => asking && rest.onConfirm(asking)}
    >
      {revoking
        ? "Its key is refused at once and what it sends is turned away. To let it in again it has to be added anew."
        : "For a machine that lost its key. The old key goes on working until the new one is taken with the token."}
    </Confirm>
  );
}

function MachineRow({ machine, onAsk }: { machine: Machine; onAsk: ((verb: Asking["verb"]) => void) | null }) {
  const now = useNow(5_000);
  const { name, state, grants, last_seen_at } = machine;
  const seen = secondsSince(last_seen_at, now);
  const revoked = state === "revoked";
  return (
    <Table.Tr className={classes.row} data-off={revoked || undefined}>
      <Table.Td>
        <strong className={classes.names}>{name}</strong>
      </Table.Td>
      <Table.Td data-label="Sends for">
        {grants.map(({ path }) => placeWords(path)).join("; ") || <span className="muted">nothing</span>}
      </Table.Td>
      <Table.Td>
        <MachineState machine={machine} now={now} />
      </Table.Td>
      <Table.Td className="num" data-label="Last seen">
        {seen === null ? <span className="muted">never</span> : `${formatDuration(Math.max(0, Math.round(seen)))} ago`}
      </Table.Td>
      {onAsk ? (
        <Table.Td>
          <div className={classes.buttons}>
            {revoked ? null : (
              <>
                <Button variant="default" onClick={() => onAsk("enrol")} aria-label={`Enrol again: ${name}`}>
                  Enrol again
                </Button>
                <Button variant="default" onClick={() => onAsk("revoke")} aria-label={`Revoke ${name}`}>
                  Revoke
                </Button>
              </>
            )}
          </div>
        </Table.Td>
      ) : null}
    </Table.Tr>
  );
}

function MachineState({ machine: { state, rotating, enrol_until }, now }: { machine: Machine; now: number }) {
  if (state === "revoked") {
    return (
      <>
        <StateMark name="no_data" compact word="" /> Revoked
      </>
    );
  }
  const over = (secondsSince(enrol_until, now) ?? 0) > 0;
  if (state === "waiting") {
    return (
      <>
        <StateMark name={over ? "stale" : "baselining"} compact word="" /> {over ? "Its token ran out; enrol it again" : "Waits to be enrolled"}
      </>
    );
  }
  return (
    <>
      <StateMark name="normal" compact word="" /> Enrolled{" "}
      <span className="muted">{rotating ? "a new key waits for its first use" : enrol_until && !over ? "a token for a new key is out" : ""}</span>
    </>
  );
}
