import { Button, Table } from "@mantine/core";
import type { SessionInfo } from "@/api/types";
import { useMay } from "@/api/use-session";
import { useNow } from "@/ui/clock";
import { Empty, Panel } from "@/ui/components/Panel";
import { formatDuration, formatTime, secondsSince } from "@/ui/format";
import { useEndSession } from "../api/access";
import { failed, told } from "../report";
import { agentWords } from "../words";
import classes from "./Access.module.css";

/** Where somebody is signed in now. */
export function SessionsTable({ sessions }: { sessions: readonly SessionInfo[] }) {
  const now = useNow(5_000);
  const end = useEndSession();
  const manages = useMay("access.manage");
  const stop = ({ id, person_name }: SessionInfo): void =>
    end.mutate(id, {
      onSuccess: () => told(`session-${id}`, `The session of ${person_name} has ended.`),
      onError: failed("The session was not ended"),
    });
  return (
    <Panel title="Sessions" flush>
      {sessions.length === 0 ? (
        <Empty title="Nobody is signed in" />
      ) : (
        <Table verticalSpacing={7} horizontalSpacing={14} fz={13} className={classes.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Person</Table.Th>
              <Table.Th>With</Table.Th>
              <Table.Th>From</Table.Th>
              <Table.Th>Signed in</Table.Th>
              <Table.Th>Last used</Table.Th>
              <Table.Th>Ends if unused</Table.Th>
              <Table.Th aria-label="Changes" />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {sessions.map((session) => (
              <Table.Tr key={session.id}>
                <Table.Td>
                  <span className={classes.names}>
                    <strong>{session.person_name}</strong>
                    {session.mine ? <span className="muted">you</span> : null}
                  </span>
                </Table.Td>
                <Table.Td title={session.agent}>{agentWords(session.agent)}</Table.Td>
                <Table.Td className="num" data-label="From">
                  {session.address || "unknown"}
                </Table.Td>
                <Table.Td className="num" data-label="Signed in">
                  {formatTime(session.created_at, now)}
                </Table.Td>
                <Table.Td className="num" data-label="Last used">
                  {formatDuration(Math.max(0, Math.round(secondsSince(session.last_used_at, now) ?? 0)))} ago
                </Table.Td>
                <Table.Td className="num" data-label="Ends if unused">
                  {formatTime(session.expires_at, now)}
                </Table.Td>
                <Table.Td>
                  <div className={classes.buttons}>
                    {manages || session.mine ? (
                      <Button
                        variant="default"
                        loading={end.isPending && end.variables === session.id}
                        onClick={() => stop(session)}
                        aria-label={`End the session of ${session.person_name}, ${agentWords(session.agent)}`}
                      >
                        End
                      </Button>
                    ) : null}
                  </div>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Panel>
  );
}
