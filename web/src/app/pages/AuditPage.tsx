import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { AuditLog } from "@/features/access/components/AuditLog";

const route = getRouteApi("/admin/audit");

export function AuditPage() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/admin/audit" });
  return (
    <AuditLog
      filter={search}
      onFilter={(change) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true })}
    />
  );
}
