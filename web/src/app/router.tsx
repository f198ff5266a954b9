import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { PAGES } from "./fetch-pages";
import { NotFound } from "./NotFound";
import { PageError } from "./PageError";
import { readAlarmSearch, readAssetSearch, readAuditSearch, readWorklistSearch } from "./search";
import { Shell } from "./Shell";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const worklist = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: readWorklistSearch,
  component: lazyRouteComponent(PAGES.worklist, "WorklistPage"),
});

// Where single sign-on brings the browser back when it failed; the sign-in page stands there until somebody is in.
const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  beforeLoad: () => {
    throw redirect({ to: "/", replace: true });
  },
});

export const assetRoute = createRoute({
  getParentRoute: () => root,
  path: "/assets/$id",
  validateSearch: readAssetSearch,
  component: lazyRouteComponent(PAGES.asset, "AssetPage"),
});

const alarms = createRoute({
  getParentRoute: () => root,
  path: "/alarms",
  validateSearch: readAlarmSearch,
  component: lazyRouteComponent(PAGES.alarms, "AlarmsPage"),
});

const models = createRoute({
  getParentRoute: () => root,
  path: "/models",
  component: lazyRouteComponent(PAGES.models, "ModelsPage"),
});

const model = createRoute({
  getParentRoute: () => root,
  path: "/models/$id",
  component: lazyRouteComponent(PAGES.models, "ModelPage"),
});

const rollouts = createRoute({
  getParentRoute: () => root,
  path: "/rollouts",
  component: lazyRouteComponent(PAGES.rollouts, "RolloutsPage"),
});

const admin = createRoute({
  getParentRoute: () => root,
  path: "/admin",
  component: lazyRouteComponent(PAGES.admin, "AdminPage"),
});

const operation = createRoute({
  getParentRoute: () => admin,
  path: "/",
  component: lazyRouteComponent(PAGES.operation, "OperationPage"),
});

const gateways = createRoute({
  getParentRoute: () => admin,
  path: "gateways",
  component: lazyRouteComponent(PAGES.gateways, "GatewaysPage"),
});

export const gatewayRoute = createRoute({
  getParentRoute: () => admin,
  path: "gateways/$name",
  component: lazyRouteComponent(PAGES.gateways, "GatewayPage"),
});

const people = createRoute({
  getParentRoute: () => admin,
  path: "people",
  component: lazyRouteComponent(PAGES.access, "PeoplePage"),
});

const machines = createRoute({
  getParentRoute: () => admin,
  path: "machines",
  component: lazyRouteComponent(PAGES.access, "MachinesPage"),
});

const roles = createRoute({
  getParentRoute: () => admin,
  path: "roles",
  component: lazyRouteComponent(PAGES.access, "RolesPage"),
});

const sessions = createRoute({
  getParentRoute: () => admin,
  path: "sessions",
  component: lazyRouteComponent(PAGES.access, "SessionsPage"),
});

const audit = createRoute({
  getParentRoute: () => admin,
  path: "audit",
  validateSearch: readAuditSearch,
  component: lazyRouteComponent(PAGES.audit, "AuditPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    worklist,
    signIn,
    assetRoute,
    alarms,
    models,
    model,
    rollouts,
    admin.addChildren([operation, gateways, gatewayRoute, people, machines, roles, sessions, audit]),
  ]),
  defaultPreload: "intent",
  defaultErrorComponent: PageError,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
