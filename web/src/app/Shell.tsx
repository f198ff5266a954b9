import { Link, Outlet, useMatchRoute } from "@tanstack/react-router";
import { useEffect } from "react";
import { useSession } from "@/api/use-session";
import { AlarmBanner } from "@/features/alarms/components/AlarmBanner";
import { DemoStrip } from "@/features/session/components/Doors";
import { Brand } from "@/ui/components/Brand";
import { Empty } from "@/ui/components/Panel";
import { IconBell, IconGauge, IconList, IconModel } from "@/ui/icons";
import { adminPages } from "./admin-pages";
import { ConnectionStrip, useLostSince } from "./ConnectionStrip";
import { fetchPages } from "./fetch-pages";
import { Header } from "./Header";
import { Palette } from "./Palette";
import classes from "./Shell.module.css";
import { Shortcuts } from "./Shortcuts";
import { useLiveQueries } from "./use-live-queries";

const PAGES = [
  { to: "/", label: "Worklist", Icon: IconList },
  { to: "/alarms", label: "Alarms", Icon: IconBell },
  { to: "/models", label: "Models", Icon: IconModel },
  { to: "/admin", label: "Admin", Icon: IconGauge },
] as const;

/** After this long the first page has what it needs. */
const SETTLED_MS = 1_500;

/** What surrounds every page: where you are, what is wrong anywhere, and how old the data is. */
export function Shell() {
  const { may, demo } = useSession();
  const rollouts = useMatchRoute()({ to: "/rollouts" });
  const looks = may("plant.read");
  useLiveQueries(looks);
  const lostSince = useLostSince();
  const pages = PAGES.filter(({ to }) => (to === "/admin" ? adminPages(may).length > 0 : looks));
  useEffect(() => {
    const timer = setTimeout(fetchPages, SETTLED_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className={classes.shell}>
      <a href="#main" className={classes.skip}>
        Skip to the page
      </a>
      <nav className={classes.nav} aria-label="Pages">
        <span className={classes.brand}>
          <Brand size={24} />
          <span className={classes.label}>Forewarn</span>
        </span>
        {pages.map(({ to, label, Icon }) => (
          <Link
            key={to}
            to={to}
            className={classes.page}
            data-active={(to === "/models" && Boolean(rollouts)) || undefined}
            activeProps={{ "data-active": true }}
            activeOptions={{ exact: to === "/", includeSearch: false }}
          >
            <Icon size={19} />
            <span className={classes.label}>{label}</span>
          </Link>
        ))}
      </nav>
      <div className={classes.frame}>
        {demo ? <DemoStrip /> : null}
        <div className={classes.top}>
          <Header />
          {lostSince === null ? looks ? <AlarmBanner /> : null : <ConnectionStrip since={lostSince} />}
        </div>
        <main id="main" className={classes.main} data-lost={lostSince !== null || undefined}>
          {looks || pages.length ? (
            <Outlet />
          ) : (
            <Empty title="No part of the plant is open to you">
              Your account has no role that lets it see anything. Whoever administers this site can give it one.
            </Empty>
          )}
        </main>
      </div>
      <Palette />
      <Shortcuts />
    </div>
  );
}
