import { Table } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ModelSummary } from "@/api/types";
import { useNow } from "@/ui/clock";
import { Empty, Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { StateMark } from "@/ui/components/StateMark";
import { formatDuration, secondsSince } from "@/ui/format";
import { assetModelQuery } from "../api/models";
import { formatShare, perMachine, shiftWords, stateMark, stateWord, trainedWords } from "../words";
import classes from "./Models.module.css";

interface ModelsTableProps {
  assets: readonly { id: string; name: string }[];
  models: readonly ModelSummary[];
  mayTrain: boolean;
}

/** Every machine, and what was learned of it. */
export function ModelsTable({ assets, models, mayTrain }: ModelsTableProps) {
  if (models.length === 0) return <NoModels first={assets[0]?.id} mayTrain={mayTrain} />;
  return (
    <Panel title="Machines" flush>
      <ScrollBox label="Models by machine" minWidth={0}>
        <Table verticalSpacing={9} horizontalSpacing={14} fz={13} className={classes.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Machine</Table.Th>
              <Table.Th>Champion for</Table.Th>
              <Table.Th>Learned from</Table.Th>
              <Table.Th>Healthy rows over its threshold</Table.Th>
              <Table.Th>Smallest shift found</Table.Th>
              <Table.Th>Challenger</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {perMachine(assets, models).map(({ asset, champion, challenger }) => (
              <Table.Tr key={asset.id}>
                <Table.Td data-wide>
                  <Link to="/models/$id" params={{ id: asset.id }} className={classes.name}>
                    {asset.name}
                  </Link>
                </Table.Td>
                {champion ? <Champion model={champion} /> : <Nothing />}
                <Table.Td data-label="Challenger" data-none={!challenger || undefined} data-wide>
                  {challenger ? <State state={challenger.state} /> : "–"}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollBox>
    </Panel>
  );
}

/** first: id of a machine, that of any tells whether the site learns machines by itself. */
function NoModels({ first, mayTrain }: { first: string | undefined; mayTrain: boolean }) {
  const { data } = useQuery({ ...assetModelQuery(first ?? ""), enabled: first !== undefined });
  return (
    <Panel title="Machines" flush>
      <Empty title="No machine has a model yet">
        A model is what was learned of one machine in health: how its signals go together in each way it is run. It finds what no
        limit on a single signal does, and it says which signals moved. A few hours of readings are enough to begin with; two weeks
        are better. {data?.next_training ? "The site learns a machine by itself once there is about a day of its healthy past. " : ""}
        {mayTrain ? `Train above${data?.next_training ? " to have it sooner" : ""}, or on the site's machine: forewarn train --all` : ""}
      </Empty>
    </Panel>
  );
}

function Champion({ model }: { model: ModelSummary }) {
  const now = useNow();
  return (
    <>
      <Table.Td className="num" data-label="Champion for">
        {formatDuration(secondsSince(model.state_since, now))}
      </Table.Td>
      <Table.Td className="num" data-label="Learned from" data-wide>
        {trainedWords(model)}
      </Table.Td>
      <Table.Td className="num" data-label="Over threshold">
        {formatShare(model.metrics.over_threshold)}
      </Table.Td>
      <Table.Td className="num" data-label="Smallest shift" data-wide>
        {shiftWords(model.metrics)}
      </Table.Td>
    </>
  );
}

function Nothing() {
  return (
    <Table.Td colSpan={4} data-wide>
      <span className="muted">No model acts on it.</span>
    </Table.Td>
  );
}

export function State({ state }: { state: ModelSummary["state"] }) {
  return (
    <span className={classes.state}>
      <StateMark name={stateMark(state)} compact word="" />
      {stateWord(state)}
    </span>
  );
}
