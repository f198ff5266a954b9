import { Table } from "@mantine/core";
import type { ModelSummary } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { formatTime } from "@/ui/format";
import { shortId, trainedWords } from "../words";
import classes from "./Models.module.css";
import { State } from "./ModelsTable";

/** Every model of the machine, newest first. */
export function HistoryPanel({ history }: { history: readonly ModelSummary[] }) {
  if (history.length === 0) return null;
  return (
    <Panel title="History" flush>
      <ScrollBox label="History of models" minWidth={0}>
        <Table verticalSpacing={7} horizontalSpacing={14} fz={13} className={classes.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Model</Table.Th>
              <Table.Th>Trained</Table.Th>
              <Table.Th>Learned from</Table.Th>
              <Table.Th>State</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {history.map((model) => (
              <Table.Tr key={model.id}>
                <Table.Td className="num">{shortId(model.id)}</Table.Td>
                <Table.Td className="num">{formatTime(model.created_at)}</Table.Td>
                <Table.Td className="num" data-wide>
                  {trainedWords(model)}
                </Table.Td>
                <Table.Td data-wide>
                  <State state={model.state} /> {model.reason ? <span className={`${classes.told ?? ""} muted`}>{model.reason}</span> : null}
                  {model.bytes_deleted_at ? (
                    <div className="muted">Only its card is left since {formatTime(model.bytes_deleted_at)}: it cannot act again.</div>
                  ) : null}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollBox>
    </Panel>
  );
}
