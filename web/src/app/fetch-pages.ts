/** Each page is a file of its own, so that the first one opens fast. */
export const PAGES = {
  worklist: () => import("./pages/WorklistPage"),
  asset: () => import("./pages/AssetPage"),
  alarms: () => import("./pages/AlarmsPage"),
  models: () => import("./pages/ModelPages"),
  rollouts: () => import("./pages/RolloutsPage"),
  admin: () => import("./pages/AdminPage"),
  operation: () => import("./pages/OperationPage"),
  gateways: () => import("./pages/GatewayPages"),
  access: () => import("./pages/AccessPages"),
  audit: () => import("./pages/AuditPage"),
};

/** Fetch the other pages while there is a connection, so that they open when there is none. */
export function fetchPages(): void {
  for (const page of Object.values(PAGES)) void page().catch(() => undefined);
}
