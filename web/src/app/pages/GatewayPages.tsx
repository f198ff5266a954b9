import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useMay } from "@/api/use-session";
import { gatewayQuery, gatewaysQuery, rawRequestsQuery } from "@/features/gateways/api/gateways";
import { ConditionsPanel } from "@/features/gateways/components/ConditionsPanel";
import { ConnectorsTable } from "@/features/gateways/components/ConnectorsTable";
import { GatewayFigures } from "@/features/gateways/components/GatewayFigures";
import { GatewaysTable } from "@/features/gateways/components/GatewaysTable";
import { LedgerPanel } from "@/features/gateways/components/LedgerPanel";
import { ModelsPanel } from "@/features/gateways/components/ModelsPanel";
import { RawRequestsPanel } from "@/features/gateways/components/RawRequestsPanel";
import { RetirePanel } from "@/features/gateways/components/RetirePanel";
import { ErrorPanel, Panel, Rows } from "@/ui/components/Panel";
import classes from "./AssetPage.module.css";

/** All edge gateways. */
export function GatewaysPage() {
  const gateways = useQuery(gatewaysQuery);
  return (
    <div className={classes.page}>
      {gateways.data ? <GatewaysTable gateways={gateways.data} readAt={gateways.dataUpdatedAt} /> : <Waiting query={gateways} />}
    </div>
  );
}

const route = getRouteApi("/admin/gateways/$name");

/** One of them. */
export function GatewayPage() {
  const { name } = route.useParams();
  const gateway = useQuery(gatewayQuery(name));
  const requests = useQuery(rawRequestsQuery(name));
  const mayAsk = useMay("gateways.ask");
  const navigate = useNavigate();
  const silent = gateway.data?.state === "away" || gateway.data?.state === "waiting";
  return (
    <div className={classes.page}>
      <Link to="/admin/gateways">All gateways</Link>
      {gateway.data ? (
        <>
          <GatewayFigures gateway={gateway.data} />
          <ConditionsPanel now={gateway.data.conditions_now} journal={gateway.data.journal} />
          <ConnectorsTable gateway={gateway.data} />
          <ModelsPanel models={gateway.data.models} />
          {gateway.data.ledger ? <LedgerPanel ledger={gateway.data.ledger} /> : null}
          <RawRequestsPanel gateway={name} signals={gateway.data.signal_ids} requests={requests.data ?? []} mayAsk={mayAsk} />
          {silent && mayAsk ? <RetirePanel gateway={name} onRetired={() => void navigate({ to: "/admin/gateways" })} /> : null}
        </>
      ) : (
        <Waiting query={gateway} />
      )}
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
