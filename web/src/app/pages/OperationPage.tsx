import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { assetsQuery } from "@/features/assets/api/assets";
import { readinessQuery, simulationQuery, sourcesQuery, systemQuery } from "@/features/operation/api/operation";
import { SimulationPanel } from "@/features/operation/components/SimulationPanel";
import { SourcesTable } from "@/features/operation/components/SourcesTable";
import { SystemFigures } from "@/features/operation/components/SystemFigures";
import { ErrorPanel, Panel, Rows } from "@/ui/components/Panel";
import classes from "./AssetPage.module.css";

export function OperationPage() {
  const sources = useQuery(sourcesQuery);
  const system = useQuery(systemQuery);
  const readiness = useQuery(readinessQuery);
  const simulation = useQuery(simulationQuery);
  const { data } = useQuery(assetsQuery);
  const assets = useMemo(() => new Map((data?.assets ?? []).map((a) => [a.id, a])), [data]);
  return (
    <div className={classes.page}>
      {sources.data ? <SourcesTable sources={sources.data} readAt={sources.dataUpdatedAt} /> : <Waiting query={sources} />}
      {system.data ? <SystemFigures system={system.data} readiness={readiness.data} /> : <Waiting query={system} />}
      {simulation.data ? <SimulationPanel simulation={simulation.data} assets={assets} /> : <Waiting query={simulation} />}
    </div>
  );
}

function Waiting({ query }: { query: { error: Error | null; refetch: () => unknown } }) {
  if (query.error) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  return (
    <Panel flush>
      <Rows count={3} />
    </Panel>
  );
}
