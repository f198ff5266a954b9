import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { machinesQuery, peopleQuery, rolesQuery, sessionsQuery } from "@/features/access/api/access";
import { MachinesTable } from "@/features/access/components/MachinesTable";
import { PeopleTable } from "@/features/access/components/PeopleTable";
import { RolesMatrix } from "@/features/access/components/RolesMatrix";
import { SessionsTable } from "@/features/access/components/SessionsTable";
import { ErrorPanel, Panel, Rows } from "@/ui/components/Panel";

interface Asked<T> {
  data: T | undefined;
  error: Error | null;
  refetch: () => unknown;
}

export function PeoplePage() {
  const people = useQuery(peopleQuery);
  const roles = useQuery(rolesQuery);
  return (
    <Loaded query={people}>{(list) => <Loaded query={roles}>{(known) => <PeopleTable people={list} roles={known} />}</Loaded>}</Loaded>
  );
}

export function MachinesPage() {
  const machines = useQuery(machinesQuery);
  const roles = useQuery(rolesQuery);
  return (
    <Loaded query={machines}>
      {(list) => <Loaded query={roles}>{(known) => <MachinesTable machines={list} roles={known} />}</Loaded>}
    </Loaded>
  );
}

export function RolesPage() {
  return <Loaded query={useQuery(rolesQuery)}>{(roles) => <RolesMatrix roles={roles} />}</Loaded>;
}

export function SessionsPage() {
  return <Loaded query={useQuery(sessionsQuery)}>{(sessions) => <SessionsTable sessions={sessions} />}</Loaded>;
}

/** What is known is shown even when the newest attempt failed; the error then stands above it. */
function Loaded<T>({ query, children }: { query: Asked<T>; children: (data: T) => ReactNode }) {
  const { data, error, refetch } = query;
  return (
    <>
      {error ? <ErrorPanel error={error} onRetry={() => void refetch()} /> : null}
      {data === undefined && !error ? (
        <Panel flush>
          <Rows count={6} />
        </Panel>
      ) : null}
      {data === undefined ? null : children(data)}
    </>
  );
}
