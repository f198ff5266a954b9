import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { isUnreachable } from "@/api/problem";
import { assetsQuery } from "@/features/assets/api/assets";
import { Worklist } from "@/features/assets/components/Worklist";
import { ErrorPanel, Panel, Rows } from "@/ui/components/Panel";

const route = getRouteApi("/");

export function WorklistPage() {
  const search = route.useSearch();
  const { data, error, refetch, dataUpdatedAt } = useQuery(assetsQuery);
  return (
    <>
      <h1 className="sr-only">Worklist</h1>
      {error && !(data && isUnreachable(error)) ? <ErrorPanel error={error} onRetry={() => void refetch()} /> : null}
      {data ? <Worklist assets={data.assets} checkedAt={dataUpdatedAt} search={search} /> : null}
      {!data && !error ? (
        <Panel flush>
          <Rows count={8} />
        </Panel>
      ) : null}
    </>
  );
}
