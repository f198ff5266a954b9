import { Table } from "@mantine/core";
import type { AssetModel } from "@/api/types";
import { Empty, Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { StateMark } from "@/ui/components/StateMark";
import { formatTime, formatValue, signalName } from "@/ui/format";
import { driftScale, overQuantileWords } from "../drift";
import { MarkedBar } from "./MarkedBar";
import classes from "./Models.module.css";

const nameOf = (id: string): string => signalName(id.slice(id.lastIndexOf(".") + 1));

/** How far each signal, and the score, are from what the champion learned. */
export function DriftPanel({ drift }: { drift: AssetModel["drift"] }) {
  if (!drift) {
    return (
      <Panel title="Drift" label="Drift" flush>
        <Empty title="Not judged yet">
          It takes five hours of running, and as long again after a restart, until it can be told whether the machine is still as
          its model learned it.
        </Empty>
      </Panel>
    );
  }
  return (
    <Panel
      title="Drift"
      label="Drift"
      actions={
        <span className="muted num">
          judged {formatTime(drift.judged_at)} by {drift.by || "the site"}
        </span>
      }
      flush
    >
      <p className={classes.explained}>
        How far each signal of about the last day of running lies from what the model learned (PSI), in multiples of what is usual for it:
        the line. {overQuantileWords(drift)}
      </p>
      <ScrollBox label="Drift by signal" minWidth={0}>
        <Table verticalSpacing={5} horizontalSpacing={14} fz={13} className={classes.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Signal</Table.Th>
              <Table.Th w="36%">
                <span className="sr-only">Bar</span>
              </Table.Th>
              <Table.Th>PSI</Table.Th>
              <Table.Th>Usual</Table.Th>
              <Table.Th>Stands</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {driftScale(drift.signals).map(({ signal_id, psi, usual, times, beyond, top }) => (
              <Table.Tr key={signal_id}>
                <Table.Td data-wide>{nameOf(signal_id)}</Table.Td>
                <Table.Td data-wide>
                  <MarkedBar bars={[{ value: times, tone: beyond ? "beyond" : "new" }]} mark={1} top={top} />
                </Table.Td>
                <Table.Td className="num" data-label="PSI">
                  {formatValue(psi)}
                </Table.Td>
                <Table.Td className="num" data-label="Usual">
                  up to {formatValue(usual)}
                </Table.Td>
                <Table.Td data-wide>
                  <span className={classes.state}>
                    <StateMark name={beyond ? "medium" : "normal"} compact word="" />
                    {beyond ? `Drifted, ${times.toFixed(1)} × what is usual` : "As learned"}
                  </span>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollBox>
    </Panel>
  );
}
