import { Table } from "@mantine/core";
import type { Rollout } from "@/api/types";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { StateMark } from "@/ui/components/StateMark";
import { formatTime } from "@/ui/format";
import { type Measure, measuresOf, seenWords } from "../rollouts";
import { MarkedBar } from "./MarkedBar";
import models from "./Models.module.css";
import classes from "./Rollouts.module.css";

/** What challenger and champion did on the same machines since this step began, against what is still taken. */
export function RolloutSides({ rollout }: { rollout: Rollout }) {
  const { challenger, champion, bounds, since } = rollout;
  if (!challenger && !champion) {
    return <p className="muted">Nothing is known of either side yet: what scores tells about once a minute.</p>;
  }
  return (
    <>
      <h3 className={classes.title}>Both sides since {formatTime(since)}</h3>
      <ul className={classes.key}>
        <li>
          <span className={classes.swatch} data-tone="new" /> New: {seenWords(challenger)}
        </li>
        <li>
          <span className={classes.swatch} /> Champion: {seenWords(champion)}
        </li>
        {bounds ? (
          <li>
            <span className={classes.swatch} data-tone="mark" /> Bound
          </li>
        ) : null}
      </ul>
      <ScrollBox label="Both sides" minWidth={0}>
        <Table verticalSpacing={5} horizontalSpacing={14} fz={13} className={`${models.table} ${classes.inner}`}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Measure</Table.Th>
              <Table.Th w="36%">
                <span className="sr-only">Bars</span>
              </Table.Th>
              <Table.Th>New</Table.Th>
              <Table.Th>Champion</Table.Th>
              <Table.Th>Bound</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {measuresOf(rollout).map((measure) => (
              <Row key={measure.name} measure={measure} />
            ))}
          </Table.Tbody>
        </Table>
      </ScrollBox>
    </>
  );
}

function Row({ measure: { name, challenger, champion, bound, least, top, beyond, shown, boundWords } }: { measure: Measure }) {
  return (
    <Table.Tr>
      <Table.Td data-wide>{name}</Table.Td>
      <Table.Td data-wide>
        <MarkedBar
          bars={[
            { value: challenger, tone: beyond ? "beyond" : "new" },
            { value: champion, tone: "quiet" },
          ]}
          mark={bound}
          top={top}
        />
      </Table.Td>
      <Table.Td className="num" data-label="New">
        {shown(challenger)}
      </Table.Td>
      <Table.Td className="num" data-label="Champion">
        {shown(champion)}
      </Table.Td>
      <Table.Td className="num" data-label="Bound" data-wide>
        {boundWords}{" "}
        {beyond ? (
          <span className={models.state}>
            <StateMark name="medium" compact word="" /> {least ? "below it" : "above it"}
          </span>
        ) : null}
      </Table.Td>
    </Table.Tr>
  );
}
