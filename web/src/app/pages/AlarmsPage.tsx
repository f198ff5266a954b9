import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { isUnreachable } from "@/api/problem";
import { alarmsQuery } from "@/features/alarms/api/alarms";
import { AlarmConsole } from "@/features/alarms/components/AlarmConsole";
import { ErrorPanel, Panel, Rows } from "@/ui/components/Panel";

const route = getRouteApi("/alarms");

export function AlarmsPage() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/alarms" });
  const { data, error, refetch } = useQuery(alarmsQuery);
  return (
    <>
      <h1 className="sr-only">Alarms</h1>
      {error && !(data && isUnreachable(error)) ? <ErrorPanel error={error} onRetry={() => void refetch()} /> : null}
      {data ? (
        <AlarmConsole
          alarms={data.alarms}
          counts={data.counts}
          filter={search}
          onFilter={(change) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true })}
        />
      ) : null}
      {!data && !error ? (
        <Panel flush>
          <Rows count={8} />
        </Panel>
      ) : null}
    </>
  );
}
