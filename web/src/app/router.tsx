import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { NotFound } from "./NotFound";
import { PageError } from "./PageError";
import { readAlarmSearch, readAssetSearch, readWorklistSearch } from "./search";
import { Shell } from "./Shell";

/** Each page is a file of its own, so that the first one opens fast. */
const PAGES = {
  worklist: () => import("./pages/WorklistPage"),
  asset: () => import("./pages/AssetPage"),
  alarms: () => import("./pages/AlarmsPage"),
  admin: () => import("./pages/AdminPage"),
};

/** Fetch the other pages while there is a connection, so that they open when there is none. */
export function fetchPages(): void {
  for (const page of Object.values(PAGES)) void page().catch(() => undefined);
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const worklist = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: readWorklistSearch,
  component: lazyRouteComponent(PAGES.worklist, "WorklistPage"),
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

const admin = createRoute({
  getParentRoute: () => root,
  path: "/admin",
  component: lazyRouteComponent(PAGES.admin, "AdminPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([worklist, assetRoute, alarms, admin]),
  defaultPreload: "intent",
  defaultErrorComponent: PageError,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
