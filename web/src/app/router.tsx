import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { NotFound } from "./NotFound";
import { readAlarmSearch, readAssetSearch, readWorklistSearch } from "./search";
import { Shell } from "./Shell";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const worklist = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: readWorklistSearch,
  component: lazyRouteComponent(() => import("./pages/WorklistPage"), "WorklistPage"),
});

export const assetRoute = createRoute({
  getParentRoute: () => root,
  path: "/assets/$id",
  validateSearch: readAssetSearch,
  component: lazyRouteComponent(() => import("./pages/AssetPage"), "AssetPage"),
});

const alarms = createRoute({
  getParentRoute: () => root,
  path: "/alarms",
  validateSearch: readAlarmSearch,
  component: lazyRouteComponent(() => import("./pages/AlarmsPage"), "AlarmsPage"),
});

const admin = createRoute({
  getParentRoute: () => root,
  path: "/admin",
  component: lazyRouteComponent(() => import("./pages/AdminPage"), "AdminPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([worklist, assetRoute, alarms, admin]),
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
