import { Link, Outlet } from "@tanstack/react-router";
import { AlarmBanner } from "@/features/alarms/components/AlarmBanner";
import { IconBell, IconGauge, IconList } from "@/ui/icons";
import { ConnectionStrip, useLostSince } from "./ConnectionStrip";
import { Header } from "./Header";
import { Palette } from "./Palette";
import classes from "./Shell.module.css";
import { Shortcuts } from "./Shortcuts";
import { useLiveQueries } from "./use-live-queries";

const PAGES = [
  { to: "/", label: "Worklist", Icon: IconList },
  { to: "/alarms", label: "Alarms", Icon: IconBell },
  { to: "/admin", label: "Admin", Icon: IconGauge },
] as const;

/** What surrounds every page: where you are, what is wrong anywhere, and how old the data is. */
export function Shell() {
  useLiveQueries();
  const lostSince = useLostSince();
  return (
    <div className={classes.shell}>
      <a href="#main" className={classes.skip}>
        Skip to the page
      </a>
      <nav className={classes.nav} aria-label="Pages">
        <span className={classes.brand}>
          <svg width={24} height={24} viewBox="0 0 32 32" aria-hidden="true">
            <path
              d="M2 20h7l3-11 5 16 3.5-10 1.5 5h8"
              fill="none"
              stroke="currentColor"
              strokeWidth={2.6}
              strokeLinejoin="round"
              strokeLinecap="round"
            />
          </svg>
          <span className={classes.label}>Forewarn</span>
        </span>
        {PAGES.map(({ to, label, Icon }) => (
          <Link key={to} to={to} className={classes.page} activeProps={{ "data-active": true }} activeOptions={{ exact: to === "/", includeSearch: false }}>
            <Icon size={19} />
            <span className={classes.label}>{label}</span>
          </Link>
        ))}
      </nav>
      <div className={classes.frame}>
        <div className={classes.top}>
          <Header />
          {lostSince === null ? <AlarmBanner /> : <ConnectionStrip since={lostSince} />}
        </div>
        <main id="main" className={classes.main} data-lost={lostSince !== null || undefined}>
          <Outlet />
        </main>
      </div>
      <Palette />
      <Shortcuts />
    </div>
  );
}
